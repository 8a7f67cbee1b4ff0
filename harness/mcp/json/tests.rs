use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 64.0)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every pointer into a value, with what stands there.
fn places(value: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
    found.push((path.clone(), value.clone()));
    let inner: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, item)| (key.clone(), item))
            .collect(),
        _ => Vec::new(),
    };
    for (key, item) in inner {
        path.push(key);
        places(item, path, found);
        path.pop();
    }
}

proptest! {
    #[test]
    fn every_place_is_found_as_serde_sees_it(value in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        let text = text.expect("a value is text");
        let mut found = Vec::new();
        places(&value, &mut Vec::new(), &mut found);
        for (pointer, expected) in found {
            let slice = find(&text, &pointer).expect("the place exists");
            prop_assert_eq!(serde_json::from_slice::<Value>(slice).expect("JSON"), expected);
        }
    }

    #[test]
    fn validity_agrees_with_serde(value in any_json(), cut: prop::sample::Index, byte: u8) {
        let mut text = serde_json::to_vec(&value).expect("a value is text");
        let at = cut.index(text.len());
        text[at] = byte;
        let ours = envelope(&text) != Err(BadMessage::Json);
        // serde keeps numbers as 64 bits and refuses what does not fit; raw values are not looked into.
        let theirs = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn strings_say_the_same_however_they_are_escaped(one: String, other: String) {
        let escaped = |text: &str| {
            let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{units}\"").into_bytes()
        };
        let plain = serde_json::to_vec(&one).expect("a string is text");
        prop_assert!(text::equal(&plain, &escaped(&one)));
        prop_assert!(text::equals_plain(&escaped(&one), &one));
        prop_assert_eq!(text::equal(&plain, &escaped(&other)), one == other);
        prop_assert_eq!(text::equals_plain(&plain, &other), one == other);
    }

    #[test]
    fn nothing_makes_it_panic(bytes: Vec<u8>) {
        let _ = envelope(&bytes);
        let _ = find(&bytes, &["a", "0"]);
        let _ = batch(&bytes).map(Iterator::count);
        let _ = text::characters(&bytes).map(Iterator::count);
        let _ = values_equal(&bytes, b"\"x\"");
    }

    #[test]
    fn equal_values_are_equal(left in any_json(), right in any_json()) {
        let text = |value: &Value| serde_json::to_vec_pretty(value).expect("a value is text");
        prop_assert!(values_equal(&text(&left), &serde_json::to_vec(&left).expect("text")));
        prop_assert_eq!(values_equal(&text(&left), &text(&right)), left == right);
    }
}

#[test]
fn messages_are_told_apart_by_their_method() {
    let read = |text: &'static str| envelope(text.as_bytes());
    assert_eq!(
        read(r#"{"jsonrpc":"2.0","id":0,"result":{}}"#),
        Ok(Message::Response {
            id: Id::Number(0),
            result: b"{}"
        })
    );
    assert_eq!(
        read(r#"{"id":0,"method":"ping","jsonrpc":"2.0"}"#),
        Ok(Message::Request {
            id: b"0",
            method: b"ping"
        })
    );
    assert_eq!(
        read(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"result":1}}"#),
        Ok(Message::Notification {
            method: b"notifications/progress"
        })
    );
    assert_eq!(
        read(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"x"}}"#),
        Ok(Message::Error {
            id: Id::Missing,
            code: -32601,
            error: br#"{"code":-32601,"message":"x"}"#
        })
    );
    assert_eq!(
        read(r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":1}}"#),
        Ok(Message::Error {
            id: Id::Other(b"\"server-error\""),
            code: 1,
            error: br#"{"code":1}"#
        })
    );
}

#[test]
fn what_is_no_message_is_refused_for_its_reason() {
    for text in [
        r#"{"jsonrpc":"1.0","id":1,"result":1}"#,
        r#"{"id":1,"result":1}"#,
        "[]",
        "17",
        r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","result":1}"#,
    ] {
        assert_eq!(envelope(text.as_bytes()), Err(BadMessage::Rpc), "{text}");
    }
    for text in [
        "",
        "{",
        "<html>",
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}"#,
        r#"{"a":01}"#,
        r#"{"a":1}}"#,
        "{\"a\":\"\u{1}\"}",
        r#"{"a":1,}"#,
    ] {
        assert_eq!(envelope(text.as_bytes()), Err(BadMessage::Json), "{text}");
    }
    let deep = [b"[".repeat(4000), b"]".repeat(4000)].concat();
    assert_eq!(envelope(&deep), Err(BadMessage::Json));
}

#[test]
fn an_error_is_only_what_stands_at_the_top() {
    assert!(is_error(br#"{"content":[],"isError" : true}"#));
    assert!(!is_error(
        br#"{"content":[{"text":"\"isError\":true"}],"isError":false}"#
    ));
    assert!(!is_error(br#"{"structuredContent":{"isError":true}}"#));
}
