//! The way into a child process: one line of configuration, the guard against being left behind, the loop.
//!
//! A child takes its configuration as one JSON line from stdin, answers on stdout with one JSON line
//! (`Announcement`) as soon as it listens or has failed to, and then serves until SIGTERM, which lets
//! requests in progress end. It ends at once when its parent ends (parent-death signal) or when stdin ends.

use std::future::Future;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, setrlimit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::director::DirectorPart;
use crate::front::FrontConfig;
use crate::network::NetworkPart;
use crate::pod::PodConfig;
use crate::store::StoreConfig;
use crate::world::WorldPart;

/// How long requests in progress may take to end after SIGTERM.
const GRACE: Duration = Duration::from_millis(500);

/// What a process of a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Serves MCP.
    Pod,
    /// Keeps the ledger.
    Store,
    /// Where clients connect.
    Front,
    /// The ground that sites stand on: starts every other process.
    World,
    /// Watches the serving site and says where clients go.
    Director,
    /// The network between the others, where it can be disturbed.
    Network,
}

impl Role {
    const ALL: [Role; 6] = [
        Role::Pod,
        Role::Store,
        Role::Front,
        Role::World,
        Role::Director,
        Role::Network,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Pod => "pod",
            Role::Store => "store",
            Role::Front => "front",
            Role::World => "world",
            Role::Director => "director",
            Role::Network => "network",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Role, RoleError> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| RoleError::Unknown(text.to_owned()))
    }
}

/// Why a child could not do its part.
#[derive(Debug, Error)]
pub enum RoleError {
    #[error(
        "there is no part `{0}` of a stand-in site: say pod, store, front, world, director or network"
    )]
    Unknown(String),
    #[error(
        "the configuration on stdin cannot be read: {0}; `stand-in` is started by firedrill itself"
    )]
    Configuration(String),
    #[error("the parent process ended before this one began")]
    Orphaned,
    #[error(
        "cannot listen on {address}: {source}; on Linux all of 127.0.0.0/8 is there without set-up"
    )]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("{file} cannot be used: {reason}")]
    File { file: String, reason: String },
    #[error("{0}")]
    World(String),
    #[error("{what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
}

impl RoleError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> RoleError {
        move |source| RoleError::System { what, source }
    }
}

/// What the parent writes to a child's stdin.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start<P> {
    pub parent: u32,
    pub nice: i32,
    pub part: P,
}

/// What a child writes to its stdout, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Announcement {
    Listening {
        address: SocketAddr,
        control: Option<SocketAddr>,
    },
    Failed(String),
}

/// A part that runs in a process of its own.
pub(crate) trait Part: DeserializeOwned {
    /// Binds, announces itself, and serves until `stop` is true.
    fn run(
        self,
        announce: impl FnOnce(Announcement),
        stop: watch::Receiver<bool>,
    ) -> impl Future<Output = Result<(), RoleError>>;
}

/// Runs the part called `role` in this process until its end. It is the whole of `firedrill stand-in ROLE`.
///
/// It has to be called before the process starts anything else: it makes the process die with its parent.
pub fn run(role: &str) -> Result<(), RoleError> {
    let role = role.parse::<Role>()?;
    // First of all, so that no instant is left in which the parent can die unnoticed.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| RoleError::system("cannot ask for the parent-death signal")(e.into()))?;
    raise_descriptor_limit();
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(RoleError::system("cannot read stdin"))?;
    match role {
        Role::Pod => start::<PodConfig>(&line),
        Role::Store => start::<StoreConfig>(&line),
        Role::Front => start::<FrontConfig>(&line),
        Role::World => start::<WorldPart>(&line),
        Role::Director => start::<DirectorPart>(&line),
        Role::Network => start::<NetworkPart>(&line),
    }
}

/// A front door holds a descriptor for each client and each connection to a pod: it takes as many as it may have.
/// Where that is refused, the soft limit stays, and connections beyond it wait.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

fn start<P: Part>(line: &str) -> Result<(), RoleError> {
    let outcome = serve_part::<P>(line);
    if let Err(error) = &outcome {
        announce(&Announcement::Failed(error.to_string()));
    }
    outcome
}

fn serve_part<P: Part>(line: &str) -> Result<(), RoleError> {
    let start: Start<P> =
        serde_json::from_str(line).map_err(|e| RoleError::Configuration(e.to_string()))?;
    stay_with_parent(start.parent)?;
    if start.nice != 0 {
        let priority = rustix::process::getpriority_process(None).unwrap_or(0) + start.nice;
        rustix::process::setpriority_process(None, priority)
            .map_err(|e| RoleError::system("cannot change the priority")(e.into()))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RoleError::system("cannot start the event loop"))?;
    LocalSet::new().block_on(&runtime, async move {
        let stop = on_sigterm().map_err(RoleError::system("cannot listen for SIGTERM"))?;
        start.part.run(|line| announce(&line), stop).await
    })
}

/// The parent-death signal does not come when the parent had ended before it was asked for: then the parent's
/// pid is not the one that the configuration names. The end of stdin is the second line.
fn stay_with_parent(parent: u32) -> Result<(), RoleError> {
    let expected = i32::try_from(parent).ok().and_then(Pid::from_raw);
    if expected.is_none() || rustix::process::getppid() != expected {
        return Err(RoleError::Orphaned);
    }
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(|| {
            // Whatever else comes is of no interest, and an error ends stdin just as well.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            std::process::exit(0);
        })
        .map_err(RoleError::system("cannot watch stdin"))?;
    Ok(())
}

fn announce(line: &Announcement) {
    // Both results are dropped on purpose: a parent that no longer reads has ended, and then so will this process.
    if let Ok(mut text) = serde_json::to_vec(line) {
        text.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }
}

/// Turns true at SIGTERM. The process exits after [`GRACE`] even when its part has not come to an end.
fn on_sigterm() -> io::Result<watch::Receiver<bool>> {
    let mut term = signal(SignalKind::terminate())?;
    let (stop, stopped) = watch::channel(false);
    tokio::task::spawn_local(async move {
        term.recv().await;
        let _ = stop.send(true);
        tokio::time::sleep(GRACE).await;
        std::process::exit(0);
    });
    Ok(stopped)
}
