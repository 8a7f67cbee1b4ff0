//! The bars that the load generator has to reach beside its cost, each measured by the real engine against a sink in a
//! process of its own. `cargo bench --bench bars -- lateness sessions memory stall` (or some of them).
//!
//! The exit code is 1 when one was missed. Another program on the machine can make any of them miss.

mod core;
mod driven;
mod stall;

use std::fs;
use std::process::Command;

use driven::{Counted, Sink, Then, drive, plan};
use firedrill_reports::recording::{Measure, empty_histogram};
use hdrhistogram::Histogram;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SECOND: u64 = 1_000_000_000;
/// The word that makes this program hold sessions and say what they cost.
const HOLD: &str = "hold=";
/// What it is called, and what measures it; whether it was reached.
type Bar = (&'static str, fn() -> bool);
const BARS: [Bar; 4] = [
    ("lateness", lateness),
    ("sessions", sessions),
    ("stall", stall::stall),
    ("memory", memory),
];
/// So many sessions are held at the least, where the hard limit on open files leaves room for them.
const SESSIONS: u64 = 18_000;

/// A number, what it may be at most, and what it is called.
pub fn bar(name: &str, measured: f64, most: f64, unit: &str) -> bool {
    let reached = measured <= most;
    let word = if reached { "reached" } else { "MISSED" };
    println!("{name}: {measured:.1} {unit}, at most {most} {unit}: {word}");
    reached
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    // With `--test`, which is how `cargo test` keeps benchmarks from rotting, nothing takes its time.
    if asked.iter().any(|word| word == "--test") {
        return;
    }
    if let Some(count) = asked.iter().find_map(|word| word.strip_prefix(HOLD)) {
        return hold(count.parse().expect("a number of sessions"));
    }
    // `cargo bench` has words of its own.
    let named: Vec<&String> = asked.iter().filter(|word| !word.starts_with('-')).collect();
    let is_bar = |word: &String| BARS.iter().any(|(name, _)| name == word);
    if let Some(unknown) = named.iter().find(|word| !is_bar(word)) {
        let known: Vec<&str> = BARS.iter().map(|(name, _)| *name).collect();
        eprintln!(
            "error: no bar is called `{unknown}`; there are {}",
            known.join(", ")
        );
        std::process::exit(2);
    }
    let mut reached = true;
    for (name, measure) in BARS {
        if named.is_empty() || named.iter().any(|word| *word == name) {
            reached &= measure();
        }
    }
    std::process::exit(i32::from(!reached));
}

/// All times in one.
pub fn sum<'a>(times: impl Iterator<Item = &'a Histogram<u32>>) -> Histogram<u32> {
    let mut sum = empty_histogram();
    for histogram in times {
        sum.add(histogram).expect("the bounds are the same");
    }
    sum
}

/// How late operations are dispatched, by our fault: on a core that nothing else uses, as far as that is in our hands.
fn lateness() -> bool {
    let sink = Sink::start();
    let own = core::away_from(&sink);
    let mut reached = true;
    for rate in [1_000, 10_000] {
        let others = core::Others::of(own.core);
        let load = format!("rate: {rate}/s, sessions: {{ count: 64 }}");
        let counted = drive(
            plan(&load, sink.port),
            1,
            10 * SECOND,
            async |_, _| {},
            |_| Then::GoOn,
        );
        assert_eq!(counted.ok, counted.issued, "the sink answers everything");
        let lateness = sum(counted.times.all_of(Measure::Lateness));
        for (quantile, most) in [(0.5, 60.0), (0.99, 300.0)] {
            let measured = lateness.value_at_quantile(quantile) as f64 / 1e3;
            let name = format!("lateness at {rate}/s, p{}", quantile * 100.0);
            reached &= bar(&name, measured, most, "us");
        }
        println!(
            "others kept the core busy for {:.0} % of that time",
            100.0 * others.share()
        );
    }
    reached
}

/// How many idle sessions one process holds, each with its socket, and what one costs.
fn sessions() -> bool {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("the hard limit is allowed");
    // A few descriptors are for other things than sessions; the sink, which inherits the limit, needs as many.
    let room = limit.maximum.unwrap_or(u64::MAX).min(100_000) - 100;
    let counts = [5_000, 15_000, room / 100 * 100];
    let mut memory = Vec::new();
    let mut most = 0;
    for count in counts.into_iter().filter(|count| *count <= room) {
        // In a process of its own: an allocator does not give everything back.
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .arg(format!("{HOLD}{count}"))
            .output()
            .expect("the program starts");
        let text = String::from_utf8_lossy(&output.stdout);
        let (held, sockets) = text
            .trim()
            .split_once(' ')
            .expect("bytes, and open sockets");
        let held: u64 = held.parse().expect("a number of bytes");
        let sockets: u64 = sockets.parse().expect("a number of sockets");
        println!(
            "{count} sessions held, {sockets} sockets open: {} KB of user memory",
            held / 1024
        );
        memory.push((count as f64, held as f64));
        most = most.max(if sockets >= count { count } else { 0 });
    }
    let [(fewer, small), (more, large), ..] = memory[..] else {
        println!(
            "sessions: NOT SHOWN, the hard limit on open files is {}",
            room + 100
        );
        return false;
    };
    println!(
        "sessions: the hard limit on open files is {}; nothing is shown about more than {} sessions",
        room + 100,
        memory.last().map_or(0.0, |(count, _)| *count)
    );
    let enough = most >= SESSIONS;
    println!(
        "sessions held at once, each with its socket: {most}, at least {SESSIONS}: {}",
        if enough { "reached" } else { "MISSED" }
    );
    let each = (large - small) / (more - fewer) / 1024.0;
    bar(
        "memory of a session, slope from 5,000 to 15,000",
        each,
        4.0,
        "KB",
    ) && enough
}

/// Holds so many idle sessions, each with its socket, and prints how much memory this process has then.
fn hold(count: u64) {
    let sink = Sink::start();
    let load = format!(
        "rate: 1/s, sessions: {{ count: {count}, open_rate: 5000/s, end: drop }}, max_in_flight: 50"
    );
    let (mut held, mut sockets) = (0, 0);
    let look = |_: &Counted| {
        // The last look comes when all of them are closed.
        let open = sockets_of_ours();
        if open >= sockets {
            (held, sockets) = (user_memory(), open);
        }
        Then::GoOn
    };
    drive(plan(&load, sink.port), 1, 3 * SECOND, async |_, _| {}, look);
    println!("{held} {sockets}");
}

fn sockets_of_ours() -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("our own descriptors");
    let names = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    names
        .filter(|name| name.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Anonymous memory that is in use, without what the allocator holds for later in whole pages.
fn user_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Whether memory grows with operations.
fn memory() -> bool {
    const FIRST: u64 = 1_000_000;
    const LAST: u64 = 10_000_000;
    let sink = Sink::start();
    let (mut first, mut last) = (None, 0);
    let look = |counted: &Counted| {
        if counted.ok >= FIRST {
            first.get_or_insert_with(user_memory);
        }
        last = user_memory();
        if counted.ok >= LAST {
            Then::Stop
        } else {
            Then::GoOn
        }
    };
    let load = "closed: { think: 0s }, sessions: { count: 64 }";
    let counted = drive(
        plan(load, sink.port),
        1,
        600 * SECOND,
        async |_, _| {},
        look,
    );
    assert!(
        counted.ok >= LAST,
        "{} operations in ten minutes",
        counted.ok
    );
    let grown = last.saturating_sub(first.unwrap_or(0)) as f64 / 1e6;
    let name = format!("memory, from operation {FIRST} to {}", counted.ok);
    bar(&name, grown, 1.0, "MB")
}
