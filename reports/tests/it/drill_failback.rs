//! Clients are led back on purpose: a recovery of its own, and the end of the one before.

use firedrill_evidence::Verdict::{Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::recording::{Event, FaultStage, Mark, ReadBackStage, StepStage};
use firedrill_reports::result::Amount;
use firedrill_scenarios::plan::Source;

use super::check;
use super::drill::assert_check;
use super::drill_data::CORRUPTION;
use super::drilled::{Drill, T0, fail_back, failing, read_back, rto, sound};
use super::synthetic::{MS, SECOND};

fn there_and_back() -> Drill {
    let step = |stage| Event::Step {
        id: "fail-back".into(),
        step: "fail-back".into(),
        on: "primary".into(),
        stage,
    };
    let detail = String::new();
    let done = StepStage::Done { detail };
    let mut drill = failing(|second, _| (11..17).contains(&second) || (40..43).contains(&second))
        .with(40 * SECOND - MS, step(StepStage::Started))
        .with(42 * SECOND, step(done))
        .with(
            43 * SECOND,
            Event::Mark {
                mark: Mark::FailbackAnswer,
                fault: None,
                source: "clients".into(),
                detail: String::new(),
            },
        );
    drill.actions.push(fail_back());
    let mut of_failback = rto("rto-failback", 5, Source::Budget);
    if let firedrill_scenarios::plan::Subject::Rto { fault, .. } = &mut of_failback.subject {
        *fault = Some(2);
    }
    drill.objectives.push(of_failback);
    drill
}

#[test]
fn a_failback_ends_what_a_fault_is_judged_by_and_is_judged_itself() {
    let drill = there_and_back();
    assert_eq!(drill.judged().verdict, Pass, "{:#?}", drill.judged().checks);
    let result = drill.judged();
    assert_eq!(
        (result.faults[0].rto, result.faults[0].relapses),
        (Some(6750 * MS), 0)
    );
    assert_eq!(
        check(&result, "rto-failback").measured,
        Some(Amount::Whole(3001 * MS))
    );
    let unseen = there_and_back().change(|event| {
        if let Event::Mark { mark, .. } = event
            && *mark == Mark::FailbackAnswer
        {
            *mark = Mark::CaughtUp;
        }
    });
    let nobody = "was done, and no client was seen to be led back";
    assert_check(&unseen, "rto-failback", Invalid, nobody);
    let refused = drill.change(|event| {
        if let Event::Step { stage, .. } = event
            && matches!(stage, StepStage::Done { .. })
        {
            *stage = StepStage::Failed {
                reason: "the replica is behind".into(),
            };
        }
    });
    assert_check(
        &refused,
        "steps",
        Fail,
        "fail-back on primary failed: the replica is behind",
    );
    assert_check(
        &refused,
        "rto-failback",
        Invalid,
        "was not done: the replica is behind",
    );
}

/// The data was verified so late that clients were led back before a window could show it.
#[test]
fn data_that_was_verified_just_before_a_failback_shows_no_recovery() {
    let verified = |at| {
        there_and_back()
            .kind(CORRUPTION)
            .without(|event| matches!(event, Event::ReadBack { .. }))
            .with(at - SECOND, read_back(ReadBackStage::Started))
            .with(at, sound(true))
    };
    let late = verified(38 * SECOND);
    assert_check(&late, "rto", Inconclusive, "before the failback");
    let early = verified(20 * SECOND);
    assert_eq!(early.judged().faults[0].rto, Some(20 * SECOND - T0));
}

/// Clients cannot tell them apart, and what they missed is not nobody's.
#[test]
fn a_fault_just_before_a_failback_is_judged_over_both() {
    let killed = |at| {
        let event = Event::Fault {
            id: "pod-kill".into(),
            fault: "pod-kill".into(),
            on: "primary".into(),
            stage: FaultStage::Injecting,
        };
        let result = there_and_back().with(at, event).judged();
        let found = result.faults.iter().find(|fault| fault.id == "pod-kill");
        found.unwrap().rto
    };
    assert_eq!(killed(38 * SECOND), Some(5 * SECOND));
    // Long before it, nobody noticed anything.
    assert_eq!(killed(25 * SECOND), Some(SECOND));
}
