//! JSON as it came, looked at in place: one pass, no tree, no allocation.
//!
//! - [`envelope`]: which JSON-RPC message is this?
//! - [`Familiar`]: the same, of a message that is like the one before
//! - [`find`]: the value at a pointer
//! - [`values_equal`]: do two values mean the same?
//! - [`text`]: strings compared with their escapes undone
//! - `scan`: the validating scanner below all of them
//!
//! Of a key that occurs twice in an object the last counts, as it does for most parsers.

mod compare;
mod familiar;
mod place;
mod scan;
pub mod text;

pub use compare::{number, values_equal};
pub use familiar::Familiar;
pub use place::find;

use scan::{NotJson, Scanner};

/// A JSON-RPC 2.0 message. Slices are JSON text, as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Message<'a> {
    Response {
        id: Id<'a>,
        result: &'a [u8],
        /// What the result says as `isError`: false where it says nothing, `None` where that is no boolean.
        is_error: Option<bool>,
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
    if !is_text(text) {
        return Err(BadMessage::Json);
    }
    let mut scanner = Scanner::new(text);
    let mut parts = Parts::NONE;
    scanner.space();
    if scanner.peek() != Some(b'{') {
        scanner
            .value()
            .and_then(|_| scanner.finish())
            .map_err(|_| BadMessage::Json)?;
        return Err(BadMessage::Rpc);
    }
    scanner
        .object(|key, scanner| parts.take(key, scanner))
        .and_then(|()| scanner.finish())
        .map_err(|_| BadMessage::Json)?;
    parts.message().ok_or(BadMessage::Rpc)
}

/// The messages of a batch, one after another; `None` when the text is no array, an empty one, or not JSON, all of
/// which [`envelope`] has an error for.
pub fn batch(text: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let mut whole = Scanner::new(text);
    whole.space();
    if whole.peek() != Some(b'[') || !is_text(text) {
        return None;
    }
    let array = whole.value().ok()?;
    whole.finish().ok()?;
    let mut elements = Scanner::new(array).elements().peekable();
    elements.peek()?;
    Some(elements)
}

/// Whether it is UTF-8. Most is ASCII, which is told sooner.
fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

struct Parts<'a> {
    versioned: bool,
    id: Option<&'a [u8]>,
    method: Option<&'a [u8]>,
    result: Option<&'a [u8]>,
    error: Option<&'a [u8]>,
    is_error: Option<bool>,
}

impl<'a> Parts<'a> {
    const NONE: Parts<'static> = Parts {
        versioned: false,
        id: None,
        method: None,
        result: None,
        error: None,
        is_error: Some(false),
    };

    fn take(&mut self, key: &[u8], scanner: &mut Scanner<'a>) -> Result<(), NotJson> {
        match key {
            b"\"jsonrpc\"" => self.versioned = scanner.value()? == b"\"2.0\"",
            b"\"id\"" => self.id = Some(scanner.value()?),
            b"\"method\"" => self.method = Some(scanner.value()?),
            b"\"result\"" => self.take_result(scanner)?,
            b"\"error\"" => self.error = Some(scanner.value()?),
            spelled if spelled.contains(&b'\\') => self.take_escaped(spelled, scanner)?,
            _ => drop(scanner.value()?),
        }
        Ok(())
    }

    /// Looks for `isError` in passing, since nearly every answer is asked for it.
    fn take_result(&mut self, scanner: &mut Scanner<'a>) -> Result<(), NotJson> {
        self.is_error = Some(false);
        let result = if scanner.peek() == Some(b'{') {
            scanner.taken(|own| {
                own.object(|key, own| {
                    let value = own.value()?;
                    // An escape is longer than what it stands for.
                    let escaped = key.len() > IS_ERROR.len() && key.contains(&b'\\');
                    if key == IS_ERROR || escaped && text::equal(key, IS_ERROR) {
                        self.is_error = boolean(value);
                    }
                    Ok(())
                })
            })
        } else {
            scanner.value()
        };
        self.result = Some(result?);
        Ok(())
    }

    /// A key that is written with escapes is the same key.
    fn take_escaped(&mut self, key: &[u8], scanner: &mut Scanner<'a>) -> Result<(), NotJson> {
        let keys: [&[u8]; 5] = [
            b"\"jsonrpc\"",
            b"\"id\"",
            b"\"method\"",
            b"\"result\"",
            b"\"error\"",
        ];
        match keys.into_iter().find(|plain| text::equal(key, plain)) {
            Some(plain) => self.take(plain, scanner),
            None => scanner.value().map(drop),
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
                is_error: self.is_error,
            }),
            (None, None, Some(error)) => {
                let code = std::str::from_utf8(find(error, &["code"])?)
                    .ok()?
                    .parse()
                    .ok()?;
                Some(Message::Error {
                    id: read_id(self.id),
                    code,
                    error,
                })
            }
            _ => None,
        }
    }
}

fn boolean(value: &[u8]) -> Option<bool> {
    match value {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

const IS_ERROR: &[u8] = b"\"isError\"";

/// Whether a value, as it was taken out of a message, is an object.
pub fn is_object(value: &[u8]) -> bool {
    value.first() == Some(&b'{')
}

/// The inside of a JSON string, escapes left as they are.
pub fn unquote(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

fn read_id(id: Option<&[u8]>) -> Id<'_> {
    match id {
        None | Some(b"null") => Id::Missing,
        Some(id) => super::digits(id).map_or(Id::Other(id), Id::Number),
    }
}

#[cfg(test)]
mod tests;
