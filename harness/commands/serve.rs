//! Stand-in sites that stay until they are told to go; with a folder, they can be found and broken by runs.

use std::path::Path;

use anyhow::{Context as _, bail};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Embedded, Target};
use tokio::runtime::Runtime;

use super::{say, warn_of};
use crate::cli::ServeOptions;
use crate::exit::Exit;
use crate::observe::progress::note;
use crate::scenario;
use crate::signals::Ends;
use crate::stand_in;
use crate::target::embedded::{self, Sites};
use crate::target::{TargetError, world};

pub fn serve(options: &ServeOptions) -> anyhow::Result<Exit> {
    let plan = scenario::load(&options.scenario, &options.overrides.set)?;
    warn_of(&plan);
    let Target::Embedded(sites) = &plan.target else {
        bail!(
            "`{}` drives a URL: only embedded sites can be served",
            options.scenario
        );
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Signals are caught before a process is there that has to be ended.
    let ends = runtime.block_on(async { Ends::catch() })?;
    match &options.state {
        Some(state) => serve_world(&plan, sites, options, state, &runtime, ends),
        None => serve_sites(&plan, sites, options.seed, &runtime, ends),
    }
}

/// Looks once a second until the end, or until `look` says that there is nothing left to look at.
fn wait(mut ends: Ends, runtime: &Runtime, mut look: impl FnMut() -> bool) {
    runtime.block_on(async {
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        loop {
            tokio::select! {
                biased;
                _ = ends.next() => return,
                _ = ticks.tick() => if !look() { return },
            }
        }
    });
}

fn serve_sites(
    plan: &Plan,
    sites: &Embedded,
    seed: u64,
    runtime: &Runtime,
    ends: Ends,
) -> anyhow::Result<Exit> {
    let ready = embedded::start(plan, sites, seed)?;
    let Some(mut sites) = ready.sites else {
        return Ok(Exit::Bug);
    };
    for line in sites.describe() {
        note(&line);
    }
    for (site, url) in sites.urls() {
        say(&format!("{site} {url}{}\n", plan.profile.path));
    }
    wait(ends, runtime, || {
        report_exits(&mut sites);
        true
    });
    sites.stop();
    Ok(Exit::Pass)
}

/// Sites in a world that runs can attach to. Its data stays in the folder, and is found again by the next start.
fn serve_world(
    plan: &Plan,
    sites: &Embedded,
    options: &ServeOptions,
    state: &Path,
    runtime: &Runtime,
    ends: Ends,
) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(state).map_err(|source| TargetError::Folder {
        path: state.to_owned(),
        source,
    })?;
    let state = state.canonicalize().context("the folder has no path")?;
    let program = std::env::current_exe().map_err(TargetError::NoProgram)?;
    let (config, _) = world::config(plan, sites, options.seed, &state)?;
    let mut running = firedrill_erlmcp::launch_world(&program, &[stand_in::WORD], &config)
        .map_err(TargetError::NotStarted)?;
    let view = running.world().view().map_err(TargetError::NoView)?;
    for site in &view.sites {
        for process in &site.processes {
            let (role, pid) = (process.role.as_str(), process.pid.unwrap_or(0));
            note(&format!(
                "{role:<6} {:<16} {} pid {pid}",
                process.name, process.address
            ));
        }
        let scheme = if sites.tls { "https" } else { "http" };
        say(&format!(
            "{} {scheme}://{}{}\n",
            site.name, site.front, plan.profile.path
        ));
    }
    say(&format!("drill them with: --target {}\n", state.display()));
    wait(ends, runtime, || running.ended().is_none());
    let lost = running.ended().is_some();
    running.stop();
    Ok(if lost { Exit::Target } else { Exit::Pass })
}

fn report_exits(sites: &mut Sites) {
    for exited in sites.exited() {
        note(&format!(
            "warning: {} ended by itself: {}",
            exited.process.name, exited.status
        ));
    }
}
