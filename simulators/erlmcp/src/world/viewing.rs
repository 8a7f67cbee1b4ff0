//! Looking at everything: what the processes say of themselves, and what the kernel says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serde::Deserialize;

use super::ground::{Ground, SiteGround};
use super::unit::{Life, Unit};
use super::view::{
    DirectorView, Kept, NodeView, ProcessState, ProcessView, ReplicationView, SiteView, StoreView,
    View,
};
use super::{backups, links};
use crate::backup::LOG;
use crate::director::{Standing, State};
use crate::front::commands::Seen;
use crate::role::Role;
use crate::store::standing::{Duty, StandingFile};
use crate::{ask, clock, proc};

/// Who does not answer within this time is shown as one that does not answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a store's health says.
#[derive(Clone, Deserialize)]
pub(super) struct StoreHealth {
    pub epoch: u64,
    pub duty: Duty,
    pub last: u64,
    recovered: Recovered,
    shipped: u64,
    agreed: bool,
    oldest_unshipped_ns: Option<u64>,
}

#[derive(Clone, Deserialize)]
struct Recovered {
    damaged: u64,
}

impl StoreHealth {
    /// Whether the other store agrees and has all but `near` records.
    pub(super) fn is_shipped(&self, near: u64) -> bool {
        self.agreed && self.shipped + near >= self.last
    }
}

pub(super) async fn view(ground: &Rc<Ground>) -> View {
    let looks: Vec<_> = (0..ground.sites.len())
        .map(|at| {
            let ground = ground.clone();
            tokio::task::spawn_local(async move { Look::at(&ground, at).await })
        })
        .collect();
    let mut seen = Vec::new();
    for look in looks {
        // A look that failed has seen nothing.
        seen.push(look.await.unwrap_or_default());
    }
    let stores: Vec<_> = seen.iter().map(|look| look.store.clone()).collect();
    View {
        sites: seen
            .into_iter()
            .enumerate()
            .map(|(at, look)| look.site(ground, at))
            .collect(),
        director: director(ground).await,
        replication: replication(ground, &stores),
        links: links::view(ground),
    }
}

#[derive(Default)]
struct Look {
    ready_pods: BTreeSet<String>,
    store: Option<StoreHealth>,
}

impl Look {
    async fn at(ground: &Ground, at: usize) -> Look {
        let site = &ground.sites[at];
        if !site.powered.get() {
            return Look::default();
        }
        let (store, pods) = tokio::join!(store(ground, at), pods(site.front_control));
        Look {
            ready_pods: pods,
            store,
        }
    }

    fn site(self, ground: &Ground, at: usize) -> SiteView {
        let site = &ground.sites[at];
        let own = ground.units(|unit| unit.site == Some(at) && !unit.retired.get());
        SiteView {
            name: site.config.name.clone(),
            powered: site.powered.get(),
            nodes: nodes(site),
            wanted_pods: site.pods_wanted.get(),
            processes: own
                .iter()
                .map(|unit| process(ground, unit, &self.ready_pods))
                .collect(),
            store: self.store.map(|store| StoreView {
                epoch: store.epoch,
                fenced: store.duty == Duty::Fenced,
                standby: store.duty == Duty::Standby,
                last_position: store.last,
                damaged: store.recovered.damaged,
            }),
            kept: kept(&site.store_directory()),
            away: ground.away.borrow().get(&at).cloned(),
            front: site.door,
            data: site.store_directory(),
            backups: backups::view(ground, at),
        }
    }
}

/// Standing and records are on the disk before anybody relies on them, so this holds also while no process is there.
fn kept(directory: &Path) -> Kept {
    match fs::metadata(directory.join(LOG)) {
        Ok(log) if log.len() > 0 => {}
        Ok(_) => return Kept::Nothing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::Nothing,
        Err(_) => return Kept::Unknown,
    }
    match StandingFile::of(directory).read().map(|own| own.duty) {
        Some(Duty::Fenced) => Kept::Fenced,
        Some(Duty::Serving | Duty::Standby) => Kept::Records,
        None => Kept::Unknown,
    }
}

fn nodes(site: &SiteGround) -> Vec<NodeView> {
    let node = |node: &super::ground::Node| NodeView {
        name: node.name.clone(),
        powered: node.powered.get(),
        cordoned: node.cordoned.get(),
    };
    site.nodes.iter().map(node).collect()
}

fn labels<'a>(ground: &'a Ground, unit: &Unit) -> Option<&'a BTreeMap<String, String>> {
    let site = unit.site.filter(|_| unit.role == Role::Pod)?;
    ground.sites[site].config.labels.get(&unit.name)
}

fn process(ground: &Ground, unit: &Unit, ready_pods: &BTreeSet<String>) -> ProcessView {
    let life = unit.life();
    let (pid, started, state) = match life {
        Life::Gone(_) => (None, 0, ProcessState::Gone),
        Life::Starting(pid) => (Some(pid), 0, ProcessState::Starting),
        Life::Running { pid, started } if proc::is_stopped(pid) => {
            (Some(pid), started, ProcessState::Stopped)
        }
        Life::Running { pid, started } => (Some(pid), started, ProcessState::Running),
    };
    let listens = state == ProcessState::Running;
    ProcessView {
        name: unit.name.clone(),
        role: unit.role,
        node: unit
            .site
            .zip(unit.node.get())
            .map(|(site, node)| ground.sites[site].nodes[node].name.clone()),
        labels: labels(ground, unit).cloned().unwrap_or_default(),
        pid,
        started,
        address: unit.address,
        control: unit.control,
        state,
        ready: match unit.role {
            Role::Pod => listens && ready_pods.contains(&unit.name),
            Role::Store | Role::Front | Role::World | Role::Director | Role::Network => listens,
        },
    }
}

/// What the site's store says of itself.
pub(super) async fn store(ground: &Ground, at: usize) -> Option<StoreHealth> {
    let answer = ask::get(ground.sites[at].store, "/health", PATIENCE)
        .await
        .ok()?;
    serde_json::from_slice(&answer).ok()
}

pub(super) async fn pods(front_control: SocketAddr) -> BTreeSet<String> {
    let answer = ask::get(front_control, "/control/pods", PATIENCE).await;
    let seen: Vec<Seen> = answer
        .ok()
        .and_then(|answer| serde_json::from_slice(&answer).ok())
        .unwrap_or_default();
    let ready = seen.into_iter().filter(|pod| pod.ready);
    ready.map(|pod| pod.name).collect()
}

/// What the director knows.
pub(super) async fn director_state(ground: &Ground) -> Option<State> {
    director_standing(ground).await.map(|own| own.state)
}

async fn director_standing(ground: &Ground) -> Option<Standing> {
    let director = ground.director?;
    let answer = ask::get(director.commands, "/state", PATIENCE).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

async fn director(ground: &Ground) -> Option<DirectorView> {
    let places = ground.director?;
    let unit = ground.units(|unit| unit.role == Role::Director).pop()?;
    let own = director_standing(ground).await;
    let wall_ms = own.as_ref().map_or(0, |own| own.wall_ms);
    let (route, epoch, owner) = own.map_or_else(Default::default, |Standing { state, .. }| {
        (state.route, state.ownership.epoch, state.ownership.owner)
    });
    Some(DirectorView {
        process: process(ground, &unit, &BTreeSet::new()),
        route,
        epoch,
        owner,
        dns: places.dns,
        wall_ms,
    })
}

fn replication(ground: &Ground, stores: &[Option<StoreHealth>]) -> Option<ReplicationView> {
    let replication = (*ground.replication.borrow())?;
    let from = stores[replication.from].as_ref();
    let oldest = from.and_then(|store| store.oldest_unshipped_ns);
    let lag = oldest.map_or(0, |oldest| clock::monotonic_ns().saturating_sub(oldest));
    let name = |at: usize| ground.sites[at].config.name.clone();
    Some(ReplicationView {
        from: name(replication.from),
        to: name(replication.to),
        paused: ground.replication_paused.get(),
        shipped_position: from.map_or(0, |store| store.shipped),
        lag_ms: lag / 1_000_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::standing::Standing;

    #[test]
    fn what_a_store_keeps_is_known_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        assert_eq!(kept(&store), Kept::Nothing);
        fs::create_dir(&store).unwrap();
        fs::write(store.join(LOG), "").unwrap();
        assert_eq!(kept(&store), Kept::Nothing);
        // Records of nobody knows whom.
        fs::write(store.join(LOG), "a record\n").unwrap();
        assert_eq!(kept(&store), Kept::Unknown);
        for (duty, then) in [
            (Duty::Fenced, Kept::Fenced),
            (Duty::Standby, Kept::Records),
            (Duty::Serving, Kept::Records),
        ] {
            let standing = Standing { duty, epoch: 2 };
            StandingFile::of(&store).write(standing).unwrap();
            assert_eq!(kept(&store), then);
        }
    }
}
