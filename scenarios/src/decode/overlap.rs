//! Faults of one phase that are in force at the same time, as far as the scenario itself says when they begin: none
//! may hold what another one will give back, and together they take no more pods than the limits allow. Where an action
//! waits for another, or for a condition, or lasts into a later phase, only the run can know: it holds both against all
//! that is in force then, and whole sites too.

use std::time::Duration;

use super::radius::{Taken, taken};
use super::reader::Reader;
use crate::plan::{Act, Embedded, Fault, FaultKind, Link, NodeChoice, Pick, Plan, Start, Victims};
use crate::text::{Place, unit};

/// One time that a fault is in force, from the start of its phase.
struct Span<'a> {
    action: usize,
    phase: usize,
    kind: &'a FaultKind,
    from: Duration,
    /// `None`: to the end of the phase, or longer.
    until: Option<Duration>,
}

impl Span<'_> {
    fn is_in_force(&self, other: &Span<'_>) -> bool {
        let begun = self.from <= other.from;
        let over = self.until.is_some_and(|until| until <= other.from);
        self.phase == other.phase && begun && !over
    }
}

/// The later one of two that cannot be in force together is the mistake; each action is named once.
pub(super) fn faults(reader: &Reader<'_>, plan: &Plan, embedded: &Embedded, places: &[Place]) {
    let mut spans = spans(plan, embedded);
    spans.sort_by_key(|span| (span.phase, span.from));
    let mut named: Vec<usize> = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if named.contains(&span.action) {
            continue;
        }
        let before = spans[..index].iter();
        let before: Vec<&Span<'_>> = before.filter(|other| other.is_in_force(span)).collect();
        let problem = held_twice(plan, embedded, &before, span)
            .or_else(|| too_many(plan, embedded, &before, span));
        if let Some((what, remedy)) = problem {
            reader.problem(places[span.action], what, remedy);
            named.push(span.action);
        }
    }
}

fn spans<'a>(plan: &'a Plan, embedded: &Embedded) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    for (action, own) in plan.drill.actions.iter().enumerate() {
        let (Act::Fault(Fault { kind, hold }), Start::At(start)) = (&own.act, &own.start) else {
            continue;
        };
        let lasts = match (kind.lasts(), kind.site()) {
            (true, _) => *hold,
            // Pods that were killed are missing until they are started again.
            (false, Some(site)) => Some(embedded.sites[site].restart_delay),
            (false, None) => Some(Duration::ZERO),
        };
        spans.extend((0..own.times.max(1)).map(|number| {
            let from = *start + own.every * number;
            Span {
                action,
                phase: own.phase,
                kind,
                from,
                until: lasts.map(|lasts| from + lasts),
            }
        }));
    }
    spans
}

type Problem = (String, String);

fn held_twice(
    plan: &Plan,
    embedded: &Embedded,
    before: &[&Span<'_>],
    span: &Span<'_>,
) -> Option<Problem> {
    let mut own = held(embedded, span.kind);
    own.extend(ended(embedded, span.kind));
    for other in before {
        let others = held(embedded, other.kind);
        let Some((whose, what)) = own.iter().find(|held| others.contains(held)) else {
            continue;
        };
        // A repetition never begins before the one of before has ended: that is refused with the repetitions.
        let by = &plan.drill.actions[other.action].id;
        return Some((
            format!(
                "{what} of `{whose}` is held by `{by}` when this begins, {} into the phase",
                unit::duration_text(span.from)
            ),
            "let the earlier one end before (for: 2s), begin later, or choose another victim"
                .to_owned(),
        ));
    }
    None
}

/// Together with what is in force already.
fn too_many(
    plan: &Plan,
    embedded: &Embedded,
    before: &[&Span<'_>],
    span: &Span<'_>,
) -> Option<Problem> {
    let (site, own) = taken(embedded, span.kind)?;
    let mut all = Taken::default();
    for other in before {
        match taken(embedded, other.kind) {
            Some((of, others)) if of == site => all.add(others),
            Some(_) | None => {}
        }
    }
    if own.count() == 0 || all.count() == 0 {
        return None;
    }
    all.add(own);
    let (site, limits) = (&embedded.sites[site], &plan.drill.limits);
    let all = all.count().min(site.pods as usize);
    if limits.allows_pods(all, site.pods) {
        return None;
    }
    let wanted = (100 * all).div_ceil(site.pods as usize);
    Some((
        format!(
            "with what is in force already, {} into the phase, {all} of the {} pods of `{}` may be hit at once, more \
             than the limit of {}",
            unit::duration_text(span.from),
            site.pods,
            site.name,
            unit::share_text(limits.pods)
        ),
        format!("let the earlier one end before, or write limits: {{ pods: {wanted} % }}"),
    ))
}

/// What ends with the processes that the fault ends: those that follow them are as new.
fn ended(embedded: &Embedded, kind: &FaultKind) -> Vec<(String, &'static str)> {
    let disk = |site: usize| (embedded.sites[site].name.clone(), DISK);
    let pods = |names: Vec<String>| {
        let all = |name: String| OF_A_POD.map(|what| (name.clone(), what));
        names.into_iter().flat_map(all).collect::<Vec<_>>()
    };
    match kind {
        FaultKind::StoreCrash { site } => vec![disk(*site)],
        FaultKind::PodKill(victims) | FaultKind::PodTerminate(victims) => {
            pods(named(embedded, victims))
        }
        FaultKind::SiteFailure { site }
        | FaultKind::SystemFailure { site }
        | FaultKind::NaturalDisaster { site } => {
            let mut ended = pods(embedded.sites[*site].pod_names().collect());
            ended.push(disk(*site));
            ended
        }
        FaultKind::RollingRestart { site } => pods(embedded.sites[*site].pod_names().collect()),
        // Which pods are on a node, only the run knows.
        FaultKind::NodeDrain { .. } | FaultKind::NodeLoss { .. } => Vec::new(),
        FaultKind::PodPause(_)
        | FaultKind::SlowPod { .. }
        | FaultKind::MemoryExhaustion(_)
        | FaultKind::QueueExhaustion(_)
        | FaultKind::CpuSaturation(_)
        | FaultKind::Scale { .. }
        | FaultKind::DataCorruption { .. }
        | FaultKind::BackupLost { .. }
        | FaultKind::BackupDamaged { .. }
        | FaultKind::ReplicationPause
        | FaultKind::Network { .. }
        | FaultKind::Command(_)
        | FaultKind::DiskFull { .. }
        | FaultKind::ClockJump { .. }
        | FaultKind::CertificateExpiry { .. }
        | FaultKind::Hostile { .. } => Vec::new(),
    }
}

/// The pods that are meant, as far as the scenario says which.
fn named(embedded: &Embedded, victims: &Victims) -> Vec<String> {
    match &victims.pick {
        Pick::All => embedded.sites[victims.site].pods_with(&victims.labels),
        Pick::Named(names) => names.clone(),
        Pick::OnNode(_) | Pick::Random(_) => Vec::new(),
    }
}

const DISK: &str = "the disk";
const RUNNING: &str = "the running";
const SERVICE_TIME: &str = "the service time";
const THREAD: &str = "the time of the thread";
const MEMORY: &str = "the memory";
const PLACES: &str = "the places at work";
/// What a pod has until it ends.
const OF_A_POD: [&str; 5] = [RUNNING, SERVICE_TIME, THREAD, MEMORY, PLACES];

/// What the fault gives back in the end, as far as it is known before the run: whose, and what of it.
fn held(embedded: &Embedded, kind: &FaultKind) -> Vec<(String, &'static str)> {
    let site = |site: usize, what| vec![(embedded.sites[site].name.clone(), what)];
    let pods = |victims: &Victims, what: &'static str| {
        let names = match &victims.pick {
            Pick::OnNode(node) => vec![node.clone()],
            Pick::All | Pick::Named(_) | Pick::Random(_) => named(embedded, victims),
        };
        let names = names.into_iter().map(|name| (name, what));
        names.collect::<Vec<_>>()
    };
    let node = |node: &NodeChoice, what| match node {
        NodeChoice::Named(node) => vec![(node.clone(), what)],
        NodeChoice::Random => Vec::new(),
    };
    match kind {
        FaultKind::PodPause(victims) => pods(victims, RUNNING),
        FaultKind::SlowPod {
            victims,
            factor,
            busy,
        } => {
            let mut held = Vec::new();
            if *factor != 1.0 {
                held.extend(pods(victims, SERVICE_TIME));
            }
            if *busy > 0.0 {
                held.extend(pods(victims, THREAD));
            }
            held
        }
        FaultKind::MemoryExhaustion(victims) => pods(victims, MEMORY),
        FaultKind::QueueExhaustion(victims) => pods(victims, PLACES),
        FaultKind::CpuSaturation(victims) => pods(victims, THREAD),
        FaultKind::NodeDrain { node: own, .. } => node(own, "the cordon"),
        FaultKind::NodeLoss { node: own, .. } => node(own, "the power"),
        FaultKind::Scale { site: own, .. } => site(*own, "the number of pods"),
        FaultKind::SiteFailure { site: own }
        | FaultKind::SystemFailure { site: own }
        | FaultKind::NaturalDisaster { site: own } => site(*own, "the power"),
        FaultKind::DiskFull { site: own } => site(*own, DISK),
        FaultKind::CertificateExpiry { site: own } => site(*own, "the certificate"),
        FaultKind::Network { link, .. } => match link {
            Link::Clients { site: own } => site(*own, "the link to clients"),
            Link::Store { site: own } => site(*own, "the link to the store"),
            Link::Replication => vec![("replication".to_owned(), "the link")],
        },
        FaultKind::ReplicationPause => vec![("replication".to_owned(), "the flow")],
        FaultKind::ClockJump { .. } => vec![("director".to_owned(), "the clock")],
        FaultKind::PodKill(_)
        | FaultKind::PodTerminate(_)
        | FaultKind::StoreCrash { .. }
        | FaultKind::RollingRestart { .. }
        | FaultKind::DataCorruption { .. }
        | FaultKind::BackupLost { .. }
        | FaultKind::BackupDamaged { .. }
        | FaultKind::Command(_)
        | FaultKind::Hostile { .. } => Vec::new(),
    }
}
