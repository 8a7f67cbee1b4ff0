//! The outputs of a search for capacity: `capacity.json`, `report.html`, and the table for the terminal.

use super::html;
use crate::capacity::{Form, Outcome, Purpose};
pub use crate::judge::capacity::{answer, level, outcome_words};
use crate::numbers::{duration, rate, share};
use crate::result::{CapacityDocument, Trial};

/// Every output, by the name of its file in the folder.
pub fn capacity_outputs(about: &str, found: &CapacityDocument) -> Vec<(&'static str, Vec<u8>)> {
    // Structs with finite numbers, which always have a JSON text.
    let mut json = serde_json::to_vec_pretty(found).unwrap_or_default();
    json.push(b'\n');
    vec![
        ("capacity.json", json),
        ("report.html", html::capacity_report(about, found)),
    ]
}

/// The trials in the order of their levels, the answer, and the verdict as the last word.
pub fn capacity_lines(found: &CapacityDocument) -> String {
    let mut trials: Vec<&Trial> = of_search(found).collect();
    trials.sort_by(|one, other| one.level.total_cmp(&other.level));
    let mut text = String::new();
    for own in trials {
        text.push_str(&capacity_line(own, found.form));
        text.push('\n');
    }
    text.push_str(&format!("knee: {}\n", found.scalability.reason));
    text.push_str(&format!("capacity: {}\n", answer(found)));
    text.push_str(&format!("{}\n", found.reason));
    text.push_str(&format!("verdict: {}\n", found.verdict));
    text
}

/// Trials, without the checks between them.
pub fn of_search(found: &CapacityDocument) -> impl Iterator<Item = &Trial> {
    found
        .trials
        .iter()
        .filter(|own| own.purpose == Purpose::Trial)
}

/// `trial 007     1,600/s   met          p50 3.1 ms    p99 12.4 ms   1,599/s completed`.
pub fn capacity_line(own: &Trial, form: Form) -> String {
    let what = match own.purpose {
        Purpose::Trial => "trial",
        Purpose::Check => "check",
    };
    let time = |time: Option<u64>| time.map_or("a miss".to_owned(), duration);
    let completed = own.completed_per_second.map_or("-".to_owned(), rate);
    let why = match own.outcome {
        Outcome::Met => String::new(),
        Outcome::Missed | Outcome::Untrusted | Outcome::TooLittle => format!("   {}", own.reason),
    };
    let failed = own.failed.filter(|failed| *failed > 0.0);
    let failed = failed.map_or(String::new(), |failed| {
        format!(", {} failed", share(failed))
    });
    format!(
        "{what} {:03}   {:>12}   {:10}   p50 {:>8}   p99 {:>8}   {completed} completed{failed}{why}",
        own.number,
        level(own.level, form),
        outcome_words(own.outcome, own.purpose),
        time(own.p50),
        time(own.p99),
    )
}
