//! Traffic of our own that a target has to refuse, and the codes that it refuses with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FaultKind, Plan, Subject};

/// What a hostile client does. It is bounded in number and in time, whatever the target does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// Well-formed messages, far too many.
    MessageFlood(Flood),
    /// What is no message: broken JSON, wrong types, no `jsonrpc`, bytes that are no UTF-8; so many a second.
    InvalidPayload { rate: f64 },
    /// Bodies of this many bytes, announced by their length and in chunks.
    LargePayload { size: u64 },
    /// Connections and sessions that are opened and never closed.
    ConnectionLeak { connections: u32 },
    /// So many clients that ask and do not read the answers for this long.
    SlowConsumer { readers: u32, silent: Duration },
}

/// How many messages a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flood {
    Rate(f64),
    /// So many times what the load asks for.
    Times(f64),
}

impl Manner {
    pub fn word(self) -> &'static str {
        match self {
            Manner::MessageFlood(_) => "message-flood",
            Manner::InvalidPayload { .. } => "invalid-payload",
            Manner::LargePayload { .. } => "large-payload",
            Manner::ConnectionLeak { .. } => "connection-leak",
            Manner::SlowConsumer { .. } => "slow-consumer",
        }
    }

    /// What a target with bounds answers.
    pub fn refusal(self) -> Refusal {
        match self {
            Manner::MessageFlood(_) => Refusal::Rate,
            Manner::InvalidPayload { .. } => Refusal::Protocol,
            Manner::LargePayload { .. } => Refusal::Size,
            Manner::ConnectionLeak { .. } => Refusal::Concurrent,
            Manner::SlowConsumer { .. } => Refusal::TimeOut,
        }
    }
}

/// erlmcp's codes for what a bound refuses (`erlmcp_refusal.hrl`), each with its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    Rate,
    /// Of a flood as well, by a pod whose queue is full.
    Queue,
    Concurrent,
    Protocol,
    Size,
    TimeOut,
    Cpu,
    Disk,
    Memory,
}

impl Refusal {
    pub const ALL: [Refusal; 9] = [
        Refusal::Rate,
        Refusal::Queue,
        Refusal::Concurrent,
        Refusal::Protocol,
        Refusal::Size,
        Refusal::TimeOut,
        Refusal::Cpu,
        Refusal::Disk,
        Refusal::Memory,
    ];

    pub fn code(self) -> u32 {
        match self {
            Refusal::Rate | Refusal::Queue => 1056,
            Refusal::Concurrent => 1060,
            Refusal::Protocol => 1066,
            Refusal::Size => 1068,
            Refusal::TimeOut => 1069,
            Refusal::Cpu => 1078,
            Refusal::Disk => 1079,
            Refusal::Memory => 1089,
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Rate | Refusal::Concurrent => 429,
            Refusal::Protocol => 400,
            Refusal::Size => 413,
            Refusal::Queue | Refusal::TimeOut | Refusal::Cpu | Refusal::Disk | Refusal::Memory => {
                503
            }
        }
    }

    /// Nobody can be told who does not read: then the end of the connection is the refusal.
    pub fn may_hang_up(self) -> bool {
        self == Refusal::TimeOut
    }
}

impl FaultKind {
    /// What a target with bounds refuses it with; `None` for what cannot be refused.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            FaultKind::Hostile { manner, .. } => Some(manner.refusal()),
            FaultKind::MemoryExhaustion(_) => Some(Refusal::Memory),
            FaultKind::QueueExhaustion(_) => Some(Refusal::Queue),
            FaultKind::CpuSaturation(_) => Some(Refusal::Cpu),
            FaultKind::DiskFull { .. } => Some(Refusal::Disk),
            FaultKind::PodKill(_)
            | FaultKind::PodPause(_)
            | FaultKind::PodTerminate(_)
            | FaultKind::StoreCrash { .. }
            | FaultKind::NodeDrain { .. }
            | FaultKind::NodeLoss { .. }
            | FaultKind::RollingRestart { .. }
            | FaultKind::Scale { .. }
            | FaultKind::SiteFailure { .. }
            | FaultKind::DataCorruption { .. }
            | FaultKind::SystemFailure { .. }
            | FaultKind::NaturalDisaster { .. }
            | FaultKind::BackupLost { .. }
            | FaultKind::BackupDamaged { .. }
            | FaultKind::ReplicationPause
            | FaultKind::Network { .. }
            | FaultKind::Command(_)
            | FaultKind::SlowPod { .. }
            | FaultKind::ClockJump { .. }
            | FaultKind::CertificateExpiry { .. } => None,
        }
    }
}

impl Subject {
    /// The fault that a pattern of a suite is: the one that the objective names.
    pub fn pattern(&self) -> Option<usize> {
        match self {
            Subject::Refusal { fault, .. } => Some(*fault),
            Subject::Rto { fault, .. } => *fault,
            Subject::Latency { .. }
            | Subject::Errors { .. }
            | Subject::Throughput { .. }
            | Subject::Metric { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. }
            | Subject::Suite { .. } => None,
        }
    }
}

impl Plan {
    /// Messages a second of a flood: a multiple of the most that the loads ask for in a phase.
    pub fn flood_rate(&self, flood: Flood) -> f64 {
        let times = match flood {
            Flood::Rate(rate) => return rate,
            Flood::Times(times) => times,
        };
        let of_phase = |(index, phase): (usize, &super::Phase)| {
            let arrivals = self.expected_arrivals(index)?;
            (!phase.length.is_zero()).then(|| arrivals / phase.length.as_secs_f64())
        };
        let most = self.timeline.iter().enumerate().filter_map(of_phase);
        // A closed load asks for as much as it gets: then the flood is a hundred a second and more.
        times * most.fold(10.0, f64::max)
    }
}
