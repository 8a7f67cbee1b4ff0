//! Objectives on the time until service is back.

use std::time::Duration;

use firedrill_evidence::recovery::Recovery;
use firedrill_evidence::{Distrust, Verdict};
use firedrill_scenarios::plan::{Act, Objective, Source};

use super::faults::{Broken, Effect, Nature, Verified};
use super::slots::Whose;
use super::{Drilled, duration_check, words};
use crate::judge::trust;
use crate::judge::view::nanoseconds;
use crate::result::{Amount, Check, Method};

/// One fault against the limit.
struct Found {
    verdict: Verdict,
    reason: String,
    /// By index.
    fault: Option<usize>,
}

/// The worst of the faults that are meant.
pub fn check(
    drilled: &Drilled<'_>,
    objective: &Objective,
    which: Option<usize>,
    below: Duration,
    source: Source,
) -> Check {
    let about = words::about_rto(drilled.actions(), which);
    let check = Check {
        method: Method::Window,
        ..duration_check(objective, about, below, source)
    };
    let limit = nanoseconds(below);
    let mut all: Vec<Found> = Vec::new();
    for (index, action) in drilled.actions().iter().enumerate() {
        let meant = match which {
            Some(which) => which == index,
            None => matches!(action.act, Act::Fault(_)),
        };
        if meant {
            all.extend(of_action(drilled, index, limit));
        }
    }
    let length = |found: &Found| {
        let recovery = found.fault.map(|fault| &drilled.recoveries[fault]);
        recovery.map(|recovery| recovery.rto.or(recovery.rto_at_least))
    };
    let Some(worst) = all
        .into_iter()
        .max_by_key(|found| (found.verdict, length(found)))
    else {
        return Check {
            reason: words::NO_FAULT.to_owned(),
            ..check
        };
    };
    let reason = format!("{}{}", worst.reason, drilled.rehearsed(source));
    let check = Check {
        verdict: worst.verdict,
        reason,
        ..check
    };
    match worst.fault {
        Some(fault) => measured(drilled, check, fault),
        None => check,
    }
}

fn measured(drilled: &Drilled<'_>, check: Check, index: usize) -> Check {
    let (fault, recovery) = (&drilled.faults[index], &drilled.recoveries[index]);
    let rto = recovery.rto.filter(|_| fault.can_be_back());
    // A read-back that ends a recovery is known to the instant; what nobody noticed is known to be no longer.
    let [lower, upper] = match (recovery.unnoticed, recovery.resolution) {
        (true, width) if rto.is_some_and(|rto| rto > width) => [rto, rto],
        (true, _) => [rto.map(|_| 0), rto],
        (false, width) => [
            rto.map(|rto| rto.saturating_sub(width)),
            rto.map(|rto| rto + width),
        ],
    };
    Check {
        measured: rto.map(Amount::Whole),
        lower: lower.map(Amount::Whole),
        upper: upper.map(Amount::Whole),
        at_least: recovery.rto_at_least.filter(|_| fault.can_be_back()),
        samples: fault
            .t0
            .map_or(0, |t0| drilled.load.due(t0, until(drilled, recovery))),
        fault: Some(fault.id.clone()),
        ..check
    }
}

/// Until when operations were looked at.
fn until(drilled: &Drilled<'_>, recovery: &Recovery) -> u64 {
    recovery.t8.unwrap_or_else(|| drilled.load.end())
}

/// Every time that the action was done; that it never was counts as one.
fn of_action(drilled: &Drilled<'_>, action: usize, limit: u64) -> Vec<Found> {
    let done = drilled.faults.iter().enumerate();
    let done = done.filter(|(_, fault)| fault.action == Some(action));
    let found: Vec<Found> = done
        .map(|(index, fault)| {
            let (verdict, reason) = judge(drilled, fault, &drilled.recoveries[index], limit);
            Found {
                verdict,
                reason,
                fault: Some(index),
            }
        })
        .collect();
    if found.is_empty() {
        return vec![Found {
            verdict: Verdict::Inconclusive,
            reason: words::never_begun(&drilled.actions()[action].id),
            fault: None,
        }];
    }
    found
}

/// How one fault was recovered from, against the limit.
pub fn judge(
    drilled: &Drilled<'_>,
    fault: &Broken,
    recovery: &Recovery,
    limit: u64,
) -> (Verdict, String) {
    if !drilled.load.is_open() {
        return (Verdict::Inconclusive, words::NO_OPEN_LOAD.to_owned());
    }
    match &fault.effect {
        Effect::Seen(_) => {}
        Effect::NotSeen(reason) => return (Verdict::Invalid, words::not_seen(fault, reason)),
        Effect::NotLookedFor => {
            return (Verdict::Invalid, words::not_looked_for(fault));
        }
    }
    if let (Nature::Data, Verified::Missing) = (fault.nature, fault.verified) {
        return (Verdict::Inconclusive, words::not_read_back(fault));
    }
    let (verdict, reason) = compare(drilled, fault, recovery, limit);
    let distrust = distrust(drilled, fault, recovery);
    if !distrust.is_empty() {
        return (Verdict::Invalid, words::untrusted(&distrust, &reason));
    }
    if verdict == Verdict::Fail && passes_without_ours(drilled, fault, limit) {
        return (Verdict::Invalid, words::ours(&reason));
    }
    (verdict, reason)
}

fn compare(
    drilled: &Drilled<'_>,
    fault: &Broken,
    recovery: &Recovery,
    limit: u64,
) -> (Verdict, String) {
    let reason = words::rto(fault, recovery, limit);
    match (recovery.rto, recovery.rto_at_least) {
        (Some(rto), _) if rto < limit => (Verdict::Pass, reason),
        (Some(_), _) => (Verdict::Fail, reason),
        (None, Some(least)) if least >= limit => (Verdict::Fail, reason),
        (None, Some(_)) if recovery.unjudged => {
            let window = drilled.view.recording.plan.drill.recovery.window;
            (Verdict::Inconclusive, words::unjudged(&reason, window))
        }
        (None, Some(_)) if verified_too_late(drilled, fault) => {
            (Verdict::Inconclusive, words::verified_too_late(fault))
        }
        (None, Some(_)) => match drilled.view.recording.ended_early() {
            // It might have come back, had it been waited for.
            Some(_) => (Verdict::Inconclusive, words::cut_short(&reason)),
            None => (Verdict::Fail, reason),
        },
        (None, None) => (Verdict::Inconclusive, reason),
    }
}

/// Service was back, and the data was verified when no load was left to show a window, or none before a failback.
fn verified_too_late(drilled: &Drilled<'_>, fault: &Broken) -> bool {
    let (Nature::Data, Verified::At(at), Some(t0)) = (fault.nature, fault.verified, fault.t0)
    else {
        return false;
    };
    let window = nanoseconds(drilled.view.recording.plan.drill.recovery.window);
    let end = drilled
        .load
        .horizon(drilled.view, &drilled.faults, fault, t0);
    if at.saturating_add(window) <= end {
        return false;
    }
    let service = Broken {
        nature: Nature::Service,
        ..fault.clone()
    };
    let whose = Whose::Everybody;
    let back = drilled
        .load
        .recovery(drilled.view, &drilled.faults, &service, whose);
    back.rto.is_some()
}

/// Why what was measured from the fault until it was over cannot be trusted.
fn distrust(drilled: &Drilled<'_>, fault: &Broken, recovery: &Recovery) -> Vec<Distrust> {
    let from = fault.t0.unwrap_or(0);
    let to = until(drilled, recovery).max(from);
    trust::of_span(drilled.view, from..to)
}

fn passes_without_ours(drilled: &Drilled<'_>, fault: &Broken, limit: u64) -> bool {
    let theirs = drilled
        .load
        .recovery(drilled.view, &drilled.faults, fault, Whose::Theirs);
    theirs.rto.is_some_and(|rto| rto < limit)
}
