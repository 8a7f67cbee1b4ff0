//! One run, from an opened recording to a sealed one: a thin shell around the pure [`timeline`].
//!
//! Completions are taken before anything else, then signals, then what is watched; time comes last.

pub mod abort;
mod beside;
mod bounded;
pub mod drill;
mod fence;
pub mod hands;
mod pin;
pub mod sabotage;
pub mod script;
mod settle;
pub mod timeline;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use firedrill_reports::recording::{
    EarlyEnd, Event, Measure, Sample, Totals, empty_histogram, series,
};
use firedrill_scenarios::{Plan, Sabotage};
use tokio::sync::mpsc;

use self::abort::Watch;
use self::drill::Drill;
use self::hands::{Hands, Reading, Told};
use self::script::Seen;
use self::timeline::{Command, Happening, Timeline};
use crate::clock::{self, Clock, Nanos};
use crate::fault::inject::Shared;
use crate::fault::seen::Eyes;
use crate::ledger::keeper::Keeper;
use crate::load::engine::{Engine, Progress, Second, describe_failures};
use crate::load::report::{Openings, ThreadTotals};
use crate::load::tally::Layout;
use crate::load::worker::Job;
use crate::observe::machine::Machine;
use crate::observe::probes::{self, Source};
use crate::observe::progress::{self, note};
use crate::record::Recorder;
use crate::signals::Ends;
use crate::target::Ready;
use crate::target::embedded::Sites;

/// How often processes are looked at, and borders of phases told. Borders carry their own instants.
const LOOK: Duration = Duration::from_millis(100);

/// A run that could not be brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the recording cannot be written: {0}")]
    Recording(#[source] io::Error),
    #[error("the load threads cannot be started: {0}")]
    Threads(#[source] io::Error),
    #[error("the ledger of writes is not whole: {0}")]
    Ledger(#[source] io::Error),
    #[error("the journal cannot be read or written: {0}")]
    Journal(#[source] io::Error),
    #[error("the run broke off: {0}")]
    Broken(String),
}

/// What is needed to conduct a run.
pub struct Conductor {
    plan: Rc<Plan>,
    layout: Layout,
    clock: Clock,
    timeline: Timeline,
    engine: Engine,
    recorder: Recorder,
    sites: Option<Sites>,
    drill: Option<Drill>,
    /// What reading back needs; there is a ledger.
    reading: Option<Reading>,
    keeper: Option<Keeper>,
    run_folder: PathBuf,
    journal: Arc<Shared>,
    eyes: Eyes,
    /// Every operation has its outcome; the drill may still be busy.
    load_over: Option<ThreadTotals>,
    machine: Machine,
    progress: progress::Progress,
    connections_max: u64,
    sessions_opened: u64,
    cpu_before: u64,
    early: Option<EarlyEnd>,
    watch: Watch,
}

/// Runs the plan. Returns why it ended before its time, if it did; the recording is sealed either way.
///
/// # Errors
/// When the recording cannot be written or a load thread breaks.
pub fn conduct(
    job: &Job,
    ready: Ready,
    recorder: Recorder,
    beside: Beside,
) -> Result<Option<EarlyEnd>, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Threads)?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let cpu_before = clock::processor();
        // Signals are caught before any thread has a session to lose.
        let signals = Ends::catch().map_err(RunError::Threads)?;
        let (samples, probed) = mpsc::unbounded_channel();
        let (told, acted) = mpsc::unbounded_channel();
        for probe in &job.plan.probes {
            // What cannot be read has been refused before anything started; else it would be a silent probe.
            let Ok(source) = Source::of(probe, &job.plan, &ready.route, &ready.surface) else {
                continue;
            };
            let watch = probes::watch(probe.clone(), source, job.clock, samples.clone());
            tokio::task::spawn_local(watch);
        }
        let engine = Engine::start(job, &ready.route).map_err(RunError::Threads)?;
        let conductor = Conductor {
            plan: Rc::new((*job.plan).clone()),
            layout: job.layout.clone(),
            clock: job.clock,
            timeline: Timeline::new(&job.plan),
            engine,
            recorder,
            sites: ready.sites,
            drill: drill(job, &beside, told),
            reading: beside.reading,
            keeper: beside.keeper,
            run_folder: beside.run_folder,
            journal: beside.journal,
            eyes: beside.eyes,
            load_over: None,
            machine: Machine::watching(target_pids(&ready.events)),
            progress: beside.progress,
            connections_max: 0,
            sessions_opened: 0,
            cpu_before,
            early: None,
            watch: Watch::new(&job.plan),
        };
        conductor.run(signals, probed, acted).await
    })
}

/// What a run has beside load and target.
pub struct Beside {
    /// The run's folder.
    pub run_folder: PathBuf,
    pub journal: Arc<Shared>,
    pub eyes: Eyes,
    pub reading: Option<Reading>,
    pub keeper: Option<Keeper>,
    /// Something is wrong on purpose.
    pub sabotage: Option<Sabotage>,
    /// What a person reads meanwhile.
    pub progress: progress::Progress,
}

/// The drill of the plan, when it has one.
fn drill(job: &Job, beside: &Beside, told: mpsc::UnboundedSender<Told>) -> Option<Drill> {
    if job.plan.drill.actions.is_empty() {
        return None;
    }
    let hands = Hands {
        plan: job.plan.clone(),
        clock: job.clock,
        seed: job.seed,
        run: beside.run_folder.clone(),
        journal: beside.journal.clone(),
        eyes: beside.eyes.clone(),
        in_force: Arc::default(),
        served: Arc::default(),
        told,
        ending: Arc::default(),
        reading: beside.reading.clone(),
        desk: job.desk.clone(),
        sabotage: beside.sabotage,
        bystanders: bounded::Bystanders::default(),
    };
    Some(Drill::new(job.plan.clone(), hands))
}

impl Conductor {
    async fn run(
        mut self,
        mut signals: Ends,
        mut probed: mpsc::UnboundedReceiver<Vec<Sample>>,
        mut acted: mpsc::UnboundedReceiver<Told>,
    ) -> Result<Option<EarlyEnd>, RunError> {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.load_over.is_some() && self.drill.as_ref().is_none_or(Drill::is_over) {
                self.settle().await?;
                return self.finish();
            }
            tokio::select! {
                biased;
                progress = self.engine.next(), if self.load_over.is_none() => match progress {
                    Progress::Finished(totals) => {
                        self.load_over = Some(*totals);
                        self.happen(Happening::LoadFinished)?;
                    }
                    other => self.progressed(other)?,
                },
                name = signals.next() => self.interrupted(name)?,
                Some(told) = acted.recv() => self.drill_told(told)?,
                Some(samples) = probed.recv() => {
                    self.probed(&samples)?;
                }
                _ = look.tick() => {
                    self.happen(Happening::Tick)?;
                    self.drill_ticks()?;
                    self.look_at_sites()?;
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), RunError> {
        let now = self.clock.now();
        for command in self.timeline.step(now, happening) {
            match command {
                Command::Begin { zero } => {
                    self.engine.begin(zero, &self.timeline.segments());
                }
                Command::Recut => self.engine.recut(&self.timeline.segments()),
                Command::Border {
                    phase,
                    begins: true,
                    at,
                } => {
                    self.drill_sees(Seen::Begins { phase, at })?;
                }
                Command::Border {
                    phase,
                    begins: false,
                    at,
                } => {
                    self.drill_sees(Seen::Ends { phase, at })?;
                }
                Command::Record { at, event } => self.event(at, *event)?,
                Command::StopLoad => self.engine.stop(),
                Command::Done => self.drill_sees(Seen::LoadOver)?,
            }
        }
        Ok(())
    }

    fn event(&mut self, at: Nanos, event: Event) -> Result<(), RunError> {
        self.recorder.event(at, event).map_err(RunError::Recording)
    }

    fn warn(&mut self, text: String) -> Result<(), RunError> {
        self.progress.clear();
        note(&format!("warning: {text}"));
        let now = self.clock.now();
        self.event(now, Event::Warning { text })
    }

    fn interrupted(&mut self, name: &str) -> Result<(), RunError> {
        self.progress.clear();
        if self.early.is_some() {
            note(&format!(
                "{name}: already ending; the report is being written"
            ));
            return Ok(());
        }
        note(&format!("{name}: ending early; the report will be written"));
        self.end_early(EarlyEnd::Interrupted, name.to_owned())
    }

    fn end_early(&mut self, reason: EarlyEnd, detail: String) -> Result<(), RunError> {
        self.early.get_or_insert(reason);
        self.happen(Happening::EndEarly { reason, detail })?;
        self.drill_sees(Seen::EndEarly)
    }

    /// Processes of an embedded site that ended by themselves: worth a word, and the end if it was the front door.
    fn look_at_sites(&mut self) -> Result<(), RunError> {
        let exited = self.sites.as_mut().map(Sites::exited).unwrap_or_default();
        for exited in exited {
            let text = format!("{} ended by itself: {}", exited.process.name, exited.status);
            self.warn(text.clone())?;
            if exited.process.role == firedrill_erlmcp::Role::Front {
                self.end_early(EarlyEnd::TargetLost, text)?;
            }
        }
        Ok(())
    }

    fn progressed(&mut self, progress: Progress) -> Result<(), RunError> {
        match progress {
            Progress::Opened(loads) => {
                self.opened(loads)?;
                self.happen(Happening::Opened)
            }
            Progress::Second(second) => self.second(*second),
            Progress::Failed(why) => Err(RunError::Broken(why)),
            // Handled where the run ends.
            Progress::Finished(_) => Ok(()),
        }
    }

    /// Writes what a probe has seen.
    fn probed(&mut self, samples: &[Sample]) -> Result<(), RunError> {
        self.recorder
            .samples(samples)
            .map_err(RunError::Recording)?;
        self.drill_probed(samples)?;
        let phase = self.timeline.phase_index(self.clock.now());
        let lost = phase.and_then(|phase| self.watch.samples(phase, samples));
        self.abort_for(lost)
    }

    /// Ends the run when an objective with `abort` cannot be met any more.
    fn abort_for(&mut self, lost: Option<String>) -> Result<(), RunError> {
        let Some(objective) = lost.filter(|_| self.early.is_none()) else {
            return Ok(());
        };
        self.warn(format!(
            "the objective `{objective}` cannot be met any more: ending early"
        ))?;
        self.end_early(EarlyEnd::Aborted, objective)
    }

    fn opened(&mut self, loads: Vec<Openings>) -> Result<(), RunError> {
        let plan = self.plan.clone();
        for (load, openings) in plan.loads.iter().zip(loads) {
            if openings.opened < openings.asked {
                self.warn(format!(
                    "{} of {} sessions of load `{}` could not be opened: {}",
                    openings.asked - openings.opened,
                    openings.asked,
                    load.name,
                    describe_failures(&openings.failures)
                ))?;
            }
            let failures = openings
                .failures
                .iter()
                .map(|(outcome, count)| (outcome.to_string(), *count));
            let event = Event::SessionsOpened {
                load: load.name.clone(),
                asked: openings.asked,
                opened: openings.opened,
                failures: failures.collect(),
            };
            let now = self.clock.now();
            self.event(now, event)?;
        }
        Ok(())
    }

    /// Writes one interval, and what was watched in it.
    fn second(&mut self, second: Second) -> Result<(), RunError> {
        let now = second.at;
        self.connections_max = self.connections_max.max(u64::from(second.connections));
        self.sessions_opened += second.opened;
        self.recorder.second(&second).map_err(RunError::Recording)?;
        let mut samples = self.machine.sample(self.clock.now());
        let mut add = |name: &str, value: f64| {
            samples.push(Sample {
                at_ns: now,
                series: name.to_owned(),
                value,
            });
        };
        add(series::LOST, second.held as f64);
        add(series::IN_FLIGHT, f64::from(second.in_flight));
        add(series::SOCKET_ERRORS, second.socket_errors as f64);
        add(series::CONNECTIONS, f64::from(second.connections));
        add(series::SESSIONS, self.sessions_opened as f64);
        if let Some(p99) = lateness_p99(&second) {
            add(series::LATENESS_P99, p99);
        }
        self.recorder
            .samples(&samples)
            .map_err(RunError::Recording)?;
        self.sessions_of(&second)?;
        self.drill_counts(&second)?;
        for (_, phase, cells) in &second.closed {
            let lost = self.watch.bucket(*phase, cells);
            self.abort_for(lost)?;
        }
        if let Some(since) = self.timeline.since_start(now).filter(|since| *since > 0) {
            let phase = self
                .timeline
                .phase_at(now.saturating_sub(1))
                .unwrap_or("-")
                .to_owned();
            self.progress.add(&self.layout, &second, since, &phase);
        }
        self.engine.recycle(second.histograms);
        Ok(())
    }

    fn sessions_of(&mut self, second: &Second) -> Result<(), RunError> {
        for (load, [lost, reopened, failed]) in &second.lost {
            let event = Event::SessionsLost {
                load: self.plan.loads[*load].name.clone(),
                lost: *lost,
                reopened: *reopened,
                failed: *failed,
            };
            self.event(second.at, event)?;
        }
        for (address, connections) in &second.sticky {
            let event = Event::StickyConnection {
                host: self.plan_host(),
                address: address.clone(),
                current: second.addresses.iter().map(ToString::to_string).collect(),
                connections: *connections,
            };
            self.event(second.at, event)?;
        }
        Ok(())
    }

    fn plan_host(&self) -> String {
        match &self.plan.target {
            firedrill_scenarios::plan::Target::Endpoint(endpoint) => endpoint.url.host.clone(),
            firedrill_scenarios::plan::Target::Embedded(_) => String::new(),
        }
    }

    /// Every operation has its outcome: the sites are ended and the recording is sealed.
    fn finish(mut self) -> Result<Option<EarlyEnd>, RunError> {
        let totals = self.load_over.take().unwrap_or_default();
        self.progress.clear();
        let cpu_ns = clock::processor().saturating_sub(self.cpu_before);
        self.engine.join();
        if let Some(keeper) = self.keeper.take() {
            self.account(keeper)?;
        }
        if let Some(sites) = self.sites {
            sites.stop();
        }
        let totals = Totals {
            cpu_ns,
            rss_max_bytes: self.machine.rss_max,
            connections_max: self.connections_max,
            ..totals.recorded(&self.layout)
        };
        let now = self.clock.now();
        self.recorder
            .seal(now, Event::Ended { totals })
            .map_err(RunError::Recording)?;
        Ok(self.early)
    }
}

/// The target's processes, where they are on this machine.
fn target_pids(events: &[Event]) -> Vec<u32> {
    let pid = |event: &Event| match event {
        Event::ProcessStarted { pid, .. } => Some(*pid),
        _ => None,
    };
    events.iter().filter_map(pid).collect()
}

/// The p99 of lateness of what was dispatched in this interval, nanoseconds.
fn lateness_p99(second: &Second) -> Option<f64> {
    let mut sum = empty_histogram();
    for histogram in second.histograms.all_of(Measure::Lateness) {
        // Both have the same bounds, which is the only way that adding can fail.
        let _ = sum.add(histogram);
    }
    (!sum.is_empty()).then(|| sum.value_at_quantile(0.99) as f64)
}
