use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::mcp::http::tests::pieces;

/// What a parser says about a stream that comes in these pieces.
fn hear(pieces: &[&[u8]], limit: u64) -> (Vec<Option<String>>, Result<(), BadStream>) {
    let mut parser = Parser::default();
    parser.begin();
    let mut events = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match parser.next(&mut input, limit) {
                Ok(Some(Event::Message)) => {
                    events.push(Some(String::from_utf8_lossy(parser.data()).into_owned()));
                }
                Ok(Some(Event::Priming)) => events.push(None),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
        assert!(input.is_empty());
    }
    let end = parser.end();
    (events, end)
}

fn events(text: &str) -> Vec<Option<String>> {
    let whole = hear(&[text.as_bytes()], 1000);
    let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(whole, hear(&single, 1000), "byte by byte");
    whole.0
}

fn data(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

#[test]
fn lines_end_in_three_ways() {
    for end in ["\n", "\r", "\r\n"] {
        let text = format!("event: message{end}data: a{end}{end}data:b{end}data: c{end}{end}");
        assert_eq!(events(&text), data(&["a", "b\nc"]), "{end:?}");
    }
}

#[test]
fn the_examples_of_the_standard() {
    assert_eq!(
        events("data: YHOO\ndata: +2\ndata: 10\n\n"),
        data(&["YHOO\n+2\n10"])
    );
    let text = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n";
    assert_eq!(
        events(text),
        data(&["first event", "second event"]),
        "the third is not finished"
    );
    assert_eq!(
        events("data:test\n\ndata: test\n\n"),
        data(&["test", "test"])
    );
}

#[test]
fn an_id_without_data_primes_the_stream() {
    assert_eq!(
        events("id: 7\nretry: 100\ndata: \n\ndata: x\n\n"),
        [None, Some("x".to_owned())]
    );
}

#[test]
fn comments_marks_and_other_types_say_nothing() {
    assert_eq!(
        events("\u{feff}data: x\n\n: keepalive\n\n:\n"),
        data(&["x"])
    );
    assert_eq!(
        events("event: ping\ndata: 1\n\nevent: message\ndata: 2\n\nevent:\ndata: 3\n\n"),
        data(&["2", "3"])
    );
}

#[test]
fn a_stream_that_breaks_off_is_told_from_one_that_ends() {
    let end = |text: &str| hear(&[text.as_bytes()], 1000).1;
    assert_eq!(end(""), Ok(()));
    assert_eq!(end("data: x\n\n"), Ok(()));
    assert_eq!(end("data: x\n"), Err(BadStream::Cut));
    assert_eq!(end("data: x\n\ndata"), Err(BadStream::Cut));
    assert_eq!(end("{\"jsonrpc\":\"2.0\"}\n\n"), Err(BadStream::Junk));
    assert_eq!(
        end("x-extension: 1\ndata: x\n\n"),
        Ok(()),
        "an unknown field beside events"
    );
}

#[test]
fn an_event_has_a_limit_and_a_stream_has_none() {
    let event = format!("data: {}\n\n", "x".repeat(80));
    assert_eq!(hear(&[event.repeat(50).as_bytes()], 100).0.len(), 50);
    let large = format!("data: {}", "x".repeat(101));
    assert_eq!(hear(&[large.as_bytes()], 100).1, Err(BadStream::TooLarge));
    let lines = "data: 0123456789\n".repeat(10);
    assert_eq!(hear(&[lines.as_bytes()], 100).1, Err(BadStream::TooLarge));
}

proptest! {
    #[test]
    fn any_cut_says_the_same(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "data", ":", " ", "x", "\n", "\r", "\r\n", "\n\n", "id", "event", "message", "\u{feff}", "data: {}\n\n",
            ]),
            0..40,
        ),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let text = words.concat();
        let whole = hear(&[text.as_bytes()], 10_000);
        prop_assert_eq!(&hear(&pieces(text.as_bytes(), &cuts), 10_000), &whole);
        prop_assert_eq!(&hear(&text.as_bytes().chunks(1).collect::<Vec<_>>(), 10_000), &whole);
    }

    #[test]
    fn what_was_sent_is_what_is_heard(
        sent in prop::collection::vec("[^\r]{1,40}", 0..8),
        end in prop::sample::select(vec!["\n", "\r", "\r\n"]),
        cuts in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let mut text = String::new();
        for event in &sent {
            for line in event.split('\n') {
                text.push_str(&format!("data: {line}{end}"));
            }
            text.push_str(end);
        }
        let expected: Vec<Option<String>> = sent.into_iter().map(Some).collect();
        prop_assert_eq!(hear(&pieces(text.as_bytes(), &cuts), 10_000), (expected, Ok(())));
    }

    #[test]
    fn nothing_makes_it_panic(bytes: Vec<u8>, limit in 0..50u64) {
        let _ = hear(&[&bytes], limit);
    }
}
