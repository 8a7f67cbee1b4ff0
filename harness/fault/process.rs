//! A process by its identity: its number and the instant of its start, so that a number which the kernel gave away
//! again is not mistaken for it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub name: String,
    pub pid: u32,
    /// Clock ticks from the machine's start to the process's: field 22 of `/proc/PID/stat`.
    pub started: u64,
}

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    Stopped,
    /// It has ended, or another one has its number.
    Gone,
}

/// The signals that are sent on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kick {
    Kill,
    Stop,
    Continue,
    Terminate,
}

impl Kick {
    /// The word for what it does.
    pub fn as_str(self) -> &'static str {
        match self {
            Kick::Kill => "kill",
            Kick::Stop => "stop",
            Kick::Continue => "continue",
            Kick::Terminate => "terminate",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Kick::Kill => Signal::KILL,
            Kick::Stop => Signal::STOP,
            Kick::Continue => Signal::CONT,
            Kick::Terminate => Signal::TERM,
        }
    }
}

impl Process {
    pub fn state(&self) -> State {
        match read_stat(self.pid) {
            Some((_, started)) if started != self.started => State::Gone,
            Some(('Z' | 'X', _)) | None => State::Gone,
            Some(('T' | 't', _)) => State::Stopped,
            Some(_) => State::Running,
        }
    }

    /// Time that processors have spent on it; `None` when it is gone.
    pub fn processor_time(&self) -> Option<Duration> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        if self.state() == State::Gone {
            return None;
        }
        let (_, rest) = text.rsplit_once(')')?;
        // Fields 14 and 15: in its own code, and in the kernel's.
        let fields = rest.split_ascii_whitespace().skip(11).take(2);
        let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
        let a_second = rustix::param::clock_ticks_per_second();
        Some(Duration::from_millis(ticks * 1_000 / a_second))
    }

    /// Sends the signal, to this process and no other: the handle is taken before the identity is looked at.
    /// False when the process is gone.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn kick(&self, kick: Kick) -> io::Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(false);
        };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if self.state() == State::Gone {
            return Ok(false);
        }
        match pidfd_send_signal(&handle, kick.signal()) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The process of this number as it is now; `None` when there is none.
pub fn identify(name: &str, pid: u32) -> Option<Process> {
    let (_, started) = read_stat(pid)?;
    Some(Process {
        name: name.to_owned(),
        pid,
        started,
    })
}

/// The children of `parent` whose last argument is this word: so the processes of a stand-in say what they are.
pub fn children(parent: u32, word: &str) -> Vec<u32> {
    let own = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0).rev();
        // Each word ends with a zero byte.
        read_parent(*pid) == Some(parent) && words.nth(1) == Some(word.as_bytes())
    };
    pids().filter(own).collect()
}

/// Processes that belong to the stand-in whose folder this is, whoever started them.
pub fn of_world(state: &Path) -> Vec<Process> {
    let mark = [firedrill_erlmcp::MARK, "=", &state.to_string_lossy()].concat();
    let own = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    pids()
        .filter(own)
        .filter_map(|pid| identify("a process of the sites", pid))
        .filter(|process| process.state() != State::Gone)
        .collect()
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn read_parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    // The state is field 3, the parent field 4.
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// State and start of a process, from `/proc/PID/stat`. Its second field may hold anything, brackets included.
fn read_stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state is field 3, the start field 22.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_stopped_continued_and_killed_and_its_number_alone_is_not_it() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = identify("sleep", child.id()).unwrap();
        assert_eq!(process.state(), State::Running);
        let other = Process {
            started: process.started + 1,
            ..process.clone()
        };
        assert_eq!(other.state(), State::Gone);
        assert!(!other.kick(Kick::Kill).unwrap());
        assert!(process.kick(Kick::Stop).unwrap());
        wait_for(&process, State::Stopped);
        assert!(process.kick(Kick::Continue).unwrap());
        wait_for(&process, State::Running);
        assert!(process.kick(Kick::Kill).unwrap());
        child.wait().unwrap();
        assert_eq!(process.state(), State::Gone);
        assert!(!process.kick(Kick::Kill).unwrap());
    }

    #[test]
    fn children_are_found_by_their_last_word() {
        let mut child = Command::new("sleep").arg("61").spawn().unwrap();
        let own = std::process::id();
        // Between fork and exec it has our words still.
        while !children(own, "61").contains(&child.id()) {
            std::thread::yield_now();
        }
        assert!(!children(own, "sleep").contains(&child.id()));
        assert!(!children(child.id(), "61").contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children(own, "61").contains(&child.id()));
    }

    fn wait_for(process: &Process, state: State) {
        while process.state() != state {
            std::thread::yield_now();
        }
    }
}
