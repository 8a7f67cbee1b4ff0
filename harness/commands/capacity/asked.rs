//! What was typed to where, and how finely, is searched.

use anyhow::{Context as _, bail};
use firedrill_reports::capacity::{Form, Settings};

use crate::capacity::trial::Steady;
use crate::cli::{CapacityOptions, Level, RunOptions};
use crate::commands::run::{driven_by, quoted, threads};
use crate::load::tally::Layout;
use crate::observe::machine;
use crate::preflight::{self, Room, Shortage};

/// Where nobody says how far to go.
const MOST_RATE: f64 = 1_000_000.0;
const MOST_SESSIONS: f64 = 10_000.0;

pub struct Asked {
    pub settings: Settings,
    pub at_least: Option<f64>,
}

impl Asked {
    /// # Errors
    /// When levels are of the other form, or leave nothing to search.
    pub fn of(options: &CapacityOptions, steady: &Steady) -> anyhow::Result<Asked> {
        let level = |name, typed: Option<Level>| {
            typed
                .map(|typed| of_form(name, typed, steady.form))
                .transpose()
        };
        let enough = steady.least(options.trial);
        let at_least = level("--at-least", options.at_least)?;
        let from = match level("--from", options.from)? {
            Some(from) => from,
            // What the scenario does may be more than what has to be carried, and less than a short trial can judge.
            None => at_least
                .unwrap_or(f64::MAX)
                .min(steady.own_level())
                .max(enough),
        };
        steady.holds_enough(from, options.trial)?;
        let most = match level("--most", options.most)? {
            Some(most) => most,
            None => default_most(options, steady, from),
        };
        if most <= from {
            bail!(
                "the search goes from {} to {}, and has nowhere to go: lower --from, or raise --most",
                options.from.map_or_else(
                    || format!("{} (without --from)", in_form(from, steady.form)),
                    |from| from.to_string()
                ),
                options.most.unwrap_or(in_form(most, steady.form))
            );
        }
        if at_least.is_some_and(|wanted| wanted > most) {
            let wanted = options
                .at_least
                .map_or(String::new(), |own| own.to_string());
            match options.most {
                Some(end) => bail!(
                    "--at-least {wanted} lies beyond --most {end}, where the search ends: raise --most"
                ),
                None => bail!(
                    "--at-least {wanted} lies beyond {}, where the search ends on this machine: lower --at-least, or \
                     give --most and the room for it",
                    in_form(most, steady.form)
                ),
            }
        }
        refuse(options, steady, most).with_context(|| {
            let most = in_form(most, steady.form);
            format!("the search may not go up to {most} (see --most) on this machine")
        })?;
        let settings = Settings {
            from,
            least: steady.gentle(from).max(enough).min(from),
            most,
            precision: options.precision,
            repeats: options.repeats,
            trials: options.trials,
            whole: steady.form == Form::Closed,
        };
        Ok(Asked { settings, at_least })
    }
}

/// The level as it would be typed.
fn in_form(level: f64, form: Form) -> Level {
    match form {
        Form::Open => Level::Rate(level),
        Form::Closed => Level::Sessions(level as u32),
    }
}

fn of_form(name: &str, typed: Level, form: Form) -> anyhow::Result<f64> {
    match (typed, form) {
        (Level::Rate(rate), Form::Open) => Ok(rate),
        (Level::Sessions(sessions), Form::Closed) => Ok(f64::from(sessions)),
        (Level::Sessions(number), Form::Open) => {
            bail!("the scenario's load is open, and its rate is turned up: write {name} {number}/s")
        }
        (Level::Rate(rate), Form::Closed) => bail!(
            "the scenario's load is closed, and its sessions are turned up: write {name} {:.0}",
            rate.max(1.0)
        ),
    }
}

/// Sessions need files and ports: as many as this machine has room for.
fn default_most(options: &CapacityOptions, steady: &Steady, from: f64) -> f64 {
    let mut most = match steady.form {
        Form::Open => MOST_RATE,
        Form::Closed => MOST_SESSIONS,
    };
    while most / 2.0 > from && refuse(options, steady, most).is_err() {
        most = (most / 2.0).floor();
    }
    most
}

/// Refuses what this machine has too little for, before anything is started.
fn refuse(options: &CapacityOptions, steady: &Steady, most: f64) -> Result<(), Shortage> {
    let plan = steady.at(most, options.trial);
    let threads = threads(&as_run(options), machine::environment().cores);
    preflight::check(&plan, &Layout::of(&plan), threads, Room::of_machine())
}

/// The same words for one of its runs.
pub fn as_run(options: &CapacityOptions) -> RunOptions {
    RunOptions {
        scenarios: vec![options.scenario.clone()],
        target: options.target.clone(),
        seed: options.seed,
        overrides: options.overrides.clone(),
        out: options.out.clone(),
        dry_run: false,
        strict: false,
        sabotage: None,
        allow_host: options.allow_host.clone(),
        threads: options.threads,
        no_calibration: options.no_calibration,
    }
}

/// The line that does the same again.
pub fn in_words(options: &CapacityOptions, seed: u64) -> String {
    let mut words = vec![format!(
        "firedrill capacity {} --seed {seed}",
        quoted(&options.scenario)
    )];
    let levels = [
        ("--from", options.from),
        ("--most", options.most),
        ("--at-least", options.at_least),
    ];
    let levels = levels
        .into_iter()
        .filter_map(|(name, level)| Some(format!("{name} {}", level?)));
    words.extend(levels);
    words.push(format!(
        "--trial {}ms --rest {}ms",
        options.trial.as_millis(),
        options.rest.as_millis()
    ));
    words.push(format!(
        "--repeats {} --precision {}% --trials {}",
        options.repeats,
        options.precision * 100.0,
        options.trials
    ));
    words.extend(driven_by(&as_run(options)));
    words.join(" ")
}
