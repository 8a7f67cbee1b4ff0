//! When sessions begin: one after the other, at the thread's share of `open_rate`.

use firedrill_scenarios::plan::Sessions;

use super::agenda::Task;
use super::sessions::Slot;
use super::worker::{Course, Job, Worker};
use crate::clock::Nanos;

/// When the next of what comes one after the other may be: the opening of a session of a load, on this thread.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next: Nanos,
    gap: Nanos,
}

impl Pace {
    /// One in so long.
    pub fn every(gap: Nanos) -> Pace {
        Pace { next: 0, gap }
    }

    /// By load.
    pub fn of_thread(job: &Job, slots: &[Slot]) -> Vec<Pace> {
        let own = |load| slots.iter().filter(|slot| slot.load == load).count();
        let loads = job.plan.loads.iter().enumerate();
        loads
            .map(|(load, definition)| Pace::of_share(&definition.sessions, own(load)))
            .collect()
    }

    /// The share of a thread with `own` of the load's sessions.
    fn of_share(sessions: &Sessions, own: usize) -> Pace {
        let share = own.max(1) as f64 / f64::from(sessions.count);
        Pace {
            next: 0,
            gap: (1e9 / (sessions.open_rate.0 * share)) as Nanos,
        }
    }

    /// Takes the next one and says when it may be.
    pub fn take(&mut self, now: Nanos) -> Nanos {
        let at = self.next.max(now);
        self.follow(at);
        at
    }

    /// A session begins at this instant.
    fn follow(&mut self, at: Nanos) {
        self.next = at.saturating_add(self.gap);
    }
}

impl Worker {
    /// Plans the first opening of every slot; whatever is opened again comes after these.
    pub fn open_all_sessions(&mut self) {
        let now = self.now();
        for index in 0..self.slots.len() {
            let slot = &mut self.slots[index];
            slot.asked = true;
            let rate = self.plan.loads[slot.load].sessions.open_rate.0;
            let at = now + (f64::from(slot.session) / rate * 1e9) as Nanos;
            self.paces[slot.load].follow(at);
            self.agenda.add(at, Task::Open { slot: index });
        }
        if self.slots.is_empty() {
            self.report_openings();
        }
    }

    /// Has a session opened as soon as the load's rate allows one more.
    pub fn ask_for_session(&mut self, slot: usize) {
        let now = self.now();
        let own = &mut self.slots[slot];
        if own.current.is_some() || own.asked {
            return;
        }
        let at = self.paces[own.load].take(now);
        if at <= now {
            self.open_session(slot);
        } else {
            own.asked = true;
            self.agenda.add(at, Task::Open { slot });
            self.pacer.arm(at);
        }
    }

    /// The planned opening of a slot has its turn.
    pub fn open_as_planned(&mut self, slot: usize) {
        self.slots[slot].asked = false;
        if self.needs_sessions() || !self.slots[slot].waiting.is_empty() {
            self.open_session(slot);
        }
    }

    /// Operations may still become due.
    pub fn needs_sessions(&self) -> bool {
        matches!(self.course, Course::Running { .. } | Course::Opening)
    }
}

#[cfg(test)]
mod tests {
    use firedrill_scenarios::plan::{Lifetime, Rate, SessionEnd};

    use super::*;

    fn sessions(count: u32, rate: f64) -> Sessions {
        Sessions {
            count,
            open_rate: Rate(rate),
            lifetime: Lifetime::Run,
            end: SessionEnd::Delete,
        }
    }

    #[test]
    fn openings_are_spaced_and_what_was_not_used_is_not_made_up_for() {
        // Half of the sessions are ours: half of the rate.
        let mut pace = Pace::of_share(&sessions(8, 100.0), 4);
        assert_eq!(pace.take(1_000), 1_000);
        assert_eq!(pace.take(1_000), 20_001_000);
        assert_eq!(pace.take(500_000_000), 500_000_000);
        assert_eq!(pace.take(500_000_000), 520_000_000);
    }

    #[test]
    fn the_slowest_rate_is_no_overflow() {
        let mut pace = Pace::of_share(&sessions(u32::MAX, 1e-9), 1);
        assert_eq!(pace.take(5), 5);
        assert_eq!(pace.take(5), Nanos::MAX);
        assert_eq!(pace.take(5), Nanos::MAX);
    }
}
