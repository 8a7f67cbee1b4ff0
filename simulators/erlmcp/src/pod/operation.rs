//! A request within a session: admitted or refused, given its service time, worked on, answered.

use std::rc::Rc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Response, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;

use super::admission::{Place, Refused};
use super::body::{Body, Cut};
use super::initialize::NOT_INITIALIZED;
use super::message::{Call, INTERNAL_ERROR, RpcError, result_text};
use super::refusal::{self, Limit};
use super::sessions::SessionId;
use super::{Pod, methods};
use crate::answer;
use crate::serve::HangUp;
use crate::site::{Profile, Reply};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What came of an operation.
pub(super) enum Outcome {
    /// JSON text.
    Result(String),
    Error(RpcError),
    /// Nothing was done.
    Refused(Limit),
    /// An answer that breaks HTTP, JSON-RPC or MCP, on command.
    Broken(Breakage),
    /// The process of the session died: no answer, and no session any more.
    Died,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breakage {
    Status(StatusCode),
    Html,
    BadJson,
    WrongId,
    Empty,
    /// Half of the body that was announced.
    Cut,
    /// The connection is closed without an answer.
    Close,
    Hang,
}

pub(super) async fn answer(
    pod: &Rc<Pod>,
    session: Option<SessionId>,
    call: Call,
) -> Result<Response<Body>, HangUp> {
    if let Some(session) = session
        && !pod.sessions.is_initialized(session)
    {
        pod.count_error();
        let error = RpcError::new(NOT_INITIALIZED, "not initialized");
        return Ok(respond(&Reply::Json, vec![error.to_text(call.id.get())]));
    }
    if call.method == "ping" {
        // It says that the pod is there, not that it has time.
        return Ok(respond(
            &pod.config.reply,
            vec![result_text(call.id.get(), "{}")],
        ));
    }
    if pod.pace.is_saturated() {
        pod.count_error();
        return Ok(refusal::refuse(pod, call.id.get(), Limit::Cpu));
    }
    let place = match pod.admission.enter() {
        Ok(place) => place,
        Err(Refused) => {
            pod.count_error();
            return Ok(refusal::refuse(pod, call.id.get(), Limit::Queue));
        }
    };
    let id = call.id.get().to_owned();
    match pod.config.reply {
        Reply::Json => {
            // A task of its own: what was begun is finished, though the client may have gone.
            let work = tokio::task::spawn_local(work(pod.clone(), session, call, place));
            as_json(pod, &id, work.await.map_err(|_| HangUp)?).await
        }
        Reply::Sse {
            priming,
            notifications,
        } => {
            let (events, body) = mpsc::channel(4);
            let pod = pod.clone();
            tokio::task::spawn_local(async move {
                let outcome = work(pod.clone(), session, call, place);
                stream(&pod, priming, notifications, &id, outcome, &events).await;
            });
            Ok(event_stream(Body::Events(body)))
        }
    }
}

async fn work(pod: Rc<Pod>, session: Option<SessionId>, call: Call, place: Place) -> Outcome {
    // In erlmcp a session is one process, which runs its tools one after the other.
    let turn = match (pod.config.profile, session) {
        (Profile::Erlmcp, Some(session)) => pod.sessions.turn(session),
        _ => None,
    };
    let _turn = match &turn {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    let Some(_permit) = place.begin().await else {
        return Outcome::Died;
    };
    let service_time = pod.draws.service_time();
    if !service_time.is_zero() {
        tokio::time::sleep(service_time).await;
    }
    let outcome = if call.method == "tools/call" && pod.draws.fails() {
        Outcome::Error(RpcError::new(INTERNAL_ERROR, "internal error"))
    } else {
        methods::call(&pod, &call).await
    };
    if let (Outcome::Died, Some(session)) = (&outcome, session) {
        pod.sessions.close(session);
    }
    if !matches!(outcome, Outcome::Result(_)) {
        pod.count_error();
    }
    outcome
}

async fn as_json(pod: &Pod, id: &str, outcome: Outcome) -> Result<Response<Body>, HangUp> {
    let text = match outcome {
        Outcome::Result(result) => result_text(id, &result),
        Outcome::Error(error) => error.to_text(id),
        Outcome::Refused(limit) => return Ok(refusal::refuse(pod, id, limit)),
        Outcome::Broken(breakage) => return broken(breakage).await,
        Outcome::Died => return Err(HangUp),
    };
    Ok(respond(&Reply::Json, vec![text]))
}

async fn broken(breakage: Breakage) -> Result<Response<Body>, HangUp> {
    let wrong = r#"{"jsonrpc":"2.0","id":"not-yours","result":{"content":[],"isError":false}}"#;
    Ok(match breakage {
        Breakage::Status(status) => answer::text(status, "as asked"),
        Breakage::Html => {
            let html = HeaderValue::from_static("text/html");
            answer::typed(StatusCode::OK, html, "<html><body>It works!</body></html>")
        }
        Breakage::BadJson => {
            answer::typed(StatusCode::OK, answer::JSON, r#"{"jsonrpc":"2.0","id":"#)
        }
        Breakage::WrongId => answer::typed(StatusCode::OK, answer::JSON, wrong),
        Breakage::Empty => answer::typed(StatusCode::OK, answer::JSON, ""),
        Breakage::Cut => {
            let half = Bytes::from_static(&wrong.as_bytes()[..wrong.len() / 2]);
            let mut response: Response<Body> = answer::typed(StatusCode::OK, answer::JSON, "");
            *response.body_mut() = Body::Cut(Cut::new(half, wrong.len() as u64));
            response
        }
        Breakage::Close => return Err(HangUp),
        Breakage::Hang => std::future::pending().await,
    })
}

/// Messages that are all known, in the shape that the pod answers in. A JSON body carries the first alone.
pub(super) fn respond(reply: &Reply, messages: Vec<String>) -> Response<Body> {
    match reply {
        Reply::Json => {
            let first = messages.into_iter().next().unwrap_or_default();
            answer::typed(StatusCode::OK, answer::JSON, first)
        }
        Reply::Sse { .. } => {
            let events: String = messages.iter().map(|message| event(message)).collect();
            event_stream(Body::from(Bytes::from(events)))
        }
    }
}

fn event_stream(body: Body) -> Response<Body> {
    let mut response: Response<Body> = answer::typed(StatusCode::OK, EVENT_STREAM, "");
    *response.body_mut() = body;
    response
}

fn event(message: &str) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// Sends events until the outcome is there. A breakage has no place in a stream: it ends without a result.
async fn stream(
    pod: &Pod,
    priming: bool,
    notifications: u32,
    id: &str,
    outcome: impl Future<Output = Outcome>,
    events: &mpsc::Sender<Bytes>,
) {
    // A client that has gone misses its events; the work is finished all the same.
    if priming {
        let _ = events.send(Bytes::from_static(b"id: 0\ndata:\n\n")).await;
    }
    for number in 1..=notifications {
        let notification = json!({
            "jsonrpc": "2.0",
            "method": "notifications/message",
            "params": { "level": "info", "data": format!("{number} of {notifications}") },
        });
        let _ = events
            .send(Bytes::from(event(&notification.to_string())))
            .await;
    }
    let message = match outcome.await {
        Outcome::Result(result) => result_text(id, &result),
        Outcome::Error(error) => error.to_text(id),
        // The stream's status has been sent.
        Outcome::Refused(limit) => limit.error(pod).to_text(id),
        Outcome::Broken(Breakage::Hang) => std::future::pending().await,
        Outcome::Broken(_) | Outcome::Died => return,
    };
    pod.stall.over().await;
    let _ = events.send(Bytes::from(event(&message))).await;
}
