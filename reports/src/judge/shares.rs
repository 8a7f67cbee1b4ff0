//! Objectives on latency and on errors: the share of operations that were too slow, failed or never sent,
//! against the share that may be.

use std::collections::BTreeMap;

use firedrill_evidence::{
    Finding, Limit, Quantile, Share, Verdict, hopeless, judge_blocks, quantile, quantile_bounds,
    stands_without_ours, strict, worst_window,
};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::plan::{ErrorClass, Over, Subject};

use super::view::{Buckets, View, Which, nanoseconds};
use super::{Scope, trust, words};
use crate::recording::{Bucket, ENDED, Group, Measure};
use crate::result::{Amount, Check, Method, Relation, ShareFound, Span, Unit};

/// What is bad for this objective, and how much of it may be.
struct Question<'a> {
    limit: Limit,
    which: Which<'a>,
    kind: Kind<'a>,
}

enum Kind<'a> {
    /// Beyond the latency limit of this index, or without a good answer.
    Slow { index: usize },
    /// Anything but ok, or this class of it.
    Failed(Option<&'a ErrorClass>),
}

impl Kind<'_> {
    fn all(&self, line: &Bucket) -> Share {
        let bad = match self {
            Kind::Slow { index } => {
                line.asked() - line.ok() + line.over.get(*index).copied().unwrap_or(0)
            }
            Kind::Failed(None) => line.asked() - line.ok(),
            Kind::Failed(Some(_)) => self.failed(line, |_| true),
        };
        Share {
            bad,
            of: line.asked(),
        }
    }

    /// The part of it that no slowness of ours explains.
    fn at_any_speed(&self, line: &Bucket) -> Share {
        Share {
            bad: self.failed(line, |outcome| !trust::is_slowness(outcome)),
            of: line.asked(),
        }
    }

    /// Operations that failed in a way that counts here.
    fn failed(&self, line: &Bucket, counts: impl Fn(Outcome) -> bool) -> u64 {
        let is_of = |outcome: &Outcome| match self {
            Kind::Slow { .. } | Kind::Failed(None) => !outcome.is_ok(),
            Kind::Failed(Some(ErrorClass::Class(name))) => outcome.class() == name,
            Kind::Failed(Some(ErrorClass::One(one))) => outcome == one,
        };
        let asked = line.outcomes.iter();
        let asked = asked.filter(|(outcome, _)| **outcome != ENDED);
        let matching = asked.filter(|(outcome, _)| is_of(outcome) && counts(**outcome));
        matching.map(|(_, count)| count).sum()
    }

    /// The part of it that happened while we were on time, whatever we did later: what was not there within the limit, or
    /// had failed, by then. A time-out is known long after what was due with it.
    fn on_time(&self, line: &Bucket) -> Share {
        let all = match self {
            Kind::Slow { .. } => self.all(line).bad,
            Kind::Failed(_) => self.failed(line, |outcome| !matches!(outcome, Outcome::Timeout(_))),
        };
        Share {
            bad: all.saturating_sub(self.ours(line).bad),
            of: line.asked(),
        }
    }

    /// The part of it that is ours. Of a class it is not known how much of it is: all that may be.
    fn ours(&self, line: &Bucket) -> Share {
        let bad = match self {
            Kind::Slow { index } => {
                line.ours_failed + line.ours_over.get(*index).copied().unwrap_or(0)
            }
            Kind::Failed(_) => line.ours_failed.min(self.all(line).bad),
        };
        Share { bad, of: line.ours }
    }
}

/// Where the verdict came from, when it is that of a window.
type Decided = (Finding, Option<std::ops::Range<usize>>);

pub fn check(scope: &Scope<'_>) -> Check {
    let Some(question) = question(scope) else {
        return scope.blank(String::new());
    };
    let names = scope.view.names(question.which);
    let buckets = scope
        .view
        .buckets(scope.phase, &names, |line| question.kind.all(line));
    let ours = scope
        .view
        .buckets(scope.phase, &names, |line| question.kind.ours(line));
    let base = Check {
        unit: Unit::Share,
        relation: relation(question.limit),
        target: Some(Amount::Real(question.limit.share())),
        ..scope.blank(words::about(scope, question.limit))
    };
    if scope.ran().ran.is_none() {
        return Check {
            reason: words::never_ran(scope.ran()),
            ..described(scope, &question, base, None)
        };
    }
    let Some((finding, window)) = decide(scope, question.limit, &buckets.shares) else {
        let reason = words::no_window(scope);
        return Check {
            reason,
            ..described(scope, &question, base, None)
        };
    };
    let judge = |shares: &[Share]| {
        decide(scope, question.limit, shares)
            .map_or(Verdict::Inconclusive, |(finding, _)| finding.verdict)
    };
    let ours_alone = !stands_without_ours(&finding, &buckets.shares, &ours.shares, judge);
    let span = window.map(|window| span(scope, &buckets, &window));
    let mut check = described(scope, &question, base, Some(&finding));
    check.verdict = finding.verdict;
    check.reason = words::finding(scope, &finding, question.limit, span);
    check.window = span;
    if ours_alone {
        check.verdict = Verdict::Invalid;
        check.reason = words::ours(&check.reason, ours.shares.iter().copied().sum());
    }
    check
}

/// Whether it fails by what no slowness of ours explains alone.
pub fn fails_at_any_speed(scope: &Scope<'_>) -> bool {
    let Some(question) = question(scope) else {
        return false;
    };
    let names = scope.view.names(question.which);
    let theirs = scope
        .view
        .buckets(scope.phase, &names, |line| question.kind.at_any_speed(line));
    decide(scope, question.limit, &theirs.shares)
        .is_some_and(|(finding, _)| finding.verdict == Verdict::Fail)
}

/// Whether it fails by what was before we first dispatched late, though all since then counts as good: what our lateness
/// did to the target, and to our own reading of its answers, is not why.
pub fn fails_before_late(scope: &Scope<'_>) -> bool {
    let (Some(question), Some(late)) = (question(scope), first_late(scope.view)) else {
        return false;
    };
    let names = scope.view.names(question.which);
    let seen = scope
        .view
        .buckets(scope.phase, &names, |line| question.kind.on_time(line));
    let width = nanoseconds(scope.view.width()).max(1);
    // What was due a limit before had it until then, and the one after the last of these may have come up to it.
    let reach = match question.kind {
        Kind::Slow { index } => nanoseconds(scope.view.limits[index]),
        Kind::Failed(_) => 0,
    };
    let known = (late * width).saturating_sub(reach);
    let before = |(bucket, share): (u64, &Share)| {
        let part = known.saturating_sub(bucket * width).min(width);
        let unknown = share.of as f64 * (width - part) as f64 / width as f64;
        let unknown = unknown.ceil() as u64 + u64::from(part < width);
        Share {
            bad: share.bad.saturating_sub(unknown),
            of: share.of,
        }
    };
    let shares: Vec<Share> = (seen.first..).zip(&seen.shares).map(before).collect();
    decide(scope, question.limit, &shares)
        .is_some_and(|(finding, _)| finding.verdict == Verdict::Fail)
}

/// The first bucket of the run of which more than one operation in a hundred was dispatched late.
fn first_late(view: &View<'_>) -> Option<u64> {
    let mut sums: BTreeMap<u64, Share> = BTreeMap::new();
    for line in &view.recording.buckets {
        let sum = sums.entry(line.bucket).or_default();
        *sum = *sum
            + Share {
                bad: line.ours,
                of: line.due(),
            };
    }
    let late = |share: &Share| share.bad * 100 > share.of;
    let mut buckets = sums.into_iter();
    buckets
        .find(|(_, share)| late(share))
        .map(|(bucket, _)| bucket)
}

fn question<'a>(scope: &'a Scope<'_>) -> Option<Question<'a>> {
    match &scope.objective.subject {
        Subject::Latency {
            quantile,
            below,
            operation,
        } => Some(Question {
            limit: Limit::Quantile(*quantile),
            which: operation
                .as_deref()
                .map_or(Which::Scheduled, Which::Operation),
            kind: Kind::Slow {
                index: scope.view.limits.iter().position(|limit| limit == below)?,
            },
        }),
        Subject::Errors {
            below,
            class,
            operation,
        } => Some(Question {
            limit: Limit::Below(*below),
            which: operation.as_deref().map_or(Which::Every, Which::Operation),
            kind: Kind::Failed(class.as_ref()),
        }),
        Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => None,
    }
}

fn relation(limit: Limit) -> Relation {
    match limit {
        Limit::Below(share) if share > 0.0 => Relation::Below,
        Limit::Below(_) | Limit::Quantile(_) => Relation::AtMost,
    }
}

/// The finding over the phase or over the worst window; `None` when there is no whole window.
fn decide(scope: &Scope<'_>, limit: Limit, shares: &[Share]) -> Option<Decided> {
    let (finding, window) = match scope.objective.over {
        Over::Phase => (judge_blocks(shares, scope.view.width(), limit), None),
        Over::Window(length) => {
            let worst = worst_window(shares, scope.view.width(), length, limit)?;
            (worst.finding, Some(worst.buckets))
        }
    };
    let finding = if scope.view.strict {
        strict(finding, limit)
    } else {
        finding
    };
    let finding = if scope.ran().complete || window.is_some() && finding.verdict == Verdict::Fail {
        finding
    } else {
        cut_short(finding, limit)
    };
    Some((finding, window))
}

/// Of a phase that was cut short only a failure stands that the rest could hardly have undone.
fn cut_short(finding: Finding, limit: Limit) -> Finding {
    let proven = finding.verdict == Verdict::Fail
        && finding.lower.is_some_and(|lower| lower > limit.share());
    let verdict = if proven || hopeless(finding.share, limit, None) {
        Verdict::Fail
    } else {
        Verdict::Inconclusive
    };
    Finding { verdict, ..finding }
}

fn span(scope: &Scope<'_>, buckets: &Buckets, window: &std::ops::Range<usize>) -> Span {
    Span {
        start: scope.view.instant(buckets.first + window.start as u64),
        end: scope.view.instant(buckets.first + window.end as u64),
    }
}

/// The check with what was measured: the quantile itself for a latency over a phase, else the share.
fn described(
    scope: &Scope<'_>,
    question: &Question<'_>,
    base: Check,
    finding: Option<&Finding>,
) -> Check {
    let mut check = base;
    if let Some(finding) = finding {
        check.samples = finding.share.of;
        check.method = match finding.method {
            firedrill_evidence::Method::Block => Method::Block,
            firedrill_evidence::Method::Point => Method::Point,
        };
        check.measured = finding.share.value().map(Amount::Real);
        check.lower = finding.lower.map(Amount::Real);
        check.upper = finding.upper.map(Amount::Real);
        check.share = Some(ShareFound {
            bad: finding.share.bad,
            of: finding.share.of,
            limit: question.limit.share(),
            lower: finding.lower,
            upper: finding.upper,
            effective: finding.effective,
        });
    }
    match (&scope.objective.subject, scope.objective.over) {
        (
            Subject::Latency {
                quantile, below, ..
            },
            Over::Phase,
        ) => {
            check.unit = Unit::Ns;
            check.relation = Relation::Below;
            check.target = Some(Amount::Whole(super::view::nanoseconds(*below)));
            let effective = finding.map_or(0.0, |finding| finding.effective);
            latency(scope, question, check, *quantile, effective)
        }
        _ => check,
    }
}

fn latency(
    scope: &Scope<'_>,
    question: &Question<'_>,
    mut check: Check,
    q: f64,
    effective: f64,
) -> Check {
    let names = scope.view.names(question.which);
    let times = scope
        .view
        .times(scope.phase, &names, Group::Ok, Measure::Response);
    let misses: u64 = scope
        .view
        .lines(scope.phase, &names)
        .map(|line| line.due() - line.ok())
        .sum();
    let whole = |quantile: Quantile| quantile.time().map(Amount::Whole);
    let (lower, upper) = quantile_bounds(&times, misses, q, effective);
    let measured = quantile(&times, misses, q);
    check.measured = whole(measured);
    check.lower = whole(lower);
    check.upper = whole(upper);
    check.at_least = match measured {
        Quantile::Miss { at_least } => at_least,
        Quantile::Time(_) | Quantile::Nothing => None,
    };
    check
}
