//! The charts of the report, each with its note and the table of its data.
//!
//! - `over_time`: throughput and latency
//! - `timeline`: what was done and what came of it, on one time axis; `recovery`: the parts of each recovery time
//! - `percentiles`: the percentile curve
//! - `generator`: lateness and load of firedrill itself
//! - `capacity`: latency by level, throughput by concurrency

mod capacity;
mod generator;
mod over_time;
mod percentiles;
mod recovery;
mod timeline;

use firedrill_scenarios::plan::Subject;

pub use capacity::{latency_by_level, parameters, throughput_by_concurrency};
pub use generator::{lateness, pressure};
pub use over_time::{latency, throughput};
pub use percentiles::percentiles;
pub use recovery::{parts, recoveries, words as mark_words};
pub use timeline::timeline;

use super::chart::{Axis, Band, Chart, Ink, Line, Rule, Size, Stack, Stroke, svg};
use super::steps::{Step, Steps};
use crate::judge::quantile_name;
use crate::numbers::{duration, span};
use crate::recording::Recording;
use crate::result::ResultDocument;

pub enum Drawing {
    One(Chart),
    Stack(Stack),
}

impl Drawing {
    pub fn title(&self) -> &str {
        match self {
            Drawing::One(chart) => &chart.title,
            Drawing::Stack(stack) => &stack.title,
        }
    }

    pub fn description(&self) -> &str {
        match self {
            Drawing::One(chart) => &chart.description,
            Drawing::Stack(stack) => &stack.description,
        }
    }

    pub fn lines(&self) -> Vec<&Line> {
        match self {
            Drawing::One(chart) => chart.lines.iter().collect(),
            Drawing::Stack(stack) => stack.charts.iter().flat_map(|chart| &chart.lines).collect(),
        }
    }

    pub fn svg(&self, size: Size, variant: &str) -> String {
        match self {
            Drawing::One(chart) => svg(chart, size, variant),
            Drawing::Stack(stack) => stack.svg(size, variant),
        }
    }
}

pub struct Figure {
    pub drawing: Drawing,
    /// How to read it.
    pub note: String,
    pub table: Table,
}

pub struct Table {
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// Everything that the figures have in common.
pub struct Data<'a> {
    recording: &'a Recording,
    result: &'a ResultDocument,
    steps: Steps,
}

impl<'a> Data<'a> {
    pub fn of(recording: &'a Recording, result: &'a ResultDocument) -> Data<'a> {
        Data {
            recording,
            result,
            steps: Steps::of(recording),
        }
    }

    fn time(&self) -> Axis {
        Axis::Time {
            from: 0.0,
            to: self.steps.end(),
        }
    }

    /// Phases as they ran, in seconds of the timeline.
    fn bands(&self) -> Vec<Band> {
        let zero = self.recording.zero().unwrap_or(0);
        let seconds = |instant: u64| instant.saturating_sub(zero) as f64 / 1e9;
        let ran = self
            .result
            .phases
            .iter()
            .enumerate()
            .filter_map(|(index, phase)| {
                Some(Band {
                    number: index + 1,
                    name: phase.name.clone(),
                    from: seconds(phase.start?),
                    to: seconds(phase.end?),
                    muted: !phase.measured,
                })
            });
        ran.collect()
    }

    fn step_note(&self) -> String {
        if self.steps.width > 1.0 {
            format!(" One step is {}.", span((self.steps.width * 1e9) as u64))
        } else {
            String::new()
        }
    }

    fn line(
        &self,
        name: &'static str,
        ink: Ink,
        stroke: Stroke,
        value: impl Fn(&Step) -> Option<f64>,
    ) -> Line {
        Line {
            name,
            ink,
            stroke,
            runs: self.steps.runs(value),
        }
    }
}

fn rule(name: String, at: u64) -> Rule {
    Rule {
        name,
        at: at as f64,
    }
}

/// One rule for each latency limit, named after its quantile.
fn latency_rules(data: &Data<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for objective in &data.recording.plan.objectives {
        if let Subject::Latency {
            quantile, below, ..
        } = &objective.subject
        {
            let ns = u64::try_from(below.as_nanos()).unwrap_or(u64::MAX);
            let name = format!("{} limit {}", quantile_name(*quantile), duration(ns));
            if rules.iter().all(|rule| rule.name != name) {
                rules.push(rule(name, ns));
            }
        }
    }
    rules
}
