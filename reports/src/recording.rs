//! The files of a run's folder, and what stands in them. The harness writes them, judging reads them;
//! nothing else passes between the two.
//!
//! | file | holds |
//! |---|---|
//! | `plan.yaml` | the resolved plan, itself a valid scenario; the files that it names are in `sources/` |
//! | `events.jsonl` | one [`Event`] a line, in the order of time |
//! | `buckets.csv` | one [`Bucket`] a line: exact counts of the operations due in it |
//! | `latency.hlog` | HdrHistogram V2 interval log by completion second, tags of [`Tag`] |
//! | `series.csv` | `at_ns,series,value`: what was sampled, once a second |
//! | `manifest.json` | SHA-256 of every file above |
//!
//! All times are nanoseconds since the run's start (`Event::Started`), and the timeline starts at
//! [`Event::TimelineStarted`]; seconds of buckets count from there.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use firedrill_scenarios::Outcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the recording's layout. A reader refuses a newer one.
pub const RECORDING_VERSION: u32 = 1;

/// The lowest and the highest time that a histogram holds, in nanoseconds, and its digits.
/// A longer time is recorded as the highest.
pub const HISTOGRAM_LOWEST_NS: u64 = 1_000;
pub const HISTOGRAM_HIGHEST_NS: u64 = 3_600_000_000_000;
pub const HISTOGRAM_DIGITS: u8 = 3;

/// A line of `events.jsonl`: `{"at":1234,"event":{"kind":"started",...}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Nanoseconds since the run's start.
    pub at: u64,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Always the first.
    Started(Started),
    /// A process of an embedded site is up.
    ProcessStarted {
        site: String,
        role: String,
        name: String,
        pid: u32,
        address: String,
    },
    /// All sessions have been opened, or tried. Times are nanoseconds of opening one.
    SessionsOpened {
        load: String,
        asked: u32,
        opened: u32,
        failures: BTreeMap<String, u64>,
    },
    /// The timeline's zero.
    TimelineStarted,
    PhaseStarted {
        phase: String,
    },
    PhaseEnded {
        phase: String,
    },
    /// Sessions that the server no longer knew, and what came of opening them again; at most one a second and load.
    SessionsLost {
        load: String,
        lost: u64,
        reopened: u64,
        failed: u64,
    },
    /// A connection went on to an address that the name no longer has.
    StickyConnection {
        host: String,
        address: String,
        current: Vec<String>,
        connections: u64,
    },
    /// The run ends before its time.
    EndedEarly {
        reason: EarlyEnd,
        detail: String,
    },
    /// Something that a reader of the report should know.
    Warning {
        text: String,
    },
    /// All operations of the timeline have outcomes. The phases that had begun are over.
    LoadEnded,
    /// Always the last of a run that was recorded to its end.
    Ended {
        totals: Totals,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub recording_version: u32,
    pub firedrill_version: String,
    /// `<UTC>-<scenario>-<seed>`.
    pub id: String,
    pub scenario: String,
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    pub mode: Mode,
    /// The target in words, without secrets.
    pub target: String,
    /// What to type to run the same again.
    pub command: String,
    pub strict: bool,
    pub threads: u32,
    pub environment: Environment,
    /// Lines of the generator's calibration and checks before the run, in words.
    pub preflight: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Against a stand-in.
    Rehearsal,
    /// Against a real deployment.
    Live,
    Simulated,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    pub os: String,
    pub kernel: String,
    pub cpu: String,
    pub cores: u32,
    pub memory_bytes: u64,
    pub host: String,
    pub open_files_limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyEnd {
    /// SIGINT or SIGTERM.
    Interrupted,
    /// An objective with `abort` could not be met any more.
    Aborted,
    /// The target's processes ended by themselves.
    TargetLost,
}

/// Sums over the whole run that no other file holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    pub cpu_ns: u64,
    pub rss_max_bytes: u64,
    pub connections_max: u64,
    pub connections_opened: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// Answers that came after their operation had timed out, while we still listened.
    pub late_answers: u64,
    /// Responses with an id that was never ours or was forgotten.
    pub unknown_ids: u64,
    /// Notifications by method.
    pub notifications: BTreeMap<String, u64>,
    /// Requests of the server to us, by method.
    pub server_requests: BTreeMap<String, u64>,
    /// `notifications/cancelled` sent.
    pub cancelled: u64,
    pub sessions: SessionTotals,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionTotals {
    pub opened: u64,
    pub open_failed: u64,
    pub lost: u64,
    pub reopened: u64,
    pub deleted: u64,
    pub dropped: u64,
    pub leaked: u64,
}

/// A line of `buckets.csv`: the operations of one series that were *due* in one bucket and in one phase.
///
/// The head line is
/// `bucket,phase,series,due,ok,failed,not_sent,outcomes,ours,ours_failed` and then, for each latency limit of the plan
/// in nanoseconds, `over_<ns>` and `ours_over_<ns>`.
/// `outcomes` is `class=count` joined by `;` in the order of [`Outcome`], for example `ok=997;timeout.result=3`.
/// A bucket that crosses the border of two phases has a line for each. Lines are ordered by bucket, phase, series.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// Counts from the start of the timeline: due time / width.
    pub bucket: u64,
    pub phase: String,
    pub series: String,
    /// The sum of all outcomes.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Operations that we dispatched late (above the lateness limit), of all outcomes.
    pub ours: u64,
    /// Those of them that did not end ok.
    pub ours_failed: u64,
    /// Parallel to `Plan::latency_limits`: operations that ended ok with a response time at or above the limit.
    pub over: Vec<u64>,
    /// Those of them that we dispatched late.
    pub ours_over: Vec<u64>,
}

/// Tag of a histogram in `latency.hlog`: `phase:series:ok:response` and so on; `phase` is that of the due time.
/// Generator times (`Measure::Lateness`, `Measure::Waiting`) are over all series of a phase: `phase:*:all:lateness`.
/// Session opening and ending are `phase:*:ok:initialize` and so on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// `-` before the timeline has started.
    pub phase: String,
    /// `*` where it is of no series.
    pub series: String,
    pub group: Group,
    pub measure: Measure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Ok,
    Failed,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// result - due.
    Response,
    /// result - first byte sent.
    Service,
    /// dispatched - due: our fault.
    Lateness,
    /// sent - dispatched: no free connection, the target's fault.
    Waiting,
    /// First byte of the answer's head - first byte sent.
    Head,
    /// Opening a connection, TLS included.
    Connect,
    /// `initialize` and `notifications/initialized`.
    Initialize,
    /// DELETE of a session.
    Delete,
}

impl Measure {
    pub const ALL: [(Measure, &'static str); 8] = [
        (Measure::Response, "response"),
        (Measure::Service, "service"),
        (Measure::Lateness, "lateness"),
        (Measure::Waiting, "waiting"),
        (Measure::Head, "head"),
        (Measure::Connect, "connect"),
        (Measure::Initialize, "initialize"),
        (Measure::Delete, "delete"),
    ];
}

impl Group {
    pub const ALL: [(Group, &'static str); 3] = [
        (Group::Ok, "ok"),
        (Group::Failed, "failed"),
        (Group::All, "all"),
    ];
}

impl fmt::Display for Tag {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = Group::ALL.iter().find(|(group, _)| *group == self.group);
        let measure = Measure::ALL
            .iter()
            .find(|(measure, _)| *measure == self.measure);
        write!(
            out,
            "{}:{}:{}:{}",
            self.phase,
            self.series,
            group.map_or("all", |(_, word)| word),
            measure.map_or("response", |(_, word)| word)
        )
    }
}

/// The text is no tag of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no tag of a latency log")]
pub struct UnknownTag(pub String);

impl FromStr for Tag {
    type Err = UnknownTag;

    fn from_str(text: &str) -> Result<Tag, UnknownTag> {
        let unknown = || UnknownTag(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let [phase, series, group, measure] = parts.as_slice() else {
            return Err(unknown());
        };
        let group = Group::ALL
            .iter()
            .find(|(_, word)| word == group)
            .ok_or_else(unknown)?
            .0;
        let measure = Measure::ALL
            .iter()
            .find(|(_, word)| word == measure)
            .ok_or_else(unknown)?
            .0;
        Ok(Tag {
            phase: (*phase).to_owned(),
            series: (*series).to_owned(),
            group,
            measure,
        })
    }
}

/// A line of `series.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Nanoseconds since the run's start.
    pub at_ns: u64,
    /// See [`series`].
    pub series: String,
    pub value: f64,
}

/// Names of series that the harness samples each second.
pub mod series {
    /// p99 of lateness of what was dispatched in this second, nanoseconds; absent when nothing was.
    pub const LATENESS_P99: &str = "generator.lateness_p99_ns";
    /// Share of the second that thread N was busy: `generator.busy.N`.
    pub const BUSY: &str = "generator.busy.";
    /// Nanoseconds that thread N waited for a core: `generator.run_delay_ns.N`.
    pub const RUN_DELAY: &str = "generator.run_delay_ns.";
    /// Involuntary context switches of thread N: `generator.involuntary.N`.
    pub const INVOLUNTARY: &str = "generator.involuntary.";
    /// Share of the second that something waited for a core (`/proc/pressure/cpu`, some).
    pub const CPU_PRESSURE: &str = "generator.cpu_pressure";
    /// Resident memory of firedrill, bytes.
    pub const RSS: &str = "generator.rss_bytes";
    /// TCP segments sent again, whole machine.
    pub const RETRANSMITS: &str = "generator.retransmits";
    /// Open connections.
    pub const CONNECTIONS: &str = "generator.connections";
    /// Operations under way.
    pub const IN_FLIGHT: &str = "generator.in_flight";
    /// Probe values: `probe.PROBE.SERIES`. A second without a sample is a silent probe.
    pub const PROBE: &str = "probe.";
}
