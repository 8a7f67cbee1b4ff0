//! firedrill itself: whether it can be trusted.

use maud::{Markup, html};

use super::figure::figure;
use super::latency::row;
use crate::numbers::{bytes, count, duration, significant};
use crate::recording::{Recording, series};
use crate::render::figures::{self, Data};
use crate::render::lines;
use crate::result::ResultDocument;

pub fn section(data: &Data<'_>, recording: &Recording, result: &ResultDocument) -> Markup {
    let generator = &result.generator;
    html! {
        section aria-labelledby="generator" {
            h2 id="generator" { "Generator" }
            (trust(recording, result))
            div .scroll tabindex="0" { table .times {
                thead { tr {
                    th scope="col" { "Time, ms" } th scope="col" { "Of" } th scope="col" .number { "n" } th scope="col" .number { "Misses" }
                    @for name in ["Mean", "p50", "p90", "p95", "p99", "p99.9", "Max"] { th scope="col" .number { (name) } }
                } }
                tbody {
                    (row("lateness", "dispatched - due: ours", &generator.lateness))
                    (row("waiting", "sent - dispatched: the target's", &generator.waiting))
                }
            } }
            dl .figures {
                div { dt { "CPU an operation" } dd { (generator.cpu_us_per_operation.map_or("-".to_owned(), |cpu| format!("{} us", significant(cpu, 3)))) } }
                div { dt { "memory at most" } dd { (generator.rss_max_bytes.map_or("-".to_owned(), bytes)) } }
                div { dt { "connections at most" } dd { (generator.connections_max.map_or("-".to_owned(), count)) } }
                div { dt { "late above" } dd { (duration(generator.lateness_limit)) } }
                div { dt { "threads" } dd { (recording.started.threads) } }
                @if let Some(headroom) = generator.headroom {
                    div { dt { "headroom at least" } dd { (significant(headroom * 100.0, 2)) " %" } }
                }
            }
            @if let Some(own) = generator.calibration { p { (lines::machine(own)) } }
            (figure(&figures::lateness(data)))
            (figure(&figures::pressure(data)))
        }
    }
}

/// Whether firedrill, and not the target, was measured.
fn trust(recording: &Recording, result: &ResultDocument) -> Markup {
    let generator = &result.generator;
    let sampled = recording.sampled(series::LATENESS_P99);
    let late = sampled
        .iter()
        .filter(|(_, p99)| *p99 > generator.lateness_limit as f64)
        .count();
    html! {
        @if !generator.distrust.is_empty() {
            p { strong { "The measurement cannot be trusted:" } }
            ul { @for reason in &generator.distrust { li { (reason) } } }
        } @else if late > 0 {
            p {
                "In " (count(late as u64)) " of " (count(sampled.len() as u64)) " seconds firedrill dispatched late. They are too few to make a "
                "whole phase untrusted; a check that fails only with operations that were dispatched late is invalid all the same."
            }
        } @else if sampled.is_empty() {
            p { "Nothing was dispatched." }
        } @else {
            p { "firedrill dispatched on time in every second, and sent all that it could." }
        }
    }
}
