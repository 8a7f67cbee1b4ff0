//! The maps of hostile clients.

use super::{Kind, What, key};

pub(crate) static FLOOD: Kind = Kind {
    name: "flood",
    about: "A client that sends far too many messages.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key("rate", What::Rate, None, "So many a second."),
        key(
            "factor",
            What::Number,
            Some("10"),
            "Instead of `rate`: so many times what the loads ask for.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static INVALID: Kind = Kind {
    name: "invalid_payload",
    about: "A client that sends what is no message: broken JSON, wrong types, no `jsonrpc`, bytes that are no UTF-8.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key("rate", What::Rate, Some("50/s"), "So many a second."),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static LARGE: Kind = Kind {
    name: "large_payload",
    about: "A client that sends a body that is too large: announced by its length, and in chunks.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key("size", What::Size, Some("100MB"), "Of each body."),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static LEAK: Kind = Kind {
    name: "leak",
    about: "A client that opens connections and sessions, and never closes one.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key(
            "connections",
            What::Count(1),
            Some("300"),
            "How many, at most 5000.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};

pub(crate) static SILENT: Kind = Kind {
    name: "slow_consumer",
    about: "Clients that ask for large answers and do not read them.",
    keys: &[
        key("site", What::Name, None, "The site."),
        key(
            "readers",
            What::Count(1),
            Some("4"),
            "How many, at most 100.",
        ),
        key(
            "silent",
            What::Duration,
            Some("10s"),
            "For how long they do not read.",
        ),
    ],
    required: &["site"],
    instead: &[],
    one_of: &[],
};
