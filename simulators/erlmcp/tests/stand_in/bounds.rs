//! What one client may do to the others, and with which code it is refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, HEADERS, Session, post, read_answer, start};
use crate::limits::until;

fn refusal(answer: &Answer) -> (u16, Value) {
    (
        answer.status,
        answer.json()["error"]["data"]["refusal"].clone(),
    )
}

#[test]
fn messages_above_the_rate_are_refused_and_health_is_not() {
    let site = start(|config| config.behaviour.bounds.client_rate = Some(8.0));
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    until("a message is refused", || {
        let answer = post(site.front(), None, &ping).unwrap();
        if answer.status == 400 {
            return false;
        }
        assert_eq!(refusal(&answer), (429, json!(1056)));
        assert_eq!(
            (answer.code(), answer.header("retry-after")),
            (-32010, Some("1"))
        );
        true
    });
    assert_eq!(crate::client::get(site.front(), "/health").status, 200);
    // The bucket fills again.
    until("a message is let through", || {
        post(site.front(), None, &ping).unwrap().status == 400
    });
}

#[test]
fn one_more_connection_of_a_client_hears_why_before_it_asks() {
    let site = start(|config| config.behaviour.bounds.client_connections = Some(1));
    // The one that asked whether the site was there may still be closing.
    let mut held = None;
    until("a connection is let in and held", || {
        let mut stream = TcpStream::connect(site.front()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let waits = stream.read(&mut [0; 16]).is_err();
        held = waits.then_some(stream);
        held.is_some()
    });
    let second = TcpStream::connect(site.front()).unwrap();
    assert_eq!(refusal(&read_answer(second).unwrap()), (429, json!(1060)));
    drop(held);
    until("there is room again", || {
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        post(site.front(), None, &ping).is_ok_and(|answer| answer.status == 400)
    });
}

#[test]
fn a_body_is_refused_by_what_it_announces_and_by_what_comes() {
    let site = start(|config| config.behaviour.bounds.message = Some(64 << 10));
    let head =
        |length: &str| format!("POST /mcp HTTP/1.1\r\nhost: test\r\n{HEADERS}{length}\r\n\r\n");
    let mut announced = TcpStream::connect(site.front()).unwrap();
    announced
        .write_all(head("content-length: 100000000").as_bytes())
        .unwrap();
    // Not a byte of it was sent.
    assert_eq!(
        refusal(&read_answer(announced).unwrap()),
        (413, json!(1068))
    );
    let mut chunked = TcpStream::connect(site.front()).unwrap();
    chunked
        .write_all(head("transfer-encoding: chunked").as_bytes())
        .unwrap();
    let piece = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    // It is refused somewhere on the way.
    let _ = (0..1_000).try_for_each(|_| chunked.write_all(piece.as_bytes()));
    assert_eq!(refusal(&read_answer(chunked).unwrap()), (413, json!(1068)));
}

#[test]
fn what_is_no_message_is_refused_with_its_code() {
    let site = start(|_| {});
    for text in ["{", "[]", r#"{"id":1,"method":"ping"}"#] {
        let answer = crate::client::exchange(site.front(), "POST", "/mcp", HEADERS, text).unwrap();
        assert_eq!(refusal(&answer), (400, json!(1066)), "{text}");
    }
}

#[test]
fn a_client_that_does_not_take_its_answers_is_reset_and_others_are_served() {
    let site =
        start(|config| config.behaviour.bounds.write_timeout = Some(Duration::from_millis(100)));
    let session = site.session();
    let mut slow = TcpStream::connect(site.front()).unwrap();
    slow.set_write_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let body = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": { "name": "echo", "arguments": { "message": "s".repeat(512 << 10) } },
    })
    .to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: test\r\n{HEADERS}mcp-session-id: {}\r\ncontent-length: {}\r\n\r\n{body}",
        session.id,
        body.len()
    );
    until("the connection is reset, though nothing was read", || {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
        // What the site does not take in is of no interest; that it has gone is.
        let written = slow.write_all(request.as_bytes());
        let gone = written.is_err_and(|error| matches!(error.kind(), BrokenPipe | ConnectionReset));
        gone || slow.take_error().unwrap().is_some()
    });
    let other = Session::open(site.front());
    assert_eq!(
        other.tool("echo", json!({ "message": "here" })).text(),
        "here"
    );
}
