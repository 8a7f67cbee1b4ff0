//! What each command does. Logs and progress go to stderr; stdout carries what was asked for.
//!
//! - `run`: scenarios to verdicts
//! - `programme`: several drills in one folder, and one report
//! - `capacity`: the highest load that a target carries
//! - `folder`: `judge` and `report`, from a recording alone
//! - `pins`: what a run would hit, before it does
//! - `heal`: what a run left broken, undone
//! - `serve`: stand-in sites that stay

mod capacity;
mod folder;
mod heal;
mod pins;
mod programme;
mod run;
mod serve;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use firedrill_reports::Verdict;
use firedrill_reports::recording::RecordingError;
use firedrill_scenarios::Plan;

use crate::cli::{CheckOptions, SchemaOf};
use crate::conduct::RunError;
use crate::exit::Exit;
use crate::load::sink::Sink;
use crate::load::sink::channel::Trust;
use crate::observe::progress::note;
use crate::preflight::Shortage;
use crate::record::RecordError;
use crate::scenario::{self, ScenarioError};
use crate::signals::EndedEarly;
use crate::target::TargetError;

pub use capacity::capacity;
pub use folder::{judge, report};
pub use heal::heal;
pub use run::run;
pub use serve::serve;

/// An error with its causes in one line. What is said already is not said again.
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            let between = if text.is_empty() { "" } else { ": " };
            text.push_str(between);
            text.push_str(&cause);
        }
    }
    if text.starts_with("error: ") {
        return text;
    }
    format!("error: {text}")
}

/// The exit code of an error, by where it came from.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<ScenarioError>() || cause.is::<RecordError>() {
            return Exit::Usage;
        }
        if cause.is::<TargetError>() || cause.is::<Shortage>() {
            return Exit::Target;
        }
        if let Some(recording) = cause.downcast_ref::<RecordingError>() {
            return match recording {
                RecordingError::Missing { .. } => Exit::Usage,
                _ => Exit::Invalid,
            };
        }
        if cause.is::<EndedEarly>() {
            return Exit::Interrupted;
        }
        if cause.is::<RunError>() {
            return Exit::Bug;
        }
    }
    Exit::Usage
}

/// The exit code of a verdict.
pub fn exit_of_verdict(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Pass,
        Verdict::Fail => Exit::Fail,
        Verdict::Inconclusive => Exit::Inconclusive,
        Verdict::Invalid => Exit::Invalid,
    }
}

/// Tests have the program killed at a position of its journal, or have it panic there: `FIREDRILL_DIE_AT` and
/// `FIREDRILL_PANIC_AT` name it.
fn checkpoint(position: u64) {
    let is_wanted = |name: &str| {
        let wanted = std::env::var(name).ok();
        wanted.and_then(|text| text.parse().ok()) == Some(position)
    };
    if is_wanted("FIREDRILL_DIE_AT") {
        // As sudden as a power cut: nothing is cleaned up.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    assert!(
        !is_wanted("FIREDRILL_PANIC_AT"),
        "asked for at position {position} of the journal"
    );
}

/// Prints to stdout. A reader that has gone away has seen what it wanted.
fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

pub fn check(options: &CheckOptions) -> anyhow::Result<Exit> {
    if let Some(found) = programme::named(std::slice::from_ref(&options.scenario))? {
        return programme::check(&found, &options.overrides.set);
    }
    let plan = scenario::load(&options.scenario, &options.overrides.set)?;
    warn_of(&plan);
    say(&plan.describe());
    Ok(Exit::Pass)
}

/// Things that are allowed and probably not meant.
fn warn_of(plan: &Plan) {
    for warning in &plan.notes.warnings {
        note(&format!("warning:\n{warning}"));
    }
}

pub fn list() -> anyhow::Result<Exit> {
    let programmes = firedrill_scenarios::programmes();
    let width = firedrill_scenarios::catalog()
        .iter()
        .chain(programmes)
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or(0);
    for (name, _) in firedrill_scenarios::catalog() {
        let plan = scenario::load(name, &[])?;
        say(&format!("{name:<width$}  {}\n", plan.about));
    }
    for (name, text) in programmes {
        say(&format!(
            "{name:<width$}  {}\n",
            firedrill_scenarios::about(text)
        ));
    }
    Ok(Exit::Pass)
}

/// Answers whatever comes, until the process is ended.
pub fn sink(address: SocketAddr, authority: Option<&Path>) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        address.ip().is_loopback(),
        "the sink answers whoever asks, and {address} is not loopback: write 127.0.0.1:0, or leave the address out"
    );
    let mut sink = Sink::listen(address).with_context(|| format!("cannot listen on {address}"))?;
    let mut scheme = "http";
    if let Some(file) = authority {
        let trust = Trust::new(address.ip())?;
        std::fs::write(file, &trust.authority)
            .with_context(|| format!("`{}` cannot be written", file.display()))?;
        sink = sink.secured(trust.config);
        scheme = "https";
    }
    say(&format!("listening: {scheme}://{}/mcp\n", sink.address()?));
    sink.serve_while(|| true)?;
    Ok(Exit::Pass)
}

pub fn schema(of: SchemaOf) -> anyhow::Result<Exit> {
    let schema = match of {
        SchemaOf::Scenario => firedrill_scenarios::schema(),
        SchemaOf::Programme => firedrill_scenarios::programme_schema(),
        SchemaOf::Result => firedrill_reports::schema(),
        SchemaOf::Capacity => firedrill_reports::capacity_schema(),
    };
    say(&format!("{}\n", serde_json::to_string_pretty(&schema)?));
    Ok(Exit::Pass)
}
