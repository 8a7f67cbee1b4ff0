//! The answer to one request, from its bytes to its messages. The same connection begins it anew for the next.
//!
//! [`Exchange::begin`], then [`Exchange::next`] on what was read until it says that all is used up or that the answer is
//! over, and [`Exchange::end_of_stream`] when the connection ends first.
//!
//! A JSON body that comes in one piece is looked at where it lies; anything else is gathered first.

use std::sync::Arc;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ProtocolFault, TransportFailure};

use super::http::{Content, Decoder, Eof, Head, Identity, Step};
use super::sse::{self, BadStream};

/// No more memory than this is kept for the next answer, in each of the places where one is gathered.
const KEPT: usize = 16 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// All input is used up.
    More,
    Head(Head),
    /// The text of a JSON-RPC message, or what stands in its place.
    Message(&'a [u8]),
    /// The answer is complete; the connection can carry another exchange, or not.
    Over {
        reusable: bool,
    },
    /// The server broke the protocol: the connection is of no more use.
    Broken(Outcome),
}

#[derive(Debug, Default)]
pub struct Exchange {
    decoder: Decoder,
    stream: sse::Parser,
    body: Vec<u8>,
    head: Option<Head>,
    limit: u64,
    /// Bytes of the body so far.
    received: u64,
    /// The JSON body has been told as a message.
    body_told: bool,
}

impl Exchange {
    /// An exchange that looks for who answered.
    pub fn new(identity: Option<Arc<Identity>>) -> Exchange {
        Exchange {
            decoder: Decoder::new(identity),
            ..Exchange::default()
        }
    }

    /// Makes ready for an answer whose body has at most `limit` bytes.
    pub fn begin(&mut self, limit: u64, keep_session: bool) {
        self.decoder.begin(keep_session);
        self.stream.begin();
        self.body.clear();
        self.head = None;
        self.limit = limit;
        self.received = 0;
        self.body_told = false;
    }

    /// Bytes of the answer's body that have been read.
    pub fn body_length(&self) -> u64 {
        self.received
    }

    pub fn session(&self) -> Option<&[u8]> {
        self.decoder.session()
    }

    pub fn has_begun(&self) -> bool {
        self.decoder.has_begun()
    }

    /// Gives back memory that a large answer took.
    pub fn rest(&mut self) {
        self.body.clear();
        self.body.shrink_to(KEPT);
        self.stream.begin();
        self.stream.shrink(KEPT);
    }

    /// The next thing in `input`. Call again until it says [`Event::More`], [`Event::Over`] or
    /// [`Event::Broken`]; `pending` carries what is left of a piece of an event stream between the calls.
    pub fn next<'s, 'i: 's>(
        &'s mut self,
        input: &mut &'i [u8],
        pending: &mut &'i [u8],
    ) -> Event<'s> {
        loop {
            if !pending.is_empty() {
                match self.read_stream(pending) {
                    Ok(Some(sse::Event::Message)) => return Event::Message(self.stream.data()),
                    Ok(Some(sse::Event::Priming) | None) => continue,
                    Err(error) => return Event::Broken(stream_fault(error)),
                }
            }
            let step = match self.decoder.next(input) {
                Ok(step) => step,
                Err(_) => return Event::Broken(Outcome::Protocol(ProtocolFault::BadHttp)),
            };
            match step {
                Step::More => return Event::More,
                Step::Head(head) => {
                    self.head = Some(head);
                    return Event::Head(head);
                }
                Step::Body(piece) => match self.kind() {
                    Kind::Stream => *pending = piece,
                    Kind::Ignored => self.received += piece.len() as u64,
                    Kind::Json => {
                        self.received += piece.len() as u64;
                        if self.received > self.limit {
                            return Event::Broken(Outcome::Protocol(ProtocolFault::Oversize));
                        }
                        if self.body.is_empty() && self.decoder.is_body_complete() {
                            self.body_told = true;
                            return Event::Message(piece);
                        }
                        self.body.extend_from_slice(piece);
                    }
                },
                Step::End => return self.over(input),
            }
        }
    }

    /// Reads on in an event stream. Its bytes count as they are read, so that how they were cut makes no difference.
    fn read_stream(&mut self, pending: &mut &[u8]) -> Result<Option<sse::Event>, BadStream> {
        let before = pending.len();
        let event = self.stream.next(pending, self.limit)?;
        self.received += (before - pending.len()) as u64;
        if self.received > self.limit {
            return Err(BadStream::TooLarge);
        }
        Ok(event)
    }

    /// The end of the answer: a body that was gathered is told first.
    fn over(&mut self, input: &[u8]) -> Event<'_> {
        match self.kind() {
            Kind::Json
                if !self.body.is_empty() && !std::mem::replace(&mut self.body_told, true) =>
            {
                return Event::Message(&self.body);
            }
            Kind::Stream => {
                if let Err(error) = self.stream.end() {
                    return Event::Broken(stream_fault(error));
                }
            }
            Kind::Json | Kind::Ignored => {}
        }
        // Bytes after the end answer nothing that was asked.
        let reusable = self.head.is_some_and(|head| head.reusable) && input.is_empty();
        Event::Over { reusable }
    }

    fn kind(&self) -> Kind {
        match self.head {
            Some(Head {
                status: 200..300,
                content: Content::Json,
                ..
            }) => Kind::Json,
            Some(Head {
                status: 200..300,
                content: Content::EventStream,
                ..
            }) => Kind::Stream,
            Some(_) | None => Kind::Ignored,
        }
    }

    /// The connection has ended. What it means when the exchange was not over; `used` is whether the connection
    /// had carried an exchange before.
    pub fn end_of_stream(&mut self, used: bool) -> Event<'_> {
        match self.decoder.end_of_stream() {
            Eof::Complete => match self.over(&[]) {
                Event::Over { .. } => Event::Over { reusable: false },
                other => other,
            },
            Eof::BeforeAnswer if used => {
                Event::Broken(Outcome::Transport(TransportFailure::StaleReuse))
            }
            Eof::BeforeAnswer => {
                Event::Broken(Outcome::Transport(TransportFailure::EofBeforeResponse))
            }
            Eof::NotHttp => Event::Broken(Outcome::Protocol(ProtocolFault::BadHttp)),
            Eof::MidAnswer => Event::Broken(Outcome::Transport(TransportFailure::EofMidBody)),
        }
    }
}

/// What is done with the body.
enum Kind {
    Json,
    Stream,
    /// The head alone decides.
    Ignored,
}

fn stream_fault(error: BadStream) -> Outcome {
    Outcome::Protocol(match error {
        BadStream::TooLarge => ProtocolFault::Oversize,
        BadStream::Cut | BadStream::Junk => ProtocolFault::SseFraming,
    })
}

#[cfg(test)]
mod tests;
