//! A search for capacity as it was recorded: the folder of its trials, each a whole recording, and beside them what
//! the search itself did.
//!
//! | file | holds | written by |
//! |---|---|---|
//! | `capacity.jsonl` | one [`Timed`] a line: what was asked, which trial was made, how it ended | [`CapacityWriter`] |
//! | `trials/NAME/` | the whole recording of a trial, with its outputs | each trial |
//! | `manifest.json` | SHA-256 of the first, and of every trial's own manifest | [`seal`] |
//!
//! Each trial has the scenario in it, resolved, with its own load.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use firedrill_evidence::Belief;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recording::{
    Calibration, Environment, Folder, LinesWriter, MANIFEST, Manifest, Mode, RECORDING_VERSION,
    RecordingError, verify,
};

/// Names of the files in the folder.
pub mod file {
    pub const EVENTS: &str = "capacity.jsonl";
    /// Folder of the trials' folders.
    pub const TRIALS: &str = "trials";
}

/// Writes `capacity.jsonl`.
pub type CapacityWriter<W> = LinesWriter<W, Timed>;

/// A line of `capacity.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Nanoseconds since the command's start.
    pub at: u64,
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Always the first.
    Started(Box<Begun>),
    /// A trial whose recording is sealed.
    Tried(Attempt),
    /// Always the last.
    Ended { by: EndedBy, detail: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    pub recording_version: u32,
    pub firedrill_version: String,
    /// `<UTC>-<scenario>-<seed>`.
    pub id: String,
    pub scenario: String,
    pub about: String,
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    pub mode: Mode,
    pub target: String,
    /// What to type to run the same again.
    pub command: String,
    pub form: Form,
    pub settings: Settings,
    /// Length of a trial's measured phase, and of the rest before the next. Nanoseconds.
    pub trial: u64,
    pub rest: u64,
    /// The level that has to be carried.
    pub at_least: Option<f64>,
    /// What of the scenario plays no part in a trial, in words.
    pub left_out: Vec<String>,
    pub environment: Environment,
    pub calibration: Option<Calibration>,
}

/// What is turned up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The rate of an open load: arrivals a second.
    Open,
    /// The sessions of a closed load.
    Closed,
}

/// Where and how finely is searched. Levels are arrivals a second or sessions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    pub from: f64,
    pub least: f64,
    pub most: f64,
    /// The relative width of the interval that is good enough.
    pub precision: f64,
    /// Trials at each level that decides.
    pub repeats: u32,
    /// Trials at most.
    pub trials: u32,
    /// Levels are whole numbers.
    pub whole: bool,
}

impl Settings {
    pub fn belief(&self) -> Belief {
        Belief::new(self.least, self.most, self.precision)
    }

    /// The nearest level that can be tried: whole sessions, or a rate of four digits.
    pub fn settled(&self, level: f64) -> f64 {
        let digits = 10_f64.powf(3.0 - level.max(f64::MIN_POSITIVE).log10().floor());
        let settled = if self.whole {
            level.round()
        } else {
            (level * digits).round() / digits
        };
        settled.clamp(self.least, self.most)
    }

    /// Whether an interval is as narrow as was asked. Sessions are not known more finely than to one, with half of
    /// one on the way to it.
    pub fn is_fine(&self, lower: f64, upper: f64) -> bool {
        upper <= lower * (1.0 + self.precision) || self.whole && upper - lower <= 1.5
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    pub purpose: Purpose,
    pub level: f64,
    /// Of its recording, from the search's folder.
    pub folder: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Whether the objectives are met at this level.
    Trial,
    /// A gentle load: whether the target is as well as it was at the start.
    Check,
}

/// What a trial came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Met,
    Missed,
    /// The measurement itself cannot be trusted.
    Untrusted,
    /// Too few operations for a verdict, or cut short.
    TooLittle,
}

/// Why the search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The capacity is known as finely as was asked.
    Precision,
    /// No trials are left.
    Budget,
    /// The highest level that was allowed is met, or the capacity may lie beyond it.
    Most,
    /// Nothing was met, however low.
    NothingMet,
    /// The measurement could not be trusted before the target gave way.
    Generator,
    /// A probe that an objective needs was silent, so that nothing says whether that was met.
    Probe,
    /// Trials hold too few operations for a verdict.
    TooLittle,
    /// The target was not as well again as at the start.
    NotRecovered,
    /// A process of the target ended.
    TargetLost,
    Interrupted,
}

/// A search's folder, but for the recordings of its trials.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub begun: Begun,
    pub attempts: Vec<Attempt>,
    /// None when firedrill was killed.
    pub ended: Option<(EndedBy, String)>,
    /// From the start to the last event. Nanoseconds.
    pub length: u64,
    /// Whether the folder has a manifest: it is written last.
    pub sealed: bool,
}

/// Whether a folder is that of a search.
pub fn is_capacity(folder: &Path) -> bool {
    folder.join(file::EVENTS).is_file()
}

/// The folder of a trial, from the search's.
pub fn folder_of(number: u32, purpose: Purpose, level: f64) -> String {
    let what = match purpose {
        Purpose::Trial => "trial",
        Purpose::Check => "check",
    };
    format!("{}/{number:03}-{what}-{level}", file::TRIALS)
}

/// Sums everything that was recorded, and writes the manifest.
///
/// # Errors
/// When a file cannot be read, or the manifest not be written.
pub fn seal(folder: &Path, attempts: &[Attempt]) -> io::Result<()> {
    let manifest = Manifest::of_names(&Folder(folder.to_owned()), &names(attempts))?;
    std::fs::write(folder.join(MANIFEST), manifest.to_json())
}

/// What the manifest sums: each trial has one of its own.
fn names(attempts: &[Attempt]) -> Vec<String> {
    let of_trials = attempts
        .iter()
        .map(|own| format!("{}/{MANIFEST}", own.folder));
    std::iter::once(file::EVENTS.to_owned())
        .chain(of_trials)
        .collect()
}

/// Reads what a search did.
///
/// # Errors
/// When the folder is none of a search, or was changed after it was sealed.
pub fn read(folder: &Path) -> Result<Recorded, RecordingError> {
    let events = events(folder)?;
    let begun = match events.first() {
        Some(Timed {
            event: Event::Started(begun),
            ..
        }) => (**begun).clone(),
        Some(_) | None => return Err(missing()),
    };
    if begun.recording_version > RECORDING_VERSION {
        return Err(RecordingError::Newer {
            found: begun.recording_version,
        });
    }
    let attempts: Vec<Attempt> = events
        .iter()
        .filter_map(|timed| match &timed.event {
            Event::Tried(attempt) => Some(attempt.clone()),
            Event::Started(_) | Event::Ended { .. } => None,
        })
        .collect();
    let ended = events.iter().find_map(|timed| match &timed.event {
        Event::Ended { by, detail } => Some((*by, detail.clone())),
        Event::Started(_) | Event::Tried(_) => None,
    });
    let files = Folder(folder.to_owned());
    let sealed = verify(&files, || Manifest::of_names(&files, &names(&attempts)))?;
    Ok(Recorded {
        length: events.last().map_or(0, |timed| timed.at),
        begun,
        attempts,
        ended,
        sealed,
    })
}

fn missing() -> RecordingError {
    RecordingError::Missing {
        file: file::EVENTS.to_owned(),
    }
}

/// A line that a crash cut off is no line.
fn events(folder: &Path) -> Result<Vec<Timed>, RecordingError> {
    let unreadable = |source| RecordingError::Unreadable {
        file: file::EVENTS.to_owned(),
        source,
    };
    let file = File::open(folder.join(file::EVENTS)).map_err(|_| missing())?;
    let mut events = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        match serde_json::from_str(&line.map_err(unreadable)?) {
            Ok(event) => events.push(event),
            Err(error) if error.is_eof() => {}
            Err(error) => {
                return Err(RecordingError::Line {
                    file: file::EVENTS.to_owned(),
                    line: index as u64 + 1,
                    problem: error.to_string(),
                });
            }
        }
    }
    Ok(events)
}
