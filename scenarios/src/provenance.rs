//! Where each value of a plan came from, and what is worth a warning. No part of what the plan means.

use std::collections::BTreeMap;
use std::fmt;

use crate::plan::Plan;
use crate::text::Texts;
use crate::text::diagnostic::Diagnostic;
use crate::text::tree::{Item, Node};

/// What parsing learned beside the plan. Plans that mean the same are equal, wherever they came from.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// By path: `load.sessions.count`, `timeline[0].for`.
    pub origins: BTreeMap<String, Origin>,
    /// Things that are allowed and probably not meant.
    pub warnings: Vec<Diagnostic>,
}

impl PartialEq for Notes {
    fn eq(&self, _: &Notes) -> bool {
        true
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The scenario.
    File { name: String, line: usize },
    /// A `--set` argument.
    Set(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { name, line } => write!(out, "{name}:{line}"),
            Origin::Set(argument) => write!(out, "--set {argument}"),
        }
    }
}

/// The origins of all values of a tree.
pub(crate) fn origins(texts: &Texts, tree: &Item) -> BTreeMap<String, Origin> {
    let mut found = BTreeMap::new();
    collect(texts, tree, "", &mut found);
    found
}

fn collect(texts: &Texts, item: &Item, path: &str, found: &mut BTreeMap<String, Origin>) {
    match &item.node {
        Node::List(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(texts, item, &format!("{path}[{index}]"), found);
            }
        }
        Node::Map(entries) => {
            for (key, item) in entries {
                let below = match path {
                    "" => key.text.clone(),
                    // A load that is called `load` can be written in two ways.
                    "loads" if key.text == "load" && entries.len() == 1 => "load".to_owned(),
                    path => format!("{path}.{}", key.text),
                };
                collect(texts, item, &below, found);
            }
        }
        Node::Scalar(_) => {}
    }
    let origin = if item.place.text == 0 {
        let (line, _) = texts.position(item.place);
        Origin::File {
            name: texts.name(item.place).to_owned(),
            line,
        }
    } else {
        Origin::Set(texts.text(item.place).to_owned())
    };
    found.insert(path.to_owned(), origin);
}

impl Plan {
    /// Where the value at this path of [`Plan::to_yaml`] came from; `None` for a default.
    ///
    /// The resolved plan says in one way what a scenario can say in several, so that a value is also looked
    /// for under the keys that are short for it.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        // A phase's only fault can be written as `fault`.
        let only = path.replace(".faults[0]", ".fault");
        self.origin_of(path).or_else(|| self.origin_of(&only))
    }

    fn origin_of(&self, path: &str) -> Option<&Origin> {
        let exact = self.notes.origins.get(path);
        exact.or_else(|| {
            let shorts = SHORT_FOR.iter().flat_map(|(long, shorts)| {
                let places = path.match_indices(long);
                places.flat_map(move |(at, _)| {
                    let rest = &path[at + long.len()..];
                    let ends = rest.is_empty() || rest.starts_with(['.', '[']);
                    shorts
                        .iter()
                        .filter(move |_| ends)
                        .map(move |short| (&path[..at], *short, rest))
                })
            });
            shorts
                .flat_map(|(before, short, rest)| {
                    [format!("{before}{short}{rest}"), format!("{before}{short}")]
                })
                .find_map(|path| self.notes.origins.get(&path))
        })
    }
}

/// Parts of resolved paths, and what a scenario may have written instead.
const SHORT_FOR: [(&str, &[&str]); 13] = [
    (".pod-kill.site", &[".pod-kill"]),
    (".pod-pause.site", &[".pod-pause"]),
    (".pod-terminate.site", &[".pod-terminate"]),
    (".node-drain.site", &[".node-drain"]),
    (".node-loss.site", &[".node-loss"]),
    (".data-corruption.site", &[".data-corruption"]),
    (
        ".arrivals.constant",
        &[".rate", ".arrivals.poisson", ".arrivals.uniform"],
    ),
    (
        ".arrivals.spacing",
        &[".spacing", ".arrivals.poisson", ".arrivals.uniform"],
    ),
    (
        ".name",
        &[".tool", ".prompt", ".resource", ".method", ".ledger"],
    ),
    (".method", &[".tool", ".prompt", ".resource", ".ledger"]),
    (
        ".params",
        &[".arguments", ".tool", ".prompt", ".resource", ".ledger"],
    ),
    (".service_time.fixed", &[".service_time"]),
    (".check", &[".check"]),
];
