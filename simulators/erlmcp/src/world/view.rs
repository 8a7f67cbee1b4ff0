//! How everything stands. Instants are nanoseconds of CLOCK_MONOTONIC: one machine, one clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::request::{LinkShape, Place};
use crate::backup::LOG;
use crate::role::Role;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub sites: Vec<SiteView>,
    pub director: Option<DirectorView>,
    pub replication: Option<ReplicationView>,
    pub links: Vec<LinkView>,
}

impl View {
    pub fn site(&self, name: &str) -> Option<&SiteView> {
        self.sites.iter().find(|site| site.name == name)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteView {
    pub name: String,
    pub powered: bool,
    pub nodes: Vec<NodeView>,
    pub wanted_pods: u32,
    /// The store, the front door, the pods that are wanted; also those that do not run just now.
    pub processes: Vec<ProcessView>,
    /// `None` while the store does not answer.
    pub store: Option<StoreView>,
    /// What the store's directory holds on the disk, whether the store answers or not.
    #[serde(default)]
    pub kept: Kept,
    /// Where what was taken from it was moved, until it is given back.
    #[serde(default)]
    pub away: Option<PathBuf>,
    /// Where clients connect.
    pub front: SocketAddr,
    /// The store's directory: `ledger.log` is in it.
    pub data: PathBuf,
    /// The oldest first, those of the site before those off the site.
    pub backups: Vec<BackupView>,
}

impl SiteView {
    pub fn process(&self, name: &str) -> Option<&ProcessView> {
        self.processes.iter().find(|process| process.name == name)
    }

    /// The store's log: one record a line.
    pub fn log(&self) -> PathBuf {
        self.data.join(LOG)
    }

    pub fn pods(&self) -> impl Iterator<Item = &ProcessView> {
        self.processes
            .iter()
            .filter(|process| process.role == Role::Pod)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    pub name: String,
    pub powered: bool,
    pub cordoned: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessView {
    pub name: String,
    pub role: Role,
    /// Of pods only.
    pub node: Option<String>,
    /// Of pods only: `role` is `canary`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `None` while there is no process.
    pub pid: Option<u32>,
    /// Start time in ticks, as field 22 of `/proc/PID/stat` has it: tells a process from a later one with its pid.
    pub started: u64,
    pub address: SocketAddr,
    /// Where a pod takes commands; see [`stall`](crate::control::stall).
    pub control: Option<SocketAddr>,
    pub state: ProcessState,
    /// A pod: its front door sends it requests. Others: they listen.
    pub ready: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    Running,
    /// By SIGSTOP.
    Stopped,
    Starting,
    /// It has ended, and waits to be started again or has no power.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreView {
    pub epoch: u64,
    /// Refuses writes since another epoch was given to another site, or since it was told to.
    pub fenced: bool,
    /// Takes records from another store and none from clients.
    pub standby: bool,
    pub last_position: u64,
    /// Records that were found damaged when the store was started.
    pub damaged: u64,
}

/// What the site's store will find when it is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It cannot be read, or whoever shows the view does not look.
    #[default]
    Unknown,
    /// No record: nothing is there, or what was built anew is empty.
    Nothing,
    /// Records, and no more are taken: it was fenced, or filled from a backup and not promoted since.
    Fenced,
    /// Records, of a store that serves or follows.
    Records,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupView {
    pub id: String,
    pub place: Place,
    pub begun_ns: u64,
    pub ended_ns: u64,
    pub last_position: u64,
    /// It fits its manifest now, and every record fitted its checksum when it was taken.
    pub sound: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DirectorView {
    pub process: ProcessView,
    /// The site that clients are sent to.
    pub route: String,
    /// The newest epoch, and the site that it was given to.
    pub epoch: u64,
    pub owner: String,
    /// Answers A queries for the service's name.
    pub dns: SocketAddr,
    /// The time of day as the director has it, in milliseconds since 1970; 0 while it does not answer.
    pub wall_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationView {
    pub from: String,
    pub to: String,
    pub paused: bool,
    /// The newest position that the other store has confirmed.
    pub shipped_position: u64,
    /// Age of the oldest acknowledged record that has not been shipped.
    pub lag_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkView {
    /// `clients-SITE`, `store-SITE` or `replication`.
    pub name: String,
    /// Where the near end connects.
    pub address: SocketAddr,
    pub shape: LinkShape,
}
