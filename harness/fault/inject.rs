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
}

/// The journal, shared by what happens at the same time.
pub type Shared = Mutex<Journal>;

pub fn lock(journal: &Shared) -> MutexGuard<'_, Journal> {
    // A line is written whole or the run breaks off: a poisoned journal holds no half of one.
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does all steps of the fault. What was done before a failure stays journalled, and is undone like the rest.
///
/// # Errors
/// When a step could not be done.
pub fn inject(
    fault: &Pinned,
    journal: &Shared,
    eyes: &Eyes,
    clock: Clock,
) -> Result<(), InjectError> {
    for (number, step) in fault.steps.iter().enumerate() {
        let number = number as u32;
        lock(journal).intend(clock.now(), &fault.id, number, &step.what, &step.undo)?;
        change::make(&step.change, eyes.world.as_ref()).map_err(|source| InjectError::Step {
            what: step.what.clone(),
            source,
        })?;
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
