//! Objectives on what probes read from the target: every sample, or the mean of every window, below a limit.

use std::time::Duration;

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{MetricBase, Over};

use super::view::nanoseconds;
use super::{Scope, words};
use crate::recording::series;
use crate::result::{Amount, Check, Method, Relation, Span, Unit};

/// A probe is silent when it misses more than this many of its readings in a row: one lost reading says nothing.
const SILENT_AFTER: u32 = 3;

/// A value and its instant, in nanoseconds since the run's start.
type Reading = (u64, f64);

pub fn check(scope: &Scope<'_>, name: &str, below: f64, of: Option<&MetricBase>) -> Check {
    let check = Check {
        unit: if of.is_some() {
            Unit::Share
        } else {
            Unit::Number
        },
        relation: Relation::Below,
        method: Method::Sample,
        target: Some(Amount::Real(below)),
        ..scope.blank(words::metric(scope, name, of))
    };
    let Some(ran) = scope.ran().ran.clone() else {
        return Check {
            reason: words::never_ran(scope.ran()),
            ..check
        };
    };
    let readings: Vec<Reading> = readings(scope, name, of)
        .into_iter()
        .filter(|(at, _)| (ran.start..ran.end).contains(at))
        .collect();
    let silence = silence(scope, name, &readings, ran.start..ran.end);
    let silent = silence.map(|span| (span, silent_series(scope, name, of, span)));
    let judged = windowed(scope, &readings);
    let worst = judged
        .iter()
        .max_by(|(_, one), (_, other)| one.total_cmp(other))
        .copied();
    let verdict = match (worst, &silence) {
        (Some((_, value)), _) if value >= below => Verdict::Fail,
        (_, Some(_)) => Verdict::Invalid,
        (Some(_), None) if scope.ran().complete => Verdict::Pass,
        (_, None) => Verdict::Inconclusive,
    };
    Check {
        verdict,
        measured: worst.map(|(_, value)| Amount::Real(value)),
        samples: readings.len() as u64,
        reason: words::readings(scope, name, worst, below, silent, check.unit),
        window: worst.and_then(|(at, _)| window(scope, at)),
        ..check
    }
}

/// What is judged at each instant: the value, or its share of the base as it was last read. A base that has been
/// silent for too long is none.
fn readings(scope: &Scope<'_>, name: &str, of: Option<&MetricBase>) -> Vec<Reading> {
    let sampled = |name: &str| {
        scope
            .view
            .recording
            .sampled(&format!("{}{name}", series::PROBE))
    };
    let values = sampled(name);
    match of {
        None => values.to_vec(),
        Some(MetricBase::Number(base)) => values
            .iter()
            .filter(|_| *base > 0.0)
            .map(|(at, value)| (*at, value / base))
            .collect(),
        Some(MetricBase::Series(base)) => {
            let bases = sampled(base);
            let patience = patience(scope, base);
            let last = |at: u64| {
                let before = bases.partition_point(|(other, _)| *other <= at);
                let fresh = |(read, base): &&Reading| *base > 0.0 && at - read <= patience;
                bases[..before].last().filter(fresh).map(|(_, base)| *base)
            };
            values
                .iter()
                .filter_map(|(at, value)| Some((*at, value / last(*at)?)))
                .collect()
        }
    }
}

/// Which series was not read: the value, unless that was and what it is a share of was not.
fn silent_series<'a>(
    scope: &Scope<'_>,
    name: &'a str,
    of: Option<&'a MetricBase>,
    silence: Span,
) -> &'a str {
    let series = format!("{}{name}", series::PROBE);
    let values = scope.view.recording.sampled(&series).iter();
    let read = values.filter(|(at, _)| (silence.start + 1..silence.end).contains(at));
    match of {
        Some(MetricBase::Series(base)) if read.count() > 0 => base,
        Some(MetricBase::Series(_) | MetricBase::Number(_)) | None => name,
    }
}

/// Each reading, or the mean over each whole window that ends with a reading.
fn windowed(scope: &Scope<'_>, readings: &[Reading]) -> Vec<Reading> {
    let Over::Window(length) = scope.objective.over else {
        return readings.to_vec();
    };
    let length = nanoseconds(length);
    let Some(first) = scope.ran().ran.as_ref().map(|ran| ran.start) else {
        return Vec::new();
    };
    let whole = readings
        .iter()
        .enumerate()
        .filter(|(_, (at, _))| at - first >= length);
    whole
        .map(|(last, (at, _))| {
            let from = readings.partition_point(|(other, _)| other + length <= *at);
            let values = &readings[from..=last];
            let sum: f64 = values.iter().map(|(_, value)| value).sum();
            (*at, sum / values.len() as f64)
        })
        .collect()
}

fn window(scope: &Scope<'_>, at: u64) -> Option<Span> {
    match scope.objective.over {
        Over::Phase => None,
        Over::Window(length) => Some(Span {
            start: at.saturating_sub(nanoseconds(length)),
            end: at,
        }),
    }
}

/// For so long a series may have no reading.
fn patience(scope: &Scope<'_>, name: &str) -> u64 {
    let probes = scope.view.recording.plan.probes.iter();
    let every = probes
        .filter(|probe| {
            name.strip_prefix(&probe.name)
                .is_some_and(|rest| rest.starts_with('.'))
        })
        .map(|probe| probe.every)
        .max()
        .unwrap_or(Duration::from_secs(1));
    nanoseconds(every * SILENT_AFTER)
}

/// The longest time without a reading, when it is too long.
fn silence(
    scope: &Scope<'_>,
    name: &str,
    readings: &[Reading],
    ran: std::ops::Range<u64>,
) -> Option<Span> {
    let most = patience(scope, name);
    let instants = std::iter::once(ran.start)
        .chain(readings.iter().map(|(at, _)| *at))
        .chain(std::iter::once(ran.end));
    let ends: Vec<u64> = instants.collect();
    let gaps = ends.windows(2).map(|pair| Span {
        start: pair[0],
        end: pair[1],
    });
    // A phase that is shorter than that has nothing to be silent in, but then it has no sample either.
    let longest = gaps.max_by_key(|gap| gap.end - gap.start)?;
    (longest.end - longest.start > most).then_some(longest)
}
