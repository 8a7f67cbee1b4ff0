//! The blast radius, as far as the scenario itself says it: how many pods and sites a fault takes at once.

use std::collections::BTreeSet;

use super::reader::Reader;
use crate::plan::{Act, Blocked, Embedded, FaultKind, Link, Pick, Plan};
use crate::text::{Place, unit};

/// Pods that a fault takes at once, or that several take together.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    named: BTreeSet<String>,
    /// Those that only the run can name.
    drawn: usize,
}

impl Taken {
    fn named(pods: Vec<String>) -> Taken {
        Taken {
            named: BTreeSet::from_iter(pods),
            drawn: 0,
        }
    }

    fn drawn(pods: u32) -> Taken {
        Taken {
            named: BTreeSet::new(),
            drawn: pods as usize,
        }
    }

    /// A pod that two faults name is taken once; one that is drawn may be any.
    pub fn add(&mut self, other: Taken) {
        self.named.extend(other.named);
        self.drawn += other.drawn;
    }

    pub fn count(&self) -> usize {
        self.named.len() + self.drawn
    }
}

/// Of which site's pods, and how many at once.
pub(super) fn taken(embedded: &Embedded, kind: &FaultKind) -> Option<(usize, Taken)> {
    let of_node = |site: usize| {
        let own = &embedded.sites[site];
        own.pods.div_ceil(own.nodes.max(1))
    };
    match kind {
        FaultKind::PodKill(victims)
        | FaultKind::PodPause(victims)
        | FaultKind::PodTerminate(victims)
        | FaultKind::SlowPod { victims, .. }
        | FaultKind::MemoryExhaustion(victims)
        | FaultKind::QueueExhaustion(victims)
        | FaultKind::CpuSaturation(victims) => {
            let site = victims.site;
            let with = embedded.sites[site].pods_with(&victims.labels);
            let most = match victims.labels.is_empty() {
                true => u32::MAX,
                false => with.len() as u32,
            };
            let taken = match &victims.pick {
                Pick::All => Taken::named(with),
                Pick::Named(pods) => Taken::named(pods.clone()),
                Pick::OnNode(_) => Taken::drawn(of_node(site).min(most)),
                Pick::Random(pods) => Taken::drawn((*pods).min(most)),
            };
            Some((site, taken))
        }
        // Evictions wait for the disruption budget.
        FaultKind::NodeDrain { site, .. } => {
            let budget = embedded.sites[*site].disruption_budget;
            Some((*site, Taken::drawn(of_node(*site).min(budget))))
        }
        FaultKind::NodeLoss { site, .. } => Some((*site, Taken::drawn(of_node(*site)))),
        FaultKind::RollingRestart { site } => Some((*site, Taken::drawn(1))),
        FaultKind::Scale { site, pods } => {
            let fewer = embedded.sites[*site].pods.saturating_sub(*pods);
            Some((*site, Taken::drawn(fewer)))
        }
        FaultKind::StoreCrash { .. }
        | FaultKind::SiteFailure { .. }
        | FaultKind::DataCorruption { .. }
        | FaultKind::SystemFailure { .. }
        | FaultKind::NaturalDisaster { .. }
        | FaultKind::BackupLost { .. }
        | FaultKind::BackupDamaged { .. }
        | FaultKind::ReplicationPause
        | FaultKind::Network { .. }
        | FaultKind::Command(_)
        | FaultKind::DiskFull { .. }
        | FaultKind::ClockJump { .. }
        | FaultKind::CertificateExpiry { .. }
        | FaultKind::Hostile { .. } => None,
    }
}

pub(super) fn pods(
    reader: &Reader<'_>,
    plan: &Plan,
    embedded: &Embedded,
    kind: &FaultKind,
    place: Place,
) {
    let Some((site, taken)) = taken(embedded, kind) else {
        return;
    };
    let (own, taken) = (&embedded.sites[site], taken.count());
    let limits = &plan.drill.limits;
    if taken > own.pods as usize {
        reader.problem(
            place,
            format!("`{}` has {} pods, not {taken}", own.name, own.pods),
            format!("write pods: {} or less, or pods: all", own.pods),
        );
    } else if !limits.allows_pods(taken, own.pods) {
        let allowed = unit::share_text(limits.pods);
        let wanted = (100 * taken).div_ceil(own.pods as usize);
        reader.problem(
            place,
            format!(
                "{taken} of the {} pods of `{}` at once are more than the limit of {allowed}",
                own.pods, own.name
            ),
            format!("take fewer, or write limits: {{ pods: {wanted} % }}"),
        );
    }
}

/// A site that nobody reaches, or whose pods do not reach its store, is as good as down.
fn cuts_off(kind: &FaultKind) -> bool {
    let FaultKind::Network { link, shape } = kind else {
        return false;
    };
    match link {
        Link::Clients { .. } | Link::Store { .. } => {
            shape.reset || shape.blocked != Blocked::Nothing
        }
        Link::Replication => false,
    }
}

/// Sites that are down at once: those that faults of the same phase take.
pub(super) fn sites(reader: &Reader<'_>, plan: &Plan, places: &[Place]) {
    let limit = plan.drill.limits.sites;
    for phase in 0..plan.timeline.len() {
        let mut down: Vec<usize> = Vec::new();
        for (action, place) in plan.drill.actions.iter().zip(places) {
            let site = match &action.act {
                Act::Fault(fault) if fault.kind.takes_site() || cuts_off(&fault.kind) => {
                    fault.kind.site()
                }
                Act::Fault(_) | Act::Step(_) | Act::ReadBack { .. } => None,
            };
            let Some(site) = site.filter(|site| action.phase == phase && !down.contains(site))
            else {
                continue;
            };
            down.push(site);
            if down.len() > limit as usize {
                reader.problem(
                    *place,
                    format!(
                        "`{}` may take {} down at once, more than the limit of {limit}",
                        plan.timeline[phase].name,
                        if down.len() == 1 {
                            "a whole site".to_owned()
                        } else {
                            format!("{} sites", down.len())
                        }
                    ),
                    format!(
                        "put them into phases of their own, or write limits: {{ sites: {} }}",
                        down.len()
                    ),
                );
            }
        }
    }
}
