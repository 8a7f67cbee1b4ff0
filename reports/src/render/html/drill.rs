//! What was broken, how service and data came back.

use maud::{Markup, html};

use super::figure;
use crate::numbers::{count, duration};
use crate::recording::{self, Recording, RecoveryPoint, Write};
use crate::render::figures::{self, Data};
use crate::result::{Fault, ResultDocument};
use firedrill_scenarios::plan::DataCounter;

pub fn sections(data: &Data<'_>, recording: &Recording, result: &ResultDocument) -> Markup {
    html! {
        @if !result.faults.is_empty() { (faults(result)) }
        @if let Some(timeline) = figures::timeline(data) {
            section aria-labelledby="timeline" {
                h2 id="timeline" { "Timeline" }
                (figure::figure(&timeline))
            }
        }
        @if let Some(recoveries) = figures::recoveries(result) {
            section aria-labelledby="recovery" {
                h2 id="recovery" { "Recovery time" }
                (figure::figure(&recoveries))
                (parts(result))
            }
        }
        @if !recording.ledger.data.is_empty() { (ledger(recording)) }
    }
}

fn faults(result: &ResultDocument) -> Markup {
    let time = |time: Option<u64>| time.map_or("-".to_owned(), duration);
    html! {
        section aria-labelledby="faults" {
            h2 id="faults" { "What was broken" }
            div .scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Fault" } th scope="col" { "On" } th scope="col" { "Seen in force by" } th scope="col" { "Undone" }
                    th scope="col" .number { "RTO" } th scope="col" .number { "Clients without service" }
                    th scope="col" .number { "Relapses" } th scope="col" .number { "RPO" }
                } }
                tbody { @for fault in &result.faults { tr {
                    th scope="row" { (fault.id) @if fault.kind != fault.id { div .small { (fault.kind) } } }
                    td { (fault.on) }
                    td { @match &fault.effect { Some(by) => (by), None => span .bad { "nobody" } } }
                    td { (undone(fault)) }
                    td .number { (rto(fault)) }
                    td .number { (time(fault.outage)) }
                    td .number { (count(fault.relapses)) }
                    td .number { (rpo(fault)) }
                } } }
            } }
        }
    }
}

fn undone(fault: &Fault) -> Markup {
    html! {
        @if !fault.leftovers.is_empty() { span .bad { "no: " (fault.leftovers.join("; ")) } }
        @else if fault.healed.is_some() { "yes, and seen" }
        @else { "-" }
    }
}

/// Where nothing survived it is more than the age of the oldest lost write.
fn rpo(fault: &Fault) -> String {
    match (fault.rpo, fault.rpo_lower) {
        (Some(rpo), _) => duration(rpo),
        (None, Some(lower)) => format!("> {}", duration(lower)),
        (None, None) => "-".to_owned(),
    }
}

fn rto(fault: &Fault) -> String {
    match (fault.rto, fault.rto_at_least) {
        (Some(rto), _) if fault.unnoticed => format!("<= {}", duration(rto)),
        (Some(rto), _) => duration(rto),
        (None, Some(least)) => format!("> {}", duration(least)),
        (None, None) => "-".to_owned(),
    }
}

/// Each recovery cut at its marks; the parts add up.
pub fn parts(result: &ResultDocument) -> Markup {
    let back = result
        .faults
        .iter()
        .map(|fault| (fault, figures::parts(fault)));
    let back: Vec<_> = back.filter(|(_, parts)| !parts.is_empty()).collect();
    html! {
        div .scroll tabindex="0" { table .data {
            thead { tr { th scope="col" { "Fault" } th scope="col" { "Until" } th scope="col" .number { "Took" } th scope="col" .number { "Since the fault" } } }
            @for (fault, parts) in &back {
                @let t0 = fault.marks.get("t0").copied().unwrap_or(0);
                tbody { @for (index, part) in parts.iter().enumerate() { tr {
                    th scope="row" { @if index == 0 { (fault.id) } }
                    td { (part.until) }
                    td .number { (duration(part.length)) }
                    td .number { (duration(part.from + part.length - t0)) }
                } } }
            }
        } }
    }
}

/// So many lost writes stand on the page.
const MOST: usize = 200;

fn ledger(recording: &Recording) -> Markup {
    html! {
        section aria-labelledby="data" {
            h2 id="data" { "Data" }
            p .note { "Every write was noted before it was sent and when it was acknowledged, outside every site. Then everything stored was read, twice." }
            div .scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Counted" }
                    @for data in &recording.ledger.data { th scope="col" .number { (data.read_back) " of " (data.site) } }
                } }
                tbody {
                    (line(recording, "attempted", |data| data.counts.attempted, false))
                    (line(recording, "acknowledged", |data| data.counts.acknowledged, false))
                    (line(recording, "neither acknowledged nor refused", |data| data.counts.indeterminate, false))
                    (line(recording, "not acknowledged, and stored", |data| data.counts.recovered, false))
                    @for counter in DataCounter::ALL {
                        (line(recording, &counter.as_str().replace('_', " "), |data| data.counts.get(counter), true))
                    }
                    (line(recording, "written by other runs", |data| data.counts.foreign, false))
                    (times(recording))
                }
            } }
            @let zero = recording.zero().unwrap_or(0);
            @if recording.ledger.writes.is_empty() {
                p { "Every acknowledged write is where it belongs." }
            } @else { (writes(recording, zero)) }
        }
    }
}

fn line(
    recording: &Recording,
    name: &str,
    of: impl Fn(&recording::Data) -> u64,
    bad: bool,
) -> Markup {
    html! { tr {
        th scope="row" { (name) }
        @for data in &recording.ledger.data {
            @let number = of(data);
            td .number { @if bad && number > 0 { span .bad { (count(number)) } } @else { (count(number)) } }
        }
    } }
}

fn times(recording: &Recording) -> Markup {
    let point = |of: fn(&RecoveryPoint) -> Option<String>| {
        move |data: &recording::Data| data.point.as_ref().and_then(of).unwrap_or("-".to_owned())
    };
    let rows = [
        (
            "recovery point before the stop (RPO)",
            point(|point| {
                let more = point.at_least().map(|time| format!("> {}", duration(time)));
                more.or(point.reached().map(duration))
            }),
        ),
        (
            "oldest lost write before the stop",
            point(|point| point.rpo_lower.map(duration)),
        ),
        (
            "acknowledgements before the stop at most apart",
            point(|point| Some(duration(point.resolution))),
        ),
    ];
    html! { @for (name, text) in &rows { tr {
        th scope="row" { (name) }
        @for data in &recording.ledger.data { td .number { (text(data)) } }
    } } }
}

fn writes(recording: &Recording, zero: u64) -> Markup {
    let all: u64 = recording
        .ledger
        .data
        .iter()
        .map(|data| {
            DataCounter::ALL
                .iter()
                .map(|counter| data.counts.get(*counter))
                .sum::<u64>()
        })
        .sum();
    let shown = recording.ledger.writes.len().min(MOST);
    let acknowledged = |write: &Write| match write.acknowledged {
        Some(at) => duration(at.saturating_sub(zero)),
        None => "never".to_owned(),
    };
    html! {
        h3 { "Writes that are not where they belong" }
        div .scroll tabindex="0" { table .data {
            thead { tr {
                th scope="col" { "What" } th scope="col" { "Client" } th scope="col" .number { "Number" }
                th scope="col" .number { "Acknowledged at" } th scope="col" { "By" } th scope="col" .number { "Epoch" } th scope="col" { "Read-back" }
            } }
            tbody { @for write in recording.ledger.writes.iter().take(MOST) { tr {
                td { (write.class.as_str().replace('_', " ")) }
                td { (write.client) }
                td .number { (count(write.sequence)) }
                td .number { (acknowledged(write)) }
                td { (write.site.as_deref().unwrap_or("-")) }
                td .number { @match write.epoch { Some(epoch) => (epoch), None => "-" } }
                td { (write.read_back) }
            } } }
        } }
        @if all > shown as u64 {
            p .note { "The first " (shown) " of " (count(all)) "; all are in " code { "ledger.jsonl" } "." }
        }
    }
}
