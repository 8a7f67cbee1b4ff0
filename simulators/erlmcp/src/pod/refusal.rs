//! Limits that refuse, each with the code of erlmcp's `erlmcp_refusal.hrl`. Its plans name 503 for all of them.

use bytes::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::Pod;
use super::body::Body;
use super::message::RpcError;
use crate::answer;

/// erlmcp's code for a request that a limit refuses.
const LIMITED: i64 = -32010;

/// What there is no more of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Queue,
    Cpu,
    Disk,
    Memory,
}

impl Limit {
    fn code(self) -> u32 {
        match self {
            Limit::Queue => 1056,
            Limit::Cpu => 1078,
            Limit::Disk => 1079,
            Limit::Memory => 1089,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Limit::Queue => "the queue is full",
            Limit::Cpu => "the pod is too busy",
            Limit::Disk => "the store's disk is full",
            Limit::Memory => "the pod's memory is full",
        }
    }

    pub(super) fn error(self, pod: &Pod) -> RpcError {
        let mut data = json!({ "refusal": self.code() });
        match self {
            Limit::Queue => data["queue"] = pod.config.behaviour.queue.into(),
            Limit::Memory => data["memory"] = pod.config.behaviour.bounds.memory.into(),
            Limit::Cpu | Limit::Disk => {}
        }
        RpcError {
            data: Some(data),
            ..RpcError::new(LIMITED, self.message())
        }
    }
}

/// `id` is JSON text. Whoever refuses has counted the error.
pub(super) fn refuse(pod: &Pod, id: &str, limit: Limit) -> Response<Body> {
    let text = Bytes::from(limit.error(pod).to_text(id));
    let mut response = answer::typed(StatusCode::SERVICE_UNAVAILABLE, answer::JSON, text);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
