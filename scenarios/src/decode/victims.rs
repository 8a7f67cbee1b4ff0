//! Which pods a fault is for: so many that are drawn, all, by name, by node, and by the labels that they have.

use super::action::Stage;
use super::fault::site_key;
use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::fault as grammar;
use crate::plan::{Labels, Pick, Victims};
use crate::text::tree::{Item, Key, Node};

pub(super) fn victims(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<Victims> {
    if !matches!(item.node, Node::Map(_)) {
        let site = reader.reference(item, "site", stage.sites)?;
        return Some(Victims {
            site,
            labels: Labels::new(),
            pick: Pick::Random(1),
        });
    }
    victims_of(&Fields::open(reader, item, &grammar::VICTIMS)?, stage)
}

/// Of a map that says which pods of a site, whatever else it says.
pub(super) fn victims_of(fields: &Fields<'_>, stage: Stage<'_>) -> Option<Victims> {
    let reader = fields.reader;
    let site = site_key(fields, stage)?;
    let pick = match (fields.get("node"), fields.get("pods")) {
        (Some(node), _) => {
            fields.refuse(&["pods"], "`node`", "name the node, or say which pods");
            Pick::OnNode(reader.name(node)?)
        }
        (None, None) => Pick::Random(1),
        (None, Some(item)) => pick(reader, item)?,
    };
    let labels = match fields.get("labels") {
        Some(item) => labels(reader, item),
        None => Labels::new(),
    };
    if let Pick::Named(_) = pick {
        let remedy = "name the pods, or say which labels they have";
        fields.refuse(&["labels"], "a list of names", remedy);
    }
    Some(Victims { site, labels, pick })
}

/// `{ role: canary }`.
pub(super) fn labels(reader: &Reader<'_>, item: &Item) -> Labels {
    let Some(entries) = reader.named(item, "a map of labels") else {
        return Labels::new();
    };
    if entries.is_empty() {
        reader.problem(
            item.place,
            "there is no label",
            "write labels: { role: canary }",
        );
    }
    let label = |(key, item): &(Key, Item)| {
        let fine = reader.check_name(&key.text, key.place);
        Some((key.text.clone(), reader.name(item).filter(|_| fine)?))
    };
    entries.iter().filter_map(label).collect()
}

fn pick(reader: &Reader<'_>, item: &Item) -> Option<Pick> {
    match &item.node {
        Node::List(names) => {
            if names.is_empty() {
                reader.problem(item.place, "no pod is named", "name at least one pod");
            }
            named_once(reader, names).map(Pick::Named)
        }
        Node::Scalar(scalar) if scalar.text == "all" => Some(Pick::All),
        Node::Scalar(scalar) if !scalar.text.starts_with(|c: char| c.is_ascii_digit()) => {
            reader.problem(
                item.place,
                format!("`{}` does not say which pods", scalar.text),
                "write a number, all, or a list of names: [primary-0]",
            );
            None
        }
        Node::Scalar(_) | Node::Map(_) => reader.count(item, 1).map(Pick::Random),
    }
}

/// A pod that is named twice would count twice against the limits, and be hit once.
fn named_once(reader: &Reader<'_>, items: &[Item]) -> Option<Vec<String>> {
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let name = reader.name(item)?;
        if names.contains(&name) {
            reader.problem(
                item.place,
                format!("`{name}` is named twice"),
                "name each pod once",
            );
            return None;
        }
        names.push(name);
    }
    Some(names)
}
