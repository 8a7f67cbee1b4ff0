//! What a load thread counts: exact buckets by due time, histograms by completion second.
//!
//! Everything has a fixed size that depends on the plan alone. Once a second the thread hands its
//! histograms over and gets emptied ones back, so that counting never allocates and never waits.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use firedrill_reports::recording::{Group, Measure, Tag, empty_histogram};
use firedrill_scenarios::{Outcome, Plan};
use hdrhistogram::Histogram;

use crate::clock::Nanos;

/// What the tallies of all threads have in common; follows from the plan.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Names, in the order of the plan.
    pub phases: Vec<String>,
    pub series: Vec<String>,
    /// Latency limits that are counted exactly, ascending.
    pub limits: Vec<Nanos>,
    /// An operation dispatched later than this is counted as late by our fault.
    pub lateness_limit: Nanos,
    /// Width of a bucket.
    pub bucket: Nanos,
}

impl Layout {
    pub fn of(plan: &Plan) -> Layout {
        let nanos = |time: Duration| Nanos::try_from(time.as_nanos()).unwrap_or(Nanos::MAX);
        let limits = plan.latency_limits();
        let tightest = limits.first().copied();
        let phases = plan.timeline.iter().map(|phase| phase.name.clone());
        let series = plan.series().into_iter().map(|series| series.name);
        Layout {
            phases: phases.collect(),
            series: series.collect(),
            limits: limits.into_iter().map(nanos).collect(),
            lateness_limit: nanos(firedrill_evidence::lateness_limit(tightest)),
            bucket: nanos(plan.bucket),
        }
    }
}

/// The measures that are kept for each phase over all series.
const SHARED: [(Measure, Group); 5] = [
    (Measure::Lateness, Group::All),
    (Measure::Waiting, Group::All),
    (Measure::Connect, Group::Ok),
    (Measure::Initialize, Group::Ok),
    (Measure::Delete, Group::Ok),
];

/// The measures that are kept for each series.
const OWN: [(Measure, Group); 6] = [
    (Measure::Response, Group::Ok),
    (Measure::Service, Group::Ok),
    (Measure::Head, Group::Ok),
    (Measure::Response, Group::Failed),
    (Measure::Service, Group::Failed),
    (Measure::Head, Group::Failed),
];

/// Histograms by (phase, series, group, measure), made when they are first needed.
pub struct Histograms {
    series: usize,
    slots: Vec<Option<Box<Histogram<u32>>>>,
}

impl Histograms {
    pub fn new(layout: &Layout) -> Histograms {
        let slots = (0..Histograms::most(layout)).map(|_| None).collect();
        Histograms {
            series: layout.series.len(),
            slots,
        }
    }

    /// How many there can be.
    pub fn most(layout: &Layout) -> usize {
        let per_phase = layout.series.len() * OWN.len() + SHARED.len();
        // One more phase: what happens before the timeline starts.
        (layout.phases.len() + 1) * per_phase
    }

    fn per_phase(&self) -> usize {
        self.series * OWN.len() + SHARED.len()
    }

    fn record(&mut self, slot: usize, value: Nanos) {
        let histogram = self.slots[slot].get_or_insert_with(|| Box::new(empty_histogram()));
        histogram.saturating_record(value);
    }

    /// A time of one series. `phase: None` is before the timeline.
    pub fn own(
        &mut self,
        phase: Option<usize>,
        series: usize,
        ok: bool,
        measure: Measure,
        value: Nanos,
    ) {
        let group = if ok { Group::Ok } else { Group::Failed };
        if let Some(kind) = OWN.iter().position(|own| *own == (measure, group)) {
            let base = phase_number(phase) * self.per_phase() + SHARED.len();
            self.record(base + series * OWN.len() + kind, value);
        }
    }

    /// A time over all series.
    pub fn shared(&mut self, phase: Option<usize>, measure: Measure, value: Nanos) {
        if let Some(kind) = SHARED.iter().position(|(shared, _)| *shared == measure) {
            self.record(phase_number(phase) * self.per_phase() + kind, value);
        }
    }

    /// The shared histogram of a measure, of all phases.
    pub fn all_of(&self, measure: Measure) -> impl Iterator<Item = &Histogram<u32>> {
        let kind = SHARED.iter().position(|(shared, _)| *shared == measure);
        self.slots
            .chunks(self.per_phase())
            .filter_map(move |phase| phase.get(kind?)?.as_deref())
    }

    /// The histograms of a measure, of all phases and series.
    pub fn own_of(&self, measure: Measure, group: Group) -> impl Iterator<Item = &Histogram<u32>> {
        let kind = OWN.iter().position(|own| *own == (measure, group));
        self.slots.chunks(self.per_phase()).flat_map(move |phase| {
            let series = phase[SHARED.len()..].chunks(OWN.len());
            series.filter_map(move |series| series.get(kind?)?.as_deref())
        })
    }

    /// Adds another thread's times to these and leaves the other one empty.
    pub fn absorb(&mut self, other: &mut Histograms) {
        for (own, theirs) in self.slots.iter_mut().zip(&mut other.slots) {
            let Some(theirs) = theirs.as_mut().filter(|theirs| !theirs.is_empty()) else {
                continue;
            };
            let own = own.get_or_insert_with(|| Box::new(empty_histogram()));
            // Both have the bounds of `empty_histogram`, which is the only way that adding can fail.
            if own.add(&**theirs).is_ok() {
                theirs.reset();
            }
        }
    }

    /// Every histogram that holds something, with its tag, in a fixed order.
    pub fn tagged<'a>(
        &'a self,
        layout: &'a Layout,
    ) -> impl Iterator<Item = (Tag, &'a Histogram<u32>)> + 'a {
        self.slots
            .iter()
            .enumerate()
            .filter_map(move |(slot, histogram)| {
                let histogram = histogram
                    .as_deref()
                    .filter(|histogram| !histogram.is_empty())?;
                Some((self.tag(layout, slot), histogram))
            })
    }

    fn tag(&self, layout: &Layout, slot: usize) -> Tag {
        let (phase, within) = (slot / self.per_phase(), slot % self.per_phase());
        let phase = match phase.checked_sub(1) {
            None => "-".to_owned(),
            Some(phase) => layout.phases[phase].clone(),
        };
        match within.checked_sub(SHARED.len()) {
            None => {
                let (measure, group) = SHARED[within];
                Tag {
                    phase,
                    series: "*".to_owned(),
                    group,
                    measure,
                }
            }
            Some(own) => {
                let (measure, group) = OWN[own % OWN.len()];
                Tag {
                    phase,
                    series: layout.series[own / OWN.len()].clone(),
                    group,
                    measure,
                }
            }
        }
    }

    pub fn reset(&mut self) {
        for histogram in self.slots.iter_mut().flatten() {
            histogram.reset();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.slots
            .iter()
            .flatten()
            .all(|histogram| histogram.is_empty())
    }
}

fn phase_number(phase: Option<usize>) -> usize {
    phase.map_or(0, |phase| phase + 1)
}

/// Exact counts of one series in one bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Each outcome that occurred. A handful at most, so a list is the fastest map.
    pub outcomes: Vec<(Outcome, u64)>,
    pub ours: u64,
    pub ours_failed: u64,
    /// Parallel to [`Layout::limits`].
    pub over: Vec<u64>,
    pub ours_over: Vec<u64>,
}

impl Cell {
    fn new(limits: usize) -> Cell {
        Cell {
            over: vec![0; limits],
            ours_over: vec![0; limits],
            ..Cell::default()
        }
    }

    fn count(&mut self, outcome: Outcome, times: u64) {
        match self
            .outcomes
            .iter_mut()
            .find(|(known, _)| *known == outcome)
        {
            Some((_, count)) => *count += times,
            None => self.outcomes.push((outcome, times)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }

    pub fn due(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    pub fn ok(&self) -> u64 {
        let ok = self.outcomes.iter().filter(|(outcome, _)| outcome.is_ok());
        ok.map(|(_, count)| count).sum()
    }

    pub fn absorb(&mut self, other: &Cell) {
        for (outcome, count) in &other.outcomes {
            self.count(*outcome, *count);
        }
        self.ours += other.ours;
        self.ours_failed += other.ours_failed;
        self.over.resize(other.over.len(), 0);
        self.ours_over.resize(other.ours_over.len(), 0);
        for (own, theirs) in self.over.iter_mut().zip(&other.over) {
            *own += theirs;
        }
        for (own, theirs) in self.ours_over.iter_mut().zip(&other.ours_over) {
            *own += theirs;
        }
    }
}

/// The operations due in one bucket and one phase.
#[derive(Clone, Debug)]
pub struct OpenBucket {
    pub bucket: u64,
    pub phase: usize,
    /// By series.
    pub cells: Vec<Cell>,
    /// Operations that have no outcome yet.
    pending: u64,
}

/// One operation that has its outcome.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    pub phase: usize,
    pub series: usize,
    pub outcome: Outcome,
    pub due: Nanos,
    /// `None` when it was never handed to a session.
    pub dispatched: Option<Nanos>,
    /// When its first byte was sent.
    pub sent: Option<Nanos>,
    /// When the answer's head had come.
    pub head: Option<Nanos>,
    pub end: Nanos,
    /// How much of its time we may have been held.
    pub held: Nanos,
    /// The phase in which it ended ok, which need not be the one in which it was due.
    pub completed_in: Option<usize>,
}

impl Settled {
    fn response(&self) -> Nanos {
        self.end.saturating_sub(self.due)
    }

    fn is_late(&self, limit: Nanos) -> bool {
        let late = |dispatched: Nanos| dispatched.saturating_sub(self.due) > limit;
        self.dispatched.is_some_and(late)
    }

    /// Ended ok, and too late for this limit.
    fn is_over(&self, limit: Nanos) -> bool {
        self.outcome.is_ok() && self.response() >= limit
    }

    /// Would have met the limit, had we not been held. What would have been too slow anyway stays the target's.
    fn is_over_by_us(&self, limit: Nanos) -> bool {
        self.is_over(limit) && self.response().saturating_sub(self.held) < limit
    }

    /// Its time passed while we were held for the most of it.
    fn is_given_up_by_us(&self) -> bool {
        matches!(self.outcome, Outcome::Timeout(_)) && self.held > self.response() / 2
    }
}

/// The buckets of a thread that are not complete yet, oldest first.
pub struct Buckets {
    layout: Layout,
    /// The start of the timeline on the clock of due times.
    zero: Nanos,
    open: VecDeque<OpenBucket>,
}

impl Buckets {
    pub fn new(layout: &Layout) -> Buckets {
        Buckets {
            layout: layout.clone(),
            zero: 0,
            open: VecDeque::new(),
        }
    }

    /// Fixes the start of the timeline, from which buckets count.
    pub fn start_at(&mut self, zero: Nanos) {
        self.zero = zero;
    }

    /// An operation became due: its bucket waits for its outcome.
    pub fn expect(&mut self, phase: usize, due: Nanos) {
        self.open_bucket(phase, due).pending += 1;
    }

    fn open_bucket(&mut self, phase: usize, due: Nanos) -> &mut OpenBucket {
        let bucket = due.saturating_sub(self.zero) / self.layout.bucket;
        let key = (bucket, phase);
        let key_of = |open: &OpenBucket| (open.bucket, open.phase);
        // Most are due in the newest.
        let newest = self.open.len().saturating_sub(1);
        let place = match self.open.back() {
            Some(open) if key_of(open) == key => newest,
            _ => self.open.partition_point(|open| key_of(open) < key),
        };
        if self.open.get(place).is_none_or(|open| key_of(open) != key) {
            let cells = vec![Cell::new(self.layout.limits.len()); self.layout.series.len()];
            self.open.insert(
                place,
                OpenBucket {
                    bucket,
                    phase,
                    cells,
                    pending: 0,
                },
            );
        }
        &mut self.open[place]
    }

    /// Counts an operation that was expected.
    pub fn settle(&mut self, settled: &Settled) {
        let late = settled.is_late(self.layout.lateness_limit);
        let ok = settled.outcome.is_ok();
        let limits = std::mem::take(&mut self.layout.limits);
        // One that is too slow for a tight limit anyway says that much, whatever it says of the others.
        let of_no_use = limits
            .first()
            .is_some_and(|limit| settled.is_over_by_us(*limit));
        let ours = late || of_no_use || settled.is_given_up_by_us();
        let open = self.open_bucket(settled.phase, settled.due);
        open.pending = open.pending.saturating_sub(1);
        let cell = &mut open.cells[settled.series];
        cell.over.resize(limits.len(), 0);
        cell.ours_over.resize(limits.len(), 0);
        cell.count(settled.outcome, 1);
        cell.ours += u64::from(ours);
        cell.ours_failed += u64::from(ours && !ok);
        for (index, limit) in limits.iter().enumerate() {
            let over = settled.is_over(*limit);
            cell.over[index] += u64::from(over);
            cell.ours_over[index] += u64::from(over && (late || settled.is_over_by_us(*limit)));
        }
        self.layout.limits = limits;
    }

    /// Hands out every bucket that ended before `now`, where nothing is under way in it or in an older one.
    /// `now` counts from the start of the timeline.
    /// The caller has dispatched all that was due before `now`.
    pub fn close(&mut self, now: Nanos, closed: &mut Vec<OpenBucket>) {
        let current = now / self.layout.bucket;
        while self
            .open
            .front()
            .is_some_and(|open| open.bucket < current && open.pending == 0)
        {
            closed.extend(self.open.pop_front());
        }
    }

    /// The oldest bucket that may still change.
    pub fn oldest_open(&self, now: Nanos) -> u64 {
        self.open
            .front()
            .map_or(now / self.layout.bucket, |open| open.bucket)
    }
}

/// All that a thread counts.
pub struct Tally {
    pub buckets: Buckets,
    pub histograms: Histograms,
    /// Operations of which no byte was sent, by phase and outcome: few kinds, whatever their number.
    pub unsent: BTreeMap<(usize, Outcome), u64>,
    /// Operations that ended ok, by the phase in which they did and by series.
    pub completed: Vec<Vec<u64>>,
}

impl Tally {
    pub fn new(layout: &Layout) -> Tally {
        Tally {
            buckets: Buckets::new(layout),
            histograms: Histograms::new(layout),
            unsent: BTreeMap::new(),
            completed: vec![vec![0; layout.series.len()]; layout.phases.len()],
        }
    }

    pub fn settle(&mut self, settled: &Settled) {
        self.buckets.settle(settled);
        let (phase, series) = (Some(settled.phase), settled.series);
        if let Some(phase) = settled.completed_in {
            self.completed[phase][series] += 1;
        }
        let times = &mut self.histograms;
        let ok = settled.outcome.is_ok();
        times.own(
            phase,
            series,
            ok,
            Measure::Response,
            settled.end.saturating_sub(settled.due),
        );
        if let Some(dispatched) = settled.dispatched {
            let lateness = dispatched.saturating_sub(settled.due);
            times.shared(phase, Measure::Lateness, lateness);
            // What was never sent waited until it was given up.
            let until = settled.sent.unwrap_or(settled.end);
            times.shared(phase, Measure::Waiting, until.saturating_sub(dispatched));
        }
        if let Some(sent) = settled.sent {
            times.own(
                phase,
                series,
                ok,
                Measure::Service,
                settled.end.saturating_sub(sent),
            );
            if let Some(head) = settled.head {
                let head = head.saturating_sub(sent);
                times.own(phase, series, ok, Measure::Head, head);
            }
        } else {
            let unsent = (settled.phase, settled.outcome);
            *self.unsent.entry(unsent).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests;
