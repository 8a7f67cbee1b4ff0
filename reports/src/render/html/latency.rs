//! Times by operation.

use firedrill_evidence::Quantiles;
use maud::{Markup, html};

use crate::numbers::{count, milliseconds};
use crate::result::ResultDocument;

pub fn times(result: &ResultDocument) -> Markup {
    html! {
        section aria-labelledby="times" {
            h2 id="times" { "Times" }
            p .note { "Milliseconds, of the measured phases. Response counts from the time an operation was due, service and head \
                from its first byte sent. A cell with > lies among misses and is not below that value." }
            div .scroll tabindex="0" { table .times {
                thead { tr {
                    th scope="col" { "Operation" } th scope="col" { "Of" } th scope="col" .number { "n" } th scope="col" .number { "Misses" }
                    @for name in ["Mean", "p50", "p90", "p95", "p99", "p99.9", "Max"] { th scope="col" .number { (name) } }
                } }
                @if let Some(all) = result.latency.get("all").and_then(|all| all.response) {
                    tbody { (row("all", "response, misses too", &all)) }
                }
                @for (name, latency) in &result.latency {
                    tbody {
                        @if let Some(ok) = &latency.ok {
                            (row(name, "response, ok", &ok.response))
                            (row(name, "service, ok", &ok.service))
                            @if let Some(head) = &ok.head { (row(name, "head, ok", head)) }
                        }
                        @if let Some(failed) = latency.failed.as_ref().filter(|failed| failed.response.count > 0) {
                            (row(name, "until it failed", &failed.response))
                        }
                    }
                }
            } }
        }
    }
}

pub fn row(name: &str, of: &str, times: &Quantiles) -> Markup {
    let values = [
        times.mean, times.p50, times.p90, times.p95, times.p99, times.p999, times.max,
    ];
    html! {
        tr {
            th scope="row" { (name) }
            td { (of) }
            td .number { (count(times.count)) }
            td .number { (count(times.misses)) }
            @for value in values { td .number { (cell(value, times)) } }
        }
    }
}

fn cell(value: Option<u64>, times: &Quantiles) -> String {
    match (value, times.at_least) {
        (Some(value), _) => milliseconds(value),
        (None, Some(least)) if times.misses > 0 => format!("> {}", milliseconds(least)),
        (None, _) if times.misses > 0 => "miss".to_owned(),
        (None, _) => "-".to_owned(),
    }
}
