//! What was done to the target and what came of it, on one time axis.

use std::collections::BTreeMap;

use super::{Data, Drawing, Figure, Table, over_time};
use crate::numbers::{count, significant};
use crate::recording::{Event, FaultStage, ReadBackStage, StepStage};
use crate::render::chart::{Axis, Bar, Chart, Ink, Lane, Line, Mark, Stack, Stroke};

/// No more lanes than fit on a screen.
const MOST_LANES: usize = 16;

/// More lines than this hide what they mark; the table has them all.
const MOST_MARKS: usize = 40;

/// Something that took its time: its lane, what it was, and from when to when.
struct Done {
    lane: String,
    what: String,
    ink: Ink,
    from: u64,
    to: Option<u64>,
}

/// None for a run in which nothing was broken, repaired or read back.
pub fn timeline(data: &Data<'_>) -> Option<Figure> {
    let done = done(data);
    if done.is_empty() {
        return None;
    }
    let marks = marks(data);
    let numbered = marks.iter().take(MOST_MARKS).enumerate();
    let numbered = numbered.map(|(index, (_, at))| Mark {
        name: (index + 1).to_string(),
        at: seconds(data, *at),
    });
    let lanes = lanes(data, &done);
    let hidden = lanes.len().saturating_sub(MOST_LANES);
    let mut charts = vec![
        bare(over_time::throughput(data), "Operations a second"),
        bare(over_time::latency(data), "Response time"),
    ];
    charts.retain(|chart| chart.lines.iter().any(|line| !line.runs.is_empty()));
    if let Some(errors) = errors(data) {
        charts.insert(charts.len().min(1), errors);
    }
    let stack = Stack {
        id: "timeline",
        title: "What was done, and what came of it".to_owned(),
        description: description(data),
        x: data.time(),
        bands: data.bands(),
        lanes: lanes.into_iter().take(MOST_LANES).collect(),
        charts,
        marks: numbered.collect(),
    };
    let more = match hidden {
        0 => String::new(),
        hidden => format!(" {hidden} more bars are in the table alone."),
    };
    Some(Figure {
        drawing: Drawing::Stack(stack),
        note: format!(
            "Bars: faults while they were in force, clients without service, recovery steps, read-backs. The numbers at the \
             head are the marks of the table.{more}"
        ),
        table: table(data, &done, &marks),
    })
}

fn description(data: &Data<'_>) -> String {
    let back = data
        .result
        .faults
        .iter()
        .filter(|fault| fault.rto.is_some())
        .count();
    match (data.result.faults.len(), back) {
        (1, 0) => "One fault was injected; service was not back after it.".to_owned(),
        (1, _) => "One fault was injected; service was back after it.".to_owned(),
        (faults, back) => format!(
            "{} faults were injected; service was back after {} of them.",
            count(faults as u64),
            count(back as u64)
        ),
    }
}

fn seconds(data: &Data<'_>, at: u64) -> f64 {
    let zero = data.recording.zero().unwrap_or(0);
    at.saturating_sub(zero) as f64 / 1e9
}

/// The chart without what the timeline has once for all.
fn bare(figure: Figure, title: &str) -> Chart {
    match figure.drawing {
        Drawing::One(chart) => Chart {
            title: title.to_owned(),
            bands: Vec::new(),
            marks: Vec::new(),
            ..chart
        },
        // Neither of them is one; a chart without lines is left out.
        Drawing::Stack(stack) => Chart {
            id: stack.id,
            title: stack.title,
            description: stack.description,
            x: stack.x,
            y: Axis::linear([]),
            bands: Vec::new(),
            lines: Vec::new(),
            rules: Vec::new(),
            marks: Vec::new(),
        },
    }
}

/// Everything that was done, in the order in which it began; outages stand after the fault that they are of.
fn done(data: &Data<'_>) -> Vec<Done> {
    let mut all: Vec<Done> = Vec::new();
    for timed in &data.recording.events {
        let (id, what, ink, ends) = match &timed.event {
            Event::Fault {
                id,
                fault,
                on,
                stage,
            } => {
                let ends = match stage {
                    FaultStage::Injecting => false,
                    FaultStage::Healed { .. } => true,
                    FaultStage::Injected
                    | FaultStage::EffectSeen { .. }
                    | FaultStage::EffectNotSeen { .. }
                    | FaultStage::Healing
                    | FaultStage::Leftover { .. } => continue,
                };
                (id, named(id, fault, on), Ink::Vermillion, ends)
            }
            Event::Step {
                id,
                step,
                on,
                stage,
            } => {
                let ends = !matches!(stage, StepStage::Started);
                (id, named(id, step, on), Ink::Blue, ends)
            }
            Event::ReadBack { id, site, stage } => {
                let ends = match stage {
                    ReadBackStage::Started => false,
                    ReadBackStage::Done { .. } | ReadBackStage::Failed { .. } => true,
                    ReadBackStage::Pass { .. } => continue,
                };
                (id, named(id, "read-back", site), Ink::Green, ends)
            }
            _ => continue,
        };
        match all
            .iter_mut()
            .find(|done| done.lane == *id && done.to.is_none())
        {
            Some(open) if ends => open.to = Some(timed.at),
            Some(_) => {}
            None if ends => {}
            None => all.push(Done {
                lane: id.clone(),
                what,
                ink,
                from: timed.at,
                to: None,
            }),
        }
    }
    with_outages(data, all)
}

fn with_outages(data: &Data<'_>, all: Vec<Done>) -> Vec<Done> {
    let mut done = Vec::new();
    for one in all {
        let fault = data.result.faults.iter().find(|fault| fault.id == one.lane);
        done.push(one);
        if let Some(fault) = fault
            && let Some(from) = fault.marks.get("t1")
        {
            done.push(Done {
                lane: format!("{} outage", fault.id),
                what: format!("clients without service after {}", fault.id),
                ink: Ink::Pink,
                from: *from,
                to: fault.marks.get("t7").copied(),
            });
        }
    }
    done
}

/// `kill: pod-kill on primary`; the kind's word once where it is the id as well.
fn named(id: &str, kind: &str, on: &str) -> String {
    let kind = match id.split_once('#').map_or(id, |(base, _)| base) == kind {
        true => String::new(),
        false => format!(": {kind}"),
    };
    match on.is_empty() {
        true => format!("{id}{kind}"),
        false => format!("{id}{kind} on {on}"),
    }
}

fn lanes(data: &Data<'_>, done: &[Done]) -> Vec<Lane> {
    let end = data.steps.end();
    let bar = |done: &Done| Bar {
        from: seconds(data, done.from),
        to: done.to.map_or(end, |to| seconds(data, to)),
        ink: done.ink,
    };
    let lane = |done: &Done| Lane {
        name: done.what.clone(),
        bars: vec![bar(done)],
    };
    done.iter().map(lane).collect()
}

/// The marks of all faults in the order of time, and what they mean.
fn marks(data: &Data<'_>) -> Vec<(String, u64)> {
    let several = data.result.faults.len() > 1;
    let mut marks: Vec<(String, u64)> = Vec::new();
    for fault in &data.result.faults {
        for (name, at) in &fault.marks {
            let words = super::recovery::words(name);
            let of = if several {
                format!(" ({})", fault.id)
            } else {
                String::new()
            };
            marks.push((format!("{words}{of}"), *at));
        }
    }
    marks.sort_by(|(one, at), (other, then)| at.cmp(then).then(one.cmp(other)));
    marks
}

fn table(data: &Data<'_>, done: &[Done], marks: &[(String, u64)]) -> Table {
    let at = |at: u64| significant(seconds(data, at), 6);
    let bars = done.iter().map(|done| {
        let to = done.to.map_or("never seen to end".to_owned(), at);
        vec!["bar".to_owned(), done.what.clone(), at(done.from), to]
    });
    let marks = marks.iter().enumerate().map(|(index, (words, instant))| {
        vec![
            (index + 1).to_string(),
            words.clone(),
            at(*instant),
            String::new(),
        ]
    });
    Table {
        head: vec!["mark", "what", "from, s", "to, s"],
        rows: bars.chain(marks).collect(),
    }
}

const STYLES: [(Ink, Stroke); 5] = [
    (Ink::Vermillion, Stroke::Solid),
    (Ink::Pink, Stroke::Dashed),
    (Ink::Blue, Stroke::Dotted),
    (Ink::Green, Stroke::Dashed),
    (Ink::Grey, Stroke::Dotted),
];

/// Operations that did not end ok, by class and the second in which they were due; none where all did.
fn errors(data: &Data<'_>) -> Option<Chart> {
    let width = data.steps.width.max(1e-9);
    let bucket = data.recording.plan.bucket.as_secs_f64();
    let mut classes: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for line in &data.recording.buckets {
        let step = (line.bucket as f64 * bucket / width + 1e-9) as usize;
        for (outcome, number) in line.outcomes.iter().filter(|(outcome, _)| !outcome.is_ok()) {
            let counts = classes
                .entry(outcome.class())
                .or_insert_with(|| vec![0.0; data.steps.steps.len()]);
            if let Some(count) = counts.get_mut(step) {
                *count += *number as f64;
            }
        }
    }
    let mut classes: Vec<(&'static str, Vec<f64>)> = classes.into_iter().collect();
    let sum = |counts: &[f64]| counts.iter().sum::<f64>();
    classes.sort_by(|(_, one), (_, other)| sum(other).total_cmp(&sum(one)));
    // The rarest share the last line.
    while classes.len() > STYLES.len() {
        let (_, rest) = classes.pop()?;
        let (name, counts) = classes.last_mut()?;
        *name = "other";
        counts
            .iter_mut()
            .zip(rest)
            .for_each(|(count, more)| *count += more);
    }
    let rate = |count: f64| count / width;
    let highest = classes
        .iter()
        .flat_map(|(_, counts)| counts.iter().copied().map(rate));
    let y = Axis::linear(highest);
    let lines: Vec<Line> = classes
        .iter()
        .zip(STYLES)
        .map(|((name, counts), (ink, stroke))| {
            let steps = data.steps.steps.iter().zip(counts);
            let points = steps.map(|(step, count)| (step.from + width / 2.0, rate(*count)));
            Line {
                name,
                ink,
                stroke,
                runs: vec![points.collect()],
            }
        })
        .collect();
    (!lines.is_empty()).then(|| Chart {
        id: "errors",
        title: "Errors by class, a second".to_owned(),
        description: String::new(),
        x: data.time(),
        y,
        bands: Vec::new(),
        lines,
        rules: Vec::new(),
        marks: Vec::new(),
    })
}
