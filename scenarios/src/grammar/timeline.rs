//! The maps below `timeline:`.

use super::fault::FAULT;
use super::load::{ARRIVALS, SPACINGS};
use super::recovery::{ID, STEP};
use super::{Kind, What, key};

pub(crate) static UNTIL: [&str; 2] = ["recovered", "done"];

pub(crate) static PHASE: Kind = Kind {
    name: "phase",
    about: "A named part of the timeline.",
    keys: &[
        key(
            "phase",
            What::Name,
            None,
            "The phase's name, unique in the timeline.",
        ),
        key("for", What::Duration, None, "How long it lasts."),
        key(
            "until",
            What::Words(&UNTIL),
            None,
            "What ends it: `recovered` (a good window after every fault, with the phase's steps done) or `done` \
             (the phase's faults undone, steps and read-backs done). Goes with `within`.",
        ),
        key(
            "within",
            What::Duration,
            None,
            "How long it lasts at most, with `until`.",
        ),
        key(
            "measured",
            What::Flag,
            Some("true"),
            "False: counted and shown, but not judged (warm-up).",
        ),
        key(
            "fault",
            What::Map(&FAULT),
            None,
            "The only fault of the phase; short for `faults: [...]`.",
        ),
        key(
            "faults",
            What::List(&What::Map(&FAULT)),
            None,
            "What is broken in this phase. Faults run side by side, each from its own start.",
        ),
        key(
            "steps",
            What::List(&What::Map(&STEP)),
            None,
            "What brings service back, where firedrill does it: one after the other, unless they say when.",
        ),
        key(
            "rate",
            What::Rate,
            None,
            "The only load's rate in this phase, in place of its own.",
        ),
        key(
            "spacing",
            What::Words(&SPACINGS),
            Some("even"),
            "How arrivals lie around `rate`.",
        ),
        key(
            "arrivals",
            What::Map(&ARRIVALS),
            None,
            "The only load's arrivals in this phase, in place of its own.",
        ),
        key(
            "loads",
            What::Named(&What::Map(&PHASE_LOAD)),
            None,
            "The same for several loads, by name.",
        ),
    ],
    required: &["phase"],
    instead: &[],
    one_of: &["for", "within"],
};

pub(crate) static PHASE_LOAD: Kind = Kind {
    name: "phase_load",
    about: "A load's arrivals in one phase. Times count from the phase's start.",
    keys: &[
        key("rate", What::Rate, None, "A constant rate."),
        key(
            "spacing",
            What::Words(&SPACINGS),
            Some("even"),
            "How arrivals lie around `rate`.",
        ),
        key(
            "arrivals",
            What::Map(&ARRIVALS),
            None,
            "Arrivals of any shape.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &["rate", "arrivals"],
};

pub(crate) static READ_BACK: Kind = Kind {
    name: "read_back",
    about: "The whole ledger is read, twice, and held against what was acknowledged. It begins when the phase before \
            it has ended.",
    keys: &[
        key(
            "read-back",
            What::Name,
            None,
            "The site that is asked, or `serving`: the one that clients are sent to.",
        ),
        ID,
    ],
    required: &["read-back"],
    instead: &[],
    one_of: &[],
};
