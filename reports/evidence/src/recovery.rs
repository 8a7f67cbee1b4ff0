//! When service was gone, and from when on it was back.
//!
//! The load's due operations are counted in slots of time. A slot is bad when it holds more failures or late
//! answers than the limits and chance explain; a window of several slots confirms that service is back. Nobody has
//! to say how many failures are "some": exact binomial tails do.
//!
//! - `quality`: slots and windows, good, bad or neither
//! - `live`: the same while the run goes on

mod live;
mod quality;

use std::ops::Range;

pub use live::Live;
pub use quality::{Limits, Quality, Slot, judge_slots, judge_together};
use quality::{Sums, Windows};

/// What a drill's load says of one fault. Instants and durations are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Start of the first bad slot or window since the fault, and not before it.
    pub t1: Option<u64>,
    /// Start of the first later slot in which something succeeded.
    pub t6: Option<u64>,
    /// Service is back from here on.
    pub t7: Option<u64>,
    /// `t7` and a window: when it was confirmed.
    pub t8: Option<u64>,
    /// `t7 - t0`. An outage that nobody noticed is at most as long as `resolution`, which then stands here.
    pub rto: Option<u64>,
    /// Not back: it took longer than this. Without it and without `rto` there is no evidence.
    pub rto_at_least: Option<u64>,
    /// It is not shown to be back, and nothing says that it was not: no window since then holds enough operations.
    pub unjudged: bool,
    /// `t7 - t1`: for how long clients were without service.
    pub outage: Option<u64>,
    /// How often it was bad again after it had been good, before `t7`.
    pub relapses: u64,
    /// There was evidence, and all of it was good.
    pub unnoticed: bool,
    /// How finely this is seen: a slot (or the slots that were pooled), or a window where no single slot shows the
    /// outage or its end.
    pub resolution: u64,
}

/// Judges the slots from the fault at `t0` until `end`: the failback, or the end of the load. `slots` follow each
/// other in time. Where data was damaged, service is not back before it was read back and verified: `not_before`.
pub fn recover(
    slots: &[Slot],
    t0: u64,
    end: u64,
    limits: &Limits,
    not_before: Option<u64>,
) -> Recovery {
    let first = slots.partition_point(|slot| slot.end <= t0);
    let last = slots.partition_point(|slot| slot.end <= end);
    let seen = Seen::of(slots.get(first..last).unwrap_or(&[]), limits);
    if seen.windows.is_empty() && !seen.qualities.contains(&Quality::Bad) {
        return Recovery {
            resolution: seen.resolution(None),
            ..Recovery::default()
        };
    }
    let outage = seen.outage();
    let not_before = not_before.unwrap_or(t0).max(t0);
    let back = seen.back(outage.unwrap_or(0), not_before);
    let relapses = outage.map_or(0, |from| {
        let until = match back {
            Back::At { index, .. } => index,
            Back::NotBefore { .. } => seen.slots.len(),
        };
        seen.relapses(from + 1..until)
    });
    let t1 = outage.map(|index| seen.slots[index].start.max(t0));
    let t7 = match back {
        Back::At { index, .. } => Some(seen.slots[index].start.max(not_before)),
        Back::NotBefore { .. } => None,
    };
    let unnoticed = outage.is_none() && t7.is_some();
    let resolution = match back {
        Back::At {
            by_windows: true, ..
        } => seen.resolution(outage).max(seen.window),
        Back::At { .. } | Back::NotBefore { .. } => seen.resolution(outage),
    };
    Recovery {
        t1,
        t6: outage.and_then(|index| seen.first_success(index + 1)),
        t7,
        t8: t7.map(|t7| t7.saturating_add(seen.window)),
        rto: t7.map(|t7| match unnoticed {
            true => resolution.max(t7 - t0),
            false => t7 - t0,
        }),
        rto_at_least: match back {
            Back::At { .. } => None,
            Back::NotBefore { instant, .. } => Some(instant.max(not_before) - t0),
        },
        unjudged: matches!(back, Back::NotBefore { unjudged: true, .. }),
        outage: t1.and_then(|t1| t7.map(|t7| t7.saturating_sub(t1))),
        relapses,
        unnoticed,
        resolution,
    }
}

/// Whether, and where, service is back.
enum Back {
    /// From the slot of this index on: the first that may be, or a later one that windows and shares show alone.
    At { index: usize, by_windows: bool },
    /// Not shown; what was seen rules out every instant before this one. It is `unjudged` when windows follow, and none
    /// of them has any evidence.
    NotBefore { instant: u64, unjudged: bool },
}

/// All slots since the fault, judged.
struct Seen<'a> {
    slots: &'a [Slot],
    limits: &'a Limits,
    qualities: Vec<Quality>,
    /// By the index of their first slot; only whole ones with evidence are good or bad.
    windows: Windows,
    window: u64,
}

impl<'a> Seen<'a> {
    fn of(slots: &'a [Slot], limits: &'a Limits) -> Seen<'a> {
        let qualities = judge_slots(slots, limits);
        Seen {
            windows: Windows::of(slots, &qualities, limits),
            window: limits.window_ns(),
            slots,
            limits,
            qualities,
        }
    }

    /// Where the first bad slot or window begins. Without either, the first window that is not good is an outage too.
    fn outage(&self) -> Option<usize> {
        let slot = self.first_bad_slot();
        let window = self.windows.first_by_itself(&[Quality::Bad]);
        let bad = slot.into_iter().chain(window).min();
        bad.or_else(|| self.windows.first_by_itself(&[Quality::Doubtful]))
    }

    fn first_bad_slot(&self) -> Option<usize> {
        self.qualities.iter().position(|slot| *slot == Quality::Bad)
    }

    fn last_bad_slot(&self) -> Option<usize> {
        self.qualities
            .iter()
            .rposition(|slot| *slot == Quality::Bad)
    }

    /// The first good window, not before either bound, from which on nothing is bad and all operations together are
    /// within the limits.
    fn back(&self, outage: usize, not_before: u64) -> Back {
        let earliest = self.slots.partition_point(|slot| slot.end <= not_before);
        let clean = self.after_the_last_bad();
        let from = clean.max(outage).max(earliest);
        let rest = Sums::from_the_end(self.slots);
        let within = |index: &usize| rest[*index].within(self.limits);
        let good = |index: &usize| self.windows.is_good(*index) && within(index);
        match (from..self.slots.len()).find(good) {
            Some(index) => Back::At {
                index,
                by_windows: index > from,
            },
            None => {
                let open = (clean.max(outage)..self.slots.len()).find(within);
                let end = self.slots.last().map_or(0, |slot| slot.end);
                Back::NotBefore {
                    instant: open.map_or(end, |index| self.slots[index].start),
                    unjudged: self.windows.has_no_evidence_from(from),
                }
            }
        }
    }

    /// The first slot from which on no slot and no window is bad.
    fn after_the_last_bad(&self) -> usize {
        let window = self.windows.last_bad();
        self.last_bad_slot()
            .max(window)
            .map_or(0, |index| index + 1)
    }

    fn first_success(&self, from: usize) -> Option<u64> {
        let later = self.slots.get(from..)?;
        later
            .iter()
            .find(|slot| slot.ok() > 0)
            .map(|slot| slot.start)
    }

    /// How often a good stretch ended in a bad one: by slots, and by windows without a bad slot.
    fn relapses(&self, among: Range<usize>) -> u64 {
        if among.is_empty() {
            return 0;
        }
        let slots = self.qualities[among.clone()].iter().copied();
        falls(slots) + falls(among.filter_map(|index| self.windows.by_itself(index)))
    }

    /// The coarser of how finely the outage's beginning and its end are seen.
    fn resolution(&self, outage: Option<usize>) -> u64 {
        let widest = self.slots.iter().map(Slot::width).max().unwrap_or(0);
        let begins = match (self.first_bad_slot(), outage) {
            (Some(index), _) => self.pool_width(index),
            (None, Some(_)) => self.window,
            (None, None) => widest,
        };
        let ends = match (self.last_bad_slot(), self.windows.last_bad()) {
            (Some(slot), window) if window <= Some(slot) => self.pool_width(slot),
            (_, Some(_)) => self.window,
            (_, None) => widest,
        };
        begins.max(ends)
    }

    /// How long the slots last that the slot of this index is judged with.
    fn pool_width(&self, index: usize) -> u64 {
        let pool = quality::pool(self.slots, index).unwrap_or(index..index + 1);
        let (first, last) = (&self.slots[pool.start], &self.slots[pool.end - 1]);
        last.end - first.start
    }
}

/// How often a bad one follows a good one.
fn falls(qualities: impl Iterator<Item = Quality>) -> u64 {
    let mut good = false;
    let mut falls = 0;
    for quality in qualities {
        match quality {
            Quality::Good => good = true,
            Quality::Bad => {
                falls += u64::from(good);
                good = false;
            }
            Quality::Doubtful | Quality::NoEvidence => {}
        }
    }
    falls
}
