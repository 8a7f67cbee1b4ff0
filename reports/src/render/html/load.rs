//! What was asked of the target, and how it ended.

use std::collections::BTreeMap;

use firedrill_scenarios::Outcome;
use maud::{Markup, html};

use crate::numbers::{count, rate, share, span};
use crate::recording::Recording;
use crate::render::flow::{per_second as flow_rate, reasons};
use crate::render::meaning::of_outcome;
use crate::render::summary::drive;
use crate::result::{Drive, Flow, ResultDocument};

pub fn summary(result: &ResultDocument) -> Markup {
    let load = &result.load;
    let per_second = |value: Option<f64>| value.map_or("-".to_owned(), rate);
    html! {
        section aria-labelledby="load" {
            h2 id="load" { "Load" }
            @if load.drive != Drive::Open {
                p .note { strong { "Closed load. " } "The target sets the pace: a slow answer delays the next question, so that times \
                are better than clients who do not wait would see." }
            }
            dl .figures {
                div { dt { "due" } dd { (count(load.intended)) } }
                div { dt { "sent" } dd { (count(load.sent)) } }
                div { dt { "ended ok" } dd { (count(load.completed)) } }
                div { dt { "not sent" } dd { (count(load.not_sent)) } }
                div { dt { "asked" } dd { (per_second(load.asked_per_second)) } }
                div { dt { "sent" } dd { (per_second(load.sent_per_second)) } }
                div { dt { "completed" } dd { (per_second(load.completed_per_second)) } }
            }
            p .note { "Counts are of the whole timeline, rates of its measured phases. Load: " (drive(load.drive)) "." }
            (flows(result))
        }
    }
}

/// Asked, sent and completed side by side, and why the next one is smaller.
fn flows(result: &ResultDocument) -> Markup {
    let phases = result.phases.iter().filter_map(|phase| {
        let name = if phase.measured {
            phase.name.clone()
        } else {
            format!("{} (not measured)", phase.name)
        };
        Some((name, phase.flow?))
    });
    let rows: Vec<(String, Flow)> = phases.collect();
    let all = result.load.flow.filter(|_| rows.len() > 1);
    let rows = rows
        .into_iter()
        .chain(all.map(|flow| ("all measured".to_owned(), flow)));
    let missing = |flow: &Flow, parts: &[(&str, i64)]| match reasons(flow, parts) {
        none if none.is_empty() => "nothing".to_owned(),
        some => some,
    };
    html! {
        div .scroll tabindex="0" { table .data {
            thead { tr {
                th scope="col" { "Phase" } th scope="col" .number { "Asked" } th scope="col" .number { "Sent" }
                th scope="col" { "Asked and not sent" } th scope="col" .number { "Completed" }
                th scope="col" { "Sent and not completed" }
            } }
            tbody { @for (name, flow) in rows { tr {
                th scope="row" { (name) }
                td .number { (flow_rate(&flow, flow.asked.cast_signed())) }
                td .number { (flow_rate(&flow, flow.sent.cast_signed())) }
                td { (missing(&flow, &flow.not_sent.parts())) }
                td .number { (flow_rate(&flow, flow.completed.cast_signed())) }
                td { (missing(&flow, &flow.not_completed.parts())) }
            } } }
        } }
    }
}

/// Every outcome of every operation, over the whole timeline.
pub fn outcomes(recording: &Recording, result: &ResultDocument) -> Markup {
    let mut by_series: BTreeMap<&str, BTreeMap<Outcome, u64>> = BTreeMap::new();
    for line in &recording.buckets {
        let outcomes = by_series.entry(line.series.as_str()).or_default();
        for (outcome, count) in &line.outcomes {
            *outcomes.entry(*outcome).or_default() += count;
        }
    }
    let series = recording.plan.series();
    let rows = series
        .iter()
        .filter_map(|series| Some((series.name.as_str(), by_series.get(series.name.as_str())?)));
    html! {
        section aria-labelledby="outcomes" {
            h2 id="outcomes" { "Outcomes" }
            @if result.load.intended == 0 {
                p { "No operation was due." }
            } @else {
                div .scroll tabindex="0" { table {
                    thead { tr {
                        th scope="col" { "Operation" } th scope="col" { "Outcome" } th scope="col" .number { "Count" }
                        th scope="col" .number { "Share" }
                    } }
                    @for (name, outcomes) in rows { (of_series(name, outcomes)) }
                    (total(result))
                } }
            }
        }
    }
}

fn of_series(name: &str, outcomes: &BTreeMap<Outcome, u64>) -> Markup {
    let due: u64 = outcomes.values().sum();
    html! {
        tbody {
            @for (index, (outcome, number)) in outcomes.iter().enumerate() {
                tr {
                    @if index == 0 { th scope="rowgroup" rowspan=(outcomes.len()) { (name) } }
                    td {
                        span class=(if outcome.is_ok() { "outcome" } else { "outcome bad" }) { (outcome) }
                        div .small { (of_outcome(*outcome)) }
                    }
                    td .number { (count(*number)) }
                    td .number { (share(*number as f64 / due.max(1) as f64)) }
                }
            }
        }
    }
}

fn total(result: &ResultDocument) -> Markup {
    html! {
        tbody { tr .total {
            th scope="row" { "all" }
            td { "due" div .small { "the sum of all outcomes: each operation that was due has exactly one" } }
            td .number { (count(result.load.intended)) } td .number { "100 %" }
        } }
    }
}

pub fn phases(recording: &Recording, result: &ResultDocument) -> Markup {
    let zero = recording.zero().unwrap_or(0);
    let instant =
        |at: Option<u64>| at.map_or("never".to_owned(), |at| span(at.saturating_sub(zero)));
    html! {
        section aria-labelledby="phases" {
            h2 id="phases" { "Phases" }
            div .scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Phase" } th scope="col" .number { "From" } th scope="col" .number { "To" }
                    th scope="col" { "Measured" } th scope="col" .number { "Due" } th scope="col" .number { "Ok" }
                    th scope="col" .number { "Failed" } th scope="col" .number { "Not sent" }
                } }
                tbody { @for (index, phase) in result.phases.iter().enumerate() { tr {
                    th scope="row" { (index + 1) " " (phase.name) }
                    td .number { (instant(phase.start)) }
                    td .number { (instant(phase.end)) @if phase.start.is_some() && !phase.complete { " (cut short)" } }
                    td { @if phase.measured { "yes" } @else { "no" } }
                    td .number { (count(phase.intended)) } td .number { (count(phase.completed)) }
                    td .number { (count(phase.failed)) } td .number { (count(phase.not_sent)) }
                } } }
            } }
        }
    }
}
