//! A world seen from outside: started, found again, asked.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::config::WorldConfig;
use super::request::{Reply, Request};
use super::view::View;
use crate::child::{Program, Spawned};
use crate::launch::LaunchError;
use crate::role::{Announcement, Role};
use crate::{clock, control, proc};

/// Where a world says who it is.
pub(crate) const FILE: &str = "world.json";

#[derive(Debug, Error)]
pub enum AttachError {
    #[error(
        "{path} cannot be read: {reason}; is this the folder that `firedrill serve --state` was given?"
    )]
    NoWorld { path: PathBuf, reason: String },
    #[error(
        "the sites of {path} are not running any more: start them again with `firedrill serve --state`"
    )]
    Gone { path: PathBuf },
}

#[derive(Debug, Error)]
pub enum WorldError {
    #[error("the world at {address} does not answer: {source}; its process may have ended")]
    Unreachable {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the world refuses: {0}")]
    Refused(String),
    #[error("the world answered what cannot be understood: {0}")]
    Garbled(String),
}

/// What a world writes to `world.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`.
    pub started: u64,
    pub control: SocketAddr,
    /// Who has not read it from the folder may not command.
    pub token: String,
}

/// The way to ask a world. Cheap to clone; calls block, for a limited time.
#[derive(Clone, Debug)]
pub struct World {
    identity: Identity,
    state: PathBuf,
}

/// A world that ends when this is dropped, or when the thread ends that launched it.
#[derive(Debug)]
pub struct RunningWorld {
    world: World,
    process: Spawned,
}

/// What the world's process is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WorldPart {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub config: WorldConfig,
}

/// Longer than anything takes that a world is asked for.
const TIMEOUT: Duration = Duration::from_secs(60);
/// From SIGTERM to SIGKILL: the world itself gives its processes less.
const GRACE: Duration = Duration::from_secs(3);

/// Starts a world and returns when every site serves.
///
/// The world is started as `program args_prefix... world`, and starts its own processes in the same way; the program
/// has to call [`run_role`](crate::run_role). **Call it from the main thread**, or from another one that lives as
/// long as the world: the kernel kills the world when the thread ends that spawned it, and with it all below.
pub fn launch_world(
    program: &Path,
    args_prefix: &[&str],
    config: &WorldConfig,
) -> Result<RunningWorld, LaunchError> {
    config.check().map_err(LaunchError::World)?;
    let part = WorldPart {
        program: program.to_owned(),
        arguments: args_prefix.iter().map(|&word| word.to_owned()).collect(),
        config: config.clone(),
    };
    let program = Program {
        world: Some(config.state.clone()),
        ..Program::new(program, args_prefix)
    };
    let mut process =
        Spawned::spawn(&program, Role::World, 0, &part).map_err(|source| LaunchError::Spawn {
            site: "world".to_owned(),
            name: "world".to_owned(),
            program: program.path.display().to_string(),
            source,
        })?;
    match process.announcement() {
        Ok(Announcement::Listening { .. }) => {}
        Ok(Announcement::Failed(reason)) | Err(reason) => return Err(LaunchError::World(reason)),
    }
    let world = attach(&config.state).map_err(|error| LaunchError::World(error.to_string()))?;
    Ok(RunningWorld { world, process })
}

/// Finds the world that keeps its state in the folder `state`.
pub fn attach(state: &Path) -> Result<World, AttachError> {
    let path = state.join(FILE);
    let unreadable = |reason: String| AttachError::NoWorld {
        path: path.clone(),
        reason,
    };
    let text = fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    let identity: Identity =
        serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    // A pid is given to others later on: the start time tells them apart.
    if proc::started(identity.pid) != Some(identity.started) {
        return Err(AttachError::Gone {
            path: state.to_owned(),
        });
    }
    Ok(World {
        identity,
        state: state.to_owned(),
    })
}

impl World {
    pub fn view(&self) -> Result<View, WorldError> {
        match self.ask(&Request::View)? {
            Reply::View(view) => Ok(*view),
            other => Err(WorldError::Garbled(format!("{other:?} to a view"))),
        }
    }

    pub fn ask(&self, request: &Request) -> Result<Reply, WorldError> {
        let garbled = |error: serde_json::Error| WorldError::Garbled(error.to_string());
        let body = serde_json::to_string(request).map_err(garbled)?;
        let address = self.identity.control;
        let headers = format!("authorization: Bearer {}\r\n", self.identity.token);
        let answer = control::exchange(address, "/ask", &headers, &body, TIMEOUT)
            .map_err(|source| WorldError::Unreachable { address, source })?;
        match answer.status {
            200 => serde_json::from_str(&answer.body).map_err(garbled),
            _ => Err(WorldError::Refused(answer.body)),
        }
    }

    /// Where it takes requests.
    pub fn control(&self) -> SocketAddr {
        self.identity.control
    }

    pub fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// The folder that it keeps everything in.
    pub fn state(&self) -> &Path {
        &self.state
    }
}

impl RunningWorld {
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Ends every process. Returns when all are gone.
    pub fn stop(mut self) {
        self.end();
    }

    /// How the world ended, when nobody asked it to.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    fn end(&mut self) {
        self.process.terminate();
        self.process.finish(clock::now() + GRACE);
    }
}

impl Drop for RunningWorld {
    fn drop(&mut self) {
        self.end();
    }
}
