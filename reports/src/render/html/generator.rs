//! firedrill itself: whether it can be trusted.

use maud::{Markup, html};

use super::figure::figure;
use super::latency::row;
use crate::numbers::{bytes, count, duration, significant};
use crate::recording::Recording;
use crate::render::figures::{self, Data};
use crate::result::ResultDocument;

pub fn section(data: &Data<'_>, recording: &Recording, result: &ResultDocument) -> Markup {
    let generator = &result.generator;
    html! {
        section aria-labelledby="generator" {
            h2 id="generator" { "Generator" }
            @if generator.distrust.is_empty() {
                p { "Nothing says that firedrill, and not the target, was measured: it dispatched on time, and sent all that it could." }
            } @else {
                p { strong { "The measurement cannot be trusted:" } }
                ul { @for reason in &generator.distrust { li { (reason) } } }
            }
            div .scroll { table .times {
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
            }
            (figure(&figures::lateness(data)))
            (figure(&figures::pressure(data)))
        }
    }
}
