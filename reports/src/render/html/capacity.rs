//! The page of a search for capacity.

use firedrill_evidence::Verdict;
use maud::{Markup, html};

use super::figure;
use super::verdict::mark;
use crate::capacity::{Form, Outcome};
use crate::numbers::{duration, share, significant, span};
use crate::recording::Mode;
use crate::render::capacity::{answer, level, outcome_words};
use crate::render::figures;
use crate::result::{CapacityDocument, Trial};

pub fn body(about: &str, found: &CapacityDocument) -> Markup {
    html! {
        (banner(found))
        (tested(about, found))
        main {
            section aria-labelledby="levels" {
                h2 id="levels" { "Latency and throughput" }
                (figure::figure(&figures::latency_by_level(found)))
                (figure::figure(&figures::throughput_by_concurrency(found)))
                @if let Some(parameters) = figures::parameters(found) {
                    dl .figures { @for (name, value) in parameters { div { dt { (name) } dd { (value) } } } }
                }
            }
            (trials(found))
            (meaning())
        }
    }
}

fn banner(found: &CapacityDocument) -> Markup {
    let run = &found.run;
    html! {
        header class={ "banner " (found.verdict) } {
            div .verdict {
                span .mark aria-hidden="true" { (mark(found.verdict)) }
                h1 { "Capacity of " (run.scenario) ": " (found.verdict) " " span .badge { (crate::render::mode(run.mode)) } }
            }
            p { strong { (answer(found)) } }
            p { (found.reason) }
            @if found.verdict == Verdict::Invalid { p { "The measurement itself was the limit: it says how much the target carries at least, and not how much at most." } }
            @match run.mode {
                Mode::Rehearsal => p .mode { strong { "Rehearsal." } " The target was a stand-in. These numbers say nothing about a real deployment." }
                Mode::Live => p .mode { strong { "Live." } " The target was a real deployment." }
                Mode::Simulated => p .mode { strong { "Simulated." } " Nothing was driven: time and target were computed." }
            }
        }
    }
}

fn tested(about: &str, found: &CapacityDocument) -> Markup {
    let run = &found.run;
    html! {
        section .tested {
            p .about { (about) }
            dl .facts {
                dt { "Target" } dd { (run.target) }
                dt { "Started" } dd { (run.started) " (UTC), took " (span(run.length)) }
                dt { "Turned up" } dd { @match found.form {
                    Form::Open => "the rate of an open load: it comes whatever the target does",
                    Form::Closed => "the sessions of a closed load: slow answers mean fewer questions",
                } }
                dt { "A trial" } dd { (duration(run.trial)) " judged, then a rest of " (duration(run.rest)) ", then a check that the target is well" }
                @if let Some(wanted) = found.at_least { dt { "Asked" } dd { "at least " (level(wanted, found.form)) } }
                @for warning in &found.warnings { dt { "Left out" } dd { (warning) } }
                dt { "Seed" } dd { code { (run.seed) } }
                dt { "Run again" } dd { code { (run.command) } }
            }
        }
    }
}

fn trials(found: &CapacityDocument) -> Markup {
    html! {
        section aria-labelledby="trials" {
            h2 id="trials" { "Trials" }
            p .note { "Each is a run of its own, with its own recording and report. A check is a gentle load that shows whether the \
                target is as well as at the start." }
            div .scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Trial" } th scope="col" .number { "Level" } th scope="col" { "Outcome" }
                    th scope="col" .number { "Asked" } th scope="col" .number { "Completed" } th scope="col" .number { "p50" }
                    th scope="col" .number { "p99" } th scope="col" .number { "Failed" } th scope="col" .number { "Under way" }
                    th scope="col" .number { "Our lateness p99" } th scope="col" .number { "Our headroom" }
                } }
                tbody { @for own in &found.trials { (row(own, found.form)) } }
            } }
        }
    }
}

fn row(own: &Trial, form: Form) -> Markup {
    let told = |rate: Option<f64>| rate.map_or("-".to_owned(), crate::numbers::rate);
    let time = |time: Option<u64>| time.map_or("-".to_owned(), duration);
    let part = |part: Option<f64>| part.map_or("-".to_owned(), share);
    html! { tr {
        th scope="row" { a href={ (own.folder) "/report.html" } { (own.number) " " (what(own)) } }
        td .number { (level(own.level, form)) }
        td { span class={ "tag " (class(own.outcome)) } { (outcome_words(own.outcome, own.purpose)) } @if !own.reason.is_empty() { div .small { (own.reason) } } }
        td .number { (told(own.asked_per_second)) }
        td .number { (told(own.completed_per_second)) }
        td .number { (time(own.p50)) }
        td .number { (time(own.p99)) }
        td .number { (part(own.failed)) }
        td .number { (own.concurrency.map_or("-".to_owned(), |own| significant(own, 3))) }
        td .number { (time(own.lateness_p99)) }
        td .number { (part(own.headroom)) }
    } }
}

fn what(own: &Trial) -> &'static str {
    match own.purpose {
        crate::capacity::Purpose::Trial => "trial",
        crate::capacity::Purpose::Check => "check",
    }
}

fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Met => "pass",
        Outcome::Missed => "fail",
        Outcome::Untrusted => "invalid",
        Outcome::TooLittle => "inconclusive",
    }
}

fn meaning() -> Markup {
    html! {
        section aria-labelledby="meaning" {
            h2 id="meaning" { "How to read this" }
            dl .meaning {
                dt { "Capacity" } dd { "The highest level that still meets every objective. A trial may be wrong: each one moves a \
                    probability over all levels, and the interval holds the capacity with the probability that stands beside it." }
                dt { "Gave way first" } dd { "What was beyond its limit at the lowest level that was missed." }
                dt { "Knee" } dd { "Where throughput has its peak, by the universal scalability law through all trials that can be \
                    trusted. Objectives are usually missed before it." }
                dt { "Untrusted" } dd { "firedrill itself was too late, or could not send: such a trial says nothing about the target." }
            }
        }
    }
}
