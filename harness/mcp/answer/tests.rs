use std::time::Duration;

use firedrill_scenarios::plan::{Pointer, Save};

use super::*;

fn operation(expect: Expectation, checks: Vec<Check>) -> Operation {
    Operation {
        name: "echo".to_owned(),
        method: "tools/call".to_owned(),
        params: None,
        timeout: Duration::from_secs(1),
        max_answer: 1 << 20,
        expect,
        checks,
        ledger: None,
        saves: Vec::new(),
    }
}

fn at(pointer: &str, condition: Condition) -> Check {
    let steps = pointer.split('/').skip(1).map(str::to_owned).collect();
    Check::At {
        pointer: Pointer(steps),
        condition,
    }
}

fn literal(json: &str) -> Expected {
    Expected::Literal(json.as_bytes().to_vec())
}

/// `{"message":"caf\u00e9 7","n":42}` with both arguments reported.
const PARAMS: &[u8] = br#"{"message":"caf\u00e9 7","n":42}"#;
const SPANS: [Range<u32>; 2] = [11..24, 29..31];

/// The outcome for the message, whose body is as long as the text.
fn outcome(operation: &Operation, text: &str) -> Outcome {
    let sent = Sent {
        params: PARAMS,
        spans: &SPANS,
    };
    let message = json::envelope(text.as_bytes()).expect("a message");
    judge(operation, sent, &message, text.len() as u64)
}

fn result(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

fn error(code: i64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"no"}}}}"#)
}

#[test]
fn what_was_expected_decides_what_an_answer_is() {
    let one_check = || vec![Check::Size(Comparison::AtLeast(0.0))];
    let wants = |expect| operation(expect, one_check());
    let (plain, tool) = (result("{}"), result(r#"{"isError":true}"#));
    let (wrong, other) = (error(-32602), error(-32603));
    let table = [
        (
            Expectation::Result,
            [
                Outcome::Ok,
                Outcome::ToolError,
                Outcome::RpcError(-32602),
                Outcome::RpcError(-32603),
            ],
        ),
        (
            Expectation::ToolError,
            [
                Outcome::CheckFailed(1),
                Outcome::Ok,
                Outcome::RpcError(-32602),
                Outcome::RpcError(-32603),
            ],
        ),
        (
            Expectation::RpcError(-32602),
            [
                Outcome::CheckFailed(1),
                Outcome::ToolError,
                Outcome::Ok,
                Outcome::RpcError(-32603),
            ],
        ),
    ];
    for (expect, outcomes) in table {
        for (text, expected) in [&plain, &tool, &wrong, &other].into_iter().zip(outcomes) {
            assert_eq!(outcome(&wants(expect), text), expected, "{expect:?} {text}");
        }
    }
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(
        outcome(&wants(Expectation::Result), request),
        Outcome::Protocol(ProtocolFault::BadJsonrpc)
    );
}

#[test]
fn a_result_that_is_no_object_or_says_no_boolean_is_malformed() {
    let malformed = Outcome::Protocol(ProtocolFault::BadJsonrpc);
    let tool = operation(Expectation::Result, Vec::new());
    let list = Operation {
        method: "tools/list".to_owned(),
        ..tool.clone()
    };
    for value in [
        "null",
        "true",
        "17",
        r#""{}""#,
        "[]",
        r#"[{"isError":false}]"#,
    ] {
        assert_eq!(outcome(&tool, &result(value)), malformed, "{value}");
        assert_eq!(outcome(&list, &result(value)), malformed, "{value}");
    }
    let expects_error = operation(Expectation::ToolError, Vec::new());
    for flag in ["null", "1", r#""true""#, r#""false""#, "[]", "{}"] {
        let text = result(&format!(r#"{{"content":[],"isError":{flag}}}"#));
        assert_eq!(outcome(&tool, &text), malformed, "{flag}");
        assert_eq!(outcome(&expects_error, &text), malformed, "{flag}");
        assert_eq!(outcome(&list, &text), Outcome::Ok, "not of this method");
    }
    let plain = result(r#"{"content":[],"isError":false}"#);
    assert_eq!(outcome(&tool, &plain), Outcome::Ok);
}

#[test]
fn the_first_check_that_does_not_hold_is_named() {
    let checks = vec![
        at("/a", Condition::Equals(literal("1"))),
        at("/b", Condition::Exists(false)),
        Check::Size(Comparison::Below(50.0)),
    ];
    let operation = operation(Expectation::Result, checks);
    assert_eq!(outcome(&operation, &result(r#"{"a":1.0}"#)), Outcome::Ok);
    assert_eq!(
        outcome(&operation, &result(r#"{"a":2,"b":1}"#)),
        Outcome::CheckFailed(0)
    );
    assert_eq!(
        outcome(&operation, &result(r#"{"a":1,"b":null}"#)),
        Outcome::CheckFailed(1)
    );
    let large = result(&format!(r#"{{"a":1,"c":"{}"}}"#, "x".repeat(50)));
    assert_eq!(outcome(&operation, &large), Outcome::CheckFailed(2));
}

#[test]
fn an_answer_is_held_against_the_arguments_that_were_sent() {
    let holds = |condition: Condition, answered: &str| {
        let operation = operation(Expectation::Result, vec![at("/text", condition)]);
        match outcome(&operation, &result(&format!(r#"{{"text":{answered}}}"#))) {
            Outcome::Ok => true,
            Outcome::CheckFailed(0) => false,
            other => panic!("{other}"),
        }
    };
    let text = || {
        Expected::Text(vec![
            TextPiece::Text("echo ".to_owned()),
            TextPiece::Argument(0),
            TextPiece::Text("/".to_owned()),
            TextPiece::Argument(1),
        ])
    };
    assert!(holds(
        Condition::Equals(Expected::Argument(0)),
        "\"caf\u{e9} 7\""
    ));
    assert!(!holds(
        Condition::Equals(Expected::Argument(0)),
        "\"caf\u{e9} 8\""
    ));
    assert!(holds(Condition::Equals(Expected::Argument(1)), "42.0"));
    assert!(!holds(Condition::Equals(Expected::Argument(1)), "\"42\""));
    assert!(holds(
        Condition::Equals(text()),
        r#""echo caf\u00E9 7\/42""#
    ));
    assert!(!holds(Condition::Equals(text()), r#""echo caf\u00E9 7/4""#));
    assert!(!holds(Condition::Equals(text()), "42"));
    assert!(holds(
        Condition::Contains(text()),
        "\"> echo caf\u{e9} 7/42 <\""
    ));
    assert!(holds(
        Condition::Contains(Expected::Argument(0)),
        "\"my caf\u{e9} 7!\""
    ));
    assert!(holds(
        Condition::Contains(Expected::Argument(1)),
        "\"n=42\""
    ));
    assert!(holds(Condition::Contains(literal("\"n=\"")), "\"n=42\""));
    assert!(!holds(Condition::Contains(literal("\"N=\"")), "\"n=42\""));
    assert!(
        !holds(Condition::Contains(literal("\"4\"")), "42"),
        "a number holds no text"
    );
}

#[test]
fn numbers_are_compared_and_nothing_else_is_one() {
    let holds = |comparison: Comparison, answered: &str| {
        let check = at("/n", Condition::Number(comparison));
        outcome(
            &operation(Expectation::Result, vec![check]),
            &result(&format!(r#"{{"n":{answered}}}"#)),
        )
        .is_ok()
    };
    assert!(holds(Comparison::Below(1.0), "0.5") && !holds(Comparison::Below(1.0), "1"));
    assert!(holds(Comparison::Above(1.0), "1.5") && !holds(Comparison::Above(1.0), "1"));
    assert!(holds(Comparison::AtMost(1.0), "1") && !holds(Comparison::AtMost(1.0), "1.01"));
    assert!(holds(Comparison::AtLeast(-1.0), "-1e0") && !holds(Comparison::AtLeast(-1.0), "-2"));
    for none in ["\"5\"", "true", "null", "[5]", "{}"] {
        assert!(!holds(Comparison::AtLeast(0.0), none), "{none}");
    }
}

#[test]
fn checks_of_an_expected_error_look_at_the_error() {
    let check = at("/message", Condition::Equals(literal("\"no\"")));
    let operation = operation(Expectation::RpcError(7), vec![check]);
    assert_eq!(outcome(&operation, &error(7)), Outcome::Ok);
}

#[test]
fn saved_values_are_json_and_what_is_missing_is_null() {
    let mut operation = operation(Expectation::Result, Vec::new());
    let saved = |name: &str, steps: &[&str], slot| Save {
        name: name.to_owned(),
        pointer: Pointer(steps.iter().map(|step| (*step).to_owned()).collect()),
        slot,
    };
    operation.saves = vec![
        saved("basket", &["basket", "id"], 1),
        saved("gone", &["x"], 0),
        saved("nowhere", &["x"], 9),
    ];
    let mut slots = vec![b"old".to_vec(), b"older".to_vec()];
    save(&operation, br#"{"basket":{"id":"b\"1"}}"#, &mut slots);
    assert_eq!(slots, [b"null".to_vec(), br#""b\"1""#.to_vec()]);
}
