//! Asked, sent and completed side by side, with a reason for every operation that is missing in the next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Operations of one phase, or of all measured ones, in whole numbers that add up:
/// `asked = sent + not_sent` and `sent = completed + not_completed`, each the sum of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Nanoseconds that it ran: what makes rates of the counts.
    pub length: u64,
    /// Due in it.
    pub asked: u64,
    /// Those of them of which at least a byte was sent.
    pub sent: u64,
    /// Operations that ended ok in it, whenever they were due.
    pub completed: u64,
    pub not_sent: NotSent,
    pub not_completed: NotCompleted,
}

/// Asked, and not sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSent {
    /// As many as `max_in_flight` allows waited for the target.
    pub in_flight_limit: u64,
    /// The target gave no session, or no connection, in time.
    pub target: u64,
    /// firedrill was too late, or its machine had no port or file left.
    pub generator: u64,
    /// The run ended first.
    pub shutdown: u64,
}

/// Sent, and not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotCompleted {
    /// Ended ok after the phase, less those that were due before the phase and ended ok in it.
    pub under_way: i64,
    pub timed_out: u64,
    /// The connection broke.
    pub connection_lost: u64,
    /// Answered, and not with what was asked for.
    pub not_ok: u64,
    /// The run ended first.
    pub shutdown: u64,
}

impl Flow {
    /// Both together, one after the other.
    pub fn and(self, other: Flow) -> Flow {
        Flow {
            length: self.length + other.length,
            asked: self.asked + other.asked,
            sent: self.sent + other.sent,
            completed: self.completed + other.completed,
            not_sent: self.not_sent.and(other.not_sent),
            not_completed: self.not_completed.and(other.not_completed),
        }
    }

    /// A second of it.
    pub fn per_second(&self, count: u64) -> Option<f64> {
        let rate = count as f64 * 1e9 / self.length as f64;
        (self.length > 0).then(|| (rate * 1000.0).round() / 1000.0)
    }
}

impl NotSent {
    fn and(self, other: NotSent) -> NotSent {
        NotSent {
            in_flight_limit: self.in_flight_limit + other.in_flight_limit,
            target: self.target + other.target,
            generator: self.generator + other.generator,
            shutdown: self.shutdown + other.shutdown,
        }
    }

    /// Each part with its name.
    pub fn parts(&self) -> [(&'static str, i64); 4] {
        [
            ("in-flight limit", self.in_flight_limit.cast_signed()),
            (
                "no session or connection from the target",
                self.target.cast_signed(),
            ),
            ("ourselves", self.generator.cast_signed()),
            ("the run ended", self.shutdown.cast_signed()),
        ]
    }
}

impl NotCompleted {
    fn and(self, other: NotCompleted) -> NotCompleted {
        NotCompleted {
            under_way: self.under_way + other.under_way,
            timed_out: self.timed_out + other.timed_out,
            connection_lost: self.connection_lost + other.connection_lost,
            not_ok: self.not_ok + other.not_ok,
            shutdown: self.shutdown + other.shutdown,
        }
    }

    /// Each part with its name.
    pub fn parts(&self) -> [(&'static str, i64); 5] {
        [
            ("under way at the end", self.under_way),
            ("timed out", self.timed_out.cast_signed()),
            ("connection lost", self.connection_lost.cast_signed()),
            ("answered and not ok", self.not_ok.cast_signed()),
            ("the run ended", self.shutdown.cast_signed()),
        ]
    }
}
