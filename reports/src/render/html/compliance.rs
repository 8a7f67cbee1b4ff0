//! What the run shows of the operating procedure, and what it does not.

use maud::{Markup, html};

use crate::numbers::duration;
use crate::render::compliance::{Compliance, Compliant, Row};
use crate::render::lines::amount;
use crate::result::Relation;

pub fn section(compliance: &Compliance) -> Markup {
    html! {
        section aria-labelledby="compliance" {
            h2 id="compliance" { "Compliance" }
            @if compliance.rows.is_empty() {
                p { "The scenario has no limit of a procedure." }
            } @else {
                p .note { "The operating procedure's limits. The scenario's own, tighter budgets are among the checks. The same as "
                    code { "compliance.json" } "." }
                div .scroll tabindex="0" { table {
                    thead { tr {
                        th scope="col" { "Row of the procedure" } th scope="col" { "Asked" } th scope="col" .number { "Target" }
                        th scope="col" .number { "Measured" } th scope="col" { "Verdict" } th scope="col" { "Evidence" }
                    } }
                    tbody { @for row in &compliance.rows { (self::row(row)) } }
                } }
            }
        }
        section aria-labelledby="not-proved" {
            h2 id="not-proved" { "What was not proved" }
            ul { @for line in &compliance.not_proved { li { (line) } } }
        }
    }
}

fn row(row: &Row) -> Markup {
    let relation = match row.relation {
        Relation::Below => "<",
        Relation::AtMost => "<=",
        Relation::AtLeast => ">=",
    };
    let target = row.target.map_or("-".to_owned(), |target| {
        format!("{relation} {}", amount(target, row.unit))
    });
    html! {
        tr {
            th scope="row" { (row.covers) @if row.covers.is_empty() { "-" } }
            td .why { (row.asks) div .small { @if let Some(drill) = &row.drill { code { (drill) "/" } } code { (row.check) } } }
            td .number { (target) }
            td .number { (measured(row)) @if let Some(resolution) = row.resolution { div .small { "\u{b1} " (duration(resolution)) } } }
            td { span class={ "tag " (class(row.verdict)) } { (row.verdict.words()) } }
            td .small { @for (index, file) in row.evidence.iter().enumerate() { @if index > 0 { ", " } code { (file) } } }
        }
    }
}

fn measured(row: &Row) -> String {
    match (row.measured, row.at_least) {
        (Some(measured), _) => amount(measured, row.unit),
        (None, Some(least)) => format!("> {}", duration(least)),
        (None, None) => "-".to_owned(),
    }
}

pub fn class(verdict: Compliant) -> &'static str {
    match verdict {
        Compliant::Met | Compliant::Rehearsed | Compliant::Simulated => "pass",
        Compliant::NotMet => "fail",
        Compliant::NotProved => "inconclusive",
    }
}
