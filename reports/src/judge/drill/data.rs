//! Objectives on what was read back: the recovery point, and the counters.

use std::time::Duration;

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{Act, DataCounter, Objective, Source};

use super::faults::{Broken, Effect, Served, base, served};
use super::{Drilled, duration_check, words};
use crate::judge::blank;
use crate::judge::view::nanoseconds;
use crate::recording::{Data, Event, Mark, ReadBackStage, RecoveryPoint, StepStage};
use crate::result::{self, Amount, Check, Method, Relation, Unit};

/// The worst recovery point of the faults that are meant.
pub fn rpo(
    drilled: &Drilled<'_>,
    objective: &Objective,
    which: Option<usize>,
    below: Duration,
    source: Source,
) -> Check {
    let about = words::about_rpo(drilled.actions(), which);
    let check = Check {
        method: Method::Ledger,
        ..duration_check(objective, about, below, source)
    };
    let limit = nanoseconds(below);
    let id = which.map(|which| drilled.actions()[which].id.as_str());
    let of_it = |data: &&Data| {
        let about = data.fault.as_deref().map(base);
        about.is_some() && id.is_none_or(|id| about == Some(id))
    };
    let judged = all(drilled).filter(of_it);
    let judged = judged.map(|data| (unshared(judge(data, limit), data), data));
    let weight = |data: &Data| {
        let point = data.point.as_ref();
        point.map(|point| (point.reached().is_none(), point.rpo))
    };
    let worst = judged.max_by_key(|((verdict, _), data)| (*verdict, weight(data)));
    let Some(((verdict, reason), data)) = worst else {
        let reason = not_read(drilled).unwrap_or_else(|| words::NO_READ_BACK.to_owned());
        return Check { reason, ..check };
    };
    let (verdict, reason) = proven(drilled, verdict, reason, which.and(data.fault.as_deref()));
    let point = data.point.as_ref();
    let lower = |point: &RecoveryPoint| Amount::Whole(point.rpo_lower.unwrap_or(0));
    Check {
        verdict,
        reason: format!("{reason}{}", drilled.rehearsed(source)),
        measured: point.and_then(RecoveryPoint::reached).map(Amount::Whole),
        lower: point.map(lower),
        upper: point.and_then(RecoveryPoint::reached).map(Amount::Whole),
        at_least: point.and_then(RecoveryPoint::at_least),
        samples: data.counts.acknowledged,
        fault: data.fault.clone(),
        ..check
    }
}

fn judge(data: &Data, limit: u64) -> (Verdict, String) {
    let Some(point) = &data.point else {
        return (Verdict::Inconclusive, words::NO_ACKNOWLEDGEMENT.to_owned());
    };
    let reason = words::rpo(data, point);
    // Nothing is there to count from: how much more is gone, nobody knows.
    let within = point.rpo < limit && point.at_least().is_none();
    let verdict = match (data.counts.taken() > 0, within) {
        (true, false) => Verdict::Fail,
        // Nothing was acknowledged for so long that a loss could not have been seen.
        (false, false) => Verdict::Inconclusive,
        (_, true) if data.counts.unread > 0 => Verdict::Inconclusive,
        (_, true) => Verdict::Pass,
    };
    (verdict, reason)
}

/// A counter over every read-back; the highest is judged.
pub fn counter(
    drilled: &Drilled<'_>,
    objective: &Objective,
    counter: DataCounter,
    at_most: u64,
) -> Check {
    let check = Check {
        unit: Unit::Number,
        relation: Relation::AtMost,
        method: Method::Ledger,
        target: Some(Amount::Whole(at_most)),
        ..blank(
            objective.id.clone(),
            words::about_counter(counter).to_owned(),
        )
    };
    let unread = all(drilled).any(|data| data.counts.unread > 0);
    let judge = |data: &Data| {
        let found = data.counts.get(counter);
        let verdict = match counter {
            DataCounter::Unread | DataCounter::Behind if found > at_most => Verdict::Inconclusive,
            _ if found > at_most => Verdict::Fail,
            _ if unread => Verdict::Inconclusive,
            _ => Verdict::Pass,
        };
        let told = (verdict, words::counted(data, counter));
        match counter {
            DataCounter::Holes => unshared(told, data),
            _ => told,
        }
    };
    let judged = all(drilled).map(|data| (judge(data), data));
    let worst = judged.max_by_key(|((verdict, _), data)| (*verdict, data.counts.get(counter)));
    let Some(((verdict, reason), data)) = worst else {
        let reason = not_read(drilled).unwrap_or_else(|| words::NO_READ_BACK.to_owned());
        return Check { reason, ..check };
    };
    let (verdict, reason) = proven(drilled, verdict, reason, None);
    Check {
        verdict,
        reason,
        measured: Some(Amount::Whole(data.counts.get(counter))),
        samples: data.counts.acknowledged,
        ..check
    }
}

/// That no acknowledged write is lost, as far as everything was read back.
pub fn nothing_lost(drilled: &Drilled<'_>) -> (Verdict, String) {
    let Some(data) = all(drilled).max_by_key(|data| data.counts.lost) else {
        let reason = not_read(drilled).unwrap_or_else(|| words::NO_READ_BACK.to_owned());
        return (Verdict::Inconclusive, reason);
    };
    let reason = words::counted(data, DataCounter::Lost);
    if data.counts.lost > 0 {
        return (Verdict::Fail, reason);
    }
    if all(drilled).any(|data| data.counts.unread > 0) {
        return (
            Verdict::Inconclusive,
            words::counted(data, DataCounter::Unread),
        );
    }
    match not_read(drilled).or_else(|| unread(drilled, None)) {
        Some(missing) => (Verdict::Inconclusive, missing),
        None => (Verdict::Pass, reason),
    }
}

/// What one of two faults took fails neither, as long as nobody knows which.
fn unshared((verdict, reason): (Verdict, String), data: &Data) -> (Verdict, String) {
    match (&data.shared_with, verdict) {
        (Some(other), Verdict::Fail) => {
            (Verdict::Inconclusive, words::shared(data, other, &reason))
        }
        (Some(_) | None, _) => (verdict, reason),
    }
}

/// What was found stands. What was not found is no pass when a read-back is missing, or when the fault that should
/// have done the harm was never seen in force.
fn proven(
    drilled: &Drilled<'_>,
    verdict: Verdict,
    reason: String,
    fault: Option<&str>,
) -> (Verdict, String) {
    if verdict == Verdict::Fail {
        return (verdict, reason);
    }
    let meant = |broken: &&Broken| fault.is_none_or(|fault| fault == broken.id);
    let unseen = drilled
        .faults
        .iter()
        .filter(meant)
        .find(|broken| broken.is_fault() && !matches!(broken.effect, Effect::Seen(_)));
    if let Some(broken) = unseen {
        let unseen = words::not_seen(broken, words::TOLD_BY_FAULTS);
        return (Verdict::Invalid, format!("{unseen}; {reason}"));
    }
    let mut faults = drilled.faults.iter().filter(meant);
    let damaged = faults.find(|broken| !broken.can_be_back());
    let unread = || unread(drilled, fault);
    let missing = not_read(drilled).or_else(|| damaged.map(words::not_read_back));
    match missing.or_else(unread) {
        Some(missing) => (Verdict::Inconclusive, format!("{missing}; {reason}")),
        None => (verdict, reason),
    }
}

/// A read-back that failed, or that was planned and did not take place.
fn not_read(drilled: &Drilled<'_>) -> Option<String> {
    let failed = drilled
        .view
        .recording
        .events
        .iter()
        .find_map(|timed| match &timed.event {
            Event::ReadBack {
                id,
                site,
                stage: ReadBackStage::Failed { reason },
            } => Some(words::read_back_failed(id, site, reason)),
            _ => None,
        });
    let planned = drilled.actions().iter().filter(|action| match action.act {
        Act::ReadBack { .. } => true,
        Act::Fault(_) | Act::Step(_) => false,
    });
    let mut missing =
        planned.filter(|action| all(drilled).all(|data| base(&data.read_back) != action.id));
    failed.or_else(|| {
        missing
            .next()
            .map(|action| words::read_back_missing(&action.id))
    })
}

/// A fault, or a move to other data, after which the site that serves was not read: what it took, nobody knows.
fn unread(drilled: &Drilled<'_>, which: Option<&str>) -> Option<String> {
    let reads: Vec<Served> = served(drilled.view).collect();
    let meant = |fault: &&Broken| which.is_none_or(|which| which == fault.id);
    let never = drilled.faults.iter().filter(meant).find(|fault| {
        let begun = fault.t0.is_some() && fault.may_take(drilled.actions());
        begun && !reads.iter().any(|read| tells(drilled, fault, read))
    });
    let moved = || {
        let (at, what) = last_move(drilled).filter(|_| which.is_none())?;
        let read = reads.iter().any(|read| read.began >= at);
        (!read).then(|| words::serving_not_read_since(&what))
    };
    never.map(words::serving_not_read).or_else(moved)
}

/// Whether the read-back shows all that the fault may have taken: it began when the harm was done and clients had been
/// led elsewhere because of it, and either the fault was undone or nothing was written any more that it could take.
fn tells(drilled: &Drilled<'_>, fault: &Broken, read: &Served) -> bool {
    let moved = MOVES.iter().filter_map(|mark| fault.marks.get(mark)).max();
    let phases = drilled
        .view
        .phases
        .iter()
        .filter_map(|phase| phase.ran.as_ref());
    let written = phases.map(|ran| ran.end).max();
    fault.has_struck(read.began)
        && moved.is_none_or(|moved| *moved <= read.began)
        && (!fault.goes_on(drilled.actions())
            || fault.healed.is_some_and(|healed| healed <= read.began)
            || written.is_none_or(|end| end <= read.began))
}

/// Marks after which clients may get other data than before.
const MOVES: [Mark; 3] = [Mark::Promoted, Mark::RouteSwitched, Mark::Restored];

/// The last time that clients may have got other data than before, and by what.
fn last_move(drilled: &Drilled<'_>) -> Option<(u64, String)> {
    let moves = |id: &str| {
        let mut actions = drilled.actions().iter();
        let own = actions.find(|action| action.id == base(id));
        own.is_some_and(|own| match &own.act {
            Act::Step(step) => step.moves_data(),
            Act::Fault(_) | Act::ReadBack { .. } => false,
        })
    };
    let events = drilled.view.recording.events.iter();
    let found = events.filter_map(|timed| match &timed.event {
        Event::Mark { mark, .. } if MOVES.contains(mark) => {
            Some((timed.at, mark.as_str().to_owned()))
        }
        Event::Step {
            id,
            stage: StepStage::Done { .. },
            ..
        } if moves(id) => Some((timed.at, id.clone())),
        _ => None,
    });
    found.max_by_key(|(at, _)| *at)
}

fn all<'a>(drilled: &Drilled<'a>) -> std::slice::Iter<'a, Data> {
    drilled.view.recording.ledger.data.iter()
}

/// The recovery point of one fault, the worst of its read-backs.
pub fn of_fault(drilled: &Drilled<'_>, id: &str) -> (Option<u64>, Option<u64>) {
    let about = all(drilled).filter(|data| data.fault.as_deref() == Some(id));
    let points = about.filter_map(|data| data.point.as_ref());
    (
        longest(points.clone()),
        points.filter_map(|point| point.rpo_lower).max(),
    )
}

/// The longest of all, as far as each is known.
fn longest<'a>(mut points: impl Iterator<Item = &'a RecoveryPoint>) -> Option<u64> {
    points.try_fold(None, |longest: Option<u64>, point| {
        Some(longest.max(Some(point.reached()?)))
    })?
}

pub fn worst(drilled: &Drilled<'_>) -> Option<result::Data> {
    let all = all(drilled).as_slice();
    if all.is_empty() {
        return None;
    }
    let most = |of: fn(&Data) -> u64| all.iter().map(of).max().unwrap_or(0);
    let points = all.iter().filter_map(|data| data.point.as_ref());
    Some(result::Data {
        attempted: most(|data| data.counts.attempted),
        acknowledged: most(|data| data.counts.acknowledged),
        lost: most(|data| data.counts.lost),
        recovered: most(|data| data.counts.recovered),
        unexpected: most(|data| data.counts.unexpected),
        duplicated: most(|data| data.counts.duplicated),
        stale: most(|data| data.counts.stale),
        reordered: most(|data| data.counts.reordered),
        indeterminate: most(|data| data.counts.indeterminate),
        unread: most(|data| data.counts.unread),
        behind: most(|data| data.counts.behind),
        holes: most(|data| data.counts.holes),
        split_brain: most(|data| data.counts.split_brain),
        lost_after_stop: most(|data| data.counts.lost_after_stop),
        corrupt: most(|data| data.counts.corrupt),
        unbalanced: most(|data| data.counts.unbalanced),
        foreign: most(|data| data.counts.foreign),
        rpo: longest(points.clone()),
        rpo_lower: points.filter_map(|point| point.rpo_lower).max(),
    })
}
