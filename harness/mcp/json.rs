//! JSON as it came, looked at in place: one pass, no tree, no allocation.
//!
//! - [`envelope`]: which JSON-RPC message is this?
//! - [`find`]: the value at a pointer
//! - [`text`]: strings compared with their escapes undone
//! - `scan`: the validating scanner below all of them

mod scan;
pub mod text;

use scan::Scanner;

/// A JSON-RPC 2.0 message. Slices are JSON text, as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message<'a> {
    Response {
        id: Id<'a>,
        result: &'a [u8],
    },
    /// The id is null or absent when the server could not read ours.
    Error {
        id: Id<'a>,
        code: i64,
        error: &'a [u8],
    },
    Request {
        id: &'a [u8],
        method: &'a [u8],
    },
    Notification {
        method: &'a [u8],
    },
}

/// The id of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id<'a> {
    Number(u64),
    /// Absent or null.
    Missing,
    /// Anything else, as JSON text.
    Other(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    #[error("not JSON")]
    Json,
    #[error("JSON, but no JSON-RPC 2.0 message")]
    Rpc,
}

/// Reads one message.
///
/// # Errors
/// When the text is not one JSON value, or not a message.
pub fn envelope(text: &[u8]) -> Result<Message<'_>, BadMessage> {
    std::str::from_utf8(text).map_err(|_| BadMessage::Json)?;
    let mut scanner = Scanner::new(text);
    let mut parts = Parts::default();
    scanner.space();
    if scanner.peek() != Some(b'{') {
        scanner
            .value()
            .and_then(|_| scanner.finish())
            .map_err(|_| BadMessage::Json)?;
        return Err(BadMessage::Rpc);
    }
    scanner
        .object(|key, value| parts.take(key, value))
        .and_then(|()| scanner.finish())
        .map_err(|_| BadMessage::Json)?;
    parts.message().ok_or(BadMessage::Rpc)
}

/// The elements of a batch, one after another; `None` when the text is no array.
pub fn batch(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    if scanner.peek() != Some(b'[') {
        return None;
    }
    Some(scanner.elements())
}

#[derive(Default)]
struct Parts<'a> {
    versioned: bool,
    id: Option<&'a [u8]>,
    method: Option<&'a [u8]>,
    result: Option<&'a [u8]>,
    error: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        match key {
            b"\"jsonrpc\"" => self.versioned = value == b"\"2.0\"",
            b"\"id\"" => self.id = Some(value),
            b"\"method\"" => self.method = Some(value),
            b"\"result\"" => self.result = Some(value),
            b"\"error\"" => self.error = Some(value),
            _ => {}
        }
    }

    /// Tells the kinds apart by `method`, never by the id: both sides count their own ids.
    fn message(self) -> Option<Message<'a>> {
        if !self.versioned {
            return None;
        }
        match (self.method, self.result, self.error) {
            (Some(method), None, None) => {
                let method = unquote(method)?;
                Some(match self.id {
                    Some(id) => Message::Request { id, method },
                    None => Message::Notification { method },
                })
            }
            (None, Some(result), None) => self.id.map(|id| Message::Response {
                id: read_id(Some(id)),
                result,
            }),
            (None, None, Some(error)) => {
                let code = number(find(error, &["code"])?)?;
                Some(Message::Error {
                    id: read_id(self.id),
                    code: code as i64,
                    error,
                })
            }
            _ => None,
        }
    }
}

/// The inside of a JSON string, escapes left as they are.
pub fn unquote(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn read_id(id: Option<&[u8]>) -> Id<'_> {
    match id {
        None | Some(b"null") => Id::Missing,
        Some(id) => {
            let digits = std::str::from_utf8(id)
                .ok()
                .and_then(|text| text.parse().ok());
            digits.map_or(Id::Other(id), Id::Number)
        }
    }
}

/// The value at a JSON pointer (RFC 6901) in a text that is known to be JSON. Of a key that occurs twice the
/// first counts.
pub fn find<'a, S: AsRef<str>>(text: &'a [u8], pointer: &[S]) -> Option<&'a [u8]> {
    let mut place = text;
    for step in pointer {
        place = member(place, step.as_ref())?;
    }
    let mut scanner = Scanner::new(place);
    scanner.space();
    scanner.value().ok()
}

fn member<'a>(text: &'a [u8], step: &str) -> Option<&'a [u8]> {
    let mut scanner = Scanner::new(text);
    scanner.space();
    match scanner.peek()? {
        b'{' => {
            let mut found = None;
            scanner
                .object(|key, value| {
                    if found.is_none() && text::equals_plain(key, step) {
                        found = Some(value);
                    }
                })
                .ok()?;
            found
        }
        b'[' => {
            // RFC 6901: no leading zeros.
            if step.len() > 1 && step.starts_with('0') {
                return None;
            }
            scanner.elements().nth(step.parse().ok()?)
        }
        _ => None,
    }
}

/// The number that the text is.
pub fn number(text: &[u8]) -> Option<f64> {
    if !matches!(text.first()?, b'-' | b'0'..=b'9') {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// True when a result says `"isError": true`.
pub fn is_error(result: &[u8]) -> bool {
    // Most results do not have the word in them: a search is cheaper than a scan.
    memchr::memmem::find(result, b"\"isError\"").is_some()
        && find(result, &["isError"]) == Some(b"true")
}

/// Semantic equality: objects whatever their order, numbers by value, strings with escapes undone.
pub fn values_equal(left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    match (left.first(), right.first()) {
        (Some(b'"'), Some(b'"')) => text::equal(left, right),
        (Some(b'[' | b'{'), Some(b'[' | b'{')) => {
            // Containers are rare in checks: a tree of each is simple, and right.
            let tree = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
            tree(left).is_some_and(|left| Some(left) == tree(right))
        }
        _ => number(left).is_some_and(|left| Some(left) == number(right)),
    }
}

#[cfg(test)]
mod tests;
