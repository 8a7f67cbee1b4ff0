//! Objectives on bounded refusal: what a fault does is refused with the right code and in time, service is back in
//! time, nothing is lost, and nobody else ends. And on all such patterns together.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{Act, FaultKind, Manner, Objective, Refusal, Source};

use super::faults::{Broken, Effect};
use super::{Drilled, data, duration_check, rto, words};
use crate::judge::blank;
use crate::judge::view::nanoseconds;
use crate::numbers::{count, duration, span};
use crate::recording::{Answered, Event};
use crate::result::{Amount, Check, Method, Relation, Unit};

/// From the fault until the first right refusal, and until service is back.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub within: Duration,
    pub recovered: Duration,
}

type Part = (Verdict, String);

/// How a hostile client was answered.
struct Answers<'a> {
    attempts: u64,
    answers: &'a [Answered],
    unanswered: u64,
    failures: &'a BTreeMap<String, u64>,
}

/// The worst of all times that the fault was done.
pub fn check(
    drilled: &Drilled<'_>,
    objective: &Objective,
    action: usize,
    refusal: Refusal,
    limits: Limits,
) -> Check {
    let id = &drilled.actions()[action].id;
    let blank = Check {
        method: Method::Count,
        source: None,
        ..duration_check(
            objective,
            words::about_refusal(id, refusal),
            limits.within,
            Source::Budget,
        )
    };
    let done = (0..drilled.faults.len()).filter(|at| drilled.faults[*at].action == Some(action));
    let all = done.map(|at| of_fault(drilled, at, refusal, limits));
    let worst = all.max_by_key(|(verdict, _, detection)| (*verdict, *detection));
    let Some((verdict, reason, detection)) = worst else {
        return Check {
            reason: words::never_begun(id),
            ..blank
        };
    };
    Check {
        verdict,
        reason,
        measured: detection.map(Amount::Whole),
        lower: detection.map(Amount::Whole),
        upper: detection.map(Amount::Whole),
        samples: drilled
            .faults
            .iter()
            .filter(|fault| fault.action == Some(action))
            .filter_map(|fault| answers(drilled, fault))
            .map(|own| own.attempts)
            .sum(),
        fault: Some(id.clone()),
        ..blank
    }
}

/// The verdict with every part of it, the worst first, and the time to the first right refusal.
fn of_fault(
    drilled: &Drilled<'_>,
    at: usize,
    refusal: Refusal,
    limits: Limits,
) -> (Verdict, String, Option<u64>) {
    let fault = &drilled.faults[at];
    if let Some(part) = not_in_force(fault) {
        return (part.0, part.1, None);
    }
    let (detection, mut parts) = refused(drilled, fault, refusal, limits.within);
    let recovered = nanoseconds(limits.recovered);
    parts.push(rto::judge(
        drilled,
        fault,
        &drilled.recoveries[at],
        recovered,
    ));
    parts.push(data::nothing_lost(drilled));
    parts.push(bystanders(drilled, fault));
    let verdict = Verdict::worst(parts.iter().map(|(verdict, _)| *verdict));
    // What decides stands first.
    parts.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
    let reasons: Vec<String> = parts.into_iter().map(|(_, words)| words).collect();
    (verdict, reasons.join("; "), detection)
}

fn not_in_force(fault: &Broken) -> Option<Part> {
    let why = match &fault.effect {
        Effect::Seen(_) => return None,
        Effect::NotSeen(why) => why,
        Effect::NotLookedFor => words::NOT_LOOKED_FOR,
    };
    Some((Verdict::Invalid, words::not_seen(fault, why)))
}

fn answers<'a>(drilled: &Drilled<'a>, fault: &Broken) -> Option<Answers<'a>> {
    let mut events = drilled.view.recording.events.iter();
    events.find_map(|timed| match &timed.event {
        Event::Refusals {
            id,
            attempts,
            answers,
            unanswered,
            failures,
            ..
        } if *id == fault.id => Some(Answers {
            attempts: *attempts,
            answers,
            unanswered: *unanswered,
            failures,
        }),
        _ => None,
    })
}

/// Whether this is the answer that the bound should give.
fn is_right(answer: &Answered, refusal: Refusal) -> bool {
    match answer.status {
        Some(status) => answer.refusal == Some(refusal.code()) && status == refusal.status(),
        None => refusal.may_hang_up(),
    }
}

/// The right refusals: whether there are any, and how soon the first came.
fn refused(
    drilled: &Drilled<'_>,
    fault: &Broken,
    refusal: Refusal,
    within: Duration,
) -> (Option<u64>, Vec<Part>) {
    let Some(own) = answers(drilled, fault) else {
        let part = (Verdict::Inconclusive, words::no_answers(&fault.id));
        return (None, vec![part]);
    };
    if own.attempts == 0 {
        let part = (
            Verdict::Invalid,
            words::could_not_act(&fault.id, own.failures),
        );
        return (None, vec![part]);
    }
    let right: Vec<&Answered> = own
        .answers
        .iter()
        .filter(|own| is_right(own, refusal))
        .collect();
    let others = words::other_answers(own.answers, own.unanswered, |own| is_right(own, refusal));
    let first = right.iter().map(|own| own.first).min();
    let Some(first) = first else {
        let words = words::not_refused(&fault.id, refusal, own.attempts, &others);
        return (None, vec![(Verdict::Fail, words)]);
    };
    let detection = first.saturating_sub(fault.t0.unwrap_or(first));
    let limit = nanoseconds(within);
    let times: u64 = right.iter().map(|own| own.count).sum();
    let seen = format!(
        "{} was refused with {} after {}, and {} times in all",
        fault.id,
        words::answered_with(refusal, &right),
        duration(detection),
        count(times)
    );
    let mut parts = vec![if detection < limit {
        (Verdict::Pass, seen)
    } else {
        (
            Verdict::Fail,
            format!("{seen}; less than {} is asked", span(limit)),
        )
    }];
    if every(drilled, fault) && !others.is_empty() {
        parts.push((Verdict::Fail, words::not_every(&fault.id, &others)));
    }
    (Some(detection), parts)
}

/// Whether each single attempt has to be refused, and not only those that are too many.
fn every(drilled: &Drilled<'_>, fault: &Broken) -> bool {
    let action = fault.action.and_then(|index| drilled.actions().get(index));
    let manner = action.and_then(|action| match &action.act {
        Act::Fault(fault) => match fault.kind {
            FaultKind::Hostile { manner, .. } => Some(manner),
            _ => None,
        },
        Act::Step(_) | Act::ReadBack { .. } => None,
    });
    match manner {
        Some(Manner::InvalidPayload { .. } | Manner::LargePayload { .. }) => true,
        Some(
            Manner::MessageFlood(_) | Manner::ConnectionLeak { .. } | Manner::SlowConsumer { .. },
        )
        | None => false,
    }
}

fn bystanders(drilled: &Drilled<'_>, fault: &Broken) -> Part {
    let mut events = drilled.view.recording.events.iter();
    let told = events.find_map(|timed| match &timed.event {
        Event::Bystanders { id, watched, ended } if *id == fault.id => Some((*watched, ended)),
        _ => None,
    });
    match told {
        None | Some((0, _)) => (Verdict::Invalid, words::NO_BYSTANDERS.to_owned()),
        Some((watched, ended)) if ended.is_empty() => (Verdict::Pass, words::no_cascade(watched)),
        Some((_, ended)) => (Verdict::Fail, words::cascade(ended)),
    }
}

/// Every fault that an objective of its own names, together.
pub fn suite(drilled: &Drilled<'_>, objective: &Objective, share: f64, limits: Limits) -> Check {
    let blank = Check {
        unit: Unit::Share,
        relation: Relation::AtLeast,
        target: Some(Amount::Real(share)),
        method: Method::Count,
        ..blank(objective.id.clone(), words::ABOUT_SUITE.to_owned())
    };
    let mut patterns: BTreeMap<usize, Vec<Check>> = BTreeMap::new();
    for own in &drilled.view.recording.plan.objectives {
        if let Some(action) = own.subject.pattern() {
            patterns
                .entry(action)
                .or_default()
                .extend(drilled.check(own));
        }
    }
    let checks = || patterns.values().flatten();
    let worst = |checks: &[Check]| Verdict::worst(checks.iter().map(|check| check.verdict));
    let passed = patterns
        .values()
        .filter(|own| worst(own) == Verdict::Pass)
        .count();
    let unproven = checks()
        .map(|check| check.verdict)
        .filter(|own| *own != Verdict::Fail);
    let measured = passed as f64 / patterns.len().max(1) as f64;
    let detections = patterns
        .keys()
        .filter_map(|action| detection(drilled, &patterns[action]));
    let recoveries = drilled.faults.iter().zip(&drilled.recoveries);
    let recoveries = recoveries.filter(|(fault, _)| {
        fault
            .action
            .is_some_and(|action| patterns.contains_key(&action))
    });
    let detection = mean(detections);
    let recovery = mean(recoveries.filter_map(|(_, own)| own.rto));
    let slow = |mean: Option<u64>, limit| mean.is_some_and(|mean| mean > nanoseconds(limit));
    let verdict = if slow(detection, limits.within) || slow(recovery, limits.recovered) {
        Verdict::Fail
    } else if measured >= share {
        Verdict::Pass
    } else {
        // Patterns that prove nothing are no failures either.
        match Verdict::worst(unproven) {
            Verdict::Pass => Verdict::Fail,
            other if checks().all(|check| check.verdict != Verdict::Fail) => other,
            _ => Verdict::Fail,
        }
    };
    Check {
        verdict,
        reason: words::suite(passed, patterns.len(), detection, recovery),
        measured: Some(Amount::Real(measured)),
        lower: Some(Amount::Real(measured)),
        upper: Some(Amount::Real(measured)),
        samples: patterns.len() as u64,
        ..blank
    }
}

/// The time to the first refusal of a pattern that is refused.
fn detection(drilled: &Drilled<'_>, checks: &[Check]) -> Option<u64> {
    let own = checks.iter().find(|check| {
        let objectives = &drilled.view.recording.plan.objectives;
        let objective = objectives.iter().find(|own| own.id == check.id);
        objective.is_some_and(|own| {
            matches!(
                own.subject,
                firedrill_scenarios::plan::Subject::Refusal { .. }
            )
        })
    })?;
    match own.measured {
        Some(Amount::Whole(detection)) => Some(detection),
        Some(Amount::Real(_)) | None => None,
    }
}

fn mean(all: impl Iterator<Item = u64>) -> Option<u64> {
    let (sum, number) = all.fold((0u64, 0u64), |(sum, number), own| {
        (sum.saturating_add(own), number + 1)
    });
    sum.checked_div(number)
}
