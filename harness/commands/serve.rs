//! A stand-in site that stays until it is told to go.

use anyhow::bail;
use firedrill_scenarios::plan::Target;
use tokio::signal::unix::{SignalKind, signal};

use super::{say, warn_of};
use crate::cli::ServeOptions;
use crate::exit::Exit;
use crate::observe::progress::note;
use crate::scenario;
use crate::target::embedded::{self, Sites};

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
    let (mut interrupt, mut terminate) = runtime.block_on(async {
        Ok::<_, std::io::Error>((
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ))
    })?;
    let ready = embedded::start(&plan, sites, options.seed)?;
    let Some(mut sites) = ready.sites else {
        return Ok(Exit::Bug);
    };
    for line in sites.describe() {
        note(&line);
    }
    for (site, url) in sites.urls() {
        say(&format!("{site} {url}{}\n", plan.profile.path));
    }
    runtime.block_on(async {
        let mut look = tokio::time::interval(std::time::Duration::from_secs(1));
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = look.tick() => report_exits(&mut sites),
            }
        }
    });
    sites.stop();
    Ok(Exit::Pass)
}

fn report_exits(sites: &mut Sites) {
    for exited in sites.exited() {
        note(&format!(
            "warning: {} ended by itself: {}",
            exited.process.name, exited.status
        ));
    }
}
