//! Where each value of a plan came from, and what is worth a warning. No part of what the plan means.

use std::collections::BTreeMap;
use std::fmt;

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
