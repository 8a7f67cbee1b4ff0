//! Can the target be broken like this, and may it?

use std::time::Duration;

use super::overlap;
use super::reader::Reader;
use crate::plan::{
    Act, Action, Embedded, Fault, FaultKind, Link, NodeChoice, Pick, Plan, RecoveryStep, Site,
    Target, Victims,
};
use crate::text::nearest::choices;
use crate::text::{Place, unit};

/// A call that takes less is not told from one that does not.
const SEEN: Duration = Duration::from_millis(5);

/// What an action needs of the target, and how much of it a fault takes.
pub(crate) fn faults(reader: &Reader<'_>, plan: &Plan, places: &[Place]) {
    let Target::Embedded(embedded) = &plan.target else {
        return;
    };
    for (action, place) in plan.drill.actions.iter().zip(places) {
        match &action.act {
            Act::Fault(Fault { kind, .. }) => {
                needs_of_fault(reader, embedded, kind, *place);
                names(reader, embedded, kind, *place);
                pods(reader, plan, embedded, kind, *place);
                scale(reader, embedded, kind, *place);
            }
            Act::Step(step) => needs_of_step(reader, embedded, step, *place),
            Act::ReadBack { .. } => {}
        }
    }
    sites(reader, plan, places);
    overlap::faults(reader, plan, embedded, places);
    told_apart(reader, plan, places);
}

/// Bounds are for clients, and a client is an address: behind links all of them have the same.
fn told_apart(reader: &Reader<'_>, plan: &Plan, places: &[Place]) {
    let has = |is: fn(&FaultKind) -> bool| {
        let kind = |action: &Action| matches!(&action.act, Act::Fault(fault) if is(&fault.kind));
        plan.drill.actions.iter().position(kind)
    };
    let hostile = has(|kind| matches!(kind, FaultKind::Hostile { .. }));
    let links = has(|kind| matches!(kind, FaultKind::Network { .. }));
    if let (Some(hostile), Some(_)) = (hostile, links) {
        reader.problem(
            places[hostile],
            "with the proxies that `network` needs, a hostile client cannot be told from the load",
            "put one of the two into a scenario of its own",
        );
    }
}

fn needs_replication(reader: &Reader<'_>, embedded: &Embedded, word: &str, place: Place) {
    if embedded.replication.is_none() {
        reader.problem(
            place,
            format!("`{word}` needs a site that follows another, and nothing is replicated"),
            "add replication: { from: SITE, to: SITE } to the target",
        );
    }
}

fn needs_backups(reader: &Reader<'_>, embedded: &Embedded, word: &str, place: Place) {
    if embedded.backups.is_none() {
        reader.problem(
            place,
            format!("`{word}` needs backups, and the target makes none"),
            "add backups: { every: 5s } to the target",
        );
    }
}

fn needs_director(reader: &Reader<'_>, embedded: &Embedded, place: Place) {
    if embedded.director.is_none() {
        reader.problem(
            place,
            "`clock-jump` sets the director's clock, and there is none",
            "add director: {} to the target",
        );
    }
}

fn needs_tls(reader: &Reader<'_>, embedded: &Embedded, place: Place) {
    if !embedded.tls {
        reader.problem(
            place,
            "`certificate-expiry` needs a certificate, and the sites speak plain HTTP",
            "add tls: true to the target",
        );
    }
}

/// Times that nobody can see are not multiplied.
fn needs_work(reader: &Reader<'_>, site: &Site, factor: f64, busy: f64, place: Place) {
    let usual = site.behaviour.service_time.typical();
    if busy <= 0.0 && usual.mul_f64(factor) < SEEN {
        reader.problem(
            place,
            format!(
                "`{}` answers in about {}, which {factor} times as long is too little to be seen",
                site.name,
                unit::duration_text(usual)
            ),
            format!(
                "let it take {} or more: a larger factor, busy: 50 %, or a longer service_time",
                unit::duration_text(SEEN)
            ),
        );
    }
}

fn needs_of_fault(reader: &Reader<'_>, embedded: &Embedded, kind: &FaultKind, place: Place) {
    let word = kind.word();
    match kind {
        FaultKind::ReplicationPause => needs_replication(reader, embedded, word, place),
        FaultKind::Network { link, .. } => match link {
            Link::Replication => needs_replication(reader, embedded, word, place),
            Link::Clients { .. } | Link::Store { .. } => {}
        },
        FaultKind::SystemFailure { .. }
        | FaultKind::NaturalDisaster { .. }
        | FaultKind::BackupLost { .. }
        | FaultKind::BackupDamaged { .. } => needs_backups(reader, embedded, word, place),
        FaultKind::ClockJump { .. } => needs_director(reader, embedded, place),
        FaultKind::CertificateExpiry { .. } => needs_tls(reader, embedded, place),
        FaultKind::SlowPod {
            victims,
            factor,
            busy,
        } => needs_work(reader, &embedded.sites[victims.site], *factor, *busy, place),
        FaultKind::PodKill(_)
        | FaultKind::PodPause(_)
        | FaultKind::PodTerminate(_)
        | FaultKind::StoreCrash { .. }
        | FaultKind::NodeDrain { .. }
        | FaultKind::NodeLoss { .. }
        | FaultKind::RollingRestart { .. }
        | FaultKind::Scale { .. }
        | FaultKind::SiteFailure { .. }
        | FaultKind::DataCorruption { .. }
        | FaultKind::Command(_)
        | FaultKind::MemoryExhaustion(_)
        | FaultKind::QueueExhaustion(_)
        | FaultKind::CpuSaturation(_)
        | FaultKind::DiskFull { .. } => {}
        FaultKind::Hostile { .. } if embedded.tls => reader.problem(
            place,
            format!("the client of `{word}` speaks no TLS"),
            "take `tls: true` out of the target",
        ),
        FaultKind::Hostile { .. } => {}
    }
}

fn needs_of_step(reader: &Reader<'_>, embedded: &Embedded, step: &RecoveryStep, place: Place) {
    match step {
        RecoveryStep::Restore { .. } | RecoveryStep::VerifyBackups { .. } => {
            needs_backups(reader, embedded, step.word(), place)
        }
        RecoveryStep::FailBack { .. } => needs_replication(reader, embedded, step.word(), place),
        RecoveryStep::Fence { .. }
        | RecoveryStep::Promote { .. }
        | RecoveryStep::Rebuild { .. }
        | RecoveryStep::Reroute { .. }
        | RecoveryStep::Command(_) => {}
    }
}

// ---- names of pods and nodes ----

/// As the stand-in calls them: `primary-0`, and `primary-node-0`.
pub(super) fn pod_names(site: &Site) -> Vec<String> {
    (0..site.pods)
        .map(|number| format!("{}-{number}", site.name))
        .collect()
}

fn node_names(site: &Site) -> Vec<String> {
    (0..site.nodes)
        .map(|number| format!("{}-node-{number}", site.name))
        .collect()
}

fn names(reader: &Reader<'_>, embedded: &Embedded, kind: &FaultKind, place: Place) {
    let known = |names: &[String], one: &str, name: &String| {
        if !names.contains(name) {
            reader.problem(
                place,
                format!("no {one} is called `{name}`"),
                choices(name, &format!("{one}s"), names.iter().map(String::as_str)),
            );
        }
    };
    match kind {
        FaultKind::PodKill(victims)
        | FaultKind::PodPause(victims)
        | FaultKind::PodTerminate(victims)
        | FaultKind::SlowPod { victims, .. }
        | FaultKind::MemoryExhaustion(victims)
        | FaultKind::QueueExhaustion(victims)
        | FaultKind::CpuSaturation(victims) => {
            let site = &embedded.sites[victims.site];
            match &victims.pick {
                Pick::Named(pods) => pods
                    .iter()
                    .for_each(|pod| known(&pod_names(site), "pod", pod)),
                Pick::OnNode(node) => known(&node_names(site), "node", node),
                Pick::All | Pick::Random(_) => {}
            }
        }
        FaultKind::NodeDrain { site, node } | FaultKind::NodeLoss { site, node } => match node {
            NodeChoice::Named(node) => known(&node_names(&embedded.sites[*site]), "node", node),
            NodeChoice::Random => {}
        },
        FaultKind::StoreCrash { .. }
        | FaultKind::RollingRestart { .. }
        | FaultKind::Scale { .. }
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
        | FaultKind::Hostile { .. } => {}
    }
}

// ---- the blast radius ----

/// Pods that the fault takes at once, of the site's.
pub(super) fn taken(embedded: &Embedded, kind: &FaultKind) -> Option<(usize, u32)> {
    let of_node = |site: usize| {
        let own = &embedded.sites[site];
        (site, own.pods.div_ceil(own.nodes.max(1)))
    };
    match kind {
        FaultKind::PodKill(victims)
        | FaultKind::PodPause(victims)
        | FaultKind::PodTerminate(victims)
        | FaultKind::SlowPod { victims, .. }
        | FaultKind::MemoryExhaustion(victims)
        | FaultKind::QueueExhaustion(victims)
        | FaultKind::CpuSaturation(victims) => {
            let Victims { site, pick } = victims;
            Some(match pick {
                Pick::All => (*site, embedded.sites[*site].pods),
                Pick::Named(pods) => (*site, u32::try_from(pods.len()).unwrap_or(u32::MAX)),
                Pick::OnNode(_) => of_node(*site),
                Pick::Random(pods) => (*site, *pods),
            })
        }
        // Evictions wait for the disruption budget.
        FaultKind::NodeDrain { site, .. } => {
            let (site, pods) = of_node(*site);
            Some((site, pods.min(embedded.sites[site].disruption_budget)))
        }
        FaultKind::NodeLoss { site, .. } => Some(of_node(*site)),
        FaultKind::RollingRestart { site } => Some((*site, 1)),
        FaultKind::Scale { site, pods } => {
            Some((*site, embedded.sites[*site].pods.saturating_sub(*pods)))
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

fn pods(reader: &Reader<'_>, plan: &Plan, embedded: &Embedded, kind: &FaultKind, place: Place) {
    let Some((site, taken)) = taken(embedded, kind) else {
        return;
    };
    let own = &embedded.sites[site];
    let limit = plan.drill.limits.pods;
    if taken > own.pods {
        reader.problem(
            place,
            format!("`{}` has {} pods, not {taken}", own.name, own.pods),
            format!("write pods: {} or less, or pods: all", own.pods),
        );
    } else if f64::from(taken) > limit * f64::from(own.pods) + 1e-9 {
        let allowed = unit::share_text(limit);
        let wanted = (100 * taken).div_ceil(own.pods);
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

/// Sites that are down at once: those that faults of the same phase take.
fn sites(reader: &Reader<'_>, plan: &Plan, places: &[Place]) {
    let limit = plan.drill.limits.sites;
    for phase in 0..plan.timeline.len() {
        let mut down: Vec<usize> = Vec::new();
        for (action, place) in plan.drill.actions.iter().zip(places) {
            let site = match &action.act {
                Act::Fault(fault) if fault.kind.takes_site() => fault.kind.site(),
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

/// A number of pods that the site has already changes nothing.
fn scale(reader: &Reader<'_>, embedded: &Embedded, kind: &FaultKind, place: Place) {
    let FaultKind::Scale { site, pods } = kind else {
        return;
    };
    let own = &embedded.sites[*site];
    if own.pods == *pods {
        reader.problem(
            place,
            format!(
                "`{}` has {pods} pods already, and nothing would change",
                own.name
            ),
            "scale it to another number",
        );
    }
}
