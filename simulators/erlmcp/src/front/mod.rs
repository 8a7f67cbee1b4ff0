//! The front door: where clients connect.
//!
//! ```text
//! pods     the pods and which of them are ready: health checks, and which pod a request goes to
//! proxy    a request to its pod and the answer back, streamed
//! clients  who connects, how much each asks for, and what is refused of it
//! refusal  bodies that are measured, and the words with which a bound refuses
//! commands what the world and the director tell it
//! answers  how many requests are answered, for a site that recovers badly
//! view     health, metrics and resources of the site as a whole
//! ```

pub(crate) mod answers;
pub(crate) mod clients;
pub(crate) mod commands;
mod pods;
mod proxy;
mod refusal;
mod tls;
mod view;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock;
use crate::role::{Announcement, Part, RoleError};
use crate::serve::{Connections, Handler, HangUp, Listener, Tls, Whole};
use crate::site::{Bounds, HealthCheck, Profile, TlsFiles};
use crate::upstream;
use answers::Answers;
use clients::{Clients, Refusal};
use pods::Pods;
use refusal::Measured;

/// What the front door is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FrontConfig {
    pub site: String,
    pub address: SocketAddr,
    /// Where it takes commands; nowhere without.
    #[serde(default)]
    pub control: Option<SocketAddr>,
    pub pods: Vec<PodAddress>,
    pub store: SocketAddr,
    pub profile: Profile,
    pub health: HealthCheck,
    pub connections_per_pod: u32,
    pub bounds: Bounds,
    /// A pod that has not begun to answer by then is given up on.
    pub reply_timeout: Duration,
    pub tls: Option<TlsFiles>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PodAddress {
    pub name: String,
    pub node: String,
    pub address: SocketAddr,
    pub control: SocketAddr,
}

/// The front door's own words, or a pod's answer as it comes.
type Body = Either<Whole, upstream::Reply<Measured>>;

impl Part for FrontConfig {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let tls = Tls::default();
        *tls.borrow_mut() = self.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = Listener::bind(self.address)?.with_tls(tls.clone());
        let address = listener.address()?;
        let pods = Pods::watch(&self).await;
        let control = self.control.map(Listener::bind).transpose()?;
        announce(Announcement::Listening {
            address,
            control: self.control,
        });
        let front = Rc::new(Front {
            started: clock::now(),
            connections: Rc::default(),
            requests: Cell::new(0),
            errors: Cell::new(0),
            view: view::View::new(&self),
            answers: Answers::default(),
            clients: Clients::new(self.bounds.clone()),
            pods,
            tls,
            config: self,
        });
        let connections = front.connections.clone();
        if let Some(control) = control {
            let commands = Rc::new(commands::Commands(front.clone()));
            tokio::task::spawn_local(control.serve(commands, Rc::default(), stop.clone()));
        }
        listener.serve(front, connections, stop).await;
        Ok(())
    }
}

struct Front {
    config: FrontConfig,
    started: Instant,
    connections: Rc<Connections>,
    pods: Pods,
    view: view::View,
    /// Requests that reached no pod, which no pod counts: each of them is an error.
    requests: Cell<u64>,
    errors: Cell<u64>,
    answers: Answers,
    tls: Tls,
    clients: Clients,
}

impl Handler for Front {
    type Body = Body;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Body>, HangUp> {
        Ok(match view::page(request.uri().path()) {
            None if !self.answers.are_given(proxy::opens_session(&request)) => {
                let why = "out of order, as asked";
                proxy::refuse(&self, StatusCode::SERVICE_UNAVAILABLE, why)
            }
            Some(page) => view::answer(&self, page).await.map(Either::Left),
            None => proxy::forward(&self, request).await,
        })
    }

    fn connections_max(&self) -> u64 {
        u64::from(self.config.connections_per_pod) * self.pods.count()
    }

    fn connected(&self, from: IpAddr) -> Result<(), Bytes> {
        let refused = self.clients.connect(from);
        refused.map_err(|refusal| refusal::whole(refusal, self.clients.bounds()))
    }

    fn left(&self, from: IpAddr) {
        self.clients.disconnect(from);
    }

    fn patience(&self) -> Option<Duration> {
        self.clients.bounds().write_timeout
    }

    fn gave_up(&self, from: IpAddr) {
        self.clients.refuse(from, Refusal::Slow);
    }
}
