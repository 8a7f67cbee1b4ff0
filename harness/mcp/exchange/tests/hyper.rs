//! Whole answers of a hyper server, as they stand on the wire: hyper's client and this codec read the same bytes, each in
//! cuts of its own, and have to agree with each other and with what the server was told to say.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Said, say};
use crate::mcp::exchange::Exchange;
use crate::mcp::http::Content;
use crate::mcp::http::tests::hyper::{ask_hyper, block_on};
use crate::mcp::http::tests::{hear, pieces};

/// An answer as the server is told it, and the messages that are in it.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    content: &'static str,
    session: Option<&'static str>,
    body: Vec<u8>,
    /// Where the body is cut into frames; with none it goes out with its length.
    frames: Option<Vec<Index>>,
    messages: Vec<String>,
}

/// A message, with line ends where JSON lets them be.
fn message() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", " ", "\n", "\n  "]);
    (any::<u32>(), "[a-z \u{e4}\u{1f600}]{0,40}", space).prop_map(|(id, text, space)| {
        format!(
            "{{\"jsonrpc\":\"2.0\",{space}\"id\":{id},{space}\"result\":{{\"text\":\"{text}\"}}}}"
        )
    })
}

/// What stands between events: nothing, a comment, what a stream is opened with, an event that is not of MCP.
fn between() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        ": keep-alive",
        ":\n: twice",
        "id: 7\nretry: 100\ndata:\n",
        "event: other\ndata: {\"not\":\"ours\"}\n",
    ])
}

/// An event: each line of the message is a line of data.
fn event(message: &str, before: &str, space: bool, named: bool) -> String {
    let mut text = format!("{before}\n");
    if named {
        text.push_str("event: message\n");
    }
    for line in message.split('\n') {
        // The first space behind the colon is not of the line.
        let space = if space || line.starts_with(' ') {
            " "
        } else {
            ""
        };
        text.push_str(&format!("data:{space}{line}\n"));
    }
    text.push('\n');
    text
}

/// Messages, and the body that says them.
type Spoken = (Vec<String>, Vec<u8>);

fn stream() -> impl Strategy<Value = Spoken> {
    let events = prop::collection::vec((message(), between(), any::<bool>(), any::<bool>()), 0..5);
    (events, prop::sample::select(vec!["\n", "\r\n", "\r"])).prop_map(|(events, end)| {
        let text: String = events
            .iter()
            .map(|(message, before, space, named)| event(message, before, *space, *named))
            .collect();
        let messages = events.into_iter().map(|(message, ..)| message);
        (messages.collect(), text.replace('\n', end).into_bytes())
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let spoken = prop_oneof![
        message().prop_map(|text| ("application/json", (vec![text.clone()], text.into_bytes()))),
        stream().prop_map(|spoken| ("text/event-stream", spoken)),
    ];
    (
        prop::sample::select(vec![200u16, 200, 200, 201, 404, 503]),
        prop::option::of(Just("1868a90c-7d3f")),
        spoken,
        prop::option::of(prop::collection::vec(any::<Index>(), 0..6)),
    )
        .prop_map(
            |(status, session, (content, (messages, body)), frames)| Answer {
                status,
                content,
                session,
                body,
                frames,
                // What is no success is told by its status alone.
                messages: if status < 300 { messages } else { Vec::new() },
            },
        )
}

/// A body that goes out in these frames.
struct Frames {
    left: VecDeque<Bytes>,
    sized: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.left.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.sized && self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.sized {
            true => SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum()),
            false => SizeHint::default(),
        }
    }
}

impl Answer {
    fn response(&self) -> Response<Frames> {
        let (sized, cuts) = (
            self.frames.is_none(),
            self.frames.as_deref().unwrap_or_default(),
        );
        let left = pieces(&self.body, cuts)
            .into_iter()
            .map(Bytes::copy_from_slice);
        let body = Frames {
            left: left.filter(|piece| !piece.is_empty()).collect(),
            sized,
        };
        let mut builder = Response::builder()
            .status(self.status)
            .header("content-type", self.content);
        if let Some(id) = self.session {
            builder = builder.header("mcp-session-id", id);
        }
        builder.body(body).expect("headers that hyper takes")
    }

    fn content(&self) -> Content {
        match self.content {
            "application/json" => Content::Json,
            _ => Content::EventStream,
        }
    }

    /// The bytes that a hyper server sends.
    async fn sent(&self) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let serve =
            service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(self.response()) });
        let connection = http1::Builder::new()
            .half_close(true)
            .serve_connection(TokioIo::new(server), serve);
        let ask = async move {
            let request = b"POST /mcp HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n";
            client.write_all(request).await.expect("a pipe");
            // Nothing follows: the server ends the pipe after its answer.
            client.shutdown().await.expect("a pipe");
            let mut sent = Vec::new();
            client.read_to_end(&mut sent).await.expect("a pipe");
            sent
        };
        let (sent, served) = tokio::join!(ask, connection);
        served.expect("an answer that hyper can send");
        sent
    }
}

fn texts(said: &[Said]) -> Vec<&str> {
    said.iter()
        .filter_map(|said| match said {
            Said::Message(text, _) => Some(text.as_str()),
            Said::Status(_) | Said::Over(_) | Said::Broken(_) => None,
        })
        .collect()
}

proptest! {
    #[test]
    fn what_a_hyper_server_says_is_heard_as_hyper_hears_it(
        answer in answer(),
        ours in prop::collection::vec(any::<Index>(), 0..12),
        again in prop::collection::vec(any::<Index>(), 0..12),
        theirs in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let bytes = block_on(answer.sent());
        let heard = hear(&pieces(&bytes, &ours));
        let (told, reused) = block_on(ask_hyper(&pieces(&bytes, &theirs), false));

        let head = heard.head.expect("a head");
        prop_assert_eq!(told.status, Some(answer.status));
        prop_assert_eq!(Some(head.status), told.status);
        prop_assert_eq!(Some(head.content), told.content);
        prop_assert_eq!(head.content, answer.content());
        prop_assert_eq!(&heard.session, &told.session);
        prop_assert_eq!(heard.session.as_deref(), answer.session.map(str::as_bytes));
        prop_assert!(heard.complete && told.whole && heard.left.is_empty());
        prop_assert_eq!(head.reusable, reused);
        prop_assert_eq!(&told.body, &answer.body);
        prop_assert_eq!(&heard.body, &told.body);

        let mut exchange = Exchange::default();
        exchange.begin(1 << 20, true);
        let said = say(&mut exchange, &pieces(&bytes, &again), false);
        prop_assert_eq!(said.first(), Some(&Said::Status(answer.status)));
        prop_assert_eq!(said.last(), Some(&Said::Over(reused)));
        prop_assert_eq!(texts(&said), answer.messages);
        prop_assert_eq!(exchange.session(), heard.session.as_deref());
    }
}
