//! One call after the other, in a session of its own, for what is not load: reading records back, sending a write
//! with an old epoch. It speaks with the same codec as the load.

use std::io;
use std::time::Duration;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ProtocolFault, TransportFailure};
use serde_json::Value;
use tokio::net::TcpStream;

use super::destination::Destination;
use super::exchange::{Event, Exchange};
use super::http::AnsweredBy;
use super::json::{self, Id, Message};
use super::link::Link;
use super::session::{Dialect, Heads, INITIALIZE_ID, OperationText};

const BUFFER: usize = 64 * 1024;
/// Pages of records may be large.
const LARGEST_ANSWER: u64 = 64 << 20;

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no connection: {0}")]
    Connect(Outcome),
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    #[error("the answer is not MCP: {0}")]
    Protocol(Outcome),
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("no answer within {0:?}")]
    TooSlow(Duration),
}

/// A result, or how else the call ended and what the target said about it.
pub type Answer = Result<Value, (Outcome, String)>;

pub struct Caller<'a> {
    destination: &'a Destination,
    dialect: &'a Dialect,
    heads: Heads,
    link: Option<Link<TcpStream>>,
    exchange: Exchange,
    next_id: u64,
    buffer: Vec<u8>,
    /// Who gave the last answer.
    pub by: Option<AnsweredBy>,
}

/// What one exchange brought.
struct Heard {
    status: u16,
    /// The message with the id that was asked for.
    message: Option<Vec<u8>>,
    session: Option<Vec<u8>>,
}

impl<'a> Caller<'a> {
    pub fn new(destination: &'a Destination, dialect: &'a Dialect) -> Caller<'a> {
        Caller {
            destination,
            dialect,
            heads: dialect.heads_before_session(),
            link: None,
            exchange: Exchange::new(dialect.identity.clone()),
            next_id: INITIALIZE_ID + 1,
            buffer: vec![0; BUFFER],
            by: None,
        }
    }

    /// Opens a session; an older one is forgotten.
    ///
    /// # Errors
    /// When the target is not there, or does not open one.
    pub async fn open(&mut self) -> Result<(), CallError> {
        self.heads = self.dialect.heads_before_session();
        self.link = None;
        let mut out = Vec::new();
        self.dialect.write_initialize(&self.heads, &mut out);
        let heard = self.exchange(&out, INITIALIZE_ID).await?;
        let Some(text) = heard.message else {
            return Err(CallError::Status(heard.status));
        };
        let version = match json::envelope(&text) {
            Ok(Message::Response { result, .. }) => json::find(result, &["protocolVersion"])
                .and_then(json::unquote)
                .and_then(|text| std::str::from_utf8(text).ok())
                .and_then(|text| self.dialect.agree(text)),
            Ok(_) | Err(_) => None,
        };
        let version = version.ok_or(CallError::Protocol(Outcome::Protocol(
            ProtocolFault::VersionMismatch,
        )))?;
        self.heads = self.dialect.heads(heard.session.as_deref(), version);
        out.clear();
        self.dialect.write_initialized(&self.heads, &mut out);
        let heard = self.exchange(&out, u64::MAX).await?;
        match heard.status {
            200..300 => Ok(()),
            status => Err(CallError::Status(status)),
        }
    }

    /// Calls `method` with the JSON text `params`.
    ///
    /// # Errors
    /// When there was no answer. An answer that is an error is an [`Answer`].
    pub async fn call(&mut self, method: &str, params: &[u8]) -> Result<Answer, CallError> {
        let id = self.next_id;
        self.next_id += 1;
        let mut out = Vec::new();
        OperationText::of(method).write(&self.heads, id, params, &mut out);
        let heard = self.exchange(&out, id).await?;
        let Some(text) = heard.message else {
            return Ok(Err((Outcome::Http(heard.status), String::new())));
        };
        Ok(read(&text))
    }

    async fn exchange(&mut self, request: &[u8], id: u64) -> Result<Heard, CallError> {
        if self.link.is_none() {
            let link = self.destination.open().await.map_err(CallError::Connect)?;
            self.link = Some(link);
        }
        let Some(mut link) = self.link.take() else {
            return Err(CallError::Connect(Outcome::NeverAnswered));
        };
        self.exchange.begin(LARGEST_ANSWER, true);
        link.send(request)?;
        let mut heard = Heard {
            status: 0,
            message: None,
            session: None,
        };
        loop {
            link.send_rest().await?;
            let count = link.receive_some(&mut self.buffer).await?;
            let over = if count == 0 {
                Some(hear_end(&mut self.exchange, id, &mut heard)?)
            } else {
                hear(
                    &mut self.exchange,
                    &self.buffer[..count],
                    id,
                    &mut heard,
                    &mut self.by,
                )?
            };
            if let Some(reusable) = over {
                heard.session = self.exchange.session().map(<[u8]>::to_vec);
                if reusable {
                    self.link = Some(link);
                }
                return Ok(heard);
            }
        }
    }
}

/// Reads everything in `bytes`; whether the connection can be used again, once the answer is over.
fn hear(
    exchange: &mut Exchange,
    bytes: &[u8],
    id: u64,
    heard: &mut Heard,
    by: &mut Option<AnsweredBy>,
) -> Result<Option<bool>, CallError> {
    let (mut input, mut pending) = (bytes, &[][..]);
    loop {
        match exchange.next(&mut input, &mut pending) {
            Event::More => return Ok(None),
            Event::Head(head) => {
                heard.status = head.status;
                *by = head.by;
            }
            Event::Message(text) => keep(text, id, heard),
            Event::Over { reusable } => return Ok(Some(reusable)),
            Event::Broken(outcome) => return Err(CallError::Protocol(outcome)),
        }
    }
}

fn hear_end(exchange: &mut Exchange, id: u64, heard: &mut Heard) -> Result<bool, CallError> {
    loop {
        match exchange.end_of_stream(false) {
            Event::Message(text) => keep(text, id, heard),
            Event::Over { .. } if heard.status != 0 => return Ok(false),
            Event::Over { .. } | Event::More | Event::Head(_) => {
                return Err(CallError::Protocol(Outcome::Transport(
                    TransportFailure::EofBeforeResponse,
                )));
            }
            Event::Broken(outcome) => return Err(CallError::Protocol(outcome)),
        }
    }
}

fn keep(text: &[u8], id: u64, heard: &mut Heard) {
    let ours = match json::envelope(text) {
        Ok(Message::Response { id: own, .. }) => own == Id::Number(id),
        // An error without an id answers the only request of this exchange.
        Ok(Message::Error { id: own, .. }) => {
            own == Id::Number(id) || !matches!(own, Id::Number(_))
        }
        Ok(Message::Notification { .. } | Message::Request { .. }) | Err(_) => false,
    };
    if ours {
        heard.message = Some(text.to_vec());
    }
}

fn read(text: &[u8]) -> Answer {
    let malformed = |detail: String| Err((Outcome::Protocol(ProtocolFault::BadJson), detail));
    let mut message: Value = match serde_json::from_slice(text) {
        Ok(message) => message,
        Err(error) => return malformed(error.to_string()),
    };
    if let Some(error) = message.get("error") {
        let code = error.get("code").and_then(Value::as_i64).unwrap_or(0);
        return Err((Outcome::RpcError(code), said(error.get("message"))));
    }
    let Some(result) = message.get_mut("result").map(Value::take) else {
        return malformed("no result".to_owned());
    };
    let no_result = |detail: &str| {
        let outcome = Outcome::Protocol(ProtocolFault::BadJsonrpc);
        Err((outcome, detail.to_owned()))
    };
    if !result.is_object() {
        return no_result("the result is no object");
    }
    match result.get("isError") {
        None | Some(Value::Bool(false)) => Ok(result),
        Some(Value::Bool(true)) => {
            Err((Outcome::ToolError, said(result.pointer("/content/0/text"))))
        }
        Some(_) => no_result("`isError` is no boolean"),
    }
}

fn said(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}
