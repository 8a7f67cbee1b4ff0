//! What survives a site: replication, the director, backups.

use std::time::Duration;

use super::fields::Fields;
use super::reader::Names;
use super::resource::CLOCKS;
use crate::grammar::continuity as grammar;
use crate::plan::{Backups, Director, DirectorClock, Replication, Site, Target};
use crate::text::unit;

/// The names of the sites that can be broken; an endpoint has none.
pub(crate) fn site_names(target: &Target) -> Names {
    match target {
        Target::Embedded(embedded) => names(&embedded.sites),
        Target::Endpoint(_) => Names::new(),
    }
}

/// Sites that could not be read may have any name.
fn names(sites: &[Site]) -> Names {
    Names {
        known: sites.iter().map(|site| site.name.clone()).collect(),
        complete: !sites.is_empty(),
    }
}

pub(super) fn replication(fields: &Fields<'_>, sites: &[Site]) -> Option<Replication> {
    let reader = fields.reader;
    let own = Fields::open(reader, fields.get("replication")?, &grammar::REPLICATION)?;
    let names = names(sites);
    let site = |key| {
        let item = own.get(key)?;
        reader.reference(item, "site", &names)
    };
    let (from, to) = (site("from"), site("to"));
    let lag = own.duration("lag").unwrap_or(Duration::from_millis(300));
    let (from, to) = (from?, to?);
    if from == to {
        reader.problem(
            own.key_place("to"),
            "a site cannot be its own replica",
            "name two sites",
        );
        return None;
    }
    if from != 0 {
        reader.problem(
            own.key_place("from"),
            format!("`{}` does not serve at the start", sites[from].name),
            format!("load goes to the first site: write from: {}", sites[0].name),
        );
    }
    Some(Replication { from, to, lag })
}

pub(super) fn director(fields: &Fields<'_>, replicated: bool) -> Option<Director> {
    let reader = fields.reader;
    let item = fields.get("director")?;
    let own = Fields::open(reader, item, &grammar::DIRECTOR)?;
    let director = Director {
        probe: own.length("probe").unwrap_or(Duration::from_millis(500)),
        timeout: own.length("timeout").unwrap_or(Duration::from_millis(300)),
        misses: own.count("misses", 1).unwrap_or(3),
        route_ttl: own.length("route_ttl").unwrap_or(Duration::from_secs(1)),
        automatic: own.flag("automatic").unwrap_or(true),
        clock: own
            .get("clock")
            .and_then(|item| reader.word(item, "clocks", &CLOCKS))
            .unwrap_or(DirectorClock::Monotonic),
    };
    if director.route_ttl.subsec_nanos() != 0 {
        let seconds = Duration::from_secs(director.route_ttl.as_secs().max(1));
        reader.problem(
            own.key_place("route_ttl"),
            "the TTL of a DNS answer is a whole number of seconds",
            format!("write {}", unit::duration_text(seconds)),
        );
    }
    if director.automatic && !replicated {
        reader.problem(
            fields.key_place("director"),
            "the director has no replica to fail over to",
            "add replication: { from: SITE, to: SITE }, or write automatic: false",
        );
    }
    Some(director)
}

pub(super) fn backups(fields: &Fields<'_>) -> Option<Backups> {
    let own = Fields::open(fields.reader, fields.get("backups")?, &grammar::BACKUPS)?;
    Some(Backups {
        every: own.length("every").unwrap_or(Duration::from_secs(5)),
        off_site_delay: own
            .duration("off_site_delay")
            .unwrap_or(Duration::from_secs(2)),
        keep: own.count("keep", 1).unwrap_or(5),
    })
}
