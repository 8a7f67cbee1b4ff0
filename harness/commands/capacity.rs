//! The highest load that a target carries: trials, each a run of its own, until the search knows enough.
//!
//! - `asked`: what was typed to where and how finely is searched
//! - `hunt`: the trials, and what is between them

mod asked;
mod hunt;

use std::path::Path;

use firedrill_reports::capacity::{Begun, EndedBy};
use firedrill_reports::recording::RECORDING_VERSION;
use firedrill_reports::render;

use self::asked::Asked;
use self::hunt::Hunt;
use super::folder::conclude_capacity;
use super::run::{Identity, calibration, identity, overrides, prepare};
use super::{exit_of_verdict, say, warn_of};
use crate::capacity::trial::Steady;
use crate::cli::CapacityOptions;
use crate::clock::Utc;
use crate::exit::Exit;
use crate::observe::machine;
use crate::observe::progress::note;
use crate::record::Recorder;
use crate::scenario;
use crate::signals::Early;
use crate::target::{Ready, endpoint};

/// Finds how much the scenario's target carries.
pub fn capacity(options: &CapacityOptions) -> anyhow::Result<Exit> {
    let run = asked::as_run(options);
    let plan = scenario::load(&options.scenario, &overrides(&run)?)?;
    warn_of(&plan);
    let steady = Steady::of(&plan)?;
    let asked = Asked::of(options, &steady)?;
    endpoint::allow_probes(&plan, &options.allow_host)?;
    let identity = identity(&plan, &run);
    let folder = match &options.out {
        Some(out) => out.clone(),
        None => Path::new("runs").join(format!("{}-capacity", identity.id)),
    };
    Recorder::refuse(&folder)?;
    let mut signals = Early::catch()?;
    note(&format!(
        "firedrill {}   capacity of {}   seed {}   {}",
        env!("CARGO_PKG_VERSION"),
        plan.name,
        identity.seed,
        folder.display()
    ));
    for left_out in &steady.left_out {
        note(&format!("left out: {left_out}"));
    }
    let target = prepare(steady.plan(), &run, identity.seed)?;
    let log = hunt::log_in(&folder)?;
    // Not before all that could refuse the search has been asked.
    let calibration = calibration(&run);
    if let Err(early) = signals.refuse() {
        hunt::forget(&folder);
        return Err(early.into());
    }
    let begun = begun(options, &steady, &asked, &identity, &target);
    let begun = Begun {
        calibration: calibration.clone().unwrap_or_default(),
        ..begun
    };
    let hunt = Hunt::open((&folder, log), &steady, run, begun, target, calibration)?;
    let ended_by = hunt.search()?;
    let found = conclude_capacity(&folder)?;
    say(&render::capacity_lines(&found));
    note(&format!("report: {}", folder.join("report.html").display()));
    Ok(match ended_by {
        EndedBy::Interrupted => Exit::Interrupted,
        _ => exit_of_verdict(found.verdict),
    })
}

/// What was asked, and of whom.
fn begun(
    options: &CapacityOptions,
    steady: &Steady,
    asked: &Asked,
    identity: &Identity,
    target: &Ready,
) -> Begun {
    let plan = steady.plan();
    Begun {
        recording_version: RECORDING_VERSION,
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        id: identity.id.clone(),
        scenario: plan.name.clone(),
        about: plan.about.clone(),
        seed: identity.seed,
        started: Utc::from_unix(identity.started.as_secs()).rfc3339(),
        mode: target.mode,
        target: target.description.clone(),
        command: asked::in_words(options, identity.seed),
        form: steady.form,
        settings: asked.settings,
        trial: options.trial.as_nanos() as u64,
        rest: options.rest.as_nanos() as u64,
        at_least: asked.at_least,
        left_out: steady.left_out.clone(),
        environment: machine::environment(),
        calibration: None,
    }
}
