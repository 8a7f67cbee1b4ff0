//! What is recorded of faults, recovery steps and the ledger.

use firedrill_scenarios::plan::DataCounter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a fault has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum FaultStage {
    /// t0: written just before the first call that changes something.
    Injecting,
    Injected,
    /// Somebody else than the injector sees it.
    EffectSeen {
        by: String,
    },
    EffectNotSeen {
        reason: String,
    },
    Healing,
    /// Read back: what was changed is as it was, or as its owner has it now.
    Healed {
        by: String,
    },
    /// Something of the fault is left behind.
    Leftover {
        what: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum StepStage {
    Started,
    Done { detail: String },
    Failed { reason: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum ReadBackStage {
    Started,
    /// One whole scan, of which each drill makes two.
    Pass {
        number: u32,
        records: u64,
    },
    /// `sound`: every record fits its checksum and value, and nothing was unread.
    Done {
        sound: bool,
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// One way in which a hostile client was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// `None` where the target ended the connection.
    pub status: Option<u16>,
    /// The code of its refusal.
    pub refusal: Option<u32>,
    pub count: u64,
    /// When the first of them came.
    pub first: u64,
}

/// A named instant of a drill; t0 to t12 of the reference.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// t2: the system has noticed.
    Detected,
    /// t3
    Decided,
    /// The lost site may write no more.
    Fenced,
    /// The last acknowledgement before writes were stopped, where they were stopped on purpose.
    WritesStopped,
    /// t4
    FailoverBegun,
    /// It came to nothing: the director tries again.
    FailoverFailed,
    Promoted,
    RouteSwitched,
    /// Nobody may use an old answer about the route any more.
    RouteExpired,
    /// t5: the first answer from the other site that a client saw.
    FirstAnswer,
    /// t6: the first success after the first bad bucket.
    FirstSuccess,
    Restored,
    /// The verified read-back of a data fault.
    DataVerified,
    /// t9: the backlog is drained and the replica has caught up.
    CaughtUp,
    /// t10
    FailbackBegun,
    /// t11: the first answer from the site that serves again.
    FailbackAnswer,
}

impl Mark {
    pub const ALL: [Mark; 16] = [
        Mark::Detected,
        Mark::Decided,
        Mark::Fenced,
        Mark::WritesStopped,
        Mark::FailoverBegun,
        Mark::FailoverFailed,
        Mark::Promoted,
        Mark::RouteSwitched,
        Mark::RouteExpired,
        Mark::FirstAnswer,
        Mark::FirstSuccess,
        Mark::Restored,
        Mark::DataVerified,
        Mark::CaughtUp,
        Mark::FailbackBegun,
        Mark::FailbackAnswer,
    ];

    /// The word in recordings and results.
    pub fn as_str(self) -> &'static str {
        match self {
            Mark::Detected => "detected",
            Mark::Decided => "decided",
            Mark::Fenced => "fenced",
            Mark::WritesStopped => "writes_stopped",
            Mark::FailoverBegun => "failover_begun",
            Mark::FailoverFailed => "failover_failed",
            Mark::Promoted => "promoted",
            Mark::RouteSwitched => "route_switched",
            Mark::RouteExpired => "route_expired",
            Mark::FirstAnswer => "first_answer",
            Mark::FirstSuccess => "first_success",
            Mark::Restored => "restored",
            Mark::DataVerified => "data_verified",
            Mark::CaughtUp => "caught_up",
            Mark::FailbackBegun => "failback_begun",
            Mark::FailbackAnswer => "failback_answer",
        }
    }
}

/// What a site was to clients while it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadPlace {
    /// It served them, or nobody knows who did.
    #[default]
    Serving,
    /// Another one did.
    Standby,
    /// A backup was put to the test there.
    Test,
}

/// What a read-back counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataCounts {
    pub attempted: u64,
    pub acknowledged: u64,
    pub recovered: u64,
    /// Timed out or cut off: kept or not, nobody can know; never counted as lost.
    pub indeterminate: u64,
    pub lost: u64,
    /// Of them, those that an earlier read-back missed before the fault that this one is about.
    #[serde(default)]
    pub lost_before: u64,
    pub unexpected: u64,
    pub duplicated: u64,
    pub stale: u64,
    pub reordered: u64,
    pub holes: u64,
    pub split_brain: u64,
    pub lost_after_stop: u64,
    pub corrupt: u64,
    pub unread: u64,
    #[serde(default)]
    pub behind: u64,
    /// By how much the sum of what is stored differs from that of what was written and is there.
    pub unbalanced: u64,
    /// Records that other runs wrote. They are no part of this one.
    #[serde(default)]
    pub foreign: u64,
}

impl DataCounts {
    /// What the fault took that the read-back is about.
    pub fn taken(&self) -> u64 {
        self.lost.saturating_sub(self.lost_before)
    }

    pub fn get(&self, counter: DataCounter) -> u64 {
        match counter {
            DataCounter::Lost => self.lost,
            DataCounter::Unexpected => self.unexpected,
            DataCounter::Duplicated => self.duplicated,
            DataCounter::Stale => self.stale,
            DataCounter::Reordered => self.reordered,
            DataCounter::Holes => self.holes,
            DataCounter::SplitBrain => self.split_brain,
            DataCounter::LostAfterStop => self.lost_after_stop,
            DataCounter::Corrupt => self.corrupt,
            DataCounter::Unread => self.unread,
            DataCounter::Behind => self.behind,
            DataCounter::Unbalanced => self.unbalanced,
        }
    }
}

/// A line of `ledger.jsonl`. Instants are nanoseconds since the run's start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LedgerLine {
    /// A write that is not where it belongs.
    Write {
        read_back: String,
        class: DataCounter,
        client: String,
        sequence: u64,
        acknowledged: Option<u64>,
        /// Who acknowledged it.
        site: Option<String>,
        epoch: Option<u64>,
    },
    /// What one read-back says of all writes before it.
    Data {
        read_back: String,
        /// The fault that this is about: the last one before the read-back.
        fault: Option<String>,
        /// The site that was read.
        site: String,
        /// What the site was to clients meanwhile.
        #[serde(default)]
        place: ReadPlace,
        /// A fault before that one, after which nothing was read back: which of the two took what is lost, nobody knows.
        #[serde(default)]
        shared_with: Option<String>,
        counts: Box<DataCounts>,
        /// See "Recovery point": without a fault, or without acknowledgements, there is none.
        point: Option<RecoveryPoint>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    pub t_stop: u64,
    /// When R was acknowledged; none when nothing survived.
    pub recovered_to: Option<u64>,
    pub oldest_lost: Option<u64>,
    /// `t_stop - ack(R)`; from the first acknowledgement where nothing survived.
    pub rpo: u64,
    /// `t_stop - ack(oldest lost)`.
    pub rpo_lower: Option<u64>,
    /// The longest time between two acknowledgements among the last ones before `t_stop`: how finely this is seen.
    pub resolution: u64,
}

impl RecoveryPoint {
    /// The RPO, where something survived to count it from.
    pub fn reached(&self) -> Option<u64> {
        self.recovered_to.map(|_| self.rpo)
    }

    /// What it is more than, where nothing did: nobody knows what was there before the first acknowledgement.
    pub fn at_least(&self) -> Option<u64> {
        self.recovered_to.is_none().then_some(self.rpo)
    }
}

/// A line of `journal.jsonl`: on disk before what it tells is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalLine {
    /// Nanoseconds since the run's start; null when written by a later `heal`.
    pub at: Option<u64>,
    /// The action's id, with `#2` and so on for its repetitions.
    pub fault: String,
    pub step: u32,
    #[serde(flatten)]
    pub entry: JournalEntry,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// What will be done, and how it is undone, standing alone: healed without the plan, by another process.
    Intent {
        what: String,
        undo: serde_json::Value,
    },
    Applied,
    /// Undone, and seen to be undone.
    Healed {
        by: String,
    },
    /// What could not be undone.
    Leftover {
        reason: String,
    },
}
