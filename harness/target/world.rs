//! Stand-in sites that can really be lost: a world of processes that the run starts, or one that `firedrill serve`
//! keeps and that the run attaches to.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use firedrill_erlmcp::world::{
    self, BackupsConfig, DirectorConfig, ReplicationConfig, RunningWorld, View, World, WorldConfig,
    WorldError, attach, launch_world,
};
use firedrill_erlmcp::{TlsFiles, make_certificates};
use firedrill_reports::recording::{Event, Mode};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{
    self, Act, Embedded, FaultKind, Labels, Target, TlsOptions, Url, labels_text,
};

use super::alone::Alone;
use super::embedded::{Folder, describe, site_config};
use super::{Ready, TargetError, authority, trust};
use crate::fault::process::Process;
use crate::mcp::destination::{Route, Tls};
use crate::mcp::session::Surface;
use crate::stand_in;

/// The name that clients ask for.
pub const NAME: &str = "erlmcp.test";
/// The authority of the sites' certificates, in the world's folder.
pub const AUTHORITY: &str = "ca.pem";

/// The ground that sites stand on.
pub enum Ground {
    /// Started by the run; ends with this value, and its folder with it.
    Own { world: RunningWorld, folder: Folder },
    /// Kept by another program.
    Attached { world: World, alone: Alone },
}

impl Ground {
    pub fn world(&self) -> &World {
        match self {
            Ground::Own { world, .. } => world.world(),
            Ground::Attached { world, .. } => world,
        }
    }

    /// Has the sites say whose journal it is that tells what is broken at them. Sites that end with the run need not.
    ///
    /// # Errors
    /// When it cannot be written: then nothing must be broken.
    pub fn is_driven_by(&self, run: &Path) -> io::Result<()> {
        match self {
            Ground::Own { .. } => Ok(()),
            Ground::Attached { alone, .. } => alone.drives(run),
        }
    }

    /// The sites are ended with the run.
    pub fn is_own(&self) -> bool {
        matches!(self, Ground::Own { .. })
    }
}

/// True for a plan whose sites have to be losable: faults, several sites, or somebody who moves clients.
pub fn is_needed(plan: &Plan) -> bool {
    match &plan.target {
        Target::Embedded(embedded) => {
            !plan.drill.actions.is_empty()
                || embedded.sites.len() > 1
                || embedded.director.is_some()
                || embedded.backups.is_some()
        }
        Target::Endpoint(_) => false,
    }
}

/// Starts the plan's sites in a world of their own. Must be called on the main thread: the processes end with the
/// thread that made them.
///
/// # Errors
/// When a process does not come up; those that did are ended.
pub fn start(plan: &Plan, embedded: &Embedded, seed: u64) -> Result<Ready, TargetError> {
    let program = std::env::current_exe().map_err(TargetError::NoProgram)?;
    let folder = Folder::of_run(seed)?;
    let (config, tls) = config(plan, embedded, seed, folder.path())?;
    let world = launch_world(&program, &[stand_in::WORD], &config)?;
    ready(plan, embedded, Ground::Own { world, folder }, tls)
}

/// Takes a world that runs already, when its sites are those of the plan.
///
/// # Errors
/// When there is none, or another one.
pub fn take(plan: &Plan, state: &Path) -> Result<Ready, TargetError> {
    let Target::Embedded(embedded) = &plan.target else {
        return Err(TargetError::NotThese {
            state: state.to_owned(),
            why: "the scenario drives a URL".to_owned(),
        });
    };
    let world = attach(state).map_err(|error| TargetError::NotAttached(error.to_string()))?;
    // First, since what another run has broken would look like other sites.
    let alone = Alone::at(state)?;
    let view = world.view().map_err(TargetError::NoView)?;
    let (there, wanted) = (there(plan, &view), wanted(plan, embedded));
    if wanted != there {
        return Err(TargetError::NotThese {
            state: state.to_owned(),
            why: format!("it has {there}, and the scenario wants {wanted}"),
        });
    }
    let tls = if embedded.tls {
        let options = TlsOptions {
            ca: Some(state.join(AUTHORITY)),
            ..TlsOptions::default()
        };
        Some(trust::client(&options, NAME)?)
    } else {
        None
    };
    let ground = Ground::Attached { world, alone };
    ready(plan, embedded, ground, tls)
}

/// What a run needs to be as its scenario has it, in words.
fn wanted(plan: &Plan, embedded: &Embedded) -> String {
    let name = |site: usize| embedded.sites[site].name.as_str();
    let sites = embedded
        .sites
        .iter()
        .map(|site| labelled_in_words(&site.name, site.nodes, site.pods, site.labels.iter()));
    let replication = embedded
        .replication
        .map(|own| (name(own.from), name(own.to)));
    let director = embedded.director.is_some();
    in_words(sites, replication, director, has_network(plan))
}

/// The same of sites that are there. Links that nobody asks for do no harm.
fn there(plan: &Plan, view: &View) -> String {
    let sites = view.sites.iter().map(|site| {
        let nodes = u32::try_from(site.nodes.len()).unwrap_or(u32::MAX);
        let own = site.processes.iter();
        let labels = own.map(|process| (&process.name, &process.labels));
        labelled_in_words(&site.name, nodes, site.wanted_pods, labels)
    });
    let replication = view.replication.as_ref();
    let replication = replication.map(|own| (own.from.as_str(), own.to.as_str()));
    let links = has_network(plan) && !view.links.is_empty();
    in_words(sites, replication, view.director.is_some(), links)
}

/// `primary (1 node, 2 pods)`.
pub(super) fn site_in_words(name: &str, nodes: u32, pods: u32) -> String {
    let several = |count: u32| if count == 1 { "" } else { "s" };
    format!(
        "{name} ({nodes} node{}, {pods} pod{})",
        several(nodes),
        several(pods)
    )
}

/// `primary (1 node, 2 pods), of which primary-1 has role=canary`.
fn labelled_in_words<'a>(
    name: &str,
    nodes: u32,
    pods: u32,
    labels: impl Iterator<Item = (&'a String, &'a Labels)>,
) -> String {
    let site = site_in_words(name, nodes, pods);
    let mut labelled: Vec<String> = labels
        .filter(|(_, labels)| !labels.is_empty())
        .map(|(pod, labels)| format!("{pod} has {}", labels_text(labels)))
        .collect();
    labelled.sort_unstable();
    match labelled.is_empty() {
        true => site,
        false => format!("{site}, of which {}", labelled.join(" and ")),
    }
}

fn in_words(
    sites: impl Iterator<Item = String>,
    replication: Option<(&str, &str)>,
    director: bool,
    links: bool,
) -> String {
    let mut words: Vec<String> = sites.collect();
    words.push(match replication {
        Some((from, to)) => format!("records shipped from {from} to {to}"),
        None => "nothing replicated".to_owned(),
    });
    words.push(
        if director {
            "a director"
        } else {
            "no director"
        }
        .to_owned(),
    );
    words.extend(links.then(|| "links that can be disturbed".to_owned()));
    words.join(", ")
}

fn has_network(plan: &Plan) -> bool {
    plan.drill.actions.iter().any(|action| {
        matches!(&action.act, Act::Fault(fault) if matches!(fault.kind, FaultKind::Network { .. }))
    })
}

/// What the world is told, and what clients need to trust it.
pub fn config(
    plan: &Plan,
    embedded: &Embedded,
    seed: u64,
    state: &Path,
) -> Result<(WorldConfig, Option<Tls>), TargetError> {
    let mut sites: Vec<_> = embedded
        .sites
        .iter()
        .enumerate()
        .map(|(number, site)| site_config(plan, site, number, state, seed))
        .collect();
    let mut tls = None;
    if embedded.tls {
        let fronts: Vec<Ipv4Addr> = sites
            .iter()
            .map(firedrill_erlmcp::SiteConfig::front_ip)
            .collect();
        let (files, client) = certificates(state, &fronts)?;
        for site in &mut sites {
            site.tls = Some(files.clone());
        }
        tls = Some(client);
    }
    let mut config = WorldConfig::new(sites, state);
    config.replication = embedded.replication.map(|own| ReplicationConfig {
        from: own.from,
        to: own.to,
        lag: own.lag,
    });
    config.director = embedded.director.map(|own| DirectorConfig {
        probe: own.probe,
        timeout: own.timeout,
        misses: own.misses,
        route_ttl: own.route_ttl,
        automatic: own.automatic,
        name: NAME.to_owned(),
        clock: match own.clock {
            plan::DirectorClock::Monotonic => world::DirectorClock::Monotonic,
            plan::DirectorClock::Wall => world::DirectorClock::Wall,
        },
    });
    config.backups = embedded.backups.map(|own| BackupsConfig {
        every: own.every,
        off_site_delay: own.off_site_delay,
        keep: own.keep,
    });
    config.links = has_network(plan);
    Ok((config, tls))
}

/// One certificate for the service's name and every front door.
fn certificates(state: &Path, fronts: &[Ipv4Addr]) -> Result<(TlsFiles, Tls), TargetError> {
    let mut names = vec![NAME.to_owned()];
    names.extend(fronts.iter().map(Ipv4Addr::to_string));
    let made = make_certificates(&names).map_err(|error| TargetError::Tls(error.to_string()))?;
    let write = |name: &str, text: &str| {
        let path = state.join(name);
        std::fs::write(&path, text).map_err(|source| TargetError::Folder {
            path: path.clone(),
            source,
        })?;
        Ok::<_, TargetError>(path)
    };
    let options = TlsOptions {
        ca: Some(write(AUTHORITY, &made.ca_pem)?),
        ..TlsOptions::default()
    };
    let files = TlsFiles {
        cert_pem: write("cert.pem", &made.cert_pem)?,
        key_pem: write("key.pem", &made.key_pem)?,
        client_ca_pem: None,
        expired_pem: Some(write("expired.pem", &made.expired_pem)?),
    };
    Ok((files, trust::client(&options, NAME)?))
}

fn ready(
    plan: &Plan,
    embedded: &Embedded,
    ground: Ground,
    tls: Option<Tls>,
) -> Result<Ready, TargetError> {
    let view = ground.world().view().map_err(TargetError::NoView)?;
    let first = view.sites.first().ok_or_else(|| {
        TargetError::NoView(WorldError::Garbled("a world without sites".to_owned()))
    })?;
    let port = first.front.port();
    let (host, resolver) = match &view.director {
        Some(director) => (NAME.to_owned(), Some(director.dns)),
        None => (first.front.ip().to_string(), None),
    };
    let url = Url {
        tls: tls.is_some(),
        host: host.clone(),
        port,
        path: String::new(),
    };
    Ok(Ready {
        route: Route {
            host,
            port,
            tls,
            resolver,
        },
        surface: Surface {
            authority: authority(&url),
            path: plan.profile.path.clone(),
            headers: Vec::new(),
        },
        mode: Mode::Rehearsal,
        description: match &ground {
            Ground::Own { .. } => describe(embedded),
            Ground::Attached { world, .. } => {
                format!(
                    "attached {} in {}",
                    describe(embedded),
                    world.state().display()
                )
            }
        },
        events: started(&view),
        sites: None,
        ground: Some(ground),
    })
}

fn started(view: &View) -> Vec<Event> {
    let director = view
        .director
        .iter()
        .map(|director| ("-", &director.process));
    let sites = view.sites.iter().flat_map(|site| {
        site.processes
            .iter()
            .map(move |process| (site.name.as_str(), process))
    });
    sites
        .chain(director)
        .filter_map(|(site, process)| {
            Some(Event::ProcessStarted {
                site: site.to_owned(),
                role: process.role.as_str().to_owned(),
                name: process.name.clone(),
                pid: process.pid?,
                address: process.address.to_string(),
            })
        })
        .collect()
}

/// Every process of the world, by its identity.
pub fn processes(world: &World, view: &View) -> Vec<Process> {
    let own = crate::fault::process::identify("world", world.pid());
    let sites = view.sites.iter().flat_map(|site| &site.processes);
    let director = view.director.iter().map(|director| &director.process);
    own.into_iter()
        .chain(sites.chain(director).filter_map(Process::of))
        .collect()
}
