//! What is being broken, on disk before it is broken, so that anybody can undo it later.
//!
//! A line is written and synced before the change that it tells of. What a crash leaves of a last line is no line.
//! Whoever has the journal open holds its lock, which the kernel takes back at the end of the process, whatever the
//! end is: nobody heals a run that still goes on, and no two heal at once.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use firedrill_reports::recording::{JournalEntry, JournalLine, file};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hold::hold;

/// Where a crash can be asked for: tests stop the program at every position of the journal.
pub type Checkpoint = fn(position: u64);

pub struct Journal {
    file: File,
    position: u64,
    checkpoint: Checkpoint,
}

/// A change that is in force, or may be: what undoes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Open<U> {
    pub fault: String,
    pub step: u32,
    pub what: String,
    pub undo: U,
    /// The change was seen to be made; without it the crash came between the two.
    pub applied: bool,
}

impl Journal {
    /// # Errors
    /// When the file cannot be made or opened; of the kind `WouldBlock`, with who it is, while somebody else has it.
    pub fn open(run: &Path, checkpoint: Checkpoint) -> io::Result<Journal> {
        let path = run.join(file::JOURNAL);
        let file = File::options().create(true).append(true).open(&path)?;
        hold(&file)?;
        end_last_line(&path, &file)?;
        Ok(Journal {
            file,
            position: 0,
            checkpoint,
        })
    }

    /// Writes a line, and returns when it is on disk.
    ///
    /// # Errors
    /// When it is not: then the change must not be made.
    pub fn write(&mut self, line: &JournalLine) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.pass();
        self.file.write_all(&text)?;
        self.file.sync_data()?;
        self.pass();
        Ok(())
    }

    fn pass(&mut self) {
        let position = self.position;
        // Counted before, so that one who comes back from there does not meet it again.
        self.position += 1;
        (self.checkpoint)(position);
    }

    /// Notes that `what` will be done, and how it is undone.
    ///
    /// # Errors
    /// As [`Journal::write`].
    pub fn intend(
        &mut self,
        at: u64,
        fault: &str,
        step: u32,
        what: &str,
        undo: &impl Serialize,
    ) -> io::Result<()> {
        let undo = serde_json::to_value(undo)?;
        let what = what.to_owned();
        self.write(&JournalLine {
            at: Some(at),
            fault: fault.to_owned(),
            step,
            entry: JournalEntry::Intent { what, undo },
        })
    }
}

/// A line that a crash cut off must not swallow the next one.
fn end_last_line(path: &Path, mut file: &File) -> io::Result<()> {
    let bytes = fs::read(path)?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Everything that has not been undone, the newest first. A run without a journal broke nothing.
///
/// # Errors
/// When the journal cannot be read, or a whole line of it is not what a journal holds.
pub fn open_changes<U: DeserializeOwned>(run: &Path) -> io::Result<Vec<Open<U>>> {
    let text = match fs::read_to_string(run.join(file::JOURNAL)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut open: Vec<Open<U>> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let parsed: JournalLine = match serde_json::from_str(line) {
            Ok(parsed) => parsed,
            // Cut off by a crash: what it would have told of was not done.
            Err(error) if error.is_eof() => continue,
            Err(error) => {
                let text = format!("line {} of {}: {error}", number + 1, file::JOURNAL);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        };
        let own = |change: &Open<U>| (&change.fault, change.step) == (&parsed.fault, parsed.step);
        match parsed.entry {
            JournalEntry::Intent { what, undo } => open.push(Open {
                fault: parsed.fault,
                step: parsed.step,
                what,
                undo: serde_json::from_value(undo)?,
                applied: false,
            }),
            JournalEntry::Applied => {
                if let Some(change) = open.iter_mut().find(|change| own(change)) {
                    change.applied = true;
                }
            }
            JournalEntry::Healed { .. } => open.retain(|change| !own(change)),
            JournalEntry::Leftover { .. } => {}
        }
    }
    open.reverse();
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(step: u32, entry: JournalEntry) -> JournalLine {
        JournalLine {
            at: Some(1),
            fault: "f".to_owned(),
            step,
            entry,
        }
    }

    fn by() -> JournalEntry {
        JournalEntry::Healed {
            by: "test".to_owned(),
        }
    }

    #[test]
    fn what_is_not_healed_is_open_and_the_newest_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), |_| {}).unwrap();
        for step in 0..3 {
            journal.intend(5, "f", step, "breaks it", &step).unwrap();
        }
        journal.write(&line(0, JournalEntry::Applied)).unwrap();
        journal.write(&line(1, by())).unwrap();
        let open = open_changes::<u32>(folder.path()).unwrap();
        let seen: Vec<_> = open
            .iter()
            .map(|open| (open.step, open.undo, open.applied))
            .collect();
        assert_eq!(seen, [(2, 2, false), (0, 0, true)]);
    }

    #[test]
    fn a_line_that_was_cut_off_was_not_acted_on_and_swallows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path(), |_| {}).unwrap();
        journal.intend(5, "f", 0, "breaks it", &7).unwrap();
        drop(journal);
        let path = folder.path().join(file::JOURNAL);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(br#"{"at":6,"fault":"f","step":1,"ent"#);
        fs::write(&path, bytes).unwrap();
        assert_eq!(open_changes::<u32>(folder.path()).unwrap().len(), 1);
        let mut journal = Journal::open(folder.path(), |_| {}).unwrap();
        journal.write(&line(0, by())).unwrap();
        assert!(open_changes::<u32>(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_journal_has_one_keeper_and_says_who_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), |_| {}).unwrap();
        let error = Journal::open(folder.path(), |_| {}).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let own = format!("process {}", std::process::id());
        assert_eq!(error.to_string(), own);
        drop(journal);
        Journal::open(folder.path(), |_| {}).unwrap();
    }

    #[test]
    fn a_journal_that_somebody_edited_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(file::JOURNAL), "{\"at\": nonsense}\n").unwrap();
        let error = open_changes::<u32>(folder.path()).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
