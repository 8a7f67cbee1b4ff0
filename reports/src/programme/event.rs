//! What a programme did, in the order of time.

use serde::{Deserialize, Serialize};

use crate::recording::Environment;

/// A line of `programme.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Nanoseconds since the programme's start.
    pub at: u64,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Always the first.
    Started(Begun),
    DrillStarted {
        drill: String,
        seed: u64,
        /// What to type to run it alone.
        command: String,
    },
    DrillEnded {
        drill: String,
        /// Its outputs, as they were found in its folder afterwards.
        documents: Vec<String>,
        /// Why it could not be brought to its end.
        error: Option<String>,
    },
    /// What the kernel and the disk show of a drill's sites once it is over.
    CleanedUp {
        drill: String,
        /// Processes that the drill recorded.
        processes: u64,
        /// Those of them, and descendants of firedrill beside them, that still run.
        alive: Vec<String>,
        /// The folder of its sites, where there was one.
        folder: Option<String>,
        folder_gone: bool,
        /// Changes in its journal that are not undone.
        open_changes: u64,
    },
    NotRun {
        drill: String,
        reason: String,
    },
    EndedEarly {
        detail: String,
    },
    /// Always the last of a programme that came to its end.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    pub recording_version: u32,
    pub firedrill_version: String,
    /// `<UTC>-<programme>-<seed>`.
    pub id: String,
    pub programme: String,
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    /// What to type to run the same again.
    pub command: String,
    pub strict: bool,
    pub environment: Environment,
}
