//! One run at a time at sites that outlive it. Two at once would take each other's faults for the target's own, and so
//! would one that comes after another that was killed: the file that is held says where the last one's journal is.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::TargetError;
use crate::fault::journal::open_changes;
use crate::hold::hold;

const IN_USE: &str = "in-use";

/// Nobody else drives the sites as long as this value is there.
pub struct Alone(File);

impl Alone {
    /// # Errors
    /// When another run drives the sites of this folder, or the last one left something broken there.
    pub fn at(state: &Path) -> Result<Alone, TargetError> {
        let path = state.join(IN_USE);
        let unwritten = |error| {
            TargetError::NotAttached(format!("`{}` cannot be written: {error}", path.display()))
        };
        // What it says is needed still.
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(unwritten)?;
        hold(&file).map_err(|who| TargetError::InUse {
            state: state.to_owned(),
            who: who.to_string(),
        })?;
        let run = fs::read(&path).map_err(unwritten)?;
        match PathBuf::from(OsString::from_vec(run)) {
            run if is_open(&run) => Err(TargetError::Unhealed {
                state: state.to_owned(),
                run,
            }),
            _ => Ok(Alone(file)),
        }
    }

    /// Says so of the run in this folder, on disk.
    pub(super) fn drives(&self, run: &Path) -> io::Result<()> {
        let run = std::path::absolute(run)?;
        self.0.set_len(0)?;
        self.0.write_all_at(run.as_os_str().as_bytes(), 0)?;
        self.0.sync_all()
    }
}

/// A run whose folder is gone says nothing, and neither does nobody; of one that cannot be read, nobody knows.
fn is_open(run: &Path) -> bool {
    let none = run.as_os_str().is_empty();
    !none && !open_changes::<Value>(run).is_ok_and(|open| open.is_empty())
}

#[cfg(test)]
mod tests {
    use firedrill_reports::recording::{JournalEntry, JournalLine};

    use super::*;
    use crate::fault::journal::Journal;

    #[test]
    fn who_comes_after_a_run_that_left_something_broken_is_refused_until_it_is_healed() {
        let folder = tempfile::tempdir().unwrap();
        let (state, run) = (folder.path(), folder.path().join("run"));
        fs::create_dir(&run).unwrap();
        let alone = Alone::at(state).unwrap();
        alone.drives(&folder.path().join("an-earlier-one")).unwrap();
        drop(alone);
        // It left nothing, not even its folder; a longer name than the next one's.
        let alone = Alone::at(state).unwrap();
        alone.drives(&run).unwrap();
        let error = Alone::at(state).err().unwrap().to_string();
        assert!(error.contains("drives the sites"), "{error}");
        let mut journal = Journal::open(&run, |_| {}).unwrap();
        journal.intend(1, "f", 0, "breaks it", &7).unwrap();
        drop(alone);
        let error = Alone::at(state).err().unwrap().to_string();
        let remedy = format!("`firedrill heal {}` first", run.display());
        assert!(error.contains(&remedy), "{error}");
        let entry = JournalEntry::Healed {
            by: "test".to_owned(),
        };
        let healed = JournalLine {
            at: None,
            fault: "f".to_owned(),
            step: 0,
            entry,
        };
        journal.write(&healed).unwrap();
        drop(Alone::at(state).unwrap());
        journal.intend(1, "g", 0, "breaks it", &7).unwrap();
        assert!(Alone::at(state).is_err());
        fs::remove_dir_all(&run).unwrap();
        drop(Alone::at(state).unwrap());
    }
}
