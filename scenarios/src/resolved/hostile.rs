//! Hostile clients as they are written.

use super::yaml::Yaml;
use super::{count, duration};
use crate::plan::{Flood, Manner};
use crate::text::unit;

pub(super) fn manner(site: Yaml, manner: &Manner) -> Yaml {
    let rate = |rate: f64| Some(Yaml::Word(unit::rate_text(rate)));
    let more: Vec<(&'static str, Option<Yaml>)> = match *manner {
        Manner::MessageFlood(Flood::Rate(own)) => vec![("rate", rate(own))],
        Manner::MessageFlood(Flood::Times(times)) => {
            vec![("factor", Some(Yaml::Word(times.to_string())))]
        }
        Manner::InvalidPayload { rate: own } => vec![("rate", rate(own))],
        Manner::LargePayload { size } => vec![("size", Some(Yaml::Word(unit::size_text(size))))],
        Manner::ConnectionLeak { connections } => vec![("connections", Some(count(connections)))],
        Manner::SlowConsumer { readers, silent } => vec![
            ("readers", Some(count(readers))),
            ("silent", Some(duration(silent))),
        ],
    };
    let entries = std::iter::once(("site", Some(site))).chain(more);
    Yaml::Map(
        entries
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect(),
    )
}
