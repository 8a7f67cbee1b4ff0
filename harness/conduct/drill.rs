//! The drill beside the load: feeds the script with what happens, has its orders carried out, and hears what came
//! of them.

mod culprit;
mod failback;
mod history;
mod probed;

use std::sync::Arc;

use firedrill_erlmcp::world::{self, Reply, Request};
use firedrill_evidence::ledger::Promotion;
use firedrill_evidence::recovery::{Limits, Live, Quality, Slot, judge_slots, judge_together};
use firedrill_reports::recording::{Event, FaultStage, Mark, ReadPlace, StepStage};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Act, Action, RecoveryStep, Target, When};

use self::culprit::{Begun, acknowledging, corrupts, harm};
use self::failback::Failback;
use self::history::{History, Tested};
use super::hands::{Hands, Told};
use super::sabotage::Moment;
use super::script::{Order, Script, Seen, Take};
use crate::clock::Nanos;
use crate::ledger::account::Read;
use crate::target::{TargetError, in_words};

/// Buckets that a steady state is judged by.
const STEADY: usize = 60;

pub struct Drill {
    plan: Arc<Plan>,
    hands: Hands,
    script: Script,
    live: Live,
    limits: Limits,
    /// The newest closed buckets of measured phases, before the first fault.
    before: Vec<Slot>,
    /// When the newest fault was injected; none so far.
    fault_began: Option<Nanos>,
    history: History,
    /// When clients were last disturbed, by a fault or by the step that leads them back.
    disturbed: Option<Nanos>,
    failback: Option<Failback>,
    /// The steady state has been asked for, and this is the answer.
    steady: Option<bool>,
    /// Marks up to this instant of the machine's clock have been told.
    marks_until: u64,
    asking_marks: bool,
    /// The first answer from another site than the one before the fault has been told.
    answered: bool,
    serving: Option<u16>,
    leftover: bool,
    /// The recovery from a fault has been seen.
    recovered: bool,
}

/// What the conductor has to do about the drill.
#[derive(Debug, PartialEq)]
pub enum Word {
    Event(Nanos, Box<Event>),
    /// The phase that is under way has what it waited for.
    Waited(usize),
    /// The target is not steady: nothing may be broken, and the run is to end.
    NotSteady(String),
    /// This action met a bug of ours.
    Broken(String),
}

impl Drill {
    pub fn new(plan: Arc<Plan>, hands: Hands) -> Drill {
        let recovery = plan.drill.recovery;
        let limits = Limits {
            errors: recovery.errors,
            quantile: recovery.quantile,
            below: recovery.below,
            window: recovery.window,
        };
        Drill {
            script: Script::new(&plan),
            live: Live::new(limits),
            marks_until: hands.clock.absolute_ns(0),
            plan,
            hands,
            limits,
            before: Vec::new(),
            fault_began: None,
            history: History::default(),
            disturbed: None,
            failback: None,
            steady: None,
            asking_marks: false,
            answered: false,
            serving: None,
            leftover: false,
            recovered: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.script.is_over()
    }

    /// Something of a fault could not be undone.
    pub fn has_leftover(&self) -> bool {
        self.leftover
    }

    pub fn next_wake(&self) -> Option<Nanos> {
        self.script.next_wake()
    }

    /// Something happened; what the conductor has to do about it.
    pub fn see(&mut self, now: Nanos, seen: Seen) -> Vec<Word> {
        if matches!(seen, Seen::Begins { phase: 0, .. }) {
            self.hands.misbehave_from(Moment::Start);
        }
        if seen == Seen::EndEarly {
            self.hands.end();
        }
        let orders = self.script.step(now, seen);
        let mut words = Vec::new();
        let mut undone = Vec::new();
        for order in orders {
            match order {
                Order::Take(take) => self.take(now, take, &mut words),
                Order::Undo(take) => undone.push(take),
            }
        }
        self.hands.undo(undone);
        words.extend(self.script.waited().map(Word::Waited));
        words
    }

    fn take(&mut self, now: Nanos, take: Take, words: &mut Vec<Word>) {
        let is_fault = matches!(self.plan.drill.actions[take.action].act, Act::Fault(_));
        if is_fault && self.steady.is_none() {
            let reason = self.unsteady();
            self.steady = Some(reason.is_none());
            let event = Event::Steady {
                held: reason.is_none(),
                reason: reason.clone().unwrap_or_default(),
            };
            words.push(Word::Event(now, Box::new(event)));
            words.extend(reason.map(Word::NotSteady));
        }
        if is_fault && self.steady == Some(false) {
            words.extend(self.see(now, Seen::Refused(take)));
            return;
        }
        self.hands.take(take, self.fault_began.unwrap_or(now));
    }

    /// Why the target cannot be called steady; `None` when it can.
    fn unsteady(&self) -> Option<String> {
        let qualities = judge_slots(&self.before, &self.limits);
        let first = self.serving.filter(|site| *site != 0);
        if let Some(site) = first {
            let served = TargetError::ServedElsewhere {
                site: self.plan.site_name(usize::from(site)).to_owned(),
                home: self.plan.site_name(0).to_owned(),
            };
            return Some(served.to_string());
        }
        let together = judge_together(&self.before, &self.limits);
        if qualities.contains(&Quality::Bad) || together == Quality::Bad {
            return Some(
                "failures or late answers were above the limits before the first fault".to_owned(),
            );
        }
        if !qualities.contains(&Quality::Good) {
            return Some(
                "too few operations were measured before the first fault: let a measured phase come first, \
                 longer or with a higher rate"
                    .to_owned(),
            );
        }
        None
    }

    /// A bucket of the open loads is complete.
    pub fn bucket(&mut self, slot: Slot, measured: bool, now: Nanos) -> Vec<Word> {
        self.live.push(slot);
        if self.fault_began.is_none() && measured {
            if self.before.len() == STEADY {
                self.before.remove(0);
            }
            self.before.push(slot);
        }
        let recovered = self
            .disturbed
            .and_then(|began| self.live.recovered_since(began));
        if recovered.is_none() {
            return Vec::new();
        }
        if !std::mem::replace(&mut self.recovered, true) {
            self.hands.misbehave_from(Moment::Recovery);
        }
        self.see(now, Seen::Holds(When::Recovered))
    }

    /// What was told by an action that is being taken.
    pub fn told(&mut self, now: Nanos, told: Told) -> Vec<Word> {
        match told {
            Told::Event { at, event } => {
                self.begins(at, &event);
                vec![Word::Event(at, event)]
            }
            Told::Taken { take, ok } => self.see(now, Seen::Taken { take, ok }),
            Told::Refused { take } => self.see(now, Seen::Refused(take)),
            Told::Marks(marks) => self.marked(now, marks),
            Told::Read {
                id,
                site,
                passes,
                stored,
                foreign,
            } => {
                let index = self
                    .site_named(&site)
                    .and_then(|site| u16::try_from(site).ok());
                let read = Read {
                    id,
                    site,
                    passes,
                    stored,
                    foreign,
                    place: ReadPlace::Serving,
                    fault: None,
                };
                self.history.read(read, index, self.serving);
                Vec::new()
            }
            Told::Undone { take, leftover } => {
                self.leftover |= leftover;
                self.see(now, Seen::Undone(take))
            }
            Told::Broken { id } => vec![Word::Broken(id)],
        }
    }

    /// What moves clients away from the site that serves them, and what does not after all.
    fn begins(&mut self, at: Nanos, event: &Event) {
        match event {
            Event::Fault {
                id,
                stage: FaultStage::Injecting,
                ..
            } => {
                self.fault_began = Some(at);
                self.disturbed = Some(at);
                self.has_begun(at, id);
                self.answered = false;
                if let (Some(site), Some(own)) = (self.taken_by(id), &mut self.failback) {
                    own.is_taken(site, at);
                }
            }
            Event::Step {
                id,
                on,
                stage: StepStage::Started,
                ..
            } => self.step_begins(at, id, on),
            Event::Step {
                id,
                stage: StepStage::Failed { .. },
                ..
            } => self.failback = self.failback.take().filter(|own| own.id != *id),
            _ => {}
        }
    }

    fn has_begun(&mut self, at: Nanos, id: &str) {
        let named = self.plan.profile.identity.is_some();
        let own = self.index(id).and_then(|action| {
            Some(Begun {
                id: id.to_owned(),
                at,
                harm: harm(&self.plan, action, self.serving)?,
                corrupts: corrupts(&self.plan, action),
                site: acknowledging(&self.plan, action, self.serving).filter(|_| named),
            })
        });
        if let Some(own) = own {
            self.history.begins(own);
        }
    }

    fn step_begins(&mut self, at: Nanos, id: &str, on: &str) {
        match self.action(id).map(|action| action.act.clone()) {
            Some(Act::Step(RecoveryStep::FailBack { site })) => {
                self.failback = Some(Failback::begins(id, site, at));
                self.disturbed = Some(at);
                self.has_begun(at, id);
            }
            Some(Act::Step(step @ RecoveryStep::Restore { of, .. })) if step.is_test() => {
                self.history.tests(Tested {
                    id: id.to_owned(),
                    into: on.to_owned(),
                    of,
                    began: at,
                });
            }
            _ => {}
        }
    }

    /// The site that a fault of this id takes as a whole.
    fn taken_by(&self, id: &str) -> Option<usize> {
        match &self.action(id)?.act {
            Act::Fault(fault) if fault.kind.takes_site() => fault.kind.site(),
            Act::Fault(_) | Act::Step(_) | Act::ReadBack { .. } => None,
        }
    }

    /// The action of an id, or of a repetition's.
    fn action(&self, id: &str) -> Option<&Action> {
        self.plan.drill.actions.get(self.index(id)?)
    }

    fn index(&self, id: &str) -> Option<usize> {
        let id = id.split('#').next().unwrap_or_default();
        let mut actions = self.plan.drill.actions.iter();
        actions.position(|action| action.id == id)
    }

    /// A site answered a client for the first time after another one did.
    pub fn answered_by(&mut self, at: Nanos, site: u16) -> Vec<Word> {
        let before = self.serving.replace(site);
        if before.is_none() || before == Some(site) {
            return Vec::new();
        }
        let after_fault = self.fault_began.is_some_and(|began| at >= began);
        let failback = self.failback.take_if(|own| own.is_answered(site, at));
        let (mark, about) = match failback {
            Some(own) => (Mark::FailbackAnswer, Some(own.id)),
            None if !after_fault || self.answered => return Vec::new(),
            None => (Mark::FirstAnswer, self.history.mark(at, Mark::FirstAnswer)),
        };
        self.answered |= after_fault;
        let name = self.plan.site_name(usize::from(site));
        let detail = format!("answers come from {name}");
        vec![marked(at, mark, about, "clients", detail)]
    }

    /// What was read back, and which sites were promoted when.
    pub fn accounts(&self) -> (Vec<Read>, &[Promotion]) {
        self.history.accounts()
    }

    /// Asks the target for its marks, on a thread of its own; one question at a time.
    pub fn ask_marks(&mut self) {
        let Some(world) = self.hands.eyes.world.clone().filter(|_| !self.asking_marks) else {
            return;
        };
        self.asking_marks = true;
        let (since, answer) = (self.marks_until, self.hands.told.clone());
        tokio::task::spawn_blocking(move || {
            let marks = match world.ask(&Request::Marks { since }) {
                Ok(Reply::Marks(marks)) => marks,
                // A world that does not answer now is asked again.
                Ok(_) | Err(_) => Vec::new(),
            };
            // Nobody listens any more when the run has broken off.
            let _ = answer.send(Told::Marks(marks));
        });
    }

    /// What the target says that happened.
    fn marked(&mut self, now: Nanos, marks: Vec<world::Mark>) -> Vec<Word> {
        self.asking_marks = false;
        let mut words = Vec::new();
        for own in marks {
            self.marks_until = self.marks_until.max(own.at_ns);
            let at = self.hands.clock.since_start(own.at_ns);
            let Some(mark) = known(own.mark) else {
                continue;
            };
            let of = own.detail.get("site").and_then(serde_json::Value::as_str);
            if mark == Mark::Restored && of.is_some_and(|site| self.history.is_a_test(at, site)) {
                continue;
            }
            let about = self.history.mark(at, mark);
            words.push(marked(at, mark, about, &own.source, in_words(&own.detail)));
            if mark == Mark::Promoted {
                let promotion = self.promotion(at, &own.detail);
                promotion
                    .into_iter()
                    .for_each(|own| self.history.promotes(own));
            }
            if self.fault_began.is_none_or(|began| at < began) {
                continue;
            }
            let holds = match mark {
                Mark::Detected => Some(When::Detected),
                Mark::RouteSwitched => self.routed(&own.detail),
                _ => None,
            };
            if let Some(condition) = holds {
                words.extend(self.see(now, Seen::Holds(condition)));
            }
        }
        words
    }

    fn routed(&self, detail: &serde_json::Value) -> Option<When> {
        self.site_of(detail).map(When::RouteOn)
    }

    fn promotion(&self, at: Nanos, detail: &serde_json::Value) -> Option<Promotion> {
        Some(Promotion {
            at,
            site: u16::try_from(self.site_of(detail)?).ok()?,
            epoch: detail.get("epoch")?.as_u64()?,
        })
    }

    fn site_of(&self, detail: &serde_json::Value) -> Option<usize> {
        self.site_named(detail.get("site")?.as_str()?)
    }

    fn site_named(&self, name: &str) -> Option<usize> {
        match &self.plan.target {
            Target::Embedded(embedded) => embedded.sites.iter().position(|site| site.name == name),
            Target::Endpoint(_) => None,
        }
    }
}

/// On every way out, also where the run breaks off: threads that heal would wait for what nobody undoes any more.
impl Drop for Drill {
    fn drop(&mut self) {
        self.hands.release();
    }
}

fn marked(at: Nanos, mark: Mark, fault: Option<String>, source: &str, detail: String) -> Word {
    let event = Event::Mark {
        mark,
        fault,
        source: source.to_owned(),
        detail,
    };
    Word::Event(at, Box::new(event))
}

/// The record's name of a mark; truths that only tests look at have none.
fn known(mark: world::Instant) -> Option<Mark> {
    Some(match mark {
        world::Instant::Detected => Mark::Detected,
        world::Instant::Decided => Mark::Decided,
        world::Instant::Fenced => Mark::Fenced,
        world::Instant::WritesStopped => Mark::WritesStopped,
        world::Instant::FailoverBegun => Mark::FailoverBegun,
        world::Instant::FailoverFailed => Mark::FailoverFailed,
        world::Instant::Promoted => Mark::Promoted,
        world::Instant::RouteSwitched => Mark::RouteSwitched,
        world::Instant::Restored => Mark::Restored,
        world::Instant::CaughtUp => Mark::CaughtUp,
        world::Instant::FailbackBegun => Mark::FailbackBegun,
        world::Instant::Lost | world::Instant::ServingAgain => return None,
    })
}
