//! How an operation ends: its outcome is counted, its write goes into the ledger, and its flow goes on.

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::NotSent;
use firedrill_scenarios::plan::Drive;

use super::agenda::Task;
use super::tally::Settled;
use super::think;
use super::worker::{Course, Worker};
use crate::clock::Nanos;
use crate::ledger::entry::{Attempt, Fate, NOBODY};

/// After a flow that the server did not answer, a closed load's session waits at least this long:
/// a target that refuses must not be hammered as fast as it refuses.
const BACK_OFF: Nanos = 100_000_000;

impl Worker {
    /// An operation ends when it should begin.
    pub fn not_sent(&mut self, index: u32, why: NotSent) {
        let now = self.now();
        self.operations[index].dispatched = Some(now);
        self.settle(index, Outcome::NotSent(why), now);
    }

    /// Counts the outcome, frees the operation, and goes on with its flow.
    pub fn settle(&mut self, index: u32, outcome: Outcome, end: Nanos) {
        self.wheel.remove(index);
        self.note_write(index, outcome, end);
        self.note_site(index, outcome, end);
        let running = matches!(self.course, Course::Running { .. });
        // After the last phase, or after a stop, nothing is completed in any.
        let completed_in = self.phase_at(end).filter(|_| running && outcome.is_ok());
        let operation = &self.operations[index];
        self.tally.settle(&Settled {
            phase: operation.phase,
            series: operation.series,
            outcome,
            due: operation.due,
            dispatched: operation.dispatched,
            sent: operation.sent,
            head: operation.head,
            end,
            held: self.beat.held_within(operation.held, operation.due, end),
            completed_in,
        });
        let (load, flow, step, slot) = (
            operation.load,
            operation.flow,
            operation.step,
            operation.slot,
        );
        self.in_flight[load] -= 1;
        let steps = &self.plan.loads[load].flows[flow].steps;
        match steps.get(step + 1).filter(|_| outcome.is_ok() && running) {
            Some(next) => {
                let think = think::draw(&next.think, &mut self.operations[index].random);
                let operation = &mut self.operations[index];
                operation.step += 1;
                operation.due = end + think;
                self.agenda
                    .add(end + think, Task::Step { operation: index });
                self.pacer.arm(end + think);
            }
            None => {
                self.operations.give_back(index);
                self.next_round(slot, outcome, end);
                self.look_soon();
            }
        }
    }

    /// Notes when another site begins to answer. Two that answer in turn are told of a few times.
    fn note_site(&mut self, index: u32, outcome: Outcome, end: Nanos) {
        const MOST: usize = 64;
        let Some(by) = self.operations[index].by.filter(|_| outcome.is_ok()) else {
            return;
        };
        if self.serving != Some(by.site) && self.answered.len() < MOST {
            self.serving = Some(by.site);
            self.answered.push((end, by.site));
        }
    }

    /// Puts a write that was sent into the ledger. What was not sent was not attempted.
    fn note_write(&mut self, index: u32, outcome: Outcome, end: Nanos) {
        let operation = &self.operations[index];
        let (Some(pen), Some(write), Some(sent)) = (&mut self.pen, operation.write, operation.sent)
        else {
            return;
        };
        pen.note(Attempt {
            client: write.client,
            sequence: write.sequence,
            sent,
            ended: end,
            fate: if outcome.is_ok() {
                Fate::Acknowledged
            } else {
                Fate::Unknown
            },
            site: operation.by.map_or(NOBODY, |by| by.site),
            epoch: operation.by.map_or(0, |by| by.epoch),
        });
    }

    /// Closed loads go on after the think time.
    fn next_round(&mut self, slot: usize, outcome: Outcome, end: Nanos) {
        let plan = self.plan.clone();
        let own = &mut self.slots[slot];
        let Drive::Closed { think } = &plan.loads[own.load].drive else {
            return;
        };
        if !matches!(self.course, Course::Running { .. }) {
            return;
        }
        let mut pause = think::draw(think, &mut own.random);
        if matches!(
            outcome,
            Outcome::Connect(_) | Outcome::Tls(_) | Outcome::Transport(_) | Outcome::NotSent(_)
        ) {
            pause = pause.max(BACK_OFF);
        }
        if pause == 0 {
            self.ready.push_back((slot, end));
        } else {
            self.agenda.add(end + pause, Task::Cycle { slot });
            self.pacer.arm(end + pause);
        }
    }
}
