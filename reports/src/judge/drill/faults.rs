//! Each fault gathered from its events.

use std::collections::BTreeMap;

use firedrill_scenarios::plan::{Act, Action, FaultKind, RecoveryStep};

use super::words;
use crate::judge::view::View;
use crate::recording::{Event, FaultStage, Mark, ReadBackStage, ReadPlace, StepStage};

/// A fault of the run, or a failback, which is measured like one.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The action's, with `#2` and so on for repetitions.
    pub id: String,
    /// By index of the plan's actions.
    pub action: Option<usize>,
    pub kind: String,
    pub on: String,
    pub nature: Nature,
    pub t0: Option<u64>,
    pub injected: Option<u64>,
    pub effect: Effect,
    /// When it was applied, or seen in force where that came later.
    pub in_force: Option<u64>,
    /// When its undoing began.
    pub lifted: Option<u64>,
    pub healed: Option<u64>,
    pub leftovers: Vec<String>,
    /// The first of each kind since t0.
    pub marks: BTreeMap<Mark, u64>,
    pub verified: Verified,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Service suffers, data does not.
    Service,
    /// Data suffers: it is back when it was read back.
    Data,
    /// No fault: clients are moved back on purpose.
    FailBack,
}

/// Whether somebody else than the injector saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Seen(String),
    NotSeen(String),
    NotLookedFor,
}

impl Effect {
    pub fn seen_by(&self) -> Option<String> {
        match self {
            Effect::Seen(by) => Some(by.clone()),
            Effect::NotSeen(_) | Effect::NotLookedFor => None,
        }
    }
}

/// What became of the read-back after a data fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    At(u64),
    /// It was read back, and is not sound.
    Unsound,
    /// It was never read back.
    Missing,
}

impl Broken {
    fn new(id: &str, kind: &str, on: &str, actions: &[Action]) -> Broken {
        let base = base(id);
        let action = actions.iter().position(|action| action.id == base);
        Broken {
            id: id.to_owned(),
            nature: action.map_or(Nature::Service, |index| nature(&actions[index].act)),
            action,
            kind: kind.to_owned(),
            on: on.to_owned(),
            t0: None,
            injected: None,
            effect: Effect::NotLookedFor,
            in_force: None,
            lifted: None,
            healed: None,
            leftovers: Vec::new(),
            marks: BTreeMap::new(),
            verified: Verified::Missing,
        }
    }

    pub fn is_fault(&self) -> bool {
        match self.nature {
            Nature::Service | Nature::Data => true,
            Nature::FailBack => false,
        }
    }

    /// Whether writes may be gone because of it.
    pub fn may_take(&self, actions: &[Action]) -> bool {
        match self.act(actions) {
            Some(Act::Fault(fault)) => !fault.kind.spares_data(),
            Some(Act::Step(_) | Act::ReadBack { .. }) | None => true,
        }
    }

    /// Whether it may go on to do harm until it is undone: a site that is gone takes nothing more with it.
    pub fn goes_on(&self, actions: &[Action]) -> bool {
        match self.act(actions) {
            Some(Act::Fault(fault)) => fault.kind.lasts() && !fault.kind.takes_site(),
            Some(Act::Step(_) | Act::ReadBack { .. }) | None => false,
        }
    }

    fn act<'a>(&self, actions: &'a [Action]) -> Option<&'a Act> {
        actions.get(self.action?).map(|action| &action.act)
    }

    /// Whether all the harm that it does at once was done until then.
    pub fn has_struck(&self, at: u64) -> bool {
        self.in_force.or(self.t0).is_some_and(|struck| struck <= at)
    }

    /// Whether a time to recover can be told: damaged data that nobody read back may still be damaged.
    pub fn can_be_back(&self) -> bool {
        match (self.nature, self.verified) {
            (Nature::Data, Verified::Missing) => false,
            (Nature::Data, Verified::At(_) | Verified::Unsound) => true,
            (Nature::Service | Nature::FailBack, _) => true,
        }
    }

    fn take_fault(&mut self, at: u64, stage: &FaultStage) {
        match stage {
            FaultStage::Injecting => self.t0 = self.t0.or(Some(at)),
            FaultStage::Injected => {
                self.injected = self.injected.or(Some(at));
                self.in_force = self.in_force.max(Some(at));
            }
            FaultStage::EffectSeen { by } => {
                self.effect = Effect::Seen(by.clone());
                self.in_force = self.in_force.max(Some(at));
            }
            FaultStage::EffectNotSeen { reason } => self.effect = Effect::NotSeen(reason.clone()),
            FaultStage::Healing => self.lifted = self.lifted.or(Some(at)),
            FaultStage::Healed { .. } => self.healed = Some(at),
            FaultStage::Leftover { what } => self.leftovers.push(what.clone()),
        }
    }

    fn take_step(&mut self, at: u64, stage: &StepStage) {
        match stage {
            StepStage::Started => self.t0 = self.t0.or(Some(at)),
            StepStage::Done { .. } => self.injected = Some(at),
            StepStage::Failed { reason } => self.effect = Effect::NotSeen(reason.clone()),
        }
    }
}

/// An action's id without the number of the repetition.
pub fn base(id: &str) -> &str {
    id.split_once('#').map_or(id, |(base, _)| base)
}

fn nature(act: &Act) -> Nature {
    match act {
        Act::Fault(fault) => match fault.kind {
            FaultKind::DataCorruption { .. }
            | FaultKind::SystemFailure { .. }
            | FaultKind::NaturalDisaster { .. } => Nature::Data,
            _ => Nature::Service,
        },
        Act::Step(RecoveryStep::FailBack { .. }) => Nature::FailBack,
        Act::Step(_) | Act::ReadBack { .. } => Nature::Service,
    }
}

/// Every fault and failback that was begun, in the order of time.
pub fn gather(view: &View<'_>) -> Vec<Broken> {
    let actions = &view.recording.plan.drill.actions;
    let mut all: Vec<Broken> = Vec::new();
    for timed in &view.recording.events {
        match &timed.event {
            Event::Fault {
                id,
                fault,
                on,
                stage,
            } => entry(&mut all, id, || Broken::new(id, fault, on, actions))
                .take_fault(timed.at, stage),
            Event::Step {
                id,
                step,
                on,
                stage,
            } => {
                let new = Broken::new(id, step, on, actions);
                if new.nature == Nature::FailBack {
                    entry(&mut all, id, || new).take_step(timed.at, stage);
                }
            }
            _ => {}
        }
    }
    // What is undone for safety's sake, though it was never begun, is no fault of the run.
    all.retain(|fault| fault.t0.is_some() || fault.effect != Effect::NotLookedFor);
    for fault in &mut all {
        fault.verified = verified(view, fault);
        if fault.is_fault()
            && fault.t0.is_some()
            && fault.healed.is_none()
            && fault.leftovers.is_empty()
        {
            fault.leftovers.push(words::NEVER_HEALED.to_owned());
        }
    }
    mark(view, &mut all);
    all
}

fn entry<'a>(all: &'a mut Vec<Broken>, id: &str, new: impl FnOnce() -> Broken) -> &'a mut Broken {
    let index = all
        .iter()
        .position(|fault| fault.id == id)
        .unwrap_or_else(|| {
            all.push(new());
            all.len() - 1
        });
    &mut all[index]
}

/// The first sound read-back of the site that serves, begun after the fault had done its harm. Of a site that nobody is
/// sent to, it says nothing of what clients get.
fn verified(view: &View<'_>, fault: &Broken) -> Verified {
    let mut found = Verified::Missing;
    for read in served(view).filter(|read| fault.has_struck(read.began)) {
        match read.sound {
            true => return Verified::At(read.done),
            false => found = Verified::Unsound,
        }
    }
    found
}

/// A read-back of the site that clients are sent to.
pub struct Served {
    pub began: u64,
    pub done: u64,
    pub sound: bool,
}

/// In the order in which they were done.
pub fn served<'a>(view: &'a View<'a>) -> impl Iterator<Item = Served> + 'a {
    let recording = view.recording;
    let serves = |id: &str| {
        let mut data = recording.ledger.data.iter();
        data.any(|data| data.read_back == id && data.place == ReadPlace::Serving)
    };
    recording
        .events
        .iter()
        .filter_map(move |timed| match &timed.event {
            Event::ReadBack {
                id,
                stage: ReadBackStage::Done { sound, .. },
                ..
            } if serves(id) => Some(Served {
                began: recording.at(|event| begins(event, id))?,
                done: timed.at,
                sound: *sound,
            }),
            _ => None,
        })
}

fn begins(event: &Event, read_back: &str) -> bool {
    match event {
        Event::ReadBack {
            id,
            stage: ReadBackStage::Started,
            ..
        } => id == read_back,
        _ => false,
    }
}

/// A mark belongs to the fault that it names, or else to the last one before it.
fn mark(view: &View<'_>, all: &mut [Broken]) {
    let mut marks: Vec<(u64, Mark, Option<&str>)> = view
        .recording
        .events
        .iter()
        .filter_map(|timed| match &timed.event {
            Event::Mark { mark, fault, .. } => Some((timed.at, *mark, fault.as_deref())),
            _ => None,
        })
        .collect();
    marks.sort_unstable_by_key(|(at, mark, _)| (*at, *mark));
    for (at, mark, about) in marks {
        let begun = |fault: &&mut Broken| fault.t0.is_some_and(|t0| t0 <= at);
        let named = all
            .iter()
            .position(|fault| Some(fault.id.as_str()) == about);
        let owner = match named.map(|index| &mut all[index]).filter(begun) {
            // What is told late may name a fault that had not begun yet.
            None => all.iter_mut().filter(begun).max_by_key(|fault| fault.t0),
            named => named,
        };
        if let Some(fault) = owner {
            fault.marks.entry(mark).or_insert(at);
            if (fault.nature, mark) == (Nature::FailBack, Mark::FailbackAnswer)
                && fault.effect == Effect::NotLookedFor
            {
                fault.effect = Effect::Seen("clients, whom the site answered".to_owned());
            }
        }
    }
}
