//! The same answers through hyper's client, over a pipe in memory: what it says is what we have to say.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::super::{BadHttp, Content};
use super::{hear, pieces};

/// An answer that a server could give.
#[derive(Clone)]
pub struct Answer {
    version: &'static str,
    informational: &'static str,
    status: &'static str,
    headers: Vec<&'static str>,
    framing: Framing,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Framing {
    Length,
    /// The length of each chunk, the rest in a last one; what stands behind each size; the trailers.
    Chunked(Vec<usize>, &'static str, &'static str),
    UntilClose,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.bytes().escape_ascii())
    }
}

impl Answer {
    fn is_chunked(&self) -> bool {
        matches!(self.framing, Framing::Chunked(..))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.informational.as_bytes().to_vec();
        out.extend_from_slice(format!("{} {}\r\n", self.version, self.status).as_bytes());
        for header in &self.headers {
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        match &self.framing {
            Framing::Length => {
                let length = format!("Content-Length: {}\r\n\r\n", self.body.len());
                out.extend_from_slice(length.as_bytes());
                out.extend_from_slice(&self.body);
            }
            Framing::Chunked(lengths, extension, trailers) => {
                out.extend_from_slice(b"transfer-encoding: Chunked\r\n\r\n");
                let mut rest = self.body.as_slice();
                for length in lengths.iter().copied().chain([rest.len()]) {
                    let (chunk, after) = rest.split_at(length.min(rest.len()));
                    rest = after;
                    if !chunk.is_empty() {
                        let size = format!("{:X}{extension}\r\n", chunk.len());
                        out.extend_from_slice(&[size.as_bytes(), chunk, b"\r\n"].concat());
                    }
                }
                out.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
            }
            Framing::UntilClose => {
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(&self.body);
            }
        }
        out
    }
}

const HEADERS: [&str; 12] = [
    "content-type: application/json",
    "Content-Type: text/event-stream; charset=utf-8",
    "content-type: text/html",
    "mcp-session-id: 1868a90c-7d3f",
    "connection: close",
    "Connection: keep-alive",
    "connection: Upgrade, close",
    "date: Mon, 23 Nov 2026 12:00:00 GMT",
    "x-empty:",
    "x-tabs:\ta\t",
    "cache-control: no-cache, no-transform",
    "x-latin: caf\u{e9}",
];

pub fn answer() -> impl Strategy<Value = Answer> {
    let framing = prop_oneof![
        3 => Just(Framing::Length),
        3 => (
            prop::collection::vec(1..40usize, 0..5),
            prop::sample::select(vec!["", ";a=1", " ", ";q=\"x;y\"", "\t;z"]),
            prop::sample::select(vec!["", "sum: 1\r\n", "a: b\r\nc: d\r\n"]),
        )
            .prop_map(|(lengths, extension, trailers)| Framing::Chunked(lengths, extension, trailers)),
        1 => Just(Framing::UntilClose),
    ];
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        Just(br#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#.to_vec()),
        Just(b"event: message\ndata: {}\n\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
    ];
    (
        prop::sample::select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]),
        prop::sample::select(vec!["", "", "HTTP/1.1 100 Continue\r\n\r\n"]),
        prop::sample::select(vec![
            "200 OK",
            "202 Accepted",
            "204 No Content",
            "304",
            "404 Not Found",
            "503 ",
        ]),
        prop::sample::subsequence(HEADERS.to_vec(), 0..5),
        framing,
        body,
    )
        .prop_map(
            |(version, informational, status, headers, framing, body)| Answer {
                version,
                informational,
                status,
                headers,
                framing,
                body,
            },
        )
}

/// An answer with a byte changed, doubled or left out, or cut off.
pub fn damaged() -> impl Strategy<Value = (Answer, Vec<u8>)> {
    (answer(), any::<Index>(), any::<u8>(), 0..4u8).prop_map(|(answer, at, byte, way)| {
        let mut bytes = answer.bytes();
        let at = at.index(bytes.len());
        match way {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, bytes[at]),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        (answer, bytes)
    })
}

#[derive(Debug, PartialEq)]
pub(in crate::mcp) struct Told {
    pub status: Option<u16>,
    pub content: Option<Content>,
    pub session: Option<Vec<u8>>,
    pub body: Vec<u8>,
    pub whole: bool,
}

/// What hyper tells about an answer that comes in these pieces, after which the connection ends or stays; and
/// whether it would use the connection again.
pub(in crate::mcp) async fn ask_hyper(pieces: &[&[u8]], ends: bool) -> (Told, bool) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(ours))
        .await
        .expect("a pipe takes a handshake");
    let told = async {
        let request = hyper::Request::post("/")
            .body(Empty::new())
            .expect("a plain request");
        let Ok(answer) = sender.send_request(request).await else {
            return (
                Told {
                    status: None,
                    content: None,
                    session: None,
                    body: Vec::new(),
                    whole: false,
                },
                false,
            );
        };
        let (head, mut body) = answer.into_parts();
        let mut told = Told {
            status: Some(head.status.as_u16()),
            content: Some(content(
                head.headers.get_all("content-type").iter().next_back(),
            )),
            session: head
                .headers
                .get_all("mcp-session-id")
                .iter()
                .next_back()
                .map(|id| id.as_bytes().to_vec()),
            body: Vec::new(),
            whole: true,
        };
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => told.body.extend(frame.into_data().unwrap_or_default()),
                Err(_) => told.whole = false,
            }
        }
        let again = sender.ready().await.is_ok();
        (told, again)
    };
    let serve = serve(theirs, pieces, ends);
    tokio::select! {
        biased;
        told = told => told,
        never = async { tokio::join!(serve, connection).0 } => match never {},
    }
}

async fn serve(mut pipe: DuplexStream, pieces: &[&[u8]], ends: bool) -> Infallible {
    let mut request = [0; 1024];
    let _ = pipe.read(&mut request).await;
    for piece in pieces {
        let _ = pipe.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    if ends {
        let _ = pipe.shutdown().await;
    }
    std::future::pending().await
}

fn content(value: Option<&hyper::header::HeaderValue>) -> Content {
    let Some(value) = value else {
        return Content::Unnamed;
    };
    let kind = value.as_bytes().split(|byte| *byte == b';').next();
    match kind
        .unwrap_or_default()
        .trim_ascii()
        .to_ascii_lowercase()
        .as_slice()
    {
        b"application/json" => Content::Json,
        b"text/event-stream" => Content::EventStream,
        _ => Content::Other,
    }
}

pub(in crate::mcp) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

proptest! {
    #[test]
    fn hyper_hears_the_same(
        answer in answer(),
        ours in prop::collection::vec(any::<Index>(), 0..8),
        theirs in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let bytes = answer.bytes();
        let heard = hear(&pieces(&bytes, &ours));
        let refused_by_us = answer.is_chunked() && answer.version == "HTTP/1.0";
        let (told, again) = block_on(ask_hyper(&pieces(&bytes, &theirs), !heard.complete));
        if refused_by_us && !matches!(&answer.status[..3], "204" | "304") {
            prop_assert_eq!(heard.error, Some(BadHttp::Coding));
            prop_assert_eq!(told.status, None, "and hyper refuses it too");
            return Ok(());
        }
        let head = heard.head.expect("a head");
        prop_assert_eq!(told.status, Some(head.status));
        prop_assert_eq!(told.content, Some(head.content));
        prop_assert_eq!(told.session, heard.session);
        prop_assert!(told.whole && heard.error.is_none());
        prop_assert_eq!(told.body, heard.body);
        if heard.complete && heard.left.is_empty() {
            prop_assert_eq!(again, head.reusable);
        }
    }

    #[test]
    fn hyper_doubts_the_same(
        (answer, bytes) in damaged(),
        ours in prop::collection::vec(any::<Index>(), 0..8),
        theirs in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let heard = hear(&pieces(&bytes, &ours));
        let (told, _) = block_on(ask_hyper(&pieces(&bytes, &theirs), true));
        let whole = heard.complete || (heard.error.is_none() && heard.eof == Some(super::Eof::Complete));
        match heard.error {
            // Stricter than hyper on purpose.
            Some(BadHttp::Coding) => return Ok(()),
            Some(BadHttp::Head) if told.status == Some(101) => return Ok(()),
            // hyper does not look at a length that it has no use for.
            Some(BadHttp::Length) if matches!(told.status, Some(204 | 304)) => return Ok(()),
            Some(BadHttp::Length) if answer.is_chunked() => return Ok(()),
            // hyper takes a bare LF for the end of the trailers, and what follows it for nothing.
            Some(BadHttp::Chunk) if bytes.windows(3).any(|three| three == b"\r\n\n") => return Ok(()),
            _ => {}
        }
        prop_assert_eq!(told.status, heard.head.map(|head| head.status), "{}", bytes.escape_ascii());
        if let Some(head) = heard.head {
            prop_assert_eq!(told.content, Some(head.content));
            prop_assert_eq!(told.whole, whole, "{}", bytes.escape_ascii());
        }
        if told.whole {
            prop_assert_eq!(told.body, heard.body);
        }
    }
}
