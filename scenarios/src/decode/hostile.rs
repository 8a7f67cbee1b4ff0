//! Hostile clients, and the bounds that are there against them.

use std::time::Duration;

use super::action::Stage;
use super::fault::{Named, site_or_map};
use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::{Kind, hostile as grammar};
use crate::plan::{Bounds, FaultKind, Flood, Manner};
use crate::text::tree::Item;

/// More would harm the machine that the run is on.
const CONNECTIONS_MAX: u32 = 5_000;
const READERS_MAX: u32 = 100;

pub(crate) static VALIDATION: [(&str, bool); 2] = [("strict", true), ("none", false)];

pub(super) fn hostile(
    reader: &Reader<'_>,
    word: &str,
    item: &Item,
    stage: Stage<'_>,
) -> Option<FaultKind> {
    let (kind, default): (&'static Kind, Manner) = match word {
        "message-flood" => (&grammar::FLOOD, Manner::MessageFlood(Flood::Times(10.0))),
        "invalid-payload" => (&grammar::INVALID, Manner::InvalidPayload { rate: 50.0 }),
        "large-payload" => (&grammar::LARGE, Manner::LargePayload { size: 100_000_000 }),
        "connection-leak" => (&grammar::LEAK, Manner::ConnectionLeak { connections: 300 }),
        "slow-consumer" => {
            let silent = Duration::from_secs(10);
            (
                &grammar::SILENT,
                Manner::SlowConsumer { readers: 4, silent },
            )
        }
        _ => return None,
    };
    Some(match site_or_map(reader, item, kind, stage)? {
        Named::Alone(site) => FaultKind::Hostile {
            site,
            manner: default,
        },
        Named::Map(own, site) => FaultKind::Hostile {
            site,
            manner: manner(&own, default),
        },
    })
}

fn manner(own: &Fields<'_>, default: Manner) -> Manner {
    match default {
        Manner::MessageFlood(default) => Manner::MessageFlood(flood(own).unwrap_or(default)),
        Manner::InvalidPayload { rate } => Manner::InvalidPayload {
            rate: above_zero(own, "rate").unwrap_or(rate),
        },
        Manner::LargePayload { size } => Manner::LargePayload {
            size: own.size("size").unwrap_or(size),
        },
        Manner::ConnectionLeak { connections } => Manner::ConnectionLeak {
            connections: own
                .count_within("connections", 1, CONNECTIONS_MAX)
                .unwrap_or(connections),
        },
        Manner::SlowConsumer { readers, silent } => Manner::SlowConsumer {
            readers: own
                .count_within("readers", 1, READERS_MAX)
                .unwrap_or(readers),
            silent: own.length("silent").unwrap_or(silent),
        },
    }
}

fn flood(own: &Fields<'_>) -> Option<Flood> {
    if own.has("rate") {
        own.refuse(&["factor"], "`rate`", "keep one of the two");
        return above_zero(own, "rate").map(Flood::Rate);
    }
    let item = own.get("factor")?;
    let factor = own.reader.number(item)?;
    if factor <= 0.0 {
        let remedy = "write factor: 10";
        own.reader
            .problem(item.place, "a flood is more than nothing", remedy);
        return None;
    }
    Some(Flood::Times(factor))
}

fn above_zero(own: &Fields<'_>, key: &'static str) -> Option<f64> {
    let rate = own.rate(key)?.0;
    if rate <= 0.0 {
        let place = own.key_place(key);
        own.reader
            .problem(place, "nothing would be sent", "write a rate above 0");
        return None;
    }
    Some(rate)
}

/// The bounds that are there against hostile clients; the others are as they were.
pub(super) fn of_clients(fields: &Fields<'_>, default: Bounds) -> Bounds {
    let reader = fields.reader;
    let per_second = |item: &Item| reader.rate(item).map(|rate| rate.0);
    let validation = fields
        .get("validation")
        .and_then(|item| reader.word(item, "ways to look at messages", &VALIDATION));
    Bounds {
        client_rate: bound(fields, "client_rate", default.client_rate, per_second),
        rate: bound(fields, "rate", default.rate, per_second),
        client_connections: bound(
            fields,
            "client_connections",
            default.client_connections,
            |item| reader.count(item, 1),
        ),
        message: bound(fields, "message", default.message, |item| reader.size(item)),
        write_timeout: bound(fields, "write_timeout", default.write_timeout, |item| {
            reader.length(item)
        }),
        validation: validation.unwrap_or(default.validation),
        ..default
    }
}

/// What stands there; `none` is no bound.
fn bound<T>(
    fields: &Fields<'_>,
    key: &'static str,
    default: Option<T>,
    read: impl Fn(&Item) -> Option<T>,
) -> Option<T> {
    match fields.get(key) {
        None => default,
        Some(item) if item.scalar().is_some_and(|scalar| scalar.text == "none") => None,
        Some(item) => read(item).or(default),
    }
}
