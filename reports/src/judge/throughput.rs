//! Objectives on throughput: operations that ended ok, by the second in which they ended.

use std::collections::BTreeSet;
use std::ops::Range;

use firedrill_evidence::{Share, Verdict, out_of_reach, windows};
use firedrill_scenarios::plan::{Over, Rate};

use super::view::{Which, nanoseconds};
use super::{Scope, trust, words};
use crate::recording::Bucket;
use crate::result::{Amount, Check, Method, Relation, Span, Unit};

pub fn check(scope: &Scope<'_>, at_least: Rate, operation: Option<&str>) -> Check {
    let check = Check {
        unit: Unit::PerSecond,
        relation: Relation::AtLeast,
        method: Method::Count,
        target: Some(Amount::Real(at_least.0)),
        ..scope.blank(words::throughput(scope, operation))
    };
    let Some(ran) = scope.ran().ran.clone() else {
        return Check {
            reason: words::never_ran(scope.ran()),
            ..check
        };
    };
    let names = scope
        .view
        .names(operation.map_or(Which::Every, Which::Operation));
    let seen: Share = scope
        .view
        .lines(scope.phase, &names)
        .map(|line| Share {
            bad: line.due() - line.ok(),
            of: line.due(),
        })
        .sum();
    if seen.of == 0 {
        return Check {
            reason: words::nothing_due(scope.ran()),
            ..check
        };
    }
    let per_second = |span: &Range<u64>| {
        let seconds = (span.end - span.start) as f64 / 1e9;
        let completed = match *span == ran {
            true => scope.view.completed(scope.phase, &names),
            false => scope.view.completed_between(span.clone(), &names),
        };
        if seconds > 0.0 {
            completed / seconds
        } else {
            0.0
        }
    };
    let slowest = spans(scope, &ran)
        .map(|span| (per_second(&span), span))
        .min_by(|(one, _), (other, _)| one.total_cmp(other));
    let Some((rate, span)) = slowest else {
        return Check {
            reason: words::no_window(scope),
            ..check
        };
    };
    let window = matches!(scope.objective.over, Over::Window(_)).then_some(Span {
        start: span.start,
        end: span.end,
    });
    let met = rate >= at_least.0;
    let check = Check {
        verdict: verdict(scope, met, is_lost(scope, seen, at_least.0, &names)),
        measured: Some(Amount::Real(rounded(rate))),
        samples: (rate * (span.end - span.start) as f64 / 1e9).round() as u64,
        reason: words::rate_found(scope, rate, at_least.0, window),
        window,
        ..check
    };
    let held = trust::held(scope.view, &span);
    let share = held as f64 / (span.end - span.start).max(1) as f64;
    // A load that waits for its answers asks for nothing meanwhile.
    if check.verdict == Verdict::Fail && rate >= at_least.0 * (1.0 - share) {
        return Check {
            verdict: Verdict::Invalid,
            reason: words::held(held, &check.reason),
            ..check
        };
    }
    check
}

/// Whether most of what was asked for failed in a way that no slowness of ours explains.
pub fn mostly_refused(scope: &Scope<'_>, operation: Option<&str>) -> bool {
    let which = operation.map_or(Which::Every, Which::Operation);
    let names = scope.view.names(which);
    let theirs = |line: &Bucket| -> u64 {
        let failed = line.outcomes.iter();
        let failed =
            failed.filter(|(outcome, _)| !outcome.is_ok() && !trust::is_slowness(**outcome));
        failed.map(|(_, count)| count).sum()
    };
    let (refused, asked) = scope
        .view
        .lines(scope.phase, &names)
        .fold((0, 0), |(refused, asked), line| {
            (refused + theirs(line), asked + line.asked())
        });
    refused * 2 > asked
}

/// What is judged: the phase as far as it ran, or every whole window of it.
fn spans<'a>(scope: &'a Scope<'_>, ran: &Range<u64>) -> impl Iterator<Item = Range<u64>> + 'a {
    let width = nanoseconds(scope.view.width()).max(1);
    let ran = ran.clone();
    let windowed = match scope.objective.over {
        Over::Phase => None,
        Over::Window(length) => {
            let count = (ran.end - ran.start) / width;
            Some(windows(count as usize, scope.view.width(), length))
        }
    };
    let whole = windowed.is_none().then_some(ran.clone());
    let parts = windowed.into_iter().flatten();
    whole.into_iter().chain(parts.map(move |window| {
        ran.start + window.start as u64 * width..ran.start + window.end as u64 * width
    }))
}

/// A phase that was cut short proves nothing by its mean, unless the rest could not have saved it; but a whole
/// window that is too slow is too slow.
fn verdict(scope: &Scope<'_>, met: bool, lost: bool) -> Verdict {
    let windowed = matches!(scope.objective.over, Over::Window(_));
    match (met, scope.ran().complete) {
        (true, true) => Verdict::Pass,
        (false, complete) if complete || windowed || lost => Verdict::Fail,
        (true | false, _) => Verdict::Inconclusive,
    }
}

/// Whether the phase could not have met the limit any more when it was cut short.
fn is_lost(scope: &Scope<'_>, seen: Share, at_least: f64, names: &BTreeSet<&str>) -> bool {
    let plan = &scope.view.recording.plan;
    let timed = &plan.timeline[scope.phase];
    let expected: Option<f64> = names
        .iter()
        .map(|name| plan.expected_series(name, scope.phase))
        .sum();
    let wanted = at_least * timed.length.as_secs_f64();
    timed.until.is_none() && expected.is_some_and(|expected| out_of_reach(seen, expected, wanted))
}

/// Operations are whole, and rates of them need no more than thousandths.
fn rounded(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}
