//! What can be typed.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use firedrill_scenarios::{Sabotage, amount};

use crate::capacity::trial::LONGEST;

/// Drives MCP load at an erlmcp deployment, measures what clients see, and proves whether it meets its targets.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Arguments {
    /// Say more on stderr; twice for still more.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios, or a programme of them, judge them and write their reports.
    Run(RunOptions),
    /// Check a scenario or programme and print it in words, resolved; nothing is started.
    Check(CheckOptions),
    /// List the shipped scenarios and programmes.
    List,
    /// Print a JSON Schema.
    Schema {
        #[arg(value_enum)]
        of: SchemaOf,
    },
    /// Judge a recording again, and write its outputs again.
    Judge(RecordingOptions),
    /// Write the report of a recording again.
    Report(RecordingOptions),
    /// Find the highest load that still meets a scenario's objectives, and what gives way first.
    Capacity(CapacityOptions),
    /// Undo what a run left broken: after a crash, on any later day.
    Heal {
        /// The run's folder.
        run: PathBuf,
    },
    /// Start a stand-in site and keep it until SIGINT.
    Serve(ServeOptions),
    /// Answer every MCP request at once on this address, until SIGINT: a target to measure load generators with.
    #[command(hide = true)]
    Sink {
        /// Port 0 takes a free one.
        #[arg(default_value = "127.0.0.1:0")]
        address: std::net::SocketAddr,
        /// Speak TLS, and write the authority that the certificate is of into this file.
        #[arg(long, value_name = "CA")]
        tls: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// The scenario language, for editors.
    Scenario,
    /// The language of programmes.
    Programme,
    /// `result.json`.
    Result,
    /// `capacity.json`.
    Capacity,
}

#[derive(Clone, Debug, Args)]
pub struct RunOptions {
    /// Paths, or names of shipped scenarios (`firedrill list`); or one programme.
    #[arg(required = true, value_name = "SCENARIO")]
    pub scenarios: Vec<String>,
    /// Drive this instead of the scenario's target: `embedded`, a URL, or the folder that `serve --state` keeps.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Fixes every random choice. Printed first; without it one is drawn.
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub overrides: Overrides,
    /// The run's folder; for several scenarios the folder that holds one for each. Default: `runs/...`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print what would be done, refuse what a run would refuse, and start nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// A check by a point rule is inconclusive.
    #[arg(long)]
    pub strict: bool,
    /// Let the stand-in, or firedrill itself, be wrong in this way, to see that the run notices.
    #[arg(long, value_name = "NAME")]
    pub sabotage: Option<Sabotage>,
    /// Allow load to this host, which is not loopback.
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Load threads. Default: one a core.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: Option<u32>,
    /// Do not look first what this machine can do; the headroom is then that of the load threads alone.
    #[arg(long)]
    pub no_calibration: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Overrides {
    /// Override a field of the scenario: `--set load.rate=500/s`; of a programme's: `--set site-failure.load.rate=500/s`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CheckOptions {
    /// A path, or the name of a shipped scenario.
    pub scenario: String,
    #[command(flatten)]
    pub overrides: Overrides,
}

#[derive(Clone, Debug, Args)]
pub struct CapacityOptions {
    /// A path, or the name of a shipped scenario (`capacity`, `capacity-sessions`, `baseline`): its load is turned up,
    /// its objectives decide.
    pub scenario: String,
    /// The first level: a rate such as `1000/s` of an open load, sessions such as `50` of a closed one. Default: the
    /// scenario's own, or that of `--at-least` where it is lower.
    #[arg(long, value_name = "LEVEL")]
    pub from: Option<Level>,
    /// No level is higher. Default: 1000000/s, or 10000 sessions.
    #[arg(long, value_name = "LEVEL")]
    pub most: Option<Level>,
    /// Pass when the target carries at least this, fail when it does not.
    #[arg(long, value_name = "LEVEL")]
    pub at_least: Option<Level>,
    /// Length of a trial's measured phase, in whole seconds.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = seconds)]
    pub trial: Duration,
    /// Time between a trial and the check that the target is well again.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = rest)]
    pub rest: Duration,
    /// Trials at each level that decides.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub repeats: u32,
    /// The relative width of the 95 % interval that is good enough.
    #[arg(long, default_value = "5 %", value_name = "SHARE", value_parser = precision)]
    pub precision: f64,
    /// Trials at most.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub trials: u32,
    /// Drive this instead of the scenario's target: `embedded`, a URL, or the folder that `serve --state` keeps.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Fixes every random choice. Without it one is drawn.
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub overrides: Overrides,
    /// The folder of all trials. Default: `runs/...`.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Allow load to this host, which is not loopback.
    #[arg(long, value_name = "HOST")]
    pub allow_host: Vec<String>,
    /// Load threads. Default: one a core.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: Option<u32>,
    /// Do not look first what this machine can do; the headroom is then that of the load threads alone.
    #[arg(long)]
    pub no_calibration: bool,
}

/// What a load is turned up to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Level {
    /// Arrivals a second.
    Rate(f64),
    Sessions(u32),
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Level, String> {
        if let Ok(sessions) = text.parse() {
            return match sessions {
                0 => Err("there is no load without sessions: write 1 or more".to_owned()),
                sessions => Ok(Level::Sessions(sessions)),
            };
        }
        match amount::rate(text)? {
            rate if rate > 0.0 => Ok(Level::Rate(rate)),
            _ => Err("a rate of nothing is no load: write 1/s or more".to_owned()),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Rate(rate) => write!(out, "{rate}/s"),
            Level::Sessions(sessions) => write!(out, "{sessions}"),
        }
    }
}

/// What is completed is counted by the second.
fn seconds(text: &str) -> Result<Duration, String> {
    match amount::duration(text)? {
        time if time.subsec_nanos() == 0 && (1..=LONGEST.as_secs()).contains(&time.as_secs()) => {
            Ok(time)
        }
        _ => Err("write whole seconds, from 1s to 1h".to_owned()),
    }
}

fn rest(text: &str) -> Result<Duration, String> {
    match amount::duration(text)? {
        time if time <= Duration::from_secs(600) => Ok(time),
        _ => Err("write a time up to 10min".to_owned()),
    }
}

fn precision(text: &str) -> Result<f64, String> {
    match amount::share(text)? {
        share if (0.005..=0.5).contains(&share) => Ok(share),
        _ => Err("write a share between 0.5 % and 50 %".to_owned()),
    }
}

#[derive(Debug, Args)]
pub struct RecordingOptions {
    /// The run's folder.
    pub run: PathBuf,
    /// A check by a point rule is inconclusive.
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Scenario whose embedded target is served; a path or a shipped name.
    #[arg(default_value = "baseline")]
    pub scenario: String,
    #[command(flatten)]
    pub overrides: Overrides,
    /// Keep the sites in this folder, where `run --target DIR` finds them.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Fixes the random choices of the site.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}
