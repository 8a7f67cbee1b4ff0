//! Objectives with `abort`, held against what has been counted so far. The definitions are those of judging.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use firedrill_evidence::{Limit, Share, hopeless, hopeless_window, out_of_reach};
use firedrill_reports::recording::{Sample, series as samples};
use firedrill_scenarios::plan::{ErrorClass, MetricBase, Objective, Over, Series, Subject};
use firedrill_scenarios::{Outcome, Plan};

use crate::clock::Nanos;
use crate::load::tally::Cell;

/// What the objectives with `abort` have seen.
pub struct Watch {
    plan: Plan,
    series: Vec<Series>,
    limits: Vec<Duration>,
    /// By objective and phase: the closed buckets, in the order of time.
    seen: BTreeMap<(usize, usize), Vec<Share>>,
    /// The newest value of each probe's series.
    newest: BTreeMap<String, f64>,
    /// By objective and phase: what is judged of a metric.
    readings: BTreeMap<(usize, usize), Readings>,
}

impl Watch {
    pub fn new(plan: &Plan) -> Watch {
        Watch {
            plan: plan.clone(),
            series: plan.series(),
            limits: plan.latency_limits(),
            seen: BTreeMap::new(),
            newest: BTreeMap::new(),
            readings: BTreeMap::new(),
        }
    }

    fn watched(&self) -> impl Iterator<Item = (usize, &Objective)> {
        self.plan
            .objectives
            .iter()
            .enumerate()
            .filter(|(_, objective)| objective.abort)
    }

    /// Takes in a closed bucket; returns the objective that cannot be met any more.
    pub fn bucket(&mut self, phase: usize, cells: &[Cell]) -> Option<String> {
        let shares: Vec<(usize, Share)> = self
            .watched()
            .filter(|(_, objective)| objective.phases.contains(&phase))
            .map(|(number, objective)| (number, self.share(&objective.subject, cells)))
            .collect();
        for (number, share) in shares {
            self.seen.entry((number, phase)).or_default().push(share);
            if self.is_lost(number, phase) {
                return Some(self.plan.objectives[number].id.clone());
            }
        }
        self.was_too_slow(phase)
    }

    /// What an objective counts in one bucket.
    fn share(&self, subject: &Subject, cells: &[Cell]) -> Share {
        let (operation, scheduled_only) = match subject {
            Subject::Latency { operation, .. } => (operation, operation.is_none()),
            Subject::Errors { operation, .. } | Subject::Throughput { operation, .. } => {
                (operation, false)
            }
            Subject::Metric { .. }
            | Subject::Rto { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. }
            | Subject::Refusal { .. }
            | Subject::Suite { .. } => return Share::default(),
        };
        let mut sum = Share::default();
        for (series, cell) in self.series.iter().zip(cells) {
            if operation.as_ref().is_none_or(|name| *name == series.name)
                && (series.scheduled || !scheduled_only)
            {
                sum = sum + self.count(subject, cell);
            }
        }
        sum
    }

    fn count(&self, subject: &Subject, cell: &Cell) -> Share {
        let counted = |bad: &dyn Fn(Outcome) -> bool| {
            let some = cell.outcomes.iter().filter(|(outcome, _)| bad(*outcome));
            some.map(|(_, count)| count).sum::<u64>()
        };
        let of = counted(&|_| true);
        let failed = || counted(&|outcome| !outcome.is_ok());
        // What is ours is no reason to end a run.
        let (bad, ours) = match subject {
            Subject::Latency { below, .. } => (
                self.over(&cell.over, *below) + failed(),
                cell.ours_failed + self.over(&cell.ours_over, *below),
            ),
            Subject::Errors { class, .. } => {
                let bad = match class {
                    None => failed(),
                    Some(ErrorClass::Class(class)) => counted(&|outcome| outcome.class() == class),
                    Some(ErrorClass::One(one)) => counted(&|outcome| outcome == *one),
                };
                (bad, cell.ours_failed)
            }
            Subject::Throughput { .. } => return Share { bad: failed(), of },
            Subject::Metric { .. }
            | Subject::Rto { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. }
            | Subject::Refusal { .. }
            | Subject::Suite { .. } => return Share { bad: 0, of },
        };
        Share {
            bad: bad.saturating_sub(ours),
            of: of.saturating_sub(cell.ours),
        }
    }

    /// What is over the limit.
    fn over(&self, counts: &[u64], below: Duration) -> u64 {
        let place = self.limits.iter().position(|limit| *limit == below);
        let count = place.and_then(|place| counts.get(place));
        count.copied().unwrap_or(0)
    }

    fn is_lost(&self, number: usize, phase: usize) -> bool {
        let objective = &self.plan.objectives[number];
        let Some(buckets) = self.seen.get(&(number, phase)) else {
            return false;
        };
        let limit = match &objective.subject {
            Subject::Latency { quantile, .. } => Limit::Quantile(*quantile),
            Subject::Errors { below, .. } => Limit::Below(*below),
            Subject::Throughput {
                at_least,
                operation,
            } => {
                let wanted = (at_least.0, operation.as_deref());
                return self.is_too_slow(number, phase, buckets, wanted);
            }
            Subject::Metric { .. }
            | Subject::Rto { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. }
            | Subject::Refusal { .. }
            | Subject::Suite { .. } => return false,
        };
        match objective.over {
            Over::Window(length) => hopeless_window(buckets, self.plan.bucket, length, limit),
            Over::Phase => {
                let seen: Share = buckets.iter().copied().sum();
                let expected = self.plan.expected_arrivals(phase);
                let more = expected.map(|all| (all.ceil() as u64).saturating_sub(seen.of));
                hopeless(seen, limit, more)
            }
        }
    }

    /// A window is too slow when it is; a phase when what is still expected could not make up for it.
    fn is_too_slow(
        &self,
        number: usize,
        phase: usize,
        buckets: &[Share],
        (at_least, operation): (f64, Option<&str>),
    ) -> bool {
        match self.plan.objectives[number].over {
            Over::Window(length) => {
                let width = self.plan.bucket.as_secs_f64();
                let count = (length.as_secs_f64() / width).round().max(1.0) as usize;
                let start = buckets.len().checked_sub(count);
                start.is_some_and(|start| {
                    (good(&buckets[start..]) as f64) < at_least * length.as_secs_f64()
                })
            }
            Over::Phase => {
                let counted = self.series.iter().map(|series| series.name.as_str());
                let expected: Option<f64> = counted
                    .filter(|name| operation.is_none_or(|own| own == *name))
                    .map(|name| self.plan.expected_series(name, phase))
                    .sum();
                let timed = &self.plan.timeline[phase];
                let wanted = at_least * timed.length.as_secs_f64();
                let seen = buckets.iter().copied().sum();
                timed.until.is_none()
                    && expected.is_some_and(|expected| out_of_reach(seen, expected, wanted))
            }
        }
    }

    /// An objective on the whole of an earlier phase that was too slow: it is over when a later one has a bucket.
    fn was_too_slow(&self, now: usize) -> Option<String> {
        let too_slow = |(number, objective): &(usize, &Objective)| {
            let Subject::Throughput { at_least, .. } = &objective.subject else {
                return false;
            };
            let over = |phase: &usize| {
                let timed = &self.plan.timeline[*phase];
                // What began before the phase and ended in it is counted there and not here.
                let wanted = at_least.0 * timed.length.as_secs_f64() * 0.99;
                let seen = self.seen.get(&(*number, *phase));
                *phase < now
                    && timed.until.is_none()
                    && seen.is_some_and(|buckets| (good(buckets) as f64) < wanted)
            };
            objective.over == Over::Phase && objective.phases.iter().any(over)
        };
        let found = self.watched().find(too_slow);
        found.map(|(_, objective)| objective.id.clone())
    }

    /// Takes in what probes have seen in a phase; returns the objective that cannot be met any more.
    pub fn samples(&mut self, phase: usize, samples: &[Sample]) -> Option<String> {
        let mut read = BTreeMap::new();
        for sample in samples {
            if let Some(name) = sample.series.strip_prefix(samples::PROBE) {
                self.newest.insert(name.to_owned(), sample.value);
                read.insert(name, sample.at_ns);
            }
        }
        for (number, objective) in self.plan.objectives.iter().enumerate() {
            let Subject::Metric { series, below, of } = &objective.subject else {
                continue;
            };
            let at = read.get(series.as_str()).copied();
            let value = value_of(&self.newest, series, of.as_ref());
            let (Some(at), Some(value)) = (at, value) else {
                continue;
            };
            if objective.abort && objective.phases.contains(&phase) {
                let readings = self.readings.entry((number, phase)).or_default();
                let judged = readings.take(at, value, objective.over);
                if judged.is_some_and(|judged| judged >= *below) {
                    return Some(objective.id.clone());
                }
            }
        }
        None
    }
}

/// What is judged of a metric: the newest value, or its share of the newest base.
fn value_of(newest: &BTreeMap<String, f64>, series: &str, of: Option<&MetricBase>) -> Option<f64> {
    let base = match of {
        None => 1.0,
        Some(MetricBase::Number(number)) => *number,
        Some(MetricBase::Series(name)) => newest.get(name).copied()?,
    };
    let value = newest.get(series)?;
    (base > 0.0).then(|| value / base)
}

/// The readings of a metric in one phase, as far as its window reaches back.
#[derive(Default)]
struct Readings {
    /// The instant of the first one: the phase's start, as far as a probe saw it.
    first: Option<Nanos>,
    newest: VecDeque<(Nanos, f64)>,
}

impl Readings {
    /// What is judged now: the reading itself, or the mean over a whole window that ends with it.
    fn take(&mut self, at: Nanos, value: f64, over: Over) -> Option<f64> {
        let Over::Window(length) = over else {
            return Some(value);
        };
        let length = length.as_nanos() as Nanos;
        let first = *self.first.get_or_insert(at);
        self.newest.push_back((at, value));
        while self
            .newest
            .front()
            .is_some_and(|(read, _)| read + length <= at)
        {
            self.newest.pop_front();
        }
        let sum: f64 = self.newest.iter().map(|(_, value)| value).sum();
        (at - first >= length).then(|| sum / self.newest.len() as f64)
    }
}

fn good(buckets: &[Share]) -> u64 {
    buckets.iter().map(|share| share.of - share.bad).sum()
}

#[cfg(test)]
mod tests {
    use firedrill_scenarios::Given;

    use super::*;

    /// A second in which so many of ten operations ended ok.
    fn second(ok: u64) -> Vec<Cell> {
        let outcomes = vec![(Outcome::Ok, ok), (Outcome::NeverAnswered, 10 - ok)];
        vec![Cell {
            outcomes,
            ..Cell::default()
        }]
    }

    fn watch(drive: &str) -> Watch {
        let text = format!(
            "scenario: unit\n\
             load: {{ {drive}, operations: [ {{ tool: echo, arguments: {{ message: hi }} }} ] }}\n\
             timeline: [ {{ phase: one, for: 1000s }}, {{ phase: two, for: 10s }} ]\n\
             objectives: [ {{ throughput: 5/s, in: [one], abort: true }} ]\n"
        );
        Watch::new(&Plan::parse(&text, &Given::named("unit.yaml")).expect("a plan"))
    }

    #[test]
    fn throughput_of_a_phase_is_given_up_when_a_perfect_rest_is_not_enough() {
        let mut open = watch("rate: 10/s");
        let lost = (0..1000).find(|_| open.bucket(0, &second(0)).is_some());
        // 10,000 are expected and 5,000 wanted: 500 s are left, and what chance may add.
        assert!(lost.is_some_and(|at| (500..600).contains(&at)), "{lost:?}");
        let mut good = watch("rate: 10/s");
        assert!((0..1000).all(|_| good.bucket(0, &second(6)).is_none()));
        assert_eq!(good.bucket(1, &second(0)), None);
    }

    #[test]
    fn throughput_of_a_closed_load_is_given_up_when_the_phase_is_over() {
        let mut closed = watch("closed: { think: 1s }");
        assert!((0..1000).all(|_| closed.bucket(0, &second(0)).is_none()));
        assert!(closed.bucket(1, &second(10)).is_some());
    }

    #[test]
    fn what_is_late_by_us_ends_no_run() {
        let ends = |ours: u64| {
            let text = "scenario: unit\n\
                load: { rate: 100/s, operations: [ { tool: echo } ] }\n\
                timeline: [ { phase: one, for: 10s } ]\n\
                objectives: [ { latency: p99, below: 100ms, abort: true } ]\n";
            let plan = Plan::parse(text, &Given::named("unit.yaml")).expect("a plan");
            let (mut watch, limits) = (Watch::new(&plan), plan.latency_limits().len());
            let slow = Cell {
                outcomes: vec![(Outcome::Ok, 100)],
                ours,
                over: vec![100; limits],
                ours_over: vec![ours; limits],
                ..Cell::default()
            };
            (0..10).any(|_| watch.bucket(0, std::slice::from_ref(&slow)).is_some())
        };
        assert!(ends(0));
        assert!(!ends(100));
    }

    fn metric(over: &str) -> Watch {
        let text = format!(
            "scenario: unit\nload: {{ rate: 10/s, operations: [ {{ tool: echo }} ] }}\n\
             timeline: [ {{ phase: one, for: 1000s }} ]\n\
             probes: {{ p: {{ path: /m, prometheus: {{ q: q, all: all }} }} }}\n\
             objectives: [ {{ metric: p.q, below: 50 %, of: p.all{over}, abort: true }} ]\n"
        );
        Watch::new(&Plan::parse(&text, &Given::named("unit.yaml")).expect("a plan"))
    }

    /// The second, counted from 0, in which a queue that is full from the tenth second on ends the run.
    fn given_up(mut watch: Watch) -> Option<u64> {
        let sample = |second: u64, name: &str, value| Sample {
            at_ns: second * 1_000_000_000,
            series: format!("{}p.{name}", samples::PROBE),
            value,
        };
        (0..60).find(|second| {
            let queue = if *second < 10 { 0.0 } else { 200.0 };
            let page = [sample(*second, "q", queue), sample(*second, "all", 200.0)];
            watch.samples(0, &page).is_some()
        })
    }

    #[test]
    fn a_metric_is_given_up_by_its_reading_or_by_the_mean_of_its_window() {
        assert_eq!(given_up(metric("")), Some(10));
        assert_eq!(
            given_up(metric(", over: 10s")),
            Some(14),
            "five of ten are full"
        );
        assert_eq!(given_up(metric(", over: 2min")), None, "no window is whole");
    }
}
