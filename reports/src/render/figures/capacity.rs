//! The charts of a search for capacity: latency against the level, throughput against concurrency.

use super::{Drawing, Figure, Table, rule};
use crate::capacity::{Form, Outcome};
use crate::numbers::{duration, milliseconds, rate, significant};
use crate::render::capacity::{level, of_search, outcome_words};
use crate::render::chart::{Axis, Chart, Ink, Line, Mark, Rule, Stroke};
use crate::result::{CapacityDocument, Trial};

/// Points of the law's curve.
const POINTS: u32 = 80;

/// p50 and p99 of every trial against its level, with the limits and the capacity.
pub fn latency_by_level(found: &CapacityDocument) -> Figure {
    let mut trials: Vec<&Trial> = of_search(found)
        .filter(|own| own.outcome != Outcome::TooLittle)
        .collect();
    trials.sort_by(|one, other| one.level.total_cmp(&other.level));
    let line = |name, ink, stroke, of: fn(&Trial) -> Option<u64>| Line {
        name,
        ink,
        stroke,
        runs: runs(&trials, of),
    };
    let lines = vec![
        line("p99", Ink::Blue, Stroke::Solid, |own| own.p99),
        line("p50", Ink::Green, Stroke::Dashed, |own| own.p50),
    ];
    let rules = limits(&trials);
    let values = lines
        .iter()
        .flat_map(|line| &line.runs)
        .flatten()
        .map(|(_, time)| *time);
    let y = Axis::duration(values.chain(rules.iter().map(|rule| rule.at)));
    let capacity = found.capacity.estimate.or(found.capacity.met);
    let mark = capacity.map(|at| Mark {
        name: format!("capacity {}", level(at, found.form)),
        at,
    });
    let chart = Chart {
        id: "latency-by-level",
        title: match found.form {
            Form::Open => "Latency against the rate".to_owned(),
            Form::Closed => "Latency against the number of sessions".to_owned(),
        },
        description: format!("Capacity: {}.", crate::render::capacity::answer(found)),
        x: Axis::linear(trials.iter().map(|own| own.level)),
        y,
        bands: Vec::new(),
        lines,
        rules,
        marks: mark.into_iter().collect(),
    };
    Figure {
        drawing: Drawing::One(chart),
        note: "The mean of the trials at each level. Where a quantile lies among operations that failed or were never sent it \
               is later than every time, and the line has a gap."
            .to_owned(),
        table: Table {
            head: vec!["level", "p50, ms", "p99, ms", "outcome"],
            rows: trials.iter().map(|own| row(own, found.form)).collect(),
        },
    }
}

fn row(own: &Trial, form: Form) -> Vec<String> {
    let time = |time: Option<u64>| time.map_or("a miss".to_owned(), milliseconds);
    let outcome = outcome_words(own.outcome, own.purpose).to_owned();
    vec![
        level(own.level, form),
        time(own.p50),
        time(own.p99),
        outcome,
    ]
}

/// One point a level: the mean of its trials. A level with a miss among them ends the run.
fn runs(trials: &[&Trial], of: fn(&Trial) -> Option<u64>) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for same in trials.chunk_by(|one, other| one.level == other.level) {
        let times: Option<Vec<u64>> = same.iter().map(|own| of(own)).collect();
        match times {
            Some(times) => {
                let mean = times.iter().sum::<u64>() as f64 / times.len() as f64;
                runs.last_mut()
                    .into_iter()
                    .for_each(|run| run.push((same[0].level, mean)));
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn limits(trials: &[&Trial]) -> Vec<Rule> {
    let all = trials.first().map_or(&[][..], |own| &own.limits);
    let name = |check: &str, below| format!("{check} limit {}", duration(below));
    all.iter()
        .map(|own| rule(name(&own.check, own.below), own.below))
        .collect()
}

/// What trials completed against how much was under way, with the law through them and its knee.
pub fn throughput_by_concurrency(found: &CapacityDocument) -> Figure {
    let law = &found.scalability;
    let most = law
        .points
        .iter()
        .map(|own| own.concurrency)
        .fold(0.0, f64::max);
    let curve = law.law.map(|law| {
        let at = |point| most * f64::from(point) / f64::from(POINTS);
        let point = |point| (at(point), law.throughput(at(point)));
        (1..=POINTS).map(point).collect()
    });
    let trials: Vec<Vec<(f64, f64)>> = law
        .points
        .iter()
        .map(|own| vec![(own.concurrency, own.throughput)])
        .collect();
    let rates = trials.iter().chain(&curve).flatten().map(|(_, rate)| *rate);
    let mark = law.knee.filter(|_| !law.extrapolated).map(|at| Mark {
        name: format!("knee {}", significant(at, 3)),
        at,
    });
    let chart = Chart {
        id: "throughput-by-concurrency",
        title: "Throughput against concurrency".to_owned(),
        description: format!("Universal scalability law: {}.", law.reason),
        x: Axis::linear([most]),
        y: Axis::linear(rates),
        bands: Vec::new(),
        lines: vec![
            Line {
                name: "a trial",
                ink: Ink::Vermillion,
                stroke: Stroke::Solid,
                runs: trials,
            },
            Line {
                name: "universal scalability law",
                ink: Ink::Blue,
                stroke: Stroke::Solid,
                runs: curve.into_iter().collect(),
            },
        ],
        rules: Vec::new(),
        marks: mark.into_iter().collect(),
    };
    let told = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| significant(rate, 4));
    let rows = law.points.iter().map(|own| {
        vec![
            own.trial.to_string(),
            significant(own.concurrency, 3),
            significant(own.throughput, 4),
            told(own.fitted),
            told(own.residual),
        ]
    });
    Figure {
        drawing: Drawing::One(chart),
        note: "Operations under way on the average (sessions of a closed load; by Little's law in an open one) and operations \
               that ended ok, a second."
            .to_owned(),
        table: Table {
            head: vec!["trial", "under way", "completed /s", "law /s", "residual /s"],
            rows: rows.collect(),
        },
    }
}

/// Parameters of the law, for readers of the page.
pub fn parameters(found: &CapacityDocument) -> Option<[(&'static str, String); 4]> {
    let law = found.scalability.law?;
    Some([
        ("λ, one under way alone", rate(law.lambda)),
        ("σ, done one after the other", significant(law.sigma, 3)),
        ("κ, what each costs each", significant(law.kappa, 3)),
        ("R²", significant(law.r_squared, 4)),
    ])
}
