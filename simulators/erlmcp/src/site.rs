//! What a caller says about a site: how many pods, how they behave, what they speak.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A site to be launched with [`launch`](crate::launch), or as part of a world.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SiteConfig {
    /// Letters, digits and dashes. Pods are called `<name>-<number>`.
    pub name: String,
    /// Nodes that pods are spread over in turn. A node is a name that pods carry.
    pub nodes: u32,
    /// 1 to [`PODS_MAX`].
    pub pods: u32,
    pub behaviour: Behaviour,
    pub profile: Profile,
    pub reply: Reply,
    /// How the front door finds out which pods are ready.
    pub health: HealthCheck,
    /// The front door speaks TLS with these; plain HTTP without.
    pub tls: Option<TlsFiles>,
    /// Fixes service times and errors. Session ids are never repeated, not even with the same seed.
    pub seed: u64,
    /// Added to the priority value of every process of the site (0 leaves it; 19 is the politest).
    pub nice: i32,
    /// The front door gets the address after this one, the store the next, pods from the eleventh on,
    /// all in 127.0.0.0/8. Ports are chosen by the kernel.
    pub addresses: Ipv4Addr,
    /// An existing directory of the site's own: the store keeps its log in it.
    pub data: PathBuf,
    /// Epoch that the store stamps on what it writes.
    pub epoch: u64,
    /// In a world: pods that may be missing at once for reasons that can wait.
    pub disruption_budget: u32,
    /// In a world: from the end of a process that should run until it is started again.
    pub restart_delay: Duration,
    /// In a world: what each pod that has any is labelled with, by its name.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
}

/// More pods than the processes of one machine are good for.
pub const PODS_MAX: u32 = 200;

/// The front door's address, counted from the base of the site.
pub(crate) const FRONT_OFFSET: u32 = 1;

impl SiteConfig {
    /// A site of one pod that answers at once, with the `sop` profile and no TLS.
    pub fn new(name: impl Into<String>, data: impl Into<PathBuf>) -> SiteConfig {
        SiteConfig {
            name: name.into(),
            nodes: 1,
            pods: 1,
            behaviour: Behaviour::default(),
            profile: Profile::Sop,
            reply: Reply::Json,
            health: HealthCheck::default(),
            tls: None,
            seed: 0,
            nice: 0,
            addresses: Ipv4Addr::new(127, 1, 0, 0),
            data: data.into(),
            epoch: 1,
            disruption_budget: 1,
            restart_delay: Duration::from_millis(500),
            labels: BTreeMap::new(),
        }
    }

    /// The address of the front door: a certificate for it has to name this.
    pub fn front_ip(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.addresses).wrapping_add(FRONT_OFFSET))
    }

    /// Says what is wrong, and what to say instead.
    pub(crate) fn check(&self) -> Result<(), String> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(word) {
            return Err("the name has to consist of letters, digits and dashes".to_owned());
        }
        if !(1..=PODS_MAX).contains(&self.pods) {
            return Err(format!("{} pods: say 1 to {PODS_MAX}", self.pods));
        }
        if self.nodes == 0 {
            return Err("no nodes: say at least 1".to_owned());
        }
        if self.behaviour.capacity == 0 {
            return Err("a capacity of 0 never answers: say at least 1".to_owned());
        }
        if !(0.0..=1.0).contains(&self.behaviour.error_rate) {
            return Err(format!(
                "error rate {}: say 0 to 1",
                self.behaviour.error_rate
            ));
        }
        if self.health.misses == 0 {
            return Err("0 misses make no pod ready: say at least 1".to_owned());
        }
        Ok(())
    }
}

/// How each pod behaves.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Behaviour {
    /// Time that an operation takes beside its own work.
    pub service_time: ServiceTime,
    /// Share of `tools/call` that end in a JSON-RPC error -32603, between 0 and 1.
    pub error_rate: f64,
    /// Operations that a pod works on at once; at least 1.
    pub capacity: u32,
    /// Operations that wait for capacity; one more is refused with 503.
    pub queue: u32,
    /// Connections that a pod is made for; one more is closed without a word.
    pub connections: u32,
    /// Sessions that a pod keeps; one more is refused with 503.
    pub sessions: u32,
    /// Memory that a pod holds for each session, in bytes.
    pub session_memory: u64,
    pub bounds: Bounds,
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            service_time: ServiceTime::Fixed(Duration::ZERO),
            error_rate: 0.0,
            capacity: 256,
            queue: 1_000,
            connections: 10_000,
            sessions: 10_000,
            session_memory: 0,
            bounds: Bounds::default(),
        }
    }
}

/// Beyond these a pod, its store or its front door refuses, with a code of erlmcp's each. Where one is not there, what it protects
/// from happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Memory that a pod holds for its clients, in bytes.
    pub memory: Option<u64>,
    /// [`Behaviour::queue`] is looked at.
    pub queue: bool,
    /// How late a pod's only thread may come to its work, time after time.
    pub cpu: Option<Duration>,
    /// The store looks whether what it wrote had room.
    pub disk: bool,
    /// Messages a second of one client, which is an address that connects.
    pub client_rate: Option<f64>,
    /// Messages a second of all clients together.
    pub rate: Option<f64>,
    /// Connections that one client may have open.
    pub client_connections: Option<u32>,
    /// Bytes of a message.
    pub message: Option<u64>,
    /// For how long an answer may wait for a client that does not take it.
    pub write_timeout: Option<Duration>,
    /// Whether what is no message is refused. Without it nobody answers.
    pub validation: bool,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            memory: Some(256 << 20),
            queue: true,
            cpu: Some(Duration::from_millis(100)),
            disk: true,
            client_rate: None,
            rate: None,
            client_connections: None,
            message: Some(16 << 20),
            write_timeout: Some(Duration::from_secs(10)),
            validation: true,
        }
    }
}

/// A distribution of durations. Waits are kept to the millisecond.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ServiceTime {
    Fixed(Duration),
    Exponential {
        mean: Duration,
    },
    Uniform {
        low: Duration,
        high: Duration,
    },
    /// Given by its median and its 99th percentile.
    LogNormal {
        median: Duration,
        p99: Duration,
    },
}

/// Which erlmcp is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// As the operating procedure describes it: a well-behaved MCP server with working endpoints.
    Sop,
    /// As the code is, faults and all.
    Erlmcp,
}

/// The shape of the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// One JSON body.
    Json,
    /// An event stream: headers at once, then events while the work goes on, the result last.
    Sse {
        /// Begin with an event that has an id and no data.
        priming: bool,
        /// `notifications/message` events before the result.
        notifications: u32,
    },
}

/// How the front door watches its pods.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HealthCheck {
    pub interval: Duration,
    /// A check that takes longer is a miss.
    pub timeout: Duration,
    /// Misses in a row that make a pod not ready; at least 1. One success makes it ready again.
    pub misses: u32,
}

impl Default for HealthCheck {
    fn default() -> HealthCheck {
        HealthCheck {
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            misses: 2,
        }
    }
}

/// PEM files that the front door reads when it starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TlsFiles {
    pub cert_pem: PathBuf,
    pub key_pem: PathBuf,
    /// Authorities whose certificate a client must show. Without them none is asked for.
    pub client_ca_pem: Option<PathBuf>,
    /// A certificate for the same key that is not valid any more, for showing that somebody notices.
    pub expired_pem: Option<PathBuf>,
}
