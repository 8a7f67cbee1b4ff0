//! The shipped scenarios.

use std::path::Path;
use std::time::Duration;

use firedrill_scenarios::plan::Subject;
use firedrill_scenarios::{Given, Plan, about, catalog, programmes};

fn shipped(name: &str, overrides: &[&str]) -> Plan {
    let (_, text) = catalog().iter().find(|(known, _)| *known == name).unwrap();
    let mut given = Given::named(format!("{name}.yaml"));
    given.overrides = overrides.iter().map(|set| (*set).to_owned()).collect();
    Plan::parse(text, &given).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_shipped_scenario_is_a_plan_without_warnings() {
    for (name, text) in catalog() {
        let plan = shipped(name, &[]);
        assert_eq!(plan.name, *name);
        assert_eq!(plan.notes.warnings, [], "{name}");
        assert!(
            plan.covers.is_some() && !plan.objectives.is_empty(),
            "{name}"
        );
        assert_eq!(about(text), plan.about);
    }
}

#[test]
fn every_file_of_the_catalog_is_shipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut names: Vec<String> = catalog()
        .iter()
        .chain(programmes())
        .map(|(name, _)| format!("{name}.yaml"))
        .collect();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn the_smoke_test_takes_ten_seconds_and_the_soak_as_long_as_wanted() {
    assert_eq!(shipped("smoke", &[]).length(), Duration::from_secs(10));
    assert_eq!(shipped("soak", &[]).length(), Duration::from_secs(610));
    assert_eq!(
        shipped("soak", &["timeline.steady.for=8h"]).length(),
        Duration::from_secs(8 * 3600 + 10)
    );
    let (_, text) = catalog().iter().find(|(name, _)| *name == "soak").unwrap();
    let mut given = Given::named("soak.yaml");
    given
        .variables
        .insert("SOAK_FOR".to_owned(), "2min".to_owned());
    assert_eq!(
        Plan::parse(text, &given).unwrap().length(),
        Duration::from_secs(130)
    );
}

/// The commands that the files' own comments name.
#[test]
fn the_limits_can_be_moved() {
    let plan = shipped(
        "ramp-to-limit",
        &[
            "timeline.climb.arrivals.ramp.to=5000/s",
            "timeline.climb.for=5min",
        ],
    );
    assert_eq!(
        plan.expected_arrivals(1),
        Some(0.5 * (100.0 + 5000.0) * 300.0)
    );
    shipped("baseline", &["load.rate=1500/s", "load.sessions.count=200"]);
}

#[test]
fn the_first_example_of_each_page_of_the_documentation_is_a_plan() {
    for page in ["scenarios.md", "drills.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(page);
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) = text.split_once("```yaml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let plan = Plan::parse(example, &Given::named(page)).unwrap();
        assert_eq!(plan.notes.warnings, [], "{page}");
    }
}

/// The SOP's limits of the four disasters, and the length of every drill.
#[test]
fn the_four_disasters_have_the_limits_of_the_procedure() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let quarter = Duration::from_secs(15 * 60);
    for (name, rto, rpo) in [
        ("site-failure", hours(4), quarter),
        ("data-corruption", hours(2), hours(1)),
        ("system-failure", hours(8), hours(4)),
        ("natural-disaster", hours(24), hours(4)),
    ] {
        let plan = shipped(name, &[]);
        let limit = |id: &str| {
            let own = plan.objectives.iter().find(|own| own.id == id);
            match own.unwrap_or_else(|| panic!("{name} has no {id}")).subject {
                Subject::Rto { below, .. } | Subject::Rpo { below, .. } => below,
                _ => panic!("{id}"),
            }
        };
        assert_eq!((limit("rto"), limit("rpo")), (rto, rpo), "{name}");
        assert!(limit("rto-budget") < Duration::from_secs(60), "{name}");
        assert!(limit("rpo-budget") < Duration::from_secs(60), "{name}");
    }
    for (name, _) in catalog() {
        let plan = shipped(name, &[]);
        if !plan.drill.actions.is_empty() {
            let minutes = if *name == "chaos-patterns" { 6 } else { 1 };
            let most = Duration::from_secs(60 * minutes + 30);
            assert!(plan.length() <= most, "{name}");
        }
    }
}

/// Buckets and windows of tests.
#[test]
fn a_drill_can_be_a_miniature() {
    let plan = shipped(
        "site-failure",
        &[
            "bucket=200ms",
            "recovery.window=2s",
            "timeline.steady.for=2s",
            "timeline.dr.for=5s",
            "load.rate=200/s",
        ],
    );
    assert_eq!(plan.drill.recovery.window, Duration::from_secs(2));
}

#[test]
fn nothing_may_be_lost_where_no_recovery_point_is_asked_for() {
    let lost = |plan: &Plan| {
        let own = plan.objectives.iter().filter(|own| own.id == "lost");
        own.count()
    };
    let (_, text) = catalog()
        .iter()
        .find(|(name, _)| *name == "store-crash")
        .unwrap();
    let silent: String = text
        .lines()
        .filter(|line| !line.contains("{ lost: 0 }"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(silent.len() < text.len(), "it says so itself no more");
    let plan = Plan::parse(&silent, &Given::named("store-crash.yaml")).unwrap();
    assert_eq!(lost(&plan), 1);
    assert_eq!(lost(&shipped("site-failure", &[])), 0);
}
