//! An answer held against what the plan expects of it: exactly one outcome comes out.

use std::ops::Range;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::ProtocolFault;
use firedrill_scenarios::plan::{Check, Comparison, Condition, Expectation, Operation};
use firedrill_scenarios::template::{Expected, TextPiece};

use super::json::{self, BadMessage, Message, text};

/// The method whose results have an `isError`.
const TOOL_CALL: &str = "tools/call";

/// What was sent: the rendered parameters, and where the arguments stand in them that checks compare with.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    pub params: &'a [u8],
    pub spans: &'a [Range<u32>],
}

impl<'a> Sent<'a> {
    fn argument(&self, index: usize) -> &'a [u8] {
        self.spans
            .get(index)
            .and_then(|span| self.params.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
    }
}

/// The outcome of an operation that got this response. `length` is of the whole body.
pub fn judge(operation: &Operation, sent: Sent<'_>, message: &Message<'_>, length: u64) -> Outcome {
    let subject = match subject(operation, message) {
        Ok(subject) => subject,
        Err(outcome) => return outcome,
    };
    let broken = |check: &Check| !holds(check, subject, sent, length);
    match operation.checks.iter().position(broken) {
        Some(index) => Outcome::CheckFailed(index as u16),
        None => Outcome::Ok,
    }
}

/// What the checks look at, when the answer is of the kind that is expected.
fn subject<'a>(operation: &Operation, message: &Message<'a>) -> Result<&'a [u8], Outcome> {
    let expected = operation.expect;
    match message {
        // A result is an object in every method of the protocol, and a tool's result says yes or no, or nothing.
        Message::Response {
            result, is_error, ..
        } if !json::is_object(result) || is_error.is_none() && operation.method == TOOL_CALL => {
            Err(Outcome::Protocol(ProtocolFault::BadJsonrpc))
        }
        Message::Response {
            result, is_error, ..
        } => match (expected, is_error.unwrap_or(false)) {
            (Expectation::Result, false) | (Expectation::ToolError, true) => Ok(result),
            (Expectation::Result | Expectation::RpcError(_), true) => Err(Outcome::ToolError),
            // The index after the last check: the expectation itself did not hold.
            (Expectation::ToolError | Expectation::RpcError(_), false) => {
                Err(Outcome::CheckFailed(operation.checks.len() as u16))
            }
        },
        Message::Error { code, error, .. } if expected == Expectation::RpcError(*code) => Ok(error),
        Message::Error { code, .. } => Err(Outcome::RpcError(*code)),
        Message::Request { .. } | Message::Notification { .. } => {
            Err(Outcome::Protocol(ProtocolFault::BadJsonrpc))
        }
    }
}

/// The outcome of a text that is no message.
pub fn bad_message(error: BadMessage) -> Outcome {
    Outcome::Protocol(match error {
        BadMessage::Json => ProtocolFault::BadJson,
        BadMessage::Rpc => ProtocolFault::BadJsonrpc,
    })
}

/// The result of `initialize` says that it comes from a stand-in.
pub fn is_stand_in(result: &[u8]) -> bool {
    let instructions = json::find(result, &["instructions"]).and_then(json::unquote);
    instructions.is_some_and(|text| text.starts_with(firedrill_erlmcp::STAND_IN.as_bytes()))
}

/// Copies the values that later steps of the flow use into their slots.
pub fn save(operation: &Operation, result: &[u8], slots: &mut [Vec<u8>]) {
    for wanted in &operation.saves {
        if let Some(slot) = slots.get_mut(wanted.slot) {
            slot.clear();
            slot.extend_from_slice(json::find(result, &wanted.pointer.0).unwrap_or(b"null"));
        }
    }
}

fn holds(check: &Check, subject: &[u8], sent: Sent<'_>, length: u64) -> bool {
    match check {
        Check::Size(comparison) => compare(*comparison, length as f64),
        Check::At { pointer, condition } => {
            let value = json::find(subject, &pointer.0);
            match (condition, value) {
                (Condition::Exists(wanted), value) => value.is_some() == *wanted,
                (_, None) => false,
                (Condition::Equals(expected), Some(value)) => equals(value, expected, sent),
                (Condition::Contains(expected), Some(value)) => contains(value, expected, sent),
                (Condition::Number(comparison), Some(value)) => {
                    json::number(value).is_some_and(|number| compare(*comparison, number))
                }
            }
        }
    }
}

fn compare(comparison: Comparison, value: f64) -> bool {
    match comparison {
        Comparison::Below(limit) => value < limit,
        Comparison::Above(limit) => value > limit,
        Comparison::AtMost(limit) => value <= limit,
        Comparison::AtLeast(limit) => value >= limit,
    }
}

fn equals(value: &[u8], expected: &Expected, sent: Sent<'_>) -> bool {
    match expected {
        Expected::Literal(literal) => json::values_equal(value, literal),
        Expected::Argument(index) => json::values_equal(value, sent.argument(*index)),
        Expected::Text(pieces) => {
            text::characters(value).is_some_and(|own| own.eq(spelled(pieces, sent)))
        }
    }
}

fn contains(value: &[u8], expected: &Expected, sent: Sent<'_>) -> bool {
    match expected {
        Expected::Literal(wanted) => holds_value(value, wanted),
        Expected::Argument(index) => holds_value(value, sent.argument(*index)),
        Expected::Text(pieces) => text::contains_characters(value, || spelled(pieces, sent)),
    }
}

fn holds_value(value: &[u8], wanted: &[u8]) -> bool {
    match wanted.first() {
        Some(b'"') => text::contains(value, wanted),
        _ => text::contains_characters(value, || argument_characters(wanted)),
    }
}

/// The characters of a text made of pieces.
fn spelled<'a>(pieces: &'a [TextPiece], sent: Sent<'a>) -> impl Iterator<Item = char> + 'a {
    pieces.iter().flat_map(move |piece| {
        let (plain, argument) = match piece {
            TextPiece::Text(plain) => (plain.as_str(), None),
            TextPiece::Argument(index) => ("", Some(argument_characters(sent.argument(*index)))),
        };
        plain.chars().chain(argument.into_iter().flatten())
    })
}

/// What a JSON value looks like inside a text: a string without quotes and escapes, anything else as it is.
fn argument_characters(json: &[u8]) -> impl Iterator<Item = char> + '_ {
    let string = text::characters(json);
    let plain = match string {
        Some(_) => "",
        None => std::str::from_utf8(json).unwrap_or_default(),
    };
    string.into_iter().flatten().chain(plain.chars())
}

#[cfg(test)]
mod tests;
