//! Bodies that are measured, and the words with which a bound refuses.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::Body;
use super::clients::Refusal;
use crate::answer;
use crate::site::Bounds;

/// erlmcp's codes for what a limit refuses, and for a message that is too large.
const LIMITED: i64 = -32010;
const TOO_LARGE: i64 = -32012;

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Refusal::Rate | Refusal::Connections => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Size => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Slow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Refusal::Rate => "too many messages",
            Refusal::Connections => "too many connections",
            Refusal::Size => "message too large",
            Refusal::Slow => "the answer is not taken",
        }
    }

    /// The error belongs to no request: nobody has read one.
    fn text(self, bounds: &Bounds) -> String {
        let mut data = json!({ "refusal": self.code() });
        let (code, limit, value) = match self {
            Refusal::Rate => (LIMITED, "rate", json!(bounds.client_rate.or(bounds.rate))),
            Refusal::Connections => (LIMITED, "connections", json!(bounds.client_connections)),
            Refusal::Size => (TOO_LARGE, "maxSize", json!(bounds.message)),
            Refusal::Slow => (LIMITED, "timeout", Value::Null),
        };
        data[limit] = value;
        json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": { "code": code, "message": self.message(), "data": data },
        })
        .to_string()
    }
}

pub(super) fn answer(refusal: Refusal, bounds: &Bounds) -> Response<Body> {
    let mut response = answer::typed(refusal.status(), answer::JSON, refusal.text(bounds));
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response.map(Either::Left)
}

/// The same for a connection on which nothing was asked yet.
pub(super) fn whole(refusal: Refusal, bounds: &Bounds) -> Bytes {
    let text = refusal.text(bounds);
    Bytes::from(format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{text}",
        refusal.status(),
        text.len()
    ))
}

/// A request's body on its way to a pod, which is given up when it is longer than a message may be.
pub(super) struct Measured {
    body: Incoming,
    left: u64,
    over: Rc<Cell<bool>>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Unsent {
    #[error("the body is longer than a message may be")]
    TooLong,
    #[error(transparent)]
    Lost(#[from] hyper::Error),
}

impl Measured {
    /// `over` becomes true when more than `most` bytes have come.
    pub(super) fn new(body: Incoming, most: Option<u64>, over: Rc<Cell<bool>>) -> Measured {
        Measured {
            body,
            left: most.unwrap_or(u64::MAX),
            over,
        }
    }
}

impl HttpBody for Measured {
    type Data = Bytes;
    type Error = Unsent;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unsent>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.left.checked_sub(length) else {
            self.over.set(true);
            return Poll::Ready(Some(Err(Unsent::TooLong)));
        };
        self.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
