//! HTTP/1.1 answers, decoded as their bytes come, in any cut, without copying bodies and without allocating.
//!
//! [`Decoder::next`] takes bytes off the front of its input and returns one step at a time. A head that comes in
//! pieces is gathered; a body never is.
//!
//! - `head`: the status line and the headers that matter
//! - `chunk`: the framing of chunked bodies
//!
//! It is as strict as hyper's client, which it is tested against, and stricter about transfer codings: we ask for
//! none, so that an answer with any but `chunked` could not be read.

mod chunk;
mod head;

use std::sync::Arc;

pub use head::{AnsweredBy, Content, Head, Identity};

use chunk::Framing;
use head::{LARGEST_HEAD, MOST_HEADERS, Parsed, Wanted};

/// A gathered head gives its memory back when it was larger than this.
const KEPT: usize = 4096;
/// Most heads are smaller than this.
const USUAL: usize = 512;

/// The peer does not speak HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHttp {
    #[error("the head of the answer is not HTTP/1.1, or has more than {MOST_HEADERS} headers")]
    Head,
    #[error("the head of the answer is larger than {LARGEST_HEAD} bytes")]
    HeadTooLarge,
    #[error("the answer has two lengths, or one that is no number")]
    Length,
    #[error("the answer has a transfer coding other than chunked, or is HTTP/1.0 and has one")]
    Coding,
    #[error("a chunk of the answer is not framed as one")]
    Chunk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// All input is used up.
    More,
    Head(Head),
    /// A piece of the body, chunk framing taken off.
    Body(&'a [u8]),
    /// The answer is complete.
    End,
}

/// What the end of the connection means for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eof {
    /// The answer is complete: the end of the connection may have been the end of its body.
    Complete,
    /// Nothing of an answer had come.
    BeforeAnswer,
    /// The answer broke off.
    MidAnswer,
    /// What had come was not the beginning of an answer.
    NotHttp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    #[default]
    Head,
    /// This many bytes of the body are still to come.
    Length(u64),
    Chunked(Framing),
    UntilClose,
    Done,
}

#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    /// The beginning of a head that has not come whole.
    partial: Vec<u8>,
    /// The `mcp-session-id` of the head, where it is looked for.
    session: Vec<u8>,
    keeps_session: bool,
    identity: Option<Arc<Identity>>,
    familiar: Familiar,
}

/// The head that came last, and what it said. A server begins most of its answers with the same bytes, and to compare
/// them costs less than to read them.
#[derive(Debug, Default)]
struct Familiar {
    bytes: Vec<u8>,
    said: Option<Parsed>,
}

impl Familiar {
    fn recognise(&self, input: &[u8]) -> Option<Parsed> {
        self.said.filter(|_| input.starts_with(&self.bytes))
    }

    fn learn(&mut self, head: &[u8], said: Parsed) {
        if head.len() > KEPT {
            return;
        }
        self.bytes.clear();
        // Once and for all, as long as heads are what they usually are.
        self.bytes.reserve(USUAL);
        self.bytes.extend_from_slice(head);
        self.said = Some(said);
    }
}

impl Decoder {
    /// A decoder that looks for who answered.
    pub fn new(identity: Option<Arc<Identity>>) -> Decoder {
        Decoder {
            identity,
            ..Decoder::default()
        }
    }

    /// Makes ready for the next answer. `keep_session` has the session id copied from its head.
    pub fn begin(&mut self, keep_session: bool) {
        self.state = State::Head;
        self.partial.clear();
        self.session.clear();
        self.keeps_session = keep_session;
    }

    /// The session id that the head named, when it was asked for. It holds no line end: a head cannot.
    pub fn session(&self) -> Option<&[u8]> {
        (!self.session.is_empty()).then_some(self.session.as_slice())
    }

    /// Bytes of the answer have come.
    pub fn has_begun(&self) -> bool {
        self.state != State::Head || !self.partial.is_empty()
    }

    /// The last piece of a body with a known length has been returned.
    pub fn is_body_complete(&self) -> bool {
        self.state == State::Length(0)
    }

    /// The next step; takes what it used off the front of `input`.
    ///
    /// # Errors
    /// When the peer does not speak HTTP/1.1. The connection is of no more use then.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Step<'a>, BadHttp> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Step::End),
                State::Length(0) | State::Chunked(Framing::End) => self.state = State::Done,
                _ if input.is_empty() => return Ok(Step::More),
                State::Head => {
                    if let Some(head) = self.head(input)? {
                        return Ok(Step::Head(head));
                    }
                }
                State::Length(left) => {
                    let piece = take(input, *left);
                    *left -= piece.len() as u64;
                    return Ok(Step::Body(piece));
                }
                State::Chunked(Framing::Data(left)) => {
                    let piece = take(input, *left);
                    let left = *left - piece.len() as u64;
                    self.state = State::Chunked(Framing::after_data(left));
                    return Ok(Step::Body(piece));
                }
                State::Chunked(framing) => *framing = framing.read(input)?,
                State::UntilClose => return Ok(Step::Body(std::mem::take(input))),
            }
        }
    }

    /// The connection has ended.
    pub fn end_of_stream(&self) -> Eof {
        match self.state {
            State::Head if self.partial.is_empty() => Eof::BeforeAnswer,
            State::Head if head::parse(&self.partial, Wanted::default()).is_err() => Eof::NotHttp,
            State::UntilClose | State::Done | State::Length(0) | State::Chunked(Framing::End) => {
                Eof::Complete
            }
            State::Head | State::Length(_) | State::Chunked(_) => Eof::MidAnswer,
        }
    }

    /// Parses a head from what was gathered and the input; `None` when it is not whole, or was a 1xx.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Head>, BadHttp> {
        let gathered = self.partial.len();
        let parsed = if gathered == 0 {
            self.parse_fresh(input)?
        } else {
            self.parse_gathered(input)?
        };
        let Some(parsed) = parsed else {
            if gathered + input.len() > LARGEST_HEAD {
                return Err(BadHttp::HeadTooLarge);
            }
            if gathered == 0 {
                self.partial.extend_from_slice(input);
            }
            *input = &[];
            return Ok(None);
        };
        // A whole head ends behind what was gathered, since that was not whole.
        take(input, (parsed.length.saturating_sub(gathered)) as u64);
        self.partial.clear();
        self.partial.shrink_to(KEPT);
        if (100..200).contains(&parsed.head.status) {
            return Ok(None);
        }
        self.state = match parsed.body {
            head::Body::Length(length) => State::Length(length),
            head::Body::Chunked => State::Chunked(Framing::START),
            head::Body::UntilClose => State::UntilClose,
        };
        Ok(Some(parsed.head))
    }

    /// Parses a head at the front of the input. What was copied out of a head is not known of a familiar one.
    fn parse_fresh(&mut self, input: &[u8]) -> Result<Option<Parsed>, BadHttp> {
        if !self.keeps_session
            && let Some(said) = self.familiar.recognise(input)
        {
            return Ok(Some(said));
        }
        let wanted = Wanted {
            session: self.keeps_session.then_some(&mut self.session),
            identity: self.identity.as_deref(),
        };
        let parsed = head::parse(input, wanted)?;
        if let Some(said) = parsed {
            self.familiar.learn(&input[..said.length], said);
        }
        Ok(parsed)
    }

    /// Parses what was gathered together with the input, when a line has ended in it.
    fn parse_gathered(&mut self, input: &[u8]) -> Result<Option<Parsed>, BadHttp> {
        let room = (LARGEST_HEAD + 1)
            .saturating_sub(self.partial.len())
            .min(input.len());
        self.partial.extend_from_slice(&input[..room]);
        if memchr::memchr(b'\n', &input[..room]).is_none() {
            return Ok(None);
        }
        let wanted = Wanted {
            session: self.keeps_session.then_some(&mut self.session),
            identity: self.identity.as_deref(),
        };
        head::parse(&self.partial, wanted)
    }
}

fn take<'a>(input: &mut &'a [u8], most: u64) -> &'a [u8] {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let (piece, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    piece
}

#[cfg(test)]
pub(super) mod tests;
