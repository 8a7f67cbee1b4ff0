//! Can the target be broken like this, and may it?

use std::time::Duration;

use super::reader::Reader;
use super::{overlap, radius};
use crate::plan::{
    Act, Action, Embedded, Fault, FaultKind, Link, NodeChoice, Pick, Plan, RecoveryStep, Site,
    Target, Victims, labels_text,
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
                radius::pods(reader, plan, embedded, kind, *place);
                scale(reader, embedded, kind, *place);
            }
            Act::Step(step) => needs_of_step(reader, embedded, step, *place),
            Act::ReadBack { .. } => {}
        }
    }
    radius::sites(reader, plan, places);
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
    let only_busy = factor <= 1.0 && busy > 0.0;
    if !only_busy && usual.mul_f64(factor) < SEEN {
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
        RecoveryStep::Promote { site } | RecoveryStep::Reroute { site } => {
            needs_a_route(reader, embedded, *site, place);
        }
        RecoveryStep::Fence { .. } | RecoveryStep::Rebuild { .. } | RecoveryStep::Command(_) => {}
    }
}

/// Clients whom nobody leads elsewhere stay with the first site.
fn needs_a_route(reader: &Reader<'_>, embedded: &Embedded, site: usize, place: Place) {
    if site != 0 && embedded.director.is_none() {
        reader.problem(
            place,
            format!(
                "nobody would lead clients to `{}`: the target has no director",
                embedded.sites[site].name
            ),
            "add director: {} to the target",
        );
    }
}

// ---- names of pods and nodes, and labels ----

/// As the stand-in calls them: `primary-node-0`.
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
                Pick::Named(pods) => {
                    let all: Vec<String> = site.pod_names().collect();
                    pods.iter().for_each(|pod| known(&all, "pod", pod));
                }
                Pick::OnNode(node) => known(&node_names(site), "node", node),
                Pick::All | Pick::Random(_) => {}
            }
            labelled(reader, site, victims, place);
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

/// Labels that too few pods have, or none.
fn labelled(reader: &Reader<'_>, site: &Site, victims: &Victims, place: Place) {
    let (there, labels) = (site.pods_with(&victims.labels).len(), &victims.labels);
    let wanted = match &victims.pick {
        Pick::Random(pods) => *pods as usize,
        Pick::All | Pick::OnNode(_) => 1,
        Pick::Named(_) => return,
    };
    if labels.is_empty() || there >= wanted {
        return;
    }
    let own = site.labels.iter();
    let own: Vec<String> = own
        .map(|(pod, own)| format!("{pod} {}", labels_text(own)))
        .collect();
    let remedy = match own.is_empty() {
        true => format!("give {} labels, in the target", site.name),
        false => format!("its labels: {}", own.join("; ")),
    };
    reader.problem(
        place,
        format!(
            "{there} of the pods of `{}` have {}, and the fault is for {wanted}",
            site.name,
            labels_text(labels)
        ),
        remedy,
    );
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
