//! What was broken has to have been broken: faults that nobody saw in force, and faults and steps that never began.

use firedrill_evidence::Verdict::{Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::recording::{EarlyEnd, Event, FaultStage};

use super::drill::{assert_check, assert_only};
use super::drilled::{T0, fail_back, good, stage};
use super::ids;
use super::synthetic::SECOND;

/// A fault that nobody saw in force proves nothing, however well everything went.
#[test]
fn an_effect_that_was_not_seen_makes_its_checks_invalid() {
    let reason = "the site still answers";
    let unseen = good().change(|event| {
        if let Event::Fault { stage, .. } = event
            && matches!(stage, FaultStage::EffectSeen { .. })
        {
            *stage = FaultStage::EffectNotSeen {
                reason: reason.into(),
            };
        }
    });
    for id in ["faults", "rto", "rto-budget"] {
        assert_check(&unseen, id, Invalid, reason);
    }
    for id in ["rpo", "holes"] {
        assert_check(&unseen, id, Invalid, "the check `faults` says why");
    }
    let not_looked = good().without(|event| {
        matches!(
            event,
            Event::Fault {
                stage: FaultStage::EffectSeen { .. },
                ..
            }
        )
    });
    assert_check(&not_looked, "rto", Invalid, "nobody looked");
    // What the ledger shows is a fact all the same.
    assert_check(
        &unseen.data(|counts| counts.holes = 1),
        "holes",
        Fail,
        "1 holes among",
    );
}

#[test]
fn a_fault_that_was_never_begun_proves_nothing() {
    let never = good().without(|event| matches!(event, Event::Fault { .. }));
    assert_check(&never, "rto", Inconclusive, "site-failure was never begun");
    assert_eq!(
        ids(&never.judged())[..2],
        ["faults", "rto"],
        "nothing was broken, so nothing can be left"
    );
}

/// Errors and latency alone would pass a run in which nothing was broken.
#[test]
fn a_fault_that_no_objective_names_is_seen_in_force_all_the_same() {
    let mut drill = good();
    drill.objectives = drill.run.recording().plan.objectives;
    drill.objectives[0].phases = vec![0];
    assert_eq!(ids(&drill.judged())[0], "leftovers");
    assert_eq!(drill.judged().verdict, Pass);
    let unseen = drill.without(|event| {
        let Event::Fault { stage, .. } = event else {
            return false;
        };
        matches!(stage, FaultStage::EffectSeen { .. })
    });
    assert_only(&unseen, "faults", Invalid, "nobody looked");
    let never = unseen.without(|event| matches!(event, Event::Fault { .. }));
    assert_only(
        &never,
        "faults",
        Inconclusive,
        "site-failure was never begun",
    );
}

#[test]
fn every_repetition_and_every_step_has_to_be_begun() {
    let mut drill = good();
    drill.actions[0].times = 2;
    assert_check(
        &drill,
        "faults",
        Inconclusive,
        "site-failure#2 was never begun",
    );
    let mut drill = good();
    drill.actions.push(fail_back());
    assert_only(&drill, "steps", Inconclusive, "fail-back was never begun");
    drill.run.early = Some((75 * SECOND, EarlyEnd::Interrupted));
    let ids = ids(&drill.judged()).join(" ");
    assert!(!ids.contains("steps"), "it was cut short: {ids}");
}

/// Undoing what may be in force is no sign that it ever was.
#[test]
fn a_fault_that_was_only_undone_was_never_begun() {
    let undone = |event: &Event| match event {
        Event::Fault { stage, .. } => matches!(stage, FaultStage::Healed { .. }),
        _ => false,
    };
    let never = good().without(|event| matches!(event, Event::Fault { .. }) && !undone(event));
    assert_check(&never, "rto", Inconclusive, "site-failure was never begun");
    assert!(never.judged().faults.is_empty());
}

/// Its victims could not be found: it never began, and the reason is known.
#[test]
fn a_fault_that_could_not_be_injected_is_invalid() {
    let unseen = stage(FaultStage::EffectNotSeen {
        reason: "no pod is called p9".into(),
    });
    let never = good()
        .without(|event| matches!(event, Event::Fault { .. }))
        .with(T0, unseen);
    assert_check(&never, "rto", Invalid, "no pod is called p9");
    assert_check(&never, "faults", Invalid, "no pod is called p9");
    assert_check(&never, "holes", Invalid, "the check `faults` says why");
}
