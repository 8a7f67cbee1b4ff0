mod hyper;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::mcp::http::tests::pieces;

/// What an exchange said, owned.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Status(u16),
    /// A message, and how much of the body had been read with it.
    Message(String, u64),
    Over(bool),
    Broken(Outcome),
}

fn begin(limit: u64) -> Exchange {
    let mut exchange = Exchange::default();
    exchange.begin(limit, false);
    exchange
}

/// Feeds pieces and then, if it `ends`, the end of the connection.
fn say(exchange: &mut Exchange, pieces: &[&[u8]], ends: bool) -> Vec<Said> {
    let mut said = Vec::new();
    for piece in pieces {
        let (mut input, mut pending) = (*piece, &[][..]);
        loop {
            match exchange.next(&mut input, &mut pending) {
                Event::More => break,
                Event::Head(head) => said.push(Said::Status(head.status)),
                Event::Message(text) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    said.push(Said::Message(text, exchange.body_length()));
                }
                Event::Over { reusable } => {
                    said.push(Said::Over(reusable));
                    return said;
                }
                Event::Broken(outcome) => {
                    said.push(Said::Broken(outcome));
                    return said;
                }
            }
        }
    }
    if ends {
        hear_the_end(exchange, &mut said);
    }
    said
}

fn hear_the_end(exchange: &mut Exchange, said: &mut Vec<Said>) {
    loop {
        let last = match exchange.end_of_stream(false) {
            Event::Message(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                said.push(Said::Message(text, exchange.body_length()));
                continue;
            }
            Event::Over { reusable } => Said::Over(reusable),
            Event::Broken(outcome) => Said::Broken(outcome),
            Event::More | Event::Head(_) => unreachable!("the connection has ended"),
        };
        said.push(last);
        return;
    }
}

fn say_text(text: &str) -> Vec<Said> {
    say(&mut begin(1000), &[text.as_bytes()], true)
}

fn message(text: &str, length: u64) -> Said {
    Said::Message(text.to_owned(), length)
}

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";

#[test]
fn a_json_body_is_one_message_however_it_is_framed() {
    let framed = [
        (format!("{JSON}content-length: 8\r\n\r\n{{\"id\":1}}"), true),
        (
            format!("{JSON}{CHUNKED}3\r\n{{\"i\r\n5\r\nd\":1}}\r\n0\r\n\r\n"),
            true,
        ),
        (format!("{JSON}\r\n{{\"id\":1}}"), false),
    ];
    for (text, reusable) in framed {
        let expected = [
            Said::Status(200),
            message("{\"id\":1}", 8),
            Said::Over(reusable),
        ];
        assert_eq!(say_text(&text), expected, "{text}");
    }
}

#[test]
fn events_are_messages_as_they_come_and_priming_is_none() {
    let text = format!(
        "{STREAM}content-length: 43\r\n\r\nid: 0\ndata:\n\ndata: {{\"a\":1}}\n\ndata: {{\"b\":2}}\n\n"
    );
    let expected = [
        Said::Status(200),
        message("{\"a\":1}", 28),
        message("{\"b\":2}", 43),
        Said::Over(true),
    ];
    assert_eq!(say_text(&text), expected);
}

#[test]
fn an_empty_or_unread_body_holds_no_message() {
    let empty = format!("{JSON}content-length: 0\r\n\r\n");
    assert_eq!(say_text(&empty), [Said::Status(200), Said::Over(true)]);
    let accepted = "HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\ncontent-type: text/plain\r\n\r\n0\r\n\r\n";
    assert_eq!(say_text(accepted), [Said::Status(202), Said::Over(true)]);
    let refused =
        "HTTP/1.1 503 Busy\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    assert_eq!(say_text(refused), [Said::Status(503), Said::Over(true)]);
}

#[test]
fn each_way_to_break_off_is_told_apart() {
    let last = |text: &str| say_text(text).pop();
    let transport = |failure| Some(Said::Broken(Outcome::Transport(failure)));
    let protocol = |fault| Some(Said::Broken(Outcome::Protocol(fault)));
    assert_eq!(last(""), transport(TransportFailure::EofBeforeResponse));
    assert_eq!(
        begin(1).end_of_stream(true),
        Event::Broken(Outcome::Transport(TransportFailure::StaleReuse))
    );
    assert_eq!(last("HTTP/1.1 20"), transport(TransportFailure::EofMidBody));
    assert_eq!(last("220 ftp.example"), protocol(ProtocolFault::BadHttp));
    let cut = format!("{JSON}content-length: 8\r\n\r\n{{\"id");
    assert_eq!(last(&cut), transport(TransportFailure::EofMidBody));
    let unfinished = format!("{STREAM}\r\ndata: {{}}\n");
    assert_eq!(last(&unfinished), protocol(ProtocolFault::SseFraming));
    let unframed = format!("{STREAM}\r\n{{\"jsonrpc\":\"2.0\"}}\n");
    assert_eq!(last(&unframed), protocol(ProtocolFault::SseFraming));
    assert_eq!(last(&format!("{STREAM}\r\n")), Some(Said::Over(false)));
}

#[test]
fn a_body_above_the_limit_is_oversize_in_either_form() {
    let oversize = Said::Broken(Outcome::Protocol(ProtocolFault::Oversize));
    let body = "x".repeat(11);
    let json = format!("{JSON}content-length: 11\r\n\r\n{body}");
    let stream = format!("{STREAM}\r\n: {body}\n\n");
    let dribble = format!("{STREAM}\r\n{}", "data: 1\n\n".repeat(2));
    for text in [json, stream, dribble] {
        let said = say(&mut begin(10), &[text.as_bytes()], false);
        assert_eq!(said.last(), Some(&oversize), "{text}");
    }
    let fits = format!("{JSON}content-length: 10\r\n\r\n{}", "1".repeat(10));
    assert_eq!(
        say(&mut begin(10), &[fits.as_bytes()], false).last(),
        Some(&Said::Over(true))
    );
}

#[test]
fn one_exchange_serves_one_answer_after_another() {
    let mut exchange = Exchange::default();
    for (text, answer) in [
        (
            format!("{JSON}content-length: 3\r\n\r\n[1]"),
            message("[1]", 3),
        ),
        (
            format!("{STREAM}{CHUNKED}9\r\ndata: x\n\n\r\n0\r\n\r\n"),
            message("x", 9),
        ),
        (
            format!("{JSON}{CHUNKED}1\r\n2\r\n0\r\n\r\n"),
            message("2", 1),
        ),
    ] {
        exchange.begin(100, false);
        assert!(!exchange.has_begun());
        let said = say(&mut exchange, &[text.as_bytes()], false);
        assert_eq!(said, [Said::Status(200), answer, Said::Over(true)]);
        exchange.rest();
    }
}

#[test]
fn what_was_not_asked_for_ends_the_connections_use() {
    let text = format!("{JSON}content-length: 1\r\n\r\n1HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(say_text(&text).pop(), Some(Said::Over(false)));
}

/// What each answer that comes in pieces holds; a connection that rests has none.
#[test]
fn an_exchange_is_small() {
    assert!(
        size_of::<Exchange>() <= 320,
        "{} bytes",
        size_of::<Exchange>()
    );
}

fn any_answer() -> impl Strategy<Value = Vec<u8>> {
    let status = prop::sample::select(vec!["200 OK", "202 Accepted", "404 Not Found"]);
    let kind = prop::sample::select(vec!["application/json", "text/event-stream", "text/html"]);
    let words = vec![
        "data: ",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        "\n",
        "\r\n",
        "\n\n",
        "id: 1",
        ":",
        "event: message",
        "<html>",
    ];
    let body = prop::collection::vec(prop::sample::select(words), 0..12);
    let framing = prop_oneof![Just(None), (1..60usize).prop_map(Some), Just(Some(0))];
    (status, kind, body, framing).prop_map(|(status, kind, body, framing)| {
        let body = body.concat();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n");
        match framing {
            None => format!("{head}\r\n{body}"),
            Some(0) => format!("{head}content-length: {}\r\n\r\n{body}", body.len()),
            Some(size) => {
                let chunk = |chunk: &[u8]| {
                    format!(
                        "{:x}\r\n{}\r\n",
                        chunk.len(),
                        String::from_utf8_lossy(chunk)
                    )
                };
                let chunks: String = body.as_bytes().chunks(size).map(chunk).collect();
                format!("{head}{CHUNKED}{chunks}0\r\n\r\n")
            }
        }
        .into_bytes()
    })
}

proptest! {
    #[test]
    fn any_cut_says_the_same(
        answer in any_answer(),
        limit in prop_oneof![Just(10_000), 0..150u64],
        damage in prop::option::of((any::<Index>(), any::<u8>())),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let mut answer = answer;
        if let Some((at, byte)) = damage {
            let at = at.index(answer.len());
            answer[at] = byte;
        }
        let whole = say(&mut begin(limit), &[&answer], true);
        let single: Vec<&[u8]> = answer.chunks(1).collect();
        // Bytes behind the answer are only seen where they come with its end.
        let same = |said: Vec<Said>| -> Vec<Said> {
            said.into_iter().map(|said| if let Said::Over(_) = said { Said::Over(true) } else { said }).collect()
        };
        prop_assert_eq!(same(say(&mut begin(limit), &pieces(&answer, &cuts), true)), same(whole.clone()));
        prop_assert_eq!(same(say(&mut begin(limit), &single, true)), same(whole));
    }

    #[test]
    fn nothing_makes_it_panic(bytes: Vec<u8>, limit: u64) {
        say(&mut begin(limit), &[&bytes], true);
        say(&mut begin(limit), &[JSON.as_bytes(), CHUNKED.as_bytes(), &bytes], true);
        say(&mut begin(limit), &[STREAM.as_bytes(), b"\r\n", &bytes], true);
    }
}
