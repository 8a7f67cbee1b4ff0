//! Faults, steps and read-backs as they are written, and what counts as recovered.

use super::hostile;
use super::yaml::Yaml;
use super::{count, duration, flag};
use crate::decode::{fault, step};
use crate::plan::{
    Act, Action, Command, Fault, FaultKind, Labels, Link, LinkShape, NodeChoice, Pick, Plan,
    RecoveryStep, Start, Victims, When,
};
use crate::text::unit;

/// The word for a value of a closed set.
pub(super) fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> Option<Yaml> {
    let found = words.iter().find(|(_, known)| known == value);
    found.map(|(word, _)| Yaml::word(*word))
}

/// The phases with what is done in them, and the read-backs between them.
pub(super) fn timeline(plan: &Plan) -> Vec<Yaml> {
    let mut entries = Vec::new();
    for (index, phase) in plan.timeline.iter().enumerate() {
        let own = plan.drill.actions.iter().filter(|own| own.phase == index);
        let mut own: Vec<&Action> = own.collect();
        let begins_with_phase = |action: &&Action| {
            is_read_back(action) && action.start == Start::At(Default::default())
        };
        let before = if index == 0 {
            0
        } else {
            own.iter().take_while(|own| begins_with_phase(own)).count()
        };
        let at_the_end =
            |action: &&&Action| is_read_back(action) && action.start == Start::Afterwards;
        let behind = own[before..].iter().rev().take_while(at_the_end).count();
        let after = own.split_off(own.len() - behind);
        let inside = own.split_off(before);
        entries.extend(own.into_iter().map(|own| between(plan, own)));
        let (faults, steps): (Vec<&Action>, Vec<&Action>) = inside
            .into_iter()
            .partition(|own| matches!(own.act, Act::Fault(_)));
        let list = |own: Vec<&Action>| {
            let own: Vec<Yaml> = own.into_iter().map(|own| action(plan, own)).collect();
            (!own.is_empty()).then_some(Yaml::List(own))
        };
        entries.push(super::load::phase(
            phase,
            &plan.loads,
            list(faults),
            list(steps),
        ));
        entries.extend(after.into_iter().map(|own| between(plan, own)));
    }
    entries
}

fn is_read_back(action: &Action) -> bool {
    matches!(action.act, Act::ReadBack { .. })
}

/// A read-back between phases, which needs no start.
fn between(plan: &Plan, own: &Action) -> Yaml {
    let (entries, id) = (act(plan, &own.act), Yaml::text(&own.id));
    with(entries, vec![("id", Some(id))])
}

fn with(mut entries: Vec<(String, Yaml)>, more: Vec<(&str, Option<Yaml>)>) -> Yaml {
    let more = more.into_iter();
    entries.extend(more.filter_map(|(key, value)| Some((key.to_owned(), value?))));
    Yaml::Map(entries)
}

fn action(plan: &Plan, own: &Action) -> Yaml {
    let (start, delay) = match &own.start {
        Start::At(at) => (("at", Some(duration(*at))), None),
        Start::After { action, delay } => {
            let id = Yaml::text(&plan.drill.actions[*action].id);
            (("after", Some(id)), Some(duration(*delay)))
        }
        Start::When { condition, delay } => (
            ("when", Some(when(plan, condition))),
            Some(duration(*delay)),
        ),
        // It stands behind the phases.
        Start::Afterwards => (("at", None), None),
    };
    let hold = match &own.act {
        Act::Fault(Fault { hold, .. }) => hold.map(duration),
        Act::Step(_) | Act::ReadBack { .. } => None,
    };
    let repeated = own.times > 1;
    with(
        act(plan, &own.act),
        vec![
            ("for", hold),
            ("times", repeated.then(|| count(own.times))),
            ("every", repeated.then(|| duration(own.every))),
            start,
            ("delay", delay),
            ("id", Some(Yaml::text(&own.id))),
        ],
    )
}

fn when(plan: &Plan, condition: &When) -> Yaml {
    let threshold = |word: &str, series: &String, value: f64| {
        let own = Yaml::map([
            ("series", Some(Yaml::text(series))),
            ("value", Some(Yaml::Word(value.to_string()))),
        ]);
        Yaml::map([(word, Some(own))])
    };
    match condition {
        When::Detected => Yaml::word("detected"),
        When::Recovered => Yaml::word("recovered"),
        When::RouteOn(site) => Yaml::map([("route_on", Some(name(plan, *site)))]),
        When::Above { series, value } => threshold("above", series, *value),
        When::Below { series, value } => threshold("below", series, *value),
    }
}

fn name(plan: &Plan, site: usize) -> Yaml {
    Yaml::text(plan.site_name(site))
}

fn act(plan: &Plan, act: &Act) -> Vec<(String, Yaml)> {
    let mut entries = Vec::new();
    let value = match act {
        Act::Fault(Fault { kind, .. }) => fault_value(plan, kind),
        Act::ReadBack { site: Some(site) } => name(plan, *site),
        Act::ReadBack { site: None } => Yaml::word("serving"),
        Act::Step(own) => match own {
            RecoveryStep::Fence { site }
            | RecoveryStep::Promote { site }
            | RecoveryStep::Rebuild { site }
            | RecoveryStep::VerifyBackups { site }
            | RecoveryStep::Reroute { site }
            | RecoveryStep::FailBack { site } => name(plan, *site),
            RecoveryStep::Restore {
                site,
                of,
                from,
                backup,
            } => {
                let more = [
                    ("of", Some(name(plan, *of)).filter(|_| own.is_test())),
                    ("from", word(&step::PLACES, from)),
                    ("backup", word(&step::CHOICES, backup)),
                ];
                entries.extend(
                    more.into_iter()
                        .filter_map(|(key, value)| Some((key.to_owned(), value?))),
                );
                name(plan, *site)
            }
            RecoveryStep::Command(command) => Yaml::map([
                ("run", Some(words(&command.inject))),
                (
                    "check",
                    (!command.check.is_empty()).then(|| words(&command.check)),
                ),
                ("timeout", Some(duration(command.timeout))),
            ]),
        },
    };
    entries.insert(0, (act.word().to_owned(), value));
    entries
}

fn words(words: &[String]) -> Yaml {
    Yaml::List(words.iter().map(Yaml::text).collect())
}

fn fault_value(plan: &Plan, kind: &FaultKind) -> Yaml {
    match kind {
        FaultKind::PodKill(own)
        | FaultKind::PodPause(own)
        | FaultKind::PodTerminate(own)
        | FaultKind::MemoryExhaustion(own)
        | FaultKind::QueueExhaustion(own)
        | FaultKind::CpuSaturation(own) => Yaml::Map(victims(plan, own)),
        FaultKind::SlowPod {
            victims: own,
            factor,
            busy,
        } => with(
            victims(plan, own),
            vec![
                ("factor", Some(Yaml::Word(factor.to_string()))),
                ("busy", Some(Yaml::Word(unit::share_text(*busy)))),
            ],
        ),
        FaultKind::ClockJump { by, back } => {
            let key = if *back { "behind" } else { "ahead" };
            Yaml::map([(key, Some(duration(*by)))])
        }
        FaultKind::NodeDrain { site, node } | FaultKind::NodeLoss { site, node } => {
            let node = match node {
                NodeChoice::Random => None,
                NodeChoice::Named(node) => Some(Yaml::text(node)),
            };
            Yaml::map([("site", Some(name(plan, *site))), ("node", node)])
        }
        FaultKind::Scale { site, pods } => Yaml::map([
            ("site", Some(name(plan, *site))),
            ("pods", Some(count(*pods))),
        ]),
        FaultKind::DataCorruption { site, records, how } => Yaml::map([
            ("site", Some(name(plan, *site))),
            ("records", Some(count(*records))),
            ("how", word(&fault::HOW, how)),
        ]),
        FaultKind::StoreCrash { site }
        | FaultKind::RollingRestart { site }
        | FaultKind::SiteFailure { site }
        | FaultKind::SystemFailure { site }
        | FaultKind::NaturalDisaster { site }
        | FaultKind::BackupLost { site }
        | FaultKind::BackupDamaged { site }
        | FaultKind::DiskFull { site }
        | FaultKind::CertificateExpiry { site } => name(plan, *site),
        FaultKind::ReplicationPause => name(plan, plan.replication().map_or(0, |own| own.from)),
        FaultKind::Network { link, shape } => network(plan, *link, shape),
        FaultKind::Hostile { site, manner } => hostile::manner(name(plan, *site), manner),
        FaultKind::Command(Command {
            inject,
            heal,
            check,
            timeout,
        }) => Yaml::map([
            ("inject", Some(words(inject))),
            ("heal", Some(words(heal))),
            ("check", Some(words(check))),
            ("timeout", Some(duration(*timeout))),
        ]),
    }
}

fn victims(plan: &Plan, victims: &Victims) -> Vec<(String, Yaml)> {
    let Victims { site, labels, pick } = victims;
    let (pods, node) = match pick {
        Pick::All => (Some(Yaml::word("all")), None),
        Pick::Named(pods) => (Some(words(pods)), None),
        Pick::Random(pods) => (Some(count(*pods)), None),
        Pick::OnNode(node) => (None, Some(Yaml::text(node))),
    };
    let entries = [
        ("site", Some(name(plan, *site))),
        ("pods", pods),
        ("node", node),
        ("labels", labelled(labels)),
    ];
    let given = |(key, value): (&str, Option<Yaml>)| Some((key.to_owned(), value?));
    entries.into_iter().filter_map(given).collect()
}

/// None of what has no labels.
pub(super) fn labelled(labels: &Labels) -> Option<Yaml> {
    let label = |(key, value): (&String, &String)| (key.clone(), Yaml::text(value));
    (!labels.is_empty()).then(|| Yaml::Map(labels.iter().map(label).collect()))
}

fn network(plan: &Plan, link: Link, shape: &LinkShape) -> Yaml {
    let (link, site) = match link {
        Link::Clients { site } => ("clients", Some(name(plan, site))),
        Link::Store { site } => ("store", Some(name(plan, site))),
        Link::Replication => ("replication", None),
    };
    let LinkShape {
        delay,
        jitter,
        bandwidth,
        blocked,
        reset,
    } = shape;
    Yaml::map([
        ("link", Some(Yaml::word(link))),
        ("site", site),
        ("delay", Some(duration(*delay))),
        ("jitter", Some(duration(*jitter))),
        (
            "bandwidth",
            bandwidth.map(|bytes| Yaml::Word(unit::size_text(bytes))),
        ),
        ("blocked", word(&fault::BLOCKED, blocked)),
        ("reset", Some(flag(*reset))),
    ])
}
