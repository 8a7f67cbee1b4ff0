//! The plan in words.

use crate::common;

use firedrill_scenarios::catalog;

#[test]
fn the_baseline_in_words() {
    let (_, text) = catalog()
        .iter()
        .find(|(name, _)| *name == "baseline")
        .unwrap();
    insta::assert_snapshot!(common::parse(text).describe());
}

#[test]
fn every_kind_of_thing_in_words() {
    let text = common::parse(common::EVERYTHING).describe();
    let (words, _) = text.split_once("\nvalues").unwrap();
    insta::assert_snapshot!(words);
}

fn words(text: &str) -> String {
    let text = common::parse(text).describe();
    let (words, _) = text.split_once("\nvalues").unwrap();
    words.to_owned()
}

/// What will be broken, how it is undone, and what brings service back.
#[test]
fn every_kind_of_fault_in_words() {
    insta::assert_snapshot!(words(common::DRILL));
}

#[test]
fn the_first_disaster_in_words() {
    let (_, text) = catalog()
        .iter()
        .find(|(name, _)| *name == "site-failure")
        .unwrap();
    insta::assert_snapshot!(words(text));
}

#[test]
fn an_endpoint_in_words() {
    insta::assert_snapshot!(common::parse(common::ENDPOINT).describe());
}

/// What is allowed, and probably not meant.
#[test]
fn warnings() {
    let text = "scenario: odd\nload:\n  arrivals: { spike: { base: 1/s, peak: 9/s, at: 1h, for: 1s } }\n  \
        operations: [{ tool: echo }]\ntimeline: [{ phase: steady, for: 10s }]\n";
    let odd = [
        text.to_owned(),
        text.to_owned()
            + "objectives: [{ latency: p99, below: 1s }, { errors: 0.5 %, operation: echo }]\n",
        text.replace(
            "spike: { base: 1/s, peak: 9/s, at: 1h, for: 1s }",
            "trace: data/day.txt",
        )
        .replace("10s", "1s")
            + "objectives: [{ throughput: 1/s }]\n",
    ];
    let shown: Vec<String> = odd
        .iter()
        .flat_map(|text| common::parse(text).notes.warnings)
        .map(|warning| warning.to_string())
        .collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

/// Later steps of flows are due when the step before has ended, and no part of the latency of all operations.
#[test]
fn a_latency_of_all_does_not_claim_the_later_steps_of_flows() {
    let text = "scenario: unit\nload:\n  rate: 100/s\n  operations: [{ tool: echo, name: ask }, { tool: slow, name: work }]\n  \
        flows: [{ name: visit, steps: [ask, work] }]\ntimeline: [{ phase: steady, for: 10s }]\n\
        objectives: [{ latency: p99, below: 1s }]\n";
    let plan = common::parse(text);
    assert!(
        plan.describe()
            .contains("p99 of all operations but later steps of flows below 1 s")
    );
    let warned: Vec<&str> = plan
        .notes
        .warnings
        .iter()
        .map(|own| own.message.as_str())
        .collect();
    assert_eq!(
        warned,
        ["this does not look at how long later steps of flows take: visit.work"]
    );
    let both = text.replace(
        "1s }]",
        "1s }, { latency: p90, below: 2s, operation: visit.work }]",
    );
    assert!(common::parse(&both).notes.warnings.is_empty());
}
