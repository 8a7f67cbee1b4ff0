//! What happened in a run, in the order of time.

use std::collections::BTreeMap;

use super::drill::{Answered, FaultStage, Mark, ReadBackStage, StepStage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// What the phase waited for has come.
    Waited {
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
    /// A fault of the plan. `id` is the action's, with `#2` and so on for its repetitions.
    Fault {
        id: String,
        fault: String,
        /// What it is done to, by name.
        on: String,
        #[serde(flatten)]
        stage: FaultStage,
    },
    /// A recovery step of the plan.
    Step {
        id: String,
        step: String,
        on: String,
        #[serde(flatten)]
        stage: StepStage,
    },
    /// Its instant is when it happened, on the machine's monotonic clock, not when it was read.
    Mark {
        mark: Mark,
        /// The fault that it is about.
        fault: Option<String>,
        /// Who says so: `director`, `store`, `clients`, `firedrill`.
        source: String,
        detail: String,
    },
    ReadBack {
        id: String,
        site: String,
        #[serde(flatten)]
        stage: ReadBackStage,
    },
    /// How the target answered a hostile client of ours, told when that has ended.
    Refusals {
        id: String,
        /// Messages that were sent, or connections that were tried.
        attempts: u64,
        bytes: u64,
        answers: Vec<Answered>,
        /// Attempts that nobody answered in time.
        unanswered: u64,
        /// Why it could not act, and how often.
        failures: BTreeMap<String, u64>,
    },
    /// Processes of the target that a fault had to leave alone, looked at when it was undone.
    Bystanders {
        id: String,
        watched: u64,
        ended: Vec<String>,
    },
    /// Whether the target was steady before the first fault; without it no fault is injected.
    Steady {
        held: bool,
        reason: String,
    },
    /// The run misbehaves on purpose, and this is how it shows.
    Sabotage {
        name: String,
        shown: String,
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
    /// The load goes over TLS.
    #[serde(default)]
    pub tls: bool,
    /// What was found before the run and is worth to know, in words.
    pub preflight: Vec<String>,
    /// What this machine can do; `None` where nobody looked.
    #[serde(default)]
    pub calibration: Option<Calibration>,
}

/// What this machine can do when no target is in the way: a load against a sink in the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// Operations a second that one core can issue and check, answers included.
    pub operations_per_second: u64,
    /// 99th percentile of an operation's time at 1,000 a second, in nanoseconds: no target can be seen to be faster.
    pub floor_p99: u64,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// SIGINT, SIGTERM or SIGHUP.
    Interrupted,
    /// An objective with `abort` could not be met any more.
    Aborted,
    /// Somebody else has an incident: their flag was up.
    Incident,
    /// The target's processes ended by themselves.
    TargetLost,
    /// The target was not steady before the first fault: nothing was broken.
    NotSteady,
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
    /// Sessions that a stand-in opened, by what it says itself.
    #[serde(default)]
    pub stand_ins: u64,
    /// Connections that the target closed, and was not asked to.
    #[serde(default)]
    pub closes: Closes,
    /// Connections that could not be made since no port of this machine was free.
    #[serde(default)]
    pub no_ports: u64,
    /// Operations of which no byte was sent, by phase and outcome; `None` where nobody counted them.
    #[serde(default)]
    pub unsent: Option<BTreeMap<String, BTreeMap<String, u64>>>,
    /// Operations that ended ok, by the phase in which they did and by series; `None` where nobody counted them.
    #[serde(default)]
    pub completed: Option<BTreeMap<String, BTreeMap<String, u64>>>,
}

/// Connections that the target closed: how much each had carried, or how long it had rested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closes {
    /// Exchanges, of those that were closed with an answer or right behind it.
    pub answered: Spread,
    /// Nanoseconds without an exchange, of the others.
    pub idle: Spread,
    /// The most exchanges after which a connection could carry another one.
    pub exchanges_max: u64,
    /// The longest rest, in nanoseconds, after which a connection carried another exchange.
    pub rested_max: u64,
}

/// How values lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    pub count: u64,
    /// The value that more than half of them have, if any has.
    #[serde(default)]
    pub mode: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    /// How many are the same as the median.
    pub at_p50: u64,
    /// Different seconds in which they came, on the thread that saw most.
    pub seconds: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionTotals {
    pub opened: u64,
    pub open_failed: u64,
    pub lost: u64,
    pub reopened: u64,
    pub deleted: u64,
    pub dropped: u64,
    pub leaked: u64,
}
