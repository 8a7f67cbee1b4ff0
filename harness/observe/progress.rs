//! What a person reads while the run goes on: on a terminal one line that is rewritten each second, elsewhere
//! one line an interval, so that a log stays short.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use firedrill_reports::recording::{Group, Measure, empty_histogram};
use firedrill_scenarios::Outcome;
use hdrhistogram::Histogram;

use crate::clock::Nanos;
use crate::load::engine::Second;
use crate::load::tally::{Histograms, Layout};

/// A line on stderr. A reader that has gone away has seen what it wanted, and the run goes on: `eprintln!` would panic.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

const SECOND: Nanos = 1_000_000_000;
/// Seconds between lines where there is no terminal.
const INTERVAL: u64 = 5;

/// What was counted since the last line.
pub struct Progress {
    terminal: bool,
    /// Nobody is to read anything.
    quiet: bool,
    shown: bool,
    /// Intervals since the last line, and buckets that were closed in them.
    seconds: u64,
    buckets: u64,
    outcomes: BTreeMap<Outcome, u64>,
    latency: Histogram<u32>,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress::new(std::io::stderr().is_terminal())
    }
}

impl Progress {
    pub fn new(terminal: bool) -> Progress {
        Progress {
            terminal,
            quiet: false,
            shown: false,
            seconds: 0,
            buckets: 0,
            outcomes: BTreeMap::new(),
            latency: empty_histogram(),
        }
    }

    /// Of a run that is one of many, whose line is another's.
    pub fn quiet() -> Progress {
        Progress {
            quiet: true,
            ..Progress::new(false)
        }
    }

    /// Takes in one second; `since_start` counts from the start of the timeline.
    pub fn add(&mut self, layout: &Layout, second: &Second, since_start: Nanos, phase: &str) {
        let mut last = None;
        for (bucket, _, cells) in &second.closed {
            // A bucket on the border of two phases comes twice.
            self.buckets += u64::from(last.replace(*bucket) != Some(*bucket));
            for (outcome, count) in cells.iter().flat_map(|cell| &cell.outcomes) {
                *self.outcomes.entry(*outcome).or_default() += count;
            }
        }
        for histogram in answered(&second.histograms, layout) {
            // Both have the same bounds, which is the only way that adding can fail.
            let _ = self.latency.add(histogram);
        }
        self.seconds += 1;
        if self.quiet {
            return;
        }
        if self.terminal || self.seconds >= INTERVAL {
            let width = layout.bucket as f64 / SECOND as f64;
            let line = self.line(since_start, phase, second.in_flight, width);
            self.show(&line);
        }
    }

    fn show(&mut self, line: &str) {
        let mut out = std::io::stderr().lock();
        // Progress that nobody can read is no reason to stop.
        let _ = match self.terminal {
            true => write!(out, "\r\x1b[K{line}").and_then(|()| out.flush()),
            false => writeln!(out, "{line}"),
        };
        self.shown = self.terminal;
        self.seconds = 0;
        self.buckets = 0;
        self.outcomes.clear();
        self.latency.reset();
    }

    /// Ends a line that would be rewritten, before something else is printed.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }

    fn line(&self, since_start: Nanos, phase: &str, in_flight: u32, width: f64) -> String {
        let due: u64 = self.outcomes.values().sum();
        let ok = self.outcomes.get(&Outcome::Ok).copied().unwrap_or(0);
        let seconds = since_start / SECOND;
        let mut line = format!(" {:02}:{:02} {phase:<10}", seconds / 60, seconds % 60);
        let span = self.buckets.max(1) as f64 * width;
        let rate = |count: u64| (count as f64 / span).round();
        let _ = write!(line, " {:>6}/s due {:>6}/s ok", rate(due), rate(ok));
        if self.latency.is_empty() {
            line.push_str("   p99       -   ");
        } else {
            let p99 = self.latency.value_at_quantile(0.99) as f64 / 1e6;
            let _ = write!(line, "   p99 {p99:>7.1} ms");
        }
        if due > 0 {
            let _ = write!(
                line,
                "   errors {:.2} %",
                (due - ok) as f64 * 100.0 / due as f64
            );
        }
        let _ = write!(line, "   {in_flight} in flight");
        let worst = self.outcomes.iter().filter(|(outcome, _)| !outcome.is_ok());
        if let Some((outcome, count)) = worst.max_by_key(|(_, count)| **count) {
            let _ = write!(line, "   {outcome} {count}");
        }
        line
    }
}

/// Response times of everything that ended ok.
fn answered<'a>(
    histograms: &'a Histograms,
    layout: &'a Layout,
) -> impl Iterator<Item = &'a Histogram<u32>> {
    histograms
        .tagged(layout)
        .filter(|(tag, _)| tag.measure == Measure::Response && tag.group == Group::Ok)
        .map(|(_, histogram)| histogram)
}
