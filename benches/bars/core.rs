//! The core that is measured on, and what others do on it.

use std::fs;

use firedrill::clock::Clock;
use rustix::process::{Pid, getpid};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::driven::Sink;

/// The kernel counts in these.
const TICKS_A_SECOND: f64 = 100.0;

/// Where this program is kept, until this is dropped: what starts later is to have all cores.
pub struct Kept {
    pub core: usize,
    before: CpuSet,
}

impl Drop for Kept {
    fn drop(&mut self) {
        sched_setaffinity(None, &self.before).expect("the cores were ours");
    }
}

/// Puts the sink on our first core, and this program on the last one.
pub fn away_from(sink: &Sink) -> Kept {
    let ours = sched_getaffinity(None).expect("the kernel knows our cores");
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|core| ours.is_set(*core))
        .collect();
    let [first, .., last] = cores[..] else {
        panic!("two cores are needed: one for the load, one for the sink");
    };
    keep(Some(sink.pid()), first);
    keep(None, last);
    Kept {
        core: last,
        before: ours,
    }
}

fn keep(process: Option<Pid>, core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(process, &only).expect("the core is ours");
}

/// What is not ours on a core, from now on.
pub struct Others {
    core: usize,
    began: Clock,
    busy: f64,
    own: f64,
}

impl Others {
    pub fn of(core: usize) -> Others {
        Others {
            core,
            began: Clock::start(),
            busy: busy(core),
            own: own(),
        }
    }

    /// The share of the time since that they had the core.
    pub fn share(&self) -> f64 {
        let theirs = busy(self.core) - self.busy - (own() - self.own);
        (theirs / (self.began.now() as f64 / 1e9)).max(0.0)
    }
}

/// Seconds that the core was busy with anything.
fn busy(core: usize) -> f64 {
    let name = format!("cpu{core} ");
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix(&name));
    let fields = line.unwrap_or_default().split_whitespace();
    // Without the fourth and fifth, which are idle.
    let busy = fields
        .take(7)
        .enumerate()
        .filter(|(at, _)| !matches!(at, 3 | 4));
    busy.filter_map(|(_, ticks)| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / TICKS_A_SECOND
}

/// Seconds that this program ran.
fn own() -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", getpid().as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    // After the name, which may hold anything: user and system time are the 12th and 13th.
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS_A_SECOND
}
