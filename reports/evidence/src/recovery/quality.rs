//! Slots of time and windows of slots, held against the limits.

use std::ops::{Add, Range};
use std::time::Duration;

use crate::binomial::tail_at_least;
use crate::hopeless::{LEAST_OPERATIONS, NO_CHANCE};

/// Below this a share exceeds its limit: one window in a thousand of a service that is exactly at its limit.
pub const EXCEEDS: f64 = 1e-3;

/// The operations that were due in one bucket. Instants are nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    pub start: u64,
    pub end: u64,
    pub due: u64,
    /// Ended in anything but ok, or never sent.
    pub failed: u64,
    /// Ended ok, and took longer than the limit.
    pub late: u64,
}

impl Slot {
    /// Answered well, in time or not.
    pub fn ok(&self) -> u64 {
        self.due.saturating_sub(self.failed)
    }

    pub(super) fn width(&self) -> u64 {
        self.end - self.start
    }
}

/// What counts as service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Share of operations that may fail.
    pub errors: f64,
    /// This share of all due operations is answered below `below`. One that failed is later than every limit.
    pub quantile: f64,
    pub below: Duration,
    /// What confirms that service is back.
    pub window: Duration,
}

impl Limits {
    pub(super) fn window_ns(&self) -> u64 {
        u64::try_from(self.window.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Slots of one window, at least one.
    pub(super) fn slots(&self, width: u64) -> usize {
        let slots = self.window_ns().div_ceil(width.max(1)).max(1);
        usize::try_from(slots).unwrap_or(usize::MAX)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    Good,
    Bad,
    /// Too bad to be good, and not bad beyond doubt. Of windows alone.
    Doubtful,
    NoEvidence,
}

/// Operations of several slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub due: u64,
    failed: u64,
    late: u64,
}

impl From<&Slot> for Sums {
    fn from(slot: &Slot) -> Sums {
        Sums {
            due: slot.due,
            failed: slot.failed.min(slot.due),
            late: slot.late,
        }
    }
}

impl Add for Sums {
    type Output = Sums;

    fn add(self, other: Sums) -> Sums {
        Sums {
            due: self.due + other.due,
            failed: self.failed + other.failed,
            late: self.late + other.late,
        }
    }
}

impl Sums {
    /// Of each slot and all after it.
    pub fn from_the_end(slots: &[Slot]) -> Vec<Sums> {
        let mut sum = Sums::default();
        let mut sums: Vec<Sums> = slots
            .iter()
            .rev()
            .map(|slot| {
                sum = sum + Sums::from(slot);
                sum
            })
            .collect();
        sums.reverse();
        sums
    }

    /// The chance of so many failures, or of so many that failed or were late, at the limits: the smaller.
    fn tail(self, limits: &Limits) -> f64 {
        // 1 - 0.999 is 0.0010000000000000009: what a person reads is meant.
        let slow = ((1.0 - limits.quantile) * 1e12).round() / 1e12;
        let missed = (self.failed + self.late).min(self.due);
        tail_at_least(self.failed, self.due, limits.errors)
            .min(tail_at_least(missed, self.due, slow))
    }

    /// Chance does not explain it.
    pub fn bad(self, limits: &Limits) -> bool {
        self.tail(limits) < NO_CHANCE
    }

    pub fn within(self, limits: &Limits) -> bool {
        self.tail(limits) >= EXCEEDS
    }

    pub fn enough(self) -> bool {
        self.due >= LEAST_OPERATIONS
    }

    /// As a window without a bad slot.
    pub fn window(self, limits: &Limits) -> Quality {
        let tail = self.tail(limits);
        if tail < NO_CHANCE {
            Quality::Bad
        } else if !self.enough() {
            Quality::NoEvidence
        } else if tail < EXCEEDS {
            Quality::Doubtful
        } else {
            Quality::Good
        }
    }
}

/// The quality of each slot. Slots with too few operations are judged together with those that follow; those at the
/// end that remain too few, and those in which nothing was due, are no evidence.
pub fn judge_slots(slots: &[Slot], limits: &Limits) -> Vec<Quality> {
    let mut qualities = vec![Quality::NoEvidence; slots.len()];
    for pool in pools(slots) {
        let sum = slots[pool.clone()]
            .iter()
            .map(Sums::from)
            .fold(Sums::default(), Sums::add);
        let quality = if sum.bad(limits) {
            Quality::Bad
        } else {
            Quality::Good
        };
        for index in pool.filter(|index| slots[*index].due > 0) {
            qualities[index] = quality;
        }
    }
    qualities
}

/// The quality of all of these slots as one window: what is spread too thinly to make any of them bad shows in it.
pub fn judge_together(slots: &[Slot], limits: &Limits) -> Quality {
    let all = slots.iter().map(Sums::from);
    all.fold(Sums::default(), Sums::add).window(limits)
}

/// Neighbours with enough operations together.
fn pools(slots: &[Slot]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = None;
    let mut due = 0;
    slots.iter().enumerate().filter_map(move |(index, slot)| {
        if slot.due > 0 {
            start = start.or(Some(index));
        }
        due += slot.due;
        if due < LEAST_OPERATIONS {
            return None;
        }
        due = 0;
        start.take().map(|start| start..index + 1)
    })
}

/// The slots that the slot of this index is judged with.
pub(super) fn pool(slots: &[Slot], index: usize) -> Option<Range<usize>> {
    pools(slots).find(|pool| pool.contains(&index))
}

/// Every whole window, a slot apart.
pub(super) struct Windows {
    /// Each with whether it holds a bad slot.
    all: Vec<(Quality, bool)>,
}

impl Windows {
    pub fn of(slots: &[Slot], qualities: &[Quality], limits: &Limits) -> Windows {
        let width = slots.iter().map(Slot::width).max();
        let length = limits.slots(width.unwrap_or(1));
        let judge = |start: usize| {
            let range = start..start + length;
            if qualities[range.clone()].contains(&Quality::Bad) {
                return (Quality::Bad, true);
            }
            let sum = slots[range]
                .iter()
                .map(Sums::from)
                .fold(Sums::default(), Sums::add);
            (sum.window(limits), false)
        };
        let count = (slots.len() + 1).saturating_sub(length);
        Windows {
            all: (0..count).map(judge).collect(),
        }
    }

    /// Whether no window has any evidence.
    pub fn is_empty(&self) -> bool {
        self.all
            .iter()
            .all(|(quality, _)| *quality == Quality::NoEvidence)
    }

    /// Whether there are windows from there on, and none has any evidence.
    pub fn has_no_evidence_from(&self, start: usize) -> bool {
        let rest = self.all.get(start..).unwrap_or(&[]);
        let none = |(quality, _): &(Quality, bool)| *quality == Quality::NoEvidence;
        !rest.is_empty() && rest.iter().all(none)
    }

    pub fn is_good(&self, start: usize) -> bool {
        matches!(self.all.get(start), Some((Quality::Good, _)))
    }

    /// The first with one of these qualities of which no slot is bad.
    pub fn first_by_itself(&self, qualities: &[Quality]) -> Option<usize> {
        let is = |(quality, slot): &(Quality, bool)| !slot && qualities.contains(quality);
        self.all.iter().position(is)
    }

    /// The quality by the window alone; none where a bad slot decides.
    pub fn by_itself(&self, start: usize) -> Option<Quality> {
        let (quality, slot) = self.all.get(start)?;
        (!slot).then_some(*quality)
    }

    /// The last that is bad by itself. One with a bad slot adds nothing to that slot.
    pub fn last_bad(&self) -> Option<usize> {
        let bad = |(quality, slot): &(Quality, bool)| *quality == Quality::Bad && !slot;
        self.all.iter().rposition(bad)
    }
}
