//! Checks on a result.

use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::operation as grammar;
use crate::plan::{Check, Comparison, Condition};
use crate::template::compile::{self, Part};
use crate::template::{Expected, TextPiece};
use crate::text::nearest::choices;
use crate::text::tree::{Item, Node};

type Bound = fn(f64) -> Comparison;

pub(crate) static BOUNDS: [(&str, Bound); 4] = [
    ("below", Comparison::Below),
    ("above", Comparison::Above),
    ("at_most", Comparison::AtMost),
    ("at_least", Comparison::AtLeast),
];

/// The checks in their order, and the names of the arguments that they compare with: the index of an
/// argument in that list is the index of its span.
pub(crate) fn checks(
    reader: &Reader<'_>,
    item: &Item,
    arguments: &[String],
) -> (Vec<Check>, Vec<String>) {
    let mut found = Checks {
        reader,
        arguments,
        watched: Vec::new(),
        checks: Vec::new(),
    };
    match &item.node {
        Node::List(items) => {
            for item in items {
                found.map(item);
            }
        }
        Node::Scalar(_) | Node::Map(_) => found.map(item),
    }
    (found.checks, found.watched)
}

struct Checks<'a> {
    reader: &'a Reader<'a>,
    arguments: &'a [String],
    watched: Vec<String>,
    checks: Vec<Check>,
}

impl Checks<'_> {
    fn map(&mut self, item: &Item) {
        for (key, item) in self
            .reader
            .named(item, "a map of JSON pointers and what stands there")
            .unwrap_or_default()
        {
            if key.text == "size" {
                self.size(item);
                continue;
            }
            let Some(pointer) = self.reader.check_pointer(&key.text, key.place) else {
                continue;
            };
            for condition in self.conditions(item) {
                self.checks.push(Check::At {
                    pointer: pointer.clone(),
                    condition,
                });
            }
        }
    }

    fn size(&mut self, item: &Item) {
        let Some(fields) = Fields::open(self.reader, item, &grammar::CONDITION) else {
            return;
        };
        fields.refuse(
            &["equals", "contains", "exists"],
            "`size`",
            "write below, above, at_most or at_least",
        );
        for (word, bound) in BOUNDS {
            if let Some(bytes) = fields.size(word) {
                self.checks.push(Check::Size(bound(bytes as f64)));
            }
        }
    }

    fn conditions(&mut self, item: &Item) -> Vec<Condition> {
        if !matches!(item.node, Node::Map(_)) {
            return self
                .expected(item)
                .map(Condition::Equals)
                .into_iter()
                .collect();
        }
        let Some(fields) = Fields::open(self.reader, item, &grammar::CONDITION) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if let Some(item) = fields.get("equals") {
            found.extend(self.expected(item).map(Condition::Equals));
        }
        if let Some(item) = fields.get("contains") {
            found.extend(self.text(item).map(Condition::Contains));
        }
        for (word, bound) in BOUNDS {
            let number = fields.get(word).and_then(|item| self.reader.number(item));
            found.extend(number.map(|number| Condition::Number(bound(number))));
        }
        found.extend(fields.flag("exists").map(Condition::Exists));
        if matches!(&item.node, Node::Map(entries) if entries.is_empty()) {
            self.reader.problem(
                item.place,
                "a condition without a key holds for everything",
                "write equals, contains, below, above, at_most, at_least or exists; for an empty map: { equals: {} }",
            );
        }
        found
    }

    /// A text to be found: a bare `5` means the text "5".
    fn text(&mut self, item: &Item) -> Option<Expected> {
        self.reader.scalar(item, "a text")?;
        let mut quoted = item.clone();
        if let Node::Scalar(scalar) = &mut quoted.node {
            scalar.quoted = true;
        }
        self.expected(&quoted)
    }

    fn expected(&mut self, item: &Item) -> Option<Expected> {
        let Node::Scalar(scalar) = &item.node else {
            return self.literal(item);
        };
        if scalar.broken {
            return None;
        }
        let parts = match compile::parts(&scalar.text) {
            Ok(parts) => parts,
            Err(wrong) => {
                self.reader.problem(item.place, wrong.message, wrong.remedy);
                return None;
            }
        };
        if !parts.iter().any(|part| matches!(part, Part::Hole(_))) {
            return self.literal(item);
        }
        if let [Part::Hole(name)] = parts.as_slice() {
            return self.argument(name, item).map(Expected::Argument);
        }
        let pieces = parts.iter().map(|part| match part {
            Part::Text(text) => Some(TextPiece::Text(text.clone())),
            Part::Hole(name) => self.argument(name, item).map(TextPiece::Argument),
        });
        pieces.collect::<Option<Vec<_>>>().map(Expected::Text)
    }

    fn literal(&self, item: &Item) -> Option<Expected> {
        if has_hole(item) && !matches!(item.node, Node::Scalar(_)) {
            self.reader.problem(
                item.place,
                "an argument cannot stand inside a list or a map here",
                "compare each value with a JSON pointer of its own",
            );
            return None;
        }
        compile::literal(self.reader, item).map(Expected::Literal)
    }

    fn argument(&mut self, name: &str, item: &Item) -> Option<usize> {
        let name = name.trim();
        if !self.arguments.iter().any(|known| known == name) {
            self.reader.problem(
                item.place,
                format!("the operation has no argument `{name}` to compare with"),
                choices(name, "arguments", self.arguments.iter().map(String::as_str)),
            );
            return None;
        }
        let known = self.watched.iter().position(|watched| watched == name);
        Some(known.unwrap_or_else(|| {
            self.watched.push(name.to_owned());
            self.watched.len() - 1
        }))
    }
}

fn has_hole(item: &Item) -> bool {
    match &item.node {
        Node::Scalar(scalar) => compile::parts(&scalar.text)
            .is_ok_and(|parts| parts.iter().any(|part| matches!(part, Part::Hole(_)))),
        Node::List(items) => items.iter().any(has_hole),
        Node::Map(entries) => entries.iter().any(|(_, item)| has_hole(item)),
    }
}
