//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use firedrill_scenarios::Sabotage;

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
    /// Do not look first what this machine can do; the report then says nothing of the headroom.
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
