//! What `result.json` says of a programme: the steps of the procedure, and the drills that showed them.

use firedrill_evidence::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Only of a programme. Its checks, faults and phases carry the name of their drill: `site-failure/rto`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgrammeResult {
    /// The procedure's steps, in its order. Each is a check as well.
    pub steps: Vec<StepResult>,
    /// In the order in which they were to run.
    pub drills: Vec<DrillResult>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepResult {
    pub step: String,
    /// What has to be seen, as the programme says it.
    pub shown_by: String,
    /// The worst of the evidence; a drill that shows nothing makes it `inconclusive`.
    pub verdict: Verdict,
    /// One line a drill.
    pub evidence: Vec<Evidence>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub drill: String,
    pub verdict: Verdict,
    /// What was seen, in words.
    pub what: String,
    /// Files of the programme's folder that show it.
    pub files: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrillResult {
    pub drill: String,
    /// The row of the operating procedure that it covers.
    pub covers: Option<String>,
    /// Null when it did not run.
    pub verdict: Option<Verdict>,
    /// Why it did not run.
    pub not_run: Option<String>,
    pub run: Option<String>,
    pub seed: Option<u64>,
    /// What to type to run it alone.
    pub command: Option<String>,
    /// Its folder, in the programme's.
    pub folder: String,
    /// Since the programme's start, and how long it took. Nanoseconds.
    pub start: u64,
    pub length: u64,
}
