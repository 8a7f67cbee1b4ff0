//! What Streamable HTTP asks of a request to `/mcp`, and what becomes of it.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::memory::{Exhausted, Share};
use super::message::{INVALID_REQUEST, Malformed, Message, PARSE_ERROR, RpcError};
use super::refusal::{self, Limit};
use super::sessions::SessionId;
use super::{Pod, initialize, operation};
use crate::answer;
use crate::serve::{self, BodyError, HangUp};
use crate::site::Profile;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// JSON-RPC codes for what MCP leaves open.
const SESSION_NOT_FOUND: i64 = -32001;
const MESSAGE_TOO_LARGE: i64 = -32012;
/// erlmcp's refusal code for a message that is too large (`erlmcp_refusal.hrl`).
const REFUSED_SIZE: u32 = 1068;
/// A body up to this size is taken however full the memory is, so that sessions that are there go on.
const SMALL: u64 = 64 << 10;
/// For what is no message.
const REFUSED_PROTOCOL: u32 = 1066;
/// Cowboy closes a connection that has waited this long for an answer.
const SILENCE: Duration = Duration::from_secs(60);

pub(super) async fn answer(
    pod: &Rc<Pod>,
    request: Request<Incoming>,
) -> Result<Response<Body>, HangUp> {
    match *request.method() {
        Method::POST => post(pod, request).await,
        Method::DELETE => Ok(delete(pod, request.headers())),
        _ => {
            let mut response = answer::empty(StatusCode::METHOD_NOT_ALLOWED);
            let allowed = HeaderValue::from_static("POST, DELETE");
            response.headers_mut().insert(ALLOW, allowed);
            Ok(response)
        }
    }
}

async fn post(pod: &Rc<Pod>, request: Request<Incoming>) -> Result<Response<Body>, HangUp> {
    let (head, body) = request.into_parts();
    if let Some(refused) = refuse_headers(pod, &head.headers) {
        pod.count_error();
        return Ok(refused);
    }
    // Held until the answer begins.
    let Ok(_share) = room(pod, &head.headers) else {
        pod.count_error();
        return Ok(refusal::refuse(pod, "null", Limit::Memory));
    };
    let text = match serve::read_body(body, pod.config.message_max).await {
        Ok(text) => text,
        Err(BodyError::TooLarge) => return Ok(too_large(pod)),
        Err(BodyError::Lost) => return Err(HangUp),
    };
    match Message::parse(&text) {
        Ok(message) => take(pod, &head.headers, message).await,
        Err(malformed) => refuse_malformed(pod, malformed).await,
    }
}

async fn take(
    pod: &Rc<Pod>,
    headers: &HeaderMap,
    message: Message,
) -> Result<Response<Body>, HangUp> {
    let session = match (&message, find_session(pod, headers)) {
        (Message::Request(call), Found::None) if call.method == "initialize" => None,
        (_, Found::Session(session)) => Some(session),
        (_, Found::Unknown) => return Ok(session_not_found(pod)),
        (_, Found::None) => match pod.config.profile {
            Profile::Sop => {
                let error = RpcError::new(INVALID_REQUEST, "the Mcp-Session-Id header is missing");
                return Ok(rpc_error(StatusCode::BAD_REQUEST, &error));
            }
            // Any first message makes a session, which then waits for `initialize`.
            Profile::Erlmcp => match pod.sessions.open(false) {
                Ok(session) => Some(session),
                Err(full) => return Ok(initialize::refuse(pod, "null", full)),
            },
        },
    };
    match message {
        Message::Request(call) if call.method == "initialize" => {
            pod.count_request();
            Ok(initialize::answer(pod, session, &call))
        }
        Message::Request(call) => {
            pod.count_request();
            operation::answer(pod, session, call).await
        }
        Message::Notification => Ok(answer::empty(StatusCode::ACCEPTED)),
        Message::Response => match pod.config.profile {
            Profile::Sop => Ok(answer::empty(StatusCode::ACCEPTED)),
            Profile::Erlmcp => stay_silent().await,
        },
    }
}

enum Found {
    /// No header.
    None,
    Unknown,
    Session(SessionId),
}

fn find_session(pod: &Pod, headers: &HeaderMap) -> Found {
    match headers.get(SESSION) {
        None => Found::None,
        Some(text) => match text.to_str().ok().and_then(|text| pod.sessions.find(text)) {
            Some(session) => Found::Session(session),
            None => Found::Unknown,
        },
    }
}

fn delete(pod: &Pod, headers: &HeaderMap) -> Response<Body> {
    match find_session(pod, headers) {
        Found::Session(session) => {
            pod.sessions.close(session);
            answer::empty(StatusCode::OK)
        }
        Found::Unknown => session_not_found(pod),
        Found::None => answer::text(
            StatusCode::BAD_REQUEST,
            "the Mcp-Session-Id header is missing",
        ),
    }
}

/// Room for a body that is large, or may be.
fn room(pod: &Pod, headers: &HeaderMap) -> Result<Option<Share>, Exhausted> {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let most = pod.config.message_max as u64;
    match length.unwrap_or(most) {
        small if small <= SMALL => Ok(None),
        // What is longer than any message is refused for that.
        large => pod.memory.take(large.min(most)).map(Some),
    }
}

/// The answer to a request whose headers are not as they should be.
fn refuse_headers(pod: &Pod, headers: &HeaderMap) -> Option<Response<Body>> {
    if !lists(headers, CONTENT_TYPE, "application/json") {
        let reason = "content-type has to be application/json";
        return Some(answer::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let both = ["application/json", "text/event-stream"];
    if !both.iter().all(|wanted| lists(headers, ACCEPT, wanted)) {
        let reason = "accept has to list application/json and text/event-stream";
        return Some(answer::text(StatusCode::NOT_ACCEPTABLE, reason));
    }
    match (pod.config.profile, headers.get(VERSION)) {
        // erlmcp reads another header for this, and does nothing with it.
        (Profile::Erlmcp, _) | (Profile::Sop, None) => None,
        (Profile::Sop, Some(version)) if initialize::is_spoken(version.as_bytes()) => None,
        (Profile::Sop, Some(_)) => {
            let error = RpcError::new(INVALID_REQUEST, "unsupported MCP-Protocol-Version");
            Some(rpc_error(StatusCode::BAD_REQUEST, &error))
        }
    }
}

/// Whether the header names a media type, with or without parameters.
fn lists(headers: &HeaderMap, name: HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|item| item.split(';').next())
        .any(|item| item.trim().eq_ignore_ascii_case(wanted))
}

fn too_large(pod: &Pod) -> Response<Body> {
    pod.count_error();
    let error = RpcError {
        data: Some(json!({ "maxSize": pod.config.message_max, "refusal": REFUSED_SIZE })),
        ..RpcError::new(MESSAGE_TOO_LARGE, "message too large")
    };
    rpc_error(StatusCode::PAYLOAD_TOO_LARGE, &error)
}

async fn refuse_malformed(pod: &Pod, malformed: Malformed) -> Result<Response<Body>, HangUp> {
    pod.count_error();
    if !pod.config.behaviour.bounds.validation {
        return stay_silent().await;
    }
    let error = match (pod.config.profile, malformed) {
        (Profile::Erlmcp, _) => return stay_silent().await,
        (Profile::Sop, Malformed::Json) => RpcError::new(PARSE_ERROR, "the body is not JSON"),
        (Profile::Sop, Malformed::Batch) => {
            RpcError::new(INVALID_REQUEST, "batches are not supported")
        }
        (Profile::Sop, Malformed::Message(reason)) => RpcError::new(INVALID_REQUEST, reason),
    };
    let error = RpcError {
        data: Some(json!({ "refusal": REFUSED_PROTOCOL })),
        ..error
    };
    Ok(rpc_error(StatusCode::BAD_REQUEST, &error))
}

/// erlmcp logs what it does not understand and drops it: nobody answers until the server loses patience.
async fn stay_silent() -> Result<Response<Body>, HangUp> {
    tokio::time::sleep(SILENCE).await;
    Err(HangUp)
}

fn session_not_found(pod: &Pod) -> Response<Body> {
    pod.count_error();
    match pod.config.profile {
        Profile::Sop => {
            let error = RpcError::new(SESSION_NOT_FOUND, "session not found");
            rpc_error(StatusCode::NOT_FOUND, &error)
        }
        Profile::Erlmcp => answer::text(StatusCode::NOT_FOUND, "Session not found"),
    }
}

/// An error that belongs to no request.
pub(super) fn rpc_error(status: StatusCode, error: &RpcError) -> Response<Body> {
    answer::typed(status, answer::JSON, Bytes::from(error.to_text("null")))
}
