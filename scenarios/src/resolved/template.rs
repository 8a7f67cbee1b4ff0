//! Templates and checks as they are written.

use std::fmt;

use super::yaml::Yaml;
use crate::decode::check::BOUNDS;
use crate::plan::{Check, Comparison, Condition, Load, Operation, Pointer};
use crate::template::compile::escape_braces;
use crate::template::{Expected, Piece, Template, TextPiece, escape, hole};
use crate::text::unit;

/// Names that holes refer to by index.
pub(super) struct Names {
    columns: Vec<String>,
    saved: Vec<String>,
}

impl Names {
    /// Outside of loads.
    pub fn none() -> Names {
        Names {
            columns: Vec::new(),
            saved: Vec::new(),
        }
    }

    pub fn of(load: &Load) -> Names {
        let mut saved = Vec::new();
        for save in load
            .operations
            .iter()
            .flat_map(|operation| &operation.saves)
        {
            if saved.len() <= save.slot {
                saved.resize(save.slot + 1, String::new());
            }
            saved[save.slot].clone_from(&save.name);
        }
        let columns = load
            .rows
            .as_ref()
            .map_or_else(Vec::new, |rows| rows.columns.clone());
        Names { columns, saved }
    }
}

/// The template as JSON text with its holes in it.
pub(super) fn json(template: &Template, names: &Names) -> String {
    let mut out = String::new();
    for piece in &template.pieces {
        match piece {
            // Two braces in a row stand only inside strings of compact JSON.
            Piece::Literal(json) => out.push_str(&escape_braces(&String::from_utf8_lossy(json))),
            Piece::InString(source) => out.push_str(&hole_text(source, names)),
            Piece::Whole(source) => out.push_str(&format!("\"{}\"", hole_text(source, names))),
            Piece::SpanStart(_) | Piece::SpanEnd(_) => {}
        }
    }
    out
}

fn hole_text(source: &crate::template::Source, names: &Names) -> String {
    let expression = hole::expression(source, &names.columns, &names.saved);
    format!("{{{{{}}}}}", inside(&expression))
}

/// A text as the inside of a JSON string.
fn inside(text: &str) -> String {
    let mut out = Vec::new();
    escape(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The checks in a list, since their order is part of their meaning.
pub(super) fn checks(operation: &Operation) -> Vec<Yaml> {
    let arguments: &[String] = operation
        .params
        .as_ref()
        .map_or(&[], |params| params.arguments.as_slice());
    let entry = |key: String, word: &str, value: Yaml| {
        Yaml::Map(vec![(key, Yaml::map([(word, Some(value))]))])
    };
    let check = |check: &Check| match check {
        Check::Size(comparison) => {
            let (word, bytes) = bound(*comparison);
            entry(
                "size".to_owned(),
                word,
                Yaml::Word(unit::size_text(bytes as u64)),
            )
        }
        Check::At { pointer, condition } => {
            let pointer = pointer.to_string();
            match condition {
                Condition::Equals(value) => entry(pointer, "equals", expected(value, arguments)),
                Condition::Contains(value) => {
                    entry(pointer, "contains", expected(value, arguments))
                }
                Condition::Number(comparison) => {
                    let (word, number) = bound(*comparison);
                    entry(pointer, word, Yaml::Word(number.to_string()))
                }
                Condition::Exists(there) => entry(pointer, "exists", super::flag(*there)),
            }
        }
    };
    operation.checks.iter().map(check).collect()
}

/// The word of a comparison, and its number.
fn bound(comparison: Comparison) -> (&'static str, f64) {
    let number = match comparison {
        Comparison::Below(number)
        | Comparison::Above(number)
        | Comparison::AtMost(number)
        | Comparison::AtLeast(number) => number,
    };
    let word = BOUNDS.iter().find(|(_, make)| make(number) == comparison);
    (word.map_or("", |(word, _)| *word), number)
}

fn expected(expected: &Expected, arguments: &[String]) -> Yaml {
    let name = |index: usize| arguments.get(index).map_or("", String::as_str);
    match expected {
        Expected::Literal(json) => Yaml::Json(escape_braces(&String::from_utf8_lossy(json))),
        Expected::Argument(index) => Yaml::Json(format!("\"{{{{{}}}}}\"", inside(name(*index)))),
        Expected::Text(pieces) => {
            let text = pieces.iter().map(|piece| match piece {
                TextPiece::Text(text) => inside(&escape_braces(text)),
                TextPiece::Argument(index) => format!("{{{{{}}}}}", inside(name(*index))),
            });
            Yaml::Json(format!("\"{}\"", text.collect::<String>()))
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|part| write!(out, "/{}", part.replace('~', "~0").replace('/', "~1")))
    }
}
