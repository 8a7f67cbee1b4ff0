//! The load as recovery wants it, and each fault's recovery.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_evidence::recovery::{Limits, Recovery, Slot, recover};
use firedrill_scenarios::plan::Drive;

use super::faults::{Broken, Nature, Verified};
use crate::judge::view::{View, nanoseconds};
use crate::recording::{Bucket, Mark};

/// Whose operations are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Everybody,
    /// Without those that are ours: dispatched late, or under way while we were held.
    Theirs,
}

/// Operations of open loads, bucket by bucket. A closed load asks less of a target that is down, and shows no outage.
pub struct Load {
    /// None without an open load.
    slots: Option<Vec<Slot>>,
    theirs: Vec<Slot>,
    limits: Limits,
}

impl Load {
    pub fn of(view: &View<'_>) -> Load {
        let recovery = view.recording.plan.drill.recovery;
        let open = open_series(view);
        Load {
            slots: (!open.is_empty()).then(|| slots(view, &open, Whose::Everybody)),
            theirs: slots(view, &open, Whose::Theirs),
            limits: Limits {
                errors: recovery.errors,
                quantile: recovery.quantile,
                below: recovery.below,
                window: recovery.window,
            },
        }
    }

    pub fn is_open(&self) -> bool {
        self.slots.is_some()
    }

    fn slots(&self, whose: Whose) -> &[Slot] {
        match whose {
            Whose::Everybody => self.slots.as_deref().unwrap_or(&[]),
            Whose::Theirs => &self.theirs,
        }
    }

    /// Operations due in slots that overlap the time between these instants.
    pub fn due(&self, from: u64, to: u64) -> u64 {
        let inside = |slot: &&Slot| slot.end > from && slot.start < to;
        let slots = self.slots(Whose::Everybody).iter();
        slots.filter(inside).map(|slot| slot.due).sum()
    }

    /// Where the last slot ends.
    pub fn end(&self) -> u64 {
        self.slots(Whose::Everybody)
            .last()
            .map_or(0, |slot| slot.end)
    }

    /// How far a fault is looked at: to a failback, or the end of the load.
    pub fn horizon(&self, view: &View<'_>, faults: &[Broken], fault: &Broken, t0: u64) -> u64 {
        // With no window between the two, clients cannot have seen them apart: what they missed counts for both.
        let fits = |at: &u64| at - t0 >= nanoseconds(self.limits.window + view.width());
        let end = failback(faults, fault, t0).filter(fits);
        end.unwrap_or(u64::MAX).min(self.end())
    }

    /// Until a failback or the end of the load; or until the next fault, when service was back before it.
    pub fn recovery(
        &self,
        view: &View<'_>,
        faults: &[Broken],
        fault: &Broken,
        whose: Whose,
    ) -> Recovery {
        let Some(t0) = fault.t0.filter(|_| self.is_open()) else {
            return Recovery::default();
        };
        let end = self.horizon(view, faults, fault, t0);
        let not_before = match (fault.nature, fault.verified) {
            (Nature::Data, Verified::At(at)) => Some(at),
            // Damaged until the end, as far as anybody saw.
            (Nature::Data, Verified::Unsound | Verified::Missing) => Some(end),
            (Nature::Service | Nature::FailBack, _) => None,
        };
        let until = |end| recover(self.slots(whose), t0, end, &self.limits, not_before);
        // What one that is in force still has not shown, it may show later: that is no work of the next one.
        let goes_on = fault.goes_on(&view.recording.plan.drill.actions);
        let over = |at: u64| !goes_on || fault.lifted.is_some_and(|lifted| lifted <= at);
        let mut others: Vec<u64> = faults
            .iter()
            .filter_map(|other| other.t0)
            .filter(|other| (t0 + 1..end).contains(other) && fault.has_struck(*other))
            .collect();
        others.sort_unstable();
        let before_the_next = others.into_iter().map(|at| (at, until(at)));
        let back = before_the_next
            .filter(|(at, found)| !found.unnoticed || over(*at))
            .map(|(_, found)| found)
            .find(|found| found.t7.is_some());
        let mut found = back.unwrap_or_else(|| until(end));
        found.t6 = found.t6.map(|t6| seen_success(view, fault, t6));
        found
    }
}

/// Slots show the first success to their width. Where clients saw one in it, they saw it to the instant; where a site
/// was promoted in it, none was before that.
fn seen_success(view: &View<'_>, fault: &Broken, t6: u64) -> u64 {
    let slot = t6..t6.saturating_add(nanoseconds(view.width()));
    let seen =
        [Mark::FirstSuccess, Mark::FirstAnswer, Mark::Promoted].map(|mark| fault.marks.get(&mark));
    let inside = seen.into_iter().flatten().find(|at| slot.contains(at));
    inside.copied().unwrap_or(t6)
}

/// When clients were moved back on purpose, after the fault.
fn failback(faults: &[Broken], fault: &Broken, t0: u64) -> Option<u64> {
    let steps = faults
        .iter()
        .filter(|other| other.nature == Nature::FailBack && other.id != fault.id)
        .filter_map(|other| other.t0);
    let marks = faults
        .iter()
        .filter(|_| fault.is_fault())
        .filter_map(|other| other.marks.get(&Mark::FailbackBegun).copied());
    steps.chain(marks).filter(|at| *at > t0).min()
}

fn open_series<'a>(view: &'a View<'_>) -> BTreeSet<&'a str> {
    let open = |load: usize| match view.recording.plan.loads[load].drive {
        Drive::Open { .. } => true,
        Drive::Closed { .. } => false,
    };
    let series = view.series.iter().filter(|series| open(series.load));
    series.map(|series| series.name.as_str()).collect()
}

/// A slot for every bucket of the timeline, as far as it ran.
fn slots(view: &View<'_>, names: &BTreeSet<&str>, whose: Whose) -> Vec<Slot> {
    let below = view.recording.plan.drill.recovery.below;
    let limit = view.limits.iter().position(|limit| *limit == below);
    let mut counted: BTreeMap<u64, Slot> = BTreeMap::new();
    let lines = view.recording.buckets.iter();
    for line in lines.filter(|line| names.contains(line.series.as_str())) {
        add(counted.entry(line.bucket).or_default(), line, limit, whose);
    }
    let width = nanoseconds(view.width()).max(1);
    let zero = view.recording.zero().unwrap_or(0);
    let ran = view.phases.iter().filter_map(|phase| phase.ran.as_ref());
    let end = ran.map(|ran| ran.end).max().unwrap_or(zero);
    (0..end.saturating_sub(zero).div_ceil(width))
        .map(|bucket| Slot {
            start: zero + bucket * width,
            end: zero + (bucket + 1) * width,
            ..counted.get(&bucket).copied().unwrap_or_default()
        })
        .collect()
}

fn add(slot: &mut Slot, line: &Bucket, limit: Option<usize>, whose: Whose) {
    let over = |counts: &[u64]| {
        limit
            .and_then(|index| counts.get(index))
            .copied()
            .unwrap_or(0)
    };
    slot.due += line.asked();
    slot.failed += line.asked() - line.ok();
    slot.late += over(&line.over);
    match whose {
        Whose::Everybody => {}
        Whose::Theirs => {
            slot.due = slot.due.saturating_sub(line.ours);
            slot.failed = slot.failed.saturating_sub(line.ours_failed).min(slot.due);
            slot.late = slot.late.saturating_sub(over(&line.ours_over));
        }
    }
}
