//! The numbers of `result.json` beside the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use firedrill_evidence::{Quantiles, WaitSample};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::plan;
use hdrhistogram::Histogram;

use super::view::{View, Which, nanoseconds};
use super::{flow, trust, words};
use crate::recording::{Event, Group, Measure, empty_histogram};
use crate::result::{Drive, Generator, Latency, Load, Phase, Times};

pub fn load(view: &View<'_>) -> Load {
    let mut outcomes = BTreeMap::from([(Outcome::Ok, 0)]);
    for line in &view.recording.buckets {
        for (outcome, count) in &line.outcomes {
            *outcomes.entry(*outcome).or_default() += count;
        }
    }
    let sum = |which: fn(&Outcome) -> bool| -> u64 {
        outcomes
            .iter()
            .filter(|(outcome, _)| which(outcome))
            .map(|(_, count)| count)
            .sum()
    };
    let intended: u64 = outcomes.values().sum();
    let [asked, sent, completed] = measured_rates(view);
    let unsent = view
        .recording
        .totals()
        .and_then(|totals| totals.unsent.as_ref());
    let unsent = unsent.map(|phases| phases.values().flat_map(BTreeMap::values).sum());
    let not_sent = unsent.unwrap_or_else(|| sum(|outcome| outcome.is_not_sent()));
    Load {
        intended,
        sent: intended.saturating_sub(not_sent),
        completed: sum(|outcome| outcome.is_ok()),
        not_sent,
        outcomes: outcomes
            .iter()
            .map(|(outcome, count)| (outcome.to_string(), *count))
            .collect(),
        asked_per_second: asked,
        sent_per_second: sent,
        completed_per_second: completed,
        drive: drive(view),
        flow: flow::measured(view),
    }
}

/// Due, sent and ended ok, a second of the measured phases.
fn measured_rates(view: &View<'_>) -> [Option<f64>; 3] {
    let (mut nanoseconds, mut due, mut sent, mut completed) = (0, 0, 0, 0.0);
    let names = view.names(Which::Every);
    for phase in measured(view) {
        nanoseconds += view.phases[phase].length();
        due += view
            .lines(phase, &names)
            .map(|line| line.due())
            .sum::<u64>();
        sent += sent_in(view, phase, &names);
        completed += view.completed(phase, &names);
    }
    let per_second = |count: f64| {
        let rate = count * 1e9 / nanoseconds as f64;
        (nanoseconds > 0).then(|| (rate * 1000.0).round() / 1000.0)
    };
    [
        per_second(due as f64),
        per_second(sent as f64),
        per_second(completed),
    ]
}

/// Operations of a phase that were sent, as far as the recording knows.
fn sent_in(view: &View<'_>, phase: usize, names: &BTreeSet<&str>) -> u64 {
    let by_outcome = || {
        view.lines(phase, names)
            .map(|line| line.due() - line.not_sent())
    };
    flow::of_phase(view, phase).map_or_else(|| by_outcome().sum(), |flow| flow.sent)
}

/// The measured phases, by index.
fn measured(view: &View<'_>) -> Vec<usize> {
    (0..view.phases.len())
        .filter(|phase| view.phases[*phase].measured)
        .collect()
}

fn drive(view: &View<'_>) -> Drive {
    let closed = |load: &plan::Load| matches!(load.drive, plan::Drive::Closed { .. });
    let loads = &view.recording.plan.loads;
    match loads.iter().filter(|load| closed(load)).count() {
        0 => Drive::Open,
        count if count == loads.len() => Drive::Closed,
        _ => Drive::Mixed,
    }
}

/// Response times of the schedule's operations in the measured phases, and how many of those were misses.
pub fn scheduled(view: &View<'_>) -> (Histogram<u64>, u64) {
    let scheduled = view.names(Which::Scheduled);
    let mut times: Histogram<u64> = empty_histogram();
    let mut misses = 0;
    for phase in measured(view) {
        // Both have the bounds of a recording, so that adding cannot fail.
        let _ = times.add(view.times(phase, &scheduled, Group::Ok, Measure::Response));
        misses += view
            .lines(phase, &scheduled)
            .map(|line| line.due() - line.ok())
            .sum::<u64>();
    }
    (times, misses)
}

/// Times over the measured phases.
pub fn latency(view: &View<'_>) -> BTreeMap<String, Latency> {
    let (times, misses) = scheduled(view);
    let all = Latency {
        response: Some(Quantiles::of(&times, misses)),
        ..Latency::default()
    };
    let mut latency = BTreeMap::from([("all".to_owned(), all)]);
    for series in &view.series {
        // An operation may be called `all`; that name is taken.
        let name = if series.name == "all" {
            "all (operation)"
        } else {
            &series.name
        };
        let own = Latency {
            response: None,
            ok: Some(own_times(view, &series.name, Group::Ok)),
            failed: Some(own_times(view, &series.name, Group::Failed)),
        };
        latency.insert(name.to_owned(), own);
    }
    latency
}

fn own_times(view: &View<'_>, series: &str, group: Group) -> Times {
    let of = |measure| {
        let sum = view.recording.latency.sum(|tag| {
            let ran = view.phases.iter().find(|phase| phase.name == tag.phase);
            tag.series == series
                && tag.group == group
                && tag.measure == measure
                && ran.is_some_and(|phase| phase.measured)
        });
        Quantiles::of(&sum, 0)
    };
    Times {
        response: of(Measure::Response),
        service: of(Measure::Service),
        head: Some(of(Measure::Head)).filter(|head| head.count > 0),
    }
}

/// Times of one kind over the whole timeline.
pub fn of_timeline(view: &View<'_>, measure: Measure) -> Histogram<u64> {
    let in_timeline = |phase: &str| view.phases.iter().any(|known| known.name == phase);
    let latency = &view.recording.latency;
    latency.sum(|tag| tag.measure == measure && in_timeline(&tag.phase))
}

pub fn generator(view: &View<'_>) -> Generator {
    let totals = view.recording.totals();
    let operations: u64 = view.recording.buckets.iter().map(|line| line.due()).sum();
    let of = |measure| Quantiles::of(&of_timeline(view, measure), 0);
    let cpu = totals.filter(|_| operations > 0).map(|totals| {
        let each = totals.cpu_ns as f64 / 1000.0 / operations as f64;
        (each * 1000.0).round() / 1000.0
    });
    Generator {
        lateness: of(Measure::Lateness),
        waiting: of(Measure::Waiting),
        cpu_us_per_operation: cpu,
        rss_max_bytes: totals.map(|totals| totals.rss_max_bytes),
        connections_max: totals.map(|totals| totals.connections_max),
        lateness_limit: nanoseconds(view.lateness_limit),
        calibration: view.recording.started.calibration,
        headroom: headroom(view),
        distrust: (0..view.phases.len())
            .flat_map(|phase| distrust(view, phase))
            .collect(),
    }
}

/// What was left of the machine in the busiest bucket, and of the busiest thread in its busiest second: the smaller.
/// Without a calibration nobody knows the first.
fn headroom(view: &View<'_>) -> Option<f64> {
    let threads = 0..view.recording.started.threads;
    let busiest = |thread| {
        let samples = trust::wanted(view, thread).into_iter();
        busiest_second(&samples.map(|(_, sample)| sample).collect::<Vec<_>>())
    };
    let of_threads = threads.filter_map(busiest);
    let used = of_threads.chain(asked_of_machine(view)).reduce(f64::max)?;
    Some(((1.0 - used).clamp(0.0, 1.0) * 1000.0).round() / 1000.0)
}

/// The largest share of a whole interval: a look that comes shortly after another one, as the last one does, sees little but
/// what it takes to look and to end. Where none is whole, the mean of all.
fn busiest_second(samples: &[WaitSample]) -> Option<f64> {
    const WHOLE: Duration = Duration::from_millis(500);
    let whole = samples.iter().filter(|sample| sample.covers >= WHOLE);
    let busiest = whole.map(|sample| sample.share).reduce(f64::max);
    busiest.or_else(|| {
        let covered: Duration = samples.iter().map(|sample| sample.covers).sum();
        let used = samples
            .iter()
            .map(|sample| sample.share * sample.covers.as_secs_f64());
        (!covered.is_zero()).then(|| used.sum::<f64>() / covered.as_secs_f64())
    })
}

/// The most that was sent in a bucket, as a share of what this machine can send in one.
fn asked_of_machine(view: &View<'_>) -> Option<f64> {
    let started = &view.recording.started;
    let calibration = started.calibration?;
    let cores = f64::from(started.threads.min(started.environment.cores).max(1));
    let most = calibration.operations_per_second as f64 * cores;
    let mut due: BTreeMap<u64, u64> = BTreeMap::new();
    for line in &view.recording.buckets {
        *due.entry(line.bucket).or_default() += line.due() - line.not_sent();
    }
    let peak = due.into_values().max().unwrap_or(0) as f64;
    Some(peak / view.recording.plan.bucket.as_secs_f64() / most.max(1.0))
}

fn distrust(view: &View<'_>, phase: usize) -> Vec<String> {
    let name = &view.phases[phase].name;
    let reasons = trust::of_phase(view, phase);
    reasons
        .iter()
        .map(|reason| format!("{name}: {}", words::distrusted(reason)))
        .collect()
}

pub fn phases(view: &View<'_>) -> Vec<Phase> {
    let names = view.names(Which::Every);
    let phase = |(index, ran): (usize, &super::view::Ran)| {
        let lines: Vec<_> = view.lines(index, &names).collect();
        Phase {
            name: ran.name.clone(),
            start: ran.ran.as_ref().map(|ran| ran.start),
            end: ran.ran.as_ref().map(|ran| ran.end),
            measured: ran.measured,
            complete: ran.complete,
            intended: lines.iter().map(|line| line.due()).sum(),
            completed: lines.iter().map(|line| line.ok()).sum(),
            failed: lines.iter().map(|line| line.failed()).sum(),
            not_sent: lines.iter().map(|line| line.not_sent()).sum(),
            flow: flow::of_phase(view, index),
        }
    };
    view.phases.iter().enumerate().map(phase).collect()
}

/// What was warned of, in the order of time; the same text once.
pub fn warnings(view: &View<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    for timed in &view.recording.events {
        let text = match &timed.event {
            Event::Warning { text } => text.clone(),
            Event::Sabotage { name, shown } => {
                format!("sabotage {name}: the run misbehaves on purpose; {shown}")
            }
            Event::StickyConnection {
                host,
                address,
                current,
                connections,
            } => format!(
                "{connections} connections stayed with {address}, which {host} no longer names (now {})",
                current.join(", ")
            ),
            _ => continue,
        };
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_second_is_a_whole_one() {
        let busiest = |samples: &[(f64, u64)]| {
            let sample = |(share, millis): &(f64, u64)| WaitSample {
                share: *share,
                covers: Duration::from_millis(*millis),
            };
            busiest_second(&samples.iter().map(sample).collect::<Vec<_>>())
        };
        assert_eq!(busiest(&[(0.1, 1_000), (0.3, 1_000), (2.12, 1)]), Some(0.3));
        assert_eq!(busiest(&[(0.2, 300), (0.6, 100)]), Some(0.3));
        assert_eq!(busiest(&[]), None);
    }
}
