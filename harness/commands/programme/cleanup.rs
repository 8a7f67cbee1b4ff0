//! What the kernel and the disk show of a drill once it is over. This process takes in what its sites leave behind, so
//! that every process that a drill started, and every one that those started, is found below it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{WaitOptions, getpid, set_child_subreaper, wait};

use crate::fault::journal::open_changes;
use crate::fault::pinned::Undo;
use crate::fault::process::State;
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
    const OUTPUTS: [&str; 5] = [
        "result.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "compliance.json",
    ];
    let written = |name: &&str| {
        let found = fs::metadata(folder.join(name));
        found.is_ok_and(|found| found.is_file() && found.len() > 0)
    };
    OUTPUTS
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
    let all = processes();
    let own = std::process::id();
    let below = |pid: u32| {
        let mut pid = pid;
        // No line of parents is longer than the list; a number that was given away again cannot close a circle.
        for _ in 0..all.len() {
            match all.get(&pid) {
                Some((parent, ..)) if *parent == own => return true,
                Some((parent, ..)) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    let running = all
        .iter()
        .filter(|(pid, (_, state, _))| !matches!(state, 'Z' | 'X') && below(**pid));
    running
        .map(|(pid, (_, _, name))| format!("{name} (pid {pid})"))
        .collect()
}

/// Parent, state and name of every process that the kernel lists, by its number.
fn processes() -> BTreeMap<u32, (u32, char, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((pid, stat(&text)?))
        })
        .collect()
}

/// `PID (NAME) STATE PARENT ...`; the name may hold anything, brackets included.
fn stat(text: &str) -> Option<(u32, char, String)> {
    let (head, rest) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((parent, state, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_kernels_line_is_read_whatever_the_name_holds() {
        assert_eq!(
            stat("12 (a) b) S 7 12 12"),
            Some((7, 'S', "a) b".to_owned()))
        );
        assert_eq!(stat("nonsense"), None);
    }

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
