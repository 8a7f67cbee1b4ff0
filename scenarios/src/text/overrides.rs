//! `--set path=value`: changes to the tree before it is decoded, so that they are checked like the file.
//!
//! A path names keys with dots between them. Items of lists are named by their `name`, `phase` or `id` (an
//! objective also by the id that it gets by itself, an operation by its tool or method) or by their number
//! from 0. Keys that are not in the file yet are put in.

use super::Place;
use super::nearest::choices;
use super::tree::{self, Item, Key, Node};
use crate::decode::identity::written_id;
use crate::decode::reader::Reader;
use crate::grammar::{fault, recovery};

pub(crate) fn apply(reader: &Reader<'_>, tree: &mut Item, overrides: &[String]) {
    for (index, argument) in overrides.iter().enumerate() {
        let text = index + 1;
        let whole = Place {
            text,
            start: 0,
            end: argument.len(),
        };
        let Some((path, _)) = argument
            .split_once('=')
            .filter(|(path, _)| !path.is_empty())
        else {
            reader.problem(
                whole,
                "this says nothing to set",
                "write --set path=value: load.rate=1000/s",
            );
            continue;
        };
        match tree::parse(reader.texts, text, path.len() + 1) {
            Ok(value) => {
                let setting = Setting { reader, text, path };
                setting.root(tree, value);
            }
            Err(problem) => reader.found(whole, problem),
        }
    }
}

struct Setting<'a> {
    reader: &'a Reader<'a>,
    text: usize,
    path: &'a str,
}

impl Setting<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        Place {
            text: self.text,
            start,
            end,
        }
    }

    /// `load` is short for the only one of `loads`, and the other way round.
    fn root(&self, tree: &mut Item, value: Item) {
        let first = self.path.split('.').next().unwrap_or_default();
        let rest = self.path.len().min(first.len() + 1);
        if first == "load"
            && let Some(Item {
                node: Node::Map(loads),
                ..
            }) = get_mut(tree, "loads")
        {
            match loads.as_mut_slice() {
                [(_, only)] => return self.below(only, rest, value, true),
                several => {
                    let names: Vec<&str> =
                        several.iter().map(|(key, _)| key.text.as_str()).collect();
                    let remedy = format!("write loads.NAME...; loads: {}", names.join(", "));
                    return self.reader.problem(
                        self.place(0, first.len()),
                        "there is not one load but several",
                        remedy,
                    );
                }
            }
        }
        if (self.path == "loads.load" || self.path.starts_with("loads.load."))
            && let Some(only) = get_mut(tree, "load")
        {
            return self.below(only, self.path.len().min("loads.load.".len()), value, true);
        }
        self.set(tree, 0, value, Level::Root);
    }

    /// Goes on inside `item`, or replaces it when the path ends here.
    fn below(&self, item: &mut Item, at: usize, value: Item, is_load: bool) {
        if at >= self.path.len() {
            *item = value;
        } else {
            self.set(
                item,
                at,
                value,
                if is_load { Level::Load } else { Level::Other },
            );
        }
    }

    fn set(&self, item: &mut Item, at: usize, value: Item, level: Level) {
        match &mut item.node {
            Node::List(items) => self.set_in_list(items, at, value),
            Node::Map(_) => self.set_in_map(item, at, value, level),
            Node::Scalar(_) => {
                // `service_time: 2ms` becomes `service_time: { fixed: ... }`.
                item.node = Node::Map(Vec::new());
                item.place = self.place(0, self.path.len());
                self.set_in_map(item, at, value, level);
            }
        }
    }

    fn set_in_map(&self, item: &mut Item, at: usize, value: Item, level: Level) {
        if level == Level::Load && &self.path[at..] == "rate" && item.get("arrivals").is_some() {
            return self.set_rate(item, at, value);
        }
        let Node::Map(entries) = &mut item.node else {
            return;
        };
        let rest = &self.path[at..];
        let end = at + segment(rest, entries.iter().map(|(key, _)| key.text.as_str()));
        let name = &self.path[at..end];
        let next = (end + 1).min(self.path.len());
        let inner = match level {
            Level::Root if name == "load" => Level::Load,
            Level::Root if name == "loads" => Level::Loads,
            Level::Loads => Level::Load,
            Level::Root | Level::Load | Level::Other => Level::Other,
        };
        let known = entries.iter().position(|(key, _)| key.text == name);
        let index = known.unwrap_or_else(|| {
            let place = self.place(at, end);
            let key = Key {
                text: name.to_owned(),
                place,
            };
            entries.push((
                key,
                Item {
                    node: Node::Map(Vec::new()),
                    place,
                },
            ));
            entries.len() - 1
        });
        let below = &mut entries[index].1;
        if end >= self.path.len() {
            *below = value;
        } else {
            self.set(below, next, value, inner);
        }
    }

    fn set_in_list(&self, items: &mut [Item], at: usize, value: Item) {
        let labels: Vec<String> = items.iter().map(label).collect();
        let rest = &self.path[at..];
        let end = at + segment(rest, labels.iter().map(String::as_str));
        let name = &self.path[at..end];
        let index = labels
            .iter()
            .position(|label| label == name)
            .or_else(|| name.parse().ok().filter(|index| *index < items.len()));
        match index {
            Some(index) => self.below(
                &mut items[index],
                (end + 1).min(self.path.len()),
                value,
                false,
            ),
            None => self.reader.problem(
                self.place(at, end),
                format!("nothing here is called `{name}`"),
                choices(name, "items", labels.iter().map(String::as_str)),
            ),
        }
    }

    /// `load.rate` of a load with `arrivals`: the rate of the shapes that have only one.
    fn set_rate(&self, load: &mut Item, at: usize, value: Item) {
        let arrivals = get_mut(load, "arrivals");
        let mut shapes = Vec::new();
        if let Some(Item {
            node: Node::Map(entries),
            ..
        }) = arrivals
        {
            for (key, item) in entries {
                if matches!(key.text.as_str(), "constant" | "poisson" | "uniform") {
                    *item = value;
                    return;
                }
                shapes.push(key.text.clone());
            }
        }
        let shape = shapes
            .first()
            .cloned()
            .unwrap_or_else(|| "arrivals".to_owned());
        let prefix = &self.path[..at];
        self.reader.problem(
            self.place(0, self.path.len()),
            format!("the load's arrivals have not one rate: they are `{shape}`"),
            format!("set {prefix}arrivals.{shape}..., or all of it: {prefix}arrivals={{constant: 100/s}}"),
        );
    }
}

/// What a map is, as far as setting needs to know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Loads,
    Load,
    Other,
}

/// Length of the path's next part: the longest of the known names that fits, since names may hold dots;
/// else up to the next dot.
fn segment<'a>(rest: &str, names: impl Iterator<Item = &'a str>) -> usize {
    let fits = |name: &&str| {
        rest.strip_prefix(*name)
            .is_some_and(|after| after.is_empty() || after.starts_with('.'))
    };
    let longest = names.filter(fits).map(str::len).max();
    longest.unwrap_or_else(|| rest.find('.').unwrap_or(rest.len()))
}

/// What an item of a list is called.
fn label(item: &Item) -> String {
    let text = |key: &str| {
        item.get(key)
            .and_then(Item::scalar)
            .map(|scalar| scalar.text.clone())
    };
    ["id", "name", "phase"]
        .into_iter()
        .find_map(text)
        .or_else(|| written_id(item))
        .or_else(|| ["tool", "prompt", "method"].into_iter().find_map(text))
        .or_else(|| item.get("resource").map(|_| "resources/read".to_owned()))
        .or_else(|| drill_word(item))
        .unwrap_or_default()
}

/// The word of a fault's or step's kind.
fn drill_word(item: &Item) -> Option<String> {
    let words = fault::KINDS.iter().chain(recovery::STEP.one_of);
    let mut words = words.filter(|word| item.get(word).is_some());
    words.next().map(|word| (*word).to_owned())
}

fn get_mut<'a>(item: &'a mut Item, key: &str) -> Option<&'a mut Item> {
    match &mut item.node {
        Node::Map(entries) => entries
            .iter_mut()
            .find(|(found, _)| found.text == key)
            .map(|(_, item)| item),
        Node::Scalar(_) | Node::List(_) => None,
    }
}
