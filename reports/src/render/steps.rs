//! The run second by second, or, where it is long, in steps of several seconds.

use crate::recording::{Event, Recording};

/// No chart has more steps than this: more do not fit on a screen, or in a table.
const MOST: u64 = 240;

/// What happened in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Seconds since the timeline's start.
    pub from: f64,
    /// Seconds of it in which operations could be due: none after the end of the timeline.
    pub open: f64,
    /// Seconds of it until everything had ended; a second at least, so that a few late answers are no high rate.
    pub length: f64,
    /// Operations due in it, those of them that were sent, and those that were sent and failed.
    pub asked: u64,
    pub sent: u64,
    pub failed: u64,
    /// Operations that ended ok in it, whenever they were due.
    pub completed: f64,
    /// Response times of those, in nanoseconds: the highest of the intervals that it holds.
    pub p50: Option<u64>,
    pub p99: Option<u64>,
    pub max: Option<u64>,
}

impl Step {
    /// So many that were due in this step, as a rate.
    pub fn due_rate(&self, number: u64) -> Option<f64> {
        (self.open > 0.0).then(|| number as f64 / self.open)
    }

    /// Operations that ended ok in this step, as a rate.
    pub fn completed_rate(&self) -> Option<f64> {
        (self.length > 0.0).then(|| self.completed / self.length)
    }
}

pub struct Steps {
    /// Seconds.
    pub width: f64,
    pub steps: Vec<Step>,
}

impl Steps {
    pub fn of(recording: &Recording) -> Steps {
        let zero = recording.zero().unwrap_or(0);
        let bucket = u64::try_from(recording.plan.bucket.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let open = open(recording, zero, bucket);
        let end = open.max(done(recording, zero));
        // Whole buckets, and at least a second, since the latency log has no finer intervals.
        let least = 1_000_000_000_u64.max(bucket).div_ceil(bucket) * bucket;
        let width = least * (end / least).max(1).div_ceil(MOST);
        let step = |index: u64| {
            let from = index * width;
            let seconds = |until: u64| until.saturating_sub(from).min(width) as f64 / 1e9;
            Step {
                from: from as f64 / 1e9,
                open: seconds(open),
                length: seconds(end).max(1.0),
                ..Step::default()
            }
        };
        let mut steps: Vec<Step> = (0..end.div_ceil(width)).map(step).collect();
        count_due(recording, bucket, width, &mut steps);
        count_done(recording, zero, width, &mut steps);
        // The log's last interval may reach a moment beyond the end, with nothing in it.
        while steps
            .last()
            .is_some_and(|last| last.open == 0.0 && last.completed < 0.5)
        {
            steps.pop();
        }
        Steps {
            width: width as f64 / 1e9,
            steps,
        }
    }

    /// The values as lines: the middle of each step, and a new run where a value is missing.
    pub fn runs(&self, value: impl Fn(&Step) -> Option<f64>) -> Vec<Vec<(f64, f64)>> {
        let mut runs: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut open = false;
        for step in &self.steps {
            match value(step) {
                Some(value) if open => {
                    if let Some(run) = runs.last_mut() {
                        run.push((step.from + self.width.min(step.length) / 2.0, value));
                    }
                }
                Some(value) => {
                    runs.push(vec![(step.from + self.width.min(step.length) / 2.0, value)])
                }
                None => {}
            }
            open = value(step).is_some();
        }
        runs
    }

    pub fn end(&self) -> f64 {
        self.steps
            .last()
            .map_or(1.0, |last| last.from + self.width.min(last.length))
    }
}

/// Until when operations were due, in nanoseconds since the timeline's start.
fn open(recording: &Recording, zero: u64, bucket: u64) -> u64 {
    let planned = u64::try_from(recording.plan.length().as_nanos()).unwrap_or(u64::MAX);
    // A phase that waits for something may end before its length is over, and the timeline with it.
    let last = recording.plan.timeline.last();
    let ended = last.and_then(|last| {
        recording.at(|event| matches!(event, Event::PhaseEnded { phase } if *phase == last.name))
    });
    let planned = ended.map_or(planned, |at| planned.min(at.saturating_sub(zero)));
    let cut = recording
        .ended_early()
        .map_or(u64::MAX, |(at, _, _)| at.saturating_sub(zero));
    // Later steps of flows may be due after the end, and a killed run has no end.
    let last = recording
        .buckets
        .iter()
        .map(|line| line.bucket * bucket + 1)
        .max()
        .unwrap_or(0);
    planned.min(cut).max(last)
}

/// The end of the last interval in which operations ended.
fn done(recording: &Recording, zero: u64) -> u64 {
    let intervals = recording.latency.intervals.iter();
    let ends = intervals.map(|interval| (interval.start + interval.length).saturating_sub(zero));
    ends.max().unwrap_or(0)
}

fn count_due(recording: &Recording, bucket: u64, width: u64, steps: &mut [Step]) {
    for line in &recording.buckets {
        if let Some(step) = steps.get_mut((line.bucket * bucket / width) as usize) {
            step.asked += line.due();
            step.sent += line.due() - line.not_sent();
            step.failed += line.failed();
        }
    }
}

/// An interval of the log that lies across the border of two steps is taken in proportion.
fn count_done(recording: &Recording, zero: u64, width: u64, steps: &mut [Step]) {
    for interval in &recording.latency.intervals {
        let (start, end) = (interval.start, interval.start + interval.length.max(1));
        let step_of = |instant: u64| (instant.saturating_sub(zero) / width) as usize;
        for index in step_of(start)..=step_of(end - 1) {
            let from = zero + index as u64 * width;
            if let Some(step) = steps.get_mut(index) {
                let part = interval.part_inside(&(from..from + width));
                step.completed += interval.ok_of_all() as f64 * part;
            }
        }
        if let Some(step) = steps.get_mut(step_of(start + (end - start) / 2)) {
            step.p50 = step.p50.max(interval.response.p50);
            step.p99 = step.p99.max(interval.response.p99);
            step.max = step.max.max(interval.response.max);
        }
    }
}
