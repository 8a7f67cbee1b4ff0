//! The shipped scenarios.

use firedrill_scenarios::{Given, Plan, catalog};

#[test]
fn every_shipped_scenario_is_a_plan_without_warnings() {
    for (name, text) in catalog() {
        let plan = Plan::parse(text, &Given::named(format!("{name}.yaml")))
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(plan.name, *name);
        assert_eq!(plan.notes.warnings, [], "{name}");
        assert!(!plan.about.is_empty() && plan.covers.is_some(), "{name}");
    }
}
