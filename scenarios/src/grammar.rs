//! The scenario language as data: every map, its keys, what stands in them, and their defaults.
//!
//! The decoder takes its lists of keys from here and the JSON Schema is made from it, so that the two
//! cannot differ. What the keys mean is in their `doc`, which editors show.
//!
//! - `target`, `continuity`, `load`, `operation`, `timeline`, `judged`: the maps of these parts
//! - `fault`, `recovery`: what a drill breaks, and what brings it back
//! - `hostile`: clients that do harm, and the bounds that they meet
//! - `ledger`: how writes are read back
//! - `programme`: several scenarios one after the other

pub(crate) mod continuity;
pub(crate) mod fault;
pub(crate) mod hostile;
pub(crate) mod judged;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod operation;
pub(crate) mod programme;
pub(crate) mod recovery;
#[cfg(test)]
mod reference;
pub(crate) mod resource;
pub(crate) mod target;
pub(crate) mod timeline;

/// A map with a closed set of keys.
pub(crate) struct Kind {
    /// Name of its definition in the schema, and in messages: "a load".
    pub name: &'static str,
    pub about: &'static str,
    pub keys: &'static [Key],
    /// Keys that have to be there.
    pub required: &'static [&'static str],
    /// Keys of which exactly one has to be there.
    pub one_of: &'static [&'static str],
    /// Keys that may stand in place of those of `one_of`, or beside one of them.
    pub instead: &'static [&'static str],
}

pub(crate) struct Key {
    pub name: &'static str,
    pub what: What,
    pub doc: &'static str,
    /// The default in words of the language; `None` where there is none, or where `doc` tells it.
    pub default: Option<&'static str>,
}

/// What stands in a key.
pub(crate) enum What {
    Text,
    /// Letters, digits, `-` and `_`.
    Name,
    /// Anything that can be a tag in a histogram log: no space, `,`, `:` or quote.
    OperationName,
    /// A whole number from this one on.
    Count(u64),
    /// A number that is not below zero.
    Weight,
    Number,
    Flag,
    Duration,
    Rate,
    Share,
    Size,
    Pointer,
    /// Any value, with templates in its texts.
    Template,
    Words(&'static [&'static str]),
    /// A text of this form.
    Pattern(&'static str),
    Map(&'static Kind),
    List(&'static What),
    /// A list of exactly two.
    Pair(&'static What),
    /// A map by name.
    Named(&'static What),
    /// A map by JSON pointer.
    Pointed(&'static What),
    OneOf(&'static [What]),
}

impl Kind {
    pub fn key_names(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.keys.iter().map(|key| key.name)
    }

    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

pub(crate) const fn key(
    name: &'static str,
    what: What,
    default: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key {
        name,
        what,
        doc,
        default,
    }
}

pub(crate) static SCENARIO: Kind = Kind {
    name: "scenario",
    about: "A scenario of firedrill: what is driven, with which load, for how long, and what has to hold.",
    keys: &[
        key(
            "scenario",
            What::Pattern("^[A-Za-z0-9][A-Za-z0-9-]*$"),
            None,
            "The scenario's name: letters, digits and dashes. It becomes part of the run folder's name.",
        ),
        key(
            "about",
            What::Text,
            Some(""),
            "What the scenario shows, in a sentence or two. Printed in reports.",
        ),
        key(
            "covers",
            What::Text,
            None,
            "The row of the operating procedure that this scenario covers.",
        ),
        key(
            "target",
            What::Map(&target::TARGET),
            None,
            "What is driven: stand-in sites (the default: one site `primary`) or an endpoint.",
        ),
        key(
            "load",
            What::Map(&load::LOAD),
            None,
            "The only load; short for `loads: {load: ...}`.",
        ),
        key(
            "loads",
            What::Named(&What::Map(&load::LOAD)),
            None,
            "Several loads at once, by name.",
        ),
        key(
            "timeline",
            What::List(&What::OneOf(&[
                What::Map(&timeline::PHASE),
                What::Map(&timeline::READ_BACK),
            ])),
            None,
            "The phases of the run, one after the other, and between them the read-backs of the ledger.",
        ),
        key(
            "ledger",
            What::Map(&ledger::LEDGER),
            None,
            "How the writes of `ledger: write` operations are read back. The stand-in's own ways are the default \
             of the profiles `sop` and `erlmcp`.",
        ),
        key(
            "recovery",
            What::Map(&recovery::RECOVERY),
            None,
            "When service counts as back after a fault.",
        ),
        key(
            "limits",
            What::Map(&recovery::LIMITS),
            None,
            "How much may be broken at once.",
        ),
        key(
            "incident_flag",
            What::Text,
            None,
            "A file whose presence says that somebody has a real incident: faults are undone, and the run ends.",
        ),
        key(
            "probes",
            What::Named(&What::Map(&judged::PROBE)),
            None,
            "Pages of the target that are read beside the load, by name.",
        ),
        key(
            "objectives",
            What::List(&What::Map(&judged::OBJECTIVE)),
            None,
            "What has to hold. Each is a check of its own in the results.",
        ),
        key(
            "bucket",
            What::Duration,
            Some("1s"),
            "Width of a bucket of buckets.csv: operations are counted by the bucket in which they were due. \
             From 100ms to 60s.",
        ),
    ],
    required: &["scenario", "timeline"],
    instead: &[],
    one_of: &["load", "loads"],
};

/// All maps of a scenario, or of a programme, each once; the root first.
pub(crate) fn kinds(root: &'static Kind) -> Vec<&'static Kind> {
    let mut found: Vec<&'static Kind> = Vec::new();
    collect_kind(root, &mut found);
    found
}

fn collect_kind(kind: &'static Kind, found: &mut Vec<&'static Kind>) {
    if found.iter().any(|known| known.name == kind.name) {
        return;
    }
    found.push(kind);
    for key in kind.keys {
        collect(&key.what, found);
    }
}

fn collect(what: &'static What, found: &mut Vec<&'static Kind>) {
    match what {
        What::Map(kind) => collect_kind(kind, found),
        What::List(what) | What::Pair(what) | What::Named(what) | What::Pointed(what) => {
            collect(what, found);
        }
        What::OneOf(all) => all.iter().for_each(|what| collect(what, found)),
        What::Text
        | What::Name
        | What::OperationName
        | What::Count(_)
        | What::Weight
        | What::Number
        | What::Flag
        | What::Duration
        | What::Rate
        | What::Share
        | What::Size
        | What::Pointer
        | What::Template
        | What::Words(_)
        | What::Pattern(_) => {}
    }
}
