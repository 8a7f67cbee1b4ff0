//! What is driven: stand-in sites or an endpoint, and what it speaks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Embedded(Embedded),
    Endpoint(Endpoint),
}

/// Stand-in erlmcp sites, real processes on loopback, started and stopped by the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// At least one; the first is the one that load is sent to.
    pub sites: Vec<Site>,
    /// Front doors speak TLS with a certificate made for the run.
    pub tls: bool,
    pub replication: Option<Replication>,
    /// Watches the serving site from outside all sites, and moves clients to another.
    pub director: Option<Director>,
    pub backups: Option<Backups>,
}

/// The log of one site's store is shipped to another's, behind the acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    pub from: usize,
    pub to: usize,
    /// A record is not shipped before this time has passed since its acknowledgement.
    pub lag: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Director {
    /// Between health checks of the serving site.
    pub probe: Duration,
    /// A check that takes longer is a miss.
    pub timeout: Duration,
    /// Misses in a row that mean that the site is lost.
    pub misses: u32,
    /// For how long clients may keep an answer about the route; whole seconds.
    pub route_ttl: Duration,
    /// Moves clients by itself. False: it only detects, and `fail-over` is a step of the scenario.
    pub automatic: bool,
    pub clock: DirectorClock,
}

/// What a director counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectorClock {
    /// Misses in a row: no clock that anybody can set.
    Monotonic,
    /// The time of day since the last good check.
    Wall,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backups {
    pub every: Duration,
    /// From a backup's end until its copy off the site is complete.
    pub off_site_delay: Duration,
    /// Older ones are deleted.
    pub keep: u32,
}

/// More pods than the processes of one machine are good for.
pub const PODS_MAX: u32 = 200;

#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub name: String,
    pub nodes: u32,
    /// Pods of the whole site, spread over its nodes in turn.
    pub pods: u32,
    /// Pods that may be missing at once for reasons that can wait: an eviction beyond it is refused.
    pub disruption_budget: u32,
    /// From the end of a process that should run until it is started again.
    pub restart_delay: Duration,
    /// What each pod that has any is labelled with, by its name.
    pub labels: BTreeMap<String, Labels>,
    pub behaviour: Behaviour,
}

impl Site {
    /// As the stand-in calls them: `primary-0`.
    pub fn pod_names(&self) -> impl Iterator<Item = String> {
        (0..self.pods).map(|number| format!("{}-{number}", self.name))
    }

    /// The pods that have all of these labels: every one, where there are none.
    pub fn pods_with(&self, labels: &Labels) -> Vec<String> {
        let none = Labels::new();
        let has = |pod: &String| has_labels(self.labels.get(pod).unwrap_or(&none), labels);
        self.pod_names().filter(has).collect()
    }
}

/// What something is labelled with: `role: canary`.
pub type Labels = BTreeMap<String, String>;

/// Whether what has its `own` labels has all that are `wanted`, too.
pub fn has_labels(own: &Labels, wanted: &Labels) -> bool {
    wanted
        .iter()
        .all(|(key, value)| own.get(key) == Some(value))
}

/// `role=canary, zone=a`.
pub fn labels_text(labels: &Labels) -> String {
    let one = |(key, value): (&String, &String)| format!("{key}={value}");
    labels.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// How each pod of a stand-in site behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// Time that an operation takes beside its own work.
    pub service_time: ServiceTime,
    /// Share of `tools/call` that end in a JSON-RPC error -32603.
    pub error_rate: f64,
    /// Operations that a pod works on at once.
    pub capacity: u32,
    /// Operations that wait for capacity; one more is refused.
    pub queue: u32,
    /// Connections that a pod is made for; `/resources` and metrics report use against it.
    pub connections: u32,
    /// Sessions that a pod keeps; one more is refused with 503.
    pub sessions: u32,
    /// Memory that a pod holds for each session, in bytes.
    pub session_memory: u64,
    pub bounds: Bounds,
}

/// Beyond these a pod, its store or its front door refuses, with a code of erlmcp's each. One that is taken away is missed when a fault
/// strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct Bounds {
    /// Memory that a pod holds for its clients, in bytes: 1089.
    pub memory: Option<u64>,
    /// [`Behaviour::queue`] holds: 1056.
    pub queue: bool,
    /// How late a pod's thread may come to its work, time after time: 1078.
    pub cpu: Option<Duration>,
    /// The store looks whether a write had room: 1079.
    pub disk: bool,
    /// Messages a second of one client, which is an address that connects: 1056.
    pub client_rate: Option<f64>,
    /// Messages a second of all clients together: 1056.
    pub rate: Option<f64>,
    /// Connections that one client may have open: 1060.
    pub client_connections: Option<u32>,
    /// Bytes of a message: 1068.
    pub message: Option<u64>,
    /// For how long an answer may wait for a client that does not read: 1069.
    pub write_timeout: Option<Duration>,
    /// Whether what is no message is refused, with 1066. Without it nobody answers.
    pub validation: bool,
    /// The front door sends nobody to a pod that does not answer.
    pub health: bool,
}

#[derive(Clone, Debug, PartialEq)]
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

#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    pub url: Url,
    pub headers: Vec<(String, HeaderValue)>,
    pub bearer: Option<Secret>,
    pub tls: TlsOptions,
    /// Hosts beside loopback that load may be sent to.
    pub allow_hosts: Vec<String>,
    /// Name server to ask instead of the system's.
    pub resolver: Option<SocketAddr>,
}

/// `http://host:port/path` or `https://...`. The path is empty when the URL has none: then the profile's is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    pub tls: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    Text(String),
    Secret(Secret),
}

/// Where a secret is to be found. The plan never holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    Env(String),
    File(PathBuf),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of a client certificate and its key: both or neither.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Name to verify and to send as SNI, when it is not the URL's host.
    pub server_name: Option<String>,
}

/// What a target speaks, as data: the same for every target of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// `sop`, `erlmcp`, `mcp` (any server), or the name of a scenario's own.
    pub name: String,
    /// Path of the MCP endpoint.
    pub path: String,
    pub protocol: ProtocolVersion,
    /// Methods that exist; `None` for a target that may have any.
    pub methods: Option<Vec<String>>,
    /// Response headers that say who answered.
    pub identity: Option<Identity>,
    /// Statuses that mean "this session is gone" on a request that carried a session id. Default: 404.
    pub session_lost: Vec<u16>,
}

/// Names of headers, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub site: String,
    pub epoch: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProtocolVersion {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
}

impl ProtocolVersion {
    pub const ALL: [ProtocolVersion; 4] = [
        ProtocolVersion::V2024_11_05,
        ProtocolVersion::V2025_03_26,
        ProtocolVersion::V2025_06_18,
        ProtocolVersion::V2025_11_25,
    ];

    /// As it stands in `initialize` and in the `MCP-Protocol-Version` header.
    pub fn as_str(self) -> &'static str {
        match self {
            ProtocolVersion::V2024_11_05 => "2024-11-05",
            ProtocolVersion::V2025_03_26 => "2025-03-26",
            ProtocolVersion::V2025_06_18 => "2025-06-18",
            ProtocolVersion::V2025_11_25 => "2025-11-25",
        }
    }

    /// Revisions from 2025-06-18 on want the version in a header of every request after `initialize`.
    pub fn has_header(self) -> bool {
        self >= ProtocolVersion::V2025_06_18
    }
}
