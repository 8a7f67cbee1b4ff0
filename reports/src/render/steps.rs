//! The run second by second, or, where it is long, in steps of several seconds.

use crate::recording::Recording;

/// No chart has more steps than this: more do not fit on a screen, or in a table.
const MOST: u64 = 240;

/// What happened in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Seconds since the timeline's start.
    pub from: f64,
    /// Seconds: the last step may be shorter than the others.
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
    /// So many in this step, as a rate.
    pub fn per_second(&self, number: f64) -> f64 {
        if self.length > 0.0 {
            number / self.length
        } else {
            0.0
        }
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
        let end = end(recording, zero, bucket);
        // Whole buckets, and at least a second, since the latency log has no finer intervals.
        let least = 1_000_000_000_u64.max(bucket).div_ceil(bucket) * bucket;
        let width = least * (end / least).max(1).div_ceil(MOST);
        let step = |index: u64| Step {
            from: (index * width) as f64 / 1e9,
            length: (end - index * width).min(width) as f64 / 1e9,
            ..Step::default()
        };
        let mut steps: Vec<Step> = (0..end.div_ceil(width)).map(step).collect();
        count_due(recording, bucket, width, &mut steps);
        count_done(recording, zero, width, &mut steps);
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
                        run.push((step.from + step.length / 2.0, value));
                    }
                }
                Some(value) => runs.push(vec![(step.from + step.length / 2.0, value)]),
                None => {}
            }
            open = value(step).is_some();
        }
        runs
    }

    pub fn end(&self) -> f64 {
        self.steps
            .last()
            .map_or(1.0, |last| last.from + last.length)
    }
}

/// The end of the last thing that happened, in nanoseconds since the timeline's start.
fn end(recording: &Recording, zero: u64, bucket: u64) -> u64 {
    let due = recording
        .buckets
        .iter()
        .map(|line| (line.bucket + 1) * bucket)
        .max()
        .unwrap_or(0);
    let done = recording
        .latency
        .intervals
        .iter()
        .map(|interval| (interval.start + interval.length).saturating_sub(zero))
        .max()
        .unwrap_or(0);
    let ran = match recording.ended_early() {
        Some((at, _, _)) => at.saturating_sub(zero),
        None => u64::try_from(recording.plan.length().as_nanos()).unwrap_or(u64::MAX),
    };
    due.max(done).max(ran)
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
