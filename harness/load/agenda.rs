//! What a load thread has to do at a later time, beside arrivals and deadlines: few things, in a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::reading::TOGETHER;
use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;

/// What is done of the agenda before sockets are looked at again.
const MOST_AT_ONCE: usize = 4 * TOGETHER;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// The next flow of a closed load's session.
    Cycle { slot: usize },
    /// The prepared next step of a flow becomes due.
    Step { operation: u32 },
    /// Opens a session for the slot.
    Open { slot: usize },
    /// The session has lived its time.
    Expire { session: Key },
    /// A connection that is still being made, or whose exchange should have ended by now, is given up.
    GiveUp { connection: Key, serial: u64 },
    /// A spare connection has been idle for long enough.
    CloseIdle { connection: Key },
}

#[derive(Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<(Nanos, u64, Task)>>,
    /// Keeps tasks of one instant in the order in which they were put in.
    serial: u64,
}

impl Agenda {
    pub fn add(&mut self, at: Nanos, task: Task) {
        self.serial += 1;
        self.heap.push(Reverse((at, self.serial, task)));
    }

    pub fn next(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// The oldest task whose time has come.
    pub fn due(&mut self, now: Nanos) -> Option<(Nanos, Task)> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, task))| (at, task))
    }

    pub fn clear(&mut self) {
        self.heap.clear();
    }

    /// Takes out the prepared steps of flows, which will not be made any more.
    pub fn take_steps(&mut self) -> Vec<u32> {
        let mut steps = Vec::new();
        self.heap.retain(|Reverse((_, _, task))| match task {
            Task::Step { operation } => {
                steps.push(*operation);
                false
            }
            Task::Cycle { .. }
            | Task::Open { .. }
            | Task::Expire { .. }
            | Task::GiveUp { .. }
            | Task::CloseIdle { .. } => true,
        });
        steps
    }
}

impl Worker {
    /// Does what the agenda says. After a stall that is much at once, which must not make late what is due meanwhile: that
    /// comes between, and what was answered before the rest.
    pub fn keep_agenda(&mut self, now: Nanos) {
        for done in 1..=MOST_AT_ONCE {
            let Some((at, task)) = self.agenda.due(now) else {
                break;
            };
            match task {
                Task::Cycle { slot } => self.cycle(slot, at),
                Task::Step { operation } => self.start_step(operation),
                Task::Open { slot } => self.open_as_planned(slot),
                Task::Expire { session } => self.retire(session),
                Task::GiveUp { connection, serial } => self.give_up(connection, serial, now),
                Task::CloseIdle { connection } => self.close_if_spare(connection, now),
            }
            if done % TOGETHER == 0 {
                self.keep_up();
            }
        }
        self.post();
    }
}
