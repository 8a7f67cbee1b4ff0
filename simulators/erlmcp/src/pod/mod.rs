//! A pod: an MCP server over Streamable HTTP, with the behaviour that it is told to have.
//!
//! ```text
//! http        what HTTP asks of a request to /mcp, and what becomes of it
//! message     JSON-RPC: text to message, outcome to text
//! initialize  opening a session, each profile with its versions
//! operation   admission, service time, errors; the answer as JSON or as an event stream
//! methods     tools/list, resources, prompts and the rest; tools: what tools/call does
//! ledger      the way to the store
//! sessions, admission, draws, stall, memory, pace    one piece of state each
//! refusal     limits that refuse, and their codes
//! health      /health, /ready, /live, /metrics, /resources, and /control on the control address
//! ```

mod admission;
mod body;
mod draws;
mod health;
mod http;
mod initialize;
mod ledger;
mod memory;
mod message;
mod methods;
mod operation;
mod pace;
mod refusal;
mod sessions;
mod stall;
mod tools;

pub use tools::WRITE_REFUSED;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock;
use crate::metrics::Counters;
use crate::role::{Announcement, Part, RoleError};
use crate::serve::{Connections, Handler, HangUp, Listener, Whole};
use crate::site::{Behaviour, Profile, Reply};
use crate::store::EPOCH;
use admission::Admission;
use body::Body;
use draws::Draws;
use ledger::Ledger;
use memory::Memory;
use pace::Pace;
use sessions::Sessions;
use stall::Stall;

pub(crate) use methods::resources;

const SITE: HeaderName = HeaderName::from_static("x-erlmcp-site");
const POD: HeaderName = HeaderName::from_static("x-erlmcp-pod");

/// What a pod is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PodConfig {
    pub name: String,
    pub site: String,
    pub node: String,
    pub address: SocketAddr,
    pub control: SocketAddr,
    pub store: SocketAddr,
    pub behaviour: Behaviour,
    pub profile: Profile,
    pub reply: Reply,
    pub seed: u64,
    /// Longest request body, in bytes.
    pub message_max: usize,
    pub store_timeout: Duration,
}

impl Part for PodConfig {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let listener = Listener::bind(self.address)?;
        let control = Listener::bind(self.control)?;
        let (address, commands) = (listener.address()?, control.address()?);
        let pod = Rc::new(Pod::new(self)?);
        pod.ledger.learn().await;
        announce(Announcement::Listening {
            address,
            control: Some(commands),
        });
        let clients = pod.connections.clone();
        let commands = Rc::new(health::Control(pod.clone()));
        tokio::task::spawn_local(pace::watch(pod.clone()));
        tokio::task::spawn_local(pace::burn(pod.clone()));
        tokio::task::spawn_local(control.serve(commands, Rc::default(), stop.clone()));
        listener.serve(pod, clients, stop).await;
        Ok(())
    }
}

struct Pod {
    config: PodConfig,
    started: Instant,
    /// Two of the headers that every answer carries; the third is the epoch.
    names: [(HeaderName, HeaderValue); 2],
    connections: Rc<Connections>,
    sessions: Sessions,
    memory: Rc<Memory>,
    pace: Pace,
    admission: Admission,
    draws: Draws,
    ledger: Ledger,
    stall: Stall,
    requests: Cell<u64>,
    errors: Cell<u64>,
}

impl Pod {
    fn new(config: PodConfig) -> Result<Pod, RoleError> {
        let header = |text: &str| {
            HeaderValue::from_str(text).map_err(|e| RoleError::Configuration(e.to_string()))
        };
        let behaviour = &config.behaviour;
        let draws =
            Draws::new(behaviour, config.seed, &config.name).map_err(RoleError::Configuration)?;
        let memory = Rc::new(Memory::new(behaviour.bounds.memory));
        let queue = behaviour.bounds.queue.then_some(behaviour.queue);
        Ok(Pod {
            started: clock::now(),
            names: [(SITE, header(&config.site)?), (POD, header(&config.name)?)],
            connections: Rc::default(),
            sessions: Sessions::new(
                &config.name,
                behaviour.sessions,
                behaviour.session_memory,
                memory.clone(),
            ),
            memory,
            pace: Pace::new(behaviour.bounds.cpu),
            admission: Admission::new(behaviour.capacity, queue),
            draws,
            ledger: Ledger::new(config.store, config.store_timeout),
            stall: Stall::default(),
            requests: Cell::new(0),
            errors: Cell::new(0),
            config,
        })
    }

    fn counters(&self) -> Counters {
        let behaviour = &self.config.behaviour;
        Counters {
            connections: self.connections.open(),
            connections_capacity: behaviour.connections.into(),
            requests: self.requests.get(),
            errors: self.errors.get(),
            queue: self.admission.waiting(),
            queue_capacity: behaviour.queue.into(),
            running: self.admission.running(),
            capacity: behaviour.capacity.into(),
            sessions: self.sessions.open_count(),
            sessions_capacity: behaviour.sessions.into(),
        }
    }

    fn count_request(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    fn count_error(&self) {
        self.errors.set(self.errors.get() + 1);
    }
}

impl Handler for Pod {
    type Body = Body;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Body>, HangUp> {
        self.stall.over().await;
        let mut response = if request.uri().path() == "/mcp" {
            http::answer(&self, request).await?
        } else {
            health::answer(&self, &request)
                .await
                .map(|body: Whole| Body::from(body))
        };
        self.stall.over().await;
        for (name, value) in &self.names {
            response.headers_mut().insert(name, value.clone());
        }
        let epoch = self.ledger.epoch().into();
        response.headers_mut().insert(EPOCH, epoch);
        Ok(response)
    }

    fn connections_max(&self) -> u64 {
        // One more than clients may have: the front door's health checks keep a connection of their own.
        u64::from(self.config.behaviour.connections) + 1
    }
}
