//! The trials of a search, and what is between them: rests, and checks that the target is as well as at the start.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use firedrill_erlmcp::Role;
use firedrill_reports::capacity::{
    self, Attempt, Begun, CapacityWriter, EndedBy, Event, Outcome, Purpose, Timed,
};
use firedrill_reports::recording::{self, Calibration, EarlyEnd};
use firedrill_reports::result::Trial;
use firedrill_reports::{judge, render, trial};
use tokio::runtime::Runtime;

use crate::capacity::search::{Next, Search};
use crate::capacity::trial::{CHECK, Steady};
use crate::cli::RunOptions;
use crate::clock::{self, Clock};
use crate::commands::run::{Identity, Run, in_words, quoted};
use crate::observe::progress::{Progress, note};
use crate::signals::Ends;
use crate::target::Ready;
use crate::target::embedded::Sites;

/// How often a target is looked at before it counts as not recovered. The rest is twice as long each time.
const CHECKS: u32 = 5;
/// No rest grows longer than this.
const REST_MOST: Duration = Duration::from_secs(30);
/// The first rest that can grow.
const REST_LEAST: Duration = Duration::from_millis(500);

/// Why there is no further trial, and what is to be said about it.
type End = (EndedBy, String);

pub struct Hunt<'a> {
    folder: PathBuf,
    steady: &'a Steady,
    options: RunOptions,
    begun: Begun,
    /// Started once, and kept for all trials.
    target: Ready,
    calibration: Result<Option<Calibration>, String>,
    search: Search,
    attempts: Vec<Attempt>,
    clock: Clock,
    log: CapacityWriter<File>,
    /// Signals are heard between trials, too.
    ends: Ends,
    runtime: Runtime,
}

/// The events of a search, in a folder that is made for it.
///
/// # Errors
/// When it cannot be written.
pub fn log_in(folder: &Path) -> anyhow::Result<CapacityWriter<File>> {
    let unwritten = || format!("the folder `{}` cannot be written", folder.display());
    fs::create_dir_all(folder.join(capacity::file::TRIALS)).with_context(unwritten)?;
    let log = File::create(folder.join(capacity::file::EVENTS)).with_context(unwritten)?;
    Ok(CapacityWriter::new(log))
}

/// Takes such a folder away again, in which nothing was recorded.
pub fn forget(folder: &Path) {
    // What stays is empty, and no harm to a later search.
    let _ = fs::remove_file(folder.join(capacity::file::EVENTS));
    let _ = fs::remove_dir(folder.join(capacity::file::TRIALS));
    let _ = fs::remove_dir(folder);
}

impl<'a> Hunt<'a> {
    pub fn open(
        (folder, log): (&Path, CapacityWriter<File>),
        steady: &'a Steady,
        options: RunOptions,
        begun: Begun,
        target: Ready,
        calibration: Result<Option<Calibration>, String>,
    ) -> anyhow::Result<Hunt<'a>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut hunt = Hunt {
            folder: folder.to_owned(),
            steady,
            options,
            search: Search::new(begun.settings),
            target,
            calibration,
            attempts: Vec::new(),
            clock: Clock::start(),
            log,
            ends: runtime.block_on(async { Ends::catch() })?,
            runtime,
            begun,
        };
        hunt.record(Event::Started(Box::new(hunt.begun.clone())))?;
        Ok(hunt)
    }

    /// Makes trials until there is no further one, and seals the folder. Why there is none.
    pub fn search(mut self) -> anyhow::Result<EndedBy> {
        let (by, detail) = self.trials()?;
        self.record(Event::Ended { by, detail })?;
        self.log.into_inner().sync_all()?;
        capacity::seal(&self.folder, &self.attempts)?;
        if let Some(sites) = self.target.sites.take() {
            sites.stop();
        }
        Ok(by)
    }

    fn trials(&mut self) -> anyhow::Result<End> {
        let gentle = self.steady.gentle(self.begun.settings.from);
        if let Some(end) = self.recovers(gentle, EndedBy::NothingMet)? {
            return Ok(end);
        }
        loop {
            let level = match self.search.next() {
                Next::Try(level) => level,
                Next::End(by) => return Ok((by, String::new())),
            };
            let own = match self.attempt(Purpose::Trial, level)? {
                Ok(own) => own,
                Err(end) => return Ok(end),
            };
            match own.met_silence() {
                true => self.search.see_silence(level),
                false => self.search.see(level, own.outcome),
            }
            if self.rest(Duration::from_nanos(self.begun.rest)) {
                return Ok(interrupted());
            }
            let gentle = self
                .search
                .met()
                .map_or(gentle, |met| self.steady.gentle(met));
            if let Some(end) = self.recovers(gentle, EndedBy::NotRecovered)? {
                return Ok(end);
            }
        }
    }

    /// Looks whether a gentle load is met, with longer and longer rests between. Why the search ends, when it is not.
    fn recovers(&mut self, gentle: f64, otherwise: EndedBy) -> anyhow::Result<Option<End>> {
        let mut rest = Duration::from_nanos(self.begun.rest).max(REST_LEAST);
        let mut detail = String::new();
        let mut by = otherwise;
        for check in 0..CHECKS {
            if check > 0 && self.rest(rest) {
                return Ok(Some(interrupted()));
            }
            let own = match self.attempt(Purpose::Check, gentle)? {
                Ok(own) => own,
                Err(end) => return Ok(Some(end)),
            };
            if own.outcome == Outcome::Met {
                return Ok(None);
            }
            by = match own.outcome {
                Outcome::Untrusted if own.met_silence() => EndedBy::Probe,
                Outcome::Untrusted => EndedBy::Generator,
                Outcome::Met | Outcome::Missed | Outcome::TooLittle => otherwise,
            };
            detail = own.reason;
            if check > 0 {
                rest = (rest * 2).min(REST_MOST.max(rest));
            }
        }
        Ok(Some((by, detail)))
    }

    /// One trial or check, recorded and judged; or why the search ends with it.
    fn attempt(&mut self, purpose: Purpose, level: f64) -> anyhow::Result<Result<Trial, End>> {
        let ends = &mut self.ends;
        if self.runtime.block_on(ends.have_come()) {
            return Ok(Err(interrupted()));
        }
        let number = self.attempts.len() as u32 + 1;
        let attempt = Attempt {
            number,
            purpose,
            level,
            folder: capacity::folder_of(number, purpose, level),
        };
        let early = self.run(&attempt)?;
        let path = self.folder.join(&attempt.folder);
        let recording = recording::read(&path)?;
        let result = judge(&recording, None);
        let own = trial(&attempt, &recording, &result, self.steady.form);
        note(&render::capacity_line(&own, self.steady.form));
        self.record(Event::Tried(attempt.clone()))?;
        self.attempts.push(attempt);
        if early == Some(EarlyEnd::Interrupted) {
            return Ok(Err(interrupted()));
        }
        Ok(match self.lost() {
            Some(lost) => Err((EndedBy::TargetLost, lost)),
            None => Ok(own),
        })
    }

    fn run(&self, attempt: &Attempt) -> anyhow::Result<Option<EarlyEnd>> {
        let length = Duration::from_nanos(self.begun.trial);
        let length = match attempt.purpose {
            Purpose::Trial => length,
            Purpose::Check => length.min(CHECK),
        };
        let plan = self.steady.at(attempt.level, length);
        let folder = self.folder.join(&attempt.folder);
        // Trials are no copies of each other: each draws its own arrivals and texts.
        let seed = self.begun.seed.wrapping_add(attempt.number.into());
        let identity = Identity {
            id: format!("{}-{:03}", self.begun.id, attempt.number),
            seed,
            started: clock::wall(),
        };
        let named = quoted(&folder.join(recording::file::PLAN).display().to_string());
        let mut own = self.options.clone();
        // The plan has them already.
        own.overrides.set.clear();
        let run = Run {
            plan: &plan,
            options: &self.options,
            identity: &identity,
            folder: &folder,
            command: in_words(&named, &own, seed),
            progress: Progress::quiet(),
        };
        let recorder = run.open()?;
        run.record(recorder, self.target.shared(), self.calibration.clone())
    }

    /// What of the target ended by itself, when nobody can be served without it.
    fn lost(&mut self) -> Option<String> {
        let exited = self
            .target
            .sites
            .as_mut()
            .map(Sites::exited)
            .unwrap_or_default();
        let mut lost = None;
        for exited in exited {
            let text = format!("{} ended by itself: {}", exited.process.name, exited.status);
            note(&format!("warning: {text}"));
            if exited.process.role == Role::Front {
                lost = Some(text);
            }
        }
        lost
    }

    /// Waits; true when a signal came first.
    fn rest(&mut self, length: Duration) -> bool {
        let ends = &mut self.ends;
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = ends.next() => true,
                () = tokio::time::sleep(length) => false,
            }
        })
    }

    /// Writes an event, and has it on disk before anything else happens.
    fn record(&mut self, event: Event) -> io::Result<()> {
        let at = self.clock.now();
        self.log.write(&Timed { at, event })?;
        self.log.flush()
    }
}

fn interrupted() -> End {
    (EndedBy::Interrupted, String::new())
}
