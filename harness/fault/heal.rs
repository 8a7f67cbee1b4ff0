//! What the journal holds, undone: by the run that broke it, or by another process on a later day. The newest
//! change is undone first; one that is undone already is found to be.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firedrill_reports::recording::{JournalEntry, JournalLine};

use super::change;
use super::inject::{Shared, lock};
use super::journal::{self, Open};
use super::pinned::Undo;
use super::seen::Eyes;

/// How long an end may take to be seen: processes start, pods become ready.
pub const END: Duration = Duration::from_secs(20);

/// How one change was undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Undone {
    pub fault: String,
    pub what: String,
    /// Why something is left behind.
    pub leftover: Option<String>,
}

/// Undoes every open change of `fault`, or of all faults, and has the journal say so.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn heal(
    run: &Path,
    fault: Option<&str>,
    journal: &Shared,
    eyes: &Eyes,
    at: Option<u64>,
) -> std::io::Result<Vec<Undone>> {
    let open = journal::open_changes::<Undo>(run)?;
    let mut done = Vec::new();
    for change in open
        .into_iter()
        .filter(|change| fault.is_none_or(|fault| change.fault == fault))
    {
        let leftover = undo(&change, eyes).await.err();
        let entry = match &leftover {
            None => JournalEntry::Healed {
                by: seen_by(&change.undo),
            },
            Some(reason) => JournalEntry::Leftover {
                reason: reason.clone(),
            },
        };
        lock(journal).write(&JournalLine {
            at,
            fault: change.fault.clone(),
            step: change.step,
            entry,
        })?;
        done.push(Undone {
            fault: change.fault,
            what: change.what,
            leftover,
        });
    }
    Ok(done)
}

async fn undo(change: &Open<Undo>, eyes: &Eyes) -> Result<(), String> {
    change::reverse(&change.undo.change, eyes.world.as_ref()).map_err(|error| error.to_string())?;
    eyes.wait_for(&change.undo.ends, END).await
}

fn seen_by(undo: &Undo) -> String {
    let who: std::collections::BTreeSet<_> = undo
        .ends
        .iter()
        .map(super::pinned::Sight::seen_by)
        .collect();
    who.into_iter().collect::<Vec<_>>().join(", ")
}

/// Heals what is still open when it is dropped: on a way out that nobody thought of, a panic among them.
pub struct Guard {
    /// The run came to its end by itself, and has told what it left.
    pub disarmed: bool,
    pub run: PathBuf,
    pub journal: Arc<Shared>,
    pub eyes: Eyes,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.disarmed {
            return;
        }
        let is_open = journal::open_changes::<Undo>(&self.run).is_ok_and(|open| !open.is_empty());
        if !is_open {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        let healing = heal(&self.run, None, &self.journal, &self.eyes, None);
        match runtime.block_on(healing) {
            Ok(undone) => undone.iter().for_each(|undone| eprintln!("{undone}")),
            Err(error) => eprintln!("error: what was broken could not be healed: {error}"),
        }
    }
}

impl fmt::Display for Undone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.leftover {
            None => write!(out, "healed   {}: {}", self.fault, self.what),
            Some(reason) => write!(out, "LEFT     {}: {}: {reason}", self.fault, self.what),
        }
    }
}
