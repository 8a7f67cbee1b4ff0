//! `report.html`: one page that needs nothing else. It has no script and no address of anything outside, says so in
//! its security policy, and is well-formed XML as well as HTML.
//!
//! - `verdict`: the banner, what was tested, the checks
//! - `load`: operations, outcomes, phases
//! - `compliance`: what the run shows of a procedure, and what it does not
//! - `findings`: causes that are known by how they look
//! - `drill`: what was broken, how service and data came back
//! - `figure`: a chart with its legend, note and data
//! - `latency`: times by operation
//! - `generator`: firedrill itself
//! - `surroundings`: sessions, probes, events, environment; `told`: events of a drill in words
//! - `meaning`: how to read the page
//! - `capacity`: the page of a search for capacity
//! - `programme`: the page of several drills; `nested`: one run's sections within it

mod capacity;
mod compliance;
mod drill;
mod figure;
mod findings;
mod generator;
mod latency;
mod load;
mod meaning;
mod nested;
mod programme;
mod surroundings;
mod told;
mod verdict;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::compliance::Compliance;
use super::figures::{self, Data};
use crate::judge::Judged;
use crate::programme::Recorded;
use crate::recording::Recording;
use crate::result::{CapacityDocument, ResultDocument};

/// The page. The same recording and result give the same bytes.
pub fn report(recording: &Recording, result: &ResultDocument) -> Vec<u8> {
    let data = Data::of(recording, result);
    let compliance = super::compliance::compliance(recording, result);
    let plan = &recording.plan;
    let body = html! {
        (verdict::banner(&plan.about, plan.covers.as_deref(), result))
        main {
            (verdict::checks(result))
            (findings::section(result))
            (drill::sections(&data, recording, result))
            @if let Some(compliance) = &compliance { (compliance::section(compliance)) }
            (load::summary(result))
            (load::outcomes(recording, result))
            (figures(&data, result))
            (latency::times(result))
            (load::phases(recording, result))
            (generator::section(&data, recording, result))
            (surroundings::sections(recording, result))
            (meaning::section())
        }
    };
    page(result, &body)
}

/// The page of a programme.
pub fn programme_report(recorded: &Recorded, judged: &Judged, compliance: &Compliance) -> Vec<u8> {
    page(
        &judged.result,
        &programme::body(recorded, judged, compliance),
    )
}

/// The page of a search for capacity.
pub fn capacity_report(about: &str, found: &CapacityDocument) -> Vec<u8> {
    let (run, mode) = (&found.run, super::mode(found.run.mode));
    let title = format!("capacity of {}: {} ({mode})", run.scenario, found.verdict);
    let foot = format!(
        "firedrill {}, search {}, {mode}",
        run.firedrill_version, run.id
    );
    document(&title, &foot, &capacity::body(about, found))
}

fn page(result: &ResultDocument, body: &Markup) -> Vec<u8> {
    let (run, mode) = (&result.run, super::mode(result.run.mode));
    let title = format!("{}: {} ({mode})", run.scenario, result.verdict);
    let foot = format!(
        "firedrill {}, run {}, {mode}",
        run.firedrill_version, run.id
    );
    document(&title, &foot, body)
}

fn document(title: &str, foot: &str, body: &Markup) -> Vec<u8> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (PreEscaped(HEAD))
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                footer { p { (foot) } }
            }
        }
    };
    printable(&page.into_string()).into_bytes()
}

/// Written by hand, since elements without content end differently in HTML and in XML.
const HEAD: &str = "<meta charset=\"utf-8\"/>\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
<meta name=\"color-scheme\" content=\"light dark\"/>\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>";

const STYLE: &str = include_str!("html/style.css");

fn figures(data: &Data<'_>, result: &ResultDocument) -> Markup {
    let ran = result
        .phases
        .iter()
        .enumerate()
        .filter(|(_, phase)| phase.start.is_some());
    let names: Vec<String> = ran
        .map(|(index, phase)| format!("{} {}", index + 1, phase.name))
        .collect();
    html! {
        section aria-labelledby="over-time" {
            h2 id="over-time" { "Over time" }
            p .note {
                "Phases: " (names.join(", ")) @if names.is_empty() { "none ran" } ". Where a name has no room, its number stands. "
                "Shaded ones are not measured: they are shown, and judged only where an objective names them."
            }
            (figure::figure(&figures::throughput(data)))
            (figure::figure(&figures::latency(data)))
            (figure::figure(&figures::percentiles(data)))
        }
    }
}

/// Characters that XML has no form for, such as a name may hold, become the replacement character.
fn printable(page: &str) -> String {
    let allowed = |character: char| match character {
        '\n' | '\t' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        other => !other.is_control(),
    };
    page.chars()
        .map(|character| {
            if allowed(character) {
                character
            } else {
                '\u{FFFD}'
            }
        })
        .collect()
}
