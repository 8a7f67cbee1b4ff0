//! `result.json`: what others rely on. Durations are whole nanoseconds, times nanoseconds since the run's start;
//! there is no NaN. Keys may be added; none is renamed or taken away within a major version.

mod capacity;
mod flow;
mod programme;

use std::collections::BTreeMap;

pub use capacity::{
    CAPACITY_SCHEMA_VERSION, Capacity, CapacityDocument, CapacityRun, Fitted, GaveWay,
    LatencyLimit, Limit, Residual, Trial, capacity_schema,
};
pub use firedrill_evidence::{Quantiles, Verdict};
pub use flow::{Flow, NotCompleted, NotSent};
pub use programme::{DrillResult, Evidence, ProgrammeResult, StepResult};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::findings::Finding;
use crate::recording::{Calibration, Environment, Mode, SessionTotals};

/// Version of this document's shape. A reader ignores keys that it does not know, and refuses a newer major version.
pub const SCHEMA_VERSION: &str = "1.0";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Result of a firedrill run")]
pub struct ResultDocument {
    pub schema_version: String,
    pub run: Run,
    /// The worst of all checks; `inconclusive` when there is none.
    pub verdict: Verdict,
    pub checks: Vec<Check>,
    pub load: Load,
    pub latency: BTreeMap<String, Latency>,
    pub generator: Generator,
    pub phases: Vec<Phase>,
    /// Causes that are known by how they look, and were seen. They change no verdict.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What was broken on purpose, in the order of the timeline.
    pub faults: Vec<Fault>,
    /// What became of the writes of the run; null when it wrote none.
    pub data: Option<Data>,
    pub sessions: Option<SessionTotals>,
    pub environment: Environment,
    /// What a reader of the numbers should know.
    pub warnings: Vec<String>,
    /// Only of a programme of several drills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<ProgrammeResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// `<UTC>-<scenario>-<seed>`.
    pub id: String,
    pub scenario: String,
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    /// What every number of this document is of: a stand-in (`rehearsal`), a deployment (`live`), or neither (`simulated`).
    pub mode: Mode,
    pub target: String,
    /// The load went over TLS.
    #[serde(default)]
    pub tls: bool,
    pub firedrill_version: String,
    /// What to type to run the same again.
    pub command: String,
    /// Whether the point rule was allowed to decide.
    pub strict: bool,
    /// From the start to the last event. Nanoseconds.
    pub length: u64,
    /// Why the run ended before its time.
    pub ended_early: Option<String>,
}

/// One objective, judged in one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The objective's, with `-PHASE` where it holds in several phases. `recording` is the recording itself.
    pub id: String,
    pub verdict: Verdict,
    pub unit: Unit,
    /// In `unit`. Null where nothing is compared.
    pub target: Option<Amount>,
    /// In `unit`. Null where nothing was measured, or where a quantile lies among misses: see `at_least`.
    pub measured: Option<Amount>,
    /// Bounds of `measured`, each at level 0.025. Those of the method `point` hold for independent operations only.
    pub lower: Option<Amount>,
    pub upper: Option<Amount>,
    /// Operations, or samples of a metric, that were judged.
    pub samples: u64,
    pub method: Method,
    /// Why the verdict is what it is, in words.
    pub reason: String,
    /// What is judged, in words: `p99 of the response time in steady`.
    pub about: String,
    pub relation: Relation,
    /// The phase that is judged.
    pub phase: Option<String>,
    /// Where `measured` lies among misses: it is not below this.
    pub at_least: Option<u64>,
    /// The share that decided, for latency and errors.
    pub share: Option<ShareFound>,
    /// The window that decided, where windows are judged. Times since the run's start.
    pub window: Option<Span>,
    /// The fault that decided, by its id.
    #[serde(default)]
    pub fault: Option<String>,
    /// Where the limit of a drill comes from.
    #[serde(default)]
    pub source: Option<LimitSource>,
}

/// Both are judged. A procedure's limit is wide; a budget is what the design of the target implies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    Procedure,
    Budget,
}

/// How `measured` has to lie to `target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    Below,
    AtMost,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds.
    Ns,
    /// From 0 to 1.
    Share,
    PerSecond,
    /// A metric's own.
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Bounds from blocks of time.
    Block,
    /// The share itself, with enough operations.
    Point,
    /// Counted, and compared as it is.
    Count,
    /// Every sample of a metric; the worst one is measured.
    Sample,
    /// Buckets of due operations, good or bad beyond chance, and windows of them.
    Window,
    /// Every write that was attempted, held against what was read back.
    Ledger,
}

/// A whole number where it is one by nature (durations, counts), else a finite one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    Whole(u64),
    Real(f64),
}

impl Amount {
    pub fn value(self) -> f64 {
        match self {
            Amount::Whole(number) => number as f64,
            Amount::Real(number) => number,
        }
    }
}

/// Operations that were beyond the limit of a check: too slow, failed or never sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShareFound {
    pub bad: u64,
    pub of: u64,
    /// The share that may be.
    pub limit: f64,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    /// Independent operations that the run was worth: fewer than `of` when they fail together.
    pub effective: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

/// Counts of the whole timeline, rates of its measured phases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Operations that were due: the sum of all outcomes.
    pub intended: u64,
    /// Those of them of which at least a byte was sent; where nobody counted that, all but those whose outcome is
    /// `not_sent`.
    pub sent: u64,
    /// Those of them that ended ok.
    pub completed: u64,
    /// Those of which no byte was sent: `intended = sent + not_sent`.
    pub not_sent: u64,
    pub outcomes: BTreeMap<String, u64>,
    /// Due in measured phases, a second of them. Null when no measured phase ran.
    pub asked_per_second: Option<f64>,
    pub sent_per_second: Option<f64>,
    pub completed_per_second: Option<f64>,
    /// `open`, `closed` or `mixed`: in a closed load the target sets the pace, and slow answers mean fewer questions.
    pub drive: Drive,
    /// The measured phases: asked, sent and completed, and why the next is smaller. Null when none ran, or when the
    /// recording does not say what was not sent.
    #[serde(default)]
    pub flow: Option<Flow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drive {
    Open,
    Closed,
    Mixed,
}

/// Times of one line of the load, over the measured phases. `all` has `response` alone: every operation of the
/// schedule, where one that failed or was never sent is a miss. The others have `ok` and `failed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<Times>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// Result - due.
    pub response: Quantiles,
    /// Result - first byte sent.
    pub service: Quantiles,
    /// Head of the answer - first byte sent. Null in recordings of firedrill before it was kept by operation.
    #[serde(default)]
    pub head: Option<Quantiles>,
}

/// How firedrill itself did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Dispatched - due, in all phases: our fault.
    pub lateness: Quantiles,
    /// Sent - dispatched, in all phases: no free connection, the target's fault.
    pub waiting: Quantiles,
    /// Microseconds. Null when the recording has no end, or nothing was due.
    pub cpu_us_per_operation: Option<f64>,
    pub rss_max_bytes: Option<u64>,
    pub connections_max: Option<u64>,
    /// Above this a dispatch counts as late. Nanoseconds.
    pub lateness_limit: u64,
    /// What this machine can do; null where nobody looked.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// The share of it that was left in the busiest second, by the rate and by the time of the busiest thread: by
    /// that time alone where nobody looked what the machine can do. Null where neither is known.
    #[serde(default)]
    pub headroom: Option<f64>,
    /// Why the measurement cannot be trusted; empty when it can.
    pub distrust: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    pub name: String,
    /// Nanoseconds since the run's start; null when it never ran.
    pub start: Option<u64>,
    pub end: Option<u64>,
    pub measured: bool,
    /// Whether it ran for as long as it was to.
    pub complete: bool,
    /// Operations due in it.
    pub intended: u64,
    pub completed: u64,
    pub failed: u64,
    pub not_sent: u64,
    /// Null when it never ran, or when the recording does not say what was not sent.
    #[serde(default)]
    pub flow: Option<Flow>,
}

/// Something that was done to the target. All durations in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    pub id: String,
    pub kind: String,
    pub on: String,
    /// When it was in force, and when it was seen to be undone, since the run's start.
    pub injected: Option<u64>,
    pub healed: Option<u64>,
    /// Named instants, since the run's start: `t0` just before the first call that changed something, `t1` the first
    /// bad bucket, `t6` the first success after it, `t7` service is back, `t8` a window later, and what the target said.
    pub marks: BTreeMap<String, u64>,
    /// `t7 - t0`.
    pub rto: Option<u64>,
    /// Service was not back, and it took longer than this.
    pub rto_at_least: Option<u64>,
    /// `t7 - t1`.
    pub outage: Option<u64>,
    /// How often service was lost again before it was back for good.
    pub relapses: u64,
    /// The load shows nothing of it: `rto` is then how finely it looks.
    pub unnoticed: bool,
    pub rpo: Option<u64>,
    pub rpo_lower: Option<u64>,
    /// How finely the load shows it.
    #[serde(default)]
    pub resolution: Option<u64>,
    /// Who saw it in force, beside whoever injected it.
    #[serde(default)]
    pub effect: Option<String>,
    /// What of it was not undone.
    #[serde(default)]
    pub leftovers: Vec<String>,
}

/// What became of the writes: the worst of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Data {
    pub attempted: u64,
    pub acknowledged: u64,
    pub lost: u64,
    pub recovered: u64,
    pub unexpected: u64,
    pub duplicated: u64,
    pub stale: u64,
    pub reordered: u64,
    pub indeterminate: u64,
    pub unread: u64,
    pub holes: u64,
    pub split_brain: u64,
    pub lost_after_stop: u64,
    /// Read back with another value than was written.
    #[serde(default)]
    pub corrupt: u64,
    /// Acknowledged, and not at a site that served nobody when it was read.
    #[serde(default)]
    pub behind: u64,
    /// By how much the sum of what is stored differs from that of what was written and is there.
    pub unbalanced: u64,
    /// Records of other runs.
    #[serde(default)]
    pub foreign: u64,
    pub rpo: Option<u64>,
    pub rpo_lower: Option<u64>,
}

/// The JSON Schema of `result.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(ResultDocument).to_value()
}
