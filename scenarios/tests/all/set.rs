//! `--set path=value` changes the scenario, and is checked like it.

use crate::common;

use std::time::Duration;

use firedrill_scenarios::plan::{
    Arrivals, Drive, Rate, ServiceTime, Shape, Spacing, Start, Subject, Target, When,
};
use firedrill_scenarios::provenance::Origin;
use firedrill_scenarios::{Diagnostics, Plan};

const TEXT: &str = "\
scenario: small
load:
  arrivals: { poisson: 10/s }
  operations:
    - { tool: echo, weight: 2 }
    - { method: tools/list }
timeline:
  - { phase: warm-up, for: 5s, measured: false }
  - { phase: steady, for: 10min }
objectives:
  - { latency: p99, below: 100ms }
  - { errors: 1 % }
";

fn with(text: &str, overrides: &[&str]) -> Result<Plan, Diagnostics> {
    let mut given = common::sources("small.yaml");
    given.overrides = overrides.iter().map(|set| (*set).to_owned()).collect();
    Plan::parse(text, &given)
}

fn set(overrides: &[&str]) -> Plan {
    with(TEXT, overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

fn own(plan: &Plan) -> &Arrivals {
    match &plan.loads[0].drive {
        Drive::Open(arrivals) => arrivals,
        Drive::Closed { .. } => panic!("open"),
    }
}

#[test]
fn the_rate_keeps_its_spacing() {
    let shaped = |rate, spacing| Arrivals::Shaped {
        shape: Shape::Constant(Rate(rate)),
        spacing,
    };
    assert_eq!(
        *own(&set(&["load.rate=1000/s"])),
        shaped(1000.0, Spacing::Poisson)
    );
    assert_eq!(
        *own(&set(&["loads.load.rate=1000/s"])),
        shaped(1000.0, Spacing::Poisson)
    );
    let short = TEXT.replace("arrivals: { poisson: 10/s }", "rate: 10/s");
    assert_eq!(
        *own(&with(&short, &["load.rate=5/s"]).unwrap()),
        shaped(5.0, Spacing::Even)
    );
    let named = TEXT.replace("load:\n", "loads:\n a:\n");
    assert_eq!(
        *own(&with(&named, &["load.rate=5/s"]).unwrap()),
        shaped(5.0, Spacing::Poisson)
    );
    assert_eq!(
        *own(&with(&named, &["loads.a.rate=5/s"]).unwrap()),
        shaped(5.0, Spacing::Poisson)
    );
}

#[test]
fn items_are_named_or_numbered() {
    let plan = set(&[
        "timeline.steady.for=20min",
        "timeline.0.for=1s",
        "objectives.latency-p99.below=50ms",
        "objectives.1.errors=2 %",
        "load.operations.echo.weight=5",
        "load.operations.tools/list.timeout=1s",
    ]);
    assert_eq!(plan.timeline[0].length, Duration::from_secs(1));
    assert_eq!(plan.timeline[1].length, Duration::from_secs(1200));
    assert_eq!(plan.latency_limits(), [Duration::from_millis(50)]);
    assert_eq!(plan.loads[0].flows[0].weight, 5.0);
    assert_eq!(plan.loads[0].operations[1].timeout, Duration::from_secs(1));
    assert_eq!(
        plan.origin("objectives[1].errors"),
        Some(&Origin::Set("objectives.1.errors=2 %".to_owned()))
    );
}

#[test]
fn keys_that_are_not_in_the_file_can_be_set() {
    let plan = set(&[
        "bucket=200ms",
        "load.sessions.count=5",
        "target.sites.primary.behaviour.service_time=3ms",
        "load.arrivals={ ramp: { from: 1/s, to: 2/s } }",
    ]);
    assert_eq!(plan.bucket, Duration::from_millis(200));
    assert_eq!(plan.loads[0].sessions.count, 5);
    assert!(matches!(
        own(&plan),
        Arrivals::Shaped {
            shape: Shape::Ramp { .. },
            ..
        }
    ));
    let Target::Embedded(embedded) = &plan.target else {
        panic!("embedded")
    };
    assert_eq!(
        embedded.sites[0].behaviour.service_time,
        ServiceTime::Fixed(Duration::from_millis(3))
    );
    assert!(matches!(
        set(&["target={ endpoint: 'http://localhost:8080' }"]).target,
        Target::Endpoint(_)
    ));
}

#[test]
fn later_ones_win_and_variables_are_replaced() {
    assert_eq!(
        set(&["bucket=2s", "bucket=${B:-5s}"]).bucket,
        Duration::from_secs(5)
    );
}

#[test]
fn mistakes_point_at_the_argument() {
    let mut page = String::new();
    for wrong in [
        "load.rat=5/s",
        "load.rate=5",
        "load.sesions.count=5",
        "timeline.stedy.for=1s",
        "timeline.steady.fro=1s",
        "objectives.latency-p95.below=1s",
        "bucket",
        "=5",
        "bucket=",
        "bucket={",
        "load.sessions.count=${MISSING}",
    ] {
        let found = with(TEXT, &[wrong]).unwrap_err();
        assert_eq!(found.problems.len(), 1, "{found}");
        assert_eq!(found.problems[0].source, "--set");
        page += &format!("{}\n\n", found.problems[0]);
    }
    let ramp = TEXT.replace("poisson: 10/s", "ramp: { from: 1/s, to: 2/s }");
    let several = TEXT.replace(
        "load:\n",
        "loads:\n b: { rate: 1/s, operations: [{ tool: echo }] }\n a:\n",
    );
    for (text, wrong) in [(&ramp, "load.rate=5/s"), (&several, "load.rate=5/s")] {
        page += &format!("{}\n\n", with(text, &[wrong]).unwrap_err().problems[0]);
    }
    insta::assert_snapshot!(page);
}

/// Faults and steps are named by their ids, and without one by the word of their kind.
#[test]
fn parts_of_a_drill_can_be_moved() {
    let plan = with(
        common::DRILL,
        &[
            "target.director.misses=5",
            "timeline.pods.faults.two.at=25s",
            "timeline.pods.faults.store-crash.delay=2s",
            "timeline.gone.steps.rebuild.delay=3s",
            "objectives.rto.budget=20s",
            "recovery.window=4s",
        ],
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    let start = |id: &str| {
        let action = plan.drill.actions.iter().find(|action| action.id == id);
        action.unwrap().start.clone()
    };
    assert_eq!(start("two"), Start::At(Duration::from_secs(25)));
    assert_eq!(
        start("store-crash"),
        Start::When {
            condition: When::Recovered,
            delay: Duration::from_secs(2)
        }
    );
    assert!(
        matches!(start("rebuild"), Start::After { delay, .. } if delay == Duration::from_secs(3))
    );
    assert_eq!(plan.drill.recovery.window, Duration::from_secs(4));
    let budget = plan.objectives.iter().find(|own| own.id == "rto-budget");
    assert!(
        matches!(budget.unwrap().subject, Subject::Rto { below, .. } if below == Duration::from_secs(20))
    );
    let lines: Vec<Option<&Origin>> = ["pod-kill.site", "at"]
        .map(|key| plan.origin(&format!("timeline[2].faults[0].{key}")))
        .to_vec();
    assert!(
        lines.iter().all(Option::is_some) && lines[0] == lines[1],
        "{lines:?}"
    );
    assert!(plan.origin("timeline[3].faults[0].network.delay").is_some());
    assert_eq!(plan.origin("timeline[3].faults[0].at"), None);
}
