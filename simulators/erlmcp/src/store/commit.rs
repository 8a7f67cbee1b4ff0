//! Group commit. Writes queue in memory; one thread takes all that wait, appends them, syncs once and then
//! acknowledges them together. SIGKILL therefore loses what a power cut would: what no fsync had covered,
//! and nothing that was acknowledged. Readers see a record only after its fsync.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use thiserror::Error;
use tokio::sync::oneshot;

use super::log::{Index, Log, read_line};
use super::record::{Placed, Record, Write};
use crate::role::RoleError;

/// Writes that wait for the disk; more are refused.
const WAITING_MAX: usize = 65_536;
/// Writes that one fsync covers.
const BATCH_MAX: usize = 4_096;

#[derive(Clone, Debug, Error)]
pub(super) enum PutError {
    #[error("too many writes wait for the disk: write more slowly")]
    Full,
    #[error("the log cannot be written: {0}")]
    Disk(String),
}

type Acknowledge = oneshot::Sender<Result<Placed, PutError>>;

struct Pending {
    write: Write,
    acknowledge: Acknowledge,
}

/// A write in the text that goes to the disk.
struct Written {
    record: Record,
    /// Of its line, with the newline.
    length: u64,
    acknowledge: Acknowledge,
}

/// The handle of the committing thread, and the way to read what it has committed.
pub(super) struct Committer {
    queue: SyncSender<Pending>,
    reader: File,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    index: Mutex<Index>,
    /// Why nothing can be written any more. After a failed sync nobody knows what is on the disk.
    broken: OnceLock<String>,
}

impl Shared {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committer {
    /// Starts the committing thread. It ends when the committer is dropped.
    pub(super) fn start(log: Log, epoch: u64) -> Result<Committer, RoleError> {
        let reader = log
            .file
            .try_clone()
            .map_err(RoleError::system("cannot open the log for reading"))?;
        let shared = Arc::new(Shared {
            index: Mutex::new(log.index),
            broken: OnceLock::new(),
        });
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let appender = Appender {
            file: log.file,
            epoch,
            shared: shared.clone(),
        };
        std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || appender.run(&waiting))
            .map_err(RoleError::system("cannot start the committing thread"))?;
        Ok(Committer {
            queue,
            reader,
            shared,
        })
    }

    /// Returns when the write is on the disk.
    pub(super) async fn put(&self, write: Write) -> Result<Placed, PutError> {
        let gone = || PutError::Disk("the committing thread has ended".to_owned());
        let (acknowledge, acknowledged) = oneshot::channel();
        self.queue
            .try_send(Pending { write, acknowledge })
            .map_err(|error| match error {
                TrySendError::Full(_) => PutError::Full,
                TrySendError::Disconnected(_) => gone(),
            })?;
        acknowledged.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The newest record of the key, as JSON.
    pub(super) fn get(&self, client: &str, sequence: u64) -> io::Result<Option<String>> {
        let index = self.shared.index();
        match index.position(client, sequence) {
            Some(position) => read_line(&self.reader, &index, position),
            None => Ok(None),
        }
    }

    /// Up to `limit` records from position `from` on, as JSON, and the position of the next page.
    pub(super) fn scan(&self, from: u64, limit: u64) -> io::Result<(Vec<String>, Option<u64>)> {
        let index = self.shared.index();
        let to = from.saturating_add(limit).min(index.last() + 1);
        let mut records = Vec::new();
        for position in from..to {
            records.extend(read_line(&self.reader, &index, position)?);
        }
        Ok((records, (to <= index.last()).then_some(to)))
    }

    pub(super) fn last(&self) -> u64 {
        self.shared.index().last()
    }

    pub(super) fn broken(&self) -> Option<&str> {
        self.shared.broken.get().map(String::as_str)
    }
}

struct Appender {
    file: File,
    epoch: u64,
    shared: Arc<Shared>,
}

impl Appender {
    fn run(self, waiting: &Receiver<Pending>) {
        while let Ok(first) = waiting.recv() {
            let batch = std::iter::once(first)
                .chain(waiting.try_iter().take(BATCH_MAX - 1))
                .collect();
            self.commit(batch);
        }
    }

    fn commit(&self, batch: Vec<Pending>) {
        let (last, end) = {
            let index = self.shared.index();
            (index.last(), index.end())
        };
        let mut text = Vec::new();
        let written: Vec<_> = (last + 1..)
            .zip(batch)
            .map(|(position, pending)| self.write(position, pending, &mut text))
            .collect();
        match self.append(&text, end) {
            Ok(()) => self.acknowledge(written),
            Err(reason) => {
                for write in written {
                    // Here and below: the writer may have given up meanwhile.
                    let _ = write.acknowledge.send(Err(PutError::Disk(reason.clone())));
                }
            }
        }
    }

    fn write(&self, position: u64, pending: Pending, text: &mut Vec<u8>) -> Written {
        let record = Record::new(position, self.epoch, pending.write);
        let start = text.len();
        // A record of strings and numbers always has a JSON text.
        let _ = serde_json::to_writer(&mut *text, &record);
        text.push(b'\n');
        Written {
            record,
            length: (text.len() - start) as u64,
            acknowledge: pending.acknowledge,
        }
    }

    fn append(&self, text: &[u8], end: u64) -> Result<(), String> {
        if let Some(reason) = self.shared.broken.get() {
            return Err(reason.clone());
        }
        if let Err(error) = self.file.write_all_at(text, end) {
            // A full disk: what got through is taken back, so that the next write may do better.
            if let Err(error) = self.file.set_len(end) {
                let _ = self.shared.broken.set(error.to_string());
            }
            return Err(error.to_string());
        }
        self.file.sync_data().map_err(|error| {
            let _ = self.shared.broken.set(format!("fsync failed: {error}"));
            error.to_string()
        })
    }

    /// Makes the records visible, and only then tells the writers, so that each can read its own write.
    fn acknowledge(&self, written: Vec<Written>) {
        let mut index = self.shared.index();
        for write in &written {
            index.push(write.length, Some(&write.record));
        }
        drop(index);
        for write in written {
            let _ = write.acknowledge.send(Ok(write.record.placed()));
        }
    }
}
