//! JSON-RPC: text to message, outcome to text.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A message of a client.
pub(super) enum Message {
    Request(Call),
    /// `notifications/...`
    Notification,
    /// An answer to a request of ours. We send none.
    Response,
}

/// A request.
pub(super) struct Call {
    /// As the client wrote it.
    pub id: Box<RawValue>,
    pub method: String,
    pub params: Option<Box<RawValue>>,
}

/// Why a text is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    Json,
    Batch,
    Message(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    jsonrpc: Option<String>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Box<RawValue>>,
    method: Option<String>,
    params: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "present")]
    result: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
}

/// Keeps `null` apart from nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

impl Message {
    pub(super) fn parse(text: &[u8]) -> Result<Message, Malformed> {
        let value: &RawValue = serde_json::from_slice(text).map_err(|_| Malformed::Json)?;
        // Before the fields are read: serde would take an array for a list of them.
        if value.get().starts_with('[') {
            return Err(Malformed::Batch);
        }
        let envelope: Envelope = serde_json::from_str(value.get())
            .map_err(|_| Malformed::Message("no object, or a field has the wrong type"))?;
        if envelope.jsonrpc.as_deref() != Some("2.0") {
            return Err(Malformed::Message("jsonrpc has to be \"2.0\""));
        }
        match (envelope.method, envelope.id) {
            (Some(_), None) => Ok(Message::Notification),
            (Some(method), Some(id)) if is_id(&id) => Ok(Message::Request(Call {
                id,
                method,
                params: envelope.params,
            })),
            (Some(_), Some(_)) => Err(Malformed::Message("id has to be a string or a number")),
            (None, Some(_)) if envelope.result.is_some() || envelope.error.is_some() => {
                Ok(Message::Response)
            }
            (None, _) => Err(Malformed::Message("neither a request nor a response")),
        }
    }
}

fn is_id(id: &RawValue) -> bool {
    id.get()
        .starts_with(|c: char| c == '"' || c == '-' || c.is_ascii_digit())
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    pub code: i64,
    pub message: String,
    pub data: Option<Value>,
}

pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
pub(super) const INTERNAL_ERROR: i64 = -32603;

impl RpcError {
    pub(super) fn new(code: i64, message: impl Into<String>) -> RpcError {
        RpcError {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub(super) fn invalid_params(message: impl Into<String>) -> RpcError {
        RpcError::new(INVALID_PARAMS, message)
    }

    /// `id` is JSON text.
    pub(super) fn to_text(&self, id: &str) -> String {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
    }
}

/// Both are JSON text.
pub(super) fn result_text(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(text: &str) -> Option<Malformed> {
        Message::parse(text.as_bytes()).err()
    }

    #[test]
    fn messages_are_told_apart() {
        let parse = |text: &str| Message::parse(text.as_bytes());
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#),
            Ok(Message::Request(call)) if call.id.get() == "0" && call.method == "ping"
        ));
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            Ok(Message::Notification)
        ));
        assert!(matches!(
            parse(r#"{"jsonrpc":"2.0","id":"s","result":null}"#),
            Ok(Message::Response)
        ));
    }

    #[test]
    fn what_is_no_message_says_why() {
        assert_eq!(malformed("{"), Some(Malformed::Json));
        assert_eq!(malformed(""), Some(Malformed::Json));
        assert_eq!(
            malformed(r#"["2.0",1,"ping",null,null,null]"#),
            Some(Malformed::Batch)
        );
        assert_eq!(
            malformed(r#" [{"jsonrpc":"2.0","id":1,"method":"ping"}]"#),
            Some(Malformed::Batch)
        );
        for text in [
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            "7",
        ] {
            assert!(
                matches!(malformed(text), Some(Malformed::Message(_))),
                "{text}"
            );
        }
    }
}
