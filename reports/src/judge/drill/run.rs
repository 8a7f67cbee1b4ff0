//! Checks of the run itself: was the target steady, was everything that was planned done, is nothing left behind.

use std::collections::BTreeSet;

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{Act, DataCounter, Objective, RecoveryStep, Subject};

use super::faults::{Broken, Effect, base};
use super::{Drilled, words};
use crate::judge::words::early;
use crate::judge::{blank, trust};
use crate::recording::{EarlyEnd, Event, ReadPlace, StepStage};
use crate::result::{Amount, Check, Relation};

pub fn checks(drilled: &Drilled<'_>) -> Vec<Check> {
    let all = [
        steady(drilled),
        ended(drilled),
        broken(drilled),
        steps(drilled),
        waits(drilled),
        losses(drilled),
        backups(drilled),
        leftovers(drilled),
    ];
    all.into_iter().flatten().collect()
}

/// There is one only when the target was not steady before the first fault: then nothing that follows says anything.
fn steady(drilled: &Drilled<'_>) -> Option<Check> {
    drilled
        .view
        .recording
        .events
        .iter()
        .find_map(|timed| match &timed.event {
            Event::Steady {
                held: false,
                reason,
            } => Some(Check {
                verdict: Verdict::Invalid,
                reason: words::not_steady(reason),
                ..blank("steady".to_owned(), words::ABOUT_STEADY.to_owned())
            }),
            _ => None,
        })
}

/// There is one only when the run was ended before its time, and neither by a signal nor for want of a steady target: who sent the
/// one knows of it, and the other has a check.
fn ended(drilled: &Drilled<'_>) -> Option<Check> {
    let (_, reason, detail) = drilled.view.recording.ended_early()?;
    match reason {
        EarlyEnd::Interrupted | EarlyEnd::NotSteady => None,
        EarlyEnd::Aborted | EarlyEnd::Incident | EarlyEnd::TargetLost => Some(Check {
            verdict: Verdict::Inconclusive,
            reason: early(reason, detail),
            ..blank("ended".to_owned(), words::ABOUT_ENDED.to_owned())
        }),
    }
}

/// There is one only when a fault was not seen in force, or never begun: then what passed may have met no fault at all,
/// whether an objective names it or not.
fn broken(drilled: &Drilled<'_>) -> Option<Check> {
    let faults = || drilled.faults.iter().filter(|fault| fault.is_fault());
    let unseen: Vec<String> = faults().filter_map(unseen).collect();
    let is_fault = |act: &Act| matches!(act, Act::Fault(_));
    let never = never_begun(drilled, is_fault, |id| faults().any(|fault| fault.id == id));
    let verdict = if unseen.is_empty() {
        Verdict::Inconclusive
    } else {
        Verdict::Invalid
    };
    let reasons: Vec<String> = unseen.into_iter().chain(never).collect();
    (!reasons.is_empty()).then(|| Check {
        verdict,
        reason: reasons.join("; "),
        ..blank("faults".to_owned(), words::ABOUT_FAULTS.to_owned())
    })
}

fn unseen(fault: &Broken) -> Option<String> {
    match &fault.effect {
        Effect::Seen(_) => None,
        Effect::NotSeen(why) => Some(words::not_seen(fault, why)),
        Effect::NotLookedFor => Some(words::not_seen(fault, words::NOT_LOOKED_FOR)),
    }
}

/// Actions of this kind that were not taken as often as they were planned. Of a run that was cut short that says
/// nothing, and it passes nothing anyhow.
fn never_begun(
    drilled: &Drilled<'_>,
    meant: impl Fn(&Act) -> bool,
    begun: impl Fn(&str) -> bool,
) -> Vec<String> {
    if drilled.view.recording.ended_early().is_some() {
        return Vec::new();
    }
    let planned = drilled.actions().iter().filter(|action| meant(&action.act));
    let names =
        planned.flat_map(|action| (0..action.times.max(1)).map(|number| action.name(number)));
    let never = names.filter(|name| !begun(name));
    never.map(|name| words::never_begun(&name)).collect()
}

/// There is one only when a step was not done.
fn steps(drilled: &Drilled<'_>) -> Option<Check> {
    let mut open: Vec<(&str, &str)> = Vec::new();
    let mut failed = Vec::new();
    for timed in &drilled.view.recording.events {
        if let Event::Step { id, on, stage, .. } = &timed.event {
            match stage {
                StepStage::Started => open.push((id, on)),
                StepStage::Done { .. } => open.retain(|(other, _)| other != id),
                StepStage::Failed { reason } => {
                    open.retain(|(other, _)| other != id);
                    failed.push(words::step_failed(id, on, reason));
                }
            }
        }
    }
    let verdict = if failed.is_empty() {
        Verdict::Inconclusive
    } else {
        Verdict::Fail
    };
    failed.extend(open.iter().map(|(id, on)| words::step_unfinished(id, on)));
    let is_step = |act: &Act| matches!(act, Act::Step(_));
    failed.extend(never_begun(drilled, is_step, |id| {
        let events = drilled.view.recording.events.iter();
        events
            .into_iter()
            .any(|timed| matches!(&timed.event, Event::Step { id: own, .. } if own == id))
    }));
    (!failed.is_empty()).then(|| Check {
        verdict,
        reason: failed.join("; "),
        ..blank("steps".to_owned(), words::ABOUT_STEPS.to_owned())
    })
}

/// There is one only when a phase was over before what it waited for had come: `within` is a limit too. Where something
/// was not broken as it was planned, nothing had to recover, and a check of its own says so.
fn waits(drilled: &Drilled<'_>) -> Option<Check> {
    if steady(drilled).is_some() || broken(drilled).is_some() {
        return None;
    }
    let view = drilled.view;
    let has_come = |name: &str| {
        let came = |event: &Event| matches!(event, Event::Waited { phase } if phase == name);
        view.recording.at(came).is_some()
    };
    let phases = view.recording.plan.timeline.iter().zip(&view.phases);
    let ran_out = phases.enumerate().filter_map(|(index, (phase, ran))| {
        let until = phase
            .until
            .filter(|_| ran.complete && !has_come(&ran.name))?;
        let trusted = trust::of_phase(view, index).is_empty();
        Some((trusted, words::ran_out(phase, until)))
    });
    let (trusted, reasons): (Vec<bool>, Vec<String>) = ran_out.unzip();
    (!reasons.is_empty()).then(|| Check {
        verdict: match trusted.contains(&true) {
            true => Verdict::Fail,
            // Our own trouble may have looked like the target's.
            false => Verdict::Invalid,
        },
        reason: reasons.join("; "),
        ..blank("waits".to_owned(), words::ABOUT_WAITS.to_owned())
    })
}

/// There is one only when writes are gone of which no objective speaks: those on the recovery point are about other faults,
/// and what may be lost by those says nothing of this one.
fn losses(drilled: &Drilled<'_>) -> Option<Check> {
    let objectives = &drilled.view.recording.plan.objectives;
    let of_one = |own: &Objective| matches!(own.subject, Subject::Rpo { fault: Some(_), .. });
    if !objectives.iter().any(of_one) {
        return None;
    }
    let speaks = |fault: Option<&str>| {
        objectives.iter().any(|own| match own.subject {
            Subject::Rpo { fault: None, .. } => true,
            Subject::Rpo {
                fault: Some(own), ..
            } => fault == Some(drilled.actions()[own].id.as_str()),
            Subject::Data { counter, .. } => counter == DataCounter::Lost,
            _ => false,
        })
    };
    let mut told = BTreeSet::new();
    let mut unspoken = Vec::new();
    for data in &drilled.view.recording.ledger.data {
        let taken = match data.place {
            ReadPlace::Serving | ReadPlace::Standby => data.counts.taken() > 0,
            // A backup lacks what came after it.
            ReadPlace::Test => false,
        };
        let about = data.fault.as_deref().map(base);
        // Every further read-back finds the same missing.
        if taken && !speaks(about) && told.insert(about) {
            unspoken.push(words::counted(data, DataCounter::Lost));
        }
    }
    (!unspoken.is_empty()).then(|| Check {
        verdict: Verdict::Fail,
        reason: unspoken.join("; "),
        ..blank("losses".to_owned(), words::ABOUT_LOSSES.to_owned())
    })
}

/// There is one only when a run that misbehaved on purpose passes all other checks: then they would not notice it of a
/// target either.
pub fn unnoticed(drilled: &Drilled<'_>, verdict: Verdict) -> Option<Check> {
    let sabotage = |event: &Event| match event {
        Event::Sabotage { name, shown } => Some(words::unnoticed(name, shown)),
        _ => None,
    };
    let events = drilled.view.recording.events.iter();
    let reason = events
        .filter_map(|timed| sabotage(&timed.event))
        .next_back();
    let reason = reason.filter(|_| verdict == Verdict::Pass)?;
    Some(Check {
        verdict: Verdict::Fail,
        reason,
        ..blank("sabotage".to_owned(), words::ABOUT_SABOTAGE.to_owned())
    })
}

/// Of every run that verifies backups: the newest of each place.
fn backups(drilled: &Drilled<'_>) -> Option<Check> {
    let planned = drilled
        .actions()
        .iter()
        .filter(|action| matches!(&action.act, Act::Step(RecoveryStep::VerifyBackups { .. })));
    let found: Vec<(Verdict, String)> = planned
        .map(|action| match drilled.view.recording.step_end(&action.id) {
            Some(Ok(detail)) => (Verdict::Pass, detail.to_owned()),
            Some(Err(reason)) => (Verdict::Fail, reason.to_owned()),
            None => (Verdict::Inconclusive, words::never_begun(&action.id)),
        })
        .collect();
    let sound = found
        .iter()
        .filter(|(verdict, _)| *verdict == Verdict::Pass);
    let reasons: Vec<&str> = found.iter().map(|(_, reason)| reason.as_str()).collect();
    (!found.is_empty()).then(|| Check {
        verdict: Verdict::worst(found.iter().map(|(verdict, _)| *verdict)),
        relation: Relation::AtLeast,
        target: Some(Amount::Whole(found.len() as u64)),
        measured: Some(Amount::Whole(sound.count() as u64)),
        samples: found.len() as u64,
        reason: reasons.join("; "),
        ..blank("backups".to_owned(), words::ABOUT_BACKUPS.to_owned())
    })
}

/// Of every run that broke something.
fn leftovers(drilled: &Drilled<'_>) -> Option<Check> {
    let begun = drilled
        .faults
        .iter()
        .filter(|fault| fault.is_fault() && fault.t0.is_some());
    let begun: Vec<_> = begun.collect();
    let left: Vec<String> = begun
        .iter()
        .flat_map(|fault| {
            fault
                .leftovers
                .iter()
                .map(|what| words::leftover(fault, what))
        })
        .collect();
    (!begun.is_empty()).then(|| Check {
        verdict: if left.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Invalid
        },
        relation: Relation::AtMost,
        target: Some(Amount::Whole(0)),
        measured: Some(Amount::Whole(left.len() as u64)),
        samples: begun.len() as u64,
        reason: match left.is_empty() {
            true => words::all_healed(begun.len()),
            false => left.join("; "),
        },
        ..blank("leftovers".to_owned(), words::ABOUT_LEFTOVERS.to_owned())
    })
}
