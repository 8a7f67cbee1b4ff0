//! The files of a run's folder, and what stands in them. The harness writes them, judging reads them;
//! nothing else passes between the two.
//!
//! | file | holds | written by |
//! |---|---|---|
//! | `plan.yaml` | the resolved plan, itself a valid scenario; the files that it names are in `sources/` | the plan |
//! | `events.jsonl` | one [`Event`] a line, in the order of time | [`EventsWriter`] |
//! | `buckets.csv` | one [`Bucket`] a line: exact counts of the operations due in it | [`BucketsWriter`] |
//! | `latency.hlog` | HdrHistogram V2 interval log by completion second, tags of [`Tag`] | [`LatencyLogWriter`] |
//! | `series.csv` | `at_ns,series,value`: what was sampled, once a second | [`SamplesWriter`] |
//! | `ledger.jsonl` | one [`LedgerLine`] a line: what each read-back found; only of runs that read back | [`LedgerWriter`] |
//! | `journal.jsonl` | one [`JournalLine`] a line: what was broken and undone; only of runs that break something | [`JournalWriter`] |
//! | `manifest.json` | SHA-256 of every file above | [`Manifest`] |
//!
//! All times are nanoseconds since the run's start (`Event::Started`), and the timeline starts at
//! [`Event::TimelineStarted`]; seconds of buckets count from there.
//!
//! - `event`, `bucket`, `tag`, `sample`, `drill`: what a line of each file holds
//! - `ledger`: what read-backs found, as far as it is kept
//! - `write`: the files' writers; `read`, `latency`: the files read back
//! - `manifest`: sealing a folder, and seeing what was changed since

mod bucket;
mod drill;
mod event;
mod latency;
mod ledger;
mod manifest;
mod read;
mod sample;
mod tag;
mod write;

pub use bucket::{Bucket, ENDED};
pub use drill::{
    Answered, DataCounts, FaultStage, JournalEntry, JournalLine, LedgerLine, Mark, ReadBackStage,
    ReadPlace, RecoveryPoint, StepStage,
};
pub use event::{
    Calibration, Closes, EarlyEnd, Environment, Event, Mode, SessionTotals, Spread, Started, Timed,
    Totals,
};
pub use latency::{Interval, LatencyLog};
pub use ledger::{Data, Ledger, MOST_WRITES, Write, counter_of};
pub(crate) use manifest::verify;
pub use manifest::{Files, Folder, MANIFEST, Manifest, Memory};
pub use read::{Recording, RecordingError, read};
pub use sample::{Sample, series};
pub use tag::{Group, Measure, Tag, UnknownTag};
pub use write::{
    BucketsWriter, EventsWriter, JournalWriter, LatencyLogWriter, LedgerWriter, LinesWriter,
    SamplesWriter, empty_histogram,
};

/// Version of the recording's layout. A reader refuses a newer one.
pub const RECORDING_VERSION: u32 = 1;

/// The lowest and the highest time that a histogram holds, in nanoseconds, and its digits.
/// A longer time is recorded as the highest.
pub const HISTOGRAM_LOWEST_NS: u64 = 1_000;
pub const HISTOGRAM_HIGHEST_NS: u64 = 3_600_000_000_000;
pub const HISTOGRAM_DIGITS: u8 = 3;

/// Names of the files in a run's folder.
pub mod file {
    pub const PLAN: &str = "plan.yaml";
    pub const EVENTS: &str = "events.jsonl";
    pub const BUCKETS: &str = "buckets.csv";
    pub const LATENCY: &str = "latency.hlog";
    pub const SAMPLES: &str = "series.csv";
    /// Folder of the files that the plan names.
    pub const SOURCES: &str = "sources";
    /// Recorded by runs that write data, or that break something.
    pub const LEDGER: &str = "ledger.jsonl";
    pub const JOURNAL: &str = "journal.jsonl";
}
