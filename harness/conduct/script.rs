//! When the plan's actions are taken, and when their faults are undone: a pure machine beside the timeline.
//!
//! An action is taken once for each of its repetitions. A fault that lasts is in force until its time is over,
//! its phase ends, or the run does; then it is undone. Steps and read-backs are over when they are done. When the
//! run ends before its time nothing new is begun, and everything in force is undone, the newest first.

use std::time::Duration;

use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Act, Action, FaultKind, RecoveryStep, Start, Until, When};

use crate::clock::Nanos;

/// One taking of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Take {
    pub action: usize,
    /// From 0.
    pub number: u32,
}

/// What the shell saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Begins {
        phase: usize,
        at: Nanos,
    },
    Ends {
        phase: usize,
        at: Nanos,
    },
    Tick,
    /// A condition holds.
    Holds(When),
    /// An action was taken: a fault is in force with its effect seen, a step or a read-back is over.
    Taken {
        take: Take,
        ok: bool,
    },
    /// An action could not even be begun: there is nothing to undo.
    Refused(Take),
    /// A fault was undone, or could not be.
    Undone(Take),
    /// No more load, and no more phases.
    LoadOver,
    /// Nothing new may be begun.
    EndEarly,
}

/// What the shell has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Take(Take),
    /// Those of one step are undone together, in this order: an older fault may hide the end of a newer one.
    Undo(Take),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not before this instant; `None` while what it waits for has not come.
    Waiting {
        due: Option<Nanos>,
    },
    Running,
    InForce {
        until: Option<Nanos>,
    },
    Undoing,
    Over,
}

/// When a fault that lasts is undone, if nobody gave it a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// It is over as soon as it has been done: what it broke comes back by itself.
    Instant,
    Phase,
    Run,
}

pub fn lasts(kind: &FaultKind) -> Lasts {
    if kind.takes_data() {
        // Recovery goes on around lost data; putting it back would be the recovery.
        Lasts::Run
    } else if kind.lasts() {
        Lasts::Phase
    } else {
        Lasts::Instant
    }
}

#[derive(Clone, Copy)]
struct Entry {
    take: Take,
    stage: Stage,
}

pub struct Script {
    actions: Vec<Action>,
    until: Vec<Option<Until>>,
    entries: Vec<Entry>,
    /// The order in which faults came into force.
    in_force: Vec<Take>,
    phase: Option<usize>,
    phase_began: Nanos,
    /// Phases that have ended.
    ended: usize,
    recovered: bool,
    load_over: bool,
    ending: bool,
}

impl Script {
    pub fn new(plan: &Plan) -> Script {
        let actions = plan.drill.actions.clone();
        let entries = actions
            .iter()
            .enumerate()
            .flat_map(|(action, own)| {
                (0..own.times.max(1)).map(move |number| Take { action, number })
            })
            .map(|take| Entry {
                take,
                stage: Stage::Waiting { due: None },
            })
            .collect();
        Script {
            actions,
            until: plan.timeline.iter().map(|phase| phase.until).collect(),
            entries,
            in_force: Vec::new(),
            phase: None,
            phase_began: 0,
            ended: 0,
            recovered: false,
            load_over: false,
            ending: false,
        }
    }

    /// Nothing is left to do: every action was taken or will not be, and every fault undone.
    pub fn is_over(&self) -> bool {
        (self.load_over || self.ending)
            && self.entries.iter().all(|entry| match entry.stage {
                Stage::Waiting { .. } => self.ending || !self.may_still_come(entry.take),
                Stage::Running | Stage::InForce { .. } | Stage::Undoing => false,
                Stage::Over => true,
            })
    }

    /// The phase that is under way has what it waits for.
    pub fn waited(&self) -> Option<usize> {
        let phase = self.phase?;
        let until = self.until.get(phase).copied().flatten()?;
        // What lasts as long as the phase may keep the end of another fault from being seen: each would wait for the
        // other, whatever the phase waits for.
        let lasting = self.entries.iter().any(|entry| {
            self.actions[entry.take.action].phase == phase
                && entry.stage == (Stage::InForce { until: None })
        });
        let taken = self.entries.iter().all(|entry| {
            let action = &self.actions[entry.take.action];
            action.phase != phase
                || action.start == Start::Afterwards
                || match entry.stage {
                    Stage::Waiting { .. } | Stage::Running => false,
                    Stage::Undoing => lasting,
                    Stage::InForce { until } => until.is_none(),
                    Stage::Over => true,
                }
        });
        let done = match until {
            Until::Done => taken,
            Until::Recovered => taken && self.recovered,
        };
        done.then_some(phase)
    }

    /// When to come back with a tick.
    pub fn next_wake(&self) -> Option<Nanos> {
        let at = |entry: &Entry| match entry.stage {
            Stage::Waiting { due } if !self.ending && !self.is_held(entry.take) => due,
            Stage::InForce { until } => until,
            Stage::Waiting { .. } | Stage::Running | Stage::Undoing | Stage::Over => None,
        };
        self.entries.iter().filter_map(at).min()
    }

    pub fn step(&mut self, now: Nanos, seen: Seen) -> Vec<Order> {
        match seen {
            Seen::Begins { phase, at } => self.begins(phase, at),
            Seen::Ends { phase, at } => self.ends(phase, at),
            Seen::Tick => {}
            Seen::Holds(condition) => self.holds(&condition, now),
            Seen::Taken { take, ok } => self.taken(take, ok, now),
            Seen::Refused(take) | Seen::Undone(take) => self.set(take, Stage::Over),
            Seen::LoadOver => self.load_is_over(now),
            Seen::EndEarly => self.ending = true,
        }
        self.orders(now)
    }

    fn load_is_over(&mut self, now: Nanos) {
        self.load_over = true;
        for index in 0..self.entries.len() {
            let action = &self.actions[self.entries[index].take.action];
            if action.start == Start::Afterwards {
                self.wait_until(index, now);
            }
        }
    }

    fn begins(&mut self, phase: usize, at: Nanos) {
        self.phase = Some(phase);
        self.phase_began = at;
        self.recovered = false;
        for index in 0..self.entries.len() {
            let action = &self.actions[self.entries[index].take.action];
            if let (true, Start::At(offset)) = (action.phase == phase, &action.start) {
                let due = at + offset.as_nanos() as Nanos;
                self.wait_until(index, due);
            }
        }
    }

    /// The repetition's own due time, from that of the first one.
    fn wait_until(&mut self, index: usize, first: Nanos) {
        let entry = &mut self.entries[index];
        let every = self.actions[entry.take.action].every.as_nanos() as Nanos;
        if entry.stage == (Stage::Waiting { due: None }) {
            let due = Some(first + every * Nanos::from(entry.take.number));
            entry.stage = Stage::Waiting { due };
        }
    }

    fn ends(&mut self, phase: usize, at: Nanos) {
        self.ended = phase + 1;
        for entry in &mut self.entries {
            let action = &self.actions[entry.take.action];
            let ends_with_phase =
                matches!(&action.act, Act::Fault(fault) if lasts(&fault.kind) == Lasts::Phase);
            if action.phase == phase
                && ends_with_phase
                && matches!(entry.stage, Stage::InForce { .. })
            {
                entry.stage = Stage::InForce { until: Some(at) };
            }
        }
    }

    fn holds(&mut self, condition: &When, now: Nanos) {
        if *condition == When::Recovered {
            self.recovered = true;
        }
        for index in 0..self.entries.len() {
            let action = &self.actions[self.entries[index].take.action];
            let Start::When {
                condition: own,
                delay,
            } = &action.start
            else {
                continue;
            };
            if own == condition && self.phase == Some(action.phase) {
                let due = now + delay.as_nanos() as Nanos;
                self.wait_until(index, due);
            }
        }
    }

    fn taken(&mut self, take: Take, ok: bool, now: Nanos) {
        let stage = match &self.actions[take.action].act {
            // What was begun is undone even where it did not work.
            Act::Fault(fault) => {
                self.in_force.push(take);
                // Only what is recovered after the newest fault counts.
                self.recovered = false;
                let hold = fault.hold.map(|hold| now + hold.as_nanos() as Nanos);
                let until = match lasts(&fault.kind) {
                    Lasts::Instant => Some(now),
                    // Its effect was seen too late.
                    Lasts::Phase if self.phase_is_over(take) => Some(now),
                    Lasts::Phase | Lasts::Run => hold,
                };
                Stage::InForce { until }
            }
            Act::Step(step) => {
                // Clients are moved: what is recovered afterwards counts.
                self.recovered &= !matches!(step, RecoveryStep::FailBack { .. });
                Stage::Over
            }
            Act::ReadBack { .. } => Stage::Over,
        };
        self.set(take, stage);
        if !ok {
            return;
        }
        for index in 0..self.entries.len() {
            let action = &self.actions[self.entries[index].take.action];
            if let Start::After {
                action: before,
                delay,
            } = &action.start
                && *before == take.action
            {
                let due = now + delay.as_nanos() as Nanos;
                self.wait_until(index, due);
            }
        }
    }

    fn set(&mut self, take: Take, stage: Stage) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.take == take) {
            entry.stage = stage;
        }
    }

    /// An action that has not begun may begin yet.
    fn may_still_come(&self, take: Take) -> bool {
        let action = &self.actions[take.action];
        let due = self.entries.iter().any(|entry| {
            entry.take == take && matches!(entry.stage, Stage::Waiting { due: Some(_) })
        });
        let waits_for_one_that_may = match &action.start {
            Start::After { action: before, .. } => self.entries.iter().any(|entry| {
                entry.take.action == *before
                    && match entry.stage {
                        Stage::Running => true,
                        Stage::Waiting { .. } => self.may_still_come(entry.take),
                        Stage::InForce { .. } | Stage::Undoing | Stage::Over => false,
                    }
            }),
            Start::Afterwards => !self.load_over,
            Start::At(_) | Start::When { .. } => false,
        };
        due || waits_for_one_that_may
    }

    fn is_fault(&self, take: Take) -> bool {
        matches!(self.actions[take.action].act, Act::Fault(_))
    }

    fn phase_is_over(&self, take: Take) -> bool {
        self.actions[take.action].phase < self.ended
    }

    /// A fault waits for the read-backs that its phase begins with: they are about what was before it.
    fn is_held(&self, take: Take) -> bool {
        let phase = self.actions[take.action].phase;
        let reads_first = |entry: &Entry| {
            let action = &self.actions[entry.take.action];
            action.phase == phase
                && action.start == Start::At(Duration::ZERO)
                && matches!(action.act, Act::ReadBack { .. })
                && entry.stage != Stage::Over
        };
        self.is_fault(take) && self.entries.iter().any(reads_first)
    }

    fn orders(&mut self, now: Nanos) -> Vec<Order> {
        let mut orders = Vec::new();
        for index in 0..self.entries.len() {
            let Entry { take, stage } = self.entries[index];
            let due = matches!(stage, Stage::Waiting { due: Some(due) } if due <= now);
            if !due || self.ending || self.is_held(take) {
                continue;
            }
            // What begins later than its phase would lie over what is measured after it.
            if self.is_fault(take) && self.phase_is_over(take) {
                self.entries[index].stage = Stage::Over;
                continue;
            }
            self.entries[index].stage = Stage::Running;
            orders.push(Order::Take(take));
        }
        self.undo(now, &mut orders);
        orders
    }

    /// Undoes what is due; at the end everything. The newest comes first.
    fn undo(&mut self, now: Nanos, orders: &mut Vec<Order>) {
        let busy = self
            .entries
            .iter()
            .any(|entry| entry.stage == Stage::Running);
        let idle = |script: &Script| {
            !script.entries.iter().any(|entry| {
                matches!(entry.stage, Stage::Waiting { .. }) && script.may_still_come(entry.take)
            })
        };
        let all = !busy && (self.ending || (self.load_over && idle(self)));
        for take in self.in_force.iter().rev() {
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.take == *take) else {
                continue;
            };
            let due = matches!(entry.stage, Stage::InForce { until: Some(until) } if until <= now);
            let last = all && matches!(entry.stage, Stage::InForce { .. });
            if due || last {
                entry.stage = Stage::Undoing;
                orders.push(Order::Undo(*take));
            }
        }
    }
}

#[cfg(test)]
mod tests;
