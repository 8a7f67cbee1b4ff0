//! HTTP/1.1 answers, decoded as their bytes come, in any cut, without copying bodies and without allocating.
//!
//! [`Decoder::next`] takes bytes off the front of its input and returns one step at a time. A head that comes in
//! pieces is gathered; a body never is.

use std::mem::MaybeUninit;

const MOST_HEADERS: usize = 100;
const LARGEST_HEAD: usize = 64 * 1024;
/// A chunk's size line with its extensions, and all trailers together, are not longer.
const LARGEST_LINE: usize = 8 * 1024;

/// The peer does not speak HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHttp {
    #[error("the head of the answer is not HTTP/1.1")]
    Head,
    #[error("the head of the answer is larger than {LARGEST_HEAD} bytes")]
    HeadTooLarge,
    #[error("the answer has two lengths, or one that is no number")]
    Length,
    #[error("the answer has a transfer coding other than chunked")]
    Coding,
    #[error("a chunk of the answer is not framed as one")]
    Chunk,
}

/// What the body is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Json,
    EventStream,
    Other,
    /// No `content-type`.
    Unnamed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    pub content: Content,
    /// The connection can carry another exchange after this one.
    pub reusable: bool,
}

#[derive(Debug, PartialEq, Eq)]
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
    /// The end of the connection is the end of the body.
    Complete,
    /// Nothing of an answer had come.
    BeforeAnswer,
    /// The answer broke off.
    MidAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum State {
    #[default]
    Head,
    /// This many bytes of the body are still to come.
    Length(u64),
    ChunkSize {
        size: u64,
        digits: u8,
        /// Inside the extension, up to the end of the line.
        extension: bool,
        length: usize,
    },
    ChunkData(u64),
    /// After the data: an optional CR, then LF.
    ChunkEnd,
    /// Trailers; `line` counts the bytes of the current line, without CR.
    Trailer {
        line: usize,
        length: usize,
    },
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
}

impl Decoder {
    /// Makes ready for the next answer. `keep_session` has the session id copied from its head.
    pub fn begin(&mut self, keep_session: bool) {
        self.state = State::Head;
        self.partial.clear();
        self.session.clear();
        self.keeps_session = keep_session;
    }

    /// The session id that the head named, when it was asked for.
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
            if self.state == State::Done {
                return Ok(Step::End);
            }
            if self.state == State::Length(0) {
                self.state = State::Done;
                continue;
            }
            if input.is_empty() {
                return Ok(Step::More);
            }
            match &mut self.state {
                State::Head => match self.head(input)? {
                    Some(head) => return Ok(Step::Head(head)),
                    None => continue,
                },
                State::Length(left) | State::ChunkData(left) => {
                    let piece = take(input, usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= piece.len() as u64;
                    if self.state == State::ChunkData(0) {
                        self.state = State::ChunkEnd;
                    }
                    return Ok(Step::Body(piece));
                }
                State::UntilClose => return Ok(Step::Body(std::mem::take(input))),
                State::ChunkSize { .. } | State::ChunkEnd | State::Trailer { .. } => {
                    let byte = take(input, 1)[0];
                    self.state = chunk_byte(self.state, byte)?;
                }
                State::Done => {}
            }
        }
    }

    /// The connection has ended.
    pub fn end_of_stream(&self) -> Eof {
        match self.state {
            State::Head if self.partial.is_empty() => Eof::BeforeAnswer,
            State::UntilClose | State::Done | State::Length(0) => Eof::Complete,
            State::Head
            | State::Length(_)
            | State::ChunkSize { .. }
            | State::ChunkData(_)
            | State::ChunkEnd
            | State::Trailer { .. } => Eof::MidAnswer,
        }
    }

    /// Parses a head from what was gathered and the input; `None` when it is not whole, or was a 1xx.
    fn head(&mut self, input: &mut &[u8]) -> Result<Option<Head>, BadHttp> {
        let gathered = self.partial.len();
        let parsed = if gathered == 0 {
            parse_head(input, self.keeps_session.then_some(&mut self.session))?
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            let room = (LARGEST_HEAD + 1).saturating_sub(gathered).min(input.len());
            partial.extend_from_slice(&input[..room]);
            let parsed = parse_head(&partial, self.keeps_session.then_some(&mut self.session));
            self.partial = partial;
            parsed?
        };
        let Some((length, head, body)) = parsed else {
            if gathered + input.len() > LARGEST_HEAD {
                return Err(BadHttp::HeadTooLarge);
            }
            if gathered == 0 {
                self.partial.extend_from_slice(input);
            }
            *input = &[];
            return Ok(None);
        };
        *input = &input[length - gathered..];
        self.partial.clear();
        if (100..200).contains(&head.status) {
            return Ok(None);
        }
        self.state = body;
        Ok(Some(head))
    }
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    piece
}

/// The framing between chunks, a byte at a time.
fn chunk_byte(state: State, byte: u8) -> Result<State, BadHttp> {
    match state {
        State::ChunkSize {
            size,
            digits,
            extension,
            length,
        } => {
            if length >= LARGEST_LINE {
                return Err(BadHttp::Chunk);
            }
            let digit = (byte as char).to_digit(16).filter(|_| !extension);
            match (byte, digit) {
                (b'\n', _) if digits == 0 => Err(BadHttp::Chunk),
                (b'\n', _) if size == 0 => Ok(State::Trailer { line: 0, length: 0 }),
                (b'\n', _) => Ok(State::ChunkData(size)),
                (_, Some(_)) if digits >= 15 => Err(BadHttp::Chunk),
                (_, Some(digit)) => Ok(State::ChunkSize {
                    size: size * 16 + u64::from(digit),
                    digits: digits + 1,
                    extension,
                    length: length + 1,
                }),
                (b';' | b' ' | b'\t' | b'\r', None) if digits > 0 => Ok(State::ChunkSize {
                    size,
                    digits,
                    extension: true,
                    length: length + 1,
                }),
                (_, None) if extension => Ok(State::ChunkSize {
                    size,
                    digits,
                    extension,
                    length: length + 1,
                }),
                (_, None) => Err(BadHttp::Chunk),
            }
        }
        State::ChunkEnd => match byte {
            b'\r' => Ok(State::ChunkEnd),
            b'\n' => Ok(State::ChunkSize {
                size: 0,
                digits: 0,
                extension: false,
                length: 0,
            }),
            _ => Err(BadHttp::Chunk),
        },
        State::Trailer { line, length } => match byte {
            _ if length >= LARGEST_LINE => Err(BadHttp::Chunk),
            b'\n' if line == 0 => Ok(State::Done),
            b'\n' => Ok(State::Trailer {
                line: 0,
                length: length + 1,
            }),
            b'\r' => Ok(State::Trailer {
                line,
                length: length + 1,
            }),
            _ => Ok(State::Trailer {
                line: line + 1,
                length: length + 1,
            }),
        },
        State::Head | State::Length(_) | State::ChunkData(_) | State::UntilClose | State::Done => {
            Ok(state)
        }
    }
}

/// A whole head, its length in bytes and how its body is framed.
fn parse_head(
    bytes: &[u8],
    session: Option<&mut Vec<u8>>,
) -> Result<Option<(usize, Head, State)>, BadHttp> {
    let mut headers = [MaybeUninit::uninit(); MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut answer,
        bytes,
        &mut headers,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BadHttp::Head),
    };
    let (Some(status), Some(version)) = (answer.code, answer.version) else {
        return Err(BadHttp::Head);
    };
    if status == 101 {
        return Err(BadHttp::Head);
    }
    let facts = read_headers(answer.headers, session)?;
    let body = if matches!(status, 100..200 | 204 | 304) {
        State::Length(0)
    } else if facts.chunked {
        State::ChunkSize {
            size: 0,
            digits: 0,
            extension: false,
            length: 0,
        }
    } else if let Some(length) = facts.length {
        State::Length(length)
    } else {
        State::UntilClose
    };
    let reusable = body != State::UntilClose && facts.keep_alive.unwrap_or(version == 1);
    Ok(Some((
        length,
        Head {
            status,
            content: facts.content,
            reusable,
        },
        body,
    )))
}

struct Facts {
    content: Content,
    length: Option<u64>,
    chunked: bool,
    keep_alive: Option<bool>,
}

fn read_headers(
    headers: &[httparse::Header<'_>],
    mut session: Option<&mut Vec<u8>>,
) -> Result<Facts, BadHttp> {
    let mut facts = Facts {
        content: Content::Unnamed,
        length: None,
        chunked: false,
        keep_alive: None,
    };
    for header in headers {
        let (name, value) = (header.name, header.value.trim_ascii());
        if name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse().ok());
            if length.is_none() || (facts.length.is_some() && facts.length != length) {
                return Err(BadHttp::Length);
            }
            facts.length = length;
        } else if name.eq_ignore_ascii_case("content-type") {
            facts.content = content_of(value);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(BadHttp::Coding);
            }
            facts.chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if word.eq_ignore_ascii_case(b"close") {
                    facts.keep_alive = Some(false);
                } else if word.eq_ignore_ascii_case(b"keep-alive") {
                    facts.keep_alive = Some(facts.keep_alive.unwrap_or(true));
                }
            }
        } else if name.eq_ignore_ascii_case("mcp-session-id")
            && let Some(session) = session.as_deref_mut()
        {
            session.clear();
            session.extend_from_slice(value);
        }
    }
    Ok(facts)
}

fn content_of(value: &[u8]) -> Content {
    let kind = value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    if kind.eq_ignore_ascii_case(b"application/json") {
        Content::Json
    } else if kind.eq_ignore_ascii_case(b"text/event-stream") {
        Content::EventStream
    } else {
        Content::Other
    }
}
