//! Causes that are known by how they look. A finding is named only where all of its signature was seen, often enough; it
//! judges nothing, and changes no verdict.
//!
//! - `delayed_ack`: results some 40 ms after their head
//! - `keep_alive`: connections closed after the same number of exchanges, or after the same rest
//! - `ports`: no port of this machine was free
//! - `initialize`: sessions cost more than what is done in them
//! - `memory`: the target's memory grows with the sessions that it opened
//! - `words`: what each shows, what it means, what to do

mod delayed_ack;
mod initialize;
mod keep_alive;
mod memory;
mod ports;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::view::View;
use crate::recording::{Group, Measure};

/// A signature that was seen, in numbers and in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    pub signature: Signature,
    /// The numbers that show it.
    pub evidence: String,
    pub meaning: String,
    /// What to do about it.
    pub remedy: String,
}

/// All times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Signature {
    /// The head of an answer comes at once, and its result when a delayed acknowledgement has let it go.
    DelayedAck {
        operation: String,
        /// Operations that ended ok.
        samples: u64,
        result_p50: u64,
        /// The share of results within 38 to 46 ms of the first byte sent.
        within: f64,
        /// Three quarters of the heads came within this.
        head_p75: u64,
    },
    /// The target closes a connection after so many exchanges.
    KeepAliveExchanges {
        exchanges: u64,
        /// Connections that were closed after as many, of all that were closed with an answer.
        closes: u64,
        of: u64,
    },
    /// The target closes a connection after such a rest.
    KeepAliveIdle {
        rest_p10: u64,
        rest_p50: u64,
        rest_p90: u64,
        closes: u64,
    },
    /// Connections could not be made, since no port of this machine was free.
    PortsExhausted {
        failures: u64,
        connections_opened: u64,
        connections_max: u64,
    },
    /// More of the target's time goes into opening sessions than into operations.
    InitializeDominates {
        sessions: u64,
        initialize_p50: u64,
        operations: u64,
        operation_p50: u64,
        /// Of the time that was spent waiting for the target.
        share: f64,
    },
    /// The target's memory grows with the sessions that it opens.
    MemoryGrowth {
        /// The series that shows it.
        series: String,
        sessions: u64,
        bytes_before: u64,
        bytes_after: u64,
        bytes_per_session: u64,
        /// How much of the growth the number of sessions explains, from 0 to 1.
        explained: f64,
    },
}

/// Everything that the measured phases show, in the order of [`Signature`].
pub(crate) fn findings(view: &View<'_>) -> Vec<Finding> {
    let totals = view.recording.totals();
    let mut seen: Vec<Signature> = view
        .series
        .iter()
        .filter_map(|series| {
            let of = |measure| of_series(view, &series.name, measure);
            delayed_ack::seen(&series.name, &of(Measure::Service), &of(Measure::Head))
        })
        .collect();
    if let Some(totals) = totals {
        seen.extend(keep_alive::exchanges(&totals.closes));
        seen.extend(keep_alive::idle(&totals.closes));
        seen.extend(ports::seen(totals));
    }
    let operations = measured(view, |measure, _, series| {
        measure == Measure::Service && series != "*"
    });
    let opened = measured(view, |measure, group, _| {
        measure == Measure::Initialize && group == Group::Ok
    });
    seen.extend(initialize::seen(&opened, &operations));
    seen.extend(memory::of_run(view));
    seen.into_iter().map(Finding::of).collect()
}

type Times = hdrhistogram::Histogram<u64>;

/// Times of one operation's good ends, over the measured phases.
fn of_series(view: &View<'_>, name: &str, wanted: Measure) -> Times {
    measured(view, |measure, group, series| {
        measure == wanted && group == Group::Ok && series == name
    })
}

fn measured(view: &View<'_>, fits: impl Fn(Measure, Group, &str) -> bool) -> Times {
    let in_measured = |name: &str| {
        let ran = view.phases.iter().find(|phase| phase.name == name);
        ran.is_some_and(|phase| phase.measured)
    };
    view.recording
        .latency
        .sum(|tag| fits(tag.measure, tag.group, &tag.series) && in_measured(&tag.phase))
}
