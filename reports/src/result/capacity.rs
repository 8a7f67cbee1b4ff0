//! `capacity.json`: what a search for capacity found. Levels are arrivals a second (`open`) or sessions (`closed`).

use firedrill_evidence::{Scalability, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity::{EndedBy, Form, Outcome, Purpose, Settings};
use crate::recording::{Calibration, Environment, Mode};

/// Version of this document's shape; see [`SCHEMA_VERSION`](super::SCHEMA_VERSION).
pub const CAPACITY_SCHEMA_VERSION: &str = "1.0";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Result of firedrill capacity")]
pub struct CapacityDocument {
    pub schema_version: String,
    pub run: CapacityRun,
    pub verdict: Verdict,
    /// Why the verdict is what it is, in words.
    pub reason: String,
    pub form: Form,
    pub settings: Settings,
    /// The level that has to be carried, where one was asked for.
    pub at_least: Option<f64>,
    pub capacity: Capacity,
    pub ended_by: EndedBy,
    /// What gave way first; null when nothing did.
    pub gave_way: Option<GaveWay>,
    pub scalability: Fitted,
    pub trials: Vec<Trial>,
    pub environment: Environment,
    /// What this machine can do; null where nobody looked.
    pub calibration: Option<Calibration>,
    /// What a reader of the numbers should know.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacityRun {
    /// `<UTC>-<scenario>-<seed>`.
    pub id: String,
    pub scenario: String,
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    pub mode: Mode,
    pub target: String,
    pub firedrill_version: String,
    /// What to type to run the same again.
    pub command: String,
    /// Nanoseconds.
    pub length: u64,
    /// A trial's measured phase, and the rest before the next. Nanoseconds.
    pub trial: u64,
    pub rest: u64,
}

/// The highest level that meets the objectives, and how well it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Capacity {
    /// Null when nothing was met, or nothing missed: then there is no interval either. Null, as `upper` is, when the
    /// interval reaches the highest level that was allowed: the capacity may lie beyond it.
    pub estimate: Option<f64>,
    /// It lies between these with the probability `confidence`.
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    pub confidence: f64,
    /// The highest level that was met more often than not, and the lowest that was not.
    pub met: Option<f64>,
    pub missed: Option<f64>,
    /// Operations that ended ok, a second, at the highest level that was met.
    pub completed_per_second: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GaveWay {
    pub what: Limit,
    pub level: f64,
    /// The number of the trial.
    pub trial: u32,
    pub reason: String,
}

/// What can give way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    Latency,
    Errors,
    /// More was under way than may be, or the backlog grew.
    Queue,
    /// Something that the target says of itself.
    Metric,
    /// firedrill, and not the target.
    Generator,
}

/// The universal scalability law through the trials that can be trusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fitted {
    /// Null where the trials allow none.
    pub law: Option<Scalability>,
    /// The concurrency of the highest throughput, and that throughput. Null where the law has no peak, or does not
    /// describe the trials.
    pub knee: Option<f64>,
    pub peak: Option<f64>,
    /// The knee lies beyond every concurrency that was seen.
    pub extrapolated: bool,
    /// What throughput comes near to, where there is no peak.
    pub asymptote: Option<f64>,
    /// All of it in words; why there is no knee, where there is none.
    pub reason: String,
    pub points: Vec<Residual>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Residual {
    pub trial: u32,
    pub concurrency: f64,
    pub throughput: f64,
    /// The law's throughput there, and by how much the trial's is above it.
    pub fitted: Option<f64>,
    pub residual: Option<f64>,
}

/// One trial, or one check of the target between trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    pub number: u32,
    pub purpose: Purpose,
    pub level: f64,
    /// Of its recording and report, from the folder of this document.
    pub folder: String,
    pub outcome: Outcome,
    /// What gave way, where it was not met.
    pub limit: Option<Limit>,
    pub reason: String,
    pub asked_per_second: Option<f64>,
    pub sent_per_second: Option<f64>,
    pub completed_per_second: Option<f64>,
    /// Response times over everything that was due. Nanoseconds; null among misses.
    pub p50: Option<u64>,
    pub p99: Option<u64>,
    /// The share of all operations that did not end ok.
    pub failed: Option<f64>,
    /// Operations that were not sent since too many were under way.
    pub over_in_flight_limit: u64,
    /// Operations under way on the average: sessions, or by Little's law.
    pub concurrency: Option<f64>,
    /// How late firedrill itself was. Nanoseconds.
    pub lateness_p99: Option<u64>,
    /// The share of its own capacity that firedrill had left; without a calibration, of the time of its busiest thread.
    pub headroom: Option<f64>,
    /// The latency limits that it was held against.
    pub limits: Vec<LatencyLimit>,
}

impl Trial {
    /// It says nothing, because a probe that an objective needs was silent, and not for any doubt in the generator.
    pub fn met_silence(&self) -> bool {
        self.outcome == Outcome::Untrusted && self.limit == Some(Limit::Metric)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyLimit {
    pub check: String,
    /// Nanoseconds.
    pub below: u64,
}

/// The JSON Schema of `capacity.json`.
pub fn capacity_schema() -> serde_json::Value {
    schemars::schema_for!(CapacityDocument).to_value()
}
