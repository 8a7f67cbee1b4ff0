//! A process by its identity: its number and the instant of its start, so that a number which the kernel gave away
//! again is not mistaken for it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use firedrill_erlmcp::world::ProcessView;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
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
    /// The process that a view shows; `None` while there is none.
    pub fn of(view: &ProcessView) -> Option<Process> {
        Some(Process {
            name: view.name.clone(),
            pid: view.pid?,
            started: view.started,
        })
    }

    pub fn state(&self) -> State {
        match self.now() {
            Some(Stat {
                state: 'T' | 't', ..
            }) => State::Stopped,
            Some(_) => State::Running,
            None => State::Gone,
        }
    }

    /// Time that processors have spent on it; `None` when it is gone.
    pub fn processor_time(&self) -> Option<Duration> {
        self.now().map(|stat| stat.processor_time)
    }

    /// `None` when it has ended, or another one has its number.
    fn now(&self) -> Option<Stat> {
        stat(self.pid).filter(|stat| stat.started == self.started && !stat.has_ended())
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
    Some(Process {
        name: name.to_owned(),
        pid,
        started: stat(pid)?.started,
    })
}

/// The children of `parent` whose last argument is this word: so the processes of a stand-in say what they are.
pub fn children(parent: u32, word: &str) -> Vec<u32> {
    let own = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0).rev();
        // Each word ends with a zero byte.
        stat(*pid).is_some_and(|stat| stat.parent == parent)
            && words.nth(1) == Some(word.as_bytes())
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

/// Every process that the kernel lists.
pub fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Waits until the process of this number has ended, at most for `limit`. True when it has.
///
/// # Errors
/// When the system does not let us.
pub fn ends_within(pid: u32, limit: Duration) -> io::Result<bool> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
        return Ok(true);
    };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let left = Timespec {
        tv_sec: limit.as_secs().cast_signed(),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut handles = [PollFd::new(&handle, PollFlags::IN)];
    loop {
        match poll(&mut handles, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            // A signal for us: the time starts anew, which only lets a program live a little longer.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the kernel says of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    pub name: String,
    /// `Z` and `X` are processes that have ended.
    pub state: char,
    pub parent: u32,
    /// In its own code, and in the kernel's.
    processor_time: Duration,
    started: u64,
}

impl Stat {
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// `None` when there is no such process.
pub fn stat(pid: u32) -> Option<Stat> {
    read_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `PID (NAME) STATE PARENT ...`; the name may hold anything, brackets included.
fn read_stat(text: &str) -> Option<Stat> {
    let (head, rest) = text.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // The manual counts from 1, and the state is field 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = field(14)?.parse::<u64>().ok()? + field(15)?.parse::<u64>().ok()?;
    let a_second = rustix::param::clock_ticks_per_second();
    Some(Stat {
        name: name.to_owned(),
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        processor_time: Duration::from_millis(ticks * 1_000 / a_second),
        started: field(22)?.parse().ok()?,
    })
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
    fn the_kernels_line_is_read_whatever_the_name_holds() {
        let line = "12 (a) b) S 7 12 12 0 -1 4194304 0 0 0 0 3 4 0 0 20 0 1 0 4711 0 0";
        let stat = read_stat(line).unwrap();
        assert_eq!(
            (stat.parent, stat.state, stat.name.as_str()),
            (7, 'S', "a) b")
        );
        assert_eq!(stat.started, 4_711);
        assert_eq!(read_stat("nonsense"), None);
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
