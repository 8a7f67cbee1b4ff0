//! The parts of each recovery time: from the fault to service, cut at every mark between them.

use super::{Drawing, Figure, Table};
use crate::numbers::{duration, significant};
use crate::render::chart::{Axis, Bar, Ink, Lane, Stack};
use crate::result::{Fault, ResultDocument};

/// From the mark before to this one. The parts of a recovery add up to its RTO.
pub struct Part {
    pub until: &'static str,
    pub from: u64,
    pub length: u64,
}

/// What a mark means, in words.
pub fn words(mark: &str) -> &'static str {
    match mark {
        "t0" => "the fault begins",
        "t1" => "clients lose service",
        "t6" => "the first success after it",
        "t7" => "service is back",
        "t8" => "a whole window confirms it",
        "detected" => "the system noticed",
        "decided" => "it was decided what to do",
        "fenced" => "the lost site could write no more",
        "writes_stopped" => "the last acknowledgement before writes were stopped",
        "failover_begun" => "the failover began",
        "failover_failed" => "the failover failed, to be tried again",
        "promoted" => "the other site was promoted",
        "route_switched" => "the route was switched",
        "route_expired" => "the old route's time was over",
        "first_answer" => "the other site's first answer",
        "first_success" => "the first success, as a client saw it",
        "restored" => "the backup was restored",
        "data_verified" => "the data was read back and verified",
        "caught_up" => "the replica had caught up",
        "failback_begun" => "the failback began",
        "failback_answer" => "the first answer after the failback",
        _ => "a mark",
    }
}

/// The parts from t0 to t7; none where service was not back.
pub fn parts(fault: &Fault) -> Vec<Part> {
    let (Some(t0), Some(t7)) = (fault.marks.get("t0"), fault.marks.get("t7")) else {
        return Vec::new();
    };
    let between = |(_, at): &(&String, &u64)| (*t0 + 1..=*t7).contains(*at);
    let mut marks: Vec<(&String, &u64)> = fault.marks.iter().filter(between).collect();
    // Of marks at one instant service itself is named.
    marks.sort_by_key(|(name, at)| (**at, name.as_str() != "t7", name.as_str()));
    let mut from = *t0;
    let mut parts = Vec::new();
    for (name, at) in marks {
        if *at > from {
            parts.push(Part {
                until: words(name),
                from,
                length: at - from,
            });
            from = *at;
        }
    }
    parts
}

const INKS: [Ink; 4] = [Ink::Vermillion, Ink::Blue, Ink::Pink, Ink::Green];
const MOST: usize = 16;

/// A bar for each recovery; none where there is none.
pub fn recoveries(result: &ResultDocument) -> Option<Figure> {
    let back = result.faults.iter().map(|fault| (fault, parts(fault)));
    let back: Vec<(&Fault, Vec<Part>)> = back.filter(|(_, parts)| !parts.is_empty()).collect();
    let longest = back.iter().filter_map(|(fault, _)| fault.rto).max()?;
    let lanes = back
        .iter()
        .take(MOST)
        .map(|(fault, parts)| lane(fault, parts));
    let slowest = back.iter().max_by_key(|(fault, _)| fault.rto)?;
    let stack = Stack {
        id: "recovery",
        title: "Recovery times and their parts".to_owned(),
        description: format!(
            "The longest recovery, from {}, took {}.",
            slowest.0.id,
            duration(longest)
        ),
        x: Axis::Time {
            from: 0.0,
            to: longest as f64 / 1e9,
        },
        bands: Vec::new(),
        lanes: lanes.collect(),
        charts: Vec::new(),
        marks: Vec::new(),
    };
    Some(Figure {
        drawing: Drawing::Stack(stack),
        note: "From the moment before the fault until service was back. Each part ends with the mark that the table names."
            .to_owned(),
        table: table(&back),
    })
}

fn lane(fault: &Fault, parts: &[Part]) -> Lane {
    let t0 = fault.marks.get("t0").copied().unwrap_or(0);
    let seconds = |at: u64| (at - t0) as f64 / 1e9;
    let bars = parts
        .iter()
        .zip(INKS.into_iter().cycle())
        .map(|(part, ink)| Bar {
            from: seconds(part.from),
            to: seconds(part.from + part.length),
            ink,
        });
    let total = fault
        .rto
        .map_or(String::new(), |rto| format!(": {}", duration(rto)));
    Lane {
        name: format!("{}{total}", fault.id),
        bars: bars.collect(),
    }
}

fn table(back: &[(&Fault, Vec<Part>)]) -> Table {
    let seconds = |ns: u64| significant(ns as f64 / 1e9, 4);
    let rows = back.iter().flat_map(|(fault, parts)| {
        let t0 = fault.marks.get("t0").copied().unwrap_or(0);
        parts.iter().map(move |part| {
            vec![
                fault.id.clone(),
                part.until.to_owned(),
                seconds(part.from + part.length - t0),
                seconds(part.length),
            ]
        })
    });
    Table {
        head: vec!["fault", "until", "at, s", "part, s"],
        rows: rows.collect(),
    }
}
