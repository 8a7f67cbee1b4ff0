//! The run's folder while it is written. Every file is opened before anything is started, and written as the
//! run goes on; at the end it is sealed.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_reports::recording::{
    Bucket, BucketsWriter, Event, EventsWriter, Folder, LatencyLogWriter, MANIFEST, Manifest,
    Sample, SamplesWriter, Timed, file,
};
use firedrill_scenarios::Plan;

use crate::clock::Nanos;
use crate::load::engine::Second;
use crate::load::tally::{Cell, Layout};

type Out = BufWriter<File>;

pub struct Recorder {
    folder: PathBuf,
    layout: Layout,
    events: EventsWriter<Out>,
    buckets: BucketsWriter<Out>,
    latency: LatencyLogWriter<Out>,
    samples: SamplesWriter<Out>,
    /// End of the last interval in the latency log.
    logged: Nanos,
}

/// The run's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("`{}` is not empty: name a new folder with --out", folder.display())]
    NotEmpty { folder: PathBuf },
    #[error("the run's folder `{}` cannot be written: {source}", folder.display())]
    Io { folder: PathBuf, source: io::Error },
}

impl Recorder {
    /// Refuses a folder that holds something already.
    ///
    /// # Errors
    /// When it does, or cannot be read. One that is not there will be made.
    pub fn refuse(folder: &Path) -> Result<(), RecordError> {
        let failed = |source| RecordError::Io {
            folder: folder.to_owned(),
            source,
        };
        match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed(error)),
            Ok(mut entries) => match entries.next() {
                None => Ok(()),
                Some(_) => Err(RecordError::NotEmpty {
                    folder: folder.to_owned(),
                }),
            },
        }
    }

    /// Makes the folder and opens its files. `started` is the run's start since 1970.
    ///
    /// # Errors
    /// When the folder holds something already, or cannot be written.
    pub fn create(
        folder: &Path,
        plan: &Plan,
        layout: &Layout,
        started: Duration,
    ) -> Result<Recorder, RecordError> {
        let failed = |source| RecordError::Io {
            folder: folder.to_owned(),
            source,
        };
        Recorder::refuse(folder)?;
        fs::create_dir_all(folder).map_err(failed)?;
        Recorder::open(folder, plan, layout, started).map_err(failed)
    }

    /// Takes the folder away again, which held nothing before.
    pub fn discard(self) {
        let folder = self.folder.clone();
        drop(self);
        // What cannot be removed is named by the next run that wants this folder.
        let _ = fs::remove_dir_all(folder);
    }

    fn open(
        folder: &Path,
        plan: &Plan,
        layout: &Layout,
        started: Duration,
    ) -> io::Result<Recorder> {
        fs::write(folder.join(file::PLAN), plan.to_yaml())?;
        for (name, bytes) in plan.source_files() {
            let path = folder.join(file::SOURCES).join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        let out = |name: &str| File::create(folder.join(name)).map(BufWriter::new);
        Ok(Recorder {
            folder: folder.to_owned(),
            layout: layout.clone(),
            events: EventsWriter::new(out(file::EVENTS)?),
            buckets: BucketsWriter::new(out(file::BUCKETS)?, &plan.latency_limits())?,
            latency: LatencyLogWriter::new(out(file::LATENCY)?, started)?,
            samples: SamplesWriter::new(out(file::SAMPLES)?)?,
            logged: 0,
        })
    }

    /// Writes an event, and has it on disk before anything else happens.
    pub fn event(&mut self, at: Nanos, event: Event) -> io::Result<()> {
        self.events.write(&Timed { at, event })?;
        self.events.flush()
    }

    pub fn samples(&mut self, samples: &[Sample]) -> io::Result<()> {
        samples
            .iter()
            .try_for_each(|sample| self.samples.write(sample))
    }

    /// Writes what one interval has brought.
    pub fn second(&mut self, second: &Second) -> io::Result<()> {
        for (bucket, phase, cells) in &second.closed {
            for (series, cell) in cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| !cell.is_empty())
            {
                let row = self.row(*bucket, *phase, series, cell);
                self.buckets.write(&row)?;
            }
        }
        let start = Duration::from_nanos(self.logged);
        let length = Duration::from_nanos(second.at.saturating_sub(self.logged));
        for (tag, histogram) in second.histograms.tagged(&self.layout) {
            self.latency.write(&tag, histogram, start, length)?;
        }
        self.logged = self.logged.max(second.at);
        self.buckets.flush()?;
        self.latency.flush()?;
        self.samples.flush()
    }

    fn row(&self, bucket: u64, phase: usize, series: usize, cell: &Cell) -> Bucket {
        let limits = self.layout.limits.len();
        let padded = |counts: &[u64]| {
            let mut counts = counts.to_vec();
            counts.resize(limits, 0);
            counts
        };
        Bucket {
            bucket,
            phase: self.layout.phases[phase].clone(),
            series: self.layout.series[series].clone(),
            outcomes: cell.outcomes.iter().copied().collect(),
            ours: cell.ours,
            ours_failed: cell.ours_failed,
            over: padded(&cell.over),
            ours_over: padded(&cell.ours_over),
        }
    }

    /// Writes the last event and seals the folder.
    pub fn seal(mut self, at: Nanos, last: Event) -> io::Result<()> {
        self.event(at, last)?;
        self.events.into_inner().into_inner()?.sync_all()?;
        self.buckets.into_inner()?.into_inner()?.sync_all()?;
        self.latency.into_inner().into_inner()?.sync_all()?;
        self.samples.into_inner()?.into_inner()?.sync_all()?;
        let manifest = Manifest::of(&Folder(self.folder.clone()))?;
        fs::write(self.folder.join(MANIFEST), manifest.to_json())
    }
}
