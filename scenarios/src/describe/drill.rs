//! What is broken, how it is undone, and what brings service back, in words: the dry run of a drill.

use super::Page;
use super::number::{duration, plural, rate, share, size};
use crate::plan::{
    Act, Action, BackupChoice, BackupPlace, Blocked, Corruption, Fault, FaultKind, Flood, Ledger,
    Link, LinkShape, Manner, NodeChoice, Pick, Plan, Rate, RecoveryStep, Site, Start, Target,
    Victims, When, labels_text,
};
use crate::text::unit;

pub(super) fn describe(page: &mut Page, plan: &Plan) {
    let drill = &plan.drill;
    if !drill.actions.is_empty() {
        page.heading("drill");
    }
    for own in &drill.actions {
        let phase = &plan.timeline[own.phase].name;
        page.line(&format!("{} in {phase}, {}", own.id, start(plan, own)));
        for line in plan.act_in_words(&own.act) {
            page.line(&format!("  {line}"));
        }
    }
    if let Some(ledger) = &drill.ledger {
        page.heading("ledger");
        page.line(&reading(ledger));
    }
    if drill.actions.is_empty() {
        return;
    }
    let own = &drill.recovery;
    page.heading("recovery");
    page.line(&format!(
        "service is back with the first window of {} that is good, and from which on none is bad",
        duration(own.window)
    ));
    page.line(&format!(
        "good: at most {} of operations fail, and p{} of them is below {}",
        share(own.errors),
        unit::times_hundred(own.quantile),
        duration(own.below)
    ));
    page.line(&format!(
        "at once, {} and {} of a site's pods may be down at most",
        plural(drill.limits.sites.into(), "whole site"),
        share(drill.limits.pods)
    ));
    if let Some(may) = &drill.limits.served_by {
        let names: Vec<&str> = may.iter().map(|site| plan.site_name(*site)).collect();
        page.line(&format!(
            "everything is undone, and the run ends, when clients are answered by another site than {}",
            names.join(" and ")
        ));
    }
    if let Some(flag) = &drill.incident_flag {
        page.line(&format!(
            "everything is undone, and the run ends, when {} says that there is a real incident",
            flag.display()
        ));
    }
}

fn reading(ledger: &Ledger) -> String {
    format!(
        "read back by {} in pages, at most {}; records at {}",
        ledger.method,
        rate(ledger.pace),
        ledger.records
    )
}

fn start(plan: &Plan, own: &Action) -> String {
    let later = |delay: &std::time::Duration| {
        if delay.is_zero() {
            String::new()
        } else {
            format!("{} ", duration(*delay))
        }
    };
    let first = match &own.start {
        Start::At(at) if at.is_zero() => "at its start".to_owned(),
        Start::At(at) => format!("{} after its start", duration(*at)),
        Start::Afterwards => "when the load is over".to_owned(),
        Start::After { action, delay } => {
            let id = &plan.drill.actions[*action].id;
            format!("{}after {id} is done", later(delay))
        }
        Start::When { condition, delay } => {
            let when = condition_text(plan, condition);
            if delay.is_zero() {
                format!("when {when}")
            } else {
                format!("{}after {when}", later(delay))
            }
        }
    };
    if own.times > 1 {
        format!(
            "{first}, {} times, every {}",
            own.times,
            duration(own.every)
        )
    } else {
        first
    }
}

fn condition_text(plan: &Plan, condition: &When) -> String {
    match condition {
        When::Detected => "the director has noticed".to_owned(),
        When::RouteOn(site) => format!("clients are sent to {}", plan.site_name(*site)),
        When::Recovered => "service is back".to_owned(),
        When::Above { series, value } => format!("{series} is above {value}"),
        When::Below { series, value } => format!("{series} is below {value}"),
    }
}

impl Plan {
    /// What is done, and how it is undone: a line each.
    pub fn act_in_words(&self, act: &Act) -> Vec<String> {
        match act {
            Act::Fault(fault) => {
                let mut lines = vec![broken(self, &fault.kind)];
                lines.push(format!("undone {}", undone(self, fault)));
                lines
            }
            Act::Step(step) => vec![brought_back(self, step)],
            Act::ReadBack { site } => {
                let site = site.map_or("the site that serves", |site| self.site_name(site));
                vec![format!(
                    "everything that {site} has stored is read, twice, and held against what was acknowledged"
                )]
            }
        }
    }

    fn site(&self, site: usize) -> Option<&Site> {
        match &self.target {
            Target::Embedded(embedded) => embedded.sites.get(site),
            Target::Endpoint(_) => None,
        }
    }
}

/// `primary (2 nodes, 4 pods, front door and store)`.
fn whole(plan: &Plan, site: usize) -> String {
    let name = plan.site_name(site);
    plan.site(site).map_or_else(String::new, |site| {
        format!(
            "{name} ({}, {}, front door and store)",
            plural(site.nodes.into(), "node"),
            plural(site.pods.into(), "pod")
        )
    })
}

fn pods(plan: &Plan, victims: &Victims) -> String {
    let Victims { site, labels, pick } = victims;
    let all = plan
        .site(*site)
        .map_or(0, |site| site.pods_with(labels).len());
    let name = match labels.is_empty() {
        true => plan.site_name(*site).to_owned(),
        false => format!("{} with {}", plan.site_name(*site), labels_text(labels)),
    };
    match pick {
        Pick::All => format!("all {all} pods of {name}"),
        Pick::Named(pods) => pods.join(" and "),
        Pick::OnNode(node) => format!("the pods of {name} on {node}"),
        Pick::Random(1) if all == 1 => format!("the only pod of {name}"),
        Pick::Random(1) => format!("one of the {all} pods of {name} (drawn by the seed)"),
        Pick::Random(pods) => format!("{pods} of the {all} pods of {name} (drawn by the seed)"),
    }
}

fn node(plan: &Plan, site: usize, choice: &NodeChoice) -> String {
    match choice {
        NodeChoice::Random => format!("a node of {} (drawn by the seed)", plan.site_name(site)),
        NodeChoice::Named(node) => node.clone(),
    }
}

fn broken(plan: &Plan, kind: &FaultKind) -> String {
    let name = |site: usize| plan.site_name(site);
    match kind {
        FaultKind::PodKill(own) => format!("SIGKILL for {}", pods(plan, own)),
        FaultKind::PodPause(own) => format!("SIGSTOP for {}", pods(plan, own)),
        FaultKind::PodTerminate(own) => format!("SIGTERM for {}", pods(plan, own)),
        FaultKind::StoreCrash { site } => format!("SIGKILL for the store of {}", name(*site)),
        FaultKind::NodeDrain { site, node: choice } => format!(
            "{} is cordoned and its pods are evicted, at most {} missing at once",
            node(plan, *site, choice),
            plan.site(*site).map_or(0, |site| site.disruption_budget)
        ),
        FaultKind::NodeLoss { site, node: choice } => format!(
            "{} loses its power: everything on it is killed, and nothing starts there",
            node(plan, *site, choice)
        ),
        FaultKind::RollingRestart { site } => format!(
            "the pods of {} are started again one after the other",
            name(*site)
        ),
        FaultKind::Scale { site, pods } => format!(
            "{} gets {} in place of {}",
            name(*site),
            plural((*pods).into(), "pod"),
            plan.site(*site).map_or(0, |site| site.pods)
        ),
        FaultKind::SiteFailure { site } => format!(
            "every process of {} is killed at once, and none comes back",
            whole(plan, *site)
        ),
        FaultKind::DataCorruption { site, records, how } => format!(
            "{} of {} (drawn by the seed) {}",
            plural((*records).into(), "record"),
            name(*site),
            match how {
                Corruption::Wrong => "get other values under their old checksums",
                Corruption::Silent => "get other values, with checksums that fit",
                Corruption::Torn => "end in the middle",
            }
        ),
        FaultKind::SystemFailure { site } => format!(
            "every process of {} is killed and its data is gone; its own backups remain",
            whole(plan, *site)
        ),
        FaultKind::NaturalDisaster { site } => format!(
            "every process of {} is killed; its data and its own backups are gone",
            whole(plan, *site)
        ),
        FaultKind::BackupLost { site } => format!("the newest backup of {} is gone", name(*site)),
        FaultKind::BackupDamaged { site } => {
            format!("the newest backup of {} is damaged", name(*site))
        }
        FaultKind::ReplicationPause => match plan.replication() {
            Some(own) => format!(
                "nothing is shipped from {} to {}",
                name(own.from),
                name(own.to)
            ),
            None => "nothing is shipped".to_owned(),
        },
        FaultKind::Network { link, shape } => {
            format!("{}: {}", link_text(plan, *link), shape_text(shape))
        }
        FaultKind::Command(command) => format!("runs {}", command.inject.join(" ")),
        FaultKind::SlowPod {
            victims,
            factor,
            busy,
        } => slow_text(&pods(plan, victims), *factor, *busy),
        FaultKind::MemoryExhaustion(own) => format!(
            "under a limit of the system's, the memory of {} is filled with what nobody asked for",
            pods(plan, own)
        ),
        FaultKind::QueueExhaustion(own) => {
            format!(
                "work that does not end takes every place in {}",
                pods(plan, own)
            )
        }
        FaultKind::CpuSaturation(own) => format!(
            "the only thread of {} is kept busy nearly all the time",
            pods(plan, own)
        ),
        FaultKind::DiskFull { site } => format!(
            "the log of the store of {} may not become longer than it is",
            name(*site)
        ),
        FaultKind::ClockJump { by, back } => format!(
            "the director's time of day is {} {}",
            duration(*by),
            if *back { "behind" } else { "ahead" }
        ),
        FaultKind::CertificateExpiry { site } => format!(
            "the front door of {} shows a certificate that has expired, and closes the connections that it has",
            name(*site)
        ),
        FaultKind::Hostile { site, manner } => hostile(name(*site), *manner),
    }
}

fn slow_text(pods: &str, factor: f64, busy: f64) -> String {
    let mut parts = Vec::new();
    if factor != 1.0 {
        parts.push(format!("operations of {pods} take {factor} times as long"));
    }
    if busy > 0.0 {
        parts.push(format!(
            "the only thread of {pods} is kept busy for {} of the time",
            share(busy)
        ));
    }
    parts.join(", and ")
}

fn hostile(site: &str, manner: Manner) -> String {
    let does = match manner {
        Manner::MessageFlood(Flood::Rate(own)) => {
            format!("sends messages to {site}, {}", rate(Rate(own)))
        }
        Manner::MessageFlood(Flood::Times(times)) => {
            format!("sends messages to {site}, {times} times as many as the loads")
        }
        Manner::InvalidPayload { rate: own } => {
            format!("sends what is no message to {site}, {}", rate(Rate(own)))
        }
        Manner::LargePayload { size: bytes } => format!(
            "sends bodies of {} to {site}, announced and in chunks",
            size(bytes)
        ),
        Manner::ConnectionLeak { connections } => format!(
            "opens {} to {site} and a session on each, and closes none",
            plural(connections.into(), "connection")
        ),
        Manner::SlowConsumer { readers, silent } => format!(
            "asks {site} for large answers on {} and reads nothing for {}",
            plural(readers.into(), "connection"),
            duration(silent)
        ),
    };
    format!("a client of our own {does}")
}

fn link_text(plan: &Plan, link: Link) -> String {
    match link {
        Link::Clients { site } => {
            format!(
                "between clients and the front door of {}",
                plan.site_name(site)
            )
        }
        Link::Store { site } => {
            format!(
                "between the pods of {} and their store",
                plan.site_name(site)
            )
        }
        Link::Replication => "between the sites".to_owned(),
    }
}

fn shape_text(shape: &LinkShape) -> String {
    let LinkShape {
        delay,
        jitter,
        bandwidth,
        blocked,
        reset,
    } = shape;
    let mut parts = Vec::new();
    if !delay.is_zero() || !jitter.is_zero() {
        parts.push(format!(
            "{} later, and up to {} more",
            duration(*delay),
            duration(*jitter)
        ));
    }
    parts.extend(bandwidth.map(|bytes| format!("at most {} a second", size(bytes))));
    match blocked {
        Blocked::Nothing => {}
        Blocked::ToServer => parts.push("nothing reaches the server".to_owned()),
        Blocked::FromServer => parts.push("nothing comes from the server".to_owned()),
        Blocked::Both => parts.push("nothing passes".to_owned()),
    }
    if *reset {
        parts.push("connections are reset".to_owned());
    }
    parts.join(", ")
}

fn undone(plan: &Plan, fault: &Fault) -> String {
    let when = fault.hold.map_or_else(
        || "at the end of the phase".to_owned(),
        |hold| {
            let most = "at the end of the phase at the latest";
            format!("after {}, {most}", duration(hold))
        },
    );
    let how = match &fault.kind {
        FaultKind::PodKill(_) | FaultKind::PodTerminate(_) => {
            return "by itself: the site starts them again".to_owned();
        }
        FaultKind::StoreCrash { .. } => {
            return "by itself: the site starts it again from its disk".to_owned();
        }
        FaultKind::RollingRestart { .. } => {
            return "by itself, when the last pod is back".to_owned();
        }
        FaultKind::DataCorruption { .. } => {
            return "by a restore".to_owned();
        }
        FaultKind::SystemFailure { .. } | FaultKind::NaturalDisaster { .. } => {
            return "by steps that build the site anew and restore its data".to_owned();
        }
        FaultKind::PodPause(_) => "they go on (SIGCONT)",
        FaultKind::NodeDrain { .. } => "the node is uncordoned",
        FaultKind::NodeLoss { .. } => "the node gets its power back",
        FaultKind::Scale { site, .. } => {
            let pods = plan.site(*site).map_or(0, |site| site.pods);
            return format!("{when}, with {} again", plural(pods.into(), "pod"));
        }
        FaultKind::SiteFailure { .. } => "the site gets its power back, and learns who serves now",
        FaultKind::BackupLost { .. } | FaultKind::BackupDamaged { .. } => "the backup is put back",
        FaultKind::ReplicationPause => "it is shipped again",
        FaultKind::Network { .. } => "the path is as it was",
        FaultKind::Hostile { .. } => "the client ends with all of its connections",
        FaultKind::Command(command) => {
            return format!("{when}, by {}", command.heal.join(" "));
        }
        FaultKind::SlowPod { .. } => "they take their usual time",
        FaultKind::MemoryExhaustion(_) => "the memory is let go, and the limit is what it was",
        FaultKind::QueueExhaustion(_) => "the places are given back",
        FaultKind::CpuSaturation(_) => "their thread is theirs again",
        FaultKind::DiskFull { .. } => "the log may grow as before",
        FaultKind::ClockJump { .. } => "it is the machine's again",
        FaultKind::CertificateExpiry { .. } => "the good certificate is shown again",
    };
    format!("{when}: {how}")
}

fn brought_back(plan: &Plan, step: &RecoveryStep) -> String {
    let name = |site: &usize| plan.site_name(*site).to_owned();
    match step {
        RecoveryStep::Fence { site } => format!("the store of {} refuses writes", name(site)),
        RecoveryStep::Promote { site } => {
            format!("the store of {} takes writes, in a new epoch", name(site))
        }
        RecoveryStep::Rebuild { site } => {
            format!("an empty site in place of {}", whole(plan, *site))
        }
        RecoveryStep::VerifyBackups { site } => format!(
            "the newest backups of {}, at the site and off it, are there and sound",
            name(site)
        ),
        RecoveryStep::Restore {
            site,
            of,
            from,
            backup,
        } => {
            let backup = match backup {
                BackupChoice::NewestSound => "the newest sound backup from before the fault",
                BackupChoice::Newest => "the newest backup",
            };
            let of = match step.is_test() {
                true => format!(" of {}, which goes on serving", name(of)),
                false => String::new(),
            };
            let from = match from {
                BackupPlace::Local => "kept at the site",
                BackupPlace::OffSite => "kept elsewhere",
            };
            format!(
                "{backup}{of}, {from}, goes into the empty store of {}",
                name(site)
            )
        }
        RecoveryStep::Reroute { site } => format!("clients are sent to {}", name(site)),
        RecoveryStep::FailBack { site } => format!(
            "{} catches up, writes stop elsewhere, it is promoted, and clients are sent to it",
            name(site)
        ),
        RecoveryStep::Command(command) => format!("runs {}", command.inject.join(" ")),
    }
}
