//! Starting a site and ending it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

use crate::child::{Program, Spawned};
use crate::clock;
use crate::front::{FrontConfig, PodAddress};
use crate::pod::PodConfig;
use crate::role::{Announcement, Role};
use crate::site::{PODS_MAX, Profile, SiteConfig};
use crate::store::StoreConfig;

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(1);
/// A message of erlmcp is at most this long, in bytes.
const MESSAGE_MAX: usize = 16 << 20;
const STORE_TIMEOUT: Duration = Duration::from_secs(5);
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

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

#[derive(Debug, Clone)]
enum PartConfig {
    Pod(PodConfig),
    Store(StoreConfig),
    Front(FrontConfig),
}

impl PartConfig {
    fn role(&self) -> Role {
        match self {
            PartConfig::Pod(_) => Role::Pod,
            PartConfig::Store(_) => Role::Store,
            PartConfig::Front(_) => Role::Front,
        }
    }

    fn name(&self, site: &str) -> String {
        match self {
            PartConfig::Pod(pod) => pod.name.clone(),
            PartConfig::Store(_) | PartConfig::Front(_) => {
                format!("{site}-{}", self.role().as_str())
            }
        }
    }

    fn node(&self) -> Option<String> {
        match self {
            PartConfig::Pod(pod) => Some(pod.node.clone()),
            PartConfig::Store(_) | PartConfig::Front(_) => None,
        }
    }

    /// So that a process which is started again is found where it was.
    fn pin(&mut self, address: SocketAddr, control: Option<SocketAddr>) {
        match self {
            PartConfig::Pod(pod) => {
                pod.address = address;
                pod.control = control.unwrap_or(pod.control);
            }
            PartConfig::Store(store) => store.address = address,
            PartConfig::Front(front) => front.address = address,
        }
    }

    fn spawn(&self, program: &Program, nice: i32) -> std::io::Result<Spawned> {
        match self {
            PartConfig::Pod(pod) => Spawned::spawn(program, Role::Pod, nice, pod),
            PartConfig::Store(store) => Spawned::spawn(program, Role::Store, nice, store),
            PartConfig::Front(front) => Spawned::spawn(program, Role::Front, nice, front),
        }
    }
}

/// A site whose processes run. They are ended by [`RunningSite::stop`], or when this is dropped, or by the kernel
/// when the thread that launched them ends.
#[derive(Debug)]
pub struct RunningSite {
    name: String,
    program: Program,
    nice: i32,
    tls: bool,
    front: SocketAddr,
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
    check(config)?;
    let mut site = RunningSite {
        name: config.name.clone(),
        program: Program::new(program, args_prefix),
        nice: config.nice,
        tls: config.tls.is_some(),
        front: address(config, 1)?,
        processes: Vec::new(),
        parts: Vec::new(),
    };
    site.add(vec![PartConfig::Store(store(config)?)])?;
    let store = site.processes[0].address;
    let pods = (0..config.pods)
        .map(|number| pod(config, number, store).map(PartConfig::Pod))
        .collect::<Result<_, _>>()?;
    site.add(pods)?;
    let front = front(config, store, &site.processes)?;
    site.add(vec![PartConfig::Front(front)])?;
    if let Some(front) = site.processes.last() {
        site.front = front.address;
    }
    Ok(site)
}

fn check(config: &SiteConfig) -> Result<(), LaunchError> {
    let refuse = |reason: String| {
        Err(LaunchError::Config {
            site: config.name.clone(),
            reason,
        })
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if config.name.is_empty() || !config.name.chars().all(word) {
        return refuse("the name has to consist of letters, digits and dashes".to_owned());
    }
    if !(1..=PODS_MAX).contains(&config.pods) {
        return refuse(format!("{} pods: say 1 to {PODS_MAX}", config.pods));
    }
    if config.nodes == 0 {
        return refuse("no nodes: say at least 1".to_owned());
    }
    if config.behaviour.capacity == 0 {
        return refuse("a capacity of 0 never answers: say at least 1".to_owned());
    }
    if !(0.0..=1.0).contains(&config.behaviour.error_rate) {
        return refuse(format!(
            "error rate {}: say 0 to 1",
            config.behaviour.error_rate
        ));
    }
    if config.health.misses == 0 {
        return refuse("0 misses make no pod ready: say at least 1".to_owned());
    }
    Ok(())
}

/// The `offset`-th address of the site, with a port for the kernel to choose.
fn address(config: &SiteConfig, offset: u32) -> Result<SocketAddr, LaunchError> {
    u32::from(config.addresses)
        .checked_add(offset)
        .map(Ipv4Addr::from)
        .filter(|address| config.addresses.is_loopback() && address.is_loopback())
        .map(|address| SocketAddr::from((address, 0)))
        .ok_or_else(|| LaunchError::Config {
            site: config.name.clone(),
            reason: format!("addresses from {} on leave 127.0.0.0/8", config.addresses),
        })
}

fn store(config: &SiteConfig) -> Result<StoreConfig, LaunchError> {
    Ok(StoreConfig {
        site: config.name.clone(),
        address: address(config, 2)?,
        directory: config.data.join("store"),
        epoch: config.epoch,
    })
}

fn pod(config: &SiteConfig, number: u32, store: SocketAddr) -> Result<PodConfig, LaunchError> {
    let address = address(config, 11 + number)?;
    Ok(PodConfig {
        name: format!("{}-{number}", config.name),
        site: config.name.clone(),
        node: format!("{}-node-{}", config.name, number % config.nodes),
        address,
        control: address,
        store,
        behaviour: config.behaviour.clone(),
        profile: config.profile,
        reply: config.reply,
        seed: config.seed,
        message_max: MESSAGE_MAX,
        store_timeout: STORE_TIMEOUT,
    })
}

fn front(
    config: &SiteConfig,
    store: SocketAddr,
    processes: &[Process],
) -> Result<FrontConfig, LaunchError> {
    let pods = processes
        .iter()
        .filter_map(|process| {
            Some(PodAddress {
                name: process.name.clone(),
                node: process.node.clone()?,
                address: process.address,
                control: process.control?,
            })
        })
        .collect();
    Ok(FrontConfig {
        site: config.name.clone(),
        address: address(config, 1)?,
        pods,
        store,
        profile: config.profile,
        health: config.health.clone(),
        connections_per_pod: config.behaviour.connections,
        reply_timeout: REPLY_TIMEOUT,
        tls: config.tls.clone(),
    })
}

impl RunningSite {
    /// Spawns `parts` together and waits until each of them listens.
    fn add(&mut self, parts: Vec<PartConfig>) -> Result<(), LaunchError> {
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
        format!("{scheme}://{}", self.front)
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

/// The path that tells the front door whether a pod is ready. In erlmcp's own code `/ready` always answers 503.
pub(crate) fn readiness_path(profile: Profile) -> &'static str {
    match profile {
        Profile::Sop => "/ready",
        Profile::Erlmcp => "/live",
    }
}
