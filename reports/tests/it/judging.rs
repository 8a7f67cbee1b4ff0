//! Every verdict seen: green on a good run, red for the named reason, and neither where nothing is proven.

use firedrill_evidence::Verdict::{Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::judge;
use firedrill_reports::recording::Mode;
use firedrill_reports::result::{Amount, Method};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, TimeoutStage};

use super::synthetic::{MS, Run, SECOND, SHORT, ZERO};
use super::{check, ids, objectives, verdicts};

const REFUSED: Outcome = Outcome::Connect(ConnectFailure::Refused);
const TIMED_OUT: Outcome = Outcome::Timeout(TimeoutStage::FirstByte);

/// Long enough for the block method.
const LONG: &str = "
scenario: long
about: Long enough for blocks.
load:
  arrivals: { constant: 20/s }
  operations: [ { tool: echo } ]
timeline:
  - { phase: steady, for: 400s }
objectives:
  - { latency: p99, below: 100ms }
  - { errors: 0.5 % }
";

#[test]
fn a_good_run_passes_by_the_point_rule() {
    let good = Run::good(SHORT, 100).judged();
    assert_eq!(ids(&good), ["latency-p99", "errors"]);
    assert_eq!(good.verdict, Pass, "{:?}", good.checks);
    let latency = check(&good, "latency-p99");
    assert_eq!((latency.method, latency.samples), (Method::Point, 1000));
    assert_eq!(latency.target, Some(Amount::Whole(100 * MS)));
    let Some(Amount::Whole(measured)) = latency.measured else {
        panic!("{latency:?}")
    };
    assert!(measured.abs_diff(3 * MS) < 3_000);
    assert_eq!(check(&good, "errors").measured, Some(Amount::Real(0.0)));
}

#[test]
fn a_long_run_passes_by_blocks() {
    let result = Run::good(LONG, 20).judged();
    assert_eq!(verdicts(&result), [Pass, Pass], "{:?}", result.checks);
    assert!(
        result
            .checks
            .iter()
            .all(|check| check.method == Method::Block)
    );
}

#[test]
fn nothing_due_is_no_pass() {
    let result = Run::empty(SHORT).judged();
    assert_eq!(result.verdict, Inconclusive);
    assert_eq!(
        check(&result, "latency-p99").reason,
        "no operation was due in steady"
    );
    assert_eq!(check(&result, "latency-p99").measured, None);
}

#[test]
fn no_objective_is_no_pass() {
    let result = Run::good(&objectives(""), 100).judged();
    assert_eq!((result.verdict, result.checks.len()), (Inconclusive, 0));
}

#[test]
fn all_failing_fails_and_is_told_apart() {
    let result = Run::steady(SHORT, 100, |_, _| (TIMED_OUT, 5 * SECOND)).judged();
    assert_eq!(verdicts(&result), [Fail, Fail]);
    let latency = check(&result, "latency-p99");
    assert_eq!(
        (latency.measured, latency.at_least),
        (None, None),
        "no time was seen at all"
    );
    assert_eq!(result.load.outcomes["timeout.first_byte"], 1000);
    assert_eq!((result.load.intended, result.load.completed), (1000, 0));
}

#[test]
fn a_handful_that_all_fail_is_still_a_failure() {
    let result = Run::steady(SHORT, 1, |_, _| (REFUSED, MS)).judged();
    assert_eq!(verdicts(&result), [Fail, Fail]);
}

/// A target that refuses half of the operations at once answers the others no faster.
#[test]
fn refusing_at_once_makes_no_quantile_better() {
    let slow = |_, index: u64| {
        (
            Outcome::Ok,
            if index.is_multiple_of(2) {
                90 * MS
            } else {
                200 * MS
            },
        )
    };
    let refusing = |_, index: u64| {
        if index.is_multiple_of(2) {
            (Outcome::Ok, 90 * MS)
        } else {
            (REFUSED, MS)
        }
    };
    let [slow, refusing] = [
        Run::steady(SHORT, 100, slow).judged(),
        Run::steady(SHORT, 100, refusing).judged(),
    ]
    .map(|result| result.latency["all"].response.unwrap());
    let beyond = |time: Option<u64>| time.unwrap_or(u64::MAX);
    for (slow, refusing) in [
        (slow.p50, refusing.p50),
        (slow.p90, refusing.p90),
        (slow.p99, refusing.p99),
        (slow.max, refusing.max),
    ] {
        assert!(beyond(refusing) >= beyond(slow));
    }
    assert_eq!((refusing.misses, refusing.p99), (500, None));
    assert!(refusing.at_least.unwrap() >= 90 * MS);
}

#[test]
fn too_few_operations_prove_nothing() {
    let result = Run::good(SHORT, 30).judged();
    assert_eq!(verdicts(&result), [Inconclusive, Inconclusive]);
    assert!(
        check(&result, "latency-p99")
            .reason
            .ends_with("takes at least 367 operations to tell")
    );
    assert!(
        check(&result, "errors")
            .reason
            .ends_with("takes at least 736 operations to tell")
    );
}

#[test]
fn strict_judging_wants_blocks() {
    let mut run = Run::good(SHORT, 100);
    assert_eq!(judge(&run.recording(), Some(true)).verdict, Inconclusive);
    run.strict = true;
    assert_eq!(verdicts(&run.judged()), [Inconclusive, Inconclusive]);
    assert_eq!(judge(&run.recording(), Some(false)).verdict, Pass);
    let long = Run {
        strict: true,
        ..Run::good(LONG, 20)
    };
    assert_eq!(verdicts(&long.judged()), [Pass, Pass]);
}

/// Bursts of three seconds that leave the share a little below the limit: too uncertain to pass.
#[test]
fn blocks_leave_a_bursty_run_open() {
    let burst = |second: u64, _| {
        if second % 130 < 1 {
            (Outcome::Ok, 300 * MS)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    };
    let result = Run::steady(LONG, 20, burst).judged();
    let latency = check(&result, "latency-p99");
    assert_eq!(latency.verdict, Inconclusive, "{}", latency.reason);
    assert!(latency.reason.ends_with("run longer"));
}

// ---- the other objectives ----

#[test]
fn errors_are_judged_by_class() {
    let scenario = objectives(
        "objectives:
  - { errors: 0.5 %, class: connect }
  - { errors: 0.5 %, class: timeout.first_byte }
  - { errors: 50 % }
",
    );
    let result = Run::steady(&scenario, 100, |_, index| {
        if index == 0 {
            (REFUSED, MS)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    })
    .judged();
    assert_eq!(verdicts(&result), [Fail, Pass, Pass], "{:?}", result.checks);
    assert_eq!(result.checks[0].measured, Some(Amount::Real(0.01)));
}

#[test]
fn a_bad_window_fails_where_the_phase_passes() {
    let scenario = objectives(
        "objectives:
  - { latency: p99, below: 100ms, over: 2s, id: windowed }
  - { latency: p90, below: 100ms, id: whole }
",
    );
    let result = Run::steady(&scenario, 500, |second, index| {
        (
            Outcome::Ok,
            if second == 6 && index < 20 {
                300 * MS
            } else {
                3 * MS
            },
        )
    })
    .judged();
    assert_eq!(verdicts(&result), [Fail, Pass], "{:?}", result.checks);
    let window = check(&result, "windowed").window.unwrap();
    assert_eq!(
        (window.start, window.end),
        (ZERO + 5 * SECOND, ZERO + 7 * SECOND)
    );
    assert!(
        check(&result, "windowed")
            .reason
            .contains("in the window from 5 s to 7 s")
    );
}

#[test]
fn throughput_counts_what_ended_in_the_phase() {
    let scenario = objectives("objectives:\n  - { throughput: 95/s }\n");
    let good = Run::good(&scenario, 100).judged();
    assert_eq!(verdicts(&good), [Pass], "{:?}", good.checks);
    // Everything is answered in the end, but the last second's answers come after the phase.
    let slow = Run::steady(&scenario, 100, |_, _| (Outcome::Ok, 1_100 * MS)).judged();
    assert_eq!(verdicts(&slow), [Fail]);
    let Some(Amount::Real(measured)) = slow.checks[0].measured else {
        panic!()
    };
    assert!((88.0..92.0).contains(&measured), "{measured}");
    assert_eq!(verdicts(&Run::empty(&scenario).judged()), [Inconclusive]);
}

const METRIC: &str = "probes:
  service: { path: /metrics, prometheus: { queue: q, capacity: c } }
objectives:
  - { metric: service.queue, below: 50 %, of: service.capacity }
";

pub fn probed(queue: impl Fn(u64) -> Option<f64>) -> Run {
    let mut run = Run::good(&objectives(METRIC), 100);
    for second in 0..10 {
        let at = second as f64 + 0.4;
        if let Some(value) = queue(second) {
            run.probes.push((at, "service.capacity".into(), 200.0));
            run.probes.push((at, "service.queue".into(), value));
        }
    }
    run
}

#[test]
fn every_sample_of_a_metric_is_judged() {
    let result = probed(|_| Some(40.0)).judged();
    assert_eq!(verdicts(&result), [Pass], "{:?}", result.checks);
    assert_eq!(result.checks[0].measured, Some(Amount::Real(0.2)));
    let result = probed(|second| Some(if second == 3 { 100.0 } else { 40.0 })).judged();
    assert_eq!(verdicts(&result), [Fail]);
    assert!(
        result.checks[0]
            .reason
            .starts_with("the highest was 50 % at 3.4 s")
    );
}

#[test]
fn a_silent_probe_is_invalid_unless_it_has_failed_already() {
    let silent = |second: u64| (3..8).contains(&second);
    let result = probed(|second| (!silent(second)).then_some(40.0)).judged();
    assert_eq!(verdicts(&result), [Invalid]);
    assert!(
        result.checks[0]
            .reason
            .ends_with("the probe of service.queue was silent from 2.4 s to 8.4 s")
    );
    let result = probed(|second| (!silent(second)).then_some(160.0)).judged();
    assert_eq!(verdicts(&result), [Fail]);
    assert_eq!(verdicts(&probed(|_| None).judged()), [Invalid]);
    let one_lost = probed(|second| (second != 4).then_some(40.0)).judged();
    assert_eq!(verdicts(&one_lost), [Pass]);
}

/// A share of what the base was long ago is no share of what it is.
#[test]
fn a_base_that_is_silent_is_invalid() {
    let based = |until: u64| {
        let mut run = Run::good(&objectives(METRIC), 100);
        for second in 0..10 {
            let at = second as f64 + 0.4;
            if second < until {
                run.probes.push((at, "service.capacity".into(), 200.0));
            }
            run.probes.push((at, "service.queue".into(), 40.0));
        }
        run.judged()
    };
    assert_eq!(verdicts(&based(10)), [Pass]);
    assert_eq!(verdicts(&based(9)), [Pass], "one lost reading says nothing");
    assert_eq!(verdicts(&based(2)), [Invalid]);
}

/// A stand-in says nothing of a real deployment, however it was reached.
#[test]
fn a_stand_in_behind_a_url_is_a_rehearsal() {
    let mut run = Run::good(&objectives("objectives: [{ errors: 5 % }]\n"), 100);
    run.mode = Mode::Live;
    assert_eq!(run.judged().run.mode, Mode::Live);
    run.stand_ins = 1;
    assert_eq!(run.judged().run.mode, Mode::Rehearsal);
}
