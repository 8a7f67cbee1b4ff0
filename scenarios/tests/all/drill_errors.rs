//! What is wrong with a drill: each mistake shows itself alone, with its place and its remedy.

use std::fmt::Write;

use firedrill_scenarios::{Given, Plan};

/// The smallest drill with everything that mistakes can be made in.
const DRILL: &str = "\
scenario: drill
target:
  sites: { primary: { nodes: 2, pods: 4 }, dr: {} }
  replication: { from: primary, to: dr }
  director: {}
  backups: {}
load:
  rate: 300/s
  operations: [{ ledger: write }]
timeline:
  - { phase: steady, for: 30s }
  - phase: outage
    until: recovered
    within: 30s
    faults: [{ site-failure: primary }]
    steps: []
  - { phase: after, for: 30s }
  - { read-back: dr }
objectives:
  - { rto: 4h, budget: 8s }
  - { rpo: 15min }
";

/// What stands in the drill, and what is written instead.
const MISTAKES: &[(&str, &str)] = &[
    // the target
    ("from: primary", "from: primry"),
    ("to: dr", "to: primary"),
    ("from: primary, to: dr", "from: dr, to: primary"),
    ("  replication: { from: primary, to: dr }\n", ""),
    ("director: {}", "director: { misess: 3 }"),
    ("director: {}", "director: { misses: 0 }"),
    ("director: {}", "director: { route_ttl: 1500ms }"),
    ("director: {}", "director: { probe: 4s }"),
    ("backups: {}", "backups: { every: 5 }"),
    ("dr: {}", "dr: { disruption_budget: -1 }"),
    ("dr: {}", "dr: { behaviour: { bounds: { memory: much } } }"),
    ("dr: {}", "dr: { behaviour: { bounds: { queue: 256 } } }"),
    ("director: {}", "director: { clock: sundial }"),
    ("dr: {}", "dr: { labels: { dr-2: { role: canary } } }"),
    ("dr: {}", "dr: { labels: { dr-1: {} } }"),
    ("dr: {}", "dr: { labels: { dr-1: canary } }"),
    // faults
    ("site-failure: primary", "site-failure: primry"),
    ("site-failure: primary", "site-falure: primary"),
    ("site-failure: primary", "at: 3s"),
    (
        "site-failure: primary",
        "site-failure: primary }, { slow-pod: { site: primary, factor: 2 }",
    ),
    (
        "site-failure: primary",
        "site-failure: primary }, { slow-pod: { site: primary, factor: 1 }",
    ),
    (
        "site-failure: primary",
        "site-failure: primary }, { slow-pod: { site: primary, busy: 99 % }",
    ),
    (
        "site-failure: primary",
        "site-failure: primary }, { clock-jump: { ahead: 1s }",
    ),
    (
        "site-failure: primary",
        "site-failure: primary }, { cpu-saturation: { site: primary, pods: 3 }",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, pod-kill: dr",
    ),
    ("site-failure: primary", "site-failure: primary, at: 30s"),
    (
        "site-failure: primary",
        "site-failure: primary, at: 1s, when: detected",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, at: 1s, delay: 1s",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, after: kill",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, after: site-failure",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, when: noticed",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, when: { route_on: cloud }",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, when: { above: { series: a.b, value: 1 } }",
    ),
    ("site-failure: primary", "site-failure: primary, times: 2"),
    (
        "site-failure: primary",
        "site-failure: primary, times: 1001, every: 1ns",
    ),
    ("site-failure: primary", "site-failure: primary, every: 2s"),
    (
        "site-failure: primary",
        "site-failure: primary, for: 3s, times: 2, every: 3s",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, for: 3s, times: 9, every: 5s",
    ),
    (
        "site-failure: primary",
        "site-failure: primary, at: 5s, for: 26s",
    ),
    (
        "site-failure: primary",
        "slow-pod: { site: primary, pods: 1 }, for: 5s, times: 3, every: 13s",
    ),
    (
        "site-failure: primary",
        "disk-full: primary, for: 31s, when: detected",
    ),
    (
        "{ phase: steady, for: 30s }",
        "{ phase: steady, for: 30s }\n  - { phase: short, for: 2s, fault: { replication-pause: primary, for: 6s } }",
    ),
    ("site-failure: primary", "pod-kill: primary, for: 3s"),
    (
        "site-failure: primary",
        "message-flood: { site: primary, rate: 0/s }",
    ),
    (
        "site-failure: primary",
        "message-flood: { site: primary, factor: 0 }",
    ),
    (
        "site-failure: primary",
        "message-flood: { site: primary, rate: 9/s, factor: 2 }",
    ),
    (
        "site-failure: primary",
        "connection-leak: { site: primary, connections: 6000 }",
    ),
    (
        "dr: {}",
        "dr: { behaviour: { bounds: { client_rate: nothing } } }",
    ),
    (
        "dr: {}",
        "dr: { behaviour: { bounds: { validation: lax } } }",
    ),
    ("rpo: 15min", "refusal: 1057"),
    ("rpo: 15min", "refusal: 1056"),
    ("rpo: 15min", "refusal: 1056, fault: site-failur"),
    (
        "rpo: 15min",
        "refusal: 1056, fault: site-failure, budget: 3s",
    ),
    ("rpo: 15min", "rpo: 15min, within: 1s"),
    ("rpo: 15min", "lost: 0, recovered: 1s"),
    ("rpo: 15min", "suite: 90 %, fault: site-failure"),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: 3 }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: 5 }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: some }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: [] }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: [primary-4] }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: [primary-1, primary-1] }",
    ),
    ("site-failure: primary", "scale: { site: primary, pods: 4 }"),
    (
        "site-failure: primary",
        "scale: { site: primary, pods: 3 }, for: 6s, times: 2, every: 5s",
    ),
    (
        "site-failure: primary",
        "pod-pause: { site: primary, pods: [primary-1] }, for: 3s }, { pod-pause: { site: primary, pods: [primary-1] }, at: 2s",
    ),
    (
        "site-failure: primary",
        "node-drain: { site: primary, node: primary-node-0 }, for: 5s }, { node-drain: { site: primary, node: primary-node-0 }, at: 3s",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, pods: 2 } }, { pod-pause: { site: primary, pods: 1 }, for: 1s",
    ),
    (
        "site-failure: primary",
        "disk-full: primary, for: 3s }, { store-crash: primary, at: 2s",
    ),
    (
        "site-failure: primary",
        "slow-pod: { site: primary, pods: [primary-1] }, for: 9s }, { site-failure: primary, at: 2s",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, labels: { role: canary } }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, labels: { role: canary }, pods: [primary-1] }",
    ),
    (
        "site-failure: primary",
        "pod-kill: { site: primary, node: primary-node-0, pods: 1 }",
    ),
    (
        "site-failure: primary",
        "node-loss: { site: primary, node: primary-node-2 }",
    ),
    ("site-failure: primary", "node-loss: dr"),
    ("site-failure: primary", "scale: { site: primary, pods: 1 }"),
    (
        "site-failure: primary",
        "data-corruption: { site: primary, how: quiet }",
    ),
    ("site-failure: primary", "data-corruption: primary"),
    ("site-failure: primary", "replication-pause: dr"),
    (
        "site-failure: primary",
        "network: { link: clients, delay: 5ms }",
    ),
    (
        "site-failure: primary",
        "network: { link: replication, site: dr, delay: 5ms }",
    ),
    (
        "site-failure: primary",
        "network: { link: store, site: primary }",
    ),
    (
        "site-failure: primary",
        "network: { link: wire, site: primary, reset: true }",
    ),
    (
        "site-failure: primary",
        "command: { inject: [cut], heal: [join] }",
    ),
    (
        "site-failure: primary",
        "command: { inject: [], heal: [join], check: [cut] }",
    ),
    (
        "[{ site-failure: primary }]",
        "[{ site-failure: primary }, { site-failure: dr }]",
    ),
    (
        "[{ site-failure: primary }]",
        "[{ site-failure: primary, id: a }, { pod-kill: dr, id: a }]",
    ),
    ("faults: [{", "fault: { pod-kill: dr }\n    faults: [{"),
    (
        "site-failure: primary",
        "site-failure: primary, when: detected",
    ),
    // steps
    ("steps: []", "steps: [{ rebuild: primary }]"),
    ("steps: []", "steps: [{ restore: primary }]"),
    ("steps: []", "steps: [{ reroute: cloud }]"),
    ("steps: []", "steps: [{ promote: dr, from: local }]"),
    ("steps: []", "steps: [{ promot: dr }]"),
    ("steps: []", "steps: [{ fence: dr, after: read-back }]"),
    ("steps: []", "steps: [{ command: { run: [] } }]"),
    ("steps: []", "steps: [{ read-back: cloud }]"),
    (
        "steps: []",
        "steps: [{ fence: dr, id: a, after: b }, { promote: dr, id: b, after: a }]",
    ),
    (
        "site-failure: primary }]\n    steps: []",
        "natural-disaster: primary }]\n    steps: [{ rebuild: primary }, { restore: primary }]",
    ),
    // phases
    ("    until: recovered\n", ""),
    ("within: 30s", "for: 30s"),
    ("within: 30s", "within: 5s"),
    ("until: recovered", "until: recoverd"),
    (
        "{ phase: steady, for: 30s }",
        "{ phase: steady, until: recovered, within: 30s }",
    ),
    (
        "{ phase: steady, for: 30s }",
        "{ phase: steady, until: done, within: 30s }",
    ),
    (
        "  - { phase: steady",
        "  - { read-back: dr }\n  - { phase: steady",
    ),
    ("read-back: dr", "read-back: drr"),
    ("read-back: dr }", "read-back: dr, for: 3s }"),
    ("director: {}", "director: { automatic: false }"),
    // what counts as recovered, and how much may be broken
    ("objectives:", "recovery: { window: 1500ms }\nobjectives:"),
    ("objectives:", "recovery: { window: 1s }\nobjectives:"),
    ("objectives:", "recovery: { errors: 0 % }\nobjectives:"),
    ("objectives:", "recovery: { latency: p100 }\nobjectives:"),
    ("objectives:", "limits: { sites: 0 }\nobjectives:"),
    ("objectives:", "limits: { pods: 0.5 }\nobjectives:"),
    // the ledger
    ("ledger: write", "ledger: wirte"),
    ("ledger: write", "ledger: write, arguments: { a: b }"),
    ("ledger: write", "ledger: write, expect: tool_error"),
    ("ledger: write", "ledger: write, tool: put"),
    (
        "{ ledger: write }",
        "{ ledger: write }, { tool: echo, arguments: { a: '{{ledger.client}}' } }",
    ),
    (
        "{ ledger: write }",
        "{ ledger: write }, { tool: echo, arguments: { a: '{{cursor}}' } }",
    ),
    ("  - { read-back: dr }\n", ""),
    (
        "  - { read-back: dr }\n",
        "  - { read-back: dr }\n  - { phase: again, for: 5s, fault: { pod-kill: dr } }\n",
    ),
    (
        "objectives:",
        "ledger: { tool: scan, first_cursor: a, records: /r, next: /n, client: /c, sequence: /s, value: /v }\nobjectives:",
    ),
    // objectives
    ("budget: 8s", "budget: 5h"),
    ("budget: 8s", "below: 8s"),
    ("rto: 4h, budget: 8s", "rto: none"),
    ("budget: 8s", "fault: nothing"),
    ("budget: 8s", "fault: read-back"),
    ("rpo: 15min", "rpo: 15min, in: steady"),
    ("rpo: 15min", "errors: 1 %, budget: 1 s"),
    ("rpo: 15min", "split_brain: none"),
    ("rpo: 15min", "split_brian: 0"),
    ("rpo: 15min", "lost: 0, budget: 1s"),
    ("rpo: 15min", "rpo: 15min, id: a }\n  - { lost: 9, id: a"),
];

#[test]
fn every_mistake_shows_itself_alone_and_with_a_remedy() {
    let given = Given::named("drill.yaml");
    Plan::parse(DRILL, &given).unwrap_or_else(|problems| panic!("{problems}"));
    let mut page = String::new();
    let mut odd = String::new();
    for (right, wrong) in MISTAKES {
        let text = DRILL.replacen(right, wrong, 1);
        assert_ne!(text, DRILL, "{right}");
        match Plan::parse(&text, &given) {
            Ok(_) => writeln!(odd, "accepted: {wrong}\n").unwrap(),
            Err(found) => match found.problems.as_slice() {
                [problem] if !problem.remedy.is_empty() => writeln!(page, "{problem}\n").unwrap(),
                _ => writeln!(odd, "{wrong}\n{found}\n").unwrap(),
            },
        }
    }
    assert!(odd.is_empty(), "{odd}");
    insta::assert_snapshot!(page);
}

#[test]
fn a_pod_that_two_faults_name_is_hit_once() {
    let given = Given::named("drill.yaml");
    let limited = |second: &str| {
        let both = format!(
            "slow-pod: {{ site: primary, pods: [primary-1] }}, for: 9s }}, \
             {{ memory-exhaustion: {{ site: primary, pods: [{second}] }}, for: 9s"
        );
        let text = DRILL.replacen("site-failure: primary", &both, 1);
        let text = text.replace("objectives:", "limits: { pods: 25 % }\nobjectives:");
        Plan::parse(
            &text.replace(
                "  - { rto: 4h, budget: 8s }\n  - { rpo: 15min }\n",
                "  - { errors: 9 % }\n",
            ),
            &given,
        )
    };
    if let Err(problems) = limited("primary-1") {
        panic!("{problems}");
    }
    let found = limited("primary-2").unwrap_err().to_string();
    assert!(found.contains("2 of the 4 pods of `primary`"), "{found}");
}

/// Smaller plans, in which something that a drill needs is missing altogether.
#[test]
fn what_cannot_be_measured_is_refused() {
    let plain = "scenario: plain\nload: { rate: 100/s, operations: [{ tool: echo }] }\n\
        timeline: [{ phase: steady, for: 30s }]\nobjectives: [{ errors: 1 % }]\n";
    let fault = "timeline: [{ phase: steady, for: 30s, fault: { pod-kill: primary } }]";
    let timeline = "timeline: [{ phase: steady, for: 30s }]";
    let closed = plain.replace("rate: 100/s", "closed: { think: 1s }");
    let endpoint = plain.replace("load:", "target: { endpoint: http://localhost }\nload:");
    let quick = |victims: &str| {
        let sites = "target: { sites: { primary: { behaviour: { service_time: 100us } } } }\nload:";
        let fault = format!("for: 30s, fault: {{ slow-pod: {victims} }}");
        plain.replace("load:", sites).replace("for: 30s", &fault)
    };
    let cases = [
        plain.replace("errors: 1 %", "rto: 1h"),
        plain.replace("errors: 1 %", "rpo: 1h"),
        plain.replace("errors: 1 %", "lost: 0"),
        plain
            .replace("errors: 1 %", "rpo: 1h")
            .replace(timeline, fault),
        closed
            .replace("errors: 1 %", "rto: 1h")
            .replace(timeline, fault),
        plain.replace(
            "for: 30s",
            "for: 30s, fault: { store-crash: primary, when: detected }",
        ),
        plain.replace("for: 30s", "for: 30s, steps: [{ command: { run: [x] } }]"),
        plain.replace(
            "for: 30s",
            "for: 30s, fault: { replication-pause: primary }",
        ),
        plain.replace("for: 30s", "for: 30s, fault: { system-failure: primary }"),
        plain.replace("for: 30s }]", "for: 30s }, { read-back: serving }]"),
        plain.replace("for: 30s", "for: 30s, fault: { clock-jump: { ahead: 1h } }"),
        plain.replace(
            "for: 30s",
            "for: 30s, fault: { certificate-expiry: primary }",
        ),
        plain
            .replace("load:", "target: { sites: { primary: {}, dr: {} } }\nload:")
            .replace(
                "for: 30s",
                "for: 30s, steps: [{ promote: dr }, { reroute: dr }]",
            ),
        plain
            .replace(
                "load:",
                "target: { sites: { primary: {}, test: {} }, backups: {} }\nload:",
            )
            .replace("tool: echo", "ledger: write")
            .replace(
                "for: 30s }]",
                "for: 30s, steps: [{ restore: test, of: primary }] }, { read-back: serving }]",
            ),
        quick("primary"),
        quick("{ site: primary, factor: 10, busy: 30 % }"),
        endpoint.replace("for: 30s", "for: 30s, fault: { pod-kill: primary }"),
        endpoint.replace("tool: echo", "ledger: write"),
        endpoint.replace(
            "tool: echo",
            "ledger: write, tool: put, arguments: { a: '{{ledger.client}}' }",
        ),
    ];
    let mut page = String::new();
    for text in &cases {
        match Plan::parse(text, &Given::named("plain.yaml")) {
            Ok(_) => panic!("accepted:\n{text}"),
            Err(found) => writeln!(page, "{found}\n").unwrap(),
        }
    }
    insta::assert_snapshot!(page);
}
