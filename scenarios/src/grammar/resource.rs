//! The maps of what is used up, and of the bounds that are there against it.

use super::fault::{LABELS, NODE_NAME, SITE, WHICH};
use super::{Kind, What, key};

pub(crate) static SLOW: Kind = Kind {
    name: "slow",
    about: "Pods that take longer.",
    keys: &[
        SITE,
        WHICH,
        NODE_NAME,
        LABELS,
        key(
            "factor",
            What::Number,
            Some("10"),
            "An operation takes so many times as long; 3 or more, or 1 for no longer.",
        ),
        key(
            "busy",
            What::Share,
            Some("0 %"),
            "Share of the time in which the pod's only thread does something else; up to 95 %.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static CLOCK: Kind = Kind {
    name: "clock",
    about: "How wrong a clock is.",
    keys: &[
        key("ahead", What::Duration, None, "It is so much ahead."),
        key("behind", What::Duration, None, "It is so much behind."),
    ],
    required: &[],
    instead: &[],
    one_of: &["ahead", "behind"],
};

pub(crate) static BOUNDS: Kind = Kind {
    name: "bounds",
    about: "What a pod, its store or its front door refuses beyond, each with its code of erlmcp's. `none` takes one \
            away, so that a drill can be seen to miss it. A client is an address that connects.",
    keys: &[
        key(
            "memory",
            What::OneOf(&[What::Size, What::Words(&NONE)]),
            Some("256MiB"),
            "Memory that a pod holds for its clients: refusal 1089. Without it the pod ends where the system has no more.",
        ),
        key(
            "queue",
            What::Words(&KEPT),
            Some("kept"),
            "The bound of `queue`: refusal 1056. Without it everything waits.",
        ),
        key(
            "cpu",
            What::OneOf(&[What::Duration, What::Words(&NONE)]),
            Some("100ms"),
            "How late a pod's thread may come to its work, twice in a row: refusal 1078. Without it everything is late.",
        ),
        key(
            "disk",
            What::Words(&KEPT),
            Some("kept"),
            "The store looks whether a write had room: refusal 1079. Without it a write is acknowledged that has none.",
        ),
        key(
            "client_rate",
            What::OneOf(&[What::Rate, What::Words(&NONE)]),
            Some("none"),
            "Messages of one client; more are refused with 1056.",
        ),
        key(
            "rate",
            What::OneOf(&[What::Rate, What::Words(&NONE)]),
            Some("none"),
            "Messages of all clients together; more are refused with 1056.",
        ),
        key(
            "client_connections",
            What::OneOf(&[What::Count(1), What::Words(&NONE)]),
            Some("none"),
            "Connections of one client; one more is refused with 1060.",
        ),
        key(
            "message",
            What::OneOf(&[What::Size, What::Words(&NONE)]),
            Some("16MiB"),
            "Longest message; a longer one is refused with 1068, and not read to its end.",
        ),
        key(
            "write_timeout",
            What::OneOf(&[What::Duration, What::Words(&NONE)]),
            Some("10s"),
            "An answer that a client does not take for so long is given up, with its connection (1069).",
        ),
        key(
            "validation",
            What::Words(&["strict", "none"]),
            Some("strict"),
            "Whether what is no message is refused with 1066; with `none` nobody answers.",
        ),
        key(
            "health",
            What::Words(&KEPT),
            Some("kept"),
            "The front door sends nobody to a pod that does not answer. Without it clients are sent there for ever.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static NONE: [&str; 1] = ["none"];
pub(crate) static KEPT: [&str; 2] = ["kept", "none"];
