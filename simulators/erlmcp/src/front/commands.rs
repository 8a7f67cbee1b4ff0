//! Commands to a front door, on an address that no client knows.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::answers::Order;
use super::{Front, PodAddress, tls, view};
use crate::answer;
use crate::serve::{self, Handler, HangUp, Whole};
use crate::site::TlsFiles;

const COMMAND_MAX: usize = 1 << 20;

pub(super) struct Commands(pub Rc<Front>);

#[derive(Deserialize)]
struct Drain {
    on: bool,
}

/// A pod as the front door sees it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub name: String,
    pub ready: bool,
}

impl Handler for Commands {
    type Body = Whole;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Whole>, HangUp> {
        let front = &self.0;
        let (head, body) = request.into_parts();
        let body = serve::read_body(body, COMMAND_MAX)
            .await
            .map_err(|_| HangUp)?;
        Ok(match (&head.method, head.uri.path()) {
            (&Method::POST, "/control/clients") => {
                answer::json(StatusCode::OK, &front.clients.accounts())
            }
            (&Method::GET, "/control/pods") => answer::json(StatusCode::OK, &seen(front)),
            (&Method::POST, "/control/drain") => match serde_json::from_slice::<Drain>(&body) {
                Ok(Drain { on }) => {
                    front.connections.let_go(on);
                    answer::text(StatusCode::OK, "{}")
                }
                Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
            },
            (&Method::POST, "/control/answers") => match serde_json::from_slice::<Order>(&body) {
                Ok(order) => {
                    front.answers.set(order);
                    answer::text(StatusCode::OK, "{}")
                }
                Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
            },
            (&Method::POST, "/control/tls") => match serde_json::from_slice(&body) {
                Ok(files) => renew_tls(front, &files),
                Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
            },
            (&Method::POST, "/control/pods") => match serde_json::from_slice(&body) {
                Ok(wanted) => {
                    set_pods(front, wanted);
                    answer::text(StatusCode::OK, "{}")
                }
                Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
            },
            (&Method::GET, path) => match view::page(path) {
                Some(page) => view::answer(front, page).await,
                None => answer::empty(StatusCode::NOT_FOUND),
            },
            _ => answer::empty(StatusCode::NOT_FOUND),
        })
    }
}

/// As servers do it that read their certificate again: new connections get the new one, and old ones end with the
/// answer that is under way.
fn renew_tls(front: &Front, files: &TlsFiles) -> Response<Whole> {
    match tls::acceptor(files) {
        Ok(acceptor) => {
            front.tls.replace(Some(acceptor));
            front.connections.renew();
            answer::text(StatusCode::OK, "{}")
        }
        Err(error) => answer::text(StatusCode::CONFLICT, error.to_string()),
    }
}

fn set_pods(front: &Front, wanted: Vec<PodAddress>) {
    let mut gone = front.pods.all();
    gone.retain(|pod| !wanted.contains(&pod.at));
    front.view.forget(&gone);
    // The checks of new pods go on by themselves.
    drop(front.pods.set(&wanted, &front.config));
}

fn seen(front: &Front) -> Vec<Seen> {
    let pods = front.pods.all();
    pods.iter()
        .map(|pod| Seen {
            name: pod.at.name.clone(),
            ready: pod.ready.get(),
        })
        .collect()
}
