//! What is observed beside the load, and what is judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Pointer, Rate, Refusal, Url};
use crate::outcome::Outcome;

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

/// An `operation` is the name of a [`Series`](super::Series); `None` is all of them.
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
    /// From the fault until service is back; `None` is every fault of the plan, of which the worst is judged.
    Rto {
        fault: Option<usize>,
        below: Duration,
        source: Source,
    },
    /// How much acknowledged work is gone, as time.
    Rpo {
        fault: Option<usize>,
        below: Duration,
        source: Source,
    },
    /// A counter of the ledger, over the whole run.
    Data { counter: DataCounter, at_most: u64 },
    /// What a fault did was refused with the right code within this time of its start; service was back `recovered`
    /// after it, nothing was lost, and no process ended that was no victim.
    Refusal {
        fault: usize,
        refusal: Refusal,
        within: Duration,
        recovered: Duration,
    },
    /// This share of the faults that `refusal` and `rto` name pass, and on the average they are refused and recovered
    /// from in time.
    Suite {
        share: f64,
        within: Duration,
        recovered: Duration,
    },
}

/// Where a limit comes from: on a stand-in the procedure's is only rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The operating procedure.
    Procedure,
    /// The scenario's own beside it, from what the design of the target implies.
    Budget,
    /// The scenario's own, where the procedure names no limit.
    Own,
}

/// What a read-back counts; see "Recovery point" in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataCounter {
    Lost,
    Unexpected,
    Duplicated,
    Stale,
    Reordered,
    Holes,
    SplitBrain,
    LostAfterStop,
    /// Read back with another value than was written.
    Corrupt,
    Unread,
    /// Acknowledged by the site that serves, and not yet at the other one that was read.
    Behind,
    /// By how much the amounts that are stored differ from those that were written and are there.
    Unbalanced,
}

impl DataCounter {
    pub const ALL: [DataCounter; 12] = [
        DataCounter::Lost,
        DataCounter::Unexpected,
        DataCounter::Duplicated,
        DataCounter::Stale,
        DataCounter::Reordered,
        DataCounter::Holes,
        DataCounter::SplitBrain,
        DataCounter::LostAfterStop,
        DataCounter::Corrupt,
        DataCounter::Unread,
        DataCounter::Behind,
        DataCounter::Unbalanced,
    ];

    /// The word in scenarios and results.
    pub fn as_str(self) -> &'static str {
        match self {
            DataCounter::Lost => "lost",
            DataCounter::Unexpected => "unexpected",
            DataCounter::Duplicated => "duplicated",
            DataCounter::Stale => "stale",
            DataCounter::Reordered => "reordered",
            DataCounter::Holes => "holes",
            DataCounter::SplitBrain => "split_brain",
            DataCounter::LostAfterStop => "lost_after_stop",
            DataCounter::Corrupt => "corrupt",
            DataCounter::Unread => "unread",
            DataCounter::Behind => "behind",
            DataCounter::Unbalanced => "unbalanced",
        }
    }
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
