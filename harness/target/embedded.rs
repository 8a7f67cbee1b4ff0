//! Stand-in sites: real processes on loopback, started by the run and ended with it.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use firedrill_erlmcp::{
    Exited, Profile, RunningSite, ServiceTime, SiteConfig, TlsFiles, launch, make_certificates,
};
use firedrill_reports::recording::{Event, Mode};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{self, Embedded, TlsOptions};

use super::world::site_in_words;
use super::{Ready, TargetError, authority, trust};
use crate::mcp::destination::Route;
use crate::mcp::session::Surface;
use crate::stand_in;

/// Sites are a little politer than the generator: on a shared core it is their answers that may wait.
const NICE: i32 = 5;

/// Scenarios do not know the stand-in: they have its limit in a copy.
const _: () = assert!(plan::PODS_MAX == firedrill_erlmcp::PODS_MAX);

/// Running sites and their folder. Dropping ends the processes and removes the folder.
pub struct Sites {
    running: Vec<RunningSite>,
    /// Pids of processes whose end was told.
    told: BTreeSet<u32>,
    folder: Folder,
}

/// A folder that goes with its value.
pub struct Folder(PathBuf);

impl Folder {
    /// Where a run's stand-in keeps its data.
    pub fn of_run(seed: u64) -> Result<Folder, TargetError> {
        let path = std::env::temp_dir().join(format!("firedrill-{}-{seed}", std::process::id()));
        make_folder(&path)?;
        Ok(Folder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left in the system's folder for temporary files; nothing depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Sites {
    /// Processes that have ended without being told to since this was asked last.
    pub fn exited(&mut self) -> Vec<Exited> {
        self.running
            .iter_mut()
            .flat_map(RunningSite::exited)
            .filter(|exited| self.told.insert(exited.process.pid))
            .collect()
    }

    /// One line a process, for people.
    pub fn describe(&self) -> Vec<String> {
        let line = |process: &firedrill_erlmcp::Process| {
            format!(
                "{:<6} {:<16} {} pid {}",
                process.role.as_str(),
                process.name,
                process.address,
                process.pid
            )
        };
        self.running
            .iter()
            .flat_map(|site| site.processes().iter().map(line))
            .collect()
    }

    /// The URL of each site's front door, with the site's name.
    pub fn urls(&self) -> impl Iterator<Item = (&str, String)> {
        self.running.iter().map(|site| (site.name(), site.url()))
    }

    /// Ends every process and waits for it.
    pub fn stop(self) {
        for site in self.running {
            site.stop();
        }
        drop(self.folder);
    }
}

/// Starts the plan's sites. Must be called on the main thread: the processes end with the thread that made them.
///
/// # Errors
/// When a process does not come up; those that did are ended.
pub fn start(plan: &Plan, embedded: &Embedded, seed: u64) -> Result<Ready, TargetError> {
    let program = std::env::current_exe().map_err(TargetError::NoProgram)?;
    let folder = Folder::of_run(seed)?;
    let mut running = Vec::new();
    let mut tls = None;
    for (number, site) in embedded.sites.iter().enumerate() {
        let data = folder.0.join(&site.name);
        make_folder(&data)?;
        let mut config = site_config(plan, site, number, &data, seed);
        if embedded.tls {
            let (files, client) = certificates(&folder.0, config.addresses)?;
            config.tls = Some(files);
            tls = tls.or(Some(client));
        }
        running.push(launch(&program, &[stand_in::WORD], &config)?);
    }
    let sites = Sites {
        running,
        told: BTreeSet::new(),
        folder,
    };
    let front = sites.urls().next().map(|(_, url)| url).unwrap_or_default();
    let (host, port) = host_and_port(&front);
    let events = sites.running.iter().flat_map(started).collect();
    let url = plan::Url {
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
            resolver: None,
        },
        surface: Surface {
            authority: authority(&url),
            path: plan.profile.path.clone(),
            headers: Vec::new(),
        },
        mode: Mode::Rehearsal,
        description: describe(embedded),
        events,
        sites: Some(sites),
        ground: None,
    })
}

fn make_folder(path: &Path) -> Result<(), TargetError> {
    fs::create_dir_all(path).map_err(|source| TargetError::Folder {
        path: path.to_owned(),
        source,
    })
}

pub fn describe(embedded: &Embedded) -> String {
    let site = |site: &plan::Site| site_in_words(&site.name, site.nodes, site.pods);
    let sites: Vec<String> = embedded.sites.iter().map(site).collect();
    let tls = if embedded.tls { ", over TLS" } else { "" };
    format!("embedded stand-in: {}{tls}", sites.join(", "))
}

fn started(site: &RunningSite) -> Vec<Event> {
    let event = |process: &firedrill_erlmcp::Process| Event::ProcessStarted {
        site: process.site.clone(),
        role: process.role.as_str().to_owned(),
        name: process.name.clone(),
        pid: process.pid,
        address: process.address.to_string(),
    };
    site.processes().iter().map(event).collect()
}

/// The front door's `http://host:port`.
fn host_and_port(url: &str) -> (String, u16) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    (host.to_owned(), port.parse().unwrap_or(80))
}

pub fn site_config(
    plan: &Plan,
    site: &plan::Site,
    number: usize,
    data: &Path,
    seed: u64,
) -> SiteConfig {
    let own = &site.behaviour;
    let mut config = SiteConfig::new(site.name.clone(), data);
    config.nodes = site.nodes;
    config.pods = site.pods;
    config.profile = if plan.profile.name == "erlmcp" {
        Profile::Erlmcp
    } else {
        Profile::Sop
    };
    config.seed = seed.wrapping_add(number as u64);
    config.nice = NICE;
    config.addresses = Ipv4Addr::new(127, 1, number as u8, 0);
    config.disruption_budget = site.disruption_budget;
    config.restart_delay = site.restart_delay;
    config.labels = site.labels.clone();
    config.behaviour = firedrill_erlmcp::Behaviour {
        service_time: service_time(&own.service_time),
        error_rate: own.error_rate,
        capacity: own.capacity,
        queue: own.queue,
        connections: own.connections,
        sessions: own.sessions,
        session_memory: own.session_memory,
        bounds: bounds(&own.bounds),
    };
    if !own.bounds.health {
        config.health.misses = u32::MAX;
    }
    config
}

fn bounds(own: &plan::Bounds) -> firedrill_erlmcp::Bounds {
    firedrill_erlmcp::Bounds {
        memory: own.memory,
        queue: own.queue,
        cpu: own.cpu,
        disk: own.disk,
        client_rate: own.client_rate,
        rate: own.rate,
        client_connections: own.client_connections,
        message: own.message,
        write_timeout: own.write_timeout,
        validation: own.validation,
    }
}

fn service_time(time: &plan::ServiceTime) -> ServiceTime {
    match *time {
        plan::ServiceTime::Fixed(time) => ServiceTime::Fixed(time),
        plan::ServiceTime::Exponential { mean } => ServiceTime::Exponential { mean },
        plan::ServiceTime::Uniform { low, high } => ServiceTime::Uniform { low, high },
        plan::ServiceTime::LogNormal { median, p99 } => ServiceTime::LogNormal { median, p99 },
    }
}

/// Certificates for a site's front door, and what a client needs to trust them.
fn certificates(
    folder: &Path,
    base: Ipv4Addr,
) -> Result<(TlsFiles, crate::mcp::destination::Tls), TargetError> {
    let front = Ipv4Addr::from(u32::from(base) + 1).to_string();
    let made = make_certificates(std::slice::from_ref(&front))
        .map_err(|error| TargetError::Tls(error.to_string()))?;
    let write = |name: &str, text: &str| {
        let path = folder.join(format!("{front}-{name}"));
        fs::write(&path, text).map_err(|source| TargetError::Folder {
            path: path.clone(),
            source,
        })?;
        Ok::<PathBuf, TargetError>(path)
    };
    let ca = write("ca.pem", &made.ca_pem)?;
    let files = TlsFiles {
        cert_pem: write("cert.pem", &made.cert_pem)?,
        key_pem: write("key.pem", &made.key_pem)?,
        client_ca_pem: None,
        expired_pem: None,
    };
    let options = TlsOptions {
        ca: Some(ca),
        ..TlsOptions::default()
    };
    Ok((files, trust::client(&options, &front)?))
}
