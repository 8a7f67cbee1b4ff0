//! Throughput and latency, second by second.

use super::{Data, Drawing, Figure, Table, latency_rules};
use crate::numbers::{count, duration, milliseconds, significant};
use crate::render::chart::{Axis, Chart, Ink, Stroke};
use crate::render::steps::Step;

type Of = fn(&Step) -> Option<f64>;

/// What is drawn of each step, as a rate.
const RATES: [(&str, Ink, Stroke, Of); 4] = [
    ("asked", Ink::Grey, Stroke::Dashed, |step| {
        step.due_rate(step.asked)
    }),
    ("sent", Ink::Green, Stroke::Dotted, |step| {
        step.due_rate(step.sent)
    }),
    ("completed", Ink::Blue, Stroke::Solid, Step::completed_rate),
    ("failed", Ink::Vermillion, Stroke::Solid, |step| {
        step.due_rate(step.failed)
    }),
];

/// Asked, sent, completed and failed operations a second.
pub fn throughput(data: &Data<'_>) -> Figure {
    let rates = |step: &Step| RATES.map(|(_, _, _, of)| of(step));
    let load = &data.result.load;
    let lines = RATES.map(|(name, ink, stroke, of)| data.line(name, ink, stroke, of));
    let chart = Chart {
        id: "throughput",
        title: "Throughput".to_owned(),
        description: format!(
            "{} operations were due, {} were sent and {} ended ok.",
            count(load.intended),
            count(load.sent),
            count(load.completed)
        ),
        x: data.time(),
        y: Axis::linear(data.steps.steps.iter().flat_map(rates).flatten()),
        bands: data.bands(),
        lines: lines.into(),
        rules: Vec::new(),
        marks: Vec::new(),
    };
    let rows = data.steps.steps.iter().map(|step| {
        let rates =
            rates(step).map(|rate| rate.map_or("-".to_owned(), |rate| significant(rate, 4)));
        std::iter::once(significant(step.from, 6))
            .chain(rates)
            .collect()
    });
    let head = vec![
        "from, s",
        "asked /s",
        "sent /s",
        "completed /s",
        "failed /s",
    ];
    Figure {
        drawing: Drawing::One(chart),
        note: format!(
            "Operations a second. Asked, sent and failed by the second in which they were due; completed (ended ok) \
             by the second in which they ended.{}",
            data.step_note()
        ),
        table: Table {
            head,
            rows: rows.collect(),
        },
    }
}

/// Response times by the second in which operations ended.
pub fn latency(data: &Data<'_>) -> Figure {
    let steps = &data.steps.steps;
    let rules = latency_rules(data);
    let limits: Vec<f64> = rules.iter().map(|rule| rule.at).collect();
    let seen = steps
        .iter()
        .flat_map(|step| [step.p50, step.p99, step.max])
        .flatten();
    let time = |of: fn(&Step) -> Option<u64>| move |step: &Step| of(step).map(|ns| ns as f64);
    let worst = steps.iter().filter_map(|step| step.p99).max();
    let chart = Chart {
        id: "latency",
        title: "Response time over the run".to_owned(),
        description: match worst {
            Some(worst) => format!("The p99 of a step was at most {}.", duration(worst)),
            None => "No operation ended ok.".to_owned(),
        },
        x: data.time(),
        y: Axis::duration(seen.map(|ns| ns as f64).chain(limits)),
        bands: data.bands(),
        lines: vec![
            data.line("max", Ink::Pink, Stroke::Dashed, time(|step| step.max)),
            data.line("p99", Ink::Blue, Stroke::Solid, time(|step| step.p99)),
            data.line("p50", Ink::Green, Stroke::Dotted, time(|step| step.p50)),
        ],
        rules,
        marks: Vec::new(),
    };
    let milliseconds = |time: Option<u64>| time.map_or("-".to_owned(), milliseconds);
    let rows = steps.iter().map(|step| {
        let times = [step.p50, step.p99, step.max].map(milliseconds);
        std::iter::once(significant(step.from, 6))
            .chain(times)
            .collect()
    });
    Figure {
        drawing: Drawing::One(chart),
        note: format!(
            "Operations that ended ok, from the time they were due, by the second in which they ended. Failed ones \
             have no time here: see the throughput.{}",
            if data.steps.width > 1.0 {
                format!(
                    "{} It shows the highest value of its seconds.",
                    data.step_note()
                )
            } else {
                String::new()
            }
        ),
        table: Table {
            head: vec!["from, s", "p50, ms", "p99, ms", "max, ms"],
            rows: rows.collect(),
        },
    }
}
