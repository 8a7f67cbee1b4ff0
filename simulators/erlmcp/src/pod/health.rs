//! Health, metrics and resources of a pod, and commands to it.
//!
//! In the profile `erlmcp` the endpoints answer as erlmcp's handlers did when they were run: `/live` works, `/ready`
//! is 503 for ever, `/health` and `/metrics` are 500.

use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Pod, methods};
use crate::answer::{self, EXPOSITION};
use crate::clock;
use crate::serve::{self, Handler, HangUp, Whole};
use crate::site::Profile;
use crate::world::Press;

const COMMAND_MAX: usize = 64 << 10;

pub(super) async fn answer(pod: &Pod, request: &Request<Incoming>) -> Response<Whole> {
    if request.method() != Method::GET {
        return answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let profile = pod.config.profile;
    match (request.uri().path(), profile) {
        ("/health", Profile::Sop) => health(pod).await,
        ("/health", Profile::Erlmcp) => answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
        ("/ready", _) => ready(pod),
        ("/live", _) => live(pod),
        ("/metrics", Profile::Sop) => answer::json(StatusCode::OK, &metrics(pod)),
        ("/metrics", Profile::Erlmcp) => {
            answer::text(StatusCode::INTERNAL_SERVER_ERROR, "Error fetching metrics")
        }
        ("/metrics/prometheus", _) => answer::typed(
            StatusCode::OK,
            EXPOSITION,
            pod.counters().exposition(profile),
        ),
        ("/resources", _) => answer::json(StatusCode::OK, &resources(pod)),
        _ => answer::empty(StatusCode::NOT_FOUND),
    }
}

async fn health(pod: &Pod) -> Response<Whole> {
    let store = pod.ledger.ask(Method::GET, "/health", String::new()).await;
    let (status, word) = match store {
        Ok(_) => (StatusCode::OK, "healthy"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let counters = pod.counters();
    let body = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime": uptime_s(pod),
        "node": pod.config.node,
        "site": pod.config.site,
        "pod": pod.config.name,
        "timestamp": clock::wall().as_millis() as u64,
        "checks": {
            "store": match store {
                Ok(_) => json!({ "status": "healthy" }),
                Err(reason) => json!({ "status": "unhealthy", "details": reason.to_string() }),
            },
            "sessions": check(counters.sessions, counters.sessions_capacity),
            "connections": check(counters.connections, counters.connections_capacity),
            "queue": check(counters.queue, counters.queue_capacity),
        },
        "metrics": counters,
    });
    answer::json(status, &body)
}

fn check(used: u64, capacity: u64) -> Value {
    let word = if used >= capacity.max(1) {
        "full"
    } else {
        "healthy"
    };
    json!({ "status": word, "details": { "used": used, "capacity": capacity } })
}

fn ready(pod: &Pod) -> Response<Whole> {
    let (status, ready, word) = match pod.config.profile {
        Profile::Sop => (StatusCode::OK, true, "ready"),
        Profile::Erlmcp => (StatusCode::SERVICE_UNAVAILABLE, false, "not_ready"),
    };
    let body = json!({
        "ready": ready,
        "node": pod.config.node,
        "timestamp": clock::wall().as_millis() as u64,
        "checks": { "registry": word, "session_manager": word, "http_server": "ready" },
    });
    answer::json(status, &body)
}

fn live(pod: &Pod) -> Response<Whole> {
    let body = json!({
        "alive": true,
        "node": pod.config.node,
        "uptime": uptime_s(pod),
        "timestamp": clock::wall().as_millis() as u64,
    });
    answer::json(StatusCode::OK, &body)
}

fn metrics(pod: &Pod) -> Value {
    json!({ "site": pod.config.site, "pod": pod.config.name, "metrics": pod.counters() })
}

fn resources(pod: &Pod) -> Value {
    json!({ "resources": methods::resources(), "capacity": pod.counters().usage() })
}

fn uptime_s(pod: &Pod) -> u64 {
    clock::now()
        .saturating_duration_since(pod.started)
        .as_secs()
}

/// The control address: commands, and everything of [`answer`] even while the pod is stalled.
pub(super) struct Control(pub Rc<Pod>);

#[derive(Deserialize)]
struct Stall {
    ms: u64,
}

#[derive(Deserialize)]
struct Behave {
    service_factor: f64,
}

fn press_on(pod: &Pod, press: Press) -> Response<Whole> {
    let held = match press {
        Press::Thread(busy) => {
            pod.pace.keep_busy(busy);
            0
        }
        Press::Memory(bytes) => pod.memory.grow(bytes),
        Press::Work(on) => {
            pod.admission.occupy(on);
            0
        }
    };
    answer::json(StatusCode::OK, &json!({ "held": held }))
}

impl Handler for Control {
    type Body = Whole;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Whole>, HangUp> {
        let pod = &self.0;
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/control/stall") => {
                let body = serve::read_body(request.into_body(), COMMAND_MAX)
                    .await
                    .map_err(|_| HangUp)?;
                Ok(match serde_json::from_slice::<Stall>(&body) {
                    Ok(stall) => {
                        pod.stall.set(Duration::from_millis(stall.ms));
                        answer::json(StatusCode::OK, &json!({ "stalled_ms": stall.ms }))
                    }
                    Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
                })
            }
            (&Method::POST, "/control/behave") => {
                let body = serve::read_body(request.into_body(), COMMAND_MAX)
                    .await
                    .map_err(|_| HangUp)?;
                let factor = serde_json::from_slice::<Behave>(&body).map(|b| b.service_factor);
                Ok(match factor {
                    Ok(factor) if factor >= 0.0 && factor.is_finite() => {
                        pod.draws.stretch(factor);
                        answer::text(StatusCode::OK, "{}")
                    }
                    Ok(_) => answer::text(StatusCode::BAD_REQUEST, "say a factor of 0 or more"),
                    Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
                })
            }
            (&Method::POST, "/control/press") => {
                let body = serve::read_body(request.into_body(), COMMAND_MAX)
                    .await
                    .map_err(|_| HangUp)?;
                Ok(match serde_json::from_slice::<Press>(&body) {
                    Ok(press) => press_on(pod, press),
                    Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
                })
            }
            (&Method::GET, "/control/counters") => {
                Ok(answer::json(StatusCode::OK, &pod.counters()))
            }
            _ => Ok(answer(pod, &request).await),
        }
    }
}
