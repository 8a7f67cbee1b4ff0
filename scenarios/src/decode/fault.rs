//! What is broken.

use std::time::Duration;

use super::action::{Draft, Stage, begin};
use super::fields::Fields;
use super::hostile::hostile;
use super::reader::Reader;
use super::resource;
use super::victims::victims;
use crate::grammar::{Kind, fault as grammar};
use crate::plan::{
    Act, Blocked, Command, Corruption, Fault, FaultKind, Link, LinkShape, NodeChoice, PODS_MAX,
};
use crate::text::tree::{Item, Node};

pub(crate) static HOW: [(&str, Corruption); 3] = [
    ("silent", Corruption::Silent),
    ("wrong", Corruption::Wrong),
    ("torn", Corruption::Torn),
];

pub(crate) static BLOCKED: [(&str, Blocked); 4] = [
    ("nothing", Blocked::Nothing),
    ("to-server", Blocked::ToServer),
    ("from-server", Blocked::FromServer),
    ("both", Blocked::Both),
];

/// Records that are corrupted, where the scenario does not say how many.
const RECORDS: u32 = 20;

/// A run that repeats a fault more often would not come to an end.
const OFTEN: u32 = 1_000;

pub(super) fn fault<'a>(
    reader: &'a Reader<'a>,
    item: &'a Item,
    phase: usize,
    stage: Stage<'_>,
) -> Option<Draft<'a>> {
    let fields = Fields::open(reader, item, &grammar::FAULT)?;
    let start = begin(&fields, stage, None);
    // One that is no number was meant to be several.
    let unread = if fields.has("times") { OFTEN } else { 1 };
    let times = fields.count_within("times", 1, OFTEN).unwrap_or(unread);
    let every = every(&fields, times);
    let hold = fields.length("for");
    let kind = kind(&fields, stage)?;
    if hold.is_some() && !kind.lasts() {
        let why = if kind.takes_data() {
            "take it out: what is lost comes back by recovery steps"
        } else {
            "take it out: it ends by itself"
        };
        fields.refuse(&["for"], &format!("`{}`", kind.word()), why);
    }
    if let Some(hold) = hold
        && times > 1
        && hold >= every
        && !every.is_zero()
    {
        reader.problem(
            fields.key_place("every"),
            "it would start again before it has been undone",
            "let `every` be longer than `for`",
        );
    }
    Some(Draft {
        id: fields.get("id"),
        place: item.place,
        phase,
        start: start?,
        times,
        every,
        act: Act::Fault(Fault { kind, hold }),
    })
}

fn every(fields: &Fields<'_>, times: u32) -> Duration {
    let every = fields.length("every");
    if times > 1 && !fields.has("every") {
        fields.reader.problem(
            fields.key_place("times"),
            "it happens several times, and nothing says how far apart",
            "add every: 10s",
        );
    } else if times == 1 {
        fields.refuse(&["every"], "a single time", "add times: 3, or take it out");
    }
    every.unwrap_or(Duration::ZERO)
}

fn kind(fields: &Fields<'_>, stage: Stage<'_>) -> Option<FaultKind> {
    let word = grammar::KINDS.iter().find(|word| fields.has(word))?;
    let item = fields.get(word)?;
    let reader = fields.reader;
    let site = || reader.reference(item, "site", stage.sites);
    Some(match *word {
        "pod-kill" => FaultKind::PodKill(victims(reader, item, stage)?),
        "pod-pause" => FaultKind::PodPause(victims(reader, item, stage)?),
        "pod-terminate" => FaultKind::PodTerminate(victims(reader, item, stage)?),
        "store-crash" => FaultKind::StoreCrash { site: site()? },
        "node-drain" => {
            let (site, node) = node(reader, item, stage)?;
            FaultKind::NodeDrain { site, node }
        }
        "node-loss" => {
            let (site, node) = node(reader, item, stage)?;
            FaultKind::NodeLoss { site, node }
        }
        "rolling-restart" => FaultKind::RollingRestart { site: site()? },
        "scale" => {
            let own = Fields::open(reader, item, &grammar::SCALE)?;
            let (pods, site) = (own.count_within("pods", 1, PODS_MAX), site_key(&own, stage));
            FaultKind::Scale {
                site: site?,
                pods: pods?,
            }
        }
        "site-failure" => FaultKind::SiteFailure { site: site()? },
        "data-corruption" => corruption(reader, item, stage)?,
        "system-failure" => FaultKind::SystemFailure { site: site()? },
        "natural-disaster" => FaultKind::NaturalDisaster { site: site()? },
        "backup-lost" => FaultKind::BackupLost { site: site()? },
        "backup-damaged" => FaultKind::BackupDamaged { site: site()? },
        "replication-pause" => {
            let site = site()?;
            if site != 0 {
                let name = &stage.sites.known[site];
                let remedy = format!("write {{ replication-pause: {} }}", stage.sites.known[0]);
                reader.problem(item.place, format!("`{name}` ships no log"), remedy);
            }
            FaultKind::ReplicationPause
        }
        "network" => network(reader, item, stage)?,
        "command" => FaultKind::Command(command(reader, item)?),
        "slow-pod" => resource::slow_pod(reader, item, stage)?,
        "memory-exhaustion" => FaultKind::MemoryExhaustion(victims(reader, item, stage)?),
        "queue-exhaustion" => FaultKind::QueueExhaustion(victims(reader, item, stage)?),
        "cpu-saturation" => FaultKind::CpuSaturation(victims(reader, item, stage)?),
        "disk-full" => FaultKind::DiskFull { site: site()? },
        "clock-jump" => resource::clock_jump(reader, item)?,
        "certificate-expiry" => FaultKind::CertificateExpiry { site: site()? },
        other => hostile(reader, other, item, stage)?,
    })
}

/// The site of a value that is its name alone, or the map that says more.
pub(super) enum Named<'a> {
    Alone(usize),
    Map(Fields<'a>, usize),
}

pub(super) fn site_or_map<'a>(
    reader: &'a Reader<'a>,
    item: &'a Item,
    kind: &'static Kind,
    stage: Stage<'_>,
) -> Option<Named<'a>> {
    if !matches!(item.node, Node::Map(_)) {
        return reader
            .reference(item, "site", stage.sites)
            .map(Named::Alone);
    }
    let fields = Fields::open(reader, item, kind)?;
    let site = site_key(&fields, stage)?;
    Some(Named::Map(fields, site))
}

pub(super) fn site_key(fields: &Fields<'_>, stage: Stage<'_>) -> Option<usize> {
    fields
        .reader
        .reference(fields.get("site")?, "site", stage.sites)
}

fn node(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<(usize, NodeChoice)> {
    match site_or_map(reader, item, &grammar::NODE_OF, stage)? {
        Named::Alone(site) => Some((site, NodeChoice::Random)),
        Named::Map(fields, site) => {
            let choice = match fields.get("node") {
                Some(name) => NodeChoice::Named(reader.name(name)?),
                None => NodeChoice::Random,
            };
            Some((site, choice))
        }
    }
}

fn corruption(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<FaultKind> {
    let (site, records, how) = match site_or_map(reader, item, &grammar::CORRUPTION, stage)? {
        Named::Alone(site) => (site, RECORDS, Corruption::Silent),
        Named::Map(fields, site) => {
            let how = match fields.get("how") {
                Some(item) => reader.word(item, "ways of corruption", &HOW)?,
                None => Corruption::Silent,
            };
            (site, fields.count("records", 1).unwrap_or(RECORDS), how)
        }
    };
    Some(FaultKind::DataCorruption { site, records, how })
}

fn network(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<FaultKind> {
    let fields = Fields::open(reader, item, &grammar::NETWORK)?;
    let link = link(&fields, stage);
    let blocked = match fields.get("blocked") {
        Some(item) => reader.word(item, "directions", &BLOCKED)?,
        None => Blocked::Nothing,
    };
    let shape = LinkShape {
        delay: fields.duration("delay").unwrap_or_default(),
        jitter: fields.duration("jitter").unwrap_or_default(),
        bandwidth: fields.size("bandwidth"),
        blocked,
        reset: fields.flag("reset").unwrap_or(false),
    };
    if shape == LinkShape::default() && reader.is_clean() {
        reader.problem(
            fields.place,
            "nothing would happen on this path",
            "add delay: 50ms, bandwidth: 64KiB, blocked: both, or reset: true",
        );
    }
    if shape.bandwidth == Some(0) {
        reader.problem(
            fields.key_place("bandwidth"),
            "no byte would pass",
            "write blocked: both",
        );
    }
    Some(FaultKind::Network { link: link?, shape })
}

fn link(fields: &Fields<'_>, stage: Stage<'_>) -> Option<Link> {
    let reader = fields.reader;
    // Stands for the site until it has been read.
    let site = 0;
    let words = [
        ("clients", Link::Clients { site }),
        ("store", Link::Store { site }),
        ("replication", Link::Replication),
    ];
    let word = reader.word(fields.get("link")?, "paths", &words)?;
    if word == Link::Replication {
        fields.refuse(&["site"], "`replication`", "it has only one path");
        return Some(word);
    }
    if !fields.has("site") {
        reader.problem(fields.place, "the path of which site?", "add `site:`");
    }
    let site = site_key(fields, stage)?;
    Some(match word {
        Link::Clients { .. } => Link::Clients { site },
        Link::Store { .. } => Link::Store { site },
        Link::Replication => word,
    })
}

fn command(reader: &Reader<'_>, item: &Item) -> Option<Command> {
    let fields = Fields::open(reader, item, &grammar::COMMAND)?;
    let (inject, heal, check) = (
        words(&fields, "inject"),
        words(&fields, "heal"),
        words(&fields, "check"),
    );
    Some(Command {
        inject: inject?,
        heal: heal?,
        check: check?,
        timeout: timeout(&fields),
    })
}

pub(super) fn timeout(fields: &Fields<'_>) -> Duration {
    fields.length("timeout").unwrap_or(Duration::from_secs(30))
}

/// A program and its arguments.
pub(super) fn words(fields: &Fields<'_>, key: &'static str) -> Option<Vec<String>> {
    let reader = fields.reader;
    let item = fields.get(key)?;
    let items = reader.list(item, "a program and its arguments, in a list")?;
    if items.is_empty() {
        reader.problem(
            item.place,
            "no program is named",
            "write [PROGRAM, ARGUMENT, ...]",
        );
    }
    items.iter().map(|item| reader.text(item)).collect()
}
