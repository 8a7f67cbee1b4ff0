//! Checks of the run itself: was the target steady, were the steps done, is nothing left behind.

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{Act, RecoveryStep};

use super::{Drilled, words};
use crate::judge::blank;
use crate::recording::{Event, StepStage};
use crate::result::{Amount, Check, Relation};

pub fn checks(drilled: &Drilled<'_>) -> Vec<Check> {
    let all = [
        steady(drilled),
        steps(drilled),
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
    (!failed.is_empty()).then(|| Check {
        verdict,
        reason: failed.join("; "),
        ..blank("steps".to_owned(), words::ABOUT_STEPS.to_owned())
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
