//! The body of a pod's answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use crate::serve::{HangUp, Whole};

pub(super) enum Body {
    Whole(Whole),
    /// Events as they come, until the sender is dropped.
    Events(mpsc::Receiver<Bytes>),
    Cut(Cut),
}

/// A promise of more bytes than will come: the connection breaks after `sent`.
pub(super) struct Cut {
    sent: Option<Bytes>,
    promised: u64,
    pause: Pin<Box<Sleep>>,
}

impl Cut {
    /// Long enough for what was sent to get through a proxy before the break is seen.
    const PAUSE: Duration = Duration::from_millis(20);

    pub(super) fn new(sent: Bytes, promised: u64) -> Cut {
        Cut {
            sent: Some(sent),
            promised,
            pause: Box::pin(sleep(Cut::PAUSE)),
        }
    }

    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        match self.sent.take() {
            Some(sent) => Poll::Ready(Some(Ok(Frame::data(sent)))),
            None => self
                .pause
                .as_mut()
                .poll(context)
                .map(|()| Some(Err(HangUp))),
        }
    }
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
            Body::Cut(cut) => cut.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Whole(body) => body.is_end_stream(),
            Body::Events(_) | Body::Cut(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(body) => body.size_hint(),
            Body::Events(_) => SizeHint::default(),
            Body::Cut(cut) => SizeHint::with_exact(cut.promised),
        }
    }
}
