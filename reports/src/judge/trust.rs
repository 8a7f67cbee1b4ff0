//! When a phase measured the generator instead of the target.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use firedrill_evidence::{
    Distrust, LatenessSample, Verdict, WaitSample, distrust, kept, lost, saturated, stopped,
    wait_limit,
};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::NotSent;
use firedrill_scenarios::plan::{Drive, Load, Subject};

use super::view::{View, nanoseconds};
use super::{Scope, shares, throughput, words};
use crate::recording::{Bucket, series};
use crate::result::Check;

const SECOND: u64 = 1_000_000_000;

/// What rests on an untrusted measurement is neither a pass nor a failure, and a failure that may be our own slowness
/// is none. A pass stands then: that we were slow only made it harder. A failure that was there before we were late
/// does not rest on that.
pub fn applied(scope: &Scope<'_>, check: Check) -> Check {
    let reasons = of_phase(scope.view, scope.phase);
    let was_before = check.verdict == Verdict::Fail
        && reasons.iter().all(is_lateness)
        && shares::fails_before_late(scope);
    let reason = if !reasons.is_empty() && !was_before {
        words::distrust(&reasons, &check)
    } else if check.verdict == Verdict::Fail
        && let Some(busy) = without_headroom(scope)
        && may_be_slowness(scope)
    {
        words::no_headroom(busy, &check)
    } else if !reasons.is_empty() {
        let reason = words::before_late(&check);
        return Check { reason, ..check };
    } else {
        return check;
    };
    Check {
        verdict: Verdict::Invalid,
        reason,
        ..check
    }
}

/// Whether it is lateness alone: whoever was stopped, or without a core, did not read in time either.
fn is_lateness(reason: &Distrust) -> bool {
    match reason {
        Distrust::Late { .. } => true,
        Distrust::Kept { .. }
        | Distrust::Lost { .. }
        | Distrust::Stopped { .. }
        | Distrust::NotSent(_)
        | Distrust::Local(_) => false,
    }
}

/// How busy the busiest load thread was, where it had no headroom in the phase.
fn without_headroom(scope: &Scope<'_>) -> Option<f64> {
    let ran = scope.ran().ran.as_ref()?;
    let threads = 0..scope.view.recording.started.threads;
    let of_thread = |thread| {
        let seconds = wanted(scope.view, thread).into_iter();
        let inside = seconds.filter(|(middle, _)| ran.contains(middle));
        saturated(&inside.map(|(_, sample)| sample).collect::<Vec<_>>())
    };
    threads.filter_map(of_thread).reduce(f64::max)
}

/// Whether a generator that is slow can be all there is behind a failure.
fn may_be_slowness(scope: &Scope<'_>) -> bool {
    match &scope.objective.subject {
        Subject::Latency { .. } | Subject::Errors { .. } => !shares::fails_at_any_speed(scope),
        Subject::Throughput { operation, .. } => {
            !throughput::mostly_refused(scope, operation.as_deref())
        }
        Subject::Metric { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => false,
    }
}

/// Whether a generator that is slow can be why an operation ended like this. What the target answered, it answered.
pub fn is_slowness(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Timeout(_)
        | Outcome::NotSent(NotSent::InFlightLimit | NotSent::Generator | NotSent::Shutdown) => true,
        Outcome::NotSent(NotSent::NoSession)
        | Outcome::Ok
        | Outcome::Connect(_)
        | Outcome::Tls(_)
        | Outcome::Transport(_)
        | Outcome::Http(_)
        | Outcome::Auth(_)
        | Outcome::SessionLost
        | Outcome::Protocol(_)
        | Outcome::RpcError(_)
        | Outcome::ToolError
        | Outcome::CheckFailed(_)
        | Outcome::NeverAnswered => false,
    }
}

/// The share of each interval in which a load thread had a core or waited for one, by its middle: a core that others
/// had was not left over.
pub fn wanted(view: &View<'_>, thread: u32) -> Vec<(u64, WaitSample)> {
    let sampled = |name: &str| view.recording.sampled(&format!("{name}{thread}"));
    let waited: BTreeMap<u64, f64> = sampled(series::RUN_DELAY).iter().copied().collect();
    let mut before = None;
    let of_interval = |(at, busy): &(u64, f64)| {
        let covers = before
            .replace(*at)
            .map_or(SECOND, |before| at.saturating_sub(before));
        let waited = waited.get(at).unwrap_or(&0.0) / covers.max(1) as f64;
        let sample = WaitSample {
            share: busy + waited,
            covers: Duration::from_nanos(covers),
        };
        (at.saturating_sub(covers / 2), sample)
    };
    sampled(series::BUSY).iter().map(of_interval).collect()
}

/// Why the measurement of a phase cannot be trusted.
pub fn of_phase(view: &View<'_>, phase: usize) -> Vec<Distrust> {
    let Some(ran) = view.phases[phase].ran.clone() else {
        return Vec::new();
    };
    let name = view.phases[phase].name.as_str();
    let lines = view.recording.buckets.iter();
    let (not_sent, local) = ours(lines.filter(|line| line.phase == name));
    of_ours(view, &ran, not_sent, local)
}

/// Why what was measured between two instants of the run cannot be trusted.
pub fn of_span(view: &View<'_>, span: Range<u64>) -> Vec<Distrust> {
    let inside = |line: &&Bucket| {
        let start = view.instant(line.bucket);
        start < span.end && start + nanoseconds(view.width()) > span.start
    };
    let (not_sent, local) = ours(view.recording.buckets.iter().filter(inside));
    of_ours(view, &span, not_sent, local)
}

fn of_ours(view: &View<'_>, span: &Range<u64>, not_sent: u64, local: u64) -> Vec<Distrust> {
    let lateness = lateness(view, |at| span.contains(&at));
    let mut reasons = distrust(&lateness, view.lateness_limit, not_sent, local);
    reasons.extend(kept_from_a_core(view, |at| span.contains(&at)));
    let held = waits(view, series::LOST, |at| span.contains(&at));
    reasons.extend(lost(&held, may_wait(view)));
    reasons.extend(stopped(&unseen(view, span)));
    reasons
}

/// The times between our looks, as far as they lie in the span: a stop may begin in one phase and end in the next. What
/// threads had of their cores carries the instant at which it was read; what the load counted, that of its schedule.
fn unseen(view: &View<'_>, span: &Range<u64>) -> Vec<Duration> {
    let threads = 0..view.recording.started.threads;
    let names = threads.map(|thread| format!("{}{thread}", series::BUSY));
    let instants = names.flat_map(|name| view.recording.sampled(&name).to_vec());
    let looks: BTreeSet<u64> = instants.map(|(at, _)| at).collect();
    let pairs = looks.iter().zip(looks.iter().skip(1));
    let covers =
        pairs.filter_map(|(before, at)| (*at).min(span.end).checked_sub((*before).max(span.start)));
    covers.map(Duration::from_nanos).collect()
}

/// Whether the load thread that waited longest for a core waited too long.
fn kept_from_a_core(view: &View<'_>, belongs: impl Fn(u64) -> bool) -> Option<Distrust> {
    let limit = may_wait(view);
    let threads = 0..view.recording.started.threads;
    let worst = |one: &Distrust| match one {
        Distrust::Kept { seconds, .. } => *seconds,
        Distrust::Late { .. }
        | Distrust::Lost { .. }
        | Distrust::Stopped { .. }
        | Distrust::NotSent(_)
        | Distrust::Local(_) => 0,
    };
    threads
        .map(|thread| format!("{}{thread}", series::RUN_DELAY))
        .filter_map(|name| kept(&waits(view, &name, &belongs), limit))
        .max_by_key(worst)
}

/// The share of a second in which the run's loads can do without their cores.
fn may_wait(view: &View<'_>) -> f64 {
    let closed = |load: &Load| matches!(load.drive, Drive::Closed { .. });
    wait_limit(view.recording.plan.loads.iter().any(closed))
}

/// What was waited, by a series of nanoseconds, in every interval whose middle `belongs`.
fn waits(view: &View<'_>, name: &str, belongs: impl Fn(u64) -> bool) -> Vec<WaitSample> {
    let samples = view.recording.sampled(name);
    let pairs = samples.windows(2).map(|pair| (pair[0].0, pair[1]));
    pairs
        .filter(|(before, (at, _))| belongs(before.midpoint(*at)))
        .map(|(before, (at, waited))| WaitSample {
            share: waited / (at - before).max(1) as f64,
            covers: Duration::from_nanos(at - before),
        })
        .collect()
}

/// Nanoseconds of a span in which a load thread was held, all in all.
pub fn held(view: &View<'_>, span: &Range<u64>) -> u64 {
    let samples = waits(view, series::LOST, |at| span.contains(&at));
    let held = samples
        .iter()
        .map(|sample| sample.covers.mul_f64(sample.share));
    nanoseconds(held.sum())
}

/// Operations that we were too late to send, and connections that our machine could not make.
fn ours<'a>(lines: impl Iterator<Item = &'a Bucket>) -> (u64, u64) {
    let (mut not_sent, mut local) = (0, 0);
    for (outcome, count) in lines.flat_map(|line| &line.outcomes) {
        match outcome {
            Outcome::NotSent(NotSent::Generator) => not_sent += count,
            outcome if outcome.is_ours() => local += count,
            _ => {}
        }
    }
    (not_sent, local)
}

/// The lateness of every interval whose middle `belongs`. An interval reaches back to the sample before, of whatever
/// the generator samples of itself: a generator that was stopped samples nothing.
fn lateness(view: &View<'_>, belongs: impl Fn(u64) -> bool) -> Vec<LatenessSample> {
    let own = series::LATENESS_P99.split('.').next().unwrap_or_default();
    let mut looks: Vec<u64> = view
        .recording
        .samples
        .iter()
        .filter(|(name, _)| name.starts_with(own))
        .flat_map(|(_, samples)| samples.iter().map(|(at, _)| *at))
        .collect();
    looks.sort_unstable();
    looks.dedup();
    let samples = view.recording.sampled(series::LATENESS_P99).iter();
    samples
        .filter_map(|(at, p99)| {
            let before = looks.partition_point(|look| look < at);
            let covers = looks[..before].last().map_or(SECOND, |last| at - last);
            // The first interval may have begun before the run's clock did.
            belongs(at.saturating_sub(covers / 2)).then_some(LatenessSample {
                p99: Duration::from_nanos(p99.max(0.0) as u64),
                covers: Duration::from_nanos(covers),
            })
        })
        .collect()
}
