//! Markdown for the summary of a CI job: the verdict, the checks, the load, and how to run it again.

use std::fmt::Write;

use super::lines::{bounds, measured, target};
use crate::numbers;
use crate::recording::Mode;
use crate::result::{Check, Drive, LimitSource, Method, ResultDocument, Verdict};

/// `summary.md`. GitHub drops a summary above 1 MiB as a whole: this one grows with the number of checks alone.
pub fn summary(result: &ResultDocument) -> String {
    let run = &result.run;
    let mut text = String::new();
    line(
        &mut text,
        format_args!(
            "## {}: {} ({})",
            cell(&run.scenario),
            result.verdict,
            super::mode(run.mode)
        ),
    );
    line(&mut text, format_args!(""));
    if run.mode == Mode::Rehearsal {
        line(
            &mut text,
            format_args!(
                "A rehearsal against a stand-in: it says nothing about a real deployment."
            ),
        );
        line(&mut text, format_args!(""));
    }
    if let Some(early) = &run.ended_early {
        line(
            &mut text,
            format_args!("**The run ended early: {}**", cell(early)),
        );
        line(&mut text, format_args!(""));
    }
    programme(&mut text, result);
    checks(&mut text, result);
    load(&mut text, result);
    for found in &result.findings {
        line(
            &mut text,
            format_args!(
                "- finding: **{}**: {}. It means: {}. What to do: {}.",
                found.title(),
                cell(&found.evidence),
                cell(&found.meaning),
                cell(&found.remedy)
            ),
        );
    }
    for reason in &result.generator.distrust {
        line(&mut text, format_args!("- generator: {}", cell(reason)));
    }
    for warning in &result.warnings {
        line(&mut text, format_args!("- warning: {}", cell(warning)));
    }
    line(&mut text, format_args!(""));
    line(
        &mut text,
        format_args!(
            "Target: {}. Run `{}`, firedrill {}. Again:",
            cell(&run.target),
            run.id,
            run.firedrill_version
        ),
    );
    line(&mut text, format_args!(""));
    line(
        &mut text,
        format_args!("    {}", run.command.replace(['\n', '\r'], " ")),
    );
    text
}

fn checks(text: &mut String, result: &ResultDocument) {
    if result.checks.is_empty() {
        line(
            text,
            format_args!("The scenario has no objective, so nothing was judged."),
        );
    } else {
        line(
            text,
            format_args!("| check | verdict | measured | target | bounds | n | method | why |"),
        );
        line(text, format_args!("|---|---|---:|---:|---|---:|---|---|"));
    }
    for check in &result.checks {
        let fields = [
            check.id.clone(),
            verdict(result, check),
            measured(check),
            target(check),
            bounds(check),
            numbers::count(check.samples),
            method(check.method).to_owned(),
            check.reason.clone(),
        ];
        let fields: Vec<String> = fields.iter().map(|field| cell(field)).collect();
        line(text, format_args!("| {} |", fields.join(" | ")));
    }
    line(text, format_args!(""));
}

/// A limit of the procedure that holds on a stand-in is rehearsed, and no more.
fn verdict(result: &ResultDocument, check: &Check) -> String {
    let rehearsal = result.run.mode == Mode::Rehearsal;
    match (check.verdict, check.source) {
        (Verdict::Pass, Some(LimitSource::Procedure)) if rehearsal => {
            format!("{} (rehearsed)", check.verdict)
        }
        (verdict, _) => verdict.to_string(),
    }
}

/// The steps of the procedure, and what came of each drill; only of a programme.
fn programme(text: &mut String, result: &ResultDocument) {
    let Some(programme) = &result.programme else {
        return;
    };
    line(
        text,
        format_args!("| step of the procedure | verdict | what was seen |"),
    );
    line(text, format_args!("|---|---|---|"));
    for step in &programme.steps {
        let seen = step.evidence.iter();
        let seen: Vec<String> = seen
            .map(|own| cell(&format!("{} ({}): {}", own.drill, own.verdict, own.what)))
            .collect();
        let rehearsed = match (step.verdict, result.run.mode) {
            (Verdict::Pass, Mode::Rehearsal) => " (rehearsed)",
            _ => "",
        };
        line(
            text,
            format_args!(
                "| {} | {}{rehearsed} | {} |",
                cell(&step.step),
                step.verdict,
                seen.join("<br>")
            ),
        );
    }
    line(text, format_args!(""));
    line(text, format_args!("| drill | verdict | alone |"));
    line(text, format_args!("|---|---|---|"));
    for drill in &programme.drills {
        let verdict = drill.verdict.map(|verdict| verdict.to_string());
        line(
            text,
            format_args!(
                "| {} | {} | {} |",
                cell(&drill.drill),
                verdict.as_deref().unwrap_or("not run"),
                cell(drill.command.as_deref().unwrap_or("-"))
            ),
        );
    }
    line(text, format_args!(""));
}

fn load(text: &mut String, result: &ResultDocument) {
    let load = &result.load;
    let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), numbers::rate);
    line(
        text,
        format_args!(
            "Load ({}): {} operations due, {} sent, {} ok, {} not sent; in the measured phases {} asked, {} sent, {} completed.",
            drive(load.drive),
            numbers::count(load.intended),
            numbers::count(load.sent),
            numbers::count(load.completed),
            numbers::count(load.not_sent),
            rate(load.asked_per_second),
            rate(load.sent_per_second),
            rate(load.completed_per_second),
        ),
    );
    if let Some(flow) = &load.flow {
        let flow = super::flow::words(flow);
        line(text, format_args!("In the measured phases: {flow}."));
    }
    let failed: Vec<String> = load
        .outcomes
        .iter()
        .filter(|(outcome, count)| *outcome != "ok" && **count > 0)
        .map(|(outcome, count)| format!("{outcome} {}", numbers::count(*count)))
        .collect();
    if !failed.is_empty() {
        line(text, format_args!("Not ok: {}.", failed.join(", ")));
    }
    line(text, format_args!(""));
}

pub fn drive(drive: Drive) -> &'static str {
    match drive {
        Drive::Open => "open",
        Drive::Closed => "closed: the target sets the pace",
        Drive::Mixed => "open and closed",
    }
}

pub fn method(method: Method) -> &'static str {
    match method {
        Method::Block => "block",
        Method::Point => "point",
        Method::Count => "count",
        Method::Sample => "sample",
        Method::Window => "window",
        Method::Ledger => "ledger",
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// Text that cannot break a table, and cannot be taken for markup.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '[' | ']' | '*' | '_' | '`' | '\\' | '#' => {
                safe.push('\\');
                safe.push(character);
            }
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
