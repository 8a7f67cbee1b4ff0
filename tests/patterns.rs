//! Hostile clients and the bounds that they meet: each is refused, and without its bound nobody refuses it.

use crate::drills::{checks, mini_alone};
use crate::program::{Done, Folder, run};

const BOUNDS: &str =
    "client_rate: 900/s, client_connections: 60, message: 1MiB, write_timeout: 300ms";

/// The fault, where it starts, and the check that it is judged by.
const PATTERNS: [(&str, &str, &str); 5] = [
    (
        "message-flood: { site: primary, rate: 3000/s }",
        "0s",
        "1056",
    ),
    ("invalid-payload: primary", "1500ms", "1066"),
    ("large-payload: { site: primary, size: 8MB }", "3s", "1068"),
    (
        "connection-leak: { site: primary, connections: 150 }",
        "4500ms",
        "1060",
    ),
    ("slow-consumer: { site: primary, readers: 2 }", "6s", "1069"),
];

/// These patterns one after the other, each for a second, against these bounds.
fn scenario(patterns: &[(&str, &str, &str)], bounds: &str) -> String {
    let faults: Vec<String> = patterns
        .iter()
        .map(|(fault, at, code)| format!("      - {{ {fault}, at: {at}, for: 1s, id: f{code} }}\n"))
        .collect();
    let objectives: Vec<String> = patterns
        .iter()
        .map(|(_, _, code)| format!("  - {{ refusal: {code}, fault: f{code} }}\n"))
        .collect();
    let outage = format!(
        "  - phase: outage\n    faults:\n{}    for: 8s\n  - {{ phase: after, for: 3s }}\n  - {{ read-back: primary }}",
        faults.concat()
    );
    mini_alone("mini", &outage, &objectives.concat()).replace(
        "service_time: 1ms }",
        &format!("service_time: 1ms, bounds: {{ {bounds} }} }}"),
    )
}

fn verdicts(folder: &Folder, patterns: &[(&str, &str, &str)]) -> Vec<(String, String)> {
    let all = checks(folder);
    patterns
        .iter()
        .map(|(_, _, code)| {
            let id = format!("refusal-f{code}");
            let own = all.iter().find(|(check, ..)| *check == id);
            own.map_or_else(Default::default, |(_, verdict, reason)| {
                (verdict.clone(), reason.clone())
            })
        })
        .collect()
}

fn said(folder: &Folder, done: &Done) -> String {
    format!("{:?}\n{}", checks(folder), done.stderr)
}

#[test]
fn what_does_harm_is_refused_in_time_and_harms_nobody_else() {
    let folder = Folder::new();
    let done = run(&folder, &scenario(&PATTERNS, BOUNDS), &["--seed", "1"]);
    for (verdict, reason) in verdicts(&folder, &PATTERNS) {
        assert_eq!(verdict, "pass", "{reason}\n{}", said(&folder, &done));
    }
    let seen = |by: &str| {
        folder.events().iter().any(|event| {
            event["event"]["stage"] == "effect_seen"
                && event["event"]["by"]
                    .as_str()
                    .is_some_and(|own| own.contains(by))
        })
    };
    assert!(seen("the front door's own counts") && seen("the kernel's table of sockets"));
    let journal = std::fs::read_to_string(folder.run().join("journal.jsonl")).expect("a journal");
    assert!(
        journal.contains("end_attack") && journal.contains("no_sockets"),
        "{journal}"
    );
}

#[test]
fn without_bounds_nothing_is_refused() {
    let folder = Folder::new();
    let none = "client_connections: none, message: none, write_timeout: none, validation: none";
    // The flood has a test of its own: without its bound it would hide the others.
    let patterns = &PATTERNS[1..];
    let done = run(&folder, &scenario(patterns, none), &["--seed", "1"]);
    assert_eq!(done.code, 1, "{}", said(&folder, &done));
    for (verdict, reason) in verdicts(&folder, patterns) {
        assert_eq!(verdict, "fail", "{reason}");
        assert!(reason.contains("was never refused with"), "{reason}");
    }
}

/// Each bound by itself, and the code of the pattern that only it stops.
const EACH: [(&str, &str, usize); 5] = [
    ("client_rate: 900/s", "client_rate: none", 0),
    ("message: 1MiB", "message: 1MiB, validation: none", 1),
    ("message: 1MiB", "message: none", 2),
    ("client_connections: 60", "client_connections: none", 3),
    ("write_timeout: 300ms", "write_timeout: none", 4),
];

#[test]
#[ignore = "five runs of a quarter of a minute: a lane of .ci/run"]
fn each_bound_that_is_removed_turns_its_own_pattern_red() {
    for (bound, removed, pattern) in EACH {
        let folder = Folder::new();
        let bounds = BOUNDS.replace(bound, removed);
        let patterns = &PATTERNS[pattern..=pattern];
        let done = run(&folder, &scenario(patterns, &bounds), &["--seed", "1"]);
        let (verdict, reason) = verdicts(&folder, patterns).remove(0);
        assert_eq!(
            verdict,
            "fail",
            "{removed}: {reason}\n{}",
            said(&folder, &done)
        );
        assert!(
            reason.contains("was never refused with"),
            "{removed}: {reason}"
        );
    }
}
