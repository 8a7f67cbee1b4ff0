//! Group commit. Writes queue in memory; one thread takes all that wait, appends them, syncs once and then
//! acknowledges them together. SIGKILL therefore loses what a power cut would: what no fsync had covered,
//! and nothing that was acknowledged. Readers see a record only after its fsync.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;

use super::held::{HELD_FOR, Held, Text};
use super::lies::Lies;
use super::log::{self, Index, Log};
use super::record::{Placed, Record, Write};
use super::standing::{Refusal, Standing, StandingFile};
use crate::clock;
use crate::role::RoleError;

/// Tasks that wait for the disk; more are refused.
const WAITING_MAX: usize = 65_536;
/// Writes that one fsync covers.
const BATCH_MAX: usize = 4_096;
/// Commits that are remembered for whoever ships them.
const COMMITS_MAX: usize = 65_536;

#[derive(Clone, Debug, Error)]
pub(super) enum PutError {
    #[error("too many writes wait for the disk: write more slowly")]
    Full,
    /// The disk is full, or may not be filled further. Nothing of it was kept.
    #[error("there is no room for the log: {0}")]
    NoRoom(String),
    #[error("the log cannot be written: {0}")]
    Disk(String),
    #[error("{}", .0.message())]
    Refused(Refusal),
}

type Acknowledge = oneshot::Sender<Result<Placed, PutError>>;
/// What is done apart from the writes of clients, and tells the last position afterwards.
type Told = oneshot::Sender<Result<u64, PutError>>;

enum Task {
    Write(Pending),
    /// Lines of another store, the first of which has this position.
    Take {
        from: u64,
        lines: Bytes,
        told: Told,
    },
    /// Forgets every record.
    Empty(Told),
    /// From now on this is what the store is. What was queued before has been done when it is told.
    Stand(Standing, Told),
}

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
    queue: SyncSender<Task>,
    reader: File,
    shared: Arc<Shared>,
}

struct Shared {
    index: Mutex<Index>,
    standing: Mutex<Standing>,
    /// Last positions of the commits that nobody has asked for yet, each with its instant.
    commits: Mutex<VecDeque<(u64, u64)>>,
    /// The last position that came from another store, which had acknowledged it.
    taken: AtomicU64,
    /// Acknowledged and not on the disk: only of a store that is told to be wrong.
    held: Mutex<Held>,
    /// Why nothing can be written any more. After a failed sync nobody knows what is on the disk.
    broken: OnceLock<String>,
}

impl Shared {
    fn tail(&self) -> (u64, u64) {
        let index = lock(&self.index);
        (index.last(), index.end())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Committer {
    /// Starts the committing thread. It ends when the committer is dropped.
    pub(super) fn start(
        log: Log,
        standing: Standing,
        file: StandingFile,
        bounded: bool,
    ) -> Result<Committer, RoleError> {
        let reader = log
            .file
            .try_clone()
            .map_err(RoleError::system("cannot open the log for reading"))?;
        let shared = Arc::new(Shared {
            index: Mutex::new(log.index),
            standing: Mutex::new(standing),
            commits: Mutex::default(),
            taken: AtomicU64::new(0),
            held: Mutex::default(),
            broken: OnceLock::new(),
        });
        let (queue, waiting) = sync_channel(WAITING_MAX);
        let appender = Appender {
            file: log.file,
            standing: file,
            shared: shared.clone(),
            bounded,
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
        let (acknowledge, acknowledged) = oneshot::channel();
        self.enqueue(Task::Write(Pending { write, acknowledge }))?;
        acknowledged.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Appends lines of another store and returns the last position. Those that are there already stay as they are.
    pub(super) async fn take(&self, from: u64, lines: Bytes) -> Result<u64, PutError> {
        self.ask(|told| Task::Take { from, lines, told }).await
    }

    pub(super) async fn empty(&self) -> Result<u64, PutError> {
        self.ask(Task::Empty).await
    }

    /// Returns when no write that was admitted before is under way any more.
    pub(super) async fn stand(&self, standing: Standing) -> Result<u64, PutError> {
        self.ask(|told| Task::Stand(standing, told)).await
    }

    async fn ask(&self, task: impl FnOnce(Told) -> Task) -> Result<u64, PutError> {
        let (told, answer) = oneshot::channel();
        self.enqueue(task(told))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    fn enqueue(&self, task: Task) -> Result<(), PutError> {
        self.queue.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => PutError::Full,
            TrySendError::Disconnected(_) => gone(),
        })
    }

    /// The newest record of the key, as JSON.
    pub(super) fn get(
        &self,
        client: &str,
        sequence: u64,
        lies: &Lies,
    ) -> io::Result<Option<String>> {
        let index = lock(&self.shared.index);
        match index.position(client, sequence) {
            Some(position) if !lies.hides(position) => self.line(&index, position),
            Some(_) | None => Ok(None),
        }
    }

    fn line(&self, index: &Index, position: u64) -> io::Result<Option<String>> {
        log::read_line(&self.text(), index, position)
    }

    fn text(&self) -> Text<'_> {
        Text {
            file: &self.reader,
            held: &self.shared.held,
        }
    }

    /// Up to `limit` records from position `from` on, as JSON, and the position of the next page.
    pub(super) fn scan(
        &self,
        from: u64,
        limit: u64,
        lies: &Lies,
    ) -> io::Result<(Vec<String>, Option<u64>)> {
        let index = lock(&self.shared.index);
        let to = from.saturating_add(limit).min(index.last() + 1);
        let mut records = Vec::new();
        for position in (from..to).filter(|&position| !lies.hides(position)) {
            let line = self.line(&index, lies.instead_of(position))?;
            records.extend(line.map(|line| lies.place(position, line)));
        }
        Ok((records, (to <= index.last()).then_some(to)))
    }

    /// The lines of these positions as they stand in the file.
    pub(super) fn lines(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        log::read_lines(&self.text(), &lock(&self.shared.index), from, to)
    }

    pub(super) fn last(&self) -> u64 {
        lock(&self.shared.index).last()
    }

    /// The last position, and where its line ends.
    pub(super) fn tail(&self) -> (u64, u64) {
        self.shared.tail()
    }

    /// Whether writes are acknowledged before they are on the disk.
    pub(super) fn hold(&self, on: bool) {
        lock(&self.shared.held).on = on;
    }

    pub(super) fn standing(&self) -> Standing {
        *lock(&self.shared.standing)
    }

    pub(super) fn broken(&self) -> Option<&str> {
        self.shared.broken.get().map(String::as_str)
    }

    /// The newest position that was committed at or before `at_ns`, at least `known`; asked with growing instants.
    pub(super) fn committed_by(&self, at_ns: u64, known: u64) -> u64 {
        let mut commits = lock(&self.shared.commits);
        // What another store has acknowledged is old enough.
        let mut newest = known.max(self.shared.taken.load(Ordering::Relaxed));
        while let Some(&(position, at)) = commits.front()
            && at <= at_ns
        {
            newest = position.max(newest);
            commits.pop_front();
        }
        newest
    }

    /// When the oldest commit was that [`Committer::committed_by`] has not counted yet.
    pub(super) fn oldest_waiting(&self) -> Option<u64> {
        lock(&self.shared.commits).front().map(|&(_, at)| at)
    }
}

fn gone() -> PutError {
    PutError::Disk("the committing thread has ended".to_owned())
}

struct Appender {
    file: File,
    standing: StandingFile,
    shared: Arc<Shared>,
    /// Without it, nobody looks whether a write had room: it is acknowledged, and nowhere.
    bounded: bool,
}

impl Appender {
    fn run(self, waiting: &Receiver<Task>) {
        loop {
            let first = match waiting.recv_timeout(HELD_FOR) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.let_held_go();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return self.let_held_go(),
            };
            let mut writes = Vec::new();
            for task in std::iter::once(first).chain(waiting.try_iter().take(BATCH_MAX - 1)) {
                if let Task::Write(pending) = task {
                    writes.push(pending);
                    continue;
                }
                self.commit(std::mem::take(&mut writes));
                self.let_held_go();
                self.carry_out(task);
            }
            self.commit(writes);
            if lock(&self.shared.held)
                .since
                .is_some_and(|since| clock::now() >= since + HELD_FOR)
            {
                self.let_held_go();
            }
        }
    }

    /// Writes down what was acknowledged before.
    fn let_held_go(&self) {
        let held = lock(&self.shared.held).take();
        if let Some((start, text)) = held {
            // What cannot be written is lost: that is what being wrong in this way means.
            let _ = self.append(&text, start);
        }
    }

    fn carry_out(&self, task: Task) {
        // Whoever asked may have given up meanwhile.
        let _ = match task {
            Task::Write(pending) => return self.commit(vec![pending]),
            Task::Take { from, lines, told } => told.send(self.take(from, &lines)),
            Task::Empty(told) => told.send(self.empty()),
            Task::Stand(standing, told) => told.send(self.stand(standing)),
        };
    }

    fn commit(&self, batch: Vec<Pending>) {
        let standing = *lock(&self.shared.standing);
        let (last, end) = self.shared.tail();
        let mut text = Vec::new();
        let mut written = Vec::new();
        for pending in batch {
            match standing.admit(pending.write.epoch) {
                Ok(()) => {
                    let position = last + 1 + written.len() as u64;
                    written.push(write(position, standing.epoch, pending, &mut text));
                }
                Err(refusal) => {
                    // Here and below: the writer may have given up meanwhile.
                    let _ = pending.acknowledge.send(Err(PutError::Refused(refusal)));
                }
            }
        }
        if written.is_empty() {
            return;
        }
        let done = match lock(&self.shared.held).keep(&text, end) {
            true => Ok(()),
            false => self.append(&text, end),
        };
        match done {
            Ok(()) => self.acknowledge(written),
            Err(PutError::NoRoom(_)) if !self.bounded => {
                for write in written {
                    let _ = write.acknowledge.send(Ok(write.record.placed()));
                }
            }
            Err(error) => {
                for write in written {
                    let _ = write.acknowledge.send(Err(error.clone()));
                }
            }
        }
    }

    fn append(&self, text: &[u8], end: u64) -> Result<(), PutError> {
        if let Some(reason) = self.shared.broken.get() {
            return Err(PutError::Disk(reason.clone()));
        }
        if let Err(error) = self.file.write_all_at(text, end) {
            // A full disk: what got through is taken back, so that the next write may do better.
            if let Err(error) = self.file.set_len(end) {
                let _ = self.shared.broken.set(error.to_string());
            }
            return Err(if has_no_room(&error) {
                PutError::NoRoom(error.to_string())
            } else {
                PutError::Disk(error.to_string())
            });
        }
        self.file.sync_data().map_err(|error| {
            let _ = self.shared.broken.set(format!("fsync failed: {error}"));
            PutError::Disk(error.to_string())
        })
    }

    /// Makes the records visible, and only then tells the writers, so that each can read its own write.
    fn acknowledge(&self, written: Vec<Written>) {
        let mut index = lock(&self.shared.index);
        for write in &written {
            index.push(write.length, Some(&write.record));
        }
        let last = index.last();
        drop(index);
        let mut commits = lock(&self.shared.commits);
        commits.push_back((last, clock::monotonic_ns()));
        if commits.len() > COMMITS_MAX {
            // A later commit stands for it.
            commits.pop_front();
        }
        drop(commits);
        for write in written {
            let _ = write.acknowledge.send(Ok(write.record.placed()));
        }
    }

    /// Lines that are there already are passed over, so that whoever ships may ship again. A gap is not filled.
    fn take(&self, from: u64, lines: &[u8]) -> Result<u64, PutError> {
        let (last, end) = self.shared.tail();
        let known = last.saturating_add(1).saturating_sub(from) as usize;
        let new: Vec<&[u8]> = lines.split_inclusive(|&b| b == b'\n').skip(known).collect();
        if from > last + 1 || new.is_empty() {
            return Ok(last);
        }
        self.append(&new.concat(), end)?;
        let mut index = lock(&self.shared.index);
        for line in new {
            index.push(line.len() as u64, log::record(line).as_ref());
        }
        self.shared.taken.store(index.last(), Ordering::Relaxed);
        Ok(index.last())
    }

    fn empty(&self) -> Result<u64, PutError> {
        let disk = |error: io::Error| PutError::Disk(error.to_string());
        self.file.set_len(0).map_err(disk)?;
        self.file.sync_all().map_err(disk)?;
        *lock(&self.shared.index) = Index::default();
        lock(&self.shared.commits).clear();
        self.shared.taken.store(0, Ordering::Relaxed);
        Ok(0)
    }

    fn stand(&self, standing: Standing) -> Result<u64, PutError> {
        if *lock(&self.shared.standing) != standing {
            self.standing
                .write(standing)
                .map_err(|error| PutError::Disk(error.to_string()))?;
            *lock(&self.shared.standing) = standing;
        }
        Ok(self.shared.tail().0)
    }
}

/// The disk, the owner's share of it, or a file is as long as it may be.
fn has_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn write(position: u64, epoch: u64, pending: Pending, text: &mut Vec<u8>) -> Written {
    let record = Record::new(position, epoch, pending.write, clock::monotonic_ns());
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
