//! One run at a time at sites that outlive it. Two at once would take each other's faults for the target's own, and so
//! would one that comes after another that was killed: the file that is held says where the last one's journal is.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use super::TargetError;
use crate::fault::journal::open_changes;
use crate::hold::hold;

const IN_USE: &str = "in-use";

/// Nobody else drives the sites as long as this value is there.
pub struct Alone {
    file: File,
    run: OnceLock<PathBuf>,
}

impl Alone {
    /// # Errors
    /// When another run drives the sites of this folder, or the last one left something broken there.
    pub fn at(state: &Path) -> Result<Alone, TargetError> {
        let path = state.join(IN_USE);
        let unwritten = |error| {
            TargetError::NotAttached(format!("`{}` cannot be written: {error}", path.display()))
        };
        let file = open(&path).map_err(unwritten)?;
        hold(&file).map_err(|who| TargetError::InUse {
            state: state.to_owned(),
            who: who.to_string(),
        })?;
        let state = state.to_owned();
        match named(&path).map_err(unwritten)? {
            Some(run) if is_gone(&run) => Err(TargetError::RunGone { state, run }),
            Some(run) if is_open(&run) => Err(TargetError::Unhealed { state, run }),
            Some(_) | None => Ok(Alone {
                file,
                run: OnceLock::new(),
            }),
        }
    }

    /// Says so of the run in this folder, on disk.
    pub(super) fn drives(&self, run: &Path) -> io::Result<()> {
        let run = std::path::absolute(run)?;
        self.file.set_len(0)?;
        self.file.write_all_at(run.as_os_str().as_bytes(), 0)?;
        self.file.sync_all()?;
        let _ = self.run.set(run);
        Ok(())
    }
}

impl Drop for Alone {
    /// Of a run that left nothing broken nobody has to know any more, wherever its folder goes.
    fn drop(&mut self) {
        let left = self
            .run
            .get()
            .is_none_or(|run| is_gone(run) || is_open(run));
        if !left {
            // What is still there is looked at again before the next run.
            let _ = self.file.set_len(0);
        }
    }
}

/// A run that had broken something was healed. Where its folder had been moved, the sites look for it in vain.
///
/// # Errors
/// When that cannot be mended.
pub fn healed(state: &Path) -> io::Result<()> {
    let path = state.join(IN_USE);
    let file = open(&path)?;
    let moved = hold(&file).is_ok() && named(&path)?.is_some_and(|run| is_gone(&run));
    if moved { file.set_len(0) } else { Ok(()) }
}

/// What it says is needed still.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).open(path)
}

/// The folder of the last run, unless nothing is left of it that somebody would have to know.
fn named(path: &Path) -> io::Result<Option<PathBuf>> {
    let run = fs::read(path)?;
    Ok((!run.is_empty()).then(|| PathBuf::from(OsString::from_vec(run))))
}

/// Removed, or moved to where its journal is not found.
fn is_gone(run: &Path) -> bool {
    run.try_exists().is_ok_and(|exists| !exists)
}

/// Of a run that cannot be read, nobody knows.
fn is_open(run: &Path) -> bool {
    !open_changes::<Value>(run).is_ok_and(|open| open.is_empty())
}

#[cfg(test)]
mod tests {
    use firedrill_reports::recording::{JournalEntry, JournalLine};

    use super::*;
    use crate::fault::journal::Journal;

    fn refusal(state: &Path) -> String {
        Alone::at(state).err().unwrap().to_string()
    }

    fn write(journal: &mut Journal, entry: JournalEntry) {
        let line = JournalLine {
            at: None,
            fault: "f".to_owned(),
            step: 0,
            entry,
        };
        journal.write(&line).unwrap();
    }

    #[test]
    fn who_comes_after_a_run_that_left_something_broken_is_refused_until_it_is_healed() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path(), folder.path().join("run"));
        let an_earlier_one = folder.path().join("an-earlier-one-with-a-long-name");
        for (number, run) in (1..).zip([&an_earlier_one, &run]) {
            fs::create_dir(run).unwrap();
            let alone = Alone::at(state).unwrap();
            alone.drives(run).unwrap();
            assert!(refusal(state).contains("drives the sites"));
            let mut journal = Journal::open(run, |_| {}).unwrap();
            journal.intend(number, "f", 0, "breaks it", &7).unwrap();
            drop(alone);
            let error = refusal(state);
            let remedy = format!("`firedrill heal {}` first", run.display());
            assert!(error.contains(&remedy), "{error}");
            let by = "test".to_owned();
            write(&mut journal, JournalEntry::Healed { by });
        }
        drop(Alone::at(state).unwrap());
    }

    #[test]
    fn a_run_whose_folder_is_gone_says_nothing_only_when_it_had_come_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path(), folder.path().join("run"));
        fs::create_dir(&run).unwrap();
        let alone = Alone::at(state).unwrap();
        alone.drives(&run).unwrap();
        // It left nothing.
        drop(alone);
        fs::remove_dir(&run).unwrap();
        let alone = Alone::at(state).unwrap();
        fs::create_dir(&run).unwrap();
        alone.drives(&run).unwrap();
        let mut journal = Journal::open(&run, |_| {}).unwrap();
        journal.intend(1, "f", 0, "breaks it", &7).unwrap();
        drop(alone);
        // Somebody took it away, with all that it knows.
        let moved = folder.path().join("moved");
        fs::rename(&run, &moved).unwrap();
        let error = refusal(state);
        assert!(error.contains("where it is now"), "{error}");
        healed(state).unwrap();
        drop(Alone::at(state).unwrap());
    }

    #[test]
    fn healing_one_run_does_not_answer_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path(), folder.path().join("run"));
        fs::create_dir(&run).unwrap();
        let alone = Alone::at(state).unwrap();
        alone.drives(&run).unwrap();
        let mut journal = Journal::open(&run, |_| {}).unwrap();
        journal.intend(1, "f", 0, "breaks it", &7).unwrap();
        healed(state).unwrap();
        drop(alone);
        healed(state).unwrap();
        assert!(refusal(state).contains("firedrill heal"));
    }
}
