//! What came of it: the banner, what was tested, the checks.

use firedrill_evidence::Verdict;
use maud::{Markup, html};

use crate::numbers::{count, share, significant};
use crate::recording::Mode;
use crate::render::lines::{bounds, measured, target};
use crate::render::summary::method;
use crate::result::{Check, ResultDocument};

/// A mark beside the word, so that colour is never alone.
pub fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "\u{2713}",
        Verdict::Fail => "\u{2717}",
        Verdict::Inconclusive => "?",
        Verdict::Invalid => "!",
    }
}

fn meaning(verdict: Verdict, mode: Mode) -> &'static str {
    match verdict {
        Verdict::Pass if mode == Mode::Rehearsal => "Every objective held in the rehearsal.",
        Verdict::Pass => "Every objective was met.",
        Verdict::Fail => "At least one objective was not met.",
        Verdict::Inconclusive => {
            "There was too little evidence for at least one objective. This is no pass."
        }
        Verdict::Invalid => {
            "The measurement itself cannot be trusted. It says nothing about the target, for or against."
        }
    }
}

pub fn banner(about: &str, covers: Option<&str>, result: &ResultDocument) -> Markup {
    let run = &result.run;
    html! {
        header class={ "banner " (result.verdict) } {
            div .verdict {
                span .mark aria-hidden="true" { (mark(result.verdict)) }
                h1 { (run.scenario) ": " (result.verdict) " " span .badge { (crate::render::mode(run.mode)) } }
            }
            p { (meaning(result.verdict, run.mode)) }
            @match run.mode {
                Mode::Rehearsal => p .mode { strong { "Rehearsal." } " The target was a stand-in. These numbers say nothing about a real deployment." }
                Mode::Live => p .mode { strong { "Live." } " The target was a real deployment." }
                Mode::Simulated => p .mode { strong { "Simulated." } " Nothing was driven: time and target were computed." }
            }
            @if let Some(early) = &run.ended_early {
                p .mode { strong { "The run ended early: " } (early) }
            }
        }
        section .tested {
            p .about { (about) }
            dl .facts {
                @if let Some(covers) = covers { dt { "Covers" } dd { (covers) } }
                dt { "Target" } dd { (run.target) }
                dt { "Over" } dd { @if run.tls { "TLS" } @else { "plain TCP" } }
                dt { "Started" } dd { (run.started) " (UTC)" }
                dt { "Seed" } dd { code { (run.seed) } }
                dt { "Run again" } dd { code { (run.command) } }
            }
        }
    }
}

pub fn checks(result: &ResultDocument) -> Markup {
    html! {
        section aria-labelledby="checks" {
            h2 id="checks" { "Checks" }
            @if result.checks.is_empty() {
                p { "The scenario has no objective, so nothing was judged." }
            } @else {
                @if result.run.strict { p .note { "Judged strictly: the point rule was not allowed to decide." } }
                div .scroll tabindex="0" { table .checks {
                    thead { tr {
                        th scope="col" { "Verdict" } th scope="col" { "Check" } th scope="col" .number { "Measured" }
                        th scope="col" .number { "Target" } th scope="col" .number { "Bounds" }
                        th scope="col" .number { "n" } th scope="col" { "Method" }
                    } }
                    @for check in &result.checks { (rows(check)) }
                } }
            }
        }
    }
}

/// The numbers, and below them why, across the whole table.
fn rows(check: &Check) -> Markup {
    html! {
        tbody {
            tr {
                td data-label="Verdict" rowspan="2" { span class={ "tag " (check.verdict) } { (mark(check.verdict)) " " (check.verdict) } }
                th scope="row" data-label="Check" { code { (check.id) } }
                td .number data-label="Measured" { strong { (measured(check)) } }
                td .number data-label="Target" { (target(check)) }
                td .number data-label="Bounds" { (bounds(check)) }
                td .number data-label="n" { (count(check.samples)) (effective(check)) }
                td data-label="Method" { (method(check.method)) }
            }
            tr .because { td colspan="6" {
                div .small { "Judged: " (glued(&check.about)) }
                div { (glued(&check.reason)) }
                (share_of(check))
            } }
        }
    }
}

/// How many independent operations they were worth, where it is fewer.
fn effective(check: &Check) -> Markup {
    let worth = check
        .share
        .filter(|found| found.effective < 0.995 * found.of as f64);
    html! { @if let Some(found) = worth { div .small { "worth " (significant(found.effective, 3)) } } }
}

/// The bounds of the share that decided, where the check shows something else.
fn share_of(check: &Check) -> Markup {
    let found = check
        .share
        .filter(|_| check.unit == crate::result::Unit::Ns);
    let bounds = found.and_then(|found| Some((found.lower?, found.upper?)));
    html! { @if let Some((lower, upper)) = bounds {
        div .small { "share beyond the limit between " (share(lower)) " and " (share(upper)) }
    } }
}

/// Numbers and their units stay on one line.
fn glued(text: &str) -> String {
    [" %", " ms", " s "]
        .iter()
        .fold(text.to_owned(), |text, unit| {
            text.replace(unit, &unit.replacen(' ', "\u{A0}", 1))
        })
}
