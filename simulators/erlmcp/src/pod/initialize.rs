//! Opening a session. Each profile has its own versions and its own way to refuse one.

use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Pod;
use super::body::Body;
use super::http::{self, SESSION};
use super::message::{Call, RpcError, result_text};
use super::operation::respond;
use super::refusal::{self, Limit};
use super::sessions::{Full, SessionId};
use crate::answer;
use crate::site::{Profile, Reply};

/// Newest first.
const SOP_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
const ERLMCP_VERSIONS: [&str; 2] = ["2025-11-25", "2024-11-05"];

/// erlmcp's codes for a version that it does not speak, and for a request in the wrong state.
const UNSUPPORTED_VERSION: i64 = -32061;
pub(super) const NOT_INITIALIZED: i64 = -32005;
/// erlmcp's refusal code for too many at once (`erlmcp_refusal.hrl`).
const REFUSED_CONCURRENT: u32 = 1060;
/// Free for servers to use, after JSON-RPC.
const SERVER_BUSY: i64 = -32000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params {
    protocol_version: Option<String>,
    client_info: Option<ClientInfo>,
}

#[derive(Deserialize)]
struct ClientInfo {
    name: Option<String>,
    version: Option<String>,
}

/// Whether a version may stand in the `MCP-Protocol-Version` header.
pub(super) fn is_spoken(version: &[u8]) -> bool {
    SOP_VERSIONS
        .iter()
        .any(|spoken| spoken.as_bytes() == version)
}

/// `session` is the one that the request named, if any.
pub(super) fn answer(pod: &Pod, session: Option<SessionId>, call: &Call) -> Response<Body> {
    let agreed = params(call).and_then(|params| negotiate(pod.config.profile, &params));
    let version = match agreed {
        Ok(version) => version,
        Err(error) => return refuse_call(pod, call, &error),
    };
    let session = match session {
        Some(session) if pod.sessions.initialize(session) => session,
        Some(_) => {
            let error = RpcError::new(NOT_INITIALIZED, "already initialized");
            return refuse_call(pod, call, &error);
        }
        None => match pod.sessions.open(true) {
            Ok(session) => session,
            Err(full) => return refuse(pod, call.id.get(), full),
        },
    };
    let text = pod.sessions.text(session);
    match HeaderValue::from_str(&text) {
        Ok(id) => {
            let mut response = respond(&pod.config.reply, events(pod, call, version));
            response.headers_mut().insert(SESSION, id);
            response
        }
        Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// The result, and what else a stream would carry after it.
fn events(pod: &Pod, call: &Call, version: &str) -> Vec<String> {
    let result = json!({
        "protocolVersion": version,
        "capabilities": {
            "tools": {},
            "resources": {},
            "prompts": {},
            "completions": {},
            "logging": {},
        },
        "serverInfo": { "name": "erlmcp", "version": env!("CARGO_PKG_VERSION") },
        "instructions": format!("{}, site {}.", crate::STAND_IN, pod.config.site),
    });
    let mut events = vec![result_text(call.id.get(), &result.to_string())];
    if pod.config.profile == Profile::Erlmcp && matches!(pod.config.reply, Reply::Sse { .. }) {
        // erlmcp sends this to its client, who is the one that should send it.
        events.push(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.to_owned());
    }
    events
}

fn params(call: &Call) -> Result<Params, RpcError> {
    let text = call.params.as_ref().map_or("{}", |params| params.get());
    serde_json::from_str(text).map_err(|error| RpcError::invalid_params(error.to_string()))
}

fn negotiate(profile: Profile, params: &Params) -> Result<&'static str, RpcError> {
    let Some(asked) = params.protocol_version.as_deref() else {
        return Err(RpcError::invalid_params("protocolVersion is missing"));
    };
    match profile {
        // A version that we lack is answered with our newest, as the specification wants it.
        Profile::Sop => Ok(SOP_VERSIONS
            .into_iter()
            .find(|&version| version == asked)
            .unwrap_or(SOP_VERSIONS[0])),
        Profile::Erlmcp => {
            let named = params.client_info.as_ref();
            if named.is_none_or(|client| client.name.is_none() || client.version.is_none()) {
                return Err(RpcError::invalid_params(
                    "clientInfo needs a name and a version",
                ));
            }
            if !ERLMCP_VERSIONS.contains(&asked) {
                return Err(RpcError {
                    data: Some(json!({ "supported": ERLMCP_VERSIONS, "requested": asked })),
                    ..RpcError::new(UNSUPPORTED_VERSION, "unsupported protocol version")
                });
            }
            // It names its newest, whichever of the two was asked for.
            Ok(ERLMCP_VERSIONS[0])
        }
    }
}

fn refuse_call(pod: &Pod, call: &Call, error: &RpcError) -> Response<Body> {
    pod.count_error();
    respond(&pod.config.reply, vec![error.to_text(call.id.get())])
}

/// The pod keeps as many sessions as it can.
/// `id` is JSON text.
pub(super) fn refuse(pod: &Pod, id: &str, full: Full) -> Response<Body> {
    pod.count_error();
    match full {
        Full::Sessions => {}
        Full::Memory => return refusal::refuse(pod, id, Limit::Memory),
    }
    let error = RpcError {
        data: Some(
            json!({ "refusal": REFUSED_CONCURRENT, "sessions": pod.config.behaviour.sessions }),
        ),
        ..RpcError::new(SERVER_BUSY, "too many open sessions")
    };
    let mut response = http::rpc_error(StatusCode::SERVICE_UNAVAILABLE, &error);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
