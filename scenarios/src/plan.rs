//! What a scenario means once it is checked: the only thing that the rest of the program sees.
//!
//! A [`Plan`] comes from [`Plan::parse`](crate::Plan::parse) alone. Names have been resolved to
//! indices, every default is filled in, and nothing in it needs to be looked at as text again.
//! Maps of the file are vectors here, in the order of the file. Durations are `std::time::Duration`,
//! rates operations a second, shares between 0 and 1, sizes bytes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::template::{Expected, Template};

#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// `scenario:`, a word of letters, digits and dashes; part of the run folder's name.
    pub name: String,
    pub about: String,
    /// The row of the operating procedure that this scenario covers.
    pub covers: Option<String>,
    pub target: Target,
    pub profile: Profile,
    /// At least one, with distinct names.
    pub loads: Vec<Load>,
    /// At least one, with distinct names.
    pub timeline: Vec<Phase>,
    pub probes: Vec<Probe>,
    pub objectives: Vec<Objective>,
    /// Width of a bucket of `buckets.csv`. Default 1 s.
    pub bucket: Duration,
}

// ---- target ----

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
}

#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    pub name: String,
    pub nodes: u32,
    /// Pods of the whole site, spread over its nodes in turn.
    pub pods: u32,
    pub behaviour: Behaviour,
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
    /// Statuses that mean "this session is gone" on a request that carried a session id. Default: 404.
    pub session_lost: Vec<u16>,
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

// ---- load ----

#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    pub drive: Drive,
    /// Operations under way at once, over all sessions of the load; one more is `not_sent.in_flight_limit`.
    pub max_in_flight: u32,
    pub sessions: Sessions,
    /// What can be sent. Referred to by index from flow steps.
    pub operations: Vec<Operation>,
    /// What an arrival starts: drawn by weight. A lone operation with a weight is a flow of one step.
    pub flows: Vec<Flow>,
    /// Rows of a CSV file for `{{csv.COLUMN}}`, shared by the operations of this load.
    pub rows: Option<Rows>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Drive {
    /// Arrivals come when they come, whatever the target does.
    Open(Arrivals),
    /// Each session sends its next flow after the last one ended and a think time.
    Closed { think: Think },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    Shaped {
        shape: Shape,
        spacing: Spacing,
    },
    /// Due times since the start of the timeline (of the phase, where a phase has its own), ascending.
    Trace {
        file: String,
        due: Vec<Duration>,
    },
}

/// Operations a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// The rate over time, from the start of the timeline or of the phase whose own it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Constant(Rate),
    /// Straight from one rate to another, then constant. `over: None` is the whole phase or timeline.
    Ramp {
        from: Rate,
        to: Rate,
        over: Option<Duration>,
    },
    /// Each rate for its time; the last one stays.
    Steps(Vec<(Rate, Duration)>),
    /// `peak` for `length`, beginning at `at`; `base` else.
    Spike {
        base: Rate,
        peak: Rate,
        at: Duration,
        length: Duration,
    },
    /// `peak` for `length` at the start of each period `every`; `base` else.
    Burst {
        base: Rate,
        peak: Rate,
        every: Duration,
        length: Duration,
    },
    /// `mean + amplitude * sin(2 pi t / period)`; the amplitude is at most the mean.
    Sine {
        mean: Rate,
        amplitude: Rate,
        period: Duration,
    },
}

/// How arrivals lie around the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly: the k-th arrival is due when the rate's integral reaches k.
    Even,
    /// A Poisson process whose intensity is the shape.
    Poisson,
    /// One arrival a slot of the even spacing, anywhere in it with equal chance.
    Uniform,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Think {
    None,
    Fixed(Duration),
    Exponential { mean: Duration },
    Uniform { low: Duration, high: Duration },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    pub count: u32,
    /// Sessions opened a second before the timeline starts, and again when they end.
    pub open_rate: Rate,
    pub lifetime: Lifetime,
    pub end: SessionEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the run.
    Run,
    /// Ended, and opened again, after this many operations.
    Calls(u64),
    /// Ended, and opened again, after this time.
    Time(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// DELETE, then the connection is closed.
    Delete,
    /// The connection is closed; the server is not told.
    Drop,
    /// Nothing is done; the connection stays open until the run ends.
    Leak,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Unique in its load. By default the tool's name or the method.
    pub name: String,
    pub method: String,
    /// The JSON object after `"params":`; `None` leaves `params` out.
    pub params: Option<Template>,
    /// From the due time.
    pub timeout: Duration,
    /// An answer larger than this is `protocol.oversize`. Bytes of the body.
    pub max_answer: u64,
    pub expect: Expectation,
    /// In the order of the file; the index is the N of `check_failed.N`.
    pub checks: Vec<Check>,
    /// Values that later steps of the flow use as `{{saved.NAME}}`: slot i of the flow's memory is `saves[i].slot`.
    pub saves: Vec<Save>,
}

/// What the answer has to be before the checks are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// A result whose `isError` is not true.
    Result,
    /// A result with `isError: true`.
    ToolError,
    /// A JSON-RPC error with this code.
    RpcError(i64),
}

/// A condition on the `result` member (on the `error` member, when an error is expected).
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The value at the JSON pointer.
    At {
        pointer: Pointer,
        condition: Condition,
    },
    /// Bytes of the whole answer body.
    Size(Comparison),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Equals(Expected),
    /// A string that holds this one.
    Contains(Expected),
    /// A number.
    Number(Comparison),
    /// `exists: true` or `exists: false`.
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    Below(f64),
    Above(f64),
    AtMost(f64),
    AtLeast(f64),
}

/// RFC 6901, unescaped and split: `/content/0/text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(pub Vec<String>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    pub name: String,
    pub pointer: Pointer,
    pub slot: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Unique in its load. A flow of one lone operation has that operation's name.
    pub name: String,
    pub weight: f64,
    pub steps: Vec<Step>,
    /// Slots that the steps save values into.
    pub slots: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Index into the load's operations.
    pub operation: usize,
    /// Before this step, from the result of the one before. `Think::None` for the first.
    pub think: Think,
    /// The name under which this step is counted, unique in the plan; see [`Plan::series`].
    pub series: String,
}

/// A CSV file with a head line; cell `c` of row `r` is `cells[r * columns.len() + c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub file: String,
    pub columns: Vec<String>,
    pub cells: Vec<String>,
}

// ---- timeline ----

#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    pub name: String,
    pub length: Duration,
    /// False for warm-up and the like: counted and shown, never judged unless an objective names it.
    pub measured: bool,
    /// For each load, by index: the phase's own arrivals in place of the load's.
    pub arrivals: Vec<Option<Arrivals>>,
}

// ---- probes and objectives ----

/// A page of the target that is read each second.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub name: String,
    /// A path on the target (`/metrics/prometheus`) or a whole URL.
    pub at: ProbeAt,
    pub every: Duration,
    pub format: ProbeFormat,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ProbeAt {
    Path(String),
    Url(Url),
}

#[derive(Clone, Debug, PartialEq)]
pub enum ProbeFormat {
    /// Name of our series, and the metric (`name` or `name{label="value"}`; samples that match are added up).
    Prometheus(Vec<(String, String)>),
    /// Name of our series, and where its number stands in the page.
    Json(Vec<(String, Pointer)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The check's id in results: `latency-p99`, or the scenario's own `id:`. Unique in the plan.
    /// With several phases, each phase is a check of its own, and `-PHASE` is added.
    pub id: String,
    pub subject: Subject,
    /// Phases by index; by default the measured ones.
    pub phases: Vec<usize>,
    pub over: Over,
    /// Ends the run early when it cannot be met any more.
    pub abort: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// The quantile of the response time is below the limit.
    Latency {
        quantile: f64,
        below: Duration,
        operation: Option<String>,
    },
    /// The share of due operations that end in one of these (in anything but ok) is below the limit.
    Errors {
        below: f64,
        class: Option<ErrorClass>,
        operation: Option<String>,
    },
    /// Completed (ok) operations a second.
    Throughput {
        at_least: Rate,
        operation: Option<String>,
    },
    /// Each sample of a probe's series, as a number or as a share of another series or number.
    Metric {
        series: String,
        below: f64,
        of: Option<MetricBase>,
    },
}

/// A whole class (`connect`) or one outcome (`http.503`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    Class(String),
    One(Outcome),
}

#[derive(Clone, Debug, PartialEq)]
pub enum MetricBase {
    Series(String),
    Number(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Once, over the whole phase.
    Phase,
    /// Over every window of this length; the worst one is judged.
    Window(Duration),
}

// ---- views ----

/// One line of the outcome table: what is counted apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub name: String,
    pub load: usize,
    pub flow: usize,
    pub step: usize,
    pub operation: usize,
    /// True when its due time comes from the schedule: the first step of a flow. Later steps are due after the
    /// one before, and are no part of the latency of `all`.
    pub scheduled: bool,
}

impl Plan {
    /// Everything that is counted apart, in the order of loads, flows and steps.
    pub fn series(&self) -> Vec<Series> {
        let mut all = Vec::new();
        for (load_index, load) in self.loads.iter().enumerate() {
            for (flow_index, flow) in load.flows.iter().enumerate() {
                for (step_index, step) in flow.steps.iter().enumerate() {
                    all.push(Series {
                        name: step.series.clone(),
                        load: load_index,
                        flow: flow_index,
                        step: step_index,
                        operation: step.operation,
                        scheduled: step_index == 0,
                    });
                }
            }
        }
        all
    }

    /// Length of the whole timeline.
    pub fn length(&self) -> Duration {
        self.timeline.iter().map(|phase| phase.length).sum()
    }

    /// The latency limits of all objectives, ascending and distinct: what is counted exactly in each bucket.
    pub fn latency_limits(&self) -> Vec<Duration> {
        let mut limits: Vec<Duration> = self
            .objectives
            .iter()
            .filter_map(|objective| match &objective.subject {
                Subject::Latency { below, .. } => Some(*below),
                Subject::Errors { .. } | Subject::Throughput { .. } | Subject::Metric { .. } => {
                    None
                }
            })
            .collect();
        limits.sort_unstable();
        limits.dedup();
        limits
    }
}
