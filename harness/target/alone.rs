//! One run at a time at sites that outlive it, and nobody who heals beside it. Two at once would take each other's faults
//! for the target's own, and so would one that comes after another that was killed: the file that is held says where the
//! last one's journal is.

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

/// Nobody else drives or heals the sites as long as this value is there.
pub struct Alone {
    file: File,
    path: PathBuf,
    run: OnceLock<PathBuf>,
}

impl Alone {
    /// To drive the sites.
    ///
    /// # Errors
    /// When somebody else is at work at the sites of this folder, or the last run left something broken there.
    pub fn at(state: &Path) -> Result<Alone, TargetError> {
        let alone = Alone::to_heal(state)?;
        let state = state.to_owned();
        match alone
            .named()
            .map_err(|error| unwritten(&alone.path, &error))?
        {
            Some(run) if is_gone(&run) => Err(TargetError::RunGone { state, run }),
            Some(run) if is_open(&run) => Err(TargetError::Unhealed { state, run }),
            Some(_) | None => Ok(alone),
        }
    }

    /// To heal them: whatever the last run left there, but not while another one breaks something.
    ///
    /// # Errors
    /// When somebody else is at work at the sites of this folder.
    pub fn to_heal(state: &Path) -> Result<Alone, TargetError> {
        let path = state.join(IN_USE);
        let file = open(&path).map_err(|error| unwritten(&path, &error))?;
        hold(&file).map_err(|who| TargetError::InUse {
            state: state.to_owned(),
            who: who.to_string(),
        })?;
        Ok(Alone {
            file,
            path,
            run: OnceLock::new(),
        })
    }

    /// A run was healed: nobody has to know of it any more, wherever its folder goes. Where that had been moved before, the
    /// sites look for it in vain; only of one that had something `open` it is known that it is the one they look for.
    ///
    /// # Errors
    /// When the sites cannot be told.
    pub fn healed(self, open: bool) -> io::Result<()> {
        let is_over = |run: &Path| match is_gone(run) {
            true => open,
            false => !is_open(run),
        };
        match self.named()? {
            Some(run) if is_over(&run) => self.file.set_len(0),
            Some(_) | None => Ok(()),
        }
    }

    /// The folder of the last run, unless nothing is left of it that somebody would have to know.
    fn named(&self) -> io::Result<Option<PathBuf>> {
        let run = fs::read(&self.path)?;
        Ok((!run.is_empty()).then(|| PathBuf::from(OsString::from_vec(run))))
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

/// What it says is needed still.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false).open(path)
}

fn unwritten(path: &Path, error: &io::Error) -> TargetError {
    TargetError::NotAttached(format!("`{}` cannot be written: {error}", path.display()))
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
            assert!(refusal(state).contains("is at work at the sites"));
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
        Alone::to_heal(state).unwrap().healed(true).unwrap();
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
        drop(alone);
        Alone::to_heal(state).unwrap().healed(true).unwrap();
        assert!(refusal(state).contains("firedrill heal"));
    }

    #[test]
    fn a_run_that_was_killed_before_it_broke_anything_can_be_thrown_away_once_it_was_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path(), folder.path().join("run"));
        fs::create_dir(&run).unwrap();
        // Killed: nothing is told.
        fs::write(state.join(IN_USE), run.as_os_str().as_bytes()).unwrap();
        let moved = folder.path().join("moved");
        fs::rename(&run, &moved).unwrap();
        Alone::to_heal(state).unwrap().healed(false).unwrap();
        assert!(refusal(state).contains("is gone"), "it may be another one");
        fs::rename(&moved, &run).unwrap();
        Alone::to_heal(state).unwrap().healed(false).unwrap();
        fs::remove_dir(&run).unwrap();
        drop(Alone::at(state).unwrap());
    }

    #[test]
    fn nobody_heals_while_a_run_drives_the_sites_and_none_begins_while_somebody_heals() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path(), folder.path().join("run"));
        fs::create_dir(&run).unwrap();
        let alone = Alone::at(state).unwrap();
        alone.drives(&run).unwrap();
        let refused = Alone::to_heal(state).err().unwrap().to_string();
        let who = format!("process {} is at work at the sites", std::process::id());
        assert!(refused.contains(&who), "{refused}");
        let mut journal = Journal::open(&run, |_| {}).unwrap();
        journal.intend(1, "f", 0, "breaks it", &7).unwrap();
        drop(alone);
        // Behind the run that left something, who heals it comes first.
        let healing = Alone::to_heal(state).unwrap();
        assert!(refusal(state).contains(&who));
        let by = "test".to_owned();
        write(&mut journal, JournalEntry::Healed { by });
        healing.healed(true).unwrap();
        // Healed in its place, and thrown away then.
        fs::remove_dir_all(&run).unwrap();
        drop(Alone::at(state).unwrap());
    }
}
