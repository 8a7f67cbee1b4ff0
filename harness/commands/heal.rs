//! `firedrill heal RUN`: undoes what a run left broken, on any later day.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail};
use firedrill_erlmcp::world::{Request, World};
use firedrill_reports::programme;

use super::say;
use crate::exit::Exit;
use crate::fault::heal::{Which, give_up_failbacks, heal as heal_all};
use crate::fault::inject::Shared;
use crate::fault::journal::{Journal, Open, open_changes};
use crate::fault::pinned::{Reversal, Undo};
use crate::fault::seen::Eyes;
use crate::fault::whereabouts::{Again, Whereabouts};
use crate::target::TargetError;
use crate::target::alone::Alone;

/// Heals the run in `folder`, or every drill of a programme. Healing what is healed changes nothing.
pub fn heal(folder: &Path) -> anyhow::Result<Exit> {
    if !programme::is_programme(folder) {
        return heal_run(folder);
    }
    let drills = folder.join(programme::file::DRILLS);
    let mut names: Vec<_> = match std::fs::read_dir(&drills) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect(),
        // It was broken off before its first drill.
        Err(_) => Vec::new(),
    };
    names.sort();
    let mut worst = Exit::Pass;
    let mut failed = None;
    for drill in names {
        say(&format!("{}: ", drill.display()));
        // One that cannot be healed keeps no other from it.
        match heal_run(&drill) {
            Ok(exit) => worst = worst.worst(exit),
            Err(error) => {
                say(&format!("{error:#}\n"));
                failed = failed.or(Some(error));
            }
        }
    }
    failed.map_or(Ok(worst), Err)
}

fn heal_run(folder: &Path) -> anyhow::Result<Exit> {
    if !folder
        .join(firedrill_reports::recording::file::PLAN)
        .exists()
    {
        bail!(
            "`{}` is no run's folder: name the folder of the run that was broken off",
            folder.display()
        );
    }
    let found = Whereabouts::read(folder).context("the run's target.json cannot be read")?;
    // Held from here on, so that the run does not go on behind our back.
    let journal = match Journal::open(folder, super::checkpoint) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => bail!(TargetError::StillKept {
            keeper: error.to_string(),
        }),
        opened => opened.context("the run's journal cannot be written")?,
    };
    let journal = Arc::new(Mutex::new(journal));
    let open = open_changes::<Undo>(folder).context("the run's journal cannot be read")?;
    let world = match found.as_ref().map(Whereabouts::find) {
        None if open.is_empty() => {
            say("nothing was broken\n");
            return Ok(Exit::Pass);
        }
        None => bail!("the run does not say what it broke: its target.json is missing"),
        Some(Again::Ended { residue }) => {
            let commands = heal_commands(folder, &journal, &open)?;
            return Ok(commands.worst(tell_residue(&residue)));
        }
        Some(Again::Gone(why)) => {
            heal_commands(folder, &journal, &open)?;
            bail!(TargetError::NotAttached(why));
        }
        Some(Again::Here(world)) => world,
    };
    // Another run may drive the sites by now. What this one broke was healed then, whatever this copy of its journal says.
    let alone = match &world {
        Some(world) if !open.is_empty() => Some(Alone::to_heal(world.state())?),
        Some(world) => Alone::to_heal(world.state()).ok(),
        None => None,
    };
    give_up_failbacks(&open, world.as_ref());
    settle(world.as_ref());
    let exit = undo(folder, Which::All, &journal, &Eyes::on(world))?;
    if let Some(alone) = alone.filter(|_| exit == Exit::Pass) {
        let told = alone.healed(!open.is_empty());
        told.context("the sites cannot be told that they are healed")?;
    }
    Ok(exit)
}

fn tell_residue(residue: &[String]) -> Exit {
    if residue.is_empty() {
        say("the sites ended with their run; nothing of them is left\n");
        return Exit::Pass;
    }
    residue
        .iter()
        .for_each(|what| say(&format!("LEFT     {what}\n")));
    Exit::Invalid
}

/// What the user's own commands broke is none of the sites', and outlives them.
fn heal_commands(folder: &Path, journal: &Shared, open: &[Open<Undo>]) -> anyhow::Result<Exit> {
    let is_command = |change: &&Open<Undo>| matches!(change.undo.change, Reversal::Run(_));
    let commands = open.iter().filter(is_command);
    let faults: BTreeSet<String> = commands.map(|change| change.fault.clone()).collect();
    if faults.is_empty() {
        return Ok(Exit::Pass);
    }
    let which = Which::These {
        faults: &faults,
        held: &|| false,
        reversed: &|| {},
    };
    undo(folder, which, journal, &Eyes::on(None))
}

/// Undoes these faults, or all, and says so.
fn undo(folder: &Path, which: Which<'_>, journal: &Shared, eyes: &Eyes) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let undone = runtime
        .block_on(heal_all(folder, which, journal, eyes, None))
        .context("the run's journal cannot be written")?;
    for change in &undone {
        say(&format!("{change}\n"));
    }
    let left = undone
        .iter()
        .filter(|undone| undone.leftover.is_some())
        .count();
    say(&format!(
        "healed {}, left behind {left}\n",
        undone.len() - left
    ));
    Ok(if left == 0 { Exit::Pass } else { Exit::Invalid })
}

/// Waits for what a run had begun when it was killed: a world does one thing after the other, and does it to its end.
fn settle(world: Option<&World>) {
    if let Some(world) = world {
        // One that does not answer is told of by what is undone next.
        let _ = world.ask(&Request::Marks { since: u64::MAX });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use firedrill_reports::recording::file;

    use super::*;
    use crate::fault::pinned::{Sight, Words};

    /// A run that has made a file by a command, at a target that has no sites of ours.
    fn broken(run: &Path) {
        let made = run.join("made");
        fs::write(run.join(file::PLAN), "").unwrap();
        Whereabouts::Endpoint.write(run).unwrap();
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
        fs::write(&made, "").unwrap();
    }

    #[test]
    fn a_drill_that_cannot_be_healed_keeps_no_other_from_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(programme::file::PROGRAMME), "").unwrap();
        let drills = folder.path().join(programme::file::DRILLS);
        // Broken off before it had a plan.
        fs::create_dir_all(drills.join("a")).unwrap();
        fs::create_dir_all(drills.join("b")).unwrap();
        broken(&drills.join("b"));
        let error = heal(folder.path()).unwrap_err();
        assert!(error.to_string().contains("no run's folder"), "{error}");
        assert!(!drills.join("b").join("made").exists());
    }
}
