//! The maps of what survives a site.

use super::{Kind, What, key};

pub(crate) static REPLICATION: Kind = Kind {
    name: "replication",
    about: "Asynchronous: a write is acknowledged before it is shipped, so that a lost site takes the last ones along.",
    keys: &[
        key(
            "from",
            What::Name,
            None,
            "The site that serves at the start.",
        ),
        key("to", What::Name, None, "The site that follows."),
        key(
            "lag",
            What::Duration,
            Some("300ms"),
            "A record is not shipped before this time has passed since its acknowledgement.",
        ),
    ],
    required: &["from", "to"],
    instead: &[],
    one_of: &[],
};

pub(crate) static DIRECTOR: Kind = Kind {
    name: "director",
    about: "DNS and automation outside the sites: detects, decides, fences the old site, promotes the other, and \
            switches the route.",
    keys: &[
        key(
            "probe",
            What::Duration,
            Some("500ms"),
            "Between health checks of the serving site.",
        ),
        key(
            "timeout",
            What::Duration,
            Some("300ms"),
            "A check that takes longer is a miss.",
        ),
        key(
            "misses",
            What::Count(1),
            Some("3"),
            "Misses in a row that mean that the site is lost.",
        ),
        key(
            "route_ttl",
            What::Duration,
            Some("1s"),
            "For how long clients may keep an answer about the route; whole seconds, since it is a TTL of DNS.",
        ),
        key(
            "automatic",
            What::Flag,
            Some("true"),
            "Fails over by itself. False: it only detects, and steps of the scenario do the rest.",
        ),
        key(
            "clock",
            What::Words(&["monotonic", "wall"]),
            Some("monotonic"),
            "What it counts by: misses in a row, or the time of day since the last good check, which a clock that jumps \
             makes wrong.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static BACKUPS: Kind = Kind {
    name: "backups",
    about: "When the store is copied, and where the copies are.",
    keys: &[
        key(
            "every",
            What::Duration,
            Some("5s"),
            "Between the starts of two backups.",
        ),
        key(
            "off_site_delay",
            What::Duration,
            Some("2s"),
            "From a backup's end until its copy off the site is complete.",
        ),
        key(
            "keep",
            What::Count(1),
            Some("5"),
            "How many are kept; older ones are deleted.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};
