//! The thread that keeps the ledger on disk: intents before their writes may be sent, attempts after they ended.
//! Load threads never wait for it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::entry::Entry as _;
use super::pen::{AHEAD, Desk, Note, Reserved};
use super::{Clients, FOLDER};

/// How long attempts may lie in memory.
const IDLE: Duration = Duration::from_millis(200);

/// Names of the files in the ledger's folder.
pub const INTENTS: &str = "intents.csv";
pub const ATTEMPTS: &str = "attempts.bin";

/// The keeper's handle.
pub struct Keeper {
    folder: PathBuf,
    notes: Sender<Note>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Keeper {
    /// Makes the ledger's folder in the run's, and puts the first intents of every client on disk.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn start(run: &Path, clients: Clients) -> io::Result<(Keeper, Desk)> {
        let folder = run.join(FOLDER);
        fs::create_dir_all(&folder)?;
        let mut files = Files {
            intents: BufWriter::new(File::create(folder.join(INTENTS))?),
            attempts: BufWriter::new(File::create(folder.join(ATTEMPTS))?),
            clients: Arc::new(clients),
            bytes: Vec::new(),
            count: 0,
        };
        writeln!(files.intents, "client,up_to")?;
        let reserved = Arc::new(Reserved::new(files.clients.count()));
        for client in 0..files.clients.count() {
            files.intend(client, AHEAD)?;
        }
        files.sync_intents()?;
        for client in 0..files.clients.count() {
            reserved.raise(client, AHEAD);
        }
        let (notes, told) = channel();
        let desk = Desk {
            clients: files.clients.clone(),
            reserved: reserved.clone(),
            notes: notes.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || files.keep(&told, &reserved))?;
        let keeper = Keeper {
            folder,
            notes,
            thread,
        };
        Ok((keeper, desk))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Waits until everything that was told before is on disk; returns how many attempts there are.
    ///
    /// # Errors
    /// When something could not be written: the ledger is not whole then.
    pub fn close(self) -> io::Result<u64> {
        // A thread that has ended has failed, and says why below.
        let _ = self.notes.send(Note::Close);
        self.thread
            .join()
            .map_err(|_| io::Error::other("the ledger's thread broke"))?
    }
}

struct Files {
    intents: BufWriter<File>,
    attempts: BufWriter<File>,
    clients: Arc<Clients>,
    bytes: Vec<u8>,
    count: u64,
}

impl Files {
    fn keep(mut self, told: &Receiver<Note>, reserved: &Reserved) -> io::Result<u64> {
        let mut unwritten = false;
        loop {
            match told.recv_timeout(IDLE) {
                Ok(note) => {
                    // Everything that has been told meanwhile shares one sync.
                    let notes: Vec<Note> = std::iter::once(note).chain(told.try_iter()).collect();
                    self.write(&notes, reserved)?;
                    if notes.iter().any(|note| matches!(note, Note::Close)) {
                        self.sync_attempts()?;
                        return Ok(self.count);
                    }
                    unwritten = true;
                }
                Err(RecvTimeoutError::Timeout) if unwritten => {
                    self.sync_attempts()?;
                    unwritten = false;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.sync_attempts()?;
                    return Ok(self.count);
                }
            }
        }
    }

    fn write(&mut self, notes: &[Note], reserved: &Reserved) -> io::Result<()> {
        let mut raised = Vec::new();
        for note in notes {
            match note {
                Note::Reserve { client, up_to } => {
                    self.intend(*client, *up_to)?;
                    raised.push((*client, *up_to));
                }
                Note::Attempts(attempts) => {
                    for attempt in attempts {
                        self.bytes.clear();
                        attempt.write(&mut self.bytes);
                        self.attempts.write_all(&self.bytes)?;
                        self.count += 1;
                    }
                }
                Note::Close => {}
            }
        }
        if !raised.is_empty() {
            self.sync_intents()?;
        }
        for (client, up_to) in raised {
            reserved.raise(client, up_to);
        }
        Ok(())
    }

    fn intend(&mut self, client: u32, up_to: u64) -> io::Result<()> {
        writeln!(self.intents, "{},{up_to}", self.clients.name(client))
    }

    fn sync_intents(&mut self) -> io::Result<()> {
        self.intents.flush()?;
        self.intents.get_ref().sync_data()
    }

    fn sync_attempts(&mut self) -> io::Result<()> {
        self.attempts.flush()?;
        self.attempts.get_ref().sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::{Attempt, Fate};
    use crate::ledger::pen::Pen;
    use crate::ledger::sorted::Entries;

    #[test]
    fn what_was_noted_is_on_disk_when_the_keeper_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (keeper, desk) = Keeper::start(folder.path(), Clients::new("t", 1)).unwrap();
        let mut pen = Pen::new(desk);
        let mut written = Vec::new();
        for _ in 0..3 {
            let sequence = pen.take(5).unwrap();
            let attempt = Attempt {
                client: 5,
                sequence,
                sent: 1,
                ended: 2,
                fate: Fate::Acknowledged,
                site: 0,
                epoch: 1,
            };
            pen.note(attempt);
            written.push(attempt);
        }
        pen.hand_over();
        drop(pen);
        let path = keeper.folder().join(ATTEMPTS);
        assert_eq!(keeper.close().unwrap(), 3);
        let read: Vec<Attempt> = Entries::open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(read, written);
        let intents = fs::read_to_string(folder.path().join(FOLDER).join(INTENTS)).unwrap();
        assert!(intents.contains(&format!("t-0-5,{AHEAD}\n")));
    }
}
