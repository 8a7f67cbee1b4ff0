//! Programs of the user's own: run in a group of their own, within their time, and never beyond the run that wants
//! their work done. What one of them has started is known by a mark in its environment: who runs still when firedrill
//! was killed is found by it, and ended before the work is undone.

use std::io;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::pinned::Words;
use super::process::ends_within;
use crate::clock::Clock;

/// Names the fault that a process works for.
const MARK: &str = "FIREDRILL_FAULT";
/// Between two looks whether the run ends.
const LOOK: Duration = Duration::from_millis(100);
/// For a process that was killed to be gone.
const GONE: Duration = Duration::from_secs(2);
/// Looks for processes that others started while they were ended.
const LOOKS: u32 = 20;

/// Runs a program, with nothing to read; its exit code, or `None` when it had to be ended: after its time, or because
/// the run is `ending`. A program that a signal ended has the code 128 and the signal's number, as in a shell.
///
/// # Errors
/// When it cannot be started.
pub fn run(
    words: &Words,
    mark: Option<&str>,
    ending: &dyn Fn() -> bool,
) -> io::Result<Option<i32>> {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    let (program, arguments) = words
        .words
        .split_first()
        .ok_or_else(|| io::Error::other("there is no program"))?;
    let mut command = Command::new(program);
    // A group of its own, so that what it starts can be ended with it.
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0);
    if let Some(within) = &words.within {
        command.current_dir(within);
    }
    if let Some(mark) = mark {
        command.env(MARK, mark);
    }
    let mut child = command.spawn()?;
    let ended = ends_by_itself(child.id(), words.timeout, ending)?;
    if !ended && let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself meanwhile.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code.filter(|_| ended))
}

fn ends_by_itself(pid: u32, limit: Duration, ending: &dyn Fn() -> bool) -> io::Result<bool> {
    let clock = Clock::start();
    loop {
        let left = limit.saturating_sub(Duration::from_nanos(clock.now()));
        if ends_within(pid, left.min(LOOK))? {
            return Ok(true);
        }
        if left.is_zero() || ending() {
            return Ok(false);
        }
    }
}

/// Ends every process that carries this mark, and waits until they are gone.
///
/// # Errors
/// When they cannot be found or ended.
pub fn end_marked(mark: &str) -> io::Result<()> {
    for _ in 0..LOOKS {
        let mut found = false;
        for entry in std::fs::read_dir("/proc")? {
            let pid = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(pid) = pid.and_then(Pid::from_raw) {
                found |= end(pid, mark)?;
            }
        }
        if !found {
            return Ok(());
        }
    }
    Err(io::Error::other(format!(
        "processes with {MARK}={mark} do not end: end them yourself"
    )))
}

/// True when the process carries the mark. The handle is taken first, so that it is this one that is ended.
fn end(pid: Pid, mark: &str) -> io::Result<bool> {
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
        return Ok(false);
    };
    // One that is not ours cannot be read, and one that has ended has none.
    let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
    let environment = std::fs::read(path).unwrap_or_default();
    let own = format!("{MARK}={mark}");
    if !environment
        .split(|byte| *byte == 0)
        .any(|entry| entry == own.as_bytes())
    {
        return Ok(false);
    }
    match pidfd_send_signal(&handle, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {
            ends_within(pid.as_raw_nonzero().get().unsigned_abs(), GONE)?;
            Ok(true)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn words(all: &[&str], timeout: u64) -> Words {
        Words {
            words: all.iter().map(|word| (*word).to_owned()).collect(),
            timeout: Duration::from_millis(timeout),
            within: None,
            mark: None,
        }
    }

    #[test]
    fn a_program_is_told_apart_by_how_it_ends() {
        let run = |all: &[&str], timeout| run(&words(all, timeout), None, &|| false);
        assert_eq!(run(&["true"], 5_000).unwrap(), Some(0));
        assert_eq!(run(&["false"], 5_000).unwrap(), Some(1));
        assert_eq!(run(&["sleep", "60"], 50).unwrap(), None);
        assert!(run(&["no-such-program-anywhere"], 50).is_err());
    }

    #[test]
    fn a_program_is_ended_when_the_run_ends() {
        let forever = words(&["sleep", "600"], 600_000);
        assert_eq!(run(&forever, None, &|| true).unwrap(), None);
        assert_eq!(
            run(&words(&["true"], 60_000), None, &|| true).unwrap(),
            Some(0)
        );
    }

    #[test]
    fn what_carries_a_mark_is_found_with_all_that_it_started_and_nobody_else_is() {
        use std::io::{BufRead as _, BufReader};
        let mark = format!("unit/{}", std::process::id());
        let started = |mark: &str| {
            let mut child = Command::new("sh")
                .args(["-c", "setsid sleep 600 & echo $!; wait"])
                .env(MARK, mark)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let mut out = BufReader::new(child.stdout.take().unwrap());
            out.read_line(&mut line).unwrap();
            (child, line.trim().parse::<u32>().unwrap())
        };
        let (mut own, own_sleep) = started(&mark);
        let (mut other, other_sleep) = started(&format!("{mark}0"));
        end_marked(&mark).unwrap();
        assert!(!own.wait().unwrap().success());
        assert!(ends_within(own_sleep, Duration::ZERO).unwrap());
        assert!(!ends_within(other_sleep, Duration::ZERO).unwrap());
        end_marked(&format!("{mark}0")).unwrap();
        other.wait().unwrap();
        // Nobody carries it any more.
        end_marked(&mark).unwrap();
    }
}
