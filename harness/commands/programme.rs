//! Several drills one after the other in one folder, each with a seed that follows from the programme's, and one report
//! over all of them.
//!
//! - `cleanup`: what the kernel and the disk show of a drill once it is over

mod cleanup;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use firedrill_reports::programme::{self, Begun, Event, ProgrammeWriter, Timed, folder_of};
use firedrill_reports::recording::RECORDING_VERSION;
use firedrill_scenarios::{Plan, Programme, Sabotage};
use tokio::runtime::Runtime;

use super::folder::{conclude, say_verdict};
use super::run::{drawn_seed, in_words, quoted, reproduce, run_one};
use super::{exit_of, exit_of_verdict, explain, say, warn_of};
use crate::cli::RunOptions;
use crate::clock::{self, Clock, Utc};
use crate::exit::Exit;
use crate::observe::machine;
use crate::observe::progress::note;
use crate::record::Recorder;
use crate::scenario::{self, ScenarioError};
use crate::signals::Ends;

/// The programme, when one was named.
pub fn named(names: &[String]) -> Result<Option<Programme>, ScenarioError> {
    match names {
        [name] => scenario::load_programme(name),
        _ => Ok(None),
    }
}

/// Prints the programme and its drills in words.
pub fn check(programme: &Programme, set: &[String]) -> anyhow::Result<Exit> {
    let loaded = load(programme, set)?;
    say(&programme.clone().named(names(&loaded)).describe());
    for Loaded { plan, .. } in &loaded {
        say(&format!("\n---- {} ----\n\n{}", plan.name, plan.describe()));
    }
    Ok(Exit::Pass)
}

/// A drill as the programme names it, with what `--set` says of it.
struct Loaded {
    word: String,
    plan: Plan,
    set: Vec<String>,
}

/// A drill of the programme: its plan, and the options of its own run.
struct Own {
    plan: Plan,
    options: RunOptions,
    seed: u64,
}

/// Runs every drill. All are checked before the first one starts.
pub fn run(programme: &Programme, options: &RunOptions) -> anyhow::Result<Exit> {
    if options.target.is_some() {
        bail!(
            "`{}` is a programme, whose drills have targets of their own: leave out --target, or run one of them alone: {}",
            programme.name,
            programme.drills.join(", ")
        );
    }
    let loaded = load(programme, &options.overrides.set)?;
    fits(programme, &loaded, options.sabotage)?;
    let programme = programme.clone().named(names(&loaded));
    let started = clock::wall();
    let seed = options.seed.unwrap_or_else(|| drawn_seed(started));
    let at = Utc::from_unix(started.as_secs());
    let id = format!("{}-{}-{seed}", at.compact(), programme.name);
    let folder = options
        .out
        .clone()
        .unwrap_or_else(|| Path::new("runs").join(&id));
    note(&format!(
        "firedrill {}   {}   seed {seed}   {}",
        env!("CARGO_PKG_VERSION"),
        programme.name,
        folder.display()
    ));
    let drills = loaded.into_iter();
    let drills: Vec<Own> = drills
        .map(|drill| own(drill, options, seed, &folder))
        .collect();
    Recorder::refuse(&folder)?;
    if options.dry_run {
        return rehearse(&programme, &drills);
    }
    let begun = Begun {
        recording_version: RECORDING_VERSION,
        firedrill_version: env!("CARGO_PKG_VERSION").to_owned(),
        id,
        programme: programme.name.clone(),
        seed,
        started: at.rfc3339(),
        command: in_words(
            &quoted(options.scenarios.first().map_or("", String::as_str)),
            options,
            seed,
        ),
        strict: options.strict,
        environment: machine::environment(),
    };
    let unwritten = || {
        format!(
            "the programme's folder `{}` cannot be written",
            folder.display()
        )
    };
    let mut night = Night::create(&folder, &programme, begun).with_context(unwritten)?;
    let exit = night.run(&drills)?;
    night.seal(&programme).with_context(unwritten)?;
    let result = conclude(&folder, options.strict)?;
    say_verdict(&result);
    note(&format!("report: {}", folder.join("report.html").display()));
    Ok(exit.worst(exit_of_verdict(result.verdict)))
}

/// Says what would be done, and refuses what a run would refuse.
fn rehearse(programme: &Programme, drills: &[Own]) -> anyhow::Result<Exit> {
    say(&programme.describe());
    for own in drills {
        say(&format!(
            "\n---- {}, seed {} ----\n\n",
            own.plan.name, own.seed
        ));
        run_one(&own.plan, &own.options, true)?;
    }
    Ok(Exit::Pass)
}

/// Every drill, checked.
fn load(programme: &Programme, set: &[String]) -> anyhow::Result<Vec<Loaded>> {
    let mut loaded: Vec<Loaded> = Vec::new();
    for word in &programme.drills {
        let mut plan = scenario::load(word, &[])?;
        let prefix = format!("{}.", plan.name);
        let own = set.iter().filter_map(|set| set.strip_prefix(&prefix));
        let own: Vec<String> = own.map(str::to_owned).collect();
        if !own.is_empty() {
            plan = scenario::load(word, &own)?;
        }
        warn_of(&plan);
        if loaded.iter().any(|other| other.plan.name == plan.name) {
            bail!(
                "two drills of `{}` are called `{}`, and each has a folder by its name: change a `scenario:`",
                programme.name,
                plan.name
            );
        }
        loaded.push(Loaded {
            word: word.clone(),
            plan,
            set: own,
        });
    }
    let plans: Vec<&Plan> = loaded.iter().map(|drill| &drill.plan).collect();
    let missing = programme.missing_disasters(&plans);
    if !missing.is_empty() {
        bail!(
            "`{}` covers the monthly test, and none of its drills has {}: add a drill with each, or take `covers` out",
            programme.name,
            missing.join(", ")
        );
    }
    let taken: usize = loaded.iter().map(|drill| drill.set.len()).sum();
    if taken < set.len() {
        let names = names(&loaded);
        bail!(
            "`--set` changes a drill of `{}`: write its name first, as in `--set {}.load.rate=100/s`; the drills are {}",
            programme.name,
            names.first().map_or("", String::as_str),
            names.join(", ")
        );
    }
    Ok(loaded)
}

fn names(loaded: &[Loaded]) -> Vec<String> {
    loaded.iter().map(|drill| drill.plan.name.clone()).collect()
}

/// Refuses a sabotage that shows in no drill.
fn fits(
    programme: &Programme,
    loaded: &[Loaded],
    sabotage: Option<Sabotage>,
) -> anyhow::Result<()> {
    match sabotage {
        Some(sabotage)
            if loaded
                .iter()
                .all(|drill| sabotage.fits(&drill.plan).is_err()) =>
        {
            bail!(
                "the sabotage `{sabotage}` shows in no drill of `{}`; it fits {}",
                programme.name,
                sabotage.drills().join(", ")
            )
        }
        Some(_) | None => Ok(()),
    }
}

/// The drill as it would be run alone, but for its folder. A sabotage goes where it can show.
fn own(drill: Loaded, options: &RunOptions, seed: u64, folder: &Path) -> Own {
    let Loaded { word, plan, set } = drill;
    let seed = derived(seed, &plan.name);
    let mut own = options.clone();
    own.scenarios = vec![word];
    own.seed = Some(seed);
    own.overrides.set = set;
    own.out = Some(folder.join(programme::file::DRILLS));
    own.sabotage = options
        .sabotage
        .filter(|sabotage| sabotage.fits(&plan).is_ok());
    Own {
        plan,
        options: own,
        seed,
    }
}

/// A drill's seed: it depends on the programme's and on the drill's name alone, and is short enough to be typed.
fn derived(seed: u64, name: &str) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mixed = name
        .bytes()
        .chain(seed.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        });
    (mixed ^ mixed >> 32) % 10_000_000
}

/// The programme while it runs.
struct Night {
    folder: PathBuf,
    clock: Clock,
    log: ProgrammeWriter<File>,
    /// Signals are heard between drills, too.
    ends: Ends,
    runtime: Runtime,
}

impl Night {
    fn create(folder: &Path, programme: &Programme, begun: Begun) -> std::io::Result<Night> {
        std::fs::create_dir_all(folder.join(programme::file::DRILLS))?;
        std::fs::write(folder.join(programme::file::PROGRAMME), programme.to_yaml())?;
        let log = File::create(folder.join(programme::file::EVENTS))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // What its sites leave behind comes to this process, so that it is seen.
        cleanup::adopt()?;
        let mut night = Night {
            folder: folder.to_owned(),
            clock: Clock::start(),
            log: ProgrammeWriter::new(log),
            ends: runtime.block_on(async { Ends::catch() })?,
            runtime,
        };
        night.record(Event::Started(begun))?;
        Ok(night)
    }

    /// Writes an event, and has it on disk before anything else happens.
    fn record(&mut self, event: Event) -> std::io::Result<()> {
        let at = self.clock.now();
        self.log.write(&Timed { at, event })?;
        self.log.flush()
    }

    /// The worst way in which a drill ended, beside its verdict.
    fn run(&mut self, drills: &[Own]) -> anyhow::Result<Exit> {
        let mut exits = Exit::Pass;
        for own in drills {
            if exits != Exit::Interrupted && self.was_interrupted() {
                exits = Exit::Interrupted;
            }
            if exits == Exit::Interrupted {
                note(&format!("{}: not run", own.plan.name));
                self.record(Event::NotRun {
                    drill: own.plan.name.clone(),
                    reason: "the programme was interrupted before it".to_owned(),
                })?;
                continue;
            }
            exits = exits.worst(self.run_drill(own)?);
        }
        if exits == Exit::Interrupted || self.was_interrupted() {
            exits = Exit::Interrupted;
            self.record(Event::EndedEarly {
                detail: "interrupted by a signal".to_owned(),
            })?;
        }
        Ok(exits)
    }

    fn run_drill(&mut self, own: &Own) -> anyhow::Result<Exit> {
        let name = &own.plan.name;
        self.record(Event::DrillStarted {
            drill: name.clone(),
            seed: own.seed,
            command: reproduce(&own.options, &own.plan, own.seed),
        })?;
        let (exit, error) = match run_one(&own.plan, &own.options, true) {
            Ok(ended) => {
                let verdict = ended.result.map(|result| result.verdict.to_string());
                note(&format!("{name}: {}", verdict.unwrap_or_default()));
                // Its verdict is the programme's, once that is judged.
                let interrupted = ended.exit == Exit::Interrupted;
                let exit = if interrupted { ended.exit } else { Exit::Pass };
                (exit, None)
            }
            Err(error) => {
                note(&format!("{name}: {}", explain(&error)));
                (exit_of(&error), Some(explain(&error)))
            }
        };
        let folder = self.folder.join(folder_of(name));
        self.record(Event::DrillEnded {
            drill: name.clone(),
            documents: cleanup::documents(&folder),
            error,
        })?;
        let left = self.runtime.block_on(cleanup::look(&folder));
        self.record(Event::CleanedUp {
            drill: name.clone(),
            processes: left.processes,
            alive: left.alive,
            folder: left.folder.map(|folder| folder.display().to_string()),
            folder_gone: left.folder_gone,
            open_changes: left.open_changes,
        })?;
        Ok(exit)
    }

    fn was_interrupted(&mut self) -> bool {
        let ends = &mut self.ends;
        self.runtime.block_on(ends.have_come())
    }

    /// Writes the last event and seals the folder.
    fn seal(mut self, programme: &Programme) -> std::io::Result<()> {
        self.record(Event::Ended)?;
        self.log.into_inner().sync_all()?;
        programme::seal(&self.folder, &programme.drills)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_drill_has_a_seed_of_its_own_that_follows_from_the_programmes() {
        assert_eq!(derived(7, "site-failure"), derived(7, "site-failure"));
        assert_ne!(derived(7, "site-failure"), derived(8, "site-failure"));
        assert_ne!(derived(7, "site-failure"), derived(7, "data-corruption"));
        assert!(derived(u64::MAX, "x") < 10_000_000);
    }
}
