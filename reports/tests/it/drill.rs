//! Drills judged: green where service and data came back, red for the named reason where they did not, and neither
//! where it is not proven.

use firedrill_evidence::Verdict::{self, Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::recording::{EarlyEnd, Event, FaultStage, Mark, Mode, StepStage};
use firedrill_reports::result::{Amount, LimitSource, Method};
use firedrill_scenarios::plan::{FaultKind, Until};

use super::drilled::{Drill, T0, failing, good, mark, stage};
use super::synthetic::{MS, SECOND, ZERO};
use super::{check, ids};

/// The check of this id has this verdict, for this reason.
pub fn assert_check(drill: &Drill, id: &str, verdict: Verdict, reason: &str) {
    let result = drill.judged();
    let found = check(&result, id);
    assert_eq!(found.verdict, verdict, "{id}: {}", found.reason);
    assert!(found.reason.contains(reason), "{id}: {}", found.reason);
}

/// Everything else is as in a good drill.
pub fn assert_only(drill: &Drill, id: &str, verdict: Verdict, reason: &str) {
    assert_check(drill, id, verdict, reason);
    let result = drill.judged();
    for other in result.checks.iter().filter(|other| other.id != id) {
        assert_eq!(other.verdict, Pass, "{}: {}", other.id, other.reason);
    }
}

#[test]
fn a_good_drill_passes_with_its_numbers() {
    let result = good().judged();
    assert_eq!(result.verdict, Pass, "{:#?}", result.checks);
    let budget = check(&result, "rto-budget");
    assert_eq!(budget.measured, Some(Amount::Whole(6750 * MS)));
    assert_eq!(budget.lower, Some(Amount::Whole(5750 * MS)));
    assert_eq!(
        (budget.method, budget.source),
        (Method::Window, Some(LimitSource::Budget))
    );
    assert_eq!(budget.fault.as_deref(), Some("site-failure"));
    let rpo = check(&result, "rpo-budget");
    assert_eq!(
        (rpo.measured, rpo.lower),
        (Some(Amount::Whole(310 * MS)), Some(Amount::Whole(300 * MS)))
    );
    assert_eq!((rpo.method, rpo.samples), (Method::Ledger, 3_900));
    let [fault] = result.faults.as_slice() else {
        panic!("{:?}", result.faults)
    };
    assert_eq!(
        (fault.rto, fault.outage, fault.relapses),
        (Some(6750 * MS), Some(6750 * MS), 0)
    );
    assert_eq!(
        (fault.rpo, fault.rpo_lower),
        (Some(310 * MS), Some(300 * MS))
    );
    assert_eq!(
        (fault.effect.as_deref(), fault.leftovers.len()),
        (Some("health"), 0)
    );
    let at = |name: &str| fault.marks[name] - ZERO;
    assert_eq!(
        (at("t0"), at("detected"), at("t7")),
        (T0, T0 + 1600 * MS, 17 * SECOND)
    );
    assert_eq!((at("t8"), at("t6")), (27 * SECOND, 17 * SECOND));
    // Where clients saw the first success, it is known to the instant.
    let seen = good()
        .with(17 * SECOND + 40 * MS, mark(Mark::FirstSuccess))
        .judged();
    assert_eq!(seen.faults[0].marks["t6"] - ZERO, 17 * SECOND + 40 * MS);
    let data = result.data.unwrap();
    assert_eq!(
        (data.lost, data.acknowledged, data.rpo),
        (2, 3_900, Some(310 * MS))
    );
}

#[test]
fn the_procedures_rows_say_that_they_were_rehearsed() {
    let mut drill = good();
    let rehearsed = |drill: &Drill, id: &str| {
        let result = drill.judged();
        check(&result, id)
            .reason
            .contains("rehearsed on a stand-in")
    };
    assert!(rehearsed(&drill, "rto") && rehearsed(&drill, "rpo"));
    assert!(!rehearsed(&drill, "rto-budget") && !rehearsed(&drill, "rpo-budget"));
    drill.run.mode = Mode::Live;
    assert!(!rehearsed(&drill, "rto"));
}

// ---- recovery ----

#[test]
fn a_slow_recovery_fails_the_budget_alone() {
    let slow = failing(|second, _| (11..25).contains(&second));
    assert_only(&slow, "rto-budget", Fail, "service was back 14.8 s after");
}

#[test]
fn what_is_never_back_fails_the_procedure_too() {
    let down = failing(|second, _| second >= 11);
    assert_check(&down, "rto", Fail, "was not back 69.8 s after");
    let result = down.judged();
    assert_eq!(
        (result.faults[0].rto, result.faults[0].rto_at_least),
        (None, Some(69_750 * MS))
    );
    assert_eq!(check(&result, "rto").at_least, Some(69_750 * MS));
}

#[test]
fn a_twentieth_answered_is_not_back() {
    let partial = failing(|second, index| second >= 11 && index % 20 != 3);
    assert_check(&partial, "rto-budget", Fail, "was not back");
    assert!(
        partial.judged().faults[0].marks.contains_key("t6"),
        "something succeeded"
    );
}

#[test]
fn a_relapse_is_counted_and_puts_it_off() {
    let relapse = failing(|second, _| (11..17).contains(&second) || (40..42).contains(&second));
    assert_only(
        &relapse,
        "rto-budget",
        Fail,
        "it was lost again once on the way",
    );
    assert_eq!(relapse.judged().faults[0].relapses, 1);
}

#[test]
fn what_no_client_noticed_takes_a_bucket_at_most() {
    let unnoticed = failing(|_, _| false);
    assert_eq!(unnoticed.judged().verdict, Pass);
    assert_check(
        &unnoticed,
        "rto-budget",
        Pass,
        "no client noticed site-failure on primary: at most 1 s",
    );
    assert!(unnoticed.judged().faults[0].unnoticed);
}

/// A fault that goes on and shows itself when the next one has begun: it is not over by that.
#[test]
fn an_outage_that_comes_late_is_no_work_of_the_next_fault() {
    let next = |drill: Drill| {
        drill.with(
            35 * SECOND,
            Event::Fault {
                id: "next".into(),
                fault: "backup-lost".into(),
                on: "primary".into(),
                stage: FaultStage::Injecting,
            },
        )
    };
    let late = || failing(|second, _| (40..45).contains(&second));
    let rto = |drill: Drill| next(drill).judged().faults[0].rto;
    let lasting = FaultKind::DiskFull { site: 0 };
    assert_eq!(rto(late().kind(lasting.clone())), Some(45 * SECOND - T0));
    // It was over.
    let over = late()
        .kind(lasting)
        .with(30 * SECOND, stage(FaultStage::Healing));
    assert_eq!(rto(over), Some(SECOND));
    // It had not even struck.
    let slow = late()
        .kind(FaultKind::SiteFailure { site: 0 })
        .with(36 * SECOND, stage(FaultStage::Injected));
    assert_eq!(rto(slow), Some(45 * SECOND - T0));
}

/// Told late, when another fault was the newest: its instant says which one it is about.
#[test]
fn a_mark_that_was_told_late_stays_with_its_fault() {
    let second = |stage| Event::Fault {
        id: "site-failure#2".into(),
        fault: "site-failure".into(),
        on: "primary".into(),
        stage,
    };
    let late = Event::Mark {
        mark: Mark::RouteExpired,
        fault: Some("site-failure#2".into()),
        source: "director".into(),
        detail: String::new(),
    };
    let mut drill = good().with(40 * SECOND, second(FaultStage::Injecting));
    for stage in [
        FaultStage::Injected,
        FaultStage::EffectSeen {
            by: "health".into(),
        },
        FaultStage::Healed { by: "view".into() },
    ] {
        drill = drill.with(41 * SECOND, second(stage));
    }
    let result = drill.with(15 * SECOND, late).judged();
    let [first, second] = result.faults.as_slice() else {
        panic!("{:?}", result.faults)
    };
    assert!(
        first.marks.contains_key("route_expired") && !second.marks.contains_key("route_expired")
    );
    // Service was back before the second one, so that each has its own recovery.
    assert_eq!((first.rto, second.unnoticed), (Some(6750 * MS), true));
}

#[test]
fn a_run_that_was_interrupted_is_not_blamed() {
    let cut = |end, early| {
        let mut cut = failing(|second, _| second >= 11);
        cut.run.early = Some((end, early));
        cut.run.operations.retain(|operation| operation.due < end);
        cut
    };
    let because = "the run was ended before it could be back";
    for early in [
        EarlyEnd::Interrupted,
        EarlyEnd::Aborted,
        EarlyEnd::Incident,
        EarlyEnd::TargetLost,
    ] {
        let soon = cut(15 * SECOND, early);
        assert_check(&soon, "rto", Inconclusive, because);
        assert_check(&soon, "rto-budget", Inconclusive, because);
        // Whatever ended it, that was too long already.
        let late = cut(40 * SECOND, early);
        assert_check(&late, "rto", Inconclusive, because);
        assert_check(&late, "rto-budget", Fail, "was not back 29.8 s after");
    }
}

/// What passed until then passes still, so that nothing else would say why the run does not.
#[test]
fn what_ended_a_run_before_its_time_is_told_by_a_check() {
    let ended = |early| {
        let mut cut = good();
        cut.run.early = Some((70 * SECOND, early));
        let result = cut.judged();
        let found = result.checks.into_iter().find(|check| check.id == "ended");
        found.map(|check| (check.verdict, check.reason))
    };
    for (early, because) in [
        (EarlyEnd::Aborted, "aborted: "),
        (EarlyEnd::Incident, "ended for another incident: "),
        (EarlyEnd::TargetLost, "the target was lost: "),
    ] {
        let (verdict, reason) = ended(early).unwrap();
        assert_eq!(verdict, Inconclusive);
        assert!(reason.starts_with(because), "{reason}");
    }
    // Whoever sent a signal knows of it.
    assert_eq!(ended(EarlyEnd::Interrupted), None);
}

#[test]
fn a_late_generator_shows_no_recovery() {
    let mut late = good();
    for operation in late
        .run
        .operations
        .iter_mut()
        .filter(|one| (12..16).contains(&(one.due / SECOND)))
    {
        operation.lateness = 200 * MS;
    }
    assert_check(&late, "rto-budget", Invalid, "firedrill dispatched late");
    let mut before = good();
    for operation in before
        .run
        .operations
        .iter_mut()
        .filter(|one| one.due < 5 * SECOND)
    {
        operation.lateness = 200 * MS;
    }
    assert_check(&before, "rto-budget", Pass, "service was back");
}

#[test]
fn a_closed_load_shows_no_outage() {
    let mut closed = good();
    closed.run.scenario = closed.run.scenario.replace(
        "arrivals: { constant: 100/s }",
        "closed: { think: 200ms }\n  sessions: { count: 5 }",
    );
    assert_check(&closed, "rto", Inconclusive, "no load is open");
}

#[test]
fn a_phase_that_is_over_before_what_it_waits_for_fails_the_run() {
    let mut recording = good().recording();
    recording.plan.timeline[1].until = Some(Until::Recovered);
    let result = firedrill_reports::judge(&recording, None);
    let waits = result
        .checks
        .iter()
        .find(|check| check.id == "waits")
        .unwrap();
    let because = "`outage` was over after 50 s, and the target had not recovered";
    assert_eq!((waits.verdict, waits.reason.as_str()), (Fail, because));
    assert_eq!(result.verdict, Fail);
}

#[test]
fn a_phase_that_was_cut_or_met_no_fault_did_not_run_out() {
    let waits = |drill: &Drill| {
        let mut recording = drill.recording();
        recording.plan.timeline[1].until = Some(Until::Recovered);
        let result = firedrill_reports::judge(&recording, None);
        result.checks.iter().any(|check| check.id == "waits")
    };
    assert!(waits(&good()));
    let mut cut = good();
    cut.run.early = Some((20 * SECOND, EarlyEnd::Aborted));
    assert!(!waits(&cut));
    let never = good().without(|event| matches!(event, Event::Fault { .. }));
    assert!(!waits(&never));
}

#[test]
fn a_phase_that_waited_ends_when_it_did() {
    let mut drill = good();
    drill.run.waited = vec![("outage".into(), 30 * SECOND)];
    drill.run.operations.retain_mut(|operation| {
        let kept = !(30 * SECOND..60 * SECOND).contains(&operation.due);
        if operation.due >= 60 * SECOND {
            operation.due -= 30 * SECOND;
        }
        kept
    });
    let mut recording = drill.recording();
    recording.plan.timeline[1].until = Some(Until::Recovered);
    let result = firedrill_reports::judge(&recording, None);
    let [_, outage, dr] = result.phases.as_slice() else {
        panic!()
    };
    assert_eq!(
        (outage.end, outage.complete),
        (Some(ZERO + 30 * SECOND), true)
    );
    assert!(result.checks.iter().all(|check| check.id != "waits"));
    assert_eq!(
        (dr.start, dr.end),
        (Some(ZERO + 30 * SECOND), Some(ZERO + 50 * SECOND))
    );
    assert_eq!(result.faults[0].rto, Some(6750 * MS));
}

// ---- the run itself ----

#[test]
fn what_is_left_behind_is_named_and_invalid() {
    let left = FaultStage::Leftover {
        what: "primary still has no power".into(),
    };
    let left = good()
        .without(|event| {
            matches!(
                event,
                Event::Fault {
                    stage: FaultStage::Healed { .. },
                    ..
                }
            )
        })
        .with(78 * SECOND, stage(left));
    assert_only(
        &left,
        "leftovers",
        Invalid,
        "site-failure on primary: primary still has no power",
    );
    assert_eq!(left.judged().verdict, Invalid);
    assert_eq!(
        left.judged().faults[0].leftovers,
        ["primary still has no power"]
    );
    let unseen = good().without(|event| {
        matches!(
            event,
            Event::Fault {
                stage: FaultStage::Healed { .. },
                ..
            }
        )
    });
    assert_only(
        &unseen,
        "leftovers",
        Invalid,
        "that it was undone was never seen",
    );
}

#[test]
fn a_target_that_was_not_steady_is_not_broken() {
    let steady = Event::Steady {
        held: false,
        reason: "4 % failed".into(),
    };
    let unsteady = good()
        .without(|event| matches!(event, Event::Fault { .. } | Event::Steady { .. }))
        .with(T0 - SECOND, steady);
    assert_check(
        &unsteady,
        "steady",
        Invalid,
        "the target was not steady before: 4 % failed",
    );
    assert_eq!(unsteady.judged().verdict, Invalid);
}

#[test]
fn a_step_that_was_begun_and_not_finished_is_no_pass() {
    let begun = Event::Step {
        id: "restore".into(),
        step: "restore".into(),
        on: "dr".into(),
        stage: StepStage::Started,
    };
    let drill = good().with(20 * SECOND, begun);
    assert_only(
        &drill,
        "steps",
        Inconclusive,
        "restore on dr was begun and not finished",
    );
}

#[test]
fn nothing_asked_is_nothing_proven() {
    let mut drill = good();
    drill.objectives.clear();
    let result = drill.judged();
    assert_eq!(
        (ids(&result), result.verdict),
        (vec!["leftovers"], Inconclusive)
    );
}
