//! Scenarios to verdicts: parsed, checked against machine and target, run, judged, reported.

mod single;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use firedrill_reports::recording::EarlyEnd;
use firedrill_reports::{ResultDocument, Verdict, render};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::Target;

use super::folder::{conclude, say_verdict, tell};
use super::{exit_of, exit_of_verdict, pins, programme, say, warn_of};
use crate::cli::RunOptions;
use crate::clock::{self, Utc};
use crate::conduct::sabotage::ends_with_run;
use crate::exit::Exit;
use crate::load::tally::Layout;
use crate::observe::machine;
use crate::observe::progress::{Progress, note};
use crate::preflight::{self, Room};
use crate::record::Recorder;
use crate::scenario;
use crate::signals::Early;
use crate::target::world;
use crate::target::{Ready, embedded, endpoint};
pub(super) use single::{Identity, Run, calibration, threads};

/// Runs every scenario that was named, or a programme of them. All are checked before the first one starts.
pub fn run(options: &RunOptions) -> anyhow::Result<Exit> {
    if let Some(found) = programme::named(&options.scenarios)? {
        return programme::run(&found, options);
    }
    let overrides = overrides(options)?;
    let mut plans = Vec::new();
    for name in &options.scenarios {
        let plan = scenario::load(name, &overrides)?;
        warn_of(&plan);
        fits(&plan, options)?;
        plans.push(plan);
    }
    differ(&plans, options)?;
    match plans.as_slice() {
        [plan] => {
            let ended = run_one(plan, options, false)?;
            ended.result.as_ref().map(say_verdict);
            Ok(ended.exit)
        }
        plans => Ok(run_several(plans, options)),
    }
}

/// How one scenario's run ended.
pub(super) struct Ended {
    pub exit: Exit,
    /// None of a dry run.
    pub result: Option<ResultDocument>,
}

/// One after the other. Each scenario's verdict follows its checks, and the worst one is the last word.
fn run_several(plans: &[Plan], options: &RunOptions) -> Exit {
    let mut exits = Exit::Pass;
    let mut verdicts = Vec::new();
    for plan in plans {
        let ended = if exits == Exit::Interrupted {
            None
        } else {
            match run_one(plan, options, true) {
                Ok(ended) => {
                    exits = exits.worst(ended.exit);
                    ended.result.map(|result| {
                        say(&render::lines(&result));
                        result.verdict
                    })
                }
                Err(error) => {
                    note(&format!("{}: {}", plan.name, super::explain(&error)));
                    exits = exits.worst(exit_of(&error));
                    None
                }
            }
        };
        if !options.dry_run {
            let word = ended.map_or("not run".to_owned(), |verdict| verdict.to_string());
            say(&format!("scenario {}: {word}\n", plan.name));
        }
        // What did not run is no evidence, and no evidence is not a pass.
        verdicts.push(ended.unwrap_or(Verdict::Inconclusive));
    }
    if !options.dry_run {
        say(&format!("verdict: {}\n", Verdict::worst(verdicts)));
    }
    exits
}

/// Refuses scenarios that would be recorded in the same folder.
fn differ(plans: &[Plan], options: &RunOptions) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    let twice = plans.iter().find(|plan| !names.insert(plan.name.as_str()));
    match twice.filter(|_| options.out.is_some()) {
        None => Ok(()),
        Some(plan) => anyhow::bail!(
            "two of the scenarios are called `{}`, and --out gives each a folder by its name: change a `scenario:`, or run \
             them one after the other",
            plan.name
        ),
    }
}

/// The `--set` arguments, with `--target` as one of them, so that it is checked in the same way.
pub(super) fn overrides(options: &RunOptions) -> anyhow::Result<Vec<String>> {
    let mut overrides = Vec::new();
    match options.target.as_deref() {
        None => {}
        Some("embedded") => overrides.push("target={ sites: { primary: {} } }".to_owned()),
        Some(url) if url.contains("://") => {
            overrides.push(format!(
                "target={{ endpoint: {} }}",
                serde_json::Value::from(url)
            ));
        }
        // A folder holds the scenario's own sites: see `prepare`.
        Some(folder) if Path::new(folder).is_dir() => {}
        Some(other) => {
            anyhow::bail!(
                "`{other}` is no target: write `embedded`, a URL (http://...), or the folder of `serve --state`"
            )
        }
    }
    overrides.extend(options.overrides.set.iter().cloned());
    Ok(overrides)
}

/// Refuses a sabotage that could not show in the plan, or would stay after the run.
fn fits(plan: &Plan, options: &RunOptions) -> anyhow::Result<()> {
    let Some(sabotage) = options.sabotage else {
        return Ok(());
    };
    let fits = sabotage.fits(plan);
    fits.and_then(|()| ends_with_run(sabotage, options.target.as_deref()))
        .map_err(anyhow::Error::msg)
}

/// Any seed will do that is short enough to be typed again.
pub(super) fn drawn_seed(started: Duration) -> u64 {
    (started.as_nanos() as u64 ^ (u64::from(std::process::id()) << 20)) % 10_000_000
}

pub(super) fn identity(plan: &Plan, options: &RunOptions) -> Identity {
    let started = clock::wall();
    let seed = options.seed.unwrap_or_else(|| drawn_seed(started));
    let id = format!(
        "{}-{}-{seed}",
        Utc::from_unix(started.as_secs()).compact(),
        plan.name
    );
    Identity { id, seed, started }
}

/// One scenario from its folder to its verdict. Of several, each has a folder by its name in that of `--out`.
pub(super) fn run_one(plan: &Plan, options: &RunOptions, several: bool) -> anyhow::Result<Ended> {
    let identity = identity(plan, options);
    let folder = match &options.out {
        None => Path::new("runs").join(&identity.id),
        Some(out) if several => out.join(&plan.name),
        Some(out) => out.clone(),
    };
    let mut signals = Early::catch()?;
    note(&format!(
        "firedrill {}   {}   seed {}   {}",
        env!("CARGO_PKG_VERSION"),
        plan.name,
        identity.seed,
        folder.display()
    ));
    if options.dry_run {
        say(&plan.describe());
        let ready = refuse(plan, options, &folder)?;
        let aims = pins::aims(plan, ready.as_ref(), identity.seed)?;
        pins::refuse(aims.as_deref())?;
        say(&pins::describe(aims.as_deref(), identity.seed));
        return Ok(Ended {
            exit: Exit::Pass,
            result: None,
        });
    }
    let early = drive(plan, options, &identity, &folder, &mut signals)?;
    let result = conclude(&folder, options.strict)?;
    tell(&result);
    note(&format!("report: {}", folder.join("report.html").display()));
    let exit = match early {
        Some(EarlyEnd::Interrupted) => Exit::Interrupted,
        Some(
            EarlyEnd::Aborted | EarlyEnd::Incident | EarlyEnd::TargetLost | EarlyEnd::NotSteady,
        )
        | None => exit_of_verdict(result.verdict),
    };
    Ok(Ended {
        exit,
        result: Some(result),
    })
}

/// Refuses what a run would refuse, as far as nothing has to be started to see it. The target, when it is there already.
fn refuse(plan: &Plan, options: &RunOptions, folder: &Path) -> anyhow::Result<Option<Ready>> {
    let threads = threads(options, machine::environment().cores);
    preflight::check(plan, &Layout::of(plan), threads, Room::of_machine())?;
    endpoint::allow_probes(plan, &options.allow_host)?;
    Recorder::refuse(folder)?;
    Ok(match (attached(options), &plan.target) {
        (Some(state), _) => Some(world::take(plan, state)?),
        (None, Target::Endpoint(target)) => {
            Some(endpoint::prepare(plan, target, &options.allow_host)?)
        }
        (None, Target::Embedded(_)) => None,
    })
}

/// The folder of sites that somebody else keeps.
fn attached(options: &RunOptions) -> Option<&Path> {
    let folder = options.target.as_deref().map(Path::new);
    folder.filter(|path| path.is_dir())
}

/// Everything up to the sealed recording.
fn drive(
    plan: &Plan,
    options: &RunOptions,
    identity: &Identity,
    folder: &Path,
    signals: &mut Early,
) -> anyhow::Result<Option<EarlyEnd>> {
    let run = Run {
        plan,
        options,
        identity,
        folder,
        command: reproduce(options, plan, identity.seed),
        progress: Progress::default(),
    };
    let recorder = run.open()?;
    let ready = match prepare(plan, options, identity.seed) {
        Ok(ready) => ready,
        Err(error) => {
            // Nothing was started: the next attempt finds the folder as this one did.
            recorder.discard();
            return Err(error);
        }
    };
    // Not before all that could refuse the run has been asked.
    let calibration = calibration(options);
    if let Err(ended) = signals.refuse() {
        recorder.discard();
        return Err(ended.into());
    }
    run.record(recorder, ready, calibration)
}

pub(super) fn prepare(plan: &Plan, options: &RunOptions, seed: u64) -> anyhow::Result<Ready> {
    if let Some(state) = attached(options) {
        let ready = world::take(plan, state)?;
        pins::refuse(pins::aims(plan, Some(&ready), seed)?.as_deref())?;
        return Ok(ready);
    }
    Ok(match &plan.target {
        Target::Embedded(sites) if world::is_needed(plan) => world::start(plan, sites, seed)?,
        Target::Embedded(sites) => embedded::start(plan, sites, seed)?,
        Target::Endpoint(target) => endpoint::prepare(plan, target, &options.allow_host)?,
    })
}

/// The line that does the same again.
pub(super) fn reproduce(options: &RunOptions, plan: &Plan, seed: u64) -> String {
    let shipped = firedrill_scenarios::catalog()
        .iter()
        .any(|(name, _)| *name == plan.name);
    let named = options
        .scenarios
        .iter()
        .find(|name| !shipped || **name == plan.name);
    let named = quoted(named.map_or(plan.name.as_str(), String::as_str));
    in_words(&named, options, seed)
}

/// The line that runs what is `named` with these options.
pub(super) fn in_words(named: &str, options: &RunOptions, seed: u64) -> String {
    let mut words = vec![format!("firedrill run {named} --seed {seed}")];
    words.extend(driven_by(options));
    let sabotage = options.sabotage.iter();
    words.extend(sabotage.map(|sabotage| format!("--sabotage {sabotage}")));
    words.extend(options.strict.then(|| "--strict".to_owned()));
    words.join(" ")
}

/// The options that say what is driven, and with what.
pub(super) fn driven_by(options: &RunOptions) -> Vec<String> {
    let mut words = Vec::new();
    let target = options.target.iter();
    words.extend(target.map(|target| format!("--target {}", quoted(target))));
    let set = options.overrides.set.iter();
    words.extend(set.map(|set| format!("--set {}", quoted(set))));
    let hosts = options.allow_host.iter();
    words.extend(hosts.map(|host| format!("--allow-host {}", quoted(host))));
    let threads = options.threads.iter();
    words.extend(threads.map(|threads| format!("--threads {threads}")));
    words.extend(
        options
            .no_calibration
            .then(|| "--no-calibration".to_owned()),
    );
    words
}

/// As a shell wants it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("load.rate=500/s"), "load.rate=500/s");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
