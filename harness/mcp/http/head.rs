//! The head of an answer: its status and the headers that matter to us.

use std::mem::MaybeUninit;

use super::BadHttp;
use crate::mcp::digits;

pub const MOST_HEADERS: usize = 100;
pub const LARGEST_HEAD: usize = 64 * 1024;

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
    /// Who says that it answered, where that is looked for.
    pub by: Option<AnsweredBy>,
}

/// Which site answered, and in which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnsweredBy {
    /// Index into [`Identity::sites`].
    pub site: u16,
    pub epoch: u64,
}

/// The headers in which a target says who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Names of headers.
    pub site: String,
    pub epoch: Option<String>,
    /// The values that the site's header can have.
    pub sites: Vec<String>,
}

/// What is taken from a head beside what every exchange needs.
#[derive(Default)]
pub struct Wanted<'a> {
    /// Where a session id is copied to.
    pub session: Option<&'a mut Vec<u8>>,
    pub identity: Option<&'a Identity>,
}

/// How the body is framed (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Length(u64),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug)]
pub struct Parsed {
    /// Bytes of the head.
    pub length: usize,
    pub head: Head,
    pub body: Body,
}

/// Reads the head at the front of `bytes`; `None` when it is not whole.
pub fn parse(bytes: &[u8], wanted: Wanted<'_>) -> Result<Option<Parsed>, BadHttp> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut answer,
        bytes,
        &mut headers,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) if length > LARGEST_HEAD => {
            return Err(BadHttp::HeadTooLarge);
        }
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BadHttp::Head),
    };
    let (Some(status), Some(version)) = (answer.code, answer.version) else {
        return Err(BadHttp::Head);
    };
    // We never ask for another protocol.
    if status < 100 || status == 101 {
        return Err(BadHttp::Head);
    }
    let by = wanted.identity.and_then(|names| names.read(answer.headers));
    let facts = Facts::read(answer.headers, wanted.session)?;
    let body = match facts {
        _ if matches!(status, 100..200 | 204 | 304) => Body::Length(0),
        Facts { chunked: true, .. } if version == 0 => return Err(BadHttp::Coding),
        Facts { chunked: true, .. } => Body::Chunked,
        Facts {
            length: Some(length),
            ..
        } => Body::Length(length),
        Facts { length: None, .. } => Body::UntilClose,
    };
    let reusable = body != Body::UntilClose && facts.keep_alive.unwrap_or(version == 1);
    let head = Head {
        status,
        content: facts.content,
        reusable,
        by,
    };
    Ok(Some(Parsed { length, head, body }))
}

impl Identity {
    fn read(&self, headers: &[httparse::Header<'_>]) -> Option<AnsweredBy> {
        let value = |name: &str| {
            let found = headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| header.value.trim_ascii())
        };
        let said = value(&self.site)?;
        let site = self.sites.iter().position(|site| site.as_bytes() == said)?;
        let epoch = self.epoch.as_deref().and_then(value).and_then(digits);
        Some(AnsweredBy {
            site: u16::try_from(site).ok()?,
            epoch: epoch.unwrap_or(0),
        })
    }
}

struct Facts {
    content: Content,
    length: Option<u64>,
    chunked: bool,
    keep_alive: Option<bool>,
}

impl Facts {
    fn read(
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
                facts.add_length(value)?;
            } else if name.eq_ignore_ascii_case("content-type") {
                facts.content = content_of(value);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(BadHttp::Coding);
                }
                facts.chunked = true;
            } else if name.eq_ignore_ascii_case("connection") {
                facts.add_connection(value);
            } else if name.eq_ignore_ascii_case("mcp-session-id")
                && let Some(session) = session.as_deref_mut()
            {
                session.clear();
                session.extend_from_slice(value);
            }
        }
        Ok(facts)
    }

    /// A length may be said more than once, as long as it is the same (RFC 9110, section 8.6).
    fn add_length(&mut self, value: &[u8]) -> Result<(), BadHttp> {
        for word in value.split(|byte| *byte == b',') {
            let length = digits(word.trim_ascii()).ok_or(BadHttp::Length)?;
            if self.length.is_some_and(|known| known != length) {
                return Err(BadHttp::Length);
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// Once it is to be closed, no other word keeps it open.
    fn add_connection(&mut self, value: &[u8]) {
        for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if word.eq_ignore_ascii_case(b"close") {
                self.keep_alive = Some(false);
            } else if word.eq_ignore_ascii_case(b"keep-alive") && self.keep_alive.is_none() {
                self.keep_alive = Some(true);
            }
        }
    }
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
