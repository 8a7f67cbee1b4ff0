//! How many operations a plan will probably send: the integral of the rates.

use super::{Arrivals, Drive, Plan};

impl Plan {
    /// Arrivals that a load is expected to have in a phase; `None` for a closed load, whose pace is the target's.
    pub fn expected_of(&self, load: usize, phase: usize) -> Option<f64> {
        let (drive, at) = (&self.loads.get(load)?.drive, self.timeline.get(phase)?);
        let Drive::Open(own) = drive else {
            return None;
        };
        let before: f64 = self.timeline[..phase]
            .iter()
            .map(|phase| phase.length.as_secs_f64())
            .sum();
        let length = at.length.as_secs_f64();
        match at.arrivals.get(load).and_then(Option::as_ref) {
            Some(arrivals) => Some(arrivals.between(0.0, length, length)),
            None => Some(own.between(before, before + length, self.length().as_secs_f64())),
        }
    }

    /// Arrivals of all loads in a phase; `None` when one of them is closed.
    pub fn expected_arrivals(&self, phase: usize) -> Option<f64> {
        (0..self.loads.len())
            .map(|load| self.expected_of(load, phase))
            .sum()
    }

    /// Operations of one series in a phase: its flow's share of the load's arrivals.
    pub fn expected_series(&self, series: &str, phase: usize) -> Option<f64> {
        let series = self
            .series()
            .into_iter()
            .find(|found| found.name == series)?;
        let load = self.loads.get(series.load)?;
        Some(self.expected_of(series.load, phase)? * load.share(series.flow))
    }
}

impl super::Load {
    /// The share of arrivals that start this flow.
    pub fn share(&self, flow: usize) -> f64 {
        let total: f64 = self.flows.iter().map(|flow| flow.weight).sum();
        self.flows.get(flow).map_or(0.0, |flow| flow.weight / total)
    }
}

impl Arrivals {
    /// Arrivals between two instants, in seconds since the start of the span that the arrivals are for.
    pub fn between(&self, from: f64, to: f64, length: f64) -> f64 {
        match self {
            Arrivals::Shaped { shape, .. } => {
                shape.cumulative(to, length) - shape.cumulative(from, length)
            }
            Arrivals::Trace { due, .. } => {
                let inside = |at: f64| at >= from && at < to;
                due.iter().filter(|at| inside(at.as_secs_f64())).count() as f64
            }
        }
    }
}
