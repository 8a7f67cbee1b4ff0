//! A programme's folder read back, with the recordings of its drills.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use firedrill_evidence::Verdict;
use firedrill_scenarios::{Given, Programme};

use super::event::{Begun, Event, Timed};
use super::{file, folder_of, names};
use crate::recording::{self, Folder, Manifest, RECORDING_VERSION, Recording, RecordingError};

/// Everything that judging and reporting a programme need.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub programme: Programme,
    pub begun: Begun,
    /// All events, the first one too.
    pub events: Vec<Timed>,
    /// In the order of the programme.
    pub drills: Vec<Drill>,
    /// Whether the folder has a manifest: it is written last.
    pub sealed: bool,
}

/// A drill of the programme, as far as it ran.
#[derive(Clone, Debug)]
pub struct Drill {
    pub name: String,
    /// None when it was never started.
    pub seed: Option<u64>,
    pub command: Option<String>,
    /// When it was started, since the programme's start. Nanoseconds.
    pub offset: u64,
    pub found: Found,
}

#[derive(Clone, Debug)]
pub enum Found {
    Run(Box<Recording>),
    /// It did not run, and why.
    NotRun(String),
    /// It was begun, and what it left cannot be read: firedrill was killed.
    Unreadable(String),
}

impl Found {
    /// Why there is no recording.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Found::Run(_) => None,
            Found::NotRun(reason) | Found::Unreadable(reason) => Some(reason),
        }
    }

    /// What a drill without a recording is evidence of.
    pub fn missing(&self) -> (Verdict, String) {
        match self {
            Found::Unreadable(reason) => (Verdict::Invalid, reason.clone()),
            Found::NotRun(reason) => (Verdict::Inconclusive, format!("not run: {reason}")),
            Found::Run(_) => (Verdict::Invalid, "not judged".to_owned()),
        }
    }
}

impl Drill {
    pub fn recording(&self) -> Option<&Recording> {
        match &self.found {
            Found::Run(recording) => Some(recording),
            Found::NotRun(_) | Found::Unreadable(_) => None,
        }
    }
}

/// Reads a programme's folder.
///
/// # Errors
/// When it is none, or was changed after it was sealed. What a crash left is read as far as it goes.
pub fn read(folder: &Path) -> Result<Recorded, RecordingError> {
    let events = events(folder)?;
    let begun = begun(&events)?;
    let programme = programme(folder)?;
    let files = Folder(folder.to_owned());
    let of_names = || Manifest::of_names(&files, &names(folder, &programme.drills));
    let sealed = recording::verify(&files, of_names)?;
    let drills = programme.drills.iter();
    let drills = drills.map(|name| drill(folder, name, &events, sealed));
    Ok(Recorded {
        drills: drills.collect::<Result<_, _>>()?,
        programme,
        begun,
        events,
        sealed,
    })
}

fn drill(
    folder: &Path,
    name: &str,
    events: &[Timed],
    sealed: bool,
) -> Result<Drill, RecordingError> {
    let started = events.iter().find_map(|timed| match &timed.event {
        Event::DrillStarted {
            drill,
            seed,
            command,
        } if drill == name => Some((timed.at, *seed, command.clone())),
        _ => None,
    });
    let reason = events.iter().find_map(|timed| match &timed.event {
        Event::NotRun { drill, reason } if drill == name => Some(reason.clone()),
        Event::DrillEnded {
            drill,
            error: Some(error),
            ..
        } if drill == name => Some(error.clone()),
        _ => None,
    });
    let own = folder.join(folder_of(name));
    let found = match (own.exists(), reason) {
        (true, reason) => match (recording::read(&own), reason, sealed) {
            (Ok(recording), ..) => Found::Run(Box::new(recording)),
            (Err(_), Some(reason), _) => Found::NotRun(reason),
            (Err(error @ RecordingError::Changed { .. }), ..) | (Err(error), _, true) => {
                return Err(placed(error, name));
            }
            (Err(error), None, false) => Found::Unreadable(error.to_string()),
        },
        (false, Some(reason)) => Found::NotRun(reason),
        (false, None) => Found::NotRun("the programme was broken off before it".to_owned()),
    };
    Ok(Drill {
        name: name.to_owned(),
        offset: started.as_ref().map_or(0, |(at, ..)| *at),
        seed: started.as_ref().map(|(_, seed, _)| *seed),
        command: started.map(|(.., command)| command),
        found,
    })
}

/// The same error, with the drill's folder before the file's name.
fn placed(error: RecordingError, name: &str) -> RecordingError {
    let place = |file: String| format!("{}/{file}", folder_of(name));
    match error {
        RecordingError::Missing { file } => RecordingError::Missing { file: place(file) },
        RecordingError::Changed { file, what } => RecordingError::Changed {
            file: place(file),
            what,
        },
        RecordingError::Line {
            file,
            line,
            problem,
        } => RecordingError::Line {
            file: place(file),
            line,
            problem,
        },
        other @ (RecordingError::Unreadable { .. }
        | RecordingError::Newer { .. }
        | RecordingError::Plan { .. }) => other,
    }
}

fn unreadable(file: &str, source: io::Error) -> RecordingError {
    let file = file.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => RecordingError::Missing { file },
        _ => RecordingError::Unreadable { file, source },
    }
}

fn programme(folder: &Path) -> Result<Programme, RecordingError> {
    let name = file::PROGRAMME;
    let text = fs::read_to_string(folder.join(name)).map_err(|error| unreadable(name, error))?;
    Programme::parse(&text, &Given::named(name)).map_err(|problems| RecordingError::Line {
        file: name.to_owned(),
        line: 1,
        problem: problems.to_string(),
    })
}

/// A line that a crash cut off is no line.
fn events(folder: &Path) -> Result<Vec<Timed>, RecordingError> {
    let name = file::EVENTS;
    let file = File::open(folder.join(name)).map_err(|error| unreadable(name, error))?;
    let mut events = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| unreadable(name, error))?;
        match serde_json::from_str(&line) {
            Ok(event) => events.push(event),
            Err(error) if error.is_eof() => {}
            Err(error) => {
                return Err(RecordingError::Line {
                    file: name.to_owned(),
                    line: index as u64 + 1,
                    problem: error.to_string(),
                });
            }
        }
    }
    Ok(events)
}

fn begun(events: &[Timed]) -> Result<Begun, RecordingError> {
    match events.first().map(|timed| &timed.event) {
        Some(Event::Started(begun)) if begun.recording_version > RECORDING_VERSION => {
            Err(RecordingError::Newer {
                found: begun.recording_version,
            })
        }
        Some(Event::Started(begun)) => Ok(begun.clone()),
        Some(_) | None => Err(RecordingError::Line {
            file: file::EVENTS.to_owned(),
            line: 1,
            problem: "the first event is not `started`".to_owned(),
        }),
    }
}
