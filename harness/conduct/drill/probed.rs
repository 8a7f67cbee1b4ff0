//! What probes have seen, for actions that wait for it.

use firedrill_reports::recording::{Sample, series};
use firedrill_scenarios::plan::{Start, When};

use super::{Drill, Word};
use crate::clock::Nanos;
use crate::conduct::script::Seen;

impl Drill {
    /// What probes have seen.
    pub fn probed(&mut self, now: Nanos, samples: &[Sample]) -> Vec<Word> {
        let holds = |condition: &When| {
            let (name, is): (&str, &dyn Fn(f64) -> bool) = match condition {
                When::Above { series, value } => (series, &move |own| own > *value),
                When::Below { series, value } => (series, &move |own| own < *value),
                When::Detected | When::RouteOn(_) | When::Recovered => return false,
            };
            samples.iter().any(|sample| {
                sample.series.strip_prefix(series::PROBE) == Some(name) && is(sample.value)
            })
        };
        let conditions = self.plan.drill.actions.iter();
        let conditions = conditions.filter_map(|action| match &action.start {
            Start::When { condition, .. } => Some(condition),
            Start::At(_) | Start::After { .. } | Start::Afterwards => None,
        });
        let held: Vec<When> = conditions.filter(|own| holds(own)).cloned().collect();
        held.into_iter()
            .flat_map(|condition| self.see(now, Seen::Holds(condition)))
            .collect()
    }
}
