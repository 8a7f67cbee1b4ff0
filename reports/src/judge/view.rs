//! The recording by phase and series.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use firedrill_evidence::{Share, lateness_limit};
use firedrill_scenarios::plan::Series;
use hdrhistogram::Histogram;

use crate::recording::{Bucket, Event, Group, Measure, Recording};

pub struct View<'a> {
    pub recording: &'a Recording,
    pub strict: bool,
    pub series: Vec<Series>,
    pub limits: Vec<Duration>,
    pub phases: Vec<Ran>,
    /// Above this a dispatch is late by our fault.
    pub lateness_limit: Duration,
}

/// A phase as it ran.
pub struct Ran {
    pub name: String,
    pub measured: bool,
    /// Where it belongs on the timeline, in nanoseconds since the timeline's start.
    pub planned: Range<u64>,
    /// When it ran, in nanoseconds since the run's start.
    pub ran: Option<Range<u64>>,
    /// Whether it ran for as long as it was to.
    pub complete: bool,
}

impl Ran {
    /// Nanoseconds that it ran.
    pub fn length(&self) -> u64 {
        self.ran.as_ref().map_or(0, |ran| ran.end - ran.start)
    }
}

/// Which operations an objective looks at.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    Every,
    /// Those whose due time comes from the schedule.
    Scheduled,
    /// Those of one series: an operation by the name under which it is counted.
    Operation(&'a str),
}

impl<'a> View<'a> {
    pub fn of(recording: &'a Recording, strict: bool) -> View<'a> {
        let limits = recording.plan.latency_limits();
        View {
            recording,
            strict,
            series: recording.plan.series(),
            phases: phases(recording),
            lateness_limit: lateness_limit(limits.first().copied()),
            limits,
        }
    }

    pub fn width(&self) -> Duration {
        self.recording.plan.bucket
    }

    /// The series that an objective looks at, by name.
    pub fn names(&self, which: Which<'_>) -> BTreeSet<&str> {
        let fits = |series: &&Series| match which {
            Which::Every => true,
            Which::Scheduled => series.scheduled,
            Which::Operation(name) => series.name == name,
        };
        self.series
            .iter()
            .filter(fits)
            .map(|series| series.name.as_str())
            .collect()
    }

    /// The lines of one phase and of these series.
    pub fn lines<'b>(
        &'b self,
        phase: usize,
        names: &'b BTreeSet<&str>,
    ) -> impl Iterator<Item = &'b Bucket> + 'b {
        let phase = self.phases[phase].name.as_str();
        let lines = self.recording.buckets.iter();
        lines.filter(move |line| line.phase == phase && names.contains(line.series.as_str()))
    }

    /// What `count` counts in each bucket of a phase, in the order of time; buckets in which nothing was due are
    /// there too, as far as the phase ran.
    pub fn buckets(
        &self,
        phase: usize,
        names: &BTreeSet<&str>,
        count: impl Fn(&Bucket) -> Share,
    ) -> Buckets {
        let mut sums: BTreeMap<u64, Share> = BTreeMap::new();
        for line in self.lines(phase, names) {
            let sum = sums.entry(line.bucket).or_default();
            *sum = *sum + count(line);
        }
        let ran = self.bucket_range(phase);
        let first = sums
            .keys()
            .next()
            .copied()
            .unwrap_or(ran.start)
            .min(ran.start);
        let end = sums
            .keys()
            .next_back()
            .map_or(ran.end, |last| ran.end.max(last + 1));
        let shares = (first..end).map(|bucket| sums.get(&bucket).copied().unwrap_or_default());
        Buckets {
            first,
            shares: shares.collect(),
        }
    }

    /// The buckets of a phase, as far as it ran.
    fn bucket_range(&self, phase: usize) -> Range<u64> {
        let phase = &self.phases[phase];
        let width = nanoseconds(self.width()).max(1);
        let start = match &phase.ran {
            Some(ran) => ran.start.saturating_sub(self.recording.zero().unwrap_or(0)),
            None => phase.planned.start,
        };
        let first = start / width;
        match phase.length() {
            0 => first..first,
            length => first..(start + length).div_ceil(width),
        }
    }

    /// Times of one phase and of these series.
    pub fn times(
        &self,
        phase: usize,
        names: &BTreeSet<&str>,
        group: Group,
        measure: Measure,
    ) -> Histogram<u64> {
        let phase = self.phases[phase].name.as_str();
        self.recording.latency.sum(|tag| {
            tag.phase == phase
                && tag.group == group
                && tag.measure == measure
                && names.contains(tag.series.as_str())
        })
    }

    /// The instant of the run at which a bucket starts.
    pub fn instant(&self, bucket: u64) -> u64 {
        self.recording.zero().unwrap_or(0) + bucket * nanoseconds(self.width())
    }

    /// Operations of these series that ended ok in the phase.
    pub fn completed(&self, phase: usize, names: &BTreeSet<&str>) -> f64 {
        let ran = &self.phases[phase];
        let counted = self
            .recording
            .totals()
            .and_then(|totals| totals.completed.as_ref());
        let of_phase = counted.and_then(|phases| phases.get(&ran.name));
        match (of_phase, &ran.ran) {
            (Some(series), _) => {
                let own = series
                    .iter()
                    .filter(|(name, _)| names.contains(name.as_str()));
                own.map(|(_, count)| *count).sum::<u64>() as f64
            }
            (None, Some(span)) => self.completed_between(span.clone(), names),
            (None, None) => 0.0,
        }
    }

    /// Operations of these series that ended ok between two instants of the run. An interval of the log that lies
    /// across a border is taken in proportion.
    pub fn completed_between(&self, span: Range<u64>, names: &BTreeSet<&str>) -> f64 {
        let intervals = self.recording.latency.intervals.iter();
        let inside = intervals.map(|interval| {
            let ok: u64 = interval
                .ok
                .iter()
                .filter(|(name, _)| names.contains(name.as_str()))
                .map(|(_, count)| count)
                .sum();
            ok as f64 * interval.part_inside(&span)
        });
        inside.sum()
    }
}

/// Shares by bucket, without gaps.
pub struct Buckets {
    /// Number of the first bucket.
    pub first: u64,
    pub shares: Vec<Share>,
}

pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn phases(recording: &Recording) -> Vec<Ran> {
    let zero = recording.zero().unwrap_or(0);
    let over = recording
        .at(|event| matches!(event, Event::LoadEnded))
        .unwrap_or_else(|| last_trace(recording));
    let early = recording.ended_early().map(|(at, _, _)| at);
    let mut planned_start = 0;
    let mut phases = Vec::new();
    for phase in &recording.plan.timeline {
        let planned = planned_start..planned_start + nanoseconds(phase.length);
        let begun = recording.at(
            |event| matches!(event, Event::PhaseStarted { phase: name } if *name == phase.name),
        );
        let ended = recording
            .at(|event| matches!(event, Event::PhaseEnded { phase: name } if *name == phase.name));
        // Operations are due by the plan's instants, however late the event was written. Only a phase that waits
        // for something may end before its time: then its end is the instant that was decided.
        let waited = phase.until.and(ended).map(|at| at.saturating_sub(zero));
        let planned_end = waited.map_or(planned.end, |at| at.clamp(planned.start, planned.end));
        planned_start = planned_end;
        let (start, end) = (zero + planned.start, zero + planned_end);
        // A phase that waits has no end of its own before what it waits for has come: one that ends with the run was cut.
        let cut_off = |early| early < end || (phase.until.is_some() && early == end);
        let cut = early.is_some_and(cut_off) || ended.is_none();
        let stopped = early.or(ended).unwrap_or(over).clamp(start, end);
        phases.push(Ran {
            name: phase.name.clone(),
            measured: phase.measured,
            ran: begun.map(|_| start..if cut { stopped } else { end }),
            complete: begun.is_some() && !cut,
            planned,
        });
    }
    phases
}

/// The last instant of which the recording holds anything: where a run that has no end was at least.
fn last_trace(recording: &Recording) -> u64 {
    let event = recording.events.last().map(|last| last.at);
    let sample = recording
        .samples
        .values()
        .filter_map(|samples| samples.last())
        .map(|(at, _)| *at);
    let interval = recording
        .latency
        .intervals
        .last()
        .map(|last| last.start + last.length);
    sample.chain(event).chain(interval).max().unwrap_or(0)
}
