//! The maps of a programme: several scenarios one after the other, and a procedure's steps that they show together.

use super::{Kind, What, key};
use crate::programme::ShownBy;

static SHOWN_BY: [&str; 7] = {
    let mut words = [""; 7];
    let mut index = 0;
    while index < words.len() {
        words[index] = ShownBy::ALL[index].as_str();
        index += 1;
    }
    words
};

pub(crate) static PROGRAMME: Kind = Kind {
    name: "programme",
    about: "Several scenarios that run one after the other, each on its own target, and end in one report.",
    keys: &[
        key(
            "programme",
            What::Pattern("^[A-Za-z0-9][A-Za-z0-9-]*$"),
            None,
            "The programme's name: letters, digits and dashes. It becomes part of the run folder's name.",
        ),
        key(
            "about",
            What::Text,
            Some(""),
            "What the programme shows, in a sentence or two. Printed in reports.",
        ),
        key(
            "covers",
            What::Text,
            None,
            "The row of the operating procedure that this programme covers.",
        ),
        key(
            "drills",
            What::List(&What::Text),
            None,
            "Names of shipped scenarios, or paths from the programme's folder. They run in this order.",
        ),
        key(
            "steps",
            What::List(&What::Map(&PROCEDURE_STEP)),
            None,
            "The steps of the procedure, and what has to be seen for each. Each is a check of its own in the results.",
        ),
    ],
    required: &["programme", "drills"],
    instead: &[],
    one_of: &[],
};

pub(crate) static PROCEDURE_STEP: Kind = Kind {
    name: "procedure_step",
    about: "A step of the procedure. It passes only with evidence from each of its drills.",
    keys: &[
        key("step", What::Name, None, "The procedure's name for it."),
        key(
            "shown_by",
            What::Words(&SHOWN_BY),
            None,
            "`set-up` (the sites are up and steady before the fault), `failover` (promotion and change of route), \
             `data-recovery` (restores, verified read-backs, recovery points), `restoration` (recovery times and steps), \
             `performance` (latency and errors after the recovery), `documents` (recordings that are sealed, with their \
             reports), `clean-up` (faults undone, no process and no folder left).",
        ),
        key(
            "in",
            What::List(&What::Text),
            None,
            "The drills that have to show it. Default: all of them.",
        ),
    ],
    required: &["step", "shown_by"],
    instead: &[],
    one_of: &[],
};
