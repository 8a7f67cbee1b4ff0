//! The percentile curve: an axis on which each nine is as wide as the one before.

use firedrill_evidence::{Quantile, quantile};
use hdrhistogram::Histogram;

use super::{Data, Drawing, Figure, Table, latency_rules};
use crate::numbers::{count, duration, milliseconds, share, significant};
use crate::recording::{Group, Measure};
use crate::render::chart::{Axis, Chart, Ink, Line, Mark, Stroke};

/// Points of the percentile curve for each nine.
const POINTS: u32 = 16;

/// Response and service time against the share of operations that are at least as fast.
pub fn percentiles(data: &Data<'_>) -> Figure {
    let response = times(data, Measure::Response);
    let service = times(data, Measure::Service);
    let all = data.result.latency.get("all").and_then(|all| all.response);
    let misses = all.map_or(0, |all| all.misses);
    let operations = response.len() + misses;
    let curve = curve(&response, misses, operations);
    let service = self::curve(&service, 0, service.len());
    let rules = latency_rules(data);
    let values = curve
        .iter()
        .chain(&service)
        .map(|(_, time)| *time)
        .chain(rules.iter().map(|rule| rule.at));
    let enough = |point: &(f64, f64)| operations as f64 * (1.0 - point.0) >= 10.0;
    let sure = curve.iter().take_while(|point| enough(point)).count();
    let run = |points: &[(f64, f64)]| {
        if points.is_empty() {
            Vec::new()
        } else {
            vec![points.to_vec()]
        }
    };
    let rows = curve
        .iter()
        .filter(|(q, _)| is_landmark(*q))
        .map(|(q, time)| {
            vec![
                format!("{} %", significant(q * 100.0, 12)),
                milliseconds(*time as u64),
            ]
        });
    let table = Table {
        head: vec!["quantile", "response, ms"],
        rows: rows.collect(),
    };
    let chart = Chart {
        id: "percentiles",
        title: "Percentiles of the measured phases".to_owned(),
        description: describe(operations, misses, all.and_then(|all| all.p99)),
        x: Axis::Nines {
            to: last_nine(operations),
        },
        y: Axis::duration(values),
        bands: Vec::new(),
        lines: vec![
            Line {
                name: "service time of ok operations",
                ink: Ink::Green,
                stroke: Stroke::Dotted,
                runs: run(&service),
            },
            Line {
                name: "response time",
                ink: Ink::Blue,
                stroke: Stroke::Solid,
                runs: run(&curve[..sure]),
            },
            Line {
                name: "response time, fewer than 10 operations beyond",
                ink: Ink::Blue,
                stroke: Stroke::Dashed,
                runs: unsure(&curve, sure),
            },
        ],
        rules,
        marks: misses_from(operations, misses),
    };
    Figure {
        drawing: Drawing::One(chart),
        note: "At least this share of the operations took at most this time. Each step to the right has one nine more. \
               An operation that failed or was never sent is a miss, later than every time: the curve ends where misses begin."
            .to_owned(),
        table,
    }
}

/// Where the curve ends, since all beyond are misses.
fn misses_from(operations: u64, misses: u64) -> Vec<Mark> {
    let at = 1.0 - misses as f64 / operations.max(1) as f64;
    let name = format!("misses from {}", share(at));
    if misses > 0 {
        vec![Mark { name, at }]
    } else {
        Vec::new()
    }
}

/// The part of the curve that few operations carry, joined to the rest. A single point is no part.
fn unsure(curve: &[(f64, f64)], sure: usize) -> Vec<Vec<(f64, f64)>> {
    let rest = &curve[sure.saturating_sub(1)..];
    if rest.len() > 1 {
        vec![rest.to_vec()]
    } else {
        Vec::new()
    }
}

fn describe(operations: u64, misses: u64, p99: Option<u64>) -> String {
    let p99 = p99.map_or("lies among the misses".to_owned(), |p99| {
        format!("is {}", duration(p99))
    });
    match operations {
        0 => "No operation was due in a measured phase.".to_owned(),
        _ => format!(
            "Of {} operations {} are misses; the p99 {p99}.",
            count(operations),
            count(misses)
        ),
    }
}

/// Ok times of the schedule's operations in measured phases.
fn times(data: &Data<'_>, measure: Measure) -> Histogram<u64> {
    let scheduled: Vec<String> = data
        .recording
        .plan
        .series()
        .into_iter()
        .filter(|series| series.scheduled)
        .map(|series| series.name)
        .collect();
    let measured: Vec<&str> = data
        .result
        .phases
        .iter()
        .filter(|phase| phase.measured)
        .map(|phase| phase.name.as_str())
        .collect();
    data.recording.latency.sum(|tag| {
        tag.measure == measure
            && tag.group == Group::Ok
            && measured.contains(&tag.phase.as_str())
            && scheduled.contains(&tag.series)
    })
}

/// Quantiles, as far as there are operations to have them and they are no misses.
fn curve(times: &Histogram<u64>, misses: u64, operations: u64) -> Vec<(f64, f64)> {
    let quantiles = (0..)
        .map(|point| 1.0 - 10_f64.powf(-f64::from(point) / f64::from(POINTS)))
        .take_while(|q| operations as f64 * (1.0 - q) >= 0.999);
    quantiles
        .map_while(|q| match quantile(times, misses, q) {
            Quantile::Time(time) => Some((q, time as f64)),
            Quantile::Miss { .. } | Quantile::Nothing => None,
        })
        .collect()
}

/// Whole nines, and a few between them.
fn is_landmark(q: f64) -> bool {
    let nines = -(1.0 - q).log10() * f64::from(POINTS) / 4.0;
    (nines - nines.round()).abs() < 1e-6
}

fn last_nine(operations: u64) -> f64 {
    let nines = (operations.max(10) as f64).log10().ceil().clamp(1.0, 12.0);
    1.0 - 10_f64.powf(-nines)
}
