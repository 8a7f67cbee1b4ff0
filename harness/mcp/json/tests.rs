use proptest::prelude::*;
use serde_json::Value;

use super::*;

pub(super) fn any_json() -> impl Strategy<Value = Value> {
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
    fn searching_finds_what_std_finds(
        text in "[ab\"\\\\\u{e9}\u{1f525}]{0,12}",
        wanted in "[ab\"\\\\\u{e9}\u{1f525}]{0,3}",
        plain: bool,
    ) {
        let spell = |text: &str| match plain {
            true => serde_json::to_vec(text).expect("a string is text"),
            false => {
                let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
                format!("\"{units}\"").into_bytes()
            }
        };
        let expected = text.contains(&wanted);
        let own = serde_json::to_vec(&text).expect("a string is text");
        prop_assert_eq!(text::contains(&own, &spell(&wanted)), expected);
        prop_assert_eq!(text::contains(&spell(&text), &spell(&wanted)), expected);
        prop_assert_eq!(text::contains_characters(&own, || wanted.chars()), expected);
    }

    #[test]
    fn an_envelope_is_read_as_serde_reads_it(
        id in prop_oneof![any::<u64>().prop_map(Value::from), any::<String>().prop_map(Value::from)],
        result in any_json(),
        pretty: bool,
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = serde_json::json!({"id": id, "jsonrpc": "2.0", "other": {"result": [1]}, "result": result});
        let text = if pretty { serde_json::to_vec_pretty(&whole) } else { serde_json::to_vec(&whole) };
        let text = text.expect("a value is text");
        let Ok(Message::Response { id: own, result: raw, is_error }) = envelope(&text) else {
            panic!("{}", text.escape_ascii())
        };
        let said = result.get("isError");
        prop_assert_eq!(is_error, said.map_or(Some(false), Value::as_bool));
        prop_assert_eq!(is_object(raw), result.is_object());
        prop_assert_eq!(own, id.as_u64().map_or(own, Id::Number));
        prop_assert_eq!(serde_json::from_slice::<Value>(raw).expect("JSON"), result);
        prop_assert_eq!(envelope(&text[..cut.index(text.len())]), Err(BadMessage::Json), "truncated");
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
    fn nothing_like_json_makes_it_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "\"a\"", "1", "-", ".", "e", "true", " ",
                "\u{e9}", "\"jsonrpc\":\"2.0\"", "\"error\":", "\"code\":", "\"id\":",
            ]),
            0..24,
        ),
        other in prop::sample::select(vec!["{}", "[[]]", "{\"a\":[1]}", "\"\\u00e9\""]),
    ) {
        let text = words.concat().into_bytes();
        let ours = envelope(&text) != Err(BadMessage::Json);
        let theirs = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text.escape_ascii());
        let _ = (values_equal(&text, other.as_bytes()), values_equal(other.as_bytes(), &text));
        let _ = (find(&text, &["a"]), find(&text, &["0", "0"]), number(&text));
        let _ = (text::contains(&text, other.as_bytes()), text::contains(b"\"x\"", &text));
        let _ = batch(&text).map(Iterator::count);
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
            result: b"{}",
            is_error: Some(false),
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
    let is_error = |result: &str| {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        match envelope(text.as_bytes()) {
            Ok(Message::Response { is_error, .. }) => is_error,
            other => panic!("{other:?}"),
        }
    };
    for (result, expected) in [
        (r#"{"content":[],"isError" : true}"#, Some(true)),
        (r#"{"is\u0045rror":true}"#, Some(true)),
        (
            r#"{"content":[{"text":"\"isError\":true"}],"isError":false}"#,
            Some(false),
        ),
        (r#"{"structuredContent":{"isError":1}}"#, Some(false)),
        (r#"{"isError":1,"isError":false}"#, Some(false)),
        (r#"{"isError":false,"isError":1}"#, None),
        (r#"{"isError":"true"}"#, None),
        (r#"{"isError":null}"#, None),
        ("true", Some(false)),
        ("[]", Some(false)),
    ] {
        assert_eq!(is_error(result), expected, "{result}");
    }
}

#[test]
fn of_a_key_that_occurs_twice_the_last_counts() {
    let text = br#"{"a":1,"b":{"c":2},"a":3,"b":{"c":4}}"#;
    assert_eq!(find(text, &["a"]), Some(b"3".as_slice()));
    assert_eq!(find(text, &["b", "c"]), Some(b"4".as_slice()));
    assert_eq!(
        envelope(br#"{"jsonrpc":"2.0","id":1,"id":2,"result":{}}"#),
        Ok(Message::Response {
            id: Id::Number(2),
            result: b"{}",
            is_error: Some(false),
        })
    );
}

#[test]
fn keys_are_what_they_spell() {
    let escaped = br#"{"\u006asonrpc":"2.0","i\u0064":1,"r\u0065sult":{"a\/b":{"c~d":"x"}}}"#;
    let result = br#"{"a\/b":{"c~d":"x"}}"#.as_slice();
    assert_eq!(
        envelope(escaped),
        Ok(Message::Response {
            id: Id::Number(1),
            result,
            is_error: Some(false),
        })
    );
    assert_eq!(find(result, &["a/b", "c~d"]), Some(b"\"x\"".as_slice()));
}

#[test]
fn a_pointer_into_an_array_is_an_index() {
    let text = br#"[10,[20,21],{"0":30}]"#;
    assert_eq!(find(text, &["0"]), Some(b"10".as_slice()));
    assert_eq!(find(text, &["1", "1"]), Some(b"21".as_slice()));
    assert_eq!(find(text, &["2", "0"]), Some(b"30".as_slice()));
    for wrong in ["3", "-", "01", "+1", "", "1e0", " 1"] {
        assert_eq!(find(text, &[wrong]), None, "{wrong:?}");
    }
    assert_eq!(find(b" 7 ", &[] as &[&str]), Some(b"7".as_slice()));
}

#[test]
fn numbers_are_equal_by_value() {
    let same = |left: &str, right: &str| {
        let equal = values_equal(left.as_bytes(), right.as_bytes());
        assert_eq!(
            equal,
            values_equal(right.as_bytes(), left.as_bytes()),
            "{left} {right}"
        );
        equal
    };
    assert!(
        same("1", "1.0")
            && same("100", "1e2")
            && same("-0", "0")
            && same("[1,{\"a\":2}]", "[1.0,{\"a\":20e-1}]")
    );
    assert!(
        !same("9007199254740993", "9007199254740992"),
        "whole numbers are exact"
    );
    assert!(
        !same("1e999", "2e999") && !same("1", "\"1\"") && !same("1", "true") && !same("null", "0")
    );
    assert!(!same("[1]", "[1,2]") && !same("{\"a\":1}", "{\"a\":1,\"b\":1}") && !same("{}", "[]"));
    assert!(same(
        r#"{"a":[],"b":"x"}"#,
        r#"{"b":"\u0078","\u0061":[ ]}"#
    ));
}

#[test]
fn a_batch_is_told_element_by_element_or_not_at_all() {
    let elements = |text: &'static str| {
        batch(text.as_bytes()).map(|elements| elements.map(<[u8]>::to_vec).collect::<Vec<_>>())
    };
    assert_eq!(
        elements(" [ {\"a\":1} , 2 ] "),
        Some(vec![b"{\"a\":1}".to_vec(), b"2".to_vec()])
    );
    for none in ["[]", "{}", "[1", "[1] x", "[1,]", "", "[\"\\x\"]"] {
        assert_eq!(elements(none), None, "{none}");
    }
}

#[test]
fn the_code_of_an_error_is_a_whole_number() {
    for code in ["1.5", "\"x\"", "null", "1e99"] {
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code}}}}}"#);
        assert_eq!(envelope(text.as_bytes()), Err(BadMessage::Rpc), "{code}");
    }
}
