//! The outputs: pure functions of a recording and its result, the same bytes each time.
//!
//! - `lines`: one line a check, for the terminal
//! - `summary`: Markdown for the summary of a CI job
//! - `junit`: one test case a check
//! - `html`: the report, one page that needs nothing else
//! - `compliance`: what the run shows of the operating procedure
//! - `flow`: asked, sent and completed in words
//! - `figures`: the charts of the page, from `steps`, the run second by second; `chart` draws them
//! - `meaning`: what each outcome means
//! - `programme`: the outputs of several drills, and those over all of them
//! - `capacity`: the outputs of a search for capacity

mod capacity;
mod chart;
mod compliance;
mod figures;
mod flow;
mod html;
mod junit;
mod lines;
mod meaning;
mod programme;
mod steps;
mod summary;

pub use capacity::{capacity_line, capacity_lines, capacity_outputs};
pub use html::report;
pub use junit::junit;
pub use lines::{lines, machine, notes};
pub(crate) use lines::{measured, target};
pub use programme::programme_outputs;
pub use summary::summary;

use crate::recording::Recording;
use crate::result::ResultDocument;

/// Names of the outputs of a run that broke something; others have no `compliance.json`.
pub const OUTPUTS: [&str; 5] = [
    "result.json",
    "report.html",
    "junit.xml",
    "summary.md",
    "compliance.json",
];

/// Every output, by the name of its file in the run's folder.
pub fn outputs(recording: &Recording, result: &ResultDocument) -> Vec<(&'static str, Vec<u8>)> {
    let mut outputs = vec![
        ("result.json", result_json(result)),
        ("report.html", report(recording, result)),
        ("junit.xml", junit(result)),
        ("summary.md", summary(result).into_bytes()),
    ];
    if let Some(compliance) = compliance::compliance(recording, result) {
        outputs.push(("compliance.json", compliance::json(&compliance)));
    }
    outputs
}

/// `result.json`: keys in a fixed order, a line feed at the end.
pub fn result_json(result: &ResultDocument) -> Vec<u8> {
    // The document is made of structs and maps of strings with finite numbers, which always have a JSON text.
    let mut text = serde_json::to_vec_pretty(result).unwrap_or_default();
    text.push(b'\n');
    text
}

/// The mode in a word.
pub fn mode(mode: crate::recording::Mode) -> &'static str {
    match mode {
        crate::recording::Mode::Rehearsal => "rehearsal",
        crate::recording::Mode::Live => "live",
        crate::recording::Mode::Simulated => "simulated",
    }
}
