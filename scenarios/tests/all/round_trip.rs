//! The resolved plan reads back as an equal plan.

use crate::common;

use firedrill_scenarios::{Given, Plan, catalog};
use proptest::prelude::*;

fn again(plan: &Plan) -> Plan {
    let text = plan.to_yaml();
    let mut given = Given::named("plan.yaml");
    for (name, bytes) in plan.source_files() {
        given.files.insert(format!("sources/{name}"), bytes);
    }
    Plan::parse(&text, &given).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[test]
fn shipped_scenarios_and_every_key() {
    let shipped = catalog().iter().map(|(_, text)| *text);
    for text in shipped.chain([
        common::EVERYTHING,
        common::ENDPOINT,
        common::DRILL,
        common::HOSTILE,
    ]) {
        let plan = common::parse(text);
        let read = again(&plan);
        assert_eq!(read, plan);
        // Once resolved, nothing changes any more.
        assert_eq!(read.to_yaml(), plan.to_yaml());
        assert_eq!(read.source_files(), plan.source_files());
    }
}

/// Any text, with the characters that mean something to YAML, to templates and to variables among it.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        "[{}$\"'\\\\:#,\\[\\]&*!|>%@`~ -]{1,6}",
        Just("${X}".to_owned()),
        Just("{{unique}}".to_owned()),
        Just("null".to_owned()),
        Just("1e5".to_owned()),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// As a scenario has to write it: a quoted text without variables.
fn written(text: &str) -> String {
    serde_json::to_string(&text.replace("${", "$${")).unwrap()
}

/// The same, and without holes.
fn literal(text: &str) -> String {
    written(&text.replace("{{", "{{{{"))
}

fn hole() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{{unique}}".to_owned()),
        Just("{{seq}}".to_owned()),
        (any::<i32>(), 0u32..1000).prop_map(|(low, more)| format!(
            "{{{{int({low},{})}}}}",
            i64::from(low) + i64::from(more)
        )),
        (1usize..50, 0.1..3.0).prop_map(|(n, s)| format!("{{{{zipf({n},{s})}}}}")),
        (0usize..3000).prop_map(|n| format!("{{{{pad({n})}}}}")),
    ]
}

fn quantity(units: &'static [&'static str]) -> impl Strategy<Value = String> {
    (1u32..100_000, 0u32..1000, proptest::sample::select(units))
        .prop_map(|(whole, milli, unit)| format!("{whole}.{milli:03} {unit}"))
}

fn arrivals() -> impl Strategy<Value = String> {
    let rate = || quantity(&["/s", "/min", "/h"]);
    let time = || quantity(&["ms", "s", "min"]);
    let spacing = proptest::sample::select(&["even", "poisson", "uniform"][..]);
    let shape = prop_oneof![
        rate().prop_map(|rate| format!("constant: {rate}")),
        (rate(), rate(), time())
            .prop_map(|(a, b, t)| format!("ramp: {{ from: {a}, to: {b}, over: {t} }}")),
        (rate(), time()).prop_map(|(a, t)| format!("steps: [{{ rate: {a}, for: {t} }}]")),
        (rate(), rate(), time(), time()).prop_map(|(a, b, t, u)| format!(
            "spike: {{ base: {a}, peak: {b}, at: {t}, for: {u} }}"
        )),
    ];
    (shape, spacing).prop_map(|(shape, spacing)| format!("{{ {shape}, spacing: {spacing} }}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_plans(
        about in text(),
        key in text(),
        argument in text(),
        hole in hole(),
        arrivals in arrivals(),
        share in 0.0001f64..100.0,
        timeout in quantity(&["us", "ms", "s"]),
        weight in 0.001f64..1e6,
    ) {
        let text = format!(
            "scenario: generated\nabout: {about}\nload:\n  arrivals: {arrivals}\n  operations:\n    \
             - tool: echo\n      weight: {weight}\n      timeout: {timeout}\n      \
               arguments: {{ {key}: {argument}, mixed: \"<{hole}>\", whole: \"{hole}\", tail: \"$${hole}\" }}\n      \
               check: {{ /a: {argument}, /b: \"{{{{mixed}}}}\", /c: {{ contains: {argument} }} }}\n\
             timeline: [{{ phase: steady, for: 10min }}]\nobjectives: [{{ errors: {share} % }}]\n",
            about = written(&about),
            key = literal(&format!("k{key}")),
            argument = literal(&argument),
        );
        let plan = common::parse(&text);
        prop_assert_eq!(&plan.about, &about);
        prop_assert_eq!(again(&plan), plan);
    }

    /// Whatever stands in a file, the answer is a plan that reads back, or a page of problems.
    #[test]
    fn damaged_scenarios(
        base in proptest::sample::select(&[common::EVERYTHING, common::ENDPOINT, common::DRILL, common::HOSTILE][..]),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..12, text()), 1..4),
        path in "[a-z0-9.\\-]{0,12}|(load|target|timeline|objectives|probes)(\\.[a-z0-9-]{1,9}){0,3}",
        value in text(),
    ) {
        let mut text: Vec<char> = base.chars().collect();
        for (at, length, insert) in damage {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        let mut given = common::sources("damaged.yaml");
        for overrides in [Vec::new(), vec![format!("{path}={value}")]] {
            given.overrides = overrides;
            match Plan::parse(&text, &given) {
                Ok(plan) => {
                    plan.describe();
                    prop_assert_eq!(again(&plan), plan);
                }
                Err(problems) => prop_assert!(!problems.problems.is_empty() && !problems.to_string().is_empty()),
            }
        }
    }
}
