//! The writers of a run's files. Each writes its head when it is made, a line when it is told to,
//! and leaves flushing to the caller.

use std::io::{self, Write};
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag as LogTag,
};
use hdrhistogram::{Counter, Histogram};
use serde::Serialize;

use super::bucket::Bucket;
use super::drill::{JournalLine, LedgerLine};
use super::event::Timed;
use super::sample::Sample;
use super::tag::Tag;
use super::{HISTOGRAM_DIGITS, HISTOGRAM_HIGHEST_NS, HISTOGRAM_LOWEST_NS};

/// A histogram with the recording's bounds.
pub fn empty_histogram<C: Counter>() -> Histogram<C> {
    Histogram::new_with_bounds(HISTOGRAM_LOWEST_NS, HISTOGRAM_HIGHEST_NS, HISTOGRAM_DIGITS).expect(
        "the bounds are constants that the crate accepts: 1 <= low, 2 * low <= high, digits <= 5",
    )
}

/// Writes `events.jsonl`.
pub type EventsWriter<W> = LinesWriter<W, Timed>;
/// Writes `ledger.jsonl`.
pub type LedgerWriter<W> = LinesWriter<W, LedgerLine>;
/// Writes `journal.jsonl`.
pub type JournalWriter<W> = LinesWriter<W, JournalLine>;

/// Writes a file of JSON lines, all of one kind.
pub struct LinesWriter<W: Write, T> {
    out: W,
    of: PhantomData<T>,
}

impl<W: Write, T: Serialize> LinesWriter<W, T> {
    pub fn new(out: W) -> LinesWriter<W, T> {
        LinesWriter {
            out,
            of: PhantomData,
        }
    }

    pub fn write(&mut self, line: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Writes `buckets.csv`.
pub struct BucketsWriter<W: Write> {
    out: csv::Writer<W>,
    limits: usize,
}

impl<W: Write> BucketsWriter<W> {
    /// Writes the head line. `limits` is `Plan::latency_limits`.
    pub fn new(out: W, limits: &[Duration]) -> io::Result<BucketsWriter<W>> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(Bucket::header(limits))?;
        Ok(BucketsWriter {
            out,
            limits: limits.len(),
        })
    }

    pub fn write(&mut self, bucket: &Bucket) -> io::Result<()> {
        Ok(self.out.write_record(bucket.row(self.limits))?)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn into_inner(self) -> io::Result<W> {
        self.out
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }
}

/// Writes `series.csv`.
pub struct SamplesWriter<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> SamplesWriter<W> {
    /// Writes the head line.
    pub fn new(out: W) -> io::Result<SamplesWriter<W>> {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(Sample::HEADER)?;
        Ok(SamplesWriter { out })
    }

    /// A value that is no finite number says nothing: its line is left out.
    pub fn write(&mut self, sample: &Sample) -> io::Result<()> {
        if !sample.value.is_finite() {
            return Ok(());
        }
        let (at, value) = (sample.at_ns.to_string(), sample.value.to_string());
        Ok(self
            .out
            .write_record([at.as_str(), sample.series.as_str(), value.as_str()])?)
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn into_inner(self) -> io::Result<W> {
        self.out
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }
}

/// Writes `latency.hlog`: an HdrHistogram interval log (format 1.3 of the Java library's `HistogramLogWriter`,
/// histograms V2 deflated). Values are nanoseconds; intervals count from the log's `StartTime`, the run's start.
pub struct LatencyLogWriter<W: Write> {
    out: W,
    serializer: V2DeflateSerializer,
}

/// What other readers of such logs expect above the lines.
const LEGEND: &str =
    "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"";

impl<W: Write> LatencyLogWriter<W> {
    /// Writes the head. `started` is the run's start since 1970.
    pub fn new(mut out: W, started: Duration) -> io::Result<LatencyLogWriter<W>> {
        let mut serializer = V2DeflateSerializer::new();
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("Values are nanoseconds; intervals count from the start time.")
            .with_start_time(SystemTime::UNIX_EPOCH + started)
            .begin_log_with(&mut out, &mut serializer)?;
        writeln!(out, "{LEGEND}")?;
        Ok(LatencyLogWriter { out, serializer })
    }

    /// One histogram of what ended in the interval. An empty one may be left out by the caller.
    /// `start` counts from the run's start.
    pub fn write<C: Counter>(
        &mut self,
        tag: &Tag,
        histogram: &Histogram<C>,
        start: Duration,
        length: Duration,
    ) -> io::Result<()> {
        let tag = tag.to_string();
        let tag = LogTag::new(&tag)
            .ok_or_else(|| io::Error::other(format!("the tag `{tag}` cannot stand in a log")))?;
        // The crate's writer borrows what it writes to, so each line has its own; with no head it writes nothing yet.
        let mut line =
            IntervalLogWriterBuilder::new().begin_log_with(&mut self.out, &mut self.serializer)?;
        line.write_histogram(histogram, start, length, Some(tag))
            .map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
            })
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn into_inner(self) -> W {
        self.out
    }
}
