//! When a phase measured the generator instead of the target.

use std::ops::Range;
use std::time::Duration;

use firedrill_evidence::{
    Distrust, LatenessSample, Verdict, WaitSample, distrust, kept, stopped, wait_limit,
};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::NotSent;
use firedrill_scenarios::plan::{Drive, Load};

use super::view::{View, nanoseconds};
use super::{Scope, words};
use crate::recording::{Bucket, series};
use crate::result::Check;

const SECOND: u64 = 1_000_000_000;

/// What rests on an untrusted measurement is neither a pass nor a failure.
pub fn applied(scope: &Scope<'_>, check: Check) -> Check {
    let reasons = of_phase(scope.view, scope.phase);
    if reasons.is_empty() {
        return check;
    }
    let reason = words::distrust(&reasons, &check);
    Check {
        verdict: Verdict::Invalid,
        reason,
        ..check
    }
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
    reasons.extend(stopped(&unseen(view, span)));
    reasons
}

/// The times between our looks, as far as they lie in the span: a stop may begin in one phase and end in the next.
fn unseen(view: &View<'_>, span: &Range<u64>) -> Vec<Duration> {
    let looks = looks(view);
    let inside = |pair: &[u64]| pair[1].min(span.end).checked_sub(pair[0].max(span.start));
    let covers = looks.windows(2).filter_map(inside);
    covers.map(Duration::from_nanos).collect()
}

/// Whether the load thread that waited longest for a core waited too long.
fn kept_from_a_core(view: &View<'_>, belongs: impl Fn(u64) -> bool) -> Option<Distrust> {
    let closed = |load: &Load| matches!(load.drive, Drive::Closed { .. });
    let limit = wait_limit(view.recording.plan.loads.iter().any(closed));
    let threads = 0..view.recording.started.threads;
    let worst = |one: &Distrust| match one {
        Distrust::Kept { seconds, .. } => *seconds,
        Distrust::Late { .. }
        | Distrust::Stopped { .. }
        | Distrust::NotSent(_)
        | Distrust::Local(_) => 0,
    };
    threads
        .filter_map(|thread| kept(&waits(view, thread, &belongs), limit))
        .max_by_key(worst)
}

/// How a load thread waited, in every interval whose middle `belongs`.
fn waits(view: &View<'_>, thread: u32, belongs: impl Fn(u64) -> bool) -> Vec<WaitSample> {
    let name = format!("{}{thread}", series::RUN_DELAY);
    let samples = view.recording.sampled(&name);
    let pairs = samples.windows(2).map(|pair| (pair[0].0, pair[1]));
    pairs
        .filter(|(before, (at, _))| belongs(before.midpoint(*at)))
        .map(|(before, (at, waited))| WaitSample {
            share: waited / (at - before).max(1) as f64,
            covers: Duration::from_nanos(at - before),
        })
        .collect()
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
    let looks = looks(view);
    let samples = view.recording.sampled(series::LATENESS_P99).iter();
    samples
        .filter_map(|(at, p99)| {
            let before = looks.partition_point(|look| look < at);
            let covers = looks[..before].last().map_or(SECOND, |last| at - last);
            belongs(at - covers / 2).then_some(LatenessSample {
                p99: Duration::from_nanos(p99.max(0.0) as u64),
                covers: Duration::from_nanos(covers),
            })
        })
        .collect()
}

/// When the generator sampled anything of itself.
fn looks(view: &View<'_>) -> Vec<u64> {
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
    looks
}
