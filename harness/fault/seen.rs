//! Effects and ends, seen by somebody else than who made them: the kernel's list of processes, a connection of our
//! own, the file system; the target's view of itself where there is nothing else, or to say where to look.

use std::cell::RefCell;
use std::time::Duration;

use firedrill_erlmcp::Role;
use firedrill_erlmcp::world::{BackupView, LinkShape, Place, ProcessView, SiteView, View, World};

use super::pinned::Sight;
use super::process::{Process, State, children};
use super::program::run;
use super::settle::{self, Missing};

mod connection;
mod files;
mod traffic;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// Between two where the user's own program is asked, which may be work for a whole cluster.
const ASK: Duration = Duration::from_millis(500);

/// How long an end may take to be seen: processes start, pods become ready.
const END: Duration = Duration::from_secs(20);

/// Looks at a target. Without a world there is nothing to see but processes, addresses and files.
#[derive(Clone, Debug)]
pub struct Eyes {
    pub world: Option<World>,
    /// How long an end is looked for.
    pub end: Duration,
}

impl Eyes {
    pub fn on(world: Option<World>) -> Eyes {
        Eyes { world, end: END }
    }

    /// Waits until all of it is seen, at most for `limit`; the error says what was not.
    ///
    /// # Errors
    /// What was still missing at the end.
    pub async fn wait_for(&self, sights: &[Sight], limit: Duration) -> Result<(), String> {
        let missing = RefCell::new(String::new());
        let asks = sights
            .iter()
            .any(|sight| matches!(sight, Sight::Says { .. }));
        let pause = if asks { ASK } else { LOOK };
        let watch = async {
            let mut logs = files::Watch::default();
            while let Some(what) = self.missing(sights, &mut logs) {
                missing.replace(what);
                tokio::time::sleep(pause).await;
            }
        };
        tokio::time::timeout(limit, watch)
            .await
            .map_err(|_| format!("{} (within {limit:?})", missing.take()))
    }

    /// What is not seen now; `None` when everything is.
    pub fn first_missing(&self, sights: &[Sight]) -> Option<String> {
        self.missing(sights, &mut files::Watch::default())
    }

    fn missing(&self, sights: &[Sight], logs: &mut files::Watch) -> Option<String> {
        sights
            .iter()
            .find_map(|sight| match self.sees(sight, logs) {
                Ok(true) => None,
                Ok(false) => Some(unseen(sight)),
                Err(reason) => Some(format!("{}: {reason}", unseen(sight))),
            })
    }

    /// # Errors
    /// When the target has no controls.
    pub fn world(&self) -> Result<&World, String> {
        let world = self.world.as_ref();
        world.ok_or_else(|| "the target has no controls".to_owned())
    }

    /// The target's own view.
    ///
    /// # Errors
    /// When it has none, or does not say.
    pub fn view(&self) -> Result<View, String> {
        self.world()?.view().map_err(|error| error.to_string())
    }

    fn sees(&self, sight: &Sight, logs: &mut files::Watch) -> Result<bool, String> {
        let all_are = |processes: &[Process], state| {
            Ok(processes.iter().all(|process| process.state() == state))
        };
        match sight {
            Sight::Gone(processes) => all_are(processes, State::Gone),
            Sight::Stopped(processes) => all_are(processes, State::Stopped),
            Sight::Running(processes) => all_are(processes, State::Running),
            Sight::Going(process) => Ok(process.state() != State::Stopped),
            Sight::Refused(address) => Ok(connection::connect(*address).is_err()),
            Sight::Accepts(address) => Ok(connection::connect(*address).is_ok()),
            Sight::Silent(address) => Ok(connection::is_silent(*address)),
            Sight::Disturbed { address, shape } => Ok(connection::is_disturbed(*address, *shape)),
            Sight::Clear(address) => Ok(connection::answers(*address)),
            Sight::Served { store, damage } => connection::serves_another(*store, damage),
            Sight::Checksum { folder, fits } => Ok(files::fits(folder)? == *fits),
            Sight::Shipping { paused } => {
                let ships = logs.ships(&self.view()?)?;
                Ok(ships == Some(!*paused))
            }
            Sight::Missing(path) => Ok(!path.exists()),
            Sight::Exists(path) => Ok(path.exists()),
            Sight::Damaged(damage) => damage.is_there().map_err(|error| error.to_string()),
            Sight::Undamaged(damage) => match damage.is_begun() {
                Ok(there) => Ok(!there),
                Err(error) => Err(error.to_string()),
            },
            Sight::Gauge(gauge) => gauge.sees(self),
            Sight::Sockets { .. }
            | Sight::NoSockets { .. }
            | Sight::Unread { .. }
            | Sight::Client { .. } => traffic::sees(sight),
            Sight::Says { words, code } => {
                let ended = run(words, None, &|| false).map_err(|error| error.to_string())?;
                Ok(ended == Some(*code))
            }
            Sight::NodeEmpty { .. } | Sight::Pods { .. } => {
                let view = self.view()?;
                Ok(in_view(sight, &view) && self.no_strays(&view))
            }
            Sight::SiteReady(_)
            | Sight::Present { .. }
            | Sight::SitePower { .. }
            | Sight::Replaced { .. }
            | Sight::NodePower { .. }
            | Sight::Cordoned { .. }
            | Sight::Backup { .. }
            | Sight::NoBackup { .. }
            | Sight::NoBackups(_)
            | Sight::Settled { .. }
            | Sight::LinkShape { .. } => Ok(in_view(sight, &self.view()?)),
        }
    }
}

impl Eyes {
    /// The kernel knows of no pod that the view does not tell of.
    fn no_strays(&self, view: &View) -> bool {
        let told = |pid: &u32| {
            let mut all = view.sites.iter().flat_map(pods);
            all.any(|pod| pod.pid == Some(*pid))
        };
        self.world
            .as_ref()
            .is_some_and(|world| children(world.pid(), Role::Pod.as_str()).iter().all(told))
    }
}

/// What the target's own view says, and the kernel of the processes in it.
fn in_view(sight: &Sight, view: &View) -> bool {
    let site = |name: &str| view.sites.iter().find(|site| site.name == name);
    let node = |site_name: &str, name: &str| {
        site(site_name).and_then(|site| site.nodes.iter().find(|node| node.name == name))
    };
    match sight {
        Sight::SiteReady(name) => {
            site(name).is_some_and(|site| is_ready(site) && connection::answers(site.front))
        }
        Sight::Present {
            site: name,
            name: process,
        } => site(name)
            .and_then(|site| site.process(process))
            .is_some_and(|now| now.ready && runs(now)),
        Sight::Replaced {
            site: name,
            process,
        } => site(name)
            .and_then(|site| site.process(&process.name))
            .is_some_and(|now| {
                now.ready
                    && runs(now)
                    && (now.pid, now.started) != (Some(process.pid), process.started)
            }),
        Sight::SitePower { site: name, on } => site(name).is_some_and(|site| site.powered == *on),
        Sight::NodePower {
            site,
            node: name,
            on,
        } => node(site, name).is_some_and(|node| node.powered == *on),
        Sight::Cordoned {
            site,
            node: name,
            on,
        } => node(site, name).is_some_and(|node| node.cordoned == *on),
        Sight::NodeEmpty { site: name, node } => site(name).is_some_and(|site| {
            !pods(site).any(|pod| pod.pid.is_some() && pod.node.as_deref() == Some(node.as_str()))
        }),
        Sight::Pods { site: name, count } => site(name).is_some_and(|site| {
            // One that is stopped is one of them all the same.
            let there = pods(site).filter(|pod| state(pod) != State::Gone);
            there.count() as u32 == *count
        }),
        Sight::Backup {
            site: name,
            id,
            sound,
        } => site(name)
            .is_some_and(|site| local(site).any(|own| own.id == *id && own.sound == *sound)),
        Sight::NoBackup { site: name, id } => {
            site(name).is_some_and(|site| !local(site).any(|own| own.id == *id))
        }
        Sight::NoBackups(name) => site(name).is_some_and(|site| local(site).next().is_none()),
        Sight::Settled { site } => settle::missing(view, site) == Some(Missing::Nothing),
        Sight::LinkShape { link: name, open } => view
            .links
            .iter()
            .any(|link| link.name == *name && (link.shape == LinkShape::default()) == *open),
        Sight::Gone(_)
        | Sight::Stopped(_)
        | Sight::Running(_)
        | Sight::Going(_)
        | Sight::Refused(_)
        | Sight::Accepts(_)
        | Sight::Silent(_)
        | Sight::Missing(_)
        | Sight::Exists(_)
        | Sight::Damaged(_)
        | Sight::Undamaged(_)
        | Sight::Checksum { .. }
        | Sight::Served { .. }
        | Sight::Shipping { .. }
        | Sight::Disturbed { .. }
        | Sight::Clear(_)
        | Sight::Says { .. }
        | Sight::Gauge(_)
        | Sight::Sockets { .. }
        | Sight::NoSockets { .. }
        | Sight::Unread { .. }
        | Sight::Client { .. } => false,
    }
}

fn local(site: &SiteView) -> impl Iterator<Item = &BackupView> {
    let local = |backup: &&BackupView| backup.place == Place::Local;
    site.backups.iter().filter(local)
}

fn pods(site: &SiteView) -> impl Iterator<Item = &ProcessView> {
    site.processes
        .iter()
        .filter(|process| process.role == Role::Pod)
}

fn is_ready(site: &SiteView) -> bool {
    let ready = pods(site).filter(|pod| pod.ready && runs(pod)).count();
    site.powered && ready as u32 >= site.wanted_pods
}

/// What the kernel says of it.
fn state(process: &ProcessView) -> State {
    Process::of(process).map_or(State::Gone, |pinned| pinned.state())
}

fn runs(process: &ProcessView) -> bool {
    state(process) == State::Running
}

/// What is said when it is not seen.
fn unseen(sight: &Sight) -> String {
    let names = |processes: &[Process]| {
        let names: Vec<String> = processes
            .iter()
            .map(|process| format!("{} (pid {})", process.name, process.pid))
            .collect();
        names.join(", ")
    };
    let state = |on: bool| if on { "on" } else { "off" };
    match sight {
        Sight::Gone(processes) => format!("not all of these have ended: {}", names(processes)),
        Sight::Stopped(processes) => format!("not all of these are stopped: {}", names(processes)),
        Sight::Running(processes) => format!("not all of these run: {}", names(processes)),
        Sight::Going(process) => format!("{} (pid {}) is stopped", process.name, process.pid),
        Sight::Refused(address) => format!("{address} still accepts connections"),
        Sight::Accepts(address) => format!("{address} accepts no connection"),
        Sight::Silent(address) => format!("{address} still answers"),
        Sight::Missing(path) => format!("{} is still there", path.display()),
        Sight::Exists(path) => format!("{} is not there", path.display()),
        Sight::Damaged(damage) => format!("{} is not damaged", damage.path.display()),
        Sight::Undamaged(damage) => format!("{} is still damaged", damage.path.display()),
        Sight::Checksum { folder, fits: true } => {
            format!("{} does not fit its manifest", folder.display())
        }
        Sight::Checksum {
            folder,
            fits: false,
        } => format!("{} fits its manifest", folder.display()),
        Sight::Served { store, .. } => format!("{store} still serves the record as it was"),
        Sight::SiteReady(site) => format!("site {site} is not ready"),
        Sight::Present { site, name } => format!("{name} of {site} is not ready"),
        Sight::Replaced { process, .. } => {
            format!("nothing has taken the place of {}", process.name)
        }
        Sight::SitePower { site, on } => format!("the power of site {site} is not {}", state(*on)),
        Sight::NodePower { site, node, on } => {
            format!("the power of node {node} of {site} is not {}", state(*on))
        }
        Sight::Cordoned {
            site,
            node,
            on: true,
        } => format!("node {node} of {site} takes pods"),
        Sight::Cordoned {
            site,
            node,
            on: false,
        } => {
            format!("node {node} of {site} is still cordoned")
        }
        Sight::NodeEmpty { site, node } => format!("node {node} of {site} still has pods"),
        Sight::Pods { site, count } => format!("site {site} has not {count} pods"),
        Sight::Backup {
            site,
            id,
            sound: true,
        } => format!("backup {id} of {site} is not sound"),
        Sight::Backup {
            site,
            id,
            sound: false,
        } => format!("backup {id} of {site} is not damaged"),
        Sight::NoBackup { site, id } => format!("backup {id} of {site} is still there"),
        Sight::NoBackups(site) => format!("{site} still keeps backups"),
        Sight::Settled { .. } => {
            "clients are sent to a site that refuses their writes, or nobody can say".to_owned()
        }
        Sight::Shipping { paused: true } => {
            "the other store does not stand still behind one that grows".to_owned()
        }
        Sight::Shipping { paused: false } => "the other store does not follow".to_owned(),
        Sight::Disturbed { address, .. } => {
            format!("a connection of our own to {address} is not disturbed in this way")
        }
        Sight::Clear(address) => {
            format!("a connection of our own to {address} is not answered in time")
        }
        Sight::LinkShape { link, open: true } => format!("the link {link} is still disturbed"),
        Sight::LinkShape { link, open: false } => format!("the link {link} is not disturbed"),
        Sight::Gauge(gauge) => gauge.unseen(),
        Sight::Sockets { from, to } => format!("nobody is connected from {from} to {to}"),
        Sight::NoSockets { from, to } => format!("{from} is still connected to {to}"),
        Sight::Unread { from, to } => format!("{from} takes everything that {to} sends"),
        Sight::Client {
            from,
            messages,
            connections,
            ..
        } => format!(
            "the front door has not counted {messages} messages and {connections} connections from {from}"
        ),
        Sight::Says { words, code } => {
            format!("`{}` does not end with {code}", words.words.join(" "))
        }
    }
}
