//! Findings against real sockets: each habit of a server is named, and its neighbour is not.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Folder, done, run};
use crate::quirks::{Habits, Server};

/// A scenario against a server; `sessions` and `drive` are the load's.
fn scenario(url: &str, drive: &str, sessions: &str, seconds: u32) -> String {
    format!(
        "scenario: habits\n\
         about: A server with a habit.\n\
         target: {{ endpoint: \"{url}\" }}\n\
         load:\n\
         \x20 {drive}\n\
         \x20 sessions: {{ {sessions} }}\n\
         \x20 operations:\n\
         \x20   - {{ tool: echo, weight: 1, arguments: {{ message: \"{{{{unique}}}}\" }}, check: {{ /content/0/text: \"{{{{message}}}}\" }} }}\n\
         timeline: [ {{ phase: steady, for: {seconds}s }} ]\n\
         objectives: [ {{ errors: 50 % }} ]\n"
    )
}

/// What was found in a run of the scenario, by kind; and what the run said on stderr.
fn found(scenario: &str) -> (Vec<Value>, String) {
    let folder = Folder::new();
    let done = run(&folder, scenario, &["--seed", "3"]);
    let result = folder.result();
    assert!(result["load"]["completed"].as_u64() > Some(20), "{done:#?}");
    let report = std::fs::read_to_string(folder.run().join("report.html")).expect("a report");
    let found = result["findings"].as_array().expect("findings").clone();
    assert_eq!(!found.is_empty(), report.contains("id=\"findings\""));
    let signatures = found.iter().map(|own| own["signature"].clone());
    (signatures.collect(), done.stderr)
}

fn kinds(found: &[Value]) -> Vec<&str> {
    found
        .iter()
        .filter_map(|own| own["kind"].as_str())
        .collect()
}

#[test]
fn a_server_that_lets_its_results_wait_for_an_acknowledgement_is_named() {
    let load = |habits| {
        let server = Server::with(habits);
        found(&scenario(
            &server.url(),
            "closed: { think: 1ms }",
            "count: 8, open_rate: 100/s",
            3,
        ))
    };
    let nagle = Habits {
        nagle: true,
        ..Habits::default()
    };
    let (seen, said) = load(nagle);
    assert_eq!(kinds(&seen), ["delayed_ack"], "{seen:#?}");
    assert_eq!(seen[0]["operation"], "echo");
    assert!(
        said.contains("finding: Nagle against delayed ACK: echo"),
        "{said}"
    );
    let (seen, said) = load(Habits::default());
    assert_eq!(kinds(&seen), [""; 0], "{seen:#?}");
    assert!(
        said.contains("load: asked ") && !said.contains("finding:"),
        "{said}"
    );
}

#[test]
fn a_limit_of_exchanges_is_named_and_connections_that_end_anyhow_are_not() {
    let load = |exchanges: fn(u64) -> u64| {
        let server = Server::with(Habits {
            exchanges: Some(exchanges),
            ..Habits::default()
        });
        found(&scenario(
            &server.url(),
            "closed: { think: 5ms }",
            "count: 8, open_rate: 100/s",
            5,
        ))
        .0
    };
    let seen = load(|_| 40);
    assert_eq!(kinds(&seen), ["keep_alive_exchanges"], "{seen:#?}");
    assert_eq!(seen[0]["exchanges"], 40, "{seen:#?}");
    let seen = load(|connection| 30 + connection % 7 * 5);
    assert_eq!(kinds(&seen), [""; 0], "{seen:#?}");
}

#[test]
fn a_limit_of_rest_is_named_and_connections_that_end_after_any_rest_are_not() {
    let load = |rest: fn(u64) -> Duration| {
        let server = Server::with(Habits {
            rest: Some(rest),
            ..Habits::default()
        });
        found(&scenario(
            &server.url(),
            "closed: { think: 1300ms }",
            "count: 12, open_rate: 20/s",
            6,
        ))
        .0
    };
    let seen = load(|_| Duration::from_secs(1));
    assert_eq!(kinds(&seen), ["keep_alive_idle"], "{seen:#?}");
    let rest = seen[0]["rest_p50"].as_u64().expect("a time");
    assert!((1_000_000_000..1_200_000_000).contains(&rest), "{rest}");
    let seen = load(|connection| Duration::from_millis(500 + connection % 5 * 170));
    assert_eq!(kinds(&seen), [""; 0], "{seen:#?}");
}

#[test]
fn sessions_that_cost_more_than_their_operations_are_named_unless_they_last() {
    let load = |lifetime: &str| {
        let slow = Duration::from_millis(60);
        let server = Server::with(Habits {
            slow_initialize: slow,
            ..Habits::default()
        });
        let sessions = format!("count: 8, open_rate: 500/s, lifetime: {lifetime}");
        found(&scenario(
            &server.url(),
            "closed: { think: 1ms }",
            &sessions,
            3,
        ))
        .0
    };
    let seen = load("3 calls");
    assert_eq!(kinds(&seen), ["initialize_dominates"], "{seen:#?}");
    assert_eq!(kinds(&load("run")), [""; 0]);
}

#[test]
fn memory_that_is_kept_of_ended_sessions_is_named() {
    let load = |gives_back| {
        let habits = Habits {
            session_bytes: 64 << 10,
            gives_back,
            ..Habits::default()
        };
        let server = Server::with(habits);
        let sessions = "count: 8, open_rate: 500/s, lifetime: 1 calls";
        let probes = format!(
            "probes: {{ site: {{ url: \"{}\", every: 250ms, prometheus: {{ memory_bytes: process_resident_memory_bytes }} }} }}\n",
            server.metrics()
        );
        let load = scenario(&server.url(), "rate: 50/s", sessions, 8);
        found(&format!("{load}{probes}")).0
    };
    // A session for each operation: that opening them is most of the work is found as well.
    let growth = |seen: &[Value]| {
        let mut own = seen.iter().filter(|own| own["kind"] == "memory_growth");
        own.next().cloned()
    };
    let seen = growth(&load(false)).expect("memory that grows");
    let each = seen["bytes_per_session"].as_u64().expect("bytes");
    assert!((50_000..80_000).contains(&each), "{each}");
    assert_eq!(growth(&load(true)), None);
}

/// In a network of its own, which has few ports.
#[test]
fn a_machine_without_ports_is_named() {
    let folder = Folder::new();
    let sessions = "count: 8, open_rate: 1000/s, lifetime: 1 calls, end: drop";
    let text = scenario(
        "http://127.0.0.1:7000/mcp",
        "max_in_flight: 8\n\x20 rate: 200/s",
        sessions,
        3,
    );
    let path = folder.file("scenario.yaml", &text);
    let few = "ip link set lo up && echo '40000 40019' > /proc/sys/net/ipv4/ip_local_port_range && \
        { \"$1\" sink 127.0.0.1:7000 > \"$2\" & } && sink=$! && while ! [ -s \"$2\" ]; do :; done && \
        \"$1\" run --no-calibration \"$3\" --out \"$4\"; code=$?; kill $sink; exit $code";
    let mut command = Command::new("unshare");
    command.args([
        "--net",
        "sh",
        "-c",
        few,
        "sh",
        env!("CARGO_BIN_EXE_firedrill"),
    ]);
    command.args([folder.at("sink"), path, folder.run()]);
    let done = done(command.output().expect("unshare"));
    assert!(folder.run().join("result.json").exists(), "{done:#?}");
    let result = folder.result();
    let found: Vec<Value> = result["findings"].as_array().expect("findings").clone();
    let found = found
        .iter()
        .map(|own| own["signature"].clone())
        .collect::<Vec<_>>();
    assert!(
        kinds(&found).contains(&"ports_exhausted"),
        "{found:#?}\n{done:#?}"
    );
    assert_eq!(
        done.code, 4,
        "a machine without ports says nothing of a target: {done:#?}"
    );
}
