//! What the journal holds, undone: by the run that broke it, or by another process on a later day. The newest
//! change is undone first; one that is undone already is found to be.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firedrill_reports::recording::{JournalEntry, JournalLine};

use super::change;
use super::inject::{Shared, lock};
use super::journal::{self, Open};
use super::pinned::{Sight, Undo};
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

/// Undoes every open change of these faults, or of all, and has the journal say so. All are undone before an end is
/// looked for: with an older fault still in force, that of a newer one might not be seen.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn heal(
    run: &Path,
    faults: Option<&BTreeSet<String>>,
    journal: &Shared,
    eyes: &Eyes,
    at: Option<u64>,
) -> std::io::Result<Vec<Undone>> {
    let open = journal::open_changes::<Undo>(run)?;
    let own = |change: &Open<Undo>| faults.is_none_or(|faults| faults.contains(&change.fault));
    let reversed: Vec<_> = open
        .into_iter()
        .filter(own)
        .map(|change| {
            let outcome = change::reverse(&change.undo.change, eyes.world.as_ref());
            (change, outcome.map_err(|error| error.to_string()))
        })
        .collect();
    let mut done = Vec::new();
    for (change, outcome) in reversed {
        let leftover = match outcome {
            Ok(()) => see_end(&change, eyes).await.err(),
            Err(reason) => Some(reason),
        };
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

async fn see_end(change: &Open<Undo>, eyes: &Eyes) -> Result<(), String> {
    let mut ends = change.undo.ends.clone();
    if !change.applied {
        // The crash came between the two: what was never hit is not replaced.
        ends = ends.into_iter().map(Sight::or_never_hit).collect();
    }
    eyes.wait_for(&ends, END).await
}

fn seen_by(undo: &Undo) -> String {
    let who: BTreeSet<_> = undo.ends.iter().map(Sight::seen_by).collect();
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::journal::Journal;
    use super::super::pinned::{Reversal, Words};
    use super::*;

    /// A run that has made a file, and would take it away again.
    fn broken(run: &Path) -> (Arc<Shared>, PathBuf) {
        let made = run.join("made");
        let undo = Undo {
            change: Reversal::Run(Words {
                words: vec!["rm".to_owned(), made.display().to_string()],
                timeout: Duration::from_secs(5),
            }),
            ends: vec![Sight::Missing(made.clone())],
        };
        let mut journal = Journal::open(run, |_| {}).unwrap();
        journal.intend(1, "f", 0, "makes a file", &undo).unwrap();
        std::fs::write(&made, "").unwrap();
        (Arc::new(Mutex::new(journal)), made)
    }

    #[test]
    fn a_panic_heals_on_its_way_out_and_an_end_that_has_told_does_not() {
        for disarmed in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (journal, made) = broken(folder.path());
            let guard = Guard {
                disarmed,
                run: folder.path().to_owned(),
                journal,
                eyes: Eyes::default(),
            };
            let broke = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _guard = guard;
                panic!("on purpose");
            }));
            assert!(broke.is_err());
            assert_eq!(made.exists(), disarmed);
            let open = journal::open_changes::<Undo>(folder.path()).unwrap();
            assert_eq!(open.is_empty(), !disarmed);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_undone_is_named_and_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, made) = broken(folder.path());
        std::fs::remove_file(&made).unwrap();
        let eyes = Eyes::default();
        let undone = heal(folder.path(), None, &journal, &eyes, None).await;
        let undone = undone.unwrap();
        assert_eq!(undone.len(), 1);
        let left = undone[0].leftover.as_deref().unwrap();
        assert!(left.contains("ended with 1"), "{left}");
        let open = journal::open_changes::<Undo>(folder.path()).unwrap();
        assert_eq!(open.len(), 1);
    }
}
