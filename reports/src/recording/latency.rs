//! The latency log read back: one histogram a tag over the whole run, and what the charts need of each interval.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use firedrill_evidence::Quantiles;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::empty_histogram;
use super::read::Known;
use super::tag::{Group, Measure, Tag};

/// Everything that is kept of `latency.hlog`. Its size depends on the plan and on the number of intervals.
#[derive(Clone, Debug, Default)]
pub struct LatencyLog {
    /// Over the whole run.
    pub times: BTreeMap<Tag, Histogram<u64>>,
    /// In the order of the log.
    pub intervals: Vec<Interval>,
    /// The interval that is being read, with its ok response times of all series.
    open: Option<(Interval, Histogram<u64>)>,
}

/// What ended in one interval of the log, by nanoseconds since the run's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    pub start: u64,
    pub length: u64,
    /// Operations that ended ok, by series.
    pub ok: BTreeMap<String, u64>,
    /// Operations that ended in anything else.
    pub failed: u64,
    /// Response times of those that ended ok.
    pub response: Quantiles,
}

impl Interval {
    pub fn ok_of_all(&self) -> u64 {
        self.ok.values().sum()
    }

    /// The part of the interval that lies between two instants of the run, from 0 to 1.
    pub fn part_inside(&self, span: &Range<u64>) -> f64 {
        let end = self.start + self.length.max(1);
        let overlap = end.min(span.end).saturating_sub(self.start.max(span.start));
        overlap as f64 / (end - self.start) as f64
    }
}

impl LatencyLog {
    /// The histograms of every tag that fits, added up.
    pub fn sum(&self, fits: impl Fn(&Tag) -> bool) -> Histogram<u64> {
        let mut sum = empty_histogram();
        for (_, times) in self.times.iter().filter(|(tag, _)| fits(tag)) {
            add(&mut sum, times);
        }
        sum
    }

    /// Takes one line with its end. The error says in words what does not fit.
    pub(super) fn take(&mut self, line: &[u8], known: &Known) -> Result<(), String> {
        for entry in IntervalLogIterator::new(line) {
            let entry = entry.map_err(|_| "this is no line of an interval log".to_owned())?;
            let LogEntry::Interval(interval) = entry else {
                continue;
            };
            let tag = interval.tag().ok_or("a histogram has no tag")?;
            let tag: Tag = tag.as_str().parse().map_err(|error| format!("{error}"))?;
            let times = decode(interval.encoded_histogram())?;
            self.count(
                &tag,
                &times,
                interval.start_timestamp(),
                interval.duration(),
                known,
            )?;
        }
        Ok(())
    }

    fn count(
        &mut self,
        tag: &Tag,
        times: &Histogram<u64>,
        start: Duration,
        length: Duration,
        known: &Known,
    ) -> Result<(), String> {
        let sum = self
            .times
            .entry(tag.clone())
            .or_insert_with(empty_histogram);
        sum.add(times)
            .map_err(|_| "a time is above the highest that a recording holds".to_owned())?;
        if tag.measure != Measure::Response {
            return Ok(());
        }
        known.check(&tag.phase, &tag.series)?;
        let (start, length) = (nanoseconds(start), nanoseconds(length));
        if self
            .open
            .as_ref()
            .is_some_and(|(open, _)| open.start != start)
        {
            self.finish();
        }
        let (open, response) = self.open.get_or_insert_with(|| opened(start, length));
        match tag.group {
            Group::Ok => {
                *open.ok.entry(tag.series.clone()).or_default() += times.len();
                add(response, times);
            }
            Group::Failed => open.failed += times.len(),
            Group::All => {}
        }
        Ok(())
    }

    /// Closes the interval that is being read.
    pub(super) fn finish(&mut self) {
        if let Some((mut interval, response)) = self.open.take() {
            interval.response = Quantiles::of(&response, 0);
            self.intervals.push(interval);
        }
    }
}

fn opened(start: u64, length: u64) -> (Interval, Histogram<u64>) {
    let response = empty_histogram();
    let interval = Interval {
        start,
        length,
        ok: BTreeMap::new(),
        failed: 0,
        response: Quantiles::of(&response, 0),
    };
    (interval, response)
}

/// Both have the bounds of a recording, so that nothing can be out of range.
fn add(sum: &mut Histogram<u64>, times: &Histogram<u64>) {
    if sum.add(times).is_err() {
        sum.saturating_record_n(times.max(), times.len());
    }
}

fn decode(text: &str) -> Result<Histogram<u64>, String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| format!("a histogram is not base64: {error}"))?;
    Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .map_err(|error| format!("a histogram cannot be read: {error}"))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
