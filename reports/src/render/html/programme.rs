//! The page of a programme: the procedure's steps, the disasters side by side, compliance, and a part for each drill.

use maud::{Markup, html};

use super::nested::nested;
use super::verdict::mark;
use super::{compliance, drill, figure, findings, latency, load, meaning, surroundings, verdict};
use crate::judge::Judged;
use crate::numbers::{count, duration, span};
use crate::programme::{Drill, Recorded};
use crate::render::compliance::{Compliance, Compliant, Row, Step};
use crate::render::figures::{self, Data};
use crate::render::lines::{measured, target};
use crate::result::{Check, DrillResult, LimitSource, Method, ProgrammeResult, ResultDocument};

pub fn body(recorded: &Recorded, judged: &Judged, compliance: &Compliance) -> Markup {
    let programme = &recorded.programme;
    let result = &judged.result;
    html! {
        (verdict::banner(&programme.about, programme.covers.as_deref(), result))
        main {
            @if let Some(own) = &result.programme { (disasters(own, judged, compliance)) }
            (steps(&compliance.steps))
            @if let Some(recoveries) = figures::recoveries(result) {
                section aria-labelledby="recovery-times" {
                    h2 id="recovery-times" { "Recovery times" }
                    (figure::figure(&recoveries))
                    (drill::parts(result))
                }
            }
            (compliance::section(compliance))
            @for (drill, own) in recorded.drills.iter().zip(&judged.drills) {
                (part(drill, own.as_ref()))
            }
            (findings::section(result))
            (load::summary(result))
            (meaning::section())
        }
    }
}

/// The procedure, step by step, each with what every drill shows of it.
fn steps(steps: &[Step]) -> Markup {
    html! { @if !steps.is_empty() {
        section aria-labelledby="steps" {
            h2 id="steps" { "The procedure, step by step" }
            p .note { "A step without evidence is not proved. What each drill showed of it stands below its name." }
            div .scroll tabindex="0" { table {
                thead { tr { th scope="col" { "Step" } th scope="col" { "Status" } th scope="col" { "Evidence" } } }
                @for (index, step) in steps.iter().enumerate() { tbody { tr {
                    th scope="row" { (index + 1) ". " code { (step.step) } div .small { (step.asks) } }
                    td { (status(step.verdict)) }
                    td .why { dl .evidence { @for line in &step.drills {
                        dt { (mark(line.verdict)) " " (line.drill) }
                        dd { (line.what) " " span .small { @for (index, file) in line.files.iter().enumerate() {
                            @if index > 0 { ", " } code { (file) }
                        } } }
                    } } }
                } } }
            } }
        }
    } }
}

fn status(verdict: Compliant) -> Markup {
    html! { span class={ "tag " (compliance::class(verdict)) } { (verdict.words()) } }
}

/// One line a drill: the procedure's limits, what was measured, and where its part of the page is.
fn disasters(own: &ProgrammeResult, judged: &Judged, compliance: &Compliance) -> Markup {
    html! {
        section aria-labelledby="disasters" {
            h2 id="disasters" { "The disasters side by side" }
            p .note { "RTO: from the fault until service was back. RPO: acknowledged work that was gone, as time. Below each the \
                limit of the procedure, and the scenario's own, tighter budget." }
            div .scroll tabindex="0" { table {
                thead { tr {
                    th scope="col" { "Row of the procedure" } th scope="col" { "Drill" } th scope="col" .number { "RTO" }
                    th scope="col" .number { "Without service" } th scope="col" .number { "RPO" } th scope="col" .number { "Writes lost" }
                    th scope="col" { "Procedure" }
                } }
                tbody { @for (drill, result) in own.drills.iter().zip(&judged.drills) {
                    (disaster(drill, result.as_ref(), compliance))
                } }
            } }
        }
    }
}

fn disaster(
    drill: &DrillResult,
    result: Option<&ResultDocument>,
    compliance: &Compliance,
) -> Markup {
    let limits = |row: &&Row| {
        row.drill.as_ref() == Some(&drill.drill)
            && (row.check.starts_with("rto") || row.check.starts_with("rpo"))
    };
    let worst = compliance
        .rows
        .iter()
        .filter(limits)
        .map(|row| row.verdict)
        .max();
    html! { tr {
        th scope="row" { (drill.covers.as_deref().unwrap_or("-")) }
        td {
            a href={ "#" (drill.drill) } { (drill.drill) }
            @match (drill.verdict, &drill.not_run) {
                (Some(verdict), _) => div { span class={ "tag " (verdict) } { (mark(verdict)) " " (verdict) } },
                (None, Some(why)) => div .small { "not run: " (why) },
                (None, None) => {},
            }
        }
        td .number { (limited(result, Method::Window)) }
        td .number { (outage(result)) }
        td .number { (limited(result, Method::Ledger)) }
        td .number { @match result.and_then(|result| result.data.as_ref()) {
            Some(data) => { (count(data.lost)) div .small { "of " (count(data.acknowledged)) } }
            None => "-",
        } }
        td { (status(worst.unwrap_or(Compliant::NotProved))) }
    } }
}

/// What was measured against the procedure's limit, with both limits below it.
fn limited(result: Option<&ResultDocument>, method: Method) -> Markup {
    let checks = result.map_or(&[][..], |result| &result.checks);
    let of = |source: LimitSource| {
        let own = |check: &&Check| check.method == method && check.source == Some(source);
        checks.iter().find(own)
    };
    let (procedure, budget) = (of(LimitSource::Procedure), of(LimitSource::Budget));
    html! {
        @match procedure.or(budget) {
            Some(check) => strong { (measured(check)) },
            None => "-",
        }
        @if let Some(check) = procedure { div .small { (target(check)) " asked" } }
        @if let Some(check) = budget { div .small { (target(check)) " budget" } }
    }
}

fn outage(result: Option<&ResultDocument>) -> String {
    let faults = result.map_or(&[][..], |result| &result.faults);
    let outage = faults.iter().filter_map(|fault| fault.outage).max();
    outage.map_or("none seen".to_owned(), duration)
}

/// Everything of one drill that a reader of the whole needs; the rest is in the drill's own report.
fn part(drill: &Drill, result: Option<&ResultDocument>) -> Markup {
    let shown = drill.recording().zip(result);
    html! {
        section .drill aria-labelledby=(drill.name) {
            h2 id=(drill.name) { "Drill " (drill.name) @if let Some(result) = result {
                ": " span class={ "tag " (result.verdict) } { (mark(result.verdict)) " " (result.verdict) }
            } }
            @if let Some((recording, result)) = shown {
                p { (recording.plan.about) }
                dl .facts {
                    @if let Some(covers) = &recording.plan.covers { dt { "Covers" } dd { (covers) } }
                    dt { "Target" } dd { (result.run.target) }
                    dt { "Started" } dd { (result.run.started) " (UTC), took " (span(result.run.length)) }
                    dt { "Alone" } dd { code { (result.run.command) } }
                    dt { "Whole report" } dd { code { (crate::programme::folder_of(&drill.name)) "/report.html" } }
                }
                (nested(sections(recording, result), &drill.name))
            } @else {
                p { "Nothing of this drill was recorded: it is evidence of nothing." }
            }
        }
    }
}

fn sections(recording: &crate::Recording, result: &ResultDocument) -> Markup {
    let data = Data::of(recording, result);
    html! {
        (verdict::checks(result))
        (drill::sections(&data, recording, result))
        (load::outcomes(recording, result))
        (latency::times(result))
        (load::phases(recording, result))
        (surroundings::warnings(result))
        (surroundings::events(recording))
    }
}
