//! Starting a site and ending it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

use crate::child::{Program, Spawned};
use crate::clock;
use crate::layout::{self, PartConfig};
use crate::role::{Announcement, Role};
use crate::site::SiteConfig;

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// Why a site could not be started. Processes that were started before are ended again.
#[derive(Debug, Error)]
pub enum LaunchError {
    #[error("site `{site}`: {reason}")]
    Config { site: String, reason: String },
    #[error(
        "cannot start {name} of site `{site}` from {program}: {source}; check that the file can be executed and that the process and descriptor limits (`ulimit -u`, `ulimit -n`) leave room"
    )]
    Spawn {
        site: String,
        name: String,
        program: String,
        source: std::io::Error,
    },
    #[error("{name} of site `{site}` did not come up: {reason}")]
    NotListening {
        site: String,
        name: String,
        reason: String,
    },
    #[error("the sites could not be started: {0}")]
    World(String),
    #[error("site `{site}` has no process called `{name}`; there are {known}")]
    NoSuchProcess {
        site: String,
        name: String,
        known: String,
    },
}

/// A process of a running site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub site: String,
    pub role: Role,
    /// `<site>-0` and so on for pods, `<site>-store`, `<site>-front`.
    pub name: String,
    /// Of pods only.
    pub node: Option<String>,
    pub pid: u32,
    pub address: SocketAddr,
    /// Where it takes commands; pods only.
    pub control: Option<SocketAddr>,
}

/// A process that ended without being asked to by [`RunningSite::stop`].
#[derive(Clone, Debug)]
pub struct Exited {
    pub process: Process,
    pub status: ExitStatus,
}

/// A site whose processes run. They are ended by [`RunningSite::stop`], or when this is dropped, or by the kernel
/// when the thread that launched them ends.
#[derive(Debug)]
pub struct RunningSite {
    name: String,
    program: Program,
    nice: i32,
    tls: bool,
    processes: Vec<Process>,
    /// Beside `processes`, with the same indices.
    parts: Vec<(PartConfig, Spawned)>,
}

/// Starts every process of a site and returns when its front door has seen its pods ready.
///
/// A process is started as `program args_prefix... ROLE`, where the program has to call
/// [`run_role`](crate::run_role). **Call it from the main thread**, or from another one that lives as long as the
/// site: the kernel kills the processes when the thread ends that spawned them.
pub fn launch(
    program: &Path,
    args_prefix: &[&str],
    config: &SiteConfig,
) -> Result<RunningSite, LaunchError> {
    let refuse = |reason| LaunchError::Config {
        site: config.name.clone(),
        reason,
    };
    config.check().map_err(refuse)?;
    let mut site = RunningSite {
        name: config.name.clone(),
        program: Program::new(program, args_prefix),
        nice: config.nice,
        tls: config.tls.is_some(),
        processes: Vec::new(),
        parts: Vec::new(),
    };
    let store = site.add(layout::store(config).map_err(refuse)?)?.address;
    site.add_all(layout::pods(config, store).map_err(refuse)?)?;
    let front = layout::front(config, store, &site.processes).map_err(refuse)?;
    site.add(front)?;
    Ok(site)
}

impl RunningSite {
    fn add(&mut self, part: PartConfig) -> Result<&Process, LaunchError> {
        let at = self.processes.len();
        self.add_all(vec![part])?;
        Ok(&self.processes[at])
    }

    /// Spawns `parts` together and waits until each of them listens.
    fn add_all(&mut self, parts: Vec<PartConfig>) -> Result<(), LaunchError> {
        let spawned = parts
            .into_iter()
            .map(|part| Ok((self.spawn(&part)?, part)))
            .collect::<Result<Vec<_>, LaunchError>>()?;
        for (mut child, mut part) in spawned {
            let process = self.await_listening(&part, &mut child)?;
            part.pin(process.address, process.control);
            self.processes.push(process);
            self.parts.push((part, child));
        }
        Ok(())
    }

    fn spawn(&self, part: &PartConfig) -> Result<Spawned, LaunchError> {
        part.spawn(&self.program, self.nice)
            .map_err(|source| LaunchError::Spawn {
                site: self.name.clone(),
                name: part.name(&self.name),
                program: self.program.path.display().to_string(),
                source,
            })
    }

    fn await_listening(
        &self,
        part: &PartConfig,
        child: &mut Spawned,
    ) -> Result<Process, LaunchError> {
        let name = part.name(&self.name);
        let reason = match child.announcement() {
            Ok(Announcement::Listening { address, control }) => {
                return Ok(Process {
                    site: self.name.clone(),
                    role: part.role(),
                    name,
                    node: part.node(),
                    pid: child.pid(),
                    address,
                    control,
                });
            }
            Ok(Announcement::Failed(reason)) | Err(reason) => reason,
        };
        Err(LaunchError::NotListening {
            site: self.name.clone(),
            name,
            reason,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where clients connect: scheme, address and port, without a path. The MCP endpoint is `/mcp`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        // `launch` adds the front door last, and returns no site without one.
        let front = &self.processes[self.processes.len() - 1];
        format!("{scheme}://{}", front.address)
    }

    /// All processes: the store, the pods in their order, the front door.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// The processes that have ended by themselves or by somebody else's hand. Does not wait.
    pub fn exited(&mut self) -> Vec<Exited> {
        self.processes
            .iter()
            .zip(&mut self.parts)
            .filter_map(|(process, (_, child))| {
                Some(Exited {
                    process: process.clone(),
                    status: child.ended()?,
                })
            })
            .collect()
    }

    /// Starts the process called `name` again, with the configuration, the address and the data that it had.
    /// One that still runs is killed first. As [`launch`], it belongs on the main thread.
    pub fn restart(&mut self, name: &str) -> Result<&Process, LaunchError> {
        let Some(at) = self
            .processes
            .iter()
            .position(|process| process.name == name)
        else {
            let known: Vec<_> = self.processes.iter().map(|p| p.name.as_str()).collect();
            return Err(LaunchError::NoSuchProcess {
                site: self.name.clone(),
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        self.parts[at].1.finish(clock::now());
        let part = self.parts[at].0.clone();
        let mut child = self.spawn(&part)?;
        let process = self.await_listening(&part, &mut child)?;
        self.parts[at].1 = child;
        self.processes[at] = process;
        Ok(&self.processes[at])
    }

    /// Ends every process: SIGTERM, a second of grace, SIGKILL. Returns when all are gone.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for (_, child) in &mut self.parts {
            child.terminate();
        }
        let deadline = clock::now() + GRACE;
        for (_, child) in &mut self.parts {
            child.finish(deadline);
        }
    }
}

impl Drop for RunningSite {
    fn drop(&mut self) {
        self.end();
    }
}
