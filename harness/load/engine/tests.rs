//! Whole engines against a sink in this process: what becomes due does not depend on how many threads make it.

use std::net::SocketAddr;

use firedrill_scenarios::{Given, Plan};

use super::*;
use crate::clock::Clock;
use crate::load::report::Issued;
use crate::load::sink::Beside;
use crate::mcp::session::Surface;

const LENGTH: Nanos = 500_000_000;

/// Two loads that have everything drawn at random: arrivals, operations, texts.
const LOADS: &str = "loads:\n\
    \x20 readers:\n\
    \x20   arrivals: { poisson: 600/s }\n\
    \x20   sessions: { count: 20 }\n\
    \x20   operations:\n\
    \x20     - { tool: echo, weight: 3, arguments: { message: \"{{unique}} {{seq}}\", of: \"{{int(1,1000)}}\" } }\n\
    \x20     - { tool: add, weight: 2, arguments: { a: \"{{zipf(100,1.1)}}\" } }\n\
    \x20 others:\n\
    \x20   rate: 200/s\n\
    \x20   sessions: { count: 7 }\n\
    \x20   operations: [ { tool: other, weight: 1, arguments: { by: \"{{session}} {{unique}}\" } } ]\n";

/// Sessions that think for longer than the run lasts: each sends its first flow, or none.
const THINKERS: &str = "load:\n\
    \x20 closed: { think: 1s }\n\
    \x20 sessions: { count: 100 }\n\
    \x20 operations: [ { tool: echo, arguments: { message: \"{{unique}}\" } } ]\n";

fn plan(address: SocketAddr, loads: &str) -> Plan {
    let text = format!(
        "scenario: engine\nabout: Two loads.\ntarget: {{ endpoint: \"http://{address}/mcp\" }}\n{loads}\
         timeline: [ {{ phase: steady, for: 10s }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    Plan::parse(&text, &Given::named("engine.yaml")).expect("a plan")
}

/// Everything that a run of so many threads made due, in order.
fn issued(loads: &str, seed: u64, threads: u32, address: SocketAddr) -> Vec<Issued> {
    let surface = Surface::plain(address, "/mcp");
    let job = Job {
        threads,
        ..Job::alone(plan(address, loads), &surface, seed, Clock::start())
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut engine = Engine::start(&job, &Route::plain(address)).expect("threads");
    let mut issued = loop {
        match runtime.block_on(engine.next()) {
            Progress::Opened(_) => {
                engine.begin(job.clock.now(), &[Segment::whole(LENGTH)]);
            }
            Progress::Second(second) => engine.recycle(second.histograms),
            Progress::Failed(why) => panic!("{why}"),
            Progress::Finished(totals) => break totals.issued,
        }
    };
    engine.join();
    issued.sort_unstable();
    issued
}

#[test]
fn the_number_of_threads_changes_nothing_of_what_becomes_due() {
    let sink = Beside::start().expect("a sink");
    let address = sink.address;
    for seed in [1, 77] {
        let one = issued(LOADS, seed, 1, address);
        // 400 are expected; a Poisson count is that much off once in a million runs.
        assert!(one.len().abs_diff(400) < 100, "{} operations", one.len());
        for threads in [2, 3, 16] {
            let several = issued(LOADS, seed, threads, address);
            assert_eq!(one.len(), several.len(), "seed {seed}, {threads} threads");
            for (one, other) in one.iter().zip(&several) {
                assert_eq!(one, other, "seed {seed}, {threads} threads");
            }
        }
    }
    assert_ne!(
        issued(LOADS, 1, 2, address),
        issued(LOADS, 2, 2, address),
        "a seed changes everything"
    );
}

/// The others begin after the run has ended.
#[test]
fn the_first_flows_of_a_closed_load_lie_over_its_think_time_on_any_number_of_threads() {
    let sink = Beside::start().expect("a sink");
    let one = issued(THINKERS, 5, 1, sink.address);
    assert!((49..=51).contains(&one.len()), "{} operations", one.len());
    assert_eq!(one, issued(THINKERS, 5, 3, sink.address));
}
