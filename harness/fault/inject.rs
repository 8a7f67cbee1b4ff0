//! A pinned fault carried out: each step is on disk before it acts, and its effect is seen from outside.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firedrill_reports::recording::{JournalEntry, JournalLine};

use super::change::{self, ChangeError};
use super::journal::Journal;
use super::pinned::{Pinned, seen_by};
use super::seen::Eyes;
use crate::clock::Clock;

/// How long an effect may take to be seen.
pub const EFFECT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    #[error("the journal cannot be written, so nothing was broken: {0}")]
    Journal(#[from] io::Error),
    #[error("{what}: {source}")]
    Step { what: String, source: ChangeError },
    #[error("no effect was seen from outside: {0}")]
    NoEffect(String),
    #[error("the run ended before it was in force, and nothing more was broken")]
    Ending,
}

/// The journal, shared by what happens at the same time.
pub type Shared = Mutex<Journal>;

pub fn lock(journal: &Shared) -> MutexGuard<'_, Journal> {
    // A line is written whole or the run breaks off: a poisoned journal holds no half of one.
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does all steps of the fault, until the run is `ending`. What was done before that, or before a failure, stays
/// journalled, and is undone like the rest.
///
/// # Errors
/// When a step could not be done, or was not to be any more.
pub fn inject(
    fault: &Pinned,
    journal: &Shared,
    eyes: &Eyes,
    clock: Clock,
    ending: &dyn Fn() -> bool,
) -> Result<(), InjectError> {
    for (number, step) in fault.steps.iter().enumerate() {
        if ending() {
            return Err(InjectError::Ending);
        }
        let number = number as u32;
        lock(journal).intend(clock.now(), &fault.id, number, &step.what, &step.undo)?;
        match change::make(&step.change, eyes.world.as_ref(), ending) {
            Ok(()) => {}
            Err(_) if ending() => return Err(InjectError::Ending),
            Err(source) => {
                let what = step.what.clone();
                return Err(InjectError::Step { what, source });
            }
        }
        lock(journal).write(&JournalLine {
            at: Some(clock.now()),
            fault: fault.id.clone(),
            step: number,
            entry: JournalEntry::Applied,
        })?;
    }
    Ok(())
}

/// Waits until the fault is seen by somebody else; who that is, in words.
///
/// # Errors
/// When it is not seen in time.
pub async fn see_effect(fault: &Pinned, eyes: &Eyes) -> Result<String, InjectError> {
    eyes.wait_for(&fault.effects, EFFECT)
        .await
        .map_err(InjectError::NoEffect)?;
    Ok(seen_by(&fault.effects))
}

#[cfg(test)]
mod tests {
    use super::super::journal::open_changes;
    use super::super::pinned::{Change, Reversal, Step, Undo, Words};
    use super::*;

    /// Two steps, each of which makes a file.
    fn two(folder: &std::path::Path) -> Pinned {
        let step = |name: &str| Step {
            what: format!("make {name}"),
            change: Change::Run(Words {
                words: vec!["touch".to_owned(), folder.join(name).display().to_string()],
                timeout: Duration::from_secs(5),
                within: None,
                mark: None,
            }),
            undo: Undo {
                change: Reversal::ByItself,
                ends: Vec::new(),
            },
        };
        Pinned {
            id: "own".to_owned(),
            fault: "command",
            on: String::new(),
            steps: vec![step("first"), step("second")],
            effects: Vec::new(),
        }
    }

    #[test]
    fn nothing_more_is_broken_when_the_run_is_ending() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Mutex::new(Journal::open(folder.path(), |_| {}).unwrap());
        let is_made = |name: &str| folder.path().join(name).exists();
        let ending = || is_made("first");
        let fault = two(folder.path());
        let came = inject(&fault, &journal, &Eyes::on(None), Clock::start(), &ending);
        assert!(matches!(came, Err(InjectError::Ending)), "{came:?}");
        assert!(is_made("first") && !is_made("second"));
        let open = open_changes::<Undo>(folder.path()).unwrap();
        assert_eq!(open.len(), 1, "what was done is undone");
    }
}
