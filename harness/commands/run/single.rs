//! One run of a plan: opened, recorded, sealed.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use firedrill_reports::recording::{Calibration, EarlyEnd, Event, RECORDING_VERSION, Started};
use firedrill_reports::render;
use firedrill_scenarios::Plan;

use crate::cli::RunOptions;
use crate::clock::{Clock, Utc};
use crate::commands::checkpoint;
use crate::conduct::hands::Reading;
use crate::conduct::{Beside, conduct};
use crate::fault::heal::Guard;
use crate::fault::journal::Journal;
use crate::fault::seen::Eyes;
use crate::fault::whereabouts::Whereabouts;
use crate::ledger::Clients;
use crate::ledger::keeper::Keeper;
use crate::ledger::pen::Desk;
use crate::load::calibration::calibrate;
use crate::load::tally::Layout;
use crate::load::worker::Job;
use crate::mcp::session::Dialect;
use crate::observe::machine;
use crate::observe::progress::{Progress, note};
use crate::preflight::{self, Room};
use crate::record::Recorder;
use crate::target::world::{Ground, processes};
use crate::target::{Ready, endpoint};

/// What names a run.
pub struct Identity {
    pub id: String,
    pub seed: u64,
    pub started: Duration,
}

/// One run of a plan: what it is called, where it is recorded, and how it was asked for.
pub struct Run<'a> {
    pub plan: &'a Plan,
    pub options: &'a RunOptions,
    pub identity: &'a Identity,
    pub folder: &'a Path,
    /// The line that does the same again.
    pub command: String,
    pub progress: Progress,
}

impl Run<'_> {
    /// Opens the recording, unless the machine or the folder refuses the run.
    pub fn open(&self) -> anyhow::Result<Recorder> {
        let layout = Layout::of(self.plan);
        let threads = threads(self.options, machine::environment().cores);
        preflight::check(self.plan, &layout, threads, Room::of_machine())?;
        endpoint::allow_probes(self.plan, &self.options.allow_host)?;
        let started = self.identity.started;
        Ok(Recorder::create(self.folder, self.plan, &layout, started)?)
    }

    /// Drives the target until the recording is sealed.
    pub fn record(
        self,
        mut recorder: Recorder,
        mut ready: Ready,
        calibration: Result<Option<Calibration>, String>,
    ) -> anyhow::Result<Option<EarlyEnd>> {
        let clock = Clock::start();
        let events = std::iter::once(self.started(&ready, calibration)).chain(ready.events.clone());
        for event in events {
            recorder
                .event(0, event)
                .context("the recording cannot be written")?;
        }
        let job = Job {
            plan: Arc::new(self.plan.clone()),
            layout: Layout::of(self.plan),
            seed: self.identity.seed,
            thread: 0,
            threads: threads(self.options, machine::environment().cores),
            clock,
            dialect: Arc::new(Dialect::new(self.plan, &ready.surface)),
            desk: None,
        };
        // Declared before the guard, so that what is to be healed is still there when it heals.
        let ground = ready.ground.take();
        let folder = self.folder.to_owned();
        let (beside, desk) = self.beside(ground.as_ref(), &ready, &job)?;
        let mut guard = Guard {
            disarmed: false,
            run: folder,
            journal: beside.journal.clone(),
            eyes: beside.eyes.clone(),
        };
        let job = Job { desk, ..job };
        let early = conduct(&job, ready, recorder, beside)?;
        guard.disarmed = true;
        Ok(early)
    }

    fn started(&self, ready: &Ready, calibration: Result<Option<Calibration>, String>) -> Event {
        let environment = machine::environment();
        Event::Started(Started {
            recording_version: RECORDING_VERSION,
            firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
            id: self.identity.id.clone(),
            scenario: self.plan.name.clone(),
            seed: self.identity.seed,
            started: Utc::from_unix(self.identity.started.as_secs()).rfc3339(),
            mode: ready.mode,
            target: ready.description.clone(),
            command: self.command.clone(),
            strict: self.options.strict,
            threads: threads(self.options, environment.cores),
            environment,
            tls: ready.route.tls.is_some(),
            preflight: calibration.as_ref().err().cloned().into_iter().collect(),
            calibration: calibration.unwrap_or_default(),
        })
    }

    /// What a run has beside load and target: a journal, a ledger, eyes.
    fn beside(
        self,
        ground: Option<&Ground>,
        ready: &Ready,
        job: &Job,
    ) -> anyhow::Result<(Beside, Option<Desk>)> {
        let (plan, folder) = (self.plan, self.folder);
        let unwritten = "the run's folder cannot be written";
        if !plan.drill.actions.is_empty() {
            whereabouts(ground)?.write(folder).context(unwritten)?;
            let driven = ground.map_or(Ok(()), |ground| ground.is_driven_by(folder));
            driven.context("the sites cannot be told who drives them")?;
        }
        let (mut keeper, mut desk, mut reading) = (None, None, None);
        if plan.drill.ledger.is_some() {
            let (started, seed) = (self.identity.started, self.identity.seed);
            let tag = format!("{:x}", started.as_micros() as u64 ^ seed << 40);
            let clients = Clients::new(tag, plan.loads.len() + 1);
            let started = Keeper::start(folder, clients).context(unwritten)?;
            reading = Some(Reading {
                clients: started.1.clients.clone(),
                route: ready.route.clone(),
                dialect: job.dialect.clone(),
            });
            (keeper, desk) = (Some(started.0), Some(started.1));
        }
        let journal = Journal::open(folder, checkpoint).context(unwritten)?;
        let beside = Beside {
            // The sites move things there, from a working directory of their own.
            run_folder: std::path::absolute(folder)?,
            journal: Arc::new(Mutex::new(journal)),
            eyes: Eyes::on(ground.map(|ground| ground.world().clone())),
            reading,
            keeper,
            sabotage: self.options.sabotage,
            progress: self.progress,
        };
        Ok((beside, desk))
    }
}

fn whereabouts(ground: Option<&Ground>) -> anyhow::Result<Whereabouts> {
    let Some(ground) = ground else {
        return Ok(Whereabouts::Endpoint);
    };
    // Whoever heals may stand elsewhere.
    let (world, state) = (ground.world(), std::path::absolute(ground.world().state())?);
    if !ground.is_own() {
        return Ok(Whereabouts::Attached { state });
    }
    let view = world
        .view()
        .context("the sites do not say how they stand")?;
    Ok(Whereabouts::Embedded {
        state,
        processes: processes(world, &view),
    })
}

/// What this machine can do. Not to know it ends no run; why is told.
pub fn calibration(options: &RunOptions) -> Result<Option<Calibration>, String> {
    if options.no_calibration {
        return Ok(None);
    }
    match calibrate(Clock::start()) {
        Ok(found) => {
            note(&render::machine(found));
            Ok(Some(found))
        }
        Err(error) => {
            let why = format!("what this machine can do is not known: {error}");
            note(&why);
            Err(why)
        }
    }
}

pub fn threads(options: &RunOptions, cores: u32) -> u32 {
    options.threads.unwrap_or(cores).max(1)
}
