//! Every verdict seen: green on a good run, red for the named reason, and neither where nothing is proven.

use std::sync::LazyLock;

use firedrill_evidence::Verdict::{self, Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::recording::{EarlyEnd, Recording, file};
use firedrill_reports::result::{Amount, Check, Method};
use firedrill_reports::{ResultDocument, judge, render};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent, TimeoutStage};

use super::synthetic::{MS, Run, SECOND, SHORT, ZERO};

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

fn objectives(text: &str) -> String {
    let (head, _) = SHORT.split_once("objectives:").unwrap();
    format!("{head}{text}")
}

fn check<'a>(result: &'a ResultDocument, id: &str) -> &'a Check {
    let found = result.checks.iter().find(|check| check.id == id);
    found.unwrap_or_else(|| panic!("no check {id} among {:?}", ids(result)))
}

fn ids(result: &ResultDocument) -> Vec<&str> {
    result
        .checks
        .iter()
        .map(|check| check.id.as_str())
        .collect()
}

fn verdicts(result: &ResultDocument) -> Vec<Verdict> {
    result.checks.iter().map(|check| check.verdict).collect()
}

static GOOD: LazyLock<ResultDocument> = LazyLock::new(|| Run::good(SHORT, 100).judged());

#[test]
fn a_good_run_passes_by_the_point_rule() {
    assert_eq!(ids(&GOOD), ["latency-p99", "errors"]);
    assert_eq!(GOOD.verdict, Pass, "{:?}", GOOD.checks);
    let latency = check(&GOOD, "latency-p99");
    assert_eq!((latency.method, latency.samples), (Method::Point, 1000));
    assert_eq!(latency.target, Some(Amount::Whole(100 * MS)));
    let Some(Amount::Whole(measured)) = latency.measured else {
        panic!("{latency:?}")
    };
    assert!(measured.abs_diff(3 * MS) < 3_000);
    assert_eq!(check(&GOOD, "errors").measured, Some(Amount::Real(0.0)));
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
    let slow = |_, index: u64| (Outcome::Ok, if index.is_multiple_of(2) { 90 * MS } else { 200 * MS });
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

// ---- whose fault it was ----

/// firedrill dispatched late in three seconds; the answers came fast after that.
fn late() -> Run {
    Run::good(SHORT, 100).each(|operation| {
        // Not in the last tenth of a second, so that it is dispatched in the same one.
        if (4..7).contains(&(operation.due / SECOND)) && operation.due % SECOND < 900 * MS {
            operation.lateness = 40 * MS;
            operation.response = 43 * MS;
        }
    })
}

#[test]
fn lateness_of_ours_makes_it_invalid_though_it_would_pass() {
    let result = late().judged();
    assert_eq!(verdicts(&result), [Invalid, Invalid]);
    assert!(
        check(&result, "errors")
            .reason
            .contains("dispatched late (p99 above 10 ms) in 3 of 10 seconds")
    );
    assert_eq!(result.generator.distrust.len(), 1);
}

#[test]
fn one_late_second_is_no_reason() {
    let result = Run::good(SHORT, 100)
        .each(|operation| {
            if operation.due / SECOND == 4 && operation.due % SECOND < 900 * MS {
                operation.lateness = 40 * MS;
                operation.response = 43 * MS;
            }
        })
        .judged();
    assert_eq!(verdicts(&result), [Pass, Pass], "{:?}", result.checks);
}

/// The target stopped for two seconds: operations waited, and were dispatched on time.
#[test]
fn a_stalled_target_fails_and_is_never_invalid() {
    let stall = |second: u64, index: u64| {
        if second == 4 {
            (Outcome::Ok, 1_000 * MS - index * 10 * MS)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    };
    let result = Run::steady(SHORT, 100, stall).judged();
    assert_eq!(verdicts(&result), [Fail, Pass]);
}

/// firedrill was stopped for a second: what was due in it was dispatched late, all in one sample.
#[test]
fn a_stopped_generator_is_invalid() {
    let mut run = Run::good(SHORT, 100).each(|operation| {
        if operation.due / SECOND == 4 {
            operation.lateness = 5 * SECOND - operation.due;
            operation.response = operation.lateness + 3 * MS;
        }
    });
    run.stopped.push(4);
    let result = run.judged();
    assert_eq!(check(&result, "latency-p99").verdict, Invalid);
    assert!(
        check(&result, "latency-p99")
            .reason
            .contains("2 of 10 seconds")
    );
}

/// Too short to distrust the whole phase, but the failure is ours all the same.
#[test]
fn a_failure_that_is_ours_alone_is_invalid() {
    let result = Run::good(SHORT, 100)
        .each(|operation| {
            if operation.due / SECOND == 4 && operation.due % SECOND < 500 * MS {
                operation.lateness = 400 * MS;
                operation.response = 403 * MS;
            }
        })
        .judged();
    let latency = check(&result, "latency-p99");
    assert_eq!(latency.verdict, Invalid);
    assert!(
        latency
            .reason
            .starts_with("fails only with the 50 operations that firedrill itself dispatched late")
    );
    assert_eq!(check(&result, "errors").verdict, Pass);
}

#[test]
fn what_we_could_not_send_or_connect_is_invalid() {
    for ours in [
        Outcome::NotSent(NotSent::Generator),
        Outcome::Connect(ConnectFailure::LocalFds),
    ] {
        let fate = move |second, index| {
            if (second, index) == (3, 7) {
                (ours, MS)
            } else {
                (Outcome::Ok, 3 * MS)
            }
        };
        let result = Run::steady(SHORT, 100, fate).judged();
        assert_eq!(verdicts(&result), [Invalid, Invalid], "{ours}");
    }
    let full = |_, index: u64| {
        if index < 50 {
            (Outcome::NotSent(NotSent::InFlightLimit), 0)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    };
    let result = Run::steady(SHORT, 100, full).judged();
    assert_eq!(
        verdicts(&result),
        [Fail, Fail],
        "the target filled the limit"
    );
    assert_eq!(result.load.not_sent, 500);
}

// ---- runs that did not end ----

#[test]
fn an_interrupted_phase_proves_no_pass() {
    let mut run = Run::good(SHORT, 1000);
    run.operations
        .retain(|operation| operation.due < 6 * SECOND);
    run.early = Some((6 * SECOND, EarlyEnd::Interrupted));
    let result = run.judged();
    assert_eq!(verdicts(&result), [Inconclusive, Inconclusive]);
    let reason = &check(&result, "errors").reason;
    assert!(
        reason.ends_with("the phase was cut short after 6 s of 10 s (interrupted: SIGINT)"),
        "{reason}"
    );
    assert_eq!(
        result.run.ended_early.as_deref(),
        Some("interrupted: SIGINT")
    );
    assert!(!result.phases[0].complete);
}

#[test]
fn a_failure_stands_when_the_run_is_interrupted() {
    let mut run = Run::steady(SHORT, 1000, |_, index| {
        if index < 100 {
            (REFUSED, MS)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    });
    run.operations
        .retain(|operation| operation.due < 6 * SECOND);
    run.early = Some((6 * SECOND, EarlyEnd::Aborted));
    assert_eq!(verdicts(&run.judged()), [Fail, Fail]);
}

#[test]
fn a_phase_that_never_ran_is_inconclusive() {
    let scenario = SHORT.replace(
        "  - { phase: steady, for: 10s }",
        "  - { phase: first, for: 10s }\n  - { phase: second, for: 10s }",
    );
    let mut run = Run::good(&scenario, 1000);
    run.operations
        .retain(|operation| operation.phase == "first");
    run.early = Some((10 * SECOND, EarlyEnd::Interrupted));
    let result = run.judged();
    assert_eq!(
        ids(&result),
        [
            "latency-p99-first",
            "latency-p99-second",
            "errors-first",
            "errors-second"
        ]
    );
    assert_eq!(verdicts(&result), [Pass, Inconclusive, Pass, Inconclusive]);
    assert_eq!(
        check(&result, "errors-second").reason,
        "the phase second never ran"
    );
    assert_eq!(result.phases[1].start, None);
}

#[test]
fn a_killed_run_is_invalid() {
    let run = Run {
        ended: false,
        ..Run::good(SHORT, 100)
    };
    let result = run.judged();
    assert_eq!(result.verdict, Invalid);
    assert!(
        check(&result, "recording")
            .reason
            .starts_with("the recording has no end")
    );
    assert_eq!(result.generator.rss_max_bytes, None);
}

#[test]
fn a_recording_without_a_manifest_is_invalid() {
    let mut files = Run::good(SHORT, 100).files();
    files.0.remove("manifest.json");
    let result = judge(&Recording::read(&files).unwrap(), None);
    assert_eq!(result.verdict, Invalid);
    assert!(check(&result, "recording").reason.contains("no manifest"));
}

/// An operation that one file counts and the other does not.
#[test]
fn files_that_disagree_are_invalid() {
    let run = Run::good(SHORT, 100);
    let mut files = run.files();
    let fewer = Run {
        operations: run.operations[1..].to_vec(),
        ..run
    };
    files.0.insert(
        file::LATENCY.to_owned(),
        fewer.files().0.remove(file::LATENCY).unwrap(),
    );
    files.0.remove("manifest.json");
    let manifest = firedrill_reports::recording::Manifest::of(&files).unwrap();
    files
        .0
        .insert("manifest.json".to_owned(), manifest.to_json());
    let result = judge(&Recording::read(&files).unwrap(), None);
    assert_eq!(result.verdict, Invalid);
    let reason = &check(&result, "recording").reason;
    assert_eq!(
        reason,
        "echo in steady: the buckets count 1,000 ok and 0 not ok, the latency log 999 and 0"
    );
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

fn probed(queue: impl Fn(u64) -> Option<f64>) -> Run {
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
            .ends_with("the probe was silent from 2.4 s to 8.4 s")
    );
    let result = probed(|second| (!silent(second)).then_some(160.0)).judged();
    assert_eq!(verdicts(&result), [Fail]);
    assert_eq!(verdicts(&probed(|_| None).judged()), [Invalid]);
    let one_lost = probed(|second| (second != 4).then_some(40.0)).judged();
    assert_eq!(verdicts(&one_lost), [Pass]);
}

// ---- the document ----

#[test]
fn what_was_issued_is_the_sum_of_its_outcomes() {
    let mixed = |second: u64, index: u64| match index % 10 {
        0 => (REFUSED, MS),
        1 => (Outcome::NotSent(NotSent::InFlightLimit), 0),
        _ => (Outcome::Ok, second * MS / 2 + MS),
    };
    let result = Run::steady(SHORT, 100, mixed).judged();
    let load = &result.load;
    assert_eq!(load.intended, load.outcomes.values().sum::<u64>());
    assert_eq!(
        (load.intended, load.sent, load.completed, load.not_sent),
        (1000, 900, 800, 100)
    );
    assert_eq!(load.asked_per_second, Some(100.0));
    assert_eq!(load.sent_per_second, Some(90.0));
    assert_eq!(load.completed_per_second, Some(80.0));
    let echo = &result.latency["echo"];
    assert_eq!(echo.ok.as_ref().unwrap().response.count, 800);
    assert_eq!(echo.failed.as_ref().unwrap().response.count, 200);
}

#[test]
fn judging_twice_gives_the_same_bytes() {
    let run = late();
    let [one, other] = [(); 2].map(|()| render::outputs(&run.recording(), &run.judged()));
    assert_eq!(one, other);
}

/// The schema is checked in. To write it again after a change: `UPDATE_SCHEMA=1 cargo test -p firedrill-reports`.
#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/result.schema.json");
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&firedrill_reports::schema()).unwrap()
    );
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
}

#[test]
fn every_result_fits_the_schema() {
    let validator = jsonschema::validator_for(&firedrill_reports::schema()).unwrap();
    let killed = Run {
        ended: false,
        ..Run::good(SHORT, 100)
    };
    for run in [
        Run::empty(SHORT),
        Run::good(SHORT, 100),
        late(),
        killed,
        probed(|_| Some(1.0)),
    ] {
        let bytes = render::result_json(&run.judged());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(problems, Vec::<String>::new());
        let back: ResultDocument = serde_json::from_value(value).unwrap();
        assert_eq!(render::result_json(&back), bytes);
    }
}

/// What others rely on, by name: the contract's keys are all there.
#[test]
fn the_contract_is_kept() {
    let value = serde_json::to_value(&*GOOD).unwrap();
    for path in [
        "/schema_version",
        "/run/id",
        "/run/scenario",
        "/run/seed",
        "/run/started",
        "/run/mode",
        "/run/target",
        "/run/firedrill_version",
        "/verdict",
        "/checks/0/id",
        "/checks/0/verdict",
        "/checks/0/unit",
        "/checks/0/target",
        "/checks/0/measured",
        "/checks/0/lower",
        "/checks/0/upper",
        "/checks/0/samples",
        "/checks/0/method",
        "/checks/0/reason",
        "/load/intended",
        "/load/sent",
        "/load/completed",
        "/load/not_sent",
        "/load/outcomes/ok",
        "/load/asked_per_second",
        "/load/sent_per_second",
        "/load/completed_per_second",
        "/latency/all/response/p99",
        "/latency/echo/ok/response/p999",
        "/latency/echo/failed/service/count",
        "/generator/lateness/p99",
        "/generator/waiting/max",
        "/generator/cpu_us_per_operation",
        "/generator/rss_max_bytes",
        "/generator/connections_max",
        "/phases/0/name",
        "/phases/0/start",
        "/phases/0/end",
        "/phases/0/measured",
        "/faults",
        "/data",
    ] {
        assert!(value.pointer(path).is_some(), "{path}");
    }
    assert_eq!(value["schema_version"], "1.0");
    assert_eq!(value["run"]["mode"], "rehearsal");
    assert_eq!(value["checks"][0]["method"], "point");
    assert_eq!(value["checks"][0]["target"], 100_000_000);
}
