//! From a fault of the plan and the target as it is now to a pinned fault. Victims are chosen here, once: by name,
//! by node, by label, or drawn from the seed.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use firedrill_erlmcp::Role;
use firedrill_erlmcp::world::{
    BackupView, LinkShape, NodeView, Place, ProcessView, SiteView, View,
};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{self, FaultKind, NodeChoice, Target, Victims};
use rand::RngExt as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use self::corrupt::{Eligible, Follower, corruptions};
use self::made::Made;
use self::victims::chosen;
use super::pinned::Pinned;
use super::process::{Kick, Process};
use crate::ledger::Clients;

mod corrupt;
mod hostile;
mod made;
mod resource;
mod victims;

pub use hostile::witness;

/// Why a fault cannot be done to this target as it is now. Nothing has been broken.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    #[error("the target has no site called `{site}`; it has {known}")]
    NoSite { site: String, known: String },
    #[error("site `{site}` has no {what} called `{name}`; it has {known}")]
    NoVictim {
        site: String,
        what: &'static str,
        name: String,
        known: String,
    },
    #[error("site `{site}` has no pod that runs and {which}: choose others")]
    NonePicked { site: String, which: String },
    #[error("site `{site}` has {there} running pods{which}, and the fault is for {wanted}")]
    TooFew {
        site: String,
        which: String,
        there: usize,
        wanted: usize,
    },
    #[error(
        "it would hit {hit} of {all} pods of site `{site}`, and `limits: {{ pods: }}` allows {allowed} %: \
         lower the number, or raise the limit"
    )]
    TooMany {
        site: String,
        hit: usize,
        all: u32,
        allowed: u32,
    },
    #[error(
        "site `{site}` has {pods} pods already, and nothing would change: scale it to another number"
    )]
    AsManyAlready { site: String, pods: u32 },
    #[error("replication is paused already, and nothing would change: have it go on before")]
    PausedAlready,
    #[error("the link {link} is disturbed already, and would be open afterwards: open it before")]
    DisturbedAlready { link: String },
    #[error("`{name}` has ended before anything was done to it")]
    Ended { name: String },
    #[error("site `{site}` has no store that runs")]
    NoStore { site: String },
    #[error("site `{site}` has no backup yet: let backups be made before the fault")]
    NoBackup { site: String },
    #[error("only a command can break a target that is no stand-in")]
    NoWorld,
    #[error("the store's log of site `{site}`: {why}")]
    Log { site: String, why: String },
}

/// What a fault is resolved against.
pub struct Scene<'a> {
    pub plan: &'a Plan,
    /// `None` for a target without controls.
    pub view: Option<&'a View>,
    /// Where data that is taken away is kept until it is healed.
    pub quarantine: PathBuf,
    /// Whom other faults in force have changed: where victims are drawn, others are drawn first.
    pub held: BTreeSet<String>,
    /// Whose records are read back; `None` where nobody's are.
    pub clients: Option<&'a Clients>,
}

/// Pins the fault. `random` is the action's own stream, so that other actions draw nothing from it.
///
/// # Errors
/// When the target has not what the plan names, or more would be hit than the plan allows.
pub fn resolve(
    scene: &Scene<'_>,
    id: &str,
    kind: &FaultKind,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Pinned, ResolveError> {
    let (on, made) = match kind {
        FaultKind::PodKill(victims) => {
            let (site, pods) = scene.victims(victims, random)?;
            (
                names(&pods),
                (made::kicks(site, &pods, Kick::Kill), made::gone(&pods)),
            )
        }
        FaultKind::PodTerminate(victims) => {
            let (site, pods) = scene.victims(victims, random)?;
            (
                names(&pods),
                (made::kicks(site, &pods, Kick::Terminate), made::gone(&pods)),
            )
        }
        FaultKind::PodPause(victims) => {
            let (_, pods) = scene.victims(victims, random)?;
            (names(&pods), made::pauses(&pods))
        }
        FaultKind::StoreCrash { site } => {
            let site = scene.site(*site)?;
            let store = vec![store_of(site)?];
            (
                names(&store),
                (made::kicks(site, &store, Kick::Kill), made::gone(&store)),
            )
        }
        FaultKind::NodeDrain { site, node } => {
            // Evictions wait for the disruption budget: no more are missing at once.
            let budget = scene.disruption_budget(*site);
            let site = scene.site(*site)?;
            let node = scene.node(site, node, budget, random)?;
            (
                format!("{} of {}", node.name, site.name),
                made::drain(site, node),
            )
        }
        FaultKind::NodeLoss { site, node } => {
            let site = scene.site(*site)?;
            let node = scene.node(site, node, usize::MAX, random)?;
            (
                format!("{} of {}", node.name, site.name),
                made::node_loss(site, node),
            )
        }
        FaultKind::RollingRestart { site } => {
            let site = scene.site(*site)?;
            (site.name.clone(), made::rolling_restart(site))
        }
        FaultKind::Scale { site, pods } => {
            let site = scene.site(*site)?;
            if site.wanted_pods == *pods {
                return Err(ResolveError::AsManyAlready {
                    site: site.name.clone(),
                    pods: *pods,
                });
            }
            let fewer = site.wanted_pods.saturating_sub(*pods);
            scene.within_limits(site, fewer as usize)?;
            (site.name.clone(), made::scale(site, *pods))
        }
        FaultKind::SiteFailure { site } => {
            let site = scene.site(*site)?;
            (in_words(site), made::site_failure(site))
        }
        FaultKind::SystemFailure { site } => {
            let site = scene.site(*site)?;
            (
                in_words(site),
                made::loss(site, false, scene.quarantine.join(id)),
            )
        }
        FaultKind::NaturalDisaster { site } => {
            let site = scene.site(*site)?;
            (
                in_words(site),
                made::loss(site, true, scene.quarantine.join(id)),
            )
        }
        FaultKind::DataCorruption { site, records, how } => {
            let site = scene.site(*site)?;
            let store = store_view(site)?.address;
            let follower = scene.view.and_then(|view| Follower::of(view, &site.name));
            let eligible = Eligible {
                follower: follower.as_ref(),
                clients: scene.clients,
            };
            let damages = corruptions(site, *records, *how, eligible, random)?;
            (
                format!("{} records of {}'s store", damages.len(), site.name),
                made::corruption(store, damages),
            )
        }
        FaultKind::BackupLost { site } => {
            let site = scene.site(*site)?;
            made::backup(site, scene.quarantine.join(id), false)?
        }
        FaultKind::BackupDamaged { site } => {
            let site = scene.site(*site)?;
            made::backup(site, scene.quarantine.join(id), true)?
        }
        FaultKind::ReplicationPause => ("replication".to_owned(), scene.replication_pause()?),
        FaultKind::Network { link, shape } => scene.network(*link, *shape)?,
        FaultKind::Command(command) => (
            "what the command names".to_owned(),
            made::by_command(command, &scene.quarantine.join(id)),
        ),
        FaultKind::SlowPod {
            victims,
            factor,
            busy,
        } => scene.slow_pod(victims, (*factor, *busy), random)?,
        FaultKind::MemoryExhaustion(victims) => scene.memory_exhaustion(victims, random)?,
        FaultKind::QueueExhaustion(victims) => scene.queue_exhaustion(victims, random)?,
        FaultKind::CpuSaturation(victims) => scene.cpu_saturation(victims, random)?,
        FaultKind::DiskFull { site } => {
            let site = scene.site(*site)?;
            let store = store_of(site)?;
            (store.name.clone(), resource::disk_full(site, &store)?)
        }
        FaultKind::ClockJump { by, back } => {
            ("director".to_owned(), resource::clock_jump(*by, *back))
        }
        FaultKind::CertificateExpiry { site } => {
            let site = scene.site(*site)?;
            (
                format!("{}'s front door", site.name),
                resource::certificate(site),
            )
        }
        FaultKind::Hostile { site, manner } => {
            let site = scene.site(*site)?;
            hostile::hostile(scene, id, site, *manner, random)?
        }
    };
    Ok(pin(id, kind, &on, made))
}

fn pin(id: &str, kind: &FaultKind, on: &str, (steps, effects): Made) -> Pinned {
    Pinned {
        id: id.to_owned(),
        fault: kind.word(),
        on: on.to_owned(),
        steps,
        effects,
    }
}

/// The stream from which an action draws its victims: its own, so that other actions draw nothing from it. `number`
/// counts its repetitions.
pub fn stream(seed: u64, action: usize, number: u32) -> Xoshiro256PlusPlus {
    let number = (action as u64) << 32 | u64::from(number);
    let mixed = seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x7669_6374_696d_7300;
    Xoshiro256PlusPlus::seed_from_u64(mixed)
}

impl<'a> Scene<'a> {
    fn site(&self, index: usize) -> Result<&'a SiteView, ResolveError> {
        let view = self.view.ok_or(ResolveError::NoWorld)?;
        let name = match &self.plan.target {
            Target::Embedded(embedded) => &embedded.sites[index].name,
            Target::Endpoint(_) => return Err(ResolveError::NoWorld),
        };
        let found = view.sites.iter().find(|site| site.name == *name);
        found.ok_or_else(|| ResolveError::NoSite {
            site: name.clone(),
            known: listed(view.sites.iter().map(|site| site.name.as_str())),
        })
    }

    fn disruption_budget(&self, index: usize) -> usize {
        match &self.plan.target {
            Target::Embedded(embedded) => embedded.sites[index].disruption_budget as usize,
            Target::Endpoint(_) => 0,
        }
    }

    fn victims(
        &self,
        victims: &Victims,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<(&'a SiteView, Vec<Process>), ResolveError> {
        let site = self.site(victims.site)?;
        let chosen = chosen(site, victims, &self.held, random)?;
        self.within_limits(site, chosen.len())?;
        Ok((site, chosen.into_iter().filter_map(Process::of).collect()))
    }

    fn within_limits(&self, site: &SiteView, hit: usize) -> Result<(), ResolveError> {
        let (all, limits) = (site.wanted_pods, &self.plan.drill.limits);
        if limits.allows_pods(hit, all) {
            return Ok(());
        }
        Err(ResolveError::TooMany {
            site: site.name.clone(),
            hit,
            all,
            allowed: limits.pods_percent(),
        })
    }

    /// A node, of whose pods at most so many are missing at once.
    fn node(
        &self,
        site: &'a SiteView,
        choice: &NodeChoice,
        at_once: usize,
        random: &mut Xoshiro256PlusPlus,
    ) -> Result<&'a NodeView, ResolveError> {
        let no_victim = |name: &str| ResolveError::NoVictim {
            site: site.name.clone(),
            what: "node",
            name: name.to_owned(),
            known: listed(site.nodes.iter().map(|node| node.name.as_str())),
        };
        let node = match choice {
            NodeChoice::Named(name) => site.nodes.iter().find(|node| node.name == *name),
            NodeChoice::Random => {
                let count = site.nodes.len().max(1);
                site.nodes.get(random.random_range(0..count))
            }
        };
        let node = node.ok_or_else(|| match choice {
            NodeChoice::Named(name) => no_victim(name),
            NodeChoice::Random => no_victim("any"),
        })?;
        self.within_limits(site, on_node(site, node).len().min(at_once))?;
        Ok(node)
    }

    fn network(
        &self,
        link: plan::Link,
        shape: plan::LinkShape,
    ) -> Result<(String, Made), ResolveError> {
        let name = match link {
            plan::Link::Clients { site } => format!("clients-{}", self.site(site)?.name),
            plan::Link::Store { site } => format!("store-{}", self.site(site)?.name),
            plan::Link::Replication => "replication".to_owned(),
        };
        let view = self.view.ok_or(ResolveError::NoWorld)?;
        let found = view.links.iter().find(|link| link.name == name);
        let link = found.ok_or_else(|| ResolveError::NoVictim {
            site: "network".to_owned(),
            what: "link",
            name: name.clone(),
            known: listed(view.links.iter().map(|link| link.name.as_str())),
        })?;
        // Its undo would take away what somebody else made of it.
        if link.shape != LinkShape::default() {
            return Err(ResolveError::DisturbedAlready { link: name });
        }
        Ok((name, made::disturbed(link, shape)))
    }

    fn replication_pause(&self) -> Result<Made, ResolveError> {
        let replication = self.view.and_then(|view| view.replication.as_ref());
        match replication.is_some_and(|own| own.paused) {
            true => Err(ResolveError::PausedAlready),
            false => Ok(made::replication_pause()),
        }
    }
}

fn pods(site: &SiteView) -> impl Iterator<Item = &ProcessView> {
    site.processes
        .iter()
        .filter(|process| process.role == Role::Pod && process.pid.is_some())
}

fn on_node(site: &SiteView, node: &NodeView) -> Vec<Process> {
    let own = |pod: &&ProcessView| pod.node.as_deref() == Some(node.name.as_str());
    pods(site).filter(own).filter_map(Process::of).collect()
}

fn store_of(site: &SiteView) -> Result<Process, ResolveError> {
    Process::of(store_view(site)?).ok_or_else(|| no_store(site))
}

fn store_view(site: &SiteView) -> Result<&ProcessView, ResolveError> {
    let mut all = site.processes.iter();
    let store = all.find(|process| process.role == Role::Store && process.pid.is_some());
    store.ok_or_else(|| no_store(site))
}

fn no_store(site: &SiteView) -> ResolveError {
    ResolveError::NoStore {
        site: site.name.clone(),
    }
}

/// Where the front door itself listens; clients may come over a link that lives longer than it.
fn front_of(site: &SiteView) -> SocketAddr {
    let mut all = site.processes.iter();
    let front = all.find(|process| process.role == Role::Front);
    front.map_or(site.front, |front| front.address)
}

fn all_of(site: &SiteView) -> Vec<Process> {
    site.processes.iter().filter_map(Process::of).collect()
}

fn names(processes: &[Process]) -> String {
    listed(processes.iter().map(|process| process.name.as_str()))
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn in_words(site: &SiteView) -> String {
    format!(
        "{} ({} nodes, {} pods, {} processes)",
        site.name,
        site.nodes.len(),
        pods(site).count(),
        all_of(site).len()
    )
}

fn newest_backup(site: &SiteView) -> Result<&BackupView, ResolveError> {
    let local = site
        .backups
        .iter()
        .filter(|backup| backup.place == Place::Local);
    local
        .max_by_key(|backup| backup.ended_ns)
        .ok_or_else(|| ResolveError::NoBackup {
            site: site.name.clone(),
        })
}

#[cfg(test)]
pub(super) mod tests;
