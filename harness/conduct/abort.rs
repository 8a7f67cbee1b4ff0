//! Objectives with `abort`, held against what has been counted so far. The definitions are those of judging.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_evidence::{Limit, Share, hopeless, hopeless_window};
use firedrill_reports::recording::{Sample, series as samples};
use firedrill_scenarios::plan::{ErrorClass, MetricBase, Objective, Over, Series, Subject};
use firedrill_scenarios::{Outcome, Plan};

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
}

impl Watch {
    pub fn new(plan: &Plan) -> Watch {
        Watch {
            plan: plan.clone(),
            series: plan.series(),
            limits: plan.latency_limits(),
            seen: BTreeMap::new(),
            newest: BTreeMap::new(),
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
        None
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
            | Subject::Data { .. } => return Share::default(),
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
        let bad = match subject {
            Subject::Latency { below, .. } => {
                let place = self.limits.iter().position(|limit| limit == below);
                let late = place
                    .and_then(|place| cell.over.get(place))
                    .copied()
                    .unwrap_or(0);
                late + counted(&|outcome| !outcome.is_ok())
            }
            Subject::Errors { class, .. } => match class {
                None => counted(&|outcome| !outcome.is_ok()),
                Some(ErrorClass::Class(class)) => counted(&|outcome| outcome.class() == class),
                Some(ErrorClass::One(one)) => counted(&|outcome| outcome == *one),
            },
            Subject::Throughput { .. } => counted(&|outcome| !outcome.is_ok()),
            Subject::Metric { .. }
            | Subject::Rto { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. } => 0,
        };
        Share { bad, of }
    }

    fn is_lost(&self, number: usize, phase: usize) -> bool {
        let objective = &self.plan.objectives[number];
        let Some(buckets) = self.seen.get(&(number, phase)) else {
            return false;
        };
        let limit = match &objective.subject {
            Subject::Latency { quantile, .. } => Limit::Quantile(*quantile),
            Subject::Errors { below, .. } => Limit::Below(*below),
            Subject::Throughput { at_least, .. } => {
                return self.is_too_slow(objective, buckets, at_least.0);
            }
            Subject::Metric { .. }
            | Subject::Rto { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. } => return false,
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

    /// A window is too slow when it is; a phase only when it is over, and then there is nothing to end.
    fn is_too_slow(&self, objective: &Objective, buckets: &[Share], at_least: f64) -> bool {
        let Over::Window(length) = objective.over else {
            return false;
        };
        let width = self.plan.bucket.as_secs_f64();
        let count = (length.as_secs_f64() / width).round().max(1.0) as usize;
        let Some(start) = buckets.len().checked_sub(count) else {
            return false;
        };
        let ok: u64 = buckets[start..]
            .iter()
            .map(|share| share.of - share.bad)
            .sum();
        (ok as f64) < at_least * length.as_secs_f64()
    }

    /// Takes in what probes have seen in a phase; returns the objective that cannot be met any more.
    pub fn samples(&mut self, phase: usize, samples: &[Sample]) -> Option<String> {
        for sample in samples {
            if let Some(name) = sample.series.strip_prefix(samples::PROBE) {
                self.newest.insert(name.to_owned(), sample.value);
            }
        }
        let lost = |objective: &&Objective| {
            let Subject::Metric { series, below, of } = &objective.subject else {
                return false;
            };
            let base = match of {
                None => Some(1.0),
                Some(MetricBase::Number(number)) => Some(*number),
                Some(MetricBase::Series(name)) => self.newest.get(name).copied(),
            };
            let value = self.newest.get(series).zip(base.filter(|base| *base > 0.0));
            objective.phases.contains(&phase)
                && objective.over == Over::Phase
                && value.is_some_and(|(value, base)| value / base >= *below)
        };
        self.watched()
            .map(|(_, objective)| objective)
            .find(lost)
            .map(|found| found.id.clone())
    }
}
