//! What the kernel says of a process.

use std::fs;

/// Start time of a process in ticks since the machine's start: with the pid it names one process for good.
/// `None` when there is none, or only its exit status is left.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let stat = Stat::read(pid)?;
    (stat.state != 'Z').then_some(stat.started)
}

/// Whether a process is stopped, as by SIGSTOP.
pub(crate) fn is_stopped(pid: u32) -> bool {
    Stat::read(pid).is_some_and(|stat| matches!(stat.state, 'T' | 't'))
}

struct Stat {
    state: char,
    started: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name is in parentheses and may hold anything, further parentheses too.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let started = fields.nth(18)?.parse().ok()?;
        Some(Stat { state, started })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_has_a_start() {
        let mine = std::process::id();
        assert!(started(mine).is_some_and(|ticks| ticks > 0));
        assert!(!is_stopped(mine));
        assert_eq!(started(u32::MAX), None);
    }
}
