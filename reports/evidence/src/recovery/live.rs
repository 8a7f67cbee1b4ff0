//! Recovery while the run goes on.

use std::collections::VecDeque;

use super::quality::{Limits, Quality, Slot, Sums};

/// Fed with closed slots in the order of time. Remembers one window, however long the run is.
#[derive(Clone, Debug)]
pub struct Live {
    limits: Limits,
    /// The newest slots, at most a window.
    recent: VecDeque<Slot>,
    /// The newest slots that are too few to be judged yet.
    pool: Sums,
    /// Nothing was bad from here on.
    clean_from: u64,
    good: Option<Good>,
}

/// The good windows since the last bad thing.
#[derive(Clone, Copy, Debug)]
struct Good {
    /// Start of the first of them.
    from: u64,
    /// End of the first slot of the newest of them.
    newest: u64,
    /// All operations since `from`.
    since: Sums,
}

impl Live {
    pub fn new(limits: Limits) -> Live {
        Live {
            limits,
            recent: VecDeque::new(),
            pool: Sums::default(),
            clean_from: 0,
            good: None,
        }
    }

    pub fn push(&mut self, slot: Slot) {
        let operations = Sums::from(&slot);
        self.recent.push_back(slot);
        self.pool = self.pool + operations;
        if self.pool.enough() {
            if self.pool.bad(&self.limits) {
                self.bad_until(slot.end);
            }
            self.pool = Sums::default();
        }
        let length = self.limits.slots(slot.width());
        while self.recent.len() > length {
            self.recent.pop_front();
        }
        if let Some(good) = &mut self.good {
            good.since = good.since + operations;
        }
        if self.recent.len() == length {
            self.look_at_window();
        }
        // Windows that are good one by one may still be too bad together: then a later one may be the first.
        if self
            .good
            .is_some_and(|good| !good.since.within(&self.limits))
        {
            self.good = None;
        }
    }

    /// The start of the first good window since the fault at `t0`, when nothing has been bad from then until now.
    pub fn recovered_since(&self, t0: u64) -> Option<u64> {
        let good = self.good.filter(|good| good.newest > t0)?;
        Some(good.from.max(t0))
    }

    fn look_at_window(&mut self) {
        let Some(first) = self.recent.front().copied() else {
            return;
        };
        if first.start < self.clean_from {
            return;
        }
        let sums = self.recent.iter().map(Sums::from);
        let sum = sums.fold(Sums::default(), |sum, slot| sum + slot);
        match sum.window(&self.limits) {
            Quality::Bad => self.bad_until(first.end),
            Quality::Good => {
                let before = self.good.unwrap_or(Good {
                    from: first.start,
                    newest: first.end,
                    since: sum,
                });
                self.good = Some(Good {
                    newest: first.end,
                    ..before
                });
            }
            Quality::Doubtful | Quality::NoEvidence => {}
        }
    }

    fn bad_until(&mut self, instant: u64) {
        self.clean_from = self.clean_from.max(instant);
        self.good = None;
    }
}
