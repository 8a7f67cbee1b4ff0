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
        let bounds = BOUNDS.replace(bound, removed);
        let patterns = &PATTERNS[pattern..=pattern];
        let folder = Folder::new();
        let done = run(&folder, &scenario(patterns, &bounds), &["--seed", "1"]);
        let (verdict, reason) = verdicts(&folder, patterns).remove(0);
        let said = said(&folder, &done);
        assert_eq!(verdict, "fail", "{removed}: {reason}\n{said}");
        assert!(
            reason.contains("was never refused with"),
            "{removed}: {reason}"
        );
    }
}

/// A pattern that is not a client's, and what stands against it in the miniature's text, there and removed.
struct Pattern {
    fault: &'static str,
    objective: &'static str,
    check: &'static str,
    bound: (&'static str, &'static str),
}

const KEPT: &str = "restart_delay: 200ms, behaviour: { service_time: 1ms }";

const OTHERS: [Pattern; 6] = [
    Pattern {
        fault: "fault: { pod-kill: { site: primary, pods: 2 }, id: crash }",
        objective: "rto: 5s, fault: crash",
        check: "rto-crash",
        bound: (KEPT, "restart_delay: 1h, behaviour: { service_time: 1ms }"),
    },
    Pattern {
        fault: "fault: { pod-pause: { site: primary, pods: 1 }, for: 8s, id: partition }",
        objective: "rto: 5s, fault: partition",
        check: "rto-partition",
        bound: (
            KEPT,
            "restart_delay: 200ms, behaviour: { service_time: 1ms, bounds: { health: none } }",
        ),
    },
    Pattern {
        fault: "fault: { pod-kill: { site: primary, pods: 1 }, times: 3, every: 400ms, id: cascade }",
        objective: "rto: 5s, fault: cascade",
        check: "rto-cascade",
        bound: (KEPT, "restart_delay: 1h, behaviour: { service_time: 1ms }"),
    },
    Pattern {
        fault: "fault: { memory-exhaustion: { site: primary, pods: 1 }, for: 2s, id: memory }",
        objective: "refusal: 1089, fault: memory",
        check: "refusal-memory",
        bound: (
            KEPT,
            "restart_delay: 200ms, behaviour: { service_time: 1ms, bounds: { memory: none } }",
        ),
    },
    Pattern {
        fault: "fault: { disk-full: primary, for: 2s, id: disk }",
        objective: "refusal: 1079, fault: disk",
        check: "refusal-disk",
        bound: (
            KEPT,
            "restart_delay: 200ms, behaviour: { service_time: 1ms, bounds: { disk: none } }",
        ),
    },
    Pattern {
        fault: "fault: { cpu-saturation: { site: primary, pods: 1 }, for: 2s, id: cpu }",
        objective: "refusal: 1078, fault: cpu",
        check: "refusal-cpu",
        bound: (
            KEPT,
            "restart_delay: 200ms, behaviour: { service_time: 1ms, bounds: { cpu: none } }",
        ),
    },
];

impl Pattern {
    /// The verdict and the reason of its check, with this in the place of what stands against it.
    fn judged(&self, instead: &str) -> (String, String, String) {
        let outage = format!(
            "  - {{ phase: outage, {}, until: recovered, within: 12s }}
  - {{ phase: after, for: 2s }}
  - {{ read-back: primary }}",
            self.fault
        );
        let objectives = format!("  - {{ {} }}\n", self.objective);
        let text = mini_alone("mini", &outage, &objectives).replace(self.bound.0, instead);
        let text = text.replace("load:\n", "limits: { pods: 100 % }\nload:\n");
        let folder = Folder::new();
        let done = run(&folder, &text, &["--seed", "1"]);
        let own = checks(&folder)
            .into_iter()
            .find(|(check, ..)| check == self.check);
        let (_, verdict, reason) = own.unwrap_or_default();
        (verdict, reason, said(&folder, &done))
    }
}

#[test]
#[ignore = "twelve runs of a quarter of a minute: a lane of .ci/run"]
fn what_stands_against_each_pattern_is_missed_when_it_is_removed() {
    for pattern in &OTHERS {
        let (there, removed) = pattern.bound;
        for (text, wanted) in [(there, "pass"), (removed, "fail")] {
            let (verdict, reason, said) = pattern.judged(text);
            println!("{} with {text}: {verdict} {reason}", pattern.check);
            assert_eq!(
                verdict, wanted,
                "{}, {text}: {reason}\n{said}",
                pattern.fault
            );
        }
    }
}
