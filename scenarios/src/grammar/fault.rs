//! The maps below `faults:`.

use super::hostile::{FLOOD, INVALID, LARGE, LEAK, SILENT};
use super::recovery::{AFTER, AT, DELAY, ID, WHEN_KEY};
use super::resource::{CLOCK, SLOW};
use super::{Kind, What, key};

const PODS: What = What::OneOf(&[What::Name, What::Map(&VICTIMS)]);
const NODE: What = What::OneOf(&[What::Name, What::Map(&NODE_OF)]);

pub(crate) static FAULT: Kind = Kind {
    name: "fault",
    about: "Something that is broken on purpose, and undone again. Where a value is a site's name alone, the defaults \
            of the map serve.",
    keys: &[
        key(
            "pod-kill",
            PODS,
            None,
            "Pods are killed (SIGKILL); their site starts them again.",
        ),
        key(
            "pod-pause",
            PODS,
            None,
            "Pods are stopped (SIGSTOP), and go on when it is undone.",
        ),
        key(
            "pod-terminate",
            PODS,
            None,
            "Pods are asked to end (SIGTERM); their site starts them again.",
        ),
        key(
            "store-crash",
            What::Name,
            None,
            "The site's store is killed, and started again from its disk: nothing acknowledged may be lost.",
        ),
        key(
            "node-drain",
            NODE,
            None,
            "A node is cordoned and its pods are evicted within the disruption budget; undone by uncordoning it.",
        ),
        key(
            "node-loss",
            NODE,
            None,
            "Everything on a node is killed, and nothing starts there until it is undone.",
        ),
        key(
            "rolling-restart",
            What::Name,
            None,
            "The site's pods are started again one after the other.",
        ),
        key(
            "scale",
            What::Map(&SCALE),
            None,
            "The site gets another number of pods, and its own again when it is undone.",
        ),
        key(
            "site-failure",
            What::Name,
            None,
            "Every process of the site is killed at once, and none comes back until it is undone.",
        ),
        key(
            "data-corruption",
            What::OneOf(&[What::Name, What::Map(&CORRUPTION)]),
            None,
            "Records are changed on the disk of the site's store while it serves.",
        ),
        key(
            "system-failure",
            What::Name,
            None,
            "The site's processes and data are gone; backups that are kept at the site remain.",
        ),
        key(
            "natural-disaster",
            What::Name,
            None,
            "The site's processes, data and own backups are gone; only copies off the site remain.",
        ),
        key(
            "backup-lost",
            What::Name,
            None,
            "The site's newest backup is missing.",
        ),
        key(
            "backup-damaged",
            What::Name,
            None,
            "The site's newest backup is there, and damaged.",
        ),
        key(
            "replication-pause",
            What::Name,
            None,
            "The log of this site is not shipped until it is undone.",
        ),
        key(
            "network",
            What::Map(&NETWORK),
            None,
            "Bytes on a path through the network are delayed, slowed or stopped.",
        ),
        key(
            "command",
            What::Map(&COMMAND),
            None,
            "Your own commands break something and undo it.",
        ),
        key(
            "slow-pod",
            What::OneOf(&[What::Name, What::Map(&SLOW)]),
            None,
            "Operations of pods take longer, or their only thread has less time for them.",
        ),
        key(
            "memory-exhaustion",
            PODS,
            None,
            "The memory of pods is filled, under a limit of the system's; a pod that minds its bound refuses (1089).",
        ),
        key(
            "queue-exhaustion",
            PODS,
            None,
            "Every place at work in pods is taken; what comes waits, and what does not fit is refused (1056).",
        ),
        key(
            "cpu-saturation",
            PODS,
            None,
            "The only thread of pods has next to no time; a pod that notices refuses (1078).",
        ),
        key(
            "disk-full",
            What::Name,
            None,
            "The log of the site's store may not grow: it refuses writes (1079), and goes on to be read.",
        ),
        key(
            "clock-jump",
            What::Map(&CLOCK),
            None,
            "The director's time of day jumps.",
        ),
        key(
            "certificate-expiry",
            What::Name,
            None,
            "The site's front door shows a certificate that has expired. Needs `tls`.",
        ),
        key(
            "message-flood",
            What::OneOf(&[What::Name, What::Map(&FLOOD)]),
            None,
            "Traffic of our own, until it is undone: ten times the load's messages from one more client. To be refused \
             with 1056.",
        ),
        key(
            "invalid-payload",
            What::OneOf(&[What::Name, What::Map(&INVALID)]),
            None,
            "Traffic of our own: what is no message. To be refused with 1066.",
        ),
        key(
            "large-payload",
            What::OneOf(&[What::Name, What::Map(&LARGE)]),
            None,
            "Traffic of our own: bodies of 100 MB. To be refused with 1068.",
        ),
        key(
            "connection-leak",
            What::OneOf(&[What::Name, What::Map(&LEAK)]),
            None,
            "Traffic of our own: connections and sessions that are never closed. To be refused with 1060.",
        ),
        key(
            "slow-consumer",
            What::OneOf(&[What::Name, What::Map(&SILENT)]),
            None,
            "Traffic of our own: clients that do not read their answers. To be refused with 1069, or hung up on.",
        ),
        key(
            "for",
            What::Duration,
            None,
            "It is undone after this time; only for what does not end by itself, and not longer than its phase. Default: the end of the phase.",
        ),
        key("times", What::Count(1), Some("1"), "How often it happens."),
        key(
            "every",
            What::Duration,
            None,
            "Between the starts, when it happens several times.",
        ),
        AT,
        AFTER,
        WHEN_KEY,
        DELAY,
        ID,
    ],
    required: &[],
    one_of: &KINDS,
    instead: &[],
};

/// The words of all kinds of faults, in the order of the plan's.
pub(crate) static KINDS: [&str; 29] = [
    "pod-kill",
    "pod-pause",
    "pod-terminate",
    "store-crash",
    "node-drain",
    "node-loss",
    "rolling-restart",
    "scale",
    "site-failure",
    "data-corruption",
    "system-failure",
    "natural-disaster",
    "backup-lost",
    "backup-damaged",
    "replication-pause",
    "network",
    "command",
    "slow-pod",
    "memory-exhaustion",
    "queue-exhaustion",
    "cpu-saturation",
    "disk-full",
    "clock-jump",
    "certificate-expiry",
    "message-flood",
    "invalid-payload",
    "large-payload",
    "connection-leak",
    "slow-consumer",
];

pub(super) const SITE: super::Key = key("site", What::Name, None, "The site.");
pub(super) const WHICH: super::Key = key(
    "pods",
    What::OneOf(&[
        What::Count(1),
        What::Words(&["all"]),
        What::List(&What::Name),
    ]),
    Some("1"),
    "How many, drawn by the seed; `all`; or their names: [primary-0, primary-2].",
);
pub(super) const NODE_NAME: super::Key = key(
    "node",
    What::Name,
    None,
    "Instead of `pods`: all pods of this node (primary-node-0).",
);
pub(super) const LABELS: super::Key = key(
    "labels",
    What::Named(&What::Name),
    None,
    "Only pods that have all of these labels: { role: canary }.",
);

pub(crate) static VICTIMS: Kind = Kind {
    name: "victims",
    about: "Pods of a site, chosen once and pinned by their identity.",
    keys: &[SITE, WHICH, NODE_NAME, LABELS],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static NODE_OF: Kind = Kind {
    name: "node",
    about: "A node of a site.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key(
            "node",
            What::Name,
            None,
            "Its name (primary-node-0). Default: one that is drawn by the seed.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static SCALE: Kind = Kind {
    name: "scale",
    about: "Another number of pods.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key("pods", What::Count(1), None, "How many pods it gets."),
    ],
    required: &["site", "pods"],
    instead: &[],
    one_of: &[],
};

pub(crate) static CORRUPTION: Kind = Kind {
    name: "corruption",
    about: "Records that are changed behind the store's back.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key(
            "records",
            What::Count(1),
            Some("20"),
            "How many, drawn by the seed.",
        ),
        key(
            "how",
            What::Words(&["silent", "wrong", "torn"]),
            Some("silent"),
            "`silent`: another value with a checksum that fits, `wrong`: another value under the old checksum, \
             `torn`: the record ends in the middle.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static NETWORK: Kind = Kind {
    name: "network",
    about: "A path through the network, and what happens to its bytes.",
    keys: &[
        key(
            "link",
            What::Words(&["clients", "store", "replication"]),
            None,
            "`clients`: between clients and the site's front door, `store`: between the site's pods and its store, \
             `replication`: from the site that replicates to the other.",
        ),
        key(
            "site",
            What::Name,
            None,
            "The site; not for `replication`, which has only one path.",
        ),
        key(
            "delay",
            What::Duration,
            Some("0s"),
            "Added in each direction.",
        ),
        key(
            "jitter",
            What::Duration,
            Some("0s"),
            "Added on top: anything up to this.",
        ),
        key(
            "bandwidth",
            What::Size,
            None,
            "So much a second in each direction.",
        ),
        key(
            "blocked",
            What::Words(&["nothing", "to-server", "from-server", "both"]),
            Some("nothing"),
            "Nothing passes in this direction; connections stay.",
        ),
        key(
            "reset",
            What::Flag,
            Some("false"),
            "Connections are reset, and new ones as soon as they come.",
        ),
    ],
    required: &["link"],
    instead: &[],
    one_of: &[],
};

pub(crate) static COMMAND: Kind = Kind {
    name: "command",
    about: "Programs with their arguments, one text each; no shell reads them. Each ends with 0 when it has done its work.",
    keys: &[
        key(
            "inject",
            What::List(&What::Text),
            None,
            "Breaks something: [chaosctl, cut, rack-3].",
        ),
        key("heal", What::List(&What::Text), None, "Undoes it."),
        key(
            "check",
            What::List(&What::Text),
            None,
            "Ends with 0 while the fault is in force, and with 1 when it is not.",
        ),
        TIMEOUT,
    ],
    required: &["inject", "heal", "check"],
    instead: &[],
    one_of: &[],
};

pub(crate) const TIMEOUT: super::Key = key(
    "timeout",
    What::Duration,
    Some("30s"),
    "A program that takes longer is killed, and has failed.",
);
