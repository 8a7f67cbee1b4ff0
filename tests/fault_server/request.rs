//! What the client sent: read from the connection, and understood as far as a mode needs it.

use std::io::{self, Read};

use serde_json::Value;

pub struct Request {
    pub path: String,
    pub call: Call,
}

pub enum Call {
    Initialize {
        id: Value,
        version: String,
    },
    Tool {
        id: Value,
        mode: Option<String>,
        message: Value,
    },
    /// Any other request.
    Other {
        id: Value,
        method: String,
    },
    /// A notification, or a response to a request of ours, whose method is `response`.
    Notification {
        method: String,
    },
    Delete,
}

/// Bytes that were read and not used yet.
#[derive(Default)]
pub struct Source {
    buffer: Vec<u8>,
}

impl Source {
    /// The next request; `None` when the client has closed the connection.
    pub fn next(&mut self, channel: &mut impl Read) -> io::Result<Option<Request>> {
        loop {
            if let Some((request, length)) = parse(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(Some(request));
            }
            let mut piece = [0; 16 * 1024];
            let count = channel.read(&mut piece)?;
            if count == 0 {
                return Ok(None);
            }
            self.buffer.extend_from_slice(&piece[..count]);
        }
    }
}

/// A whole request and its length in bytes.
fn parse(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let named = |name: &str| {
        let header = head
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let length: usize = named("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let Some(body) = bytes.get(start..start + length) else {
        return Ok(None);
    };
    let call = match head.method {
        Some("DELETE") => Call::Delete,
        _ => understand(serde_json::from_slice(body)?),
    };
    let path = head.path.unwrap_or_default().to_owned();
    Ok(Some((Request { path, call }, start + length)))
}

fn understand(mut message: Value) -> Call {
    let method = match &message["method"] {
        Value::String(method) => method.clone(),
        _ => "response".to_owned(),
    };
    let Some(id) = message
        .get_mut("id")
        .map(Value::take)
        .filter(|_| method != "response")
    else {
        return Call::Notification { method };
    };
    let params = &mut message["params"];
    match method.as_str() {
        "initialize" => {
            let version = params["protocolVersion"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            Call::Initialize { id, version }
        }
        "tools/call" => {
            let arguments = &mut params["arguments"];
            let mode = arguments["mode"].as_str().map(str::to_owned);
            Call::Tool {
                id,
                mode,
                message: arguments["message"].take(),
            }
        }
        _ => Call::Other { id, method },
    }
}
