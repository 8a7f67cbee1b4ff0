//! Runs that never were: a scenario and a list of operations, written as the harness would write them.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_reports::recording::{
    Bucket, BucketsWriter, Calibration, Closes, EarlyEnd, Environment, Event, EventsWriter, Files,
    Group, LatencyLogWriter, LedgerLine, LedgerWriter, MANIFEST, Manifest, Measure, Memory, Mode,
    Recording, Sample, SamplesWriter, SessionTotals, Started, Tag, Timed, Totals, empty_histogram,
    file, series,
};
use firedrill_reports::{ResultDocument, judge};
use firedrill_scenarios::{Given, Outcome, Plan};
use hdrhistogram::Histogram;

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000_000_000;

/// Sessions take this long to open before the timeline starts.
pub const ZERO: u64 = 1_500 * MS;

/// One phase of ten seconds, three objectives.
pub const SHORT: &str = "
scenario: short
about: A short run for tests.
load:
  arrivals: { constant: 100/s }
  operations: [ { tool: echo } ]
timeline:
  - { phase: steady, for: 10s }
objectives:
  - { latency: p99, below: 100ms }
  - { errors: 0.5 % }
";

#[derive(Clone, Debug)]
pub struct Operation {
    pub phase: String,
    pub series: String,
    /// Nanoseconds since the timeline's start.
    pub due: u64,
    pub lateness: u64,
    pub outcome: Outcome,
    pub response: u64,
    /// How long firedrill was held meanwhile.
    pub held: u64,
}

/// What the run is made of; fields are changed at will before it is written.
#[derive(Clone)]
pub struct Run {
    pub scenario: String,
    pub plan: Plan,
    pub operations: Vec<Operation>,
    /// Samples of probes: seconds since the timeline's start, series, value.
    pub probes: Vec<(f64, String, f64)>,
    /// Seconds of the timeline in which firedrill was stopped: it sampled nothing of itself.
    pub stopped: Vec<u64>,
    /// Seconds in which firedrill lost more than half of its time, again and again.
    pub frozen: Vec<u64>,
    pub early: Option<(u64, EarlyEnd)>,
    pub strict: bool,
    pub mode: Mode,
    pub stand_ins: u64,
    /// When the heads of good answers came, after the first byte sent.
    pub head: Option<u64>,
    pub closes: Closes,
    pub calibration: Option<Calibration>,
    /// The least share of a second that the first load thread was busy.
    pub busy: f64,
    /// Seconds in which the load threads had next to nothing to do.
    pub idle: Vec<u64>,
    pub warnings: Vec<String>,
    /// Events of a drill, by their instant since the timeline's start.
    pub drill: Vec<(u64, Event)>,
    pub ledger: Vec<LedgerLine>,
    /// Phases that ended before their time, with their end since the timeline's start.
    pub waited: Vec<(String, u64)>,
    /// False when firedrill was killed: no `ended`, no manifest.
    pub ended: bool,
}

impl Run {
    /// A run of the scenario in which nothing was due.
    pub fn empty(scenario: &str) -> Run {
        let plan = Plan::parse(scenario, &Given::named("test.yaml"))
            .unwrap_or_else(|problems| panic!("{problems}"));
        Run {
            scenario: scenario.to_owned(),
            plan,
            operations: Vec::new(),
            probes: Vec::new(),
            stopped: Vec::new(),
            early: None,
            strict: false,
            mode: Mode::Rehearsal,
            calibration: None,
            frozen: Vec::new(),
            busy: 0.21,
            idle: Vec::new(),
            stand_ins: 0,
            head: None,
            closes: Closes::default(),
            warnings: Vec::new(),
            drill: Vec::new(),
            ledger: Vec::new(),
            waited: Vec::new(),
            ended: true,
        }
    }

    /// A run in which each series of the plan has `rate` operations a second, all of them as `fate` says:
    /// given the second and the index of the operation in it, the outcome and the response time.
    pub fn steady(scenario: &str, rate: u64, fate: impl Fn(u64, u64) -> (Outcome, u64)) -> Run {
        let mut run = Run::empty(scenario);
        let mut start = 0;
        for phase in &run.plan.timeline {
            let seconds = phase.length.as_secs();
            for series in run.plan.series() {
                for index in 0..seconds * rate {
                    let (second, within) = (start + index / rate, index % rate);
                    let (outcome, response) = fate(second, within);
                    run.operations.push(Operation {
                        phase: phase.name.clone(),
                        series: series.name.clone(),
                        due: second * SECOND + within * SECOND / rate,
                        lateness: 30_000,
                        outcome,
                        response,
                        held: 0,
                    });
                }
            }
            start += seconds;
        }
        run
    }

    /// Like [`Run::steady`] with every operation ok after 3 ms.
    pub fn good(scenario: &str, rate: u64) -> Run {
        Run::steady(scenario, rate, |_, _| (Outcome::Ok, 3 * MS))
    }

    pub fn each(mut self, change: impl Fn(&mut Operation)) -> Run {
        self.operations.iter_mut().for_each(change);
        self
    }

    pub fn files(&self) -> Memory {
        let mut files = BTreeMap::from([
            (file::PLAN.to_owned(), self.scenario.clone().into_bytes()),
            (file::EVENTS.to_owned(), self.events()),
            (file::BUCKETS.to_owned(), self.buckets()),
            (file::LATENCY.to_owned(), self.latency()),
            (file::SAMPLES.to_owned(), self.samples()),
        ]);
        if !self.ledger.is_empty() {
            let mut writer = LedgerWriter::new(Vec::new());
            self.ledger
                .iter()
                .for_each(|line| writer.write(line).unwrap());
            files.insert(file::LEDGER.to_owned(), writer.into_inner());
        }
        if self.ended {
            let manifest = Manifest::of(&Memory(files.clone())).unwrap();
            files.insert(MANIFEST.to_owned(), manifest.to_json());
        }
        Memory(files)
    }

    pub fn recording(&self) -> Recording {
        Recording::read(&self.files() as &dyn Files).unwrap()
    }

    pub fn judged(&self) -> ResultDocument {
        judge(&self.recording(), None)
    }

    fn length(&self) -> u64 {
        self.plan.length().as_nanos() as u64
    }

    fn events(&self) -> Vec<u8> {
        let mut events: Vec<Timed> = Vec::new();
        let mut write = |at, event| events.push(Timed { at, event });
        write(0, Event::Started(self.started()));
        write(
            ZERO - MS,
            Event::SessionsOpened {
                load: "load".into(),
                asked: 10,
                opened: 10,
                failures: BTreeMap::new(),
            },
        );
        write(ZERO, Event::TimelineStarted);
        for text in &self.warnings {
            write(ZERO, Event::Warning { text: text.clone() });
        }
        let stop = self.early.map_or(u64::MAX, |(at, _)| at);
        let mut start = 0;
        for phase in &self.plan.timeline {
            let waited = self.waited.iter().find(|(name, _)| *name == phase.name);
            let planned = start + phase.length.as_nanos() as u64;
            let end = waited.map_or(planned, |(_, end)| *end);
            if start < stop {
                write(
                    ZERO + start,
                    Event::PhaseStarted {
                        phase: phase.name.clone(),
                    },
                );
            }
            if waited.is_some() && end <= stop {
                let phase = phase.name.clone();
                write(ZERO + end, Event::Waited { phase });
            }
            if end <= stop && (self.ended || end < self.length()) {
                write(
                    ZERO + end,
                    Event::PhaseEnded {
                        phase: phase.name.clone(),
                    },
                );
            }
            // The phase that is under way ends with the run.
            if start < stop && stop < end {
                let phase = phase.name.clone();
                write(ZERO + stop, Event::PhaseEnded { phase });
            }
            start = end;
        }
        if let Some((at, reason)) = self.early {
            write(
                ZERO + at,
                Event::EndedEarly {
                    reason,
                    detail: "SIGINT".into(),
                },
            );
        }
        if self.ended {
            let end = ZERO + self.length().min(stop) + SECOND;
            write(end, Event::LoadEnded);
            write(
                end,
                Event::Ended {
                    totals: self.totals(),
                },
            );
        }
        for (at, event) in &self.drill {
            write(ZERO + at, event.clone());
        }
        // Stable: what was written first of an instant stays first.
        events.sort_by_key(|timed| timed.at);
        let mut writer = EventsWriter::new(Vec::new());
        events.iter().for_each(|event| writer.write(event).unwrap());
        writer.into_inner()
    }

    fn started(&self) -> Started {
        Started {
            recording_version: 1,
            firedrill_version: "0.1.0".into(),
            id: format!("20261123T071500Z-{}-7314402", self.plan.name),
            scenario: self.plan.name.clone(),
            seed: 7_314_402,
            started: "2026-11-23T07:15:00Z".into(),
            mode: self.mode,
            target: "embedded: primary (1 node, 2 pods)".into(),
            command: format!("firedrill run {} --seed 7314402", self.plan.name),
            strict: self.strict,
            threads: 2,
            environment: environment(),
            calibration: self.calibration,
            tls: false,
            preflight: vec!["a timer wakes 0.031 ms late (p99 of 1,000)".into()],
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            cpu_ns: self.operations.len() as u64 * 12_000,
            rss_max_bytes: 48 << 20,
            connections_max: 12,
            connections_opened: 14,
            bytes_sent: self.operations.len() as u64 * 310,
            bytes_received: self.operations.len() as u64 * 420,
            sessions: SessionTotals {
                opened: 10,
                deleted: 10,
                ..SessionTotals::default()
            },
            stand_ins: self.stand_ins,
            closes: self.closes,
            unsent: Some(self.unsent()),
            ..Totals::default()
        }
    }

    /// What has no connection, or is `not_sent` by its outcome, was not sent.
    fn unsent(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let mut unsent: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for operation in &self.operations {
            let outcome = operation.outcome;
            if outcome.is_not_sent() || outcome.class() == "connect" {
                let phase = unsent.entry(operation.phase.clone()).or_default();
                *phase.entry(outcome.to_string()).or_default() += 1;
            }
        }
        unsent
    }

    fn buckets(&self) -> Vec<u8> {
        let limits = self.plan.latency_limits();
        let limits_ns: Vec<u64> = limits.iter().map(|limit| limit.as_nanos() as u64).collect();
        let late = limits
            .first()
            .map_or(MS, |limit| MS.max(limit.as_nanos() as u64 / 10));
        let width = self.plan.bucket.as_nanos() as u64;
        let mut buckets: BTreeMap<(u64, &str, &str), Bucket> = BTreeMap::new();
        for operation in &self.operations {
            let key = (
                operation.due / width,
                operation.phase.as_str(),
                operation.series.as_str(),
            );
            let bucket = buckets.entry(key).or_insert_with(|| Bucket {
                bucket: key.0,
                phase: key.1.into(),
                series: key.2.into(),
                over: vec![0; limits.len()],
                ours_over: vec![0; limits.len()],
                ..Bucket::default()
            });
            let ok = operation.outcome.is_ok();
            let over = |limit: u64| ok && operation.response >= limit;
            let over_by_us = |limit: u64| {
                let own = operation.response - operation.held;
                over(limit) && (operation.lateness > late || own < limit)
            };
            let of_no_use = limits_ns.first().is_some_and(|limit| over_by_us(*limit));
            let ours = operation.lateness > late || of_no_use;
            *bucket.outcomes.entry(operation.outcome).or_default() += 1;
            bucket.ours += u64::from(ours);
            bucket.ours_failed += u64::from(ours && !ok);
            for (index, limit) in limits_ns.iter().enumerate() {
                bucket.over[index] += u64::from(over(*limit));
                bucket.ours_over[index] += u64::from(over_by_us(*limit));
            }
        }
        let mut writer = BucketsWriter::new(Vec::new(), &limits).unwrap();
        for bucket in buckets.values() {
            writer.write(bucket).unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn latency(&self) -> Vec<u8> {
        let mut seconds: BTreeMap<(u64, Tag), Histogram<u32>> = BTreeMap::new();
        let mut record = |at: u64, tag: Tag, value: u64| {
            let times = seconds
                .entry((at / SECOND, tag))
                .or_insert_with(empty_histogram);
            times.saturating_record(value);
        };
        for operation in &self.operations {
            let group = if operation.outcome.is_ok() {
                Group::Ok
            } else {
                Group::Failed
            };
            let own = |measure| Tag {
                phase: operation.phase.clone(),
                series: operation.series.clone(),
                group,
                measure,
            };
            let shared = |measure| Tag {
                series: "*".into(),
                group: Group::All,
                ..own(measure)
            };
            let end = operation.due + operation.response;
            record(end, own(Measure::Response), operation.response);
            if !operation.outcome.is_not_sent() {
                let service = operation.response.saturating_sub(operation.lateness);
                record(end, own(Measure::Service), service);
                if let Some(head) = self.head.filter(|_| group == Group::Ok) {
                    record(end, own(Measure::Head), head);
                }
                record(end, shared(Measure::Lateness), operation.lateness);
                record(end, shared(Measure::Waiting), 20_000);
            }
        }
        let mut writer =
            LatencyLogWriter::new(Vec::new(), Duration::from_secs(1_795_418_100)).unwrap();
        for ((second, tag), times) in &seconds {
            let start = Duration::from_nanos(ZERO) + Duration::from_secs(*second);
            writer
                .write(tag, times, start, Duration::from_secs(1))
                .unwrap();
        }
        writer.into_inner()
    }

    fn samples(&self) -> Vec<u8> {
        let mut samples: Vec<Sample> = Vec::new();
        for second in (0..self.length() / SECOND).filter(|second| !self.stopped.contains(second)) {
            let at_ns = ZERO + (second + 1) * SECOND;
            let mut add = |series: &str, value| {
                samples.push(Sample {
                    at_ns,
                    series: series.to_owned(),
                    value,
                });
            };
            let dispatched = self.operations.iter().filter(|operation| {
                let at = operation.due + operation.lateness;
                at / SECOND == second && !operation.outcome.is_not_sent()
            });
            let mut lateness: Vec<u64> = dispatched.map(|operation| operation.lateness).collect();
            lateness.sort_unstable();
            if let Some(last) = lateness.len().checked_sub(1) {
                add(series::LATENESS_P99, lateness[last * 99 / 100] as f64);
            }
            add(
                &format!("{}0", series::BUSY),
                (self.busy + 0.01 * (second % 5) as f64)
                    * if self.idle.contains(&second) {
                        0.1
                    } else {
                        1.0
                    },
            );
            add(&format!("{}1", series::BUSY), 0.19);
            if !self.frozen.is_empty() {
                let lost = if self.frozen.contains(&second) {
                    0.6
                } else {
                    0.0
                };
                add(series::LOST, lost * SECOND as f64);
            }
            add(series::CPU_PRESSURE, 0.02);
            add(series::RSS, (47 << 20) as f64);
            add(series::CONNECTIONS, 12.0);
            let end = (second + 1) * SECOND;
            let under_way = self.operations.iter().filter(|operation| {
                let sent = operation.due + operation.lateness;
                sent <= end && end < operation.due + operation.response
            });
            add(series::IN_FLIGHT, under_way.count() as f64);
        }
        for (at, name, value) in &self.probes {
            let at_ns = ZERO + (at * 1e9) as u64;
            samples.push(Sample {
                at_ns,
                series: format!("{}{name}", series::PROBE),
                value: *value,
            });
        }
        samples.sort_by_key(|sample| sample.at_ns);
        let mut writer = SamplesWriter::new(Vec::new()).unwrap();
        for sample in &samples {
            writer.write(sample).unwrap();
        }
        writer.into_inner().unwrap()
    }
}

/// The machine that ran none of them.
pub fn environment() -> Environment {
    Environment {
        os: "Debian GNU/Linux 13".into(),
        kernel: "6.12.0".into(),
        cpu: "AMD EPYC 9454P 48-Core Processor".into(),
        cores: 2,
        memory_bytes: 8 << 30,
        host: "bench-01".into(),
        open_files_limit: 20_000,
    }
}
