//! A request to its pod, and the answer back as it comes.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use http_body_util::Either;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TE, TRAILER, UPGRADE};
use hyper::{Request, Response, StatusCode, Uri};

use super::clients::Refusal;
use super::refusal::{self, Measured};
use super::{Body, Front};
use crate::answer;
use crate::serve::Peer;
use crate::upstream::UpstreamError;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// Headers that speak of one connection and not of the message. hyper sees to Transfer-Encoding itself.
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    TE,
    TRAILER,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

pub(super) async fn forward(front: &Front, mut request: Request<Incoming>) -> Response<Body> {
    let from = from(&request);
    let most = front.clients.bounds().message;
    if let Err(refusal) = front.clients.message(from) {
        return bounded(front, refusal);
    }
    // What says that it is too large is not read.
    if most.is_some_and(|most| announced(request.headers()).is_some_and(|length| length > most)) {
        front.clients.refuse(from, Refusal::Size);
        return bounded(front, Refusal::Size);
    }
    let session = request
        .headers()
        .get(SESSION)
        .and_then(|id| id.to_str().ok());
    let Some(pod) = front.pods.choose(session) else {
        return refuse(front, StatusCode::SERVICE_UNAVAILABLE, "no pod is ready");
    };
    strip(request.headers_mut());
    to_path(&mut request);
    let over = Rc::new(Cell::new(false));
    let request = request.map(|body| Measured::new(body, most, over.clone()));
    let exchange = pod.clients.send(request);
    match tokio::time::timeout(front.config.reply_timeout, exchange).await {
        Ok(Ok(response)) => {
            let mut response = response.map(Either::Right);
            strip(response.headers_mut());
            response
        }
        Ok(Err(_)) if over.get() => {
            front.clients.refuse(from, Refusal::Size);
            bounded(front, Refusal::Size)
        }
        Ok(Err(error @ (UpstreamError::Connect(..) | UpstreamError::Lost(..)))) => {
            refuse(front, StatusCode::BAD_GATEWAY, &error.to_string())
        }
        Err(_) => refuse(
            front,
            StatusCode::GATEWAY_TIMEOUT,
            "the pod does not answer",
        ),
    }
}

/// A request without a session asks for one, or needs none.
pub(super) fn opens_session(request: &Request<Incoming>) -> bool {
    !request.headers().contains_key(SESSION)
}

fn from(request: &Request<Incoming>) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Counted as a request that reached no pod.
fn bounded(front: &Front, refusal: Refusal) -> Response<Body> {
    front.requests.set(front.requests.get() + 1);
    front.errors.set(front.errors.get() + 1);
    refusal::answer(refusal, front.clients.bounds())
}

fn strip(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// A client may send the whole address; a pod wants the path.
fn to_path(request: &mut Request<Incoming>) {
    if request.uri().authority().is_some() {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    }
}

pub(super) fn refuse(front: &Front, status: StatusCode, reason: &str) -> Response<Body> {
    front.requests.set(front.requests.get() + 1);
    front.errors.set(front.errors.get() + 1);
    answer::text(status, reason.to_owned()).map(Either::Left)
}
