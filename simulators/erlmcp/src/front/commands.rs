//! Commands to a front door, on an address that no client knows.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::answers::Order;
use super::{Front, PodAddress};
use crate::answer;
use crate::serve::{self, Handler, HangUp, Whole};

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
            (&Method::POST, "/control/pods") => match serde_json::from_slice(&body) {
                Ok(wanted) => {
                    set_pods(front, wanted);
                    answer::text(StatusCode::OK, "{}")
                }
                Err(error) => answer::text(StatusCode::BAD_REQUEST, error.to_string()),
            },
            _ => answer::empty(StatusCode::NOT_FOUND),
        })
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
