//! Named instants, in `marks.jsonl`: who said what, and when. Every process of the world appends to the same file; a
//! line goes out in one write, so that lines never mix.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock;

pub(crate) const FILE: &str = "marks.jsonl";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// `director`, `world`, or the name of a store.
    pub source: String,
    pub mark: Instant,
    pub detail: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instant {
    Detected,
    Decided,
    Fenced,
    WritesStopped,
    FailoverBegun,
    /// Why clients are still sent where they were; it is tried again.
    FailoverFailed,
    Promoted,
    RouteSwitched,
    Restored,
    CaughtUp,
    FailbackBegun,
    /// The truth: what a promotion or a restore really lost, `{"site","records","keys"}`.
    Lost,
    /// The truth: the site that clients are sent to takes writes, and nobody may use the old route any more.
    ServingAgain,
}

/// Appends a mark. That it cannot be written is no reason to stop what it tells of.
pub(crate) fn append(file: &Path, source: &str, mark: Instant, detail: Value) {
    let line = Mark {
        at_ns: clock::monotonic_ns(),
        source: source.to_owned(),
        mark,
        detail,
    };
    if let Ok(mut text) = serde_json::to_vec(&line) {
        text.push(b'\n');
        let file = OpenOptions::new().append(true).create(true).open(file);
        let _ = file.and_then(|mut file| file.write_all(&text));
    }
}

/// Marks later than `since`, in the order in which they were written.
pub(crate) fn read(file: &Path, since: u64) -> io::Result<Vec<Mark>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str::<Mark>(line).ok())
        .filter(|mark| mark.at_ns > since)
        .collect())
}
