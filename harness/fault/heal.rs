//! What the journal holds, undone: by the run that broke it, or by another process on a later day. The newest
//! change is undone first; one that is undone already is found to be.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use firedrill_erlmcp::world::{Request, World};
use firedrill_reports::recording::{JournalEntry, JournalLine};

use super::change::{self, ChangeError};
use super::inject::{Shared, lock};
use super::journal::{self, Open};
use super::pinned::{Reversal, Sight, Undo, seen_by};
use super::seen::Eyes;
use crate::observe::progress::note;

/// Between two tries to undo what something else still keeps from being undone.
const AGAIN: Duration = Duration::from_millis(500);

/// What is to be healed.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    /// Everything that is open.
    All,
    These {
        faults: &'a BTreeSet<String>,
        /// Other faults are in force: they may keep these from being undone, or their end from being seen.
        held: &'a dyn Fn() -> bool,
        /// Called once all of these have been undone, as far as that went: they hold no others from then on.
        reversed: &'a dyn Fn(),
    },
}

impl Which<'_> {
    fn has(&self, fault: &str) -> bool {
        match self {
            Which::All => true,
            Which::These { faults, .. } => faults.contains(fault),
        }
    }

    fn held(&self) -> bool {
        match self {
            Which::All => false,
            Which::These { held, .. } => held(),
        }
    }

    fn reversed(&self) {
        match self {
            Which::All => {}
            Which::These { reversed, .. } => reversed(),
        }
    }
}

/// How one change was undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Undone {
    pub fault: String,
    pub what: String,
    /// Why something is left behind.
    pub leftover: Option<String>,
}

/// Undoes every open change of these faults, or of all, and has the journal say so. All are undone before an end is
/// looked for: with an older fault still in force, that of a newer one might not be seen. What faults that are not to
/// be healed yet hide or prevent is no leftover: it is looked for until they are undone too. Who takes writes is
/// settled last: only then does every site have again what faults took from it.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn heal(
    run: &Path,
    which: Which<'_>,
    journal: &Shared,
    eyes: &Eyes,
    at: Option<u64>,
) -> std::io::Result<Vec<Undone>> {
    let mut open = journal::open_changes::<Undo>(run)?;
    open.retain(|change| which.has(&change.fault));
    for change in &mut open {
        change.undo.change.find_in(run);
    }
    give_up_failbacks(&open, eyes.world.as_ref());
    // Those of a kind stay in their order.
    open.sort_by_key(|change| matches!(change.undo.change, Reversal::Settle { .. }));
    let reversed: Vec<_> = open
        .into_iter()
        .map(|change| {
            let outcome = reverse(&change, eyes);
            (change, outcome)
        })
        .collect();
    which.reversed();
    let mut done = Vec::new();
    for (change, outcome) in reversed {
        let leftover = see_through(&change, outcome, which, eyes).await.err();
        let entry = match &leftover {
            None => JournalEntry::Healed {
                by: seen_by(&change.undo.ends),
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

/// Of a run that began one, whoever did may be gone, and the target would go on waiting before it does anything else.
pub fn give_up_failbacks(open: &[Open<Undo>], world: Option<&World>) {
    let is_step = |change: &Open<Undo>| matches!(change.undo.change, Reversal::Settle { .. });
    if let Some(world) = world.filter(|_| open.iter().any(is_step)) {
        // One that does not answer is told of with the first change that is undone.
        let _ = world.ask(&Request::GiveUpFailBack);
    }
}

fn reverse(change: &Open<Undo>, eyes: &Eyes) -> Result<(), ChangeError> {
    if !change.applied {
        change::end_unfinished(&change.undo.change)?;
    }
    change::reverse(&change.undo.change, eyes.world.as_ref())
}

/// Tries again what could not be undone, at least once and for as long as an end may take to be seen: what was undone
/// beside it may just be coming to itself, and it may need that.
async fn try_again(change: &Open<Undo>, eyes: &Eyes) -> Result<(), String> {
    let why = RefCell::new(String::new());
    let tries = async {
        while let Err(error) = reverse(change, eyes) {
            why.replace(error.to_string());
            tokio::time::sleep(AGAIN).await;
        }
    };
    let undone = tokio::time::timeout(eyes.end, tries).await;
    undone.map_err(|_| format!("{} (within {:?})", why.take(), eyes.end))
}

/// Sees the end of a change whose first reversal came out like this, for as long as others keep it from that.
async fn see_through(
    change: &Open<Undo>,
    mut reversed: Result<(), ChangeError>,
    which: Which<'_>,
    eyes: &Eyes,
) -> Result<(), String> {
    // The last try, and the time for an end to be seen, come when nothing else is in force.
    while which.held() {
        if reversed.is_err() {
            tokio::time::sleep(AGAIN).await;
            reversed = reverse(change, eyes);
        } else if see_end(change, eyes).await.is_ok() {
            return Ok(());
        }
    }
    if reversed.is_err() {
        try_again(change, eyes).await?;
    }
    see_end(change, eyes).await
}

async fn see_end(change: &Open<Undo>, eyes: &Eyes) -> Result<(), String> {
    let mut ends = change.undo.ends.clone();
    if !change.applied {
        // The crash came between the two: what was never hit is not replaced.
        ends = ends.into_iter().map(Sight::or_never_hit).collect();
    }
    eyes.wait_for(&ends, eyes.end).await
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
        let healing = heal(&self.run, Which::All, &self.journal, &self.eyes, None);
        match runtime.block_on(healing) {
            Ok(undone) => undone.iter().for_each(|undone| note(&undone.to_string())),
            Err(error) => note(&format!(
                "error: what was broken could not be healed: {error}"
            )),
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
    use super::super::pinned::Words;
    use super::*;

    /// A run that has made a file, and would take it away again.
    fn broken(run: &Path) -> (Arc<Shared>, PathBuf) {
        let made = run.join("made");
        let undo = Undo {
            change: Reversal::Run(Words {
                words: vec!["rm".to_owned(), made.display().to_string()],
                timeout: Duration::from_secs(5),
                within: None,
                mark: None,
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
                eyes: Eyes::on(None),
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
        let eyes = Eyes {
            end: Duration::from_millis(50),
            ..Eyes::on(None)
        };
        let undone = heal(folder.path(), Which::All, &journal, &eyes, None).await;
        let undone = undone.unwrap();
        assert_eq!(undone.len(), 1);
        let left = undone[0].leftover.as_deref().unwrap();
        assert!(left.contains("ended with 1"), "{left}");
        let open = journal::open_changes::<Undo>(folder.path()).unwrap();
        assert_eq!(open.len(), 1);
    }

    #[tokio::test]
    async fn what_only_an_older_change_lets_be_undone_is_tried_again_after_that_one() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, made) = broken(folder.path());
        // The newer one is undone first, and cannot be while the file is there that the older one made.
        let undo = Undo {
            change: Reversal::Run(Words {
                words: ["test", "!", "-e"]
                    .map(str::to_owned)
                    .into_iter()
                    .chain([made.display().to_string()])
                    .collect(),
                timeout: Duration::from_secs(5),
                within: None,
                mark: None,
            }),
            ends: Vec::new(),
        };
        lock(&journal)
            .intend(2, "newer", 0, "needs it gone", &undo)
            .unwrap();
        let undone = heal(folder.path(), Which::All, &journal, &Eyes::on(None), None).await;
        let left = |undone: &Undone| (undone.fault.clone(), undone.leftover.clone());
        let undone: Vec<_> = undone.unwrap().iter().map(left).collect();
        assert_eq!(undone, [("newer".to_owned(), None), ("f".to_owned(), None)]);
    }

    /// Else a store that was filled from a backup would be promoted, and the data that is given back for it not be.
    #[tokio::test]
    async fn who_takes_writes_is_settled_when_all_faults_are_undone() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, made) = broken(folder.path());
        let undo = Undo {
            change: Reversal::Settle {
                site: "a".to_owned(),
            },
            ends: Vec::new(),
        };
        lock(&journal)
            .intend(2, "step", 0, "restore", &undo)
            .unwrap();
        let eyes = Eyes {
            end: Duration::from_millis(50),
            ..Eyes::on(None)
        };
        let undone = heal(folder.path(), Which::All, &journal, &eyes, None).await;
        let left = |undone: &Undone| (undone.fault.clone(), undone.leftover.is_some());
        let undone: Vec<_> = undone.unwrap().iter().map(left).collect();
        // There is no target here that could be asked.
        assert_eq!(undone, [("f".to_owned(), false), ("step".to_owned(), true)]);
        assert!(!made.exists());
    }

    #[tokio::test]
    async fn what_another_fault_hides_is_looked_for_until_that_one_is_undone() {
        for undone_later in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let (journal, made) = broken(folder.path());
            let hides = folder.path().join("hides");
            std::fs::write(&hides, "").unwrap();
            let undo = Undo {
                change: Reversal::ByItself,
                ends: vec![Sight::Missing(hides.clone())],
            };
            lock(&journal)
                .intend(2, "own", 0, "is hidden", &undo)
                .unwrap();
            let looks = std::cell::Cell::new(0);
            let held = || {
                looks.set(looks.get() + 1);
                if looks.get() == 3 && undone_later {
                    std::fs::remove_file(&hides).unwrap();
                }
                looks.get() < 3
            };
            let faults = BTreeSet::from(["own".to_owned()]);
            let which = Which::These {
                faults: &faults,
                held: &held,
                reversed: &|| {},
            };
            let eyes = Eyes {
                end: Duration::from_millis(50),
                ..Eyes::on(None)
            };
            let undone = heal(folder.path(), which, &journal, &eyes, None).await;
            let left = undone.unwrap()[0].leftover.is_some();
            assert_eq!((left, looks.get()), (!undone_later, 3));
            // The other fault was not touched.
            assert!(made.exists());
        }
    }

    #[tokio::test]
    async fn what_another_fault_prevents_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (journal, made) = broken(folder.path());
        // `rm` fails while it is not there.
        std::fs::remove_file(&made).unwrap();
        let looks = std::cell::Cell::new(0);
        let held = || {
            looks.set(looks.get() + 1);
            if looks.get() == 3 {
                std::fs::write(&made, "").unwrap();
            }
            // It can be undone with the very look that finds nothing else in force.
            looks.get() < 3
        };
        let faults = BTreeSet::from(["f".to_owned()]);
        let which = Which::These {
            faults: &faults,
            held: &held,
            reversed: &|| {},
        };
        let undone = heal(folder.path(), which, &journal, &Eyes::on(None), None).await;
        assert_eq!(undone.unwrap()[0].leftover, None);
        assert!(!made.exists());
    }
}
