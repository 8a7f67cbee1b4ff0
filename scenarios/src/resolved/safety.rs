//! What survives a site, how the ledger is read back, what counts as recovered, and how much may be broken.

use super::drill::word;
use super::template::{self, json};
use super::yaml::Yaml;
use super::{count, duration, flag};
use crate::decode::hostile::VALIDATION;
use crate::decode::resource;
use crate::plan::{
    Backups, BlastRadius, Bounds, Director, Drill, Ledger, Plan, Recovery, Replication, Site,
};
use crate::text::unit;

pub(super) fn replication(own: &Replication, sites: &[Site]) -> Yaml {
    Yaml::map([
        ("from", Some(Yaml::text(&sites[own.from].name))),
        ("to", Some(Yaml::text(&sites[own.to].name))),
        ("lag", Some(duration(own.lag))),
    ])
}

pub(super) fn director(own: &Director) -> Yaml {
    Yaml::map([
        ("probe", Some(duration(own.probe))),
        ("timeout", Some(duration(own.timeout))),
        ("misses", Some(count(own.misses))),
        ("route_ttl", Some(duration(own.route_ttl))),
        ("automatic", Some(flag(own.automatic))),
        ("clock", word(&resource::CLOCKS, &own.clock)),
    ])
}

pub(super) fn bounds(own: &Bounds) -> Yaml {
    let none = || Yaml::word("none");
    let size = |bytes| Yaml::Word(unit::size_text(bytes));
    let rate = |rate| Yaml::Word(unit::rate_text(rate));
    Yaml::map([
        ("memory", Some(own.memory.map_or_else(none, size))),
        ("queue", word(&resource::KEPT, &own.queue)),
        ("cpu", Some(own.cpu.map_or_else(none, duration))),
        ("disk", word(&resource::KEPT, &own.disk)),
        ("client_rate", Some(own.client_rate.map_or_else(none, rate))),
        ("rate", Some(own.rate.map_or_else(none, rate))),
        (
            "client_connections",
            Some(own.client_connections.map_or_else(none, count)),
        ),
        ("message", Some(own.message.map_or_else(none, size))),
        (
            "write_timeout",
            Some(own.write_timeout.map_or_else(none, duration)),
        ),
        ("validation", word(&VALIDATION, &own.validation)),
        ("health", word(&resource::KEPT, &own.health)),
    ])
}

pub(super) fn backups(own: &Backups) -> Yaml {
    Yaml::map([
        ("every", Some(duration(own.every))),
        ("off_site_delay", Some(duration(own.off_site_delay))),
        ("keep", Some(count(own.keep))),
    ])
}

pub(super) fn ledger(own: &Ledger) -> Yaml {
    let pointer = |pointer: &crate::plan::Pointer| Some(Yaml::Text(pointer.to_string()));
    let params = json(&own.params, &template::Names::none());
    Yaml::map([
        ("method", Some(Yaml::text(&own.method))),
        ("params", Some(Yaml::Json(params))),
        ("first_cursor", Some(Yaml::text(&own.first_cursor))),
        ("records", pointer(&own.records)),
        ("next", pointer(&own.next)),
        ("client", pointer(&own.client)),
        ("sequence", pointer(&own.sequence)),
        ("value", pointer(&own.value)),
        ("epoch", own.epoch.as_ref().and_then(pointer)),
        ("position", own.position.as_ref().and_then(pointer)),
        ("pace", Some(Yaml::Word(unit::rate_text(own.pace.0)))),
    ])
}

/// `None` for a benchmark, where it means nothing.
pub(super) fn recovery(drill: &Drill) -> Option<Yaml> {
    let own = &drill.recovery;
    if drill.actions.is_empty() && *own == Recovery::default() {
        return None;
    }
    let quantile = format!("p{}", unit::times_hundred(own.quantile));
    Some(Yaml::map([
        ("window", Some(duration(own.window))),
        ("errors", Some(Yaml::Word(unit::share_text(own.errors)))),
        ("latency", Some(Yaml::Word(quantile))),
        ("below", Some(duration(own.below))),
    ]))
}

pub(super) fn limits(plan: &Plan) -> Option<Yaml> {
    let drill = &plan.drill;
    let own = &drill.limits;
    if drill.actions.is_empty() && *own == BlastRadius::default() {
        return None;
    }
    Some(Yaml::map([
        ("sites", Some(count(own.sites))),
        ("pods", Some(Yaml::Word(unit::share_text(own.pods)))),
        (
            "served_by",
            own.served_by.as_ref().map(|may| {
                let names = may.iter().map(|site| Yaml::text(plan.site_name(*site)));
                Yaml::List(names.collect())
            }),
        ),
    ]))
}
