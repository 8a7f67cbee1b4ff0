//! The maps of recovery: steps, conditions, and what counts as recovered.

use super::fault::TIMEOUT;
use super::{Key, Kind, What, key};

pub(crate) const ID: Key = key(
    "id",
    What::OperationName,
    None,
    "The name that others refer to. Default: the word of its kind.",
);

pub(crate) const AT: Key = key(
    "at",
    What::Duration,
    None,
    "Starts so long after the start of the phase.",
);

pub(crate) const AFTER: Key = key(
    "after",
    What::OperationName,
    None,
    "Starts when the fault or step with this id is done: a fault when its effect has been seen.",
);

const CONDITION: What = What::OneOf(&[What::Words(&["detected", "recovered"]), What::Map(&WHEN)]);

pub(crate) const WHEN_KEY: Key = key(
    "when",
    CONDITION,
    None,
    "Starts when this holds for the first time in the phase: `detected` (the director has noticed the fault), \
     `recovered` (a good window after the last fault), or a condition.",
);

pub(crate) const DELAY: Key = key("delay", What::Duration, Some("0s"), "Waits so much longer.");

pub(crate) static WHEN: Kind = Kind {
    name: "when",
    about: "A condition.",
    keys: &[
        key(
            "route_on",
            What::Name,
            None,
            "Clients are sent to this site.",
        ),
        key(
            "above",
            What::Map(&THRESHOLD),
            None,
            "A probe's series is above a number.",
        ),
        key(
            "below",
            What::Map(&THRESHOLD),
            None,
            "A probe's series is below a number.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &["route_on", "above", "below"],
};

pub(crate) static THRESHOLD: Kind = Kind {
    name: "threshold",
    about: "A series and a number.",
    keys: &[
        key(
            "series",
            What::OperationName,
            None,
            "The series: PROBE.SERIES.",
        ),
        key("value", What::Number, None, "The number."),
    ],
    required: &["series", "value"],
    instead: &[],
    one_of: &[],
};

pub(crate) static STEP: Kind = Kind {
    name: "step",
    about: "What brings service back. Without `at`, `after` or `when` it starts when the one before it is done, the \
            first when the phase's last fault is.",
    keys: &[
        key(
            "fence",
            What::Name,
            None,
            "The site's store refuses writes from now on.",
        ),
        key(
            "promote",
            What::Name,
            None,
            "The site's store takes writes, in a new epoch.",
        ),
        key(
            "rebuild",
            What::Name,
            None,
            "An empty site in place of the lost one: nodes, pods, front door, and a store without data that refuses writes.",
        ),
        key(
            "restore",
            What::Name,
            None,
            "A backup into the site's empty store; every record is checked. The site serves only after a promotion.",
        ),
        key(
            "verify-backups",
            What::Name,
            None,
            "The site's backups are listed and checked: the newest one at the site, and the newest off it, has to be there \
             and sound.",
        ),
        key("reroute", What::Name, None, "Clients are sent to the site."),
        key(
            "fail-back",
            What::Name,
            None,
            "The site catches up, writes stop on the other, this one is promoted, and clients are sent to it.",
        ),
        key(
            "command",
            What::Map(&STEP_COMMAND),
            None,
            "Your own command.",
        ),
        key(
            "read-back",
            What::Name,
            None,
            "The whole ledger is read from this site, or from the `serving` one, twice, and held against what was \
             acknowledged.",
        ),
        key(
            "from",
            What::Words(&["local", "off-site"]),
            Some("local"),
            "Where `restore` takes the backup.",
        ),
        key(
            "of",
            What::Name,
            None,
            "The site whose backup `restore` takes, which goes on serving. Default: the site itself.",
        ),
        key(
            "backup",
            What::Words(&["newest-sound", "newest"]),
            Some("newest-sound"),
            "Which one: the newest whose every record is sound and that was begun before the fault, or the newest.",
        ),
        AT,
        AFTER,
        WHEN_KEY,
        DELAY,
        ID,
    ],
    required: &[],
    instead: &[],
    one_of: &[
        "fence",
        "promote",
        "rebuild",
        "restore",
        "verify-backups",
        "reroute",
        "fail-back",
        "command",
        "read-back",
    ],
};

pub(crate) static STEP_COMMAND: Kind = Kind {
    name: "step_command",
    about: "A program with its arguments, one text each; no shell reads them. It ends with 0 when it has done its work.",
    keys: &[
        key(
            "run",
            What::List(&What::Text),
            None,
            "Brings something back.",
        ),
        key(
            "check",
            What::List(&What::Text),
            None,
            "Ends with 0 when it is back. Default: `run` is believed.",
        ),
        TIMEOUT,
    ],
    required: &["run"],
    instead: &[],
    one_of: &[],
};

pub(crate) static RECOVERY: Kind = Kind {
    name: "recovery",
    about: "Service is back at the start of the first window from which on no more operations fail or are late than \
            the limits explain.",
    keys: &[
        key(
            "window",
            What::Duration,
            Some("10s"),
            "Length of a window: whole buckets, and at least three health checks of the director.",
        ),
        key(
            "errors",
            What::Share,
            Some("0.5 %"),
            "Share of operations that may fail.",
        ),
        key(
            "latency",
            What::Pattern("^p[0-9]{1,2}(\\.[0-9]+)?$|^p999$"),
            Some("p99"),
            "This quantile of the response time is below `below`.",
        ),
        key(
            "below",
            What::Duration,
            Some("100ms"),
            "The limit of `latency`.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static LIMITS: Kind = Kind {
    name: "limits",
    about: "The blast radius: a scenario that breaks more is refused.",
    keys: &[
        key(
            "sites",
            What::Count(0),
            Some("1"),
            "Whole sites that may be down at once.",
        ),
        key(
            "pods",
            What::Share,
            Some("50 %"),
            "Share of a site's pods that a fault on pods or nodes may take at once.",
        ),
        key(
            "served_by",
            What::List(&What::Name),
            None,
            "Sites that may answer clients: when another one does, everything is undone and the run ends. Default: all.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};
