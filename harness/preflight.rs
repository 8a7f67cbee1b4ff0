//! What a run will need, and whether this machine has it: looked at before anything is started.

use std::fs::{self, File};
use std::io;
use std::os::fd::RawFd;

use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::Load;
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::load::tally::{Histograms, Layout};
use crate::observe::machine::available_bytes;

/// Files that a run opens beside connections: outputs, timers, pipes to stand-in processes, probes.
const OTHER_FILES: u64 = 128;
/// Memory of one histogram with the recording's bounds, measured: 23 ranges of 1024 counters of 4 bytes.
const HISTOGRAM_BYTES: u64 = 96 * 1024;
/// Memory of one session with its connection, with room to spare.
const SESSION_BYTES: u64 = 8 * 1024;

/// The machine has too little of something.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    #[error(
        "the run may open {needed} files at once ({connections} connections and {OTHER_FILES} others), and the limit is \
         {limit}: raise it with `ulimit -n {needed}`, or lower `max_in_flight` or `sessions.count`"
    )]
    Files {
        needed: u64,
        connections: u64,
        limit: u64,
    },
    #[error(
        "the run may open {needed} connections to one address, and there are {available} local ports: widen \
         /proc/sys/net/ipv4/ip_local_port_range, or lower `max_in_flight` or `sessions.count`"
    )]
    Ports { needed: u64, available: u64 },
    #[error(
        "the run needs about {needed_mib} MiB of memory, and {available_mib} MiB are free: lower `sessions.count`, or use \
         fewer operations, phases or `--threads`"
    )]
    Memory { needed_mib: u64, available_mib: u64 },
}

/// What the machine offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub files: u64,
    pub ports: u64,
    pub memory: u64,
}

impl Room {
    /// Raises the soft limit of open files to the hard one, and looks at the rest.
    pub fn of_machine() -> Room {
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            let raised = Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            };
            // Where this is refused, the limit that is read back says so.
            let _ = setrlimit(Resource::Nofile, raised);
        }
        Room {
            files: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            ports: fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
                .ok()
                .and_then(|text| port_count(&text))
                .unwrap_or(u64::MAX),
            memory: available_bytes().unwrap_or(u64::MAX),
        }
    }
}

fn port_count(range: &str) -> Option<u64> {
    let mut ends = range
        .split_whitespace()
        .filter_map(|word| word.parse::<u64>().ok());
    let (low, high) = (ends.next()?, ends.next()?);
    Some((high + 1).saturating_sub(low))
}

/// Each session may keep one connection while others are as busy as they may be.
fn most_connections(plan: &Plan) -> u64 {
    let of_load = |load: &Load| u64::from(load.sessions.count) + u64::from(load.max_in_flight);
    plan.loads.iter().map(of_load).sum()
}

/// Has the kernel make its table of open files as large as the plan may need it, before the load begins. The table doubles
/// when it is full, and whichever thread opens that file then waits for milliseconds: a target that stalls, so that
/// more connections are made, would make us late.
///
/// # Errors
/// When there is no such file. Nothing is lost by that: the table grows as it is needed.
pub fn widen_files(plan: &Plan) -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let last = (most_connections(plan) + OTHER_FILES).min(limit) - 1;
    let any = File::open("/dev/null")?;
    // It is closed again at once, and the table stays as large as it is.
    fcntl_dupfd_cloexec(any, RawFd::try_from(last).unwrap_or(RawFd::MAX))?;
    Ok(())
}

/// Compares what the plan may need at most with what there is.
///
/// # Errors
/// The first thing that is short.
pub fn check(plan: &Plan, layout: &Layout, threads: u32, room: Room) -> Result<(), Shortage> {
    let connections = most_connections(plan);
    let needed = connections + OTHER_FILES;
    if needed > room.files {
        return Err(Shortage::Files {
            needed,
            connections,
            limit: room.files,
        });
    }
    if connections > room.ports {
        return Err(Shortage::Ports {
            needed: connections,
            available: room.ports,
        });
    }
    let histograms = Histograms::most(layout) as u64;
    // Two sets a thread, and two that are being merged and written.
    let memory =
        histograms * HISTOGRAM_BYTES * (u64::from(threads) * 2 + 2) + connections * SESSION_BYTES;
    if memory > room.memory {
        return Err(Shortage::Memory {
            needed_mib: memory >> 20,
            available_mib: room.memory >> 20,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use firedrill_scenarios::Given;

    use super::*;

    #[test]
    fn there_is_room_for_every_file_before_the_load_begins() {
        let room = Room::of_machine();
        let text = "scenario: room\nabout: Many at once.\ntarget: { endpoint: \"http://127.0.0.1:9/mcp\" }\n\
            load: { rate: 10/s, max_in_flight: 3000, operations: [ { tool: echo } ] }\n\
            timeline: [ { phase: steady, for: 10s } ]\nobjectives: [ { errors: 1 % } ]\n";
        let plan = Plan::parse(text, &Given::named("room.yaml")).expect("a plan");
        let widened = widen_files(&plan);
        let status = fs::read_to_string("/proc/self/status").expect("what the kernel says of us");
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
        let size: u64 = size
            .and_then(|size| size.trim().parse().ok())
            .expect("a size");
        assert!(
            size >= 3_000.min(room.files),
            "{size} of {room:?}: {widened:?}"
        );
    }

    #[test]
    fn ports_are_counted_with_both_ends() {
        assert_eq!(port_count("32768\t60999\n"), Some(28_232));
        assert_eq!(port_count("nonsense"), None);
    }
}
