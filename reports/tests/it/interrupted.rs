//! Runs that did not come to their end, and recordings that are not whole.

use firedrill_evidence::Verdict::{Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::judge;
use firedrill_reports::recording::{EarlyEnd, Recording, file};
use firedrill_reports::result::Amount;
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent};

use super::synthetic::{MS, Run, SECOND, SHORT};
use super::{check, ids, verdicts};

const REFUSED: Outcome = Outcome::Connect(ConnectFailure::Refused);

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

/// What was under way when the run was ended says nothing of the target.
#[test]
fn what_the_end_of_a_run_leaves_unanswered_is_no_failure() {
    let unanswered = (5 * SECOND + SECOND / 2)..(6 * SECOND);
    let mut run = Run::good(SHORT, 1000).each(|operation| {
        if unanswered.contains(&operation.due) {
            operation.outcome = Outcome::NotSent(NotSent::Shutdown);
        }
    });
    run.operations
        .retain(|operation| operation.due < 6 * SECOND);
    run.early = Some((6 * SECOND, EarlyEnd::Interrupted));
    let result = run.judged();
    assert_eq!(verdicts(&result), [Inconclusive, Inconclusive]);
    let errors = check(&result, "errors");
    assert_eq!(
        (errors.measured, errors.samples),
        (Some(Amount::Real(0.0)), 5_500)
    );
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
    assert_eq!(verdicts(&run.judged()), [Inconclusive, Fail, Fail]);
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
