//! The JSON Schema that is checked in, held against the decoder.

use crate::common;

use std::path::Path;

use firedrill_scenarios::{Plan, catalog, programme_schema, schema};
use serde_json::Value;

/// `UPDATE_SCHEMA=1 cargo test` writes it anew.
#[test]
fn the_schema_that_is_checked_in_is_the_current_one() {
    for (file, schema) in [
        ("scenario.schema.json", schema()),
        ("programme.schema.json", programme_schema()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            std::fs::write(&path, text).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            serde_json::from_str::<Value>(&text).unwrap() == schema,
            "run with UPDATE_SCHEMA=1 and commit {file}"
        );
    }
}

fn json(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn what_is_a_plan_is_valid() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let shipped = catalog().iter().map(|(_, text)| *text);
    for text in shipped.chain([
        common::EVERYTHING,
        common::ENDPOINT,
        common::DRILL,
        common::HOSTILE,
    ]) {
        let plan = common::parse(text);
        for text in [text, &plan.to_yaml()] {
            let problems: Vec<String> = validator
                .iter_errors(&json(text))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert_eq!(problems, Vec::<String>::new());
        }
    }
}

/// Each is the minimal scenario with one change that makes it wrong.
const WRONG: [(&str, &str); 34] = [
    ("scenario: minimal", "scenario: two words"),
    ("scenario: minimal", "about: no name"),
    ("rate: 10/s", "rate: 10"),
    ("rate: 10/s", "rate: 10/s, arival: {}"),
    ("rate: 10/s", "arrivals: { constant: 1/s, poisson: 1/s }"),
    ("rate: 10/s", "arrivals: { spacing: even }"),
    ("rate: 10/s", "arrivals: { ramp: { from: 1/s } }"),
    ("rate: 10/s", "rate: 10/s, spacing: evn"),
    ("rate: 10/s", "closed: { think: 5 }"),
    ("rate: 10/s", "rate: 10/s, sessions: { count: 0 }"),
    ("rate: 10/s", "rate: 10/s, sessions: { lifetime: forever }"),
    ("rate: 10/s", "rate: 10/s, max_in_flight: many"),
    ("tool: echo", "tool: echo, method: ping"),
    ("tool: echo", "weight: 1"),
    ("tool: echo", "tool: echo, timeout: 5"),
    ("tool: echo", "tool: echo, weight: -1"),
    ("tool: echo", "tool: echo, check: { content: x }"),
    ("tool: echo", "tool: echo, expect: eror"),
    ("for: 10min", "for: 10m"),
    ("for: 10min", "measured: true"),
    ("for: 10min", "for: 10min, measured: maybe"),
    ("errors: 1 %", "errors: 1 %, throughput: 5/s"),
    ("errors: 1 %", "latency: 99, below: 1s"),
    ("errors: 1 %", "errors: 1"),
    ("for: 10min", "for: 10min, within: 5s"),
    ("for: 10min", "within: 5s, until: over"),
    ("for: 10min", "for: 10min, fault: { at: 5s }"),
    ("for: 10min", "for: 10min, fault: { pod-kil: primary }"),
    (
        "for: 10min",
        "for: 10min, fault: { pod-kill: primary, store-crash: primary }",
    ),
    (
        "for: 10min",
        "for: 10min, fault: { pod-kill: { site: primary, pods: 0 } }",
    ),
    (
        "for: 10min",
        "for: 10min, fault: { pod-kill: primary, when: noticed }",
    ),
    (
        "for: 10min",
        "for: 10min, fault: { pod-kill: primary }, steps: [{ restored: primary }]",
    ),
    ("tool: echo", "ledger: wirte"),
    ("errors: 1 %", "split_brain: no"),
];

const MINIMAL: &str = "scenario: minimal\n\
    load: { rate: 10/s, operations: [{ tool: echo }] }\n\
    timeline: [{ phase: steady, for: 10min }]\n\
    objectives: [{ errors: 1 % }]\n";

#[test]
fn what_is_wrong_is_refused_by_both() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    assert!(validator.is_valid(&json(MINIMAL)));
    common::parse(MINIMAL);
    for (right, wrong) in WRONG {
        let text = MINIMAL.replace(right, wrong);
        assert_ne!(text, MINIMAL);
        assert!(
            !validator.is_valid(&json(&text)),
            "the schema accepts {wrong}"
        );
        assert!(
            Plan::parse(&text, &common::sources("wrong.yaml")).is_err(),
            "the decoder accepts {wrong}"
        );
    }
}
