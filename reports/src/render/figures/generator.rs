//! firedrill itself: how late it was, and how busy.

use super::{Data, Drawing, Figure, Table, rule};
use crate::numbers::{duration, milliseconds, significant};
use crate::recording::series;
use crate::render::chart::{Axis, Chart, Ink, Line, Stroke};
use crate::render::steps::Step;

/// How late firedrill itself dispatched.
pub fn lateness(data: &Data<'_>) -> Figure {
    let limit = data.result.generator.lateness_limit;
    let late = highest(data, data.recording.sampled(series::LATENESS_P99));
    let worst = late.iter().flatten().copied().fold(0.0, f64::max);
    let rules = vec![rule(format!("late above {}", duration(limit)), limit)];
    let chart = Chart {
        id: "lateness",
        title: "Lateness of the generator".to_owned(),
        description: format!(
            "The p99 of a second was at most {}.",
            duration(worst as u64)
        ),
        x: data.time(),
        y: Axis::duration(late.iter().flatten().copied().chain([limit as f64])),
        bands: data.bands(),
        lines: vec![Line {
            name: "p99 of lateness",
            ink: Ink::Blue,
            stroke: Stroke::Solid,
            runs: runs(data, &late),
        }],
        rules,
        marks: Vec::new(),
    };
    let rows = late.iter().enumerate().map(|(index, value)| {
        vec![
            significant(index as f64 * data.steps.width, 6),
            value.map_or("-".to_owned(), |ns| milliseconds(ns as u64)),
        ]
    });
    Figure {
        drawing: Drawing::One(chart),
        note: "Dispatched minus due: what the generator is to blame for. Two seconds above the line, and more than one in \
               a hundred, make the checks of the phase invalid."
            .to_owned(),
        table: Table { head: vec!["from, s", "p99 of lateness, ms"], rows: rows.collect() },
    }
}

/// How busy the generator's threads and its machine were.
pub fn pressure(data: &Data<'_>) -> Figure {
    let mut busy: Vec<Option<f64>> = vec![None; data.steps.steps.len()];
    for (name, samples) in &data.recording.samples {
        if name.starts_with(series::BUSY) {
            for (busy, own) in busy.iter_mut().zip(highest(data, samples)) {
                *busy = larger(*busy, own);
            }
        }
    }
    let waiting = highest(data, data.recording.sampled(series::CPU_PRESSURE));
    let worst = busy.iter().flatten().copied().fold(0.0, f64::max);
    let share =
        |value: &Option<f64>| value.map_or("-".to_owned(), |value| significant(value * 100.0, 3));
    let rows = busy
        .iter()
        .zip(&waiting)
        .enumerate()
        .map(|(index, (busy, waiting))| {
            vec![
                significant(index as f64 * data.steps.width, 6),
                share(busy),
                share(waiting),
            ]
        });
    let chart = Chart {
        id: "pressure",
        title: "Load on the generator's machine".to_owned(),
        description: format!(
            "The busiest thread worked for at most {} % of a second.",
            significant(worst * 100.0, 3)
        ),
        x: data.time(),
        y: Axis::share(busy.iter().chain(&waiting).flatten().copied()),
        bands: data.bands(),
        lines: vec![
            Line {
                name: "busiest thread",
                ink: Ink::Blue,
                stroke: Stroke::Solid,
                runs: runs(data, &busy),
            },
            Line {
                name: "something waited for a core",
                ink: Ink::Vermillion,
                stroke: Stroke::Dashed,
                runs: runs(data, &waiting),
            },
        ],
        rules: Vec::new(),
        marks: Vec::new(),
    };
    Figure {
        drawing: Drawing::One(chart),
        note: format!(
            "Share of each second in which the busiest thread of firedrill worked, and in which something on its machine \
             waited for a core.{}",
            data.step_note()
        ),
        table: Table {
            head: vec!["from, s", "busiest thread, %", "waiting for a core, %"],
            rows: rows.collect(),
        },
    }
}

/// The highest sample of each step. A sample belongs to the second before it.
fn highest(data: &Data<'_>, samples: &[(u64, f64)]) -> Vec<Option<f64>> {
    let zero = data.recording.zero().unwrap_or(0);
    let mut highest: Vec<Option<f64>> = vec![None; data.steps.steps.len()];
    for (at, value) in samples.iter().filter(|(at, _)| *at > zero) {
        let step = ((at - zero - 1) as f64 / 1e9 / data.steps.width) as usize;
        if let Some(seen) = highest.get_mut(step) {
            *seen = larger(*seen, Some(*value));
        }
    }
    highest
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

fn runs(data: &Data<'_>, values: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
    let value = |step: &Step| {
        let index = (step.from / data.steps.width).round() as usize;
        values.get(index).copied().flatten()
    };
    data.steps.runs(value)
}
