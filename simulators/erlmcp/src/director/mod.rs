//! The director: DNS and automation outside every site.
//!
//! ```text
//! dns        where clients go: answers for one name
//! watch      health checks of the site that clients are sent to
//! failover   another site takes over: fence, promote, switch the route
//! state      who owns the newest epoch, and where clients are sent; on disk before it holds
//! ```

mod dns;
mod failover;
mod state;
mod watch;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch as channel;

use crate::answer;
use crate::clock;
use crate::role::{Announcement, Part, RoleError};
use crate::serve::{self, HangUp, Listener, Whole};
use crate::world::{DirectorConfig, Instant, Misbehaviour, append_mark};
use state::StateFile;

pub(crate) use failover::recover_badly;
pub(crate) use state::{Ownership, Standing, State};

const COMMAND_MAX: usize = 64 << 10;

/// What the director is told at its start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DirectorPart {
    pub config: DirectorConfig,
    /// Where it takes commands.
    pub address: SocketAddr,
    /// Where it answers DNS queries.
    pub dns: SocketAddr,
    pub sites: Vec<Directed>,
    /// Made when it does not exist.
    pub directory: PathBuf,
    pub marks: PathBuf,
    pub misbehaviour: Vec<Misbehaviour>,
}

/// A site as the director knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Directed {
    pub name: String,
    /// Where clients connect.
    pub clients: SocketAddr,
    pub front: SocketAddr,
    /// Where the front door takes commands.
    pub front_control: SocketAddr,
    /// What is asked for to see whether the site serves.
    pub health: String,
    pub store: SocketAddr,
    /// The store's log. Nobody who decides looks at it: it is for telling what was lost.
    pub log: PathBuf,
}

impl Part for DirectorPart {
    async fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: channel::Receiver<bool>,
    ) -> Result<(), RoleError> {
        let first = self.sites.first().map_or("", |site| site.name.as_str());
        let (file, state) = StateFile::open(&self.directory, first)?;
        let listener = Listener::bind(self.address)?;
        let dns = dns::bind(self.dns).await?;
        announce(Announcement::Listening {
            address: listener.address()?,
            control: None,
        });
        let misbehaviour = self.misbehaviour.clone();
        let director = Rc::new(Director {
            part: self,
            file,
            state: channel::Sender::new(state),
            told_at: Cell::new(clock::now()),
            misbehaviour: RefCell::new(misbehaviour),
        });
        tokio::task::spawn_local(dns::serve(director.clone(), dns));
        tokio::task::spawn_local(watch::run(director.clone()));
        listener.serve(director, Rc::default(), stop).await;
        Ok(())
    }
}

struct Director {
    part: DirectorPart,
    file: StateFile,
    state: channel::Sender<State>,
    /// When somebody was told last where clients go.
    told_at: Cell<std::time::Instant>,
    misbehaviour: RefCell<Vec<Misbehaviour>>,
}

impl Director {
    fn state(&self) -> State {
        self.state.borrow().clone()
    }

    fn keep(&self, state: State) -> Result<(), String> {
        self.file
            .write(&state)
            .map_err(|error| format!("the director's state cannot be written: {error}"))?;
        self.state.send_replace(state);
        Ok(())
    }

    fn site(&self, name: &str) -> Result<&Directed, String> {
        let known = || self.part.sites.iter().map(|site| site.name.as_str());
        let found = self.part.sites.iter().find(|site| site.name == name);
        found.ok_or_else(|| {
            let known: Vec<_> = known().collect();
            format!("there is no site `{name}`; there are {}", known.join(", "))
        })
    }

    fn mark(&self, mark: Instant, detail: Value) {
        append_mark(&self.part.marks, "director", mark, detail);
    }

    fn is(&self, misbehaviour: Misbehaviour) -> bool {
        self.misbehaviour.borrow().contains(&misbehaviour)
    }

    /// The epoch was given to a site by somebody else.
    fn own(&self, ownership: Ownership) -> Result<(), String> {
        self.site(&ownership.owner)?;
        let state = self.state();
        let newest = &state.ownership;
        // Two sites of one epoch could not be told apart.
        let is_taken = ownership.epoch == newest.epoch && ownership.owner != newest.owner;
        if ownership.epoch < newest.epoch || is_taken {
            return Err(format!(
                "the epoch is {} already, of `{}`: say a newer one than {}",
                newest.epoch, newest.owner, ownership.epoch
            ));
        }
        self.keep(State {
            ownership,
            unfinished: false,
            ..state
        })
    }
}

#[derive(Deserialize)]
struct To {
    site: String,
}

#[derive(Deserialize)]
struct Jump {
    ahead_ms: i64,
}

impl serve::Handler for Director {
    type Body = Whole;

    async fn answer(self: Rc<Self>, request: Request<Incoming>) -> Result<Response<Whole>, HangUp> {
        let (head, body) = request.into_parts();
        let body = serve::read_body(body, COMMAND_MAX)
            .await
            .map_err(|_| HangUp)?;
        Ok(match (&head.method, head.uri.path()) {
            (&Method::GET, "/owner") => {
                let mut ownership = self.state().ownership;
                if self.is(Misbehaviour::NoFencing) {
                    ownership.epoch = 0;
                }
                answer::json(StatusCode::OK, &ownership)
            }
            (&Method::GET, "/state") => {
                let standing = Standing {
                    state: self.state(),
                    wall_ms: clock::wall().as_millis() as u64,
                };
                answer::json(StatusCode::OK, &standing)
            }
            (&Method::POST, "/clock") => match serde_json::from_slice::<Jump>(&body) {
                Ok(Jump { ahead_ms }) => {
                    clock::jump(ahead_ms);
                    done(Ok(()))
                }
                Err(error) => refuse(&error),
            },
            (&Method::POST, "/own") => match serde_json::from_slice(&body) {
                Ok(ownership) => done(self.own(ownership)),
                Err(error) => refuse(&error),
            },
            (&Method::POST, "/misbehave") => match serde_json::from_slice(&body) {
                Ok(how) => {
                    self.misbehaviour.borrow_mut().push(how);
                    done(Ok(()))
                }
                Err(error) => refuse(&error),
            },
            (&Method::POST, "/route") => match serde_json::from_slice::<To>(&body) {
                Ok(To { site }) => done(failover::switch_route(&self, &site).await),
                Err(error) => refuse(&error),
            },
            _ => answer::empty(StatusCode::NOT_FOUND),
        })
    }
}

fn refuse(error: &serde_json::Error) -> Response<Whole> {
    answer::text(StatusCode::BAD_REQUEST, error.to_string())
}

fn done(outcome: Result<(), String>) -> Response<Whole> {
    match outcome {
        Ok(()) => answer::text(StatusCode::OK, "{}"),
        Err(reason) => answer::text(StatusCode::CONFLICT, reason),
    }
}
