//! The body of a pod's answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::serve::{HangUp, Whole};

pub(super) enum Body {
    Whole(Whole),
    /// Events as they come, until the sender is dropped.
    Events(mpsc::Receiver<Bytes>),
    /// A promise of more bytes than will come: the connection breaks after these.
    Cut {
        sent: Option<Bytes>,
        promised: u64,
    },
}

impl From<Whole> for Body {
    fn from(body: Whole) -> Body {
        Body::Whole(body)
    }
}

impl From<Bytes> for Body {
    fn from(body: Bytes) -> Body {
        Body::Whole(body.into())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        match &mut *self {
            Body::Whole(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Body::Events(events) => events
                .poll_recv(context)
                .map(|event| event.map(|event| Ok(Frame::data(event)))),
            Body::Cut { sent, .. } => Poll::Ready(Some(sent.take().map(Frame::data).ok_or(HangUp))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(body) => body.is_end_stream(),
            Body::Events(_) | Body::Cut { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(body) => body.size_hint(),
            Body::Events(_) => SizeHint::default(),
            Body::Cut { promised, .. } => SizeHint::with_exact(*promised),
        }
    }
}
