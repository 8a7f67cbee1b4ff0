pub(in crate::mcp) mod hyper;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// The bytes cut at these places, in order. Empty pieces do not occur.
pub(in crate::mcp) fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts
        .iter()
        .map(|cut| cut.index(bytes.len().max(1)))
        .collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.dedup();
    places
        .windows(2)
        .map(|ends| &bytes[ends[0]..ends[1]])
        .collect()
}

/// Everything that a decoder said, bodies joined.
#[derive(Debug, Default, PartialEq)]
pub(in crate::mcp) struct Heard {
    pub head: Option<Head>,
    pub session: Option<Vec<u8>>,
    pub body: Vec<u8>,
    pub error: Option<BadHttp>,
    /// The answer was complete before the connection ended.
    pub complete: bool,
    pub left: Vec<u8>,
    pub eof: Option<Eof>,
}

/// Decodes one answer; what comes after it is `left`.
pub(in crate::mcp) fn hear(pieces: &[&[u8]]) -> Heard {
    let mut decoder = Decoder::default();
    decoder.begin(true);
    hear_with(&mut decoder, pieces)
}

fn hear_with(decoder: &mut Decoder, pieces: &[&[u8]]) -> Heard {
    let mut heard = Heard::default();
    for (index, piece) in pieces.iter().enumerate() {
        let mut input = *piece;
        loop {
            match decoder.next(&mut input) {
                Ok(Step::More) => break,
                Ok(Step::Head(head)) => heard.head = Some(head),
                Ok(Step::Body(piece)) => {
                    assert!(!piece.is_empty(), "a piece of a body holds something");
                    heard.body.extend_from_slice(piece);
                }
                Ok(Step::End) => {
                    heard.complete = true;
                    heard.left = [&[input], &pieces[index + 1..]].concat().concat();
                    heard.session = decoder.session().map(<[u8]>::to_vec);
                    return heard;
                }
                Err(error) => {
                    heard.error = Some(error);
                    return heard;
                }
            }
        }
    }
    heard.session = decoder.session().map(<[u8]>::to_vec);
    match decoder.end_of_stream() {
        Eof::NotHttp => heard.error = Some(BadHttp::Head),
        eof => heard.eof = Some(eof),
    }
    heard
}

fn hear_text(text: &str) -> Heard {
    hear(&[text.as_bytes()])
}

#[test]
fn a_body_of_known_length() {
    let heard = hear_text(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nMcp-Session-Id: a-1\r\n\
         Content-Length: 2\r\n\r\n{}",
    );
    let head = Head {
        status: 200,
        content: Content::Json,
        reusable: true,
        by: None,
    };
    assert_eq!(heard.head, Some(head));
    assert_eq!(heard.session.as_deref(), Some(b"a-1".as_slice()));
    assert_eq!(
        (heard.body.as_slice(), heard.complete),
        (b"{}".as_slice(), true)
    );
}

#[test]
fn chunks_with_extensions_and_trailers() {
    let heard = hear_text(
        "HTTP/1.1 200 OK\r\ncontent-type: TEXT/EVENT-STREAM\r\ntransfer-encoding: chunked\r\n\r\n\
         5;name=\"value\"\r\nhello\r\n0006 \t\r\n world\r\n0\r\nsum: 1\r\nx: \r\n\r\n",
    );
    assert_eq!(
        heard.head.map(|head| head.content),
        Some(Content::EventStream)
    );
    assert_eq!(heard.body, b"hello world");
    assert!(heard.complete && heard.left.is_empty());
}

#[test]
fn informational_heads_are_skipped() {
    let heard = hear_text(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
         HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n",
    );
    let head = Head {
        status: 202,
        content: Content::Unnamed,
        reusable: true,
        by: None,
    };
    assert_eq!((heard.head, heard.complete), (Some(head), true));
}

#[test]
fn statuses_without_a_body_have_none() {
    for status in ["204 No Content", "304 Not Modified"] {
        let heard = hear_text(&format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\n"));
        assert!(heard.complete && heard.body.is_empty(), "{status}");
    }
}

#[test]
fn a_connection_is_reused_only_where_both_sides_may() {
    let reusable = |version: &str, headers: &str| {
        let heard = hear_text(&format!("{version} 200 OK\r\n{headers}\r\n"));
        heard.head.expect("a head").reusable
    };
    let length = "content-length: 0\r\n";
    assert!(reusable("HTTP/1.1", length));
    assert!(!reusable("HTTP/1.0", length));
    assert!(reusable(
        "HTTP/1.0",
        &format!("connection: Keep-Alive\r\n{length}")
    ));
    assert!(!reusable(
        "HTTP/1.1",
        &format!("connection: upgrade, Close\r\n{length}")
    ));
    assert!(!reusable(
        "HTTP/1.1",
        &format!("connection: close\r\nconnection: keep-alive\r\n{length}")
    ));
    assert!(
        !reusable("HTTP/1.1", ""),
        "the end of the connection is the end of the body"
    );
}

#[test]
fn what_is_not_http_is_an_error_of_its_kind() {
    let error = |text: &str| hear_text(text).error;
    assert_eq!(
        error("SSH-2.0-OpenSSH_9.6\r\n"),
        Some(BadHttp::Head),
        "at once, not at a time-out"
    );
    assert_eq!(error("HTTP/2.0 200 OK\r\n\r\n"), Some(BadHttp::Head));
    assert_eq!(
        error("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        Some(BadHttp::Head)
    );
    let with = |headers: &str| error(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"));
    assert_eq!(with("no colon"), Some(BadHttp::Head));
    assert_eq!(with("content-length: +5"), Some(BadHttp::Length));
    assert_eq!(
        with("content-length: 5\r\ncontent-length: 6"),
        Some(BadHttp::Length)
    );
    assert_eq!(
        with("content-length: 99999999999999999999"),
        Some(BadHttp::Length)
    );
    assert_eq!(
        with("transfer-encoding: gzip, chunked"),
        Some(BadHttp::Coding)
    );
    let chunked = |body: &str| {
        error(&format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"
        ))
    };
    for body in [
        "x\r\n",
        "\r\n",
        "5\n",
        "5\rx",
        "1\r\nab",
        "1\r\na\n",
        "5;a\n",
        "0\r\nx: y\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "-1\r\n",
        "11111111111111111\r\n",
    ] {
        assert_eq!(chunked(body), Some(BadHttp::Chunk), "{body:?}");
    }
}

#[test]
fn heads_have_a_limit_however_they_come() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(70_000));
    assert_eq!(hear_text(&endless).error, Some(BadHttp::HeadTooLarge));
    let small: Vec<&[u8]> = endless.as_bytes().chunks(1000).collect();
    assert_eq!(hear(&small).error, Some(BadHttp::HeadTooLarge));
    let crowded = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert_eq!(hear_text(&crowded).error, Some(BadHttp::Head));
}

#[test]
fn the_end_of_the_connection_means_what_it_ended() {
    let eof = |text: &str| hear_text(text).eof;
    assert_eq!(hear(&[]).eof, Some(Eof::BeforeAnswer));
    assert_eq!(eof("H"), Some(Eof::MidAnswer));
    assert_eq!(
        eof("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}"),
        Some(Eof::MidAnswer)
    );
    assert_eq!(
        eof("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"),
        Some(Eof::MidAnswer)
    );
    assert_eq!(eof("HTTP/1.1 200 OK\r\n\r\n{}"), Some(Eof::Complete));
}

#[test]
fn what_follows_the_answer_is_left() {
    let heard = hear_text("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n");
    assert_eq!(
        (heard.complete, heard.left.as_slice()),
        (true, b"HTTP/1.1 200 OK\r\n".as_slice())
    );
}

#[test]
fn a_session_id_cannot_smuggle_a_header() {
    let heard =
        hear_text("HTTP/1.1 200 OK\r\nmcp-session-id: a\rx-evil: 1\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        (heard.error, heard.session),
        (Some(BadHttp::Head), None),
        "a bare CR is refused"
    );
}

proptest! {
    #[test]
    fn any_cut_of_any_bytes_says_the_same(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            hyper::answer().prop_map(|answer| answer.bytes()),
            hyper::damaged().prop_map(|(_, bytes)| bytes),
        ],
        cuts in prop::collection::vec(any::<Index>(), 0..30),
        single: bool,
    ) {
        let cut = if single { bytes.chunks(1).collect() } else { pieces(&bytes, &cuts) };
        let whole: Vec<&[u8]> = if bytes.is_empty() { Vec::new() } else { vec![&bytes] };
        let (mut cut, mut whole) = (hear(&cut), hear(&whole));
        if whole.error.is_some() {
            // How much of a body was told before its framing broke depends on nothing but the bytes; the head too.
            (cut.session, whole.session) = (None, None);
        }
        prop_assert_eq!(cut, whole);
    }
    #[test]
    fn what_came_before_changes_nothing(
        answers in prop::collection::vec(
            prop_oneof![
                hyper::answer().prop_map(|answer| answer.bytes()),
                hyper::damaged().prop_map(|(_, bytes)| bytes),
            ],
            1..4,
        ),
        turns in prop::collection::vec(
            (any::<Index>(), any::<bool>(), prop::collection::vec(any::<Index>(), 0..3)),
            1..12,
        ),
    ) {
        let mut experienced = Decoder::default();
        for (which, keeps_session, cuts) in turns {
            let bytes: &Vec<u8> = which.get(&answers);
            let pieces = pieces(bytes, &cuts);
            let mut fresh = Decoder::default();
            fresh.begin(keeps_session);
            experienced.begin(keeps_session);
            let expected = hear_with(&mut fresh, &pieces);
            prop_assert_eq!(hear_with(&mut experienced, &pieces), expected);
        }
    }
}
