//! What the kernel and the disk show of a drill once it is over. This process takes in what its sites leave behind, so
//! that every process that a drill started, and every one that those started, is found below it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_reports::render;
use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};

use crate::fault::journal::open_changes;
use crate::fault::pinned::Undo;
use crate::fault::process::{Stat, State, pids, stat};
use crate::fault::whereabouts::Whereabouts;

/// What is ended together with its parent is given so long to be gone.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// What is left of a drill.
pub struct Left {
    /// Processes that the drill recorded.
    pub processes: u64,
    /// Those of them, and of the descendants of this process, that still run.
    pub alive: Vec<String>,
    /// Where its sites kept their data.
    pub folder: Option<PathBuf>,
    pub folder_gone: bool,
    pub open_changes: u64,
}

/// Becomes the parent of every descendant whose own parent ends.
pub fn adopt() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// The outputs in a drill's folder.
pub fn documents(folder: &Path) -> Vec<String> {
    let written = |name: &&str| {
        let found = fs::metadata(folder.join(name));
        found.is_ok_and(|found| found.is_file() && found.len() > 0)
    };
    render::OUTPUTS
        .into_iter()
        .filter(written)
        .map(str::to_owned)
        .collect()
}

pub async fn look(run: &Path) -> Left {
    // A drill that broke nothing has no such file; what it started is found below this process all the same.
    let (folder, recorded) = match Whereabouts::read(run).ok().flatten() {
        Some(Whereabouts::Embedded { state, processes }) => (Some(state), processes),
        Some(Whereabouts::Attached { .. } | Whereabouts::Endpoint) | None => (None, Vec::new()),
    };
    let mut alive = Vec::new();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        reap();
        let running = recorded
            .iter()
            .filter(|process| process.state() != State::Gone);
        alive = running
            .map(|process| format!("{} (pid {})", process.name, process.pid))
            .collect();
        alive.extend(descendants());
        if alive.is_empty() {
            break;
        }
    }
    Left {
        processes: recorded.len() as u64,
        alive,
        folder_gone: folder.as_ref().is_none_or(|folder| !folder.exists()),
        folder,
        // What cannot be read is not known to be undone.
        open_changes: open_changes::<Undo>(run).map_or(1, |open| open.len() as u64),
    }
}

/// Takes the ends of adopted processes, which nobody else waits for.
fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// Every process below this one that still runs.
fn descendants() -> Vec<String> {
    let all: BTreeMap<u32, Stat> = pids().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let own = std::process::id();
    let below = |pid: u32| {
        let mut pid = pid;
        // No line of parents is longer than the list; a number that was given away again cannot close a circle.
        for _ in 0..all.len() {
            match all.get(&pid) {
                Some(stat) if stat.parent == own => return true,
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        false
    };
    let running = all
        .iter()
        .filter(|(pid, stat)| !stat.has_ended() && below(**pid));
    running
        .map(|(pid, stat)| format!("{} (pid {pid})", stat.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_child_is_seen_as_long_as_it_runs() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let line = format!("cat (pid {})", child.id());
        assert!(descendants().contains(&line));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!descendants().contains(&line));
    }
}
