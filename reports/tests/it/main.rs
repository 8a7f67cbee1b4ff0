//! Recordings that were never run, written with the crate's own writers, read back, judged and shown.

mod capacity;
mod capacity_trial;
mod document;
mod drill;
mod drill_begun;
mod drill_data;
mod drill_failback;
mod drill_pages;
mod drilled;
mod findings;
mod interrupted;
mod judging;
mod programme;
mod recording;
mod refusal;
mod rendering;
mod synthetic;
mod trust;

use firedrill_evidence::Verdict;
use firedrill_reports::ResultDocument;
use firedrill_reports::result::Check;

use synthetic::SHORT;

/// The short scenario with other objectives.
pub fn objectives(text: &str) -> String {
    let (head, _) = SHORT.split_once("objectives:").unwrap();
    format!("{head}{text}")
}

pub fn check<'a>(result: &'a ResultDocument, id: &str) -> &'a Check {
    let found = result.checks.iter().find(|check| check.id == id);
    found.unwrap_or_else(|| panic!("no check {id} among {:?}", ids(result)))
}

pub fn ids(result: &ResultDocument) -> Vec<&str> {
    result
        .checks
        .iter()
        .map(|check| check.id.as_str())
        .collect()
}

pub fn verdicts(result: &ResultDocument) -> Vec<Verdict> {
    result.checks.iter().map(|check| check.verdict).collect()
}
