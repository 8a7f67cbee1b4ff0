//! What is wrong with a scenario is shown at once, each problem with its place and its remedy.

use std::fmt::Write;

use firedrill_scenarios::{Diagnostics, Given, Plan};

fn problems(text: &str, given: &Given) -> Diagnostics {
    match Plan::parse(text, given) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(problems) => problems,
    }
}

#[test]
fn ten_mistakes_show_ten_diagnostics() {
    let text = include_str!("data/ten-mistakes.yaml");
    let found = problems(text, &Given::named("ten-mistakes.yaml"));
    assert_eq!(found.problems.len(), 10);
    insta::assert_snapshot!(found);
}

#[test]
fn what_is_too_deep_or_too_long_is_said_in_the_languages_words() {
    let deep = format!("scenario: {}{}\n", "[".repeat(60), "]".repeat(60));
    let long = format!("scenario: [{}]\n", "1, ".repeat(100_001));
    let said =
        [deep, long].map(|text| problems(&text, &Given::named("big.yaml")).problems[0].to_string());
    for (said, words) in said
        .iter()
        .zip(["more than 48 deep", "more than 100000 keys"])
    {
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("budget"), "{said}");
    }
}

/// The smallest scenario; each mistake replaces a part of it.
const MINIMAL: &str = "\
scenario: minimal
load:
  rate: 10/s
  operations:
    - { tool: echo, arguments: { message: hi } }
timeline:
  - { phase: steady, for: 10min }
objectives:
  - { errors: 1 % }
";

/// One mistake each: what is replaced, and by what.
const MISTAKES: &[(&str, &str)] = &[
    // keys, words, names
    ("timeline:", "timelin:"),
    ("  rate: 10/s\n", "  rate: 10/s\n  rate: 20/s\n"),
    (
        "scenario: minimal",
        "scenario: minimal\ntarget: { site: {} }",
    ),
    ("scenario: minimal", "scenario: minimal\nload2: {}"),
    ("load:", "loads: {}\nload:"),
    ("scenario: minimal\n", ""),
    ("phase: steady", "phase: 'steady state'"),
    ("scenario: minimal", "---\nabout: one\n---\nscenario: two"),
    (
        "scenario: minimal",
        "scenario: minimal\ntarget: { sites: { a: { pods: 201 } } }",
    ),
    (
        "scenario: minimal",
        "scenario: minimal\ntarget: { sites: { a: { nodes: 300 } } }",
    ),
    // quantities
    ("10min", "10"),
    ("10min", "10 minutes"),
    ("10min", "5m"),
    ("10min", "0s"),
    ("10min", "-5s"),
    ("10/s", "10/sec"),
    ("10/s", "ten"),
    ("10/s", "99999999/s"),
    ("1 %", "101 %"),
    ("1 %", "0.01"),
    ("1 %", "0 %"),
    ("tool: echo", "tool: echo, max_answer: 64"),
    ("tool: echo", "tool: echo, max_answer: 0B"),
    ("tool: echo", "tool: echo, timeout: 0ms"),
    // load
    ("rate: 10/s", "sessions: { count: 1 }"),
    ("rate: 10/s", "rate: 0/s"),
    ("rate: 10/s", "rate: 10/s\n  closed: { think: 1s }"),
    ("rate: 10/s", "rate: 10/s\n  arrivals: { constant: 1/s }"),
    ("rate: 10/s", "spacing: poisson"),
    ("rate: 10/s", "rate: 10/s\n  max_in_flight: 0"),
    ("rate: 10/s", "rate: 10/s\n  max_in_flight: 5000000000"),
    ("rate: 10/s", "rate: 10/s\n  max_in_flight: 1e3"),
    ("rate: 10/s", "rate: 10/s\n  sessions: { count: 0 }"),
    ("rate: 10/s", "rate: 10/s\n  sessions: { open_rate: 0/s }"),
    (
        "rate: 10/s",
        "rate: 10/s\n  sessions: { lifetime: 0 calls }",
    ),
    ("rate: 10/s", "rate: 10/s\n  sessions: { end: deleted }"),
    (
        "rate: 10/s",
        "arrivals: { sine: { mean: 10/s, amplitude: 11/s, period: 10s } }",
    ),
    (
        "rate: 10/s",
        "arrivals: { burst: { base: 1/s, peak: 2/s, every: 1s, for: 2s } }",
    ),
    ("rate: 10/s", "arrivals: { poisson: 10/s, spacing: even }"),
    ("rate: 10/s", "arrivals: { steps: [] }"),
    ("rate: 10/s", "arrivals: { trace: missing.txt }"),
    ("rate: 10/s", "arrivals: { trace: late.txt }"),
    ("rate: 10/s", "arrivals: { trace: words.txt }"),
    ("rate: 10/s", "closed: { think: { uniform: [2s, 1s] } }"),
    ("rate: 10/s", "rate: 10/s\n  csv: empty.csv"),
    // operations, templates, checks
    ("tool: echo", "resource: 'file:///a'"),
    (
        "tool: echo, arguments: { message: hi }",
        "method: initialize",
    ),
    (
        "tool: echo, arguments: { message: hi }",
        "method: notifications/progress",
    ),
    (
        "tool: echo, arguments: { message: hi }",
        "method: tools/call, params: {}",
    ),
    ("tool: echo, arguments: { message: hi }", "method: shutdown"),
    ("tool: echo, arguments: { message: hi }", "weight: 1"),
    ("tool: echo", "tool: 'my tool'"),
    ("tool: echo", "tool: echo, weight: -1"),
    ("tool: echo", "tool: echo, weight: 0"),
    ("tool: echo", "tool: echo, expect: { rpc_error: no }"),
    ("message: hi", "message: '{{unique'"),
    ("message: hi", "message: '{{int(5,1)}}'"),
    ("message: hi", "message: '{{zipf(0)}}'"),
    ("message: hi", "message: '{{int}}'"),
    ("message: hi", "message: '{{csv.name}}'"),
    ("message: hi", "message: '{{saved.token}}'"),
    ("message: hi", "message: '{{pad(1TB)}}'"),
    ("message: hi", "'{{unique}}': hi"),
    ("tool: echo", "tool: echo, check: { content: hi }"),
    ("tool: echo", "tool: echo, check: { /a: '{{text}}' }"),
    ("tool: echo", "tool: echo, check: { /a: { is: 5 } }"),
    ("tool: echo", "tool: echo, check: { /a: {} }"),
    ("tool: echo", "tool: echo, check: { /a: ['{{message}}'] }"),
    ("tool: echo", "tool: echo, check: { size: { below: 5 } }"),
    (
        "    - { tool: echo, ",
        "    - { tool: echo }\n    - { tool: echo, ",
    ),
    (
        "timeline:",
        "  flows: [{ name: f, steps: [ecco] }]\ntimeline:",
    ),
    (
        "timeline:",
        "  flows: [{ name: f, steps: [{ operation: echo, think: 1s }] }]\ntimeline:",
    ),
    (
        "timeline:",
        "  flows: [{ name: echo, steps: [echo] }, { name: echo, steps: [echo] }]\ntimeline:",
    ),
    // target
    ("load:", "target: { sites: { a: { pods: 0 } } }\nload:"),
    (
        "load:",
        "target: { sites: { a: { nodes: 3, pods: 2 } } }\nload:",
    ),
    ("load:", "target: { sites: {} }\nload:"),
    (
        "load:",
        "target: { sites: { a: {} }, endpoint: http://localhost }\nload:",
    ),
    ("load:", "target: { bearer: { env: X } }\nload:"),
    ("load:", "target: { endpoint: localhost:8080 }\nload:"),
    (
        "load:",
        "target: { endpoint: http://localhost, bearer: s3cret }\nload:",
    ),
    (
        "load:",
        "target: { endpoint: http://localhost, headers: { Host: a } }\nload:",
    ),
    (
        "load:",
        "target: { endpoint: http://localhost, headers: { 'a b': c } }\nload:",
    ),
    (
        "load:",
        "target: { endpoint: http://localhost, headers: { Authorization: Basic YTpi } }\nload:",
    ),
    (
        "load:",
        "target: { endpoint: http://localhost, allow_host: 'http://a' }\nload:",
    ),
    (
        "load:",
        "target: { endpoint: http://localhost, tls: { ca: a.pem } }\nload:",
    ),
    (
        "load:",
        "target: { endpoint: https://localhost, tls: { client_cert: a.pem } }\nload:",
    ),
    ("load:", "target: { profile: erlmpc }\nload:"),
    (
        "load:",
        "target: { profile: { like: erlmcp, protocol: 2025-06-18 } }\nload:",
    ),
    // timeline
    (
        "for: 10min }",
        "for: 10min }\n  - { phase: steady, for: 1s }",
    ),
    ("for: 10min", "for: 10min, measured: no"),
    ("for: 10min", "for: 10min, measured: false"),
    ("for: 10min", "for: 10min, loads: { laod: { rate: 1/s } }"),
    // probes and objectives
    (
        "objectives:",
        "probes: { a: { json: { x: /x } } }\nobjectives:",
    ),
    (
        "objectives:",
        "probes: { a: { path: /m, prometheus: { x: 'a b' } } }\nobjectives:",
    ),
    ("errors: 1 %", "errors: 1 %, class: connct"),
    ("errors: 1 %", "errors: 1 %, class: connect.refusd"),
    ("errors: 1 %", "errors: 1 %, operation: ecco"),
    ("errors: 1 %", "errors: 1 %, over: 1500ms"),
    ("errors: 1 %", "errors: 1 %, over: 1h"),
    ("errors: 1 %", "errors: 1 %, in: []"),
    ("errors: 1 %", "errors: 1 %, below: 5"),
    ("errors: 1 %", "latency: p100, below: 1s"),
    ("errors: 1 %", "latency: p99"),
    ("errors: 1 %", "metric: a.b, below: 5"),
    (
        "errors: 1 % }",
        "errors: 1 %, id: e }\n  - { errors: 2 %, id: e }",
    ),
    (
        "for: 10min }",
        "for: 10min, rate: 0/s }\n  - { phase: other, for: 1s, measured: false }",
    ),
    ("objectives:", "bucket: 1ms\nobjectives:"),
    // variables
    ("10min", "${FOR}"),
    ("10min", "\"${FOR}\""),
    ("10min", "\"${}\""),
    // what is no YAML comes singly
    ("  rate", "\trate"),
    ("{ errors: 1 % }", "{ errors: 1 %"),
    ("message: hi", "message: {{unique}}"),
    ("message: hi", "message: !text hi"),
];

#[test]
fn every_mistake_shows_itself_alone_and_with_a_remedy() {
    let mut given = Given::named("minimal.yaml");
    for (name, text) in [
        ("late.txt", "2\n1\n"),
        ("words.txt", "0\nsoon\n"),
        ("empty.csv", "a,b\n"),
    ] {
        given
            .files
            .insert(name.to_owned(), text.as_bytes().to_vec());
    }
    Plan::parse(MINIMAL, &given).unwrap_or_else(|problems| panic!("{problems}"));
    let mut page = String::new();
    for (right, wrong) in MISTAKES {
        let text = MINIMAL.replacen(right, wrong, 1);
        assert_ne!(text, MINIMAL, "{right}");
        let found = problems(&text, &given);
        let [problem] = found.problems.as_slice() else {
            panic!("{wrong}\n{found}");
        };
        assert!(!problem.remedy.is_empty() && problem.line > 0 && problem.column > 0);
        writeln!(page, "{problem}\n").unwrap();
    }
    insta::assert_snapshot!(page);
}

#[test]
fn nothing_at_all_is_no_scenario() {
    for text in ["", "- a\n", "5\n", "scenario: x\n---\nscenario: y\n"] {
        let found = problems(text, &Given::named("odd.yaml"));
        assert_eq!(found.problems.len(), 1, "{found}");
    }
}

/// Aliases that expand to millions of values, and brackets nested by the thousand, end in a diagnostic.
#[test]
fn bombs_do_not_go_off() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let last = format!("*a{}, ", level - 1).repeat(10);
        writeln!(aliases, "a{level}: &a{level} [{last}]").unwrap();
    }
    let brackets = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    for text in [aliases, brackets] {
        assert_eq!(
            problems(&text, &Given::named("bomb.yaml")).problems.len(),
            1
        );
    }
}
