//! Trials at many levels to one answer: how much the target carries, and what gave way first.
//!
//! - `trial`: one trial's result to what it says about its level
//! - `queue`: whether more and more is under way
//! - `law`: throughput against concurrency
//! - `words`: the answer in words

mod law;
mod queue;
mod trial;
mod words;

use firedrill_evidence::{CONFIDENCE, Verdict};

use crate::capacity::{EndedBy, Outcome, Purpose, Recorded, Settings};
use crate::result::{
    CAPACITY_SCHEMA_VERSION, Capacity, CapacityDocument, CapacityRun, GaveWay, Limit, Trial,
};
pub use trial::trial;
pub use words::{answer, level, outcome as outcome_words};

/// What was found, from the search and its trials, which are in the order in which they were made.
pub fn judge_capacity(recorded: &Recorded, trials: Vec<Trial>) -> CapacityDocument {
    let begun = &recorded.begun;
    let ended_by = recorded
        .ended
        .as_ref()
        .map_or(EndedBy::Interrupted, |(by, _)| *by);
    let capacity = capacity(&begun.settings, &trials);
    let mut document = CapacityDocument {
        schema_version: CAPACITY_SCHEMA_VERSION.to_owned(),
        run: run(recorded),
        verdict: verdict(
            ended_by,
            &capacity,
            begun
                .at_least
                .map(|wanted| Wanted::of(wanted, begun.settings, &trials)),
        ),
        reason: String::new(),
        form: begun.form,
        settings: begun.settings,
        at_least: begun.at_least,
        capacity,
        ended_by,
        gave_way: gave_way(&trials, &capacity, ended_by),
        scalability: law::fitted(&trials),
        trials,
        environment: begun.environment.clone(),
        calibration: begun.calibration,
        warnings: begun.left_out.clone(),
    };
    document.reason = words::reason(
        &document,
        recorded.ended.as_ref().map(|(_, detail)| detail.as_str()),
    );
    if let Some(few) = too_few(&document) {
        document.reason = format!("{few}; {}", document.reason);
    }
    if recorded.ended.is_none() || !recorded.sealed {
        document.verdict = Verdict::Invalid;
        let why = if recorded.ended.is_none() {
            super::words::NO_END
        } else {
            super::words::NO_MANIFEST
        };
        document.reason = why.to_owned();
    }
    document
}

/// Why what was met at or above the wanted level does not decide.
fn too_few(document: &CapacityDocument) -> Option<String> {
    let wanted = Wanted::of(document.at_least?, document.settings, &document.trials);
    let few = document.capacity.lower.is_none() && wanted.missed == 0 && wanted.met > 0;
    (few && document.verdict == Verdict::Inconclusive && !wanted.is_met()).then(|| {
        format!(
            "only {} of the {} trials that decide were met there: raise --trials, or lower --from",
            wanted.met, wanted.needed
        )
    })
}

fn run(recorded: &Recorded) -> CapacityRun {
    let begun = recorded.begun.clone();
    CapacityRun {
        id: begun.id,
        scenario: begun.scenario,
        seed: begun.seed,
        started: begun.started,
        mode: begun.mode,
        target: begun.target,
        firedrill_version: begun.firedrill_version,
        command: begun.command,
        length: recorded.length,
        trial: begun.trial,
        rest: begun.rest,
    }
}

/// Trials of the search itself that say something about the target.
fn decided(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    let decides = |own: &&Trial| matches!(own.outcome, Outcome::Met | Outcome::Missed);
    trials
        .iter()
        .filter(|own| own.purpose == Purpose::Trial)
        .filter(decides)
}

fn capacity(settings: &Settings, trials: &[Trial]) -> Capacity {
    let mut belief = settings.belief();
    for own in decided(trials) {
        belief.see(own.level, own.outcome == Outcome::Met);
    }
    let held = |level: f64| {
        let at = || decided(trials).filter(move |own| own.level == level);
        at().filter(|own| own.outcome == Outcome::Met).count() * 2 > at().count()
    };
    let levels = || decided(trials).map(|own| own.level);
    let met = levels().filter(|level| held(*level)).reduce(f64::max);
    let missed = levels().filter(|level| !held(*level)).reduce(f64::min);
    let mut found = Capacity {
        confidence: CONFIDENCE,
        met,
        missed,
        completed_per_second: met.and_then(|level| completed(trials, level)),
        ..Capacity::default()
    };
    // One side alone is a bound, and no interval.
    if met.is_some() && missed.is_some() {
        let (lower, upper) = belief.interval();
        let told =
            |level: f64| settings.settled(if settings.whole { level.floor() } else { level });
        found.lower = Some(told(lower));
        // Nor is the end of the search an upper bound of what lies beyond it.
        if !belief.reaches_most() {
            found.estimate = Some(told(belief.quantile(0.5)));
            found.upper = Some(told(upper));
        }
    }
    found
}

/// The mean over the trials at this level.
fn completed(trials: &[Trial], level: f64) -> Option<f64> {
    let at = decided(trials).filter(|own| own.level == level);
    let rates: Vec<f64> = at.filter_map(|own| own.completed_per_second).collect();
    (!rates.is_empty())
        .then(|| (rates.iter().sum::<f64>() / rates.len() as f64 * 1000.0).round() / 1000.0)
}

/// At the lowest level that was missed where the capacity lies; else the generator, where it ended the search.
fn gave_way(trials: &[Trial], capacity: &Capacity, ended_by: EndedBy) -> Option<GaveWay> {
    let of = |own: &Trial, what: Limit| GaveWay {
        what,
        level: own.level,
        trial: own.number,
        reason: own.reason.clone(),
    };
    if ended_by == EndedBy::Generator {
        let ours = || untrusted(trials).filter(|own| !own.met_silence());
        // A hiccup at a level that was met when it was made again is none at which anything gave way.
        let met = capacity.met.unwrap_or(0.0);
        let beyond = ours().filter(|own| own.level > met);
        let first = lowest(beyond).or_else(|| lowest(ours()))?;
        return Some(of(first, Limit::Generator));
    }
    let missed = || missed(trials).filter(|own| own.purpose == Purpose::Trial);
    // A hiccup far below what the target carries is no level at which it gave way.
    let lower = capacity.lower.unwrap_or(0.0);
    let within = missed().filter(|own| own.level >= lower);
    let first = lowest(within).or_else(|| lowest(missed()))?;
    Some(of(first, first.limit?))
}

/// A check has a load of its own, which is no level that gave way.
fn untrusted(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    let of_search = trials.iter().filter(|own| own.purpose == Purpose::Trial);
    of_search.filter(|own| own.outcome == Outcome::Untrusted)
}

fn missed(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    trials.iter().filter(|own| own.outcome == Outcome::Missed)
}

fn lowest<'a>(trials: impl Iterator<Item = &'a Trial>) -> Option<&'a Trial> {
    trials.min_by(|one, other| one.level.total_cmp(&other.level))
}

/// A level that has to be carried, and the trials there or above it.
struct Wanted {
    level: f64,
    met: u32,
    missed: u32,
    /// So many have to be met where there is no interval: as often as a level is tried that decides.
    needed: u32,
    /// All that was missed lies above it, and something ended ok there: nobody knows of this level.
    untried: bool,
}

impl Wanted {
    fn of(level: f64, settings: Settings, trials: &[Trial]) -> Wanted {
        let count = |outcome| {
            let there = decided(trials).filter(|own| own.level >= level);
            there.filter(|own| own.outcome == outcome).count() as u32
        };
        Wanted {
            level,
            met: count(Outcome::Met),
            missed: count(Outcome::Missed),
            needed: settings.repeats,
            untried: lowest(missed(trials))
                .is_some_and(|own| own.level > level && own.failed != Some(1.0)),
        }
    }

    /// Where nothing was missed there is no interval, and what was met often enough is carried.
    fn is_met(&self) -> bool {
        self.missed == 0 && self.met >= self.needed
    }
}

fn verdict(ended_by: EndedBy, capacity: &Capacity, at_least: Option<Wanted>) -> Verdict {
    match ended_by {
        EndedBy::NothingMet if at_least.as_ref().is_some_and(|wanted| wanted.untried) => {
            return Verdict::Inconclusive;
        }
        EndedBy::NotRecovered | EndedBy::TargetLost | EndedBy::NothingMet => return Verdict::Fail,
        // What was cut short did not do all that was asked of it.
        EndedBy::Interrupted => return Verdict::Inconclusive,
        EndedBy::Precision
        | EndedBy::Budget
        | EndedBy::Most
        | EndedBy::Generator
        | EndedBy::Probe
        | EndedBy::TooLittle => {}
    }
    if let Some(wanted) = &at_least {
        let carried = match capacity.lower {
            Some(lower) => lower >= wanted.level,
            None => wanted.is_met(),
        };
        if carried {
            return Verdict::Pass;
        }
        if capacity.upper.is_some_and(|upper| upper < wanted.level) {
            return Verdict::Fail;
        }
        // The generator was no limit to what was met, but too seldom.
        if wanted.met > 0 {
            return Verdict::Inconclusive;
        }
    }
    match ended_by {
        EndedBy::Generator | EndedBy::Probe => Verdict::Invalid,
        EndedBy::Precision if at_least.is_none() && capacity.upper.is_some() => Verdict::Pass,
        _ => Verdict::Inconclusive,
    }
}
