//! A run's folder read back. What does not fit is refused with its file and line; a folder that was never
//! sealed, because firedrill was killed, is read as far as it goes.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};
use std::path::Path;

use firedrill_scenarios::Plan;
use firedrill_scenarios::sources::Given;
use serde::de::DeserializeOwned;

use super::bucket::Bucket;
use super::drill::{JournalLine, LedgerLine, StepStage};
use super::event::{EarlyEnd, Event, Mode, Started, Timed, Totals};
use super::latency::LatencyLog;
use super::ledger::Ledger;
use super::manifest::{self, Files, Folder, Manifest};
use super::sample::Sample;
use super::{RECORDING_VERSION, file};

/// Everything that judging and reporting need.
#[derive(Clone, Debug)]
pub struct Recording {
    pub plan: Plan,
    pub started: Started,
    /// All events, the first one too.
    pub events: Vec<Timed>,
    pub buckets: Vec<Bucket>,
    pub latency: LatencyLog,
    /// By the name of their series, in the order of time: nanoseconds since the run's start, and the value.
    pub samples: BTreeMap<String, Vec<(u64, f64)>>,
    /// What was read back; empty when nothing was.
    pub ledger: Ledger,
    /// What was broken and undone, as it was noted before it was done; empty when nothing was.
    pub journal: Vec<JournalLine>,
    /// Whether the folder has a manifest: it is written last.
    pub sealed: bool,
}

/// Why a folder cannot be judged. All but `Missing` and `Unreadable` mean that what was recorded cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    #[error("`{file}` is missing: this is no run's folder, or not all of one")]
    Missing { file: String },
    #[error("`{file}` cannot be read: {source}")]
    Unreadable {
        file: String,
        #[source]
        source: io::Error,
    },
    #[error("`{file}` {what} after the run was recorded: restore it, or run again")]
    Changed { file: String, what: &'static str },
    #[error(
        "the recording has layout {found}, and this firedrill reads up to {RECORDING_VERSION}: use the version that made it, or a newer one"
    )]
    Newer { found: u32 },
    #[error("`{file}` line {line}: {problem}")]
    Line {
        file: String,
        line: u64,
        problem: String,
    },
    #[error("`{}` is no valid plan:\n{problems}", file::PLAN)]
    Plan { problems: String },
}

/// Reads a run's folder.
pub fn read(folder: &Path) -> Result<Recording, RecordingError> {
    Recording::read(&Folder(folder.to_owned()))
}

impl Recording {
    pub fn read(files: &dyn Files) -> Result<Recording, RecordingError> {
        let sealed = manifest::verify(files, || Manifest::of(files))?;
        let source = Source { files, sealed };
        let events = source.events()?;
        let started = first(&events)?;
        let plan = source.plan()?;
        Ok(Recording {
            buckets: source.buckets(&plan)?,
            latency: source.latency(&plan)?,
            samples: source.samples()?,
            ledger: source.ledger()?,
            journal: source.journal()?,
            plan,
            started,
            events,
            sealed,
        })
    }

    /// The sums of a run that was recorded to its end.
    pub fn totals(&self) -> Option<&Totals> {
        self.events
            .iter()
            .rev()
            .find_map(|timed| match &timed.event {
                Event::Ended { totals } => Some(totals),
                _ => None,
            })
    }

    /// What the run says something of. A stand-in that was reached by a URL is one all the same.
    pub fn mode(&self) -> Mode {
        match (self.started.mode, self.totals()) {
            (Mode::Live, Some(totals)) if totals.stand_ins > 0 => Mode::Rehearsal,
            (mode, _) => mode,
        }
    }

    /// When the timeline started, in nanoseconds since the run's start.
    pub fn zero(&self) -> Option<u64> {
        self.at(|event| matches!(event, Event::TimelineStarted))
    }

    /// The instant of the first event like this.
    pub fn at(&self, which: impl Fn(&Event) -> bool) -> Option<u64> {
        self.events
            .iter()
            .find(|timed| which(&timed.event))
            .map(|timed| timed.at)
    }

    /// When and why the run ended before its time.
    pub fn ended_early(&self) -> Option<(u64, EarlyEnd, &str)> {
        self.events.iter().find_map(|timed| match &timed.event {
            Event::EndedEarly { reason, detail } => Some((timed.at, *reason, detail.as_str())),
            _ => None,
        })
    }

    /// How the step of this id ended last: what it told, or why it failed.
    pub fn step_end(&self, id: &str) -> Option<Result<&str, &str>> {
        let own = |timed: &&Timed| matches!(&timed.event, Event::Step { id: own, .. } if own == id);
        let mut ends = self.events.iter().rev().filter(own);
        ends.find_map(|timed| match &timed.event {
            Event::Step {
                stage: StepStage::Done { detail },
                ..
            } => Some(Ok(detail.as_str())),
            Event::Step {
                stage: StepStage::Failed { reason },
                ..
            } => Some(Err(reason.as_str())),
            _ => None,
        })
    }

    /// The samples of one series; none when it was never sampled.
    pub fn sampled(&self, series: &str) -> &[(u64, f64)] {
        self.samples.get(series).map_or(&[], Vec::as_slice)
    }
}

fn first(events: &[Timed]) -> Result<Started, RecordingError> {
    let problem = |problem: &str| RecordingError::Line {
        file: file::EVENTS.to_owned(),
        line: 1,
        problem: problem.to_owned(),
    };
    match events.first().map(|timed| &timed.event) {
        Some(Event::Started(started)) => Ok(started.clone()),
        Some(_) => Err(problem("the first event is not `started`")),
        None => Err(problem("nothing was recorded")),
    }
}

struct Source<'a> {
    files: &'a dyn Files,
    sealed: bool,
}

impl Source<'_> {
    fn open(&self, name: &str) -> Result<Box<dyn BufRead + '_>, RecordingError> {
        self.files.open(name).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RecordingError::Missing {
                file: name.to_owned(),
            },
            _ => RecordingError::Unreadable {
                file: name.to_owned(),
                source,
            },
        })
    }

    /// The file's whole lines. What firedrill was writing when it was killed is cut off.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, RecordingError> {
        let mut bytes = Vec::new();
        self.open(name)?
            .read_to_end(&mut bytes)
            .map_err(|source| RecordingError::Unreadable {
                file: name.to_owned(),
                source,
            })?;
        if !self.sealed {
            let whole = bytes
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |last| last + 1);
            bytes.truncate(whole);
        }
        Ok(bytes)
    }

    fn plan(&self) -> Result<Plan, RecordingError> {
        let invalid = |problems: String| RecordingError::Plan { problems };
        let text = String::from_utf8(self.bytes(file::PLAN)?)
            .map_err(|error| invalid(error.to_string()))?;
        let mut given = Given::named(file::PLAN);
        let unreadable = |source| RecordingError::Unreadable {
            file: file::SOURCES.to_owned(),
            source,
        };
        let inside = format!("{}/", file::SOURCES);
        for name in self.files.names().map_err(unreadable)? {
            if name.starts_with(&inside) {
                let bytes = self.bytes(&name)?;
                given.files.insert(name, bytes);
            }
        }
        Plan::parse(&text, &given).map_err(|diagnostics| invalid(diagnostics.to_string()))
    }

    fn events(&self) -> Result<Vec<Timed>, RecordingError> {
        let bytes = self.bytes(file::EVENTS)?;
        let mut events = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let refuse_newer = index == 0;
            if refuse_newer {
                check_version(line)?;
            }
            let event = serde_json::from_slice(line).map_err(|error| RecordingError::Line {
                file: file::EVENTS.to_owned(),
                line: index as u64 + 1,
                problem: error.to_string(),
            })?;
            events.push(event);
        }
        Ok(events)
    }

    /// Only runs that read something back have one. It may be long, so that it is taken line by line.
    fn ledger(&self) -> Result<Ledger, RecordingError> {
        let mut ledger = Ledger::default();
        self.optional_lines(file::LEDGER, |line: LedgerLine| ledger.take(line))?;
        Ok(ledger)
    }

    fn journal(&self) -> Result<Vec<JournalLine>, RecordingError> {
        let mut journal = Vec::new();
        self.optional_lines(file::JOURNAL, |line| journal.push(line))?;
        Ok(journal)
    }

    /// The lines of a file that need not be there. A line that a crash cut off is no line.
    fn optional_lines<T: DeserializeOwned>(
        &self,
        name: &str,
        mut take: impl FnMut(T),
    ) -> Result<(), RecordingError> {
        let reader = match self.open(name) {
            Ok(reader) => reader,
            Err(RecordingError::Missing { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (index, line) in reader.split(b'\n').enumerate() {
            let line = line.map_err(|source| RecordingError::Unreadable {
                file: name.to_owned(),
                source,
            })?;
            match serde_json::from_slice(&line) {
                Ok(line) => take(line),
                Err(_) if line.is_empty() => {}
                Err(error) if error.is_eof() && !self.sealed => {}
                Err(error) => {
                    return Err(RecordingError::Line {
                        file: name.to_owned(),
                        line: index as u64 + 1,
                        problem: error.to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    fn buckets(&self, plan: &Plan) -> Result<Vec<Bucket>, RecordingError> {
        let limits = plan.latency_limits();
        let known = Known::of(plan);
        self.rows(file::BUCKETS, &Bucket::header(&limits), |fields| {
            let bucket = Bucket::parse(fields, limits.len())?;
            known.check(&bucket.phase, &bucket.series)?;
            Ok(bucket)
        })
    }

    fn samples(&self) -> Result<BTreeMap<String, Vec<(u64, f64)>>, RecordingError> {
        let head: Vec<String> = Sample::HEADER
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        let rows = self.rows(file::SAMPLES, &head, Sample::parse)?;
        let mut samples: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
        for Sample {
            at_ns,
            series,
            value,
        } in rows
        {
            samples.entry(series).or_default().push((at_ns, value));
        }
        Ok(samples)
    }

    /// The lines of a CSV file whose head line is `head`.
    fn rows<T>(
        &self,
        name: &str,
        head: &[String],
        parse: impl Fn(&[&str]) -> Result<T, String>,
    ) -> Result<Vec<T>, RecordingError> {
        let bytes = self.bytes(name)?;
        let refuse = |line: u64, problem: String| RecordingError::Line {
            file: name.to_owned(),
            line,
            problem,
        };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(bytes.as_slice());
        let mut rows = Vec::new();
        for (index, record) in reader.records().enumerate() {
            let record = record.map_err(|error| refuse(index as u64 + 1, error.to_string()))?;
            let line = record
                .position()
                .map_or(index as u64 + 1, csv::Position::line);
            let fields: Vec<&str> = record.iter().collect();
            if index > 0 {
                rows.push(parse(&fields).map_err(|problem| refuse(line, problem))?);
            } else if fields != head {
                return Err(refuse(
                    line,
                    format!("the head line is not `{}`", head.join(",")),
                ));
            }
        }
        Ok(rows)
    }

    fn latency(&self, plan: &Plan) -> Result<LatencyLog, RecordingError> {
        let known = Known::of(plan);
        let mut log = LatencyLog::default();
        let mut reader = self.open(file::LATENCY)?;
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(|source| {
                RecordingError::Unreadable {
                    file: file::LATENCY.to_owned(),
                    source,
                }
            })?;
            let torn = line.last() != Some(&b'\n');
            if read == 0 || (torn && !self.sealed) {
                break;
            }
            log.take(&line, &known)
                .map_err(|problem| RecordingError::Line {
                    file: file::LATENCY.to_owned(),
                    line: number,
                    problem,
                })?;
        }
        log.finish();
        Ok(log)
    }
}

/// A newer layout may hold events that we do not know, so its version is looked at before anything else.
fn check_version(first_line: &[u8]) -> Result<(), RecordingError> {
    let version = serde_json::from_slice::<serde_json::Value>(first_line)
        .ok()
        .and_then(|line| line.pointer("/event/recording_version")?.as_u64());
    match version.map(|found| u32::try_from(found).unwrap_or(u32::MAX)) {
        Some(found) if found > RECORDING_VERSION => Err(RecordingError::Newer { found }),
        _ => Ok(()),
    }
}

/// The names that the plan has.
pub(super) struct Known {
    phases: Vec<String>,
    series: Vec<String>,
}

impl Known {
    fn of(plan: &Plan) -> Known {
        Known {
            phases: plan
                .timeline
                .iter()
                .map(|phase| phase.name.clone())
                .collect(),
            series: plan
                .series()
                .into_iter()
                .map(|series| series.name)
                .collect(),
        }
    }

    pub(super) fn check(&self, phase: &str, series: &str) -> Result<(), String> {
        if !self.phases.iter().any(|known| known == phase) {
            return Err(format!("the plan has no phase `{phase}`"));
        }
        if !self.series.iter().any(|known| known == series) {
            return Err(format!("the plan has no operation `{series}`"));
        }
        Ok(())
    }
}
