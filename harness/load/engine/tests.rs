//! Whole engines against a sink in this process: what becomes due does not depend on how many threads make it.

use std::sync::Arc;

use firedrill_scenarios::{Given, Plan};

use super::*;
use crate::clock::Clock;
use crate::load::report::Issued;
use crate::load::sink::Sink;
use crate::mcp::session::{Dialect, Surface};

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

fn plan(port: u16) -> Plan {
    let text = format!(
        "scenario: engine\nabout: Two loads.\ntarget: {{ endpoint: \"http://127.0.0.1:{port}/mcp\" }}\n{LOADS}\
         timeline: [ {{ phase: steady, for: 10s }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    Plan::parse(&text, &Given::named("engine.yaml")).expect("a plan")
}

fn sink() -> u16 {
    let sink = Sink::listen(([127, 0, 0, 1], 0).into()).expect("a port");
    let port = sink.address().expect("an address").port();
    // It serves until the tests end, and nobody waits for it.
    std::thread::spawn(move || sink.serve_while(|| true));
    port
}

/// Everything that a run of so many threads made due, in order.
fn issued(seed: u64, threads: u32, port: u16) -> Vec<Issued> {
    let plan = plan(port);
    let surface = Surface {
        authority: format!("127.0.0.1:{port}"),
        path: "/mcp".to_owned(),
        headers: Vec::new(),
    };
    let job = Job {
        layout: Layout::of(&plan),
        seed,
        thread: 0,
        threads,
        clock: Clock::start(),
        dialect: Arc::new(Dialect::new(&plan, &surface)),
        desk: None,
        plan: Arc::new(plan),
    };
    let route = Route {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        resolver: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut engine = Engine::start(&job, &route).expect("threads");
    let mut issued = loop {
        match runtime.block_on(engine.next()) {
            Progress::Opened(_) => {
                let segment = Segment {
                    phase: 0,
                    start: 0,
                    end: LENGTH,
                    zero: 0,
                    length: LENGTH,
                };
                engine.begin(job.clock.now(), &[segment]);
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
    let port = sink();
    for seed in [1, 77] {
        let one = issued(seed, 1, port);
        // 400 are expected; a Poisson count is that much off once in a million runs.
        assert!(one.len().abs_diff(400) < 100, "{} operations", one.len());
        for threads in [2, 3, 16] {
            let several = issued(seed, threads, port);
            assert_eq!(one.len(), several.len(), "seed {seed}, {threads} threads");
            for (one, other) in one.iter().zip(&several) {
                assert_eq!(one, other, "seed {seed}, {threads} threads");
            }
        }
    }
    assert_ne!(
        issued(1, 2, port),
        issued(2, 2, port),
        "a seed changes everything"
    );
}
