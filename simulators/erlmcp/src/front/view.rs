//! The site as a whole: what its pods count, added up.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::pods::{Pod, get};
use super::{Front, FrontConfig};
use crate::answer::{self, EXPOSITION};
use crate::clock;
use crate::metrics::Counters;
use crate::serve::Whole;
use crate::site::Profile;
use crate::upstream::Upstream;

/// A pod that takes longer to tell its counters is left out, as one that has gone.
const TIMEOUT: Duration = Duration::from_millis(500);

pub(super) struct View {
    store: Rc<Upstream<Whole>>,
    /// What pods had counted that the site has no more.
    before: Cell<Counters>,
}

/// What a pod has counted so far, over all its lives.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    now: Counters,
    requests_before: u64,
    errors_before: u64,
}

/// What the front door answers itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Health,
    Ready,
    Live,
    Metrics,
    Prometheus,
    Resources,
}

pub(super) fn page(path: &str) -> Option<Page> {
    match path {
        "/health" => Some(Page::Health),
        "/ready" => Some(Page::Ready),
        "/live" => Some(Page::Live),
        "/metrics" => Some(Page::Metrics),
        "/metrics/prometheus" => Some(Page::Prometheus),
        "/resources" => Some(Page::Resources),
        _ => None,
    }
}

impl View {
    pub(super) fn new(config: &FrontConfig) -> View {
        View {
            store: Upstream::new(config.store),
            before: Cell::default(),
        }
    }

    /// These pods go: what they have counted stays counted.
    pub(super) fn forget(&self, pods: &[Rc<Pod>]) {
        let gone = pods.iter().map(|pod| pod.seen.get().shown(false));
        let only_totals = |counters: Counters| Counters {
            requests: counters.requests,
            errors: counters.errors,
            ..Counters::default()
        };
        let sum = gone.map(only_totals).fold(self.before.get(), Counters::add);
        self.before.set(sum);
    }

    /// Asks all pods at once, and adds up what they say.
    async fn ask(&self, pods: Vec<Rc<Pod>>) -> Counters {
        let asked: Vec<_> = pods
            .into_iter()
            .map(|pod| {
                tokio::task::spawn_local(async move {
                    let body = get(&pod.counts, "/control/counters", TIMEOUT).await;
                    let now = body.and_then(|body| serde_json::from_slice(&body).ok());
                    pod.seen.set(pod.seen.get().then(now));
                    pod.seen.get().shown(now.is_some())
                })
            })
            .collect();
        let mut sum = self.before.get();
        for answer in asked {
            sum = sum.add(answer.await.unwrap_or_default());
        }
        sum
    }
}

impl Seen {
    /// A pod that counts less than before was started again: what it had counted stays counted.
    fn then(self, now: Option<Counters>) -> Seen {
        match now {
            None => self,
            Some(now) if now.requests < self.now.requests => Seen {
                now,
                requests_before: self.requests_before + self.now.requests,
                errors_before: self.errors_before + self.now.errors,
            },
            Some(now) => Seen { now, ..self },
        }
    }

    /// Of a pod that does not answer only the totals are known.
    fn shown(self, answers: bool) -> Counters {
        let gauges = if answers {
            self.now
        } else {
            Counters::default()
        };
        Counters {
            requests: self.requests_before + self.now.requests,
            errors: self.errors_before + self.now.errors,
            ..gauges
        }
    }
}

async fn counters(front: &Front) -> Counters {
    let pods = front.view.ask(front.pods.all()).await;
    Counters {
        // What counts for the site is who is connected to it, not the front door's own connections to the pods.
        connections: front.connections.open(),
        requests: pods.requests + front.requests.get(),
        errors: pods.errors + front.errors.get(),
        ..pods
    }
}

pub(super) async fn answer(front: &Front, page: Page) -> Response<Whole> {
    let profile = front.config.profile;
    match (page, profile) {
        (Page::Health, Profile::Sop) => health(front).await,
        (Page::Health, Profile::Erlmcp) => answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
        (Page::Ready, _) => ready(front),
        (Page::Live, _) => {
            answer::json(StatusCode::OK, &with_time(front, json!({ "alive": true })))
        }
        (Page::Metrics, Profile::Sop) => {
            let metrics = counters(front).await;
            answer::json(
                StatusCode::OK,
                &json!({ "site": front.config.site, "metrics": metrics }),
            )
        }
        (Page::Metrics, Profile::Erlmcp) => {
            answer::text(StatusCode::INTERNAL_SERVER_ERROR, "Error fetching metrics")
        }
        (Page::Prometheus, _) => {
            let text = counters(front).await.exposition(profile);
            answer::typed(StatusCode::OK, EXPOSITION, text)
        }
        (Page::Resources, _) => {
            let counters = counters(front).await;
            let body =
                json!({ "resources": crate::pod::resources(), "capacity": counters.usage() });
            answer::json(StatusCode::OK, &body)
        }
    }
}

async fn health(front: &Front) -> Response<Whole> {
    let pods = front.pods.all();
    let store = get(&front.view.store, "/health", TIMEOUT).await.is_some();
    let ready = front.pods.ready_count();
    let (status, word) = match ready {
        0 => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        _ if !store => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        ready if ready < pods.len() as u64 => (StatusCode::OK, "degraded"),
        _ => (StatusCode::OK, "healthy"),
    };
    let shown: Vec<_> = pods
        .iter()
        .map(|pod| json!({ "name": pod.at.name, "node": pod.at.node, "ready": pod.ready.get() }))
        .collect();
    let body = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "checks": {
            "pods": { "ready": ready, "total": pods.len() },
            "store": { "status": if store { "healthy" } else { "unhealthy" } },
        },
        "pods": shown,
        "metrics": counters(front).await,
    });
    answer::json(status, &with_time(front, body))
}

fn ready(front: &Front) -> Response<Whole> {
    let ready = front.config.profile == Profile::Sop && front.pods.ready_count() > 0;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer::json(status, &with_time(front, json!({ "ready": ready })))
}

fn with_time(front: &Front, mut body: Value) -> Value {
    let uptime = clock::now().saturating_duration_since(front.started);
    body["site"] = json!(front.config.site);
    body["uptime"] = json!(uptime.as_secs());
    body["timestamp"] = json!(clock::wall().as_millis() as u64);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_never_fall_when_a_pod_starts_again() {
        let count = |requests, errors, sessions| {
            Some(Counters {
                requests,
                errors,
                sessions,
                ..Counters::default()
            })
        };
        let seen = Seen::default().then(count(10, 2, 4));
        let gone = seen.then(None).shown(false);
        assert_eq!((gone.requests, gone.errors, gone.sessions), (10, 2, 0));
        let again = seen.then(count(3, 0, 1)).shown(true);
        assert_eq!((again.requests, again.errors, again.sessions), (13, 2, 1));
    }
}
