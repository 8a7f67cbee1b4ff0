//! Operations, flows and checks in words.

use super::number::{duration, share, size};
use super::{Page, think_text};
use crate::plan::{
    Check, Comparison, Condition, Expectation, Flow, LedgerUse, Load, Operation, Plan, Think,
};
use crate::template::{Expected, TextPiece};

/// What the arrivals of a load start, by their shares.
pub(super) fn describe(page: &mut Page, plan: &Plan, index: usize) {
    let load = &plan.loads[index];
    page.heading("operations");
    let width = load
        .flows
        .iter()
        .map(|flow| flow.name.len())
        .max()
        .unwrap_or(0);
    for (position, flow) in load.flows.iter().enumerate() {
        let percent = share((load.share(position) * 1e4).round() / 1e4);
        let what = match flow.steps.as_slice() {
            [step] => load.operations[step.operation].method.clone(),
            steps => format!("flow of {} steps", steps.len()),
        };
        page.line(&format!("{percent:>7}  {:<width$}  {what}", flow.name));
        describe_steps(page, load, flow);
    }
}

fn describe_steps(page: &mut Page, load: &Load, flow: &Flow) {
    for step in &flow.steps {
        let operation = &load.operations[step.operation];
        let mut lines = details(operation);
        if flow.steps.len() > 1 {
            let think = match &step.think {
                Think::None => String::new(),
                pause => format!(", {}", think_text(pause)),
            };
            lines.insert(0, format!("{} ({}){think}", step.series, operation.method));
        }
        for line in lines {
            page.line(&format!("         {line}"));
        }
    }
}

fn details(operation: &Operation) -> Vec<String> {
    let expect = match operation.expect {
        Expectation::Result => String::new(),
        Expectation::ToolError => ", has to end in a tool error".to_owned(),
        Expectation::RpcError(code) => format!(", has to end in the error {code}"),
    };
    let mut lines = vec![format!(
        "time-out {}, answer up to {}{expect}",
        duration(operation.timeout),
        size(operation.max_answer)
    )];
    lines.extend(operation.ledger.map(|of| {
        match of {
            LedgerUse::Write => "an ok answer acknowledges a record of the ledger",
            LedgerUse::Read => "looks for a record of the ledger that was acknowledged",
        }
        .to_owned()
    }));
    let arguments: &[String] = operation
        .params
        .as_ref()
        .map_or(&[], |params| params.arguments.as_slice());
    lines.extend(
        operation
            .checks
            .iter()
            .map(|check| format!("check {}", check_text(check, arguments))),
    );
    lines.extend(
        operation
            .saves
            .iter()
            .map(|save| format!("saves {} as {}", save.pointer, save.name)),
    );
    lines
}

fn check_text(check: &Check, arguments: &[String]) -> String {
    match check {
        Check::Size(comparison) => {
            let (words, bytes) = comparison_text(*comparison);
            format!("the answer's size is {words} {}", size(bytes as u64))
        }
        Check::At { pointer, condition } => {
            let text = pointer.to_string();
            let at = if text.is_empty() { "the result" } else { &text };
            match condition {
                Condition::Equals(value) => format!("{at} is {}", expected_text(value, arguments)),
                Condition::Contains(value) => {
                    format!("{at} contains {}", expected_text(value, arguments))
                }
                Condition::Number(comparison) => {
                    let (words, number) = comparison_text(*comparison);
                    format!("{at} is {words} {number}")
                }
                Condition::Exists(true) => format!("{at} is there"),
                Condition::Exists(false) => format!("{at} is not there"),
            }
        }
    }
}

fn comparison_text(comparison: Comparison) -> (&'static str, f64) {
    match comparison {
        Comparison::Below(number) => ("below", number),
        Comparison::Above(number) => ("above", number),
        Comparison::AtMost(number) => ("at most", number),
        Comparison::AtLeast(number) => ("at least", number),
    }
}

fn expected_text(expected: &Expected, arguments: &[String]) -> String {
    let name = |index: usize| arguments.get(index).map_or("", String::as_str);
    match expected {
        Expected::Literal(json) => String::from_utf8_lossy(json).into_owned(),
        Expected::Argument(index) => format!("the argument {} as it was sent", name(*index)),
        Expected::Text(pieces) => {
            let pieces: Vec<String> = pieces
                .iter()
                .map(|piece| match piece {
                    TextPiece::Text(text) => format!("\"{text}\""),
                    TextPiece::Argument(index) => name(*index).to_owned(),
                })
                .collect();
            pieces.join(" + ")
        }
    }
}
