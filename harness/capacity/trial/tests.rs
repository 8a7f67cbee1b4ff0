use super::*;
use firedrill_scenarios::{Given, catalog};

fn plan(text: &str) -> Plan {
    Plan::parse(text, &Given::named("test")).unwrap_or_else(|problems| panic!("{problems}"))
}

fn scenario(load: &str, rest: &str) -> String {
    format!(
        "scenario: test\nload: {{ {load}, operations: [ {{ method: ping }} ] }}\n\
         timeline: [ {{ phase: steady, for: 20s }} ]\n{rest}\n"
    )
}

const OBJECTIVES: &str =
    "objectives: [ { latency: p99, below: 50ms, over: 5s, abort: true }, { throughput: 90/s } ]";

#[test]
fn a_trial_is_a_scenario_of_its_own_and_reads_back_the_same() {
    let text = scenario(
        "arrivals: { ramp: { from: 100/s, to: 300/s }, spacing: poisson }",
        OBJECTIVES,
    );
    let steady = Steady::of(&plan(&text)).unwrap();
    assert_eq!((steady.form, steady.own_level()), (Form::Open, 200.0));
    assert_eq!(steady.left_out.len(), 1, "{:?}", steady.left_out);
    let trial = steady.at(1234.0, Duration::from_secs(10));
    assert_eq!(plan(&trial.to_yaml()), trial);
    let Drive::Open(Arrivals::Shaped { shape, spacing }) = &trial.loads[0].drive else {
        panic!("{:?}", trial.loads[0].drive);
    };
    assert_eq!(
        (shape, spacing),
        (&Shape::Constant(Rate(1234.0)), &Spacing::Poisson)
    );
    assert_eq!(trial.objectives.len(), 1);
    assert!(!trial.objectives[0].abort && trial.objectives[0].over == Over::Phase);
    let lengths: Vec<u64> = trial
        .timeline
        .iter()
        .map(|phase| phase.length.as_secs())
        .collect();
    assert_eq!(lengths, [2, 10]);
}

#[test]
fn sessions_of_a_closed_load_are_turned_up_and_may_all_be_busy() {
    let text = scenario(
        "closed: { think: 10ms }, sessions: { count: 8 }",
        OBJECTIVES,
    );
    let steady = Steady::of(&plan(&text)).unwrap();
    assert_eq!(
        (steady.form, steady.own_level(), steady.gentle(8.0)),
        (Form::Closed, 8.0, 1.0)
    );
    let trial = steady.at(40.0, Duration::from_secs(5));
    assert_eq!(
        (trial.loads[0].sessions.count, trial.loads[0].max_in_flight),
        (40, 40)
    );
    assert_eq!(plan(&trial.to_yaml()), trial);
    assert_eq!(steady.holds_enough(1.0, Duration::from_secs(1)), Ok(()));
}

#[test]
fn what_a_short_steady_load_cannot_show_is_refused() {
    let of = |text: &str| Steady::of(&plan(text)).map(|_| ()).unwrap_err().to_string();
    let none = scenario("rate: 100/s", "objectives: [ { throughput: 90/s } ]");
    assert!(
        of(&none).contains("no objective on latency"),
        "{}",
        of(&none)
    );
    for (name, text) in catalog() {
        let drill = plan(text);
        let refused = Steady::of(&drill).is_err();
        assert_eq!(
            refused,
            !drill.drill.actions.is_empty() || drill.loads.len() > 1,
            "{name}"
        );
    }
}

#[test]
fn too_few_operations_are_told_before_anything_runs() {
    let steady = Steady::of(&plan(&scenario("rate: 100/s", OBJECTIVES))).unwrap();
    assert_eq!(steady.least(Duration::from_secs(10)), 45.0);
    assert_eq!(steady.holds_enough(45.0, Duration::from_secs(10)), Ok(()));
    let error = steady
        .holds_enough(10.0, Duration::from_secs(10))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("--from 45/s") && error.contains("--trial 45s"),
        "{error}"
    );
    // No trial lasts for as long as that would take.
    let error = steady
        .holds_enough(1.0 / 60.0, Duration::from_secs(10))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("0.01667/s is") && error.ends_with("start with --from 45/s"),
        "{error}"
    );
}

#[test]
fn a_check_is_gentle_and_never_more_than_what_is_tried() {
    let steady = Steady::of(&plan(&scenario("rate: 100/s", OBJECTIVES))).unwrap();
    let gentle = [5.0, 50.0, 3_000.0, 1e6].map(|level| steady.gentle(level));
    assert_eq!(gentle, [5.0, 10.0, 300.0, 1_000.0]);
}
