//! Actions taken and faults undone, on threads of their own, since they wait for processes and disks. What they
//! have to tell goes to the conductor as it happens.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firedrill_erlmcp::world::Mark;
use firedrill_evidence::ledger::Pass;
use firedrill_reports::recording::{Event, FaultStage, ReadBackStage, StepStage};
use firedrill_scenarios::plan::{Act, FaultKind, RecoveryStep, Start};
use firedrill_scenarios::{Plan, Sabotage};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::bounded::Bystanders;
use super::script::Take;
use crate::clock::{Clock, Nanos};
use crate::fault::claim::Claims;
use crate::fault::heal::{Which, heal};
use crate::fault::hostile;
use crate::fault::inject::{InjectError, Shared, inject, lock, see_effect};
use crate::fault::journal::open_changes;
use crate::fault::pinned::Undo;
use crate::fault::seen::Eyes;
use crate::fault::step;
use crate::ledger::pen::Desk;
use crate::ledger::reader::scan;
use crate::ledger::{Clients, FOLDER};
use crate::mcp::caller::Caller;
use crate::mcp::destination::{Destination, Route};
use crate::mcp::session::Dialect;

/// Each read-back reads everything so often: what is seen only later was stale.
pub const PASSES: u32 = 2;

/// What is told while an action is taken.
#[derive(Debug)]
pub enum Told {
    Event {
        at: Nanos,
        event: Box<Event>,
    },
    Taken {
        take: Take,
        ok: bool,
    },
    /// It could not even be begun.
    Refused {
        take: Take,
    },
    Undone {
        take: Take,
        leftover: bool,
    },
    /// Our own bug: the run is to break off, and heals on its way out.
    Broken {
        id: String,
    },
    /// What the target says happened since it was asked last.
    Marks(Vec<Mark>),
    /// A read-back was made, when its passes began, and whether each was whole.
    Read {
        id: String,
        site: String,
        passes: [Pass; 2],
        /// What the amounts that the last of them read add up to, and how many records of others it met.
        stored: u64,
        foreign: u64,
    },
}

/// What came of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Done,
    /// It was begun, and did not do what it is for.
    Failed,
    NotBegun,
}

/// Everything that acting needs.
#[derive(Clone)]
pub struct Hands {
    pub plan: Arc<Plan>,
    pub clock: Clock,
    pub seed: u64,
    /// The run's folder.
    pub run: PathBuf,
    pub journal: Arc<Shared>,
    pub eyes: Eyes,
    /// The faults that were begun and are not undone yet.
    pub in_force: Arc<Mutex<Claims>>,
    /// The sites that clients were sent to when something was broken, with their epochs then: those whose end has
    /// not been proven yet.
    pub served: Arc<Mutex<BTreeMap<String, BTreeSet<u64>>>>,
    pub told: UnboundedSender<Told>,
    /// True when the run ends before its time: what is being broken is broken no further.
    pub ending: Arc<watch::Sender<bool>>,
    pub reading: Option<Reading>,
    pub desk: Option<Desk>,
    pub sabotage: Option<Sabotage>,
    pub bystanders: Bystanders,
}

/// What reading records back needs.
#[derive(Clone)]
pub struct Reading {
    pub clients: Arc<Clients>,
    pub route: Route,
    pub dialect: Arc<Dialect>,
}

impl Hands {
    /// The action's name in the record: its id, with `#2` and so on for repetitions.
    pub fn id(&self, take: Take) -> String {
        self.plan.drill.actions[take.action].name(take.number)
    }

    /// Takes the action on a thread of its own. `fault_began` is when the newest fault was injected.
    pub fn take(&self, take: Take, fault_began: Nanos) {
        let hands = self.clone();
        self.apart(take, move || {
            let told = match hands.block_on(hands.act(take, fault_began)) {
                Some(Came::Done) => Told::Taken { take, ok: true },
                Some(Came::Failed) => Told::Taken { take, ok: false },
                Some(Came::NotBegun) | None => Told::Refused { take },
            };
            vec![told]
        });
    }

    /// Undoes the faults together, in this order, on a thread of their own.
    pub fn undo(&self, takes: Vec<Take>) {
        let Some(first) = takes.first().copied() else {
            return;
        };
        let hands = self.clone();
        self.apart(first, move || {
            let undone = hands.block_on(async {
                let undone = hands.heal(&takes).await;
                for take in &takes {
                    hands.prove_fence(*take).await;
                }
                undone
            });
            let whole = |take: &Take| undone.as_ref().is_some_and(|whole| whole.contains(take));
            let told = |take: Take| Told::Undone {
                leftover: !whole(&take),
                take,
            };
            takes.iter().copied().map(told).collect()
        });
    }

    /// The run ends before its time.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }

    async fn ended(&self) {
        // The sender is our own.
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }

    /// Nobody orders anything any more: what is still looked for is not waited for.
    pub fn release(&self) {
        self.in_force().release_all();
    }

    pub(super) fn in_force(&self) -> MutexGuard<'_, Claims> {
        // Each of its methods leaves it whole.
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on a thread of its own. One that panics has told nothing, and must not be waited for.
    fn apart(&self, take: Take, work: impl FnOnce() -> Vec<Told> + Send + 'static) {
        let hands = self.clone();
        tokio::task::spawn_blocking(move || {
            let told = std::panic::catch_unwind(AssertUnwindSafe(work));
            let told = told.unwrap_or_else(|_| vec![Told::Broken { id: hands.id(take) }]);
            told.into_iter().for_each(|told| hands.tell(told));
        });
    }

    /// A runtime of its own for the action: what it waits for must not wait for the load's record.
    fn block_on<T>(&self, action: impl Future<Output = T>) -> Option<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        Some(runtime.block_on(action))
    }

    fn tell(&self, told: Told) {
        // The conductor is gone only when the run broke off; then the journal says what is open.
        let _ = self.told.send(told);
    }

    pub(super) fn event(&self, at: Nanos, event: Event) {
        self.tell(Told::Event {
            at,
            event: Box::new(event),
        });
    }

    async fn act(&self, take: Take, fault_began: Nanos) -> Came {
        let done = match &self.plan.drill.actions[take.action].act {
            Act::Fault(fault) => return self.inject(take, &fault.kind).await,
            Act::Step(step) => self.recover(take, step, fault_began).await,
            Act::ReadBack { site } => self.read_back(take, *site).await,
        };
        if done { Came::Done } else { Came::Failed }
    }

    fn fault_event(&self, id: &str, fault: &str, on: &str, stage: FaultStage) {
        let event = Event::Fault {
            id: id.to_owned(),
            fault: fault.to_owned(),
            on: on.to_owned(),
            stage,
        };
        self.event(self.clock.now(), event);
    }

    async fn inject(&self, take: Take, kind: &FaultKind) -> Came {
        let (pinned, witness) = match self.pin(take, kind).await {
            Ok(pinned) => pinned,
            Err(reason) => {
                let stage = FaultStage::EffectNotSeen { reason };
                self.fault_event(&self.id(take), kind.word(), "", stage);
                return Came::NotBegun;
            }
        };
        let tell = |stage| self.fault_event(&pinned.id, pinned.fault, &pinned.on, stage);
        self.sabotage_before(kind).await;
        self.watch_bystanders(&pinned);
        tell(FaultStage::Injecting);
        // Without a thread for it nobody hears anything, and no refusal is proven.
        let _ = witness.as_ref().map(hostile::start);
        let ending = || *self.ending.borrow();
        if let Err(error) = inject(&pinned, &self.journal, &self.eyes, self.clock, &ending) {
            tell(FaultStage::EffectNotSeen {
                reason: error.to_string(),
            });
            return Came::Failed;
        }
        tell(FaultStage::Injected);
        let seen = tokio::select! {
            biased;
            seen = see_effect(&pinned, &self.eyes) => seen,
            () = self.ended() => Err(InjectError::Ending),
        };
        match seen {
            Ok(by) => {
                tell(FaultStage::EffectSeen { by });
                Came::Done
            }
            Err(error) => {
                tell(FaultStage::EffectNotSeen {
                    reason: error.to_string(),
                });
                Came::Failed
            }
        }
    }

    /// Those of which nothing is left behind.
    async fn heal(&self, takes: &[Take]) -> Vec<Take> {
        let mut faults = Vec::new();
        for take in takes {
            if let Act::Fault(fault) = &self.plan.drill.actions[take.action].act {
                faults.push((*take, self.id(*take), fault.kind.word()));
            }
        }
        if self.sabotage == Some(Sabotage::LeaveFault) {
            self.release();
            faults.iter().for_each(|(_, id, word)| self.leave(id, word));
            return Vec::new();
        }
        for (_, id, word) in &faults {
            self.fault_event(id, word, "", FaultStage::Healing);
        }
        let at = Some(self.clock.now());
        let ids: BTreeSet<String> = faults.iter().map(|(_, id, _)| id.clone()).collect();
        self.in_force().end(&ids);
        let which = Which::These {
            faults: &ids,
            held: &|| !self.in_force().is_empty(),
            reversed: &|| self.in_force().release(&ids),
        };
        let healed = heal(&self.run, which, &self.journal, &self.eyes, at).await;
        self.in_force().ended(&ids);
        let left = |id: &str| -> Vec<String> {
            match &healed {
                Ok(undone) => undone
                    .iter()
                    .filter(|undone| undone.fault == id)
                    .filter_map(|undone| {
                        let left = undone.leftover.as_ref()?;
                        Some(format!("{}: {left}", undone.what))
                    })
                    .collect(),
                Err(error) => vec![format!("the journal: {error}")],
            }
        };
        for (_, id, _) in &faults {
            hostile::stop(id);
            self.tell_of_others(id);
        }
        let mut whole = Vec::new();
        for (take, id, word) in faults {
            let left = left(&id);
            if left.is_empty() {
                let by = "read back".to_owned();
                self.fault_event(&id, word, "", FaultStage::Healed { by });
                whole.push(take);
            }
            for what in left {
                self.fault_event(&id, word, "", FaultStage::Leftover { what });
            }
        }
        whole
    }

    /// Sabotage: the fault stays, and what it left is named as for any other reason.
    fn leave(&self, id: &str, fault: &str) {
        let open = open_changes::<Undo>(&self.run).unwrap_or_default();
        let own: Vec<_> = open
            .into_iter()
            .filter(|change| change.fault == id)
            .collect();
        let named: Vec<&str> = own.iter().map(|change| change.what.as_str()).collect();
        self.event(
            self.clock.now(),
            Event::Sabotage {
                name: Sabotage::LeaveFault.as_str().to_owned(),
                shown: format!("still in force: {}", named.join("; ")),
            },
        );
        for change in &own {
            if let Some(what) = self.eyes.first_missing(&change.undo.ends) {
                self.fault_event(id, fault, "", FaultStage::Leftover { what });
            }
        }
    }

    async fn recover(&self, take: Take, step: &RecoveryStep, fault_began: Nanos) -> bool {
        let id = self.id(take);
        let tell = |stage| {
            let event = Event::Step {
                id: id.clone(),
                step: step.word().to_owned(),
                on: self.site_of(step),
                stage,
            };
            self.event(self.clock.now(), event);
        };
        if matches!(step, RecoveryStep::FailBack { .. }) {
            self.until_undone().await;
        }
        self.sabotage_before_test(step);
        if let Some(director) = self.eyes.view().ok().and_then(|view| view.director) {
            self.note_served(&director);
        }
        tell(StepStage::Started);
        let began = self.clock.absolute_ns(fault_began);
        let ending = || *self.ending.borrow();
        let note = |what: &str, undo: &Undo| {
            lock(&self.journal).intend(self.clock.now(), &id, 0, what, undo)
        };
        match step::perform(step, &self.plan, &self.eyes, began, &note, &ending).await {
            Ok(detail) => {
                tell(StepStage::Done { detail });
                if let RecoveryStep::Promote { site } = step {
                    self.in_force().stands_again(self.plan.site_name(*site));
                }
                self.prove_fence(take).await;
                true
            }
            Err(error) => {
                tell(StepStage::Failed {
                    reason: error.to_string(),
                });
                false
            }
        }
    }

    fn site_of(&self, step: &RecoveryStep) -> String {
        step.site()
            .map_or("", |site| self.plan.site_name(site))
            .to_owned()
    }

    async fn read_back(&self, take: Take, site: Option<usize>) -> bool {
        let id = self.id(take);
        let name = self.serving(site);
        let tell = |stage| {
            let event = Event::ReadBack {
                id: id.clone(),
                site: name.clone(),
                stage,
            };
            self.event(self.clock.now(), event);
        };
        // Behind a phase, what its faults do until they are undone belongs to what is read.
        if self.plan.drill.actions[take.action].start == Start::Afterwards {
            self.until_undone().await;
        }
        tell(ReadBackStage::Started);
        let mut unsound = Vec::new();
        let mut passes = Vec::new();
        let (mut stored, mut foreign) = (0, 0);
        for number in 1..=PASSES {
            let began = self.clock.now();
            match self.pass(&id, number, site).await {
                Ok(pass) => {
                    passes.push(Pass {
                        began,
                        complete: pass.unreadable == 0,
                    });
                    (stored, foreign) = (pass.amounts, pass.foreign);
                    let records = pass.records;
                    tell(ReadBackStage::Pass { number, records });
                    if pass.corrupt + pass.unreadable > 0 {
                        unsound.push(format!(
                            "pass {number}: {} records hold another value than was written, {} cannot be read",
                            pass.corrupt, pass.unreadable
                        ));
                    }
                }
                Err(reason) => {
                    tell(ReadBackStage::Failed { reason });
                    return false;
                }
            }
        }
        if let Ok(passes) = passes.try_into() {
            self.tell(Told::Read {
                id: id.clone(),
                site: name.clone(),
                passes,
                stored,
                foreign,
            });
        }
        tell(ReadBackStage::Done {
            sound: unsound.is_empty(),
            reason: unsound.join("; "),
        });
        true
    }

    async fn pass(
        &self,
        id: &str,
        number: u32,
        site: Option<usize>,
    ) -> Result<crate::ledger::reader::Pass, String> {
        let (Some(reading), Some(ledger)) = (&self.reading, &self.plan.drill.ledger) else {
            return Err("the scenario writes nothing that could be read back".to_owned());
        };
        let route = self.route_to(reading, site)?;
        let destination = Destination::along(&route).map_err(|error| error.to_string())?;
        let mut caller = Caller::new(&destination, &reading.dialect);
        let path = self.run.join(FOLDER).join(format!("{id}-{number}.bin"));
        scan(&mut caller, ledger, &reading.clients, &path)
            .await
            .map_err(|error| error.to_string())
    }

    /// To the front door of this site, or to where clients are sent.
    pub(super) fn route_to(&self, reading: &Reading, site: Option<usize>) -> Result<Route, String> {
        let mut route = reading.route.clone();
        if let Some(name) = site.map(|site| self.plan.site_name(site)) {
            let view = self.eyes.view()?;
            let front = view
                .site(name)
                .map(|site| site.front)
                .ok_or_else(|| format!("the target has no site called `{name}`"))?;
            route.host = front.ip().to_string();
            route.port = front.port();
        }
        Ok(route)
    }

    /// The name of the site that is read: the one that was named, or the one that clients are sent to.
    fn serving(&self, site: Option<usize>) -> String {
        if let Some(name) = site.map(|site| self.plan.site_name(site)) {
            return name.to_owned();
        }
        let view = self.eyes.view().ok();
        let route = view.and_then(|view| view.director.map(|director| director.route));
        route.unwrap_or_else(|| self.plan.site_name(0).to_owned())
    }
}
