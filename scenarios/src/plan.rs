//! What a scenario means once it is checked: the only thing that the rest of the program sees.
//!
//! A [`Plan`] comes from [`Plan::parse`](crate::Plan::parse) alone. Names have been resolved to
//! indices, every default is filled in, and nothing in it needs to be looked at as text again.
//! Maps of the file are vectors here, in the order of the file. Durations are `std::time::Duration`,
//! rates operations a second, shares between 0 and 1, sizes bytes.

mod drill;
mod expected;
mod hostile;
mod load;
mod objective;
mod operation;
mod target;
mod word;

use std::time::Duration;

use crate::provenance::Notes;
pub use drill::{
    Act, Action, BackupChoice, BackupPlace, BlastRadius, Blocked, Command, Corruption, Drill,
    Fault, FaultKind, Ledger, Link, LinkShape, NodeChoice, Pick, Recovery, RecoveryStep, Start,
    Victims, When,
};
pub use hostile::{Flood, Manner, Refusal};
pub use load::{
    Arrivals, Drive, Flow, Lifetime, Load, Rate, Rows, SessionEnd, Sessions, Shape, Spacing, Step,
    Think,
};
pub use objective::{
    DataCounter, ErrorClass, MetricBase, Objective, Over, Probe, ProbeAt, ProbeFormat, Source,
    Subject,
};
pub use operation::{
    Check, Comparison, Condition, Expectation, LedgerUse, Operation, Pointer, Save,
};
pub use target::{
    Backups, Behaviour, Bounds, Director, DirectorClock, Embedded, Endpoint, HeaderValue, Identity,
    Labels, PODS_MAX, Profile, ProtocolVersion, Replication, Secret, ServiceTime, Site, Target,
    TlsOptions, Url, has_labels, labels_text,
};

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
    /// What is broken and repaired meanwhile; without actions for a benchmark.
    pub drill: Drill,
    /// Width of a bucket of `buckets.csv`. Default 1 s.
    pub bucket: Duration,
    /// Where the values came from, and warnings. Takes no part in comparisons.
    pub notes: Notes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    pub name: String,
    /// At most, where `until` is given.
    pub length: Duration,
    /// What ends the phase before its length is over.
    pub until: Option<Until>,
    /// False for warm-up and the like: counted and shown, never judged unless an objective names it.
    pub measured: bool,
    /// For each load, by index: the phase's own arrivals in place of the load's.
    pub arrivals: Vec<Option<Arrivals>>,
}

/// What a phase waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// A good window after every fault that was injected, with the phase's actions done.
    Recovered,
    /// The phase's actions have been done: steps finished, read-backs over, faults that are held healed.
    Done,
}

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
                Subject::Errors { .. }
                | Subject::Throughput { .. }
                | Subject::Metric { .. }
                | Subject::Rto { .. }
                | Subject::Rpo { .. }
                | Subject::Data { .. }
                | Subject::Refusal { .. }
                | Subject::Suite { .. } => None,
            })
            .collect();
        if !self.drill.actions.is_empty() {
            limits.push(self.drill.recovery.below);
        }
        limits.sort_unstable();
        limits.dedup();
        limits
    }
}
