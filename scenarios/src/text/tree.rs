//! YAML to a tree whose every key and value knows its place.
//!
//! Typed decoding would stop at the first error; this tree is decoded by hand instead. The text of a
//! plain scalar is taken from the source, since the reader's guess at a type loses it (`08` reads as 8.0).
//! Depth and expansion of aliases are bounded by the reader.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

use super::diagnostic::Diagnostic;
use super::{Place, Texts};

/// How deep lists and maps may stand in each other, and how many keys and values there may be.
const DEPTH_MAX: usize = 48;
const NODES_MAX: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub node: Node,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Scalar(Scalar),
    List(Vec<Item>),
    /// In the order of the text; a key may stand twice, which the decoder reports.
    Map(Vec<(Key, Item)>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub text: String,
    /// A quoted or block scalar is text, whatever it looks like.
    pub quoted: bool,
    /// A variable in it is missing: reported already, and not to be looked at again.
    pub broken: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub text: String,
    pub place: Place,
}

impl Key {
    /// The key as a value, to be read like one.
    pub fn scalar(&self) -> Scalar {
        Scalar {
            text: self.text.clone(),
            quoted: true,
            broken: false,
        }
    }
}

impl Scalar {
    pub fn is_null(&self) -> bool {
        !self.quoted && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Item {
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.node {
            Node::Scalar(scalar) => Some(scalar),
            Node::List(_) | Node::Map(_) => None,
        }
    }

    /// The value of a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Item> {
        match &self.node {
            Node::Map(entries) => entries
                .iter()
                .find(|(found, _)| found.text == key)
                .map(|(_, item)| item),
            Node::Scalar(_) | Node::List(_) => None,
        }
    }
}

/// Reads the part of a text from `offset` on.
pub(crate) fn parse(texts: &Texts, text: usize, offset: usize) -> Result<Item, Diagnostic> {
    let whole = Place {
        text,
        start: 0,
        end: 0,
    };
    let source = texts.text(whole).get(offset..).unwrap_or_default();
    let options = serde_saphyr::options! {
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_documents: 1,
        },
    };
    let origin = Origin {
        source,
        text,
        offset,
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(source, options) {
        Ok(raw) => origin.item(texts, raw),
        Err(error) => Err(syntax(texts, &origin, &error)),
    }
}

/// What the reader sees; turned into an [`Item`] at once.
enum Raw {
    /// Null, a boolean or a number: its text is in the source.
    Inferred,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Inferred)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key()? {
            entries.push((key, access.next_value()?));
        }
        Ok(Raw::Map(entries))
    }
}

struct Origin<'a> {
    source: &'a str,
    text: usize,
    /// Where `source` begins in its text.
    offset: usize,
}

impl Origin<'_> {
    fn item(&self, texts: &Texts, raw: Spanned<Raw>) -> Result<Item, Diagnostic> {
        let place = self.place(&raw);
        let node = match raw.value {
            Raw::List(items) => Node::List(
                items
                    .into_iter()
                    .map(|item| self.item(texts, item))
                    .collect::<Result<_, _>>()?,
            ),
            Raw::Map(entries) => Node::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((self.key(texts, key)?, self.item(texts, value)?)))
                    .collect::<Result<_, Diagnostic>>()?,
            ),
            scalar @ (Raw::Inferred | Raw::Text(_)) => Node::Scalar(self.scalar(scalar, place)),
        };
        Ok(Item { node, place })
    }

    fn key(&self, texts: &Texts, raw: Spanned<Raw>) -> Result<Key, Diagnostic> {
        let place = self.place(&raw);
        match raw.value {
            scalar @ (Raw::Inferred | Raw::Text(_)) => Ok(Key {
                text: self.scalar(scalar, place).text,
                place,
            }),
            Raw::List(_) | Raw::Map(_) => Err(Diagnostic::at(
                texts,
                place,
                "braces in a row mean a map whose key is a map".to_owned(),
                "a template is written in quotes: \"{{unique}}\"".to_owned(),
            )),
        }
    }

    fn scalar(&self, raw: Raw, place: Place) -> Scalar {
        let source = self
            .source
            .get(place.start - self.offset..place.end - self.offset)
            .unwrap_or_default();
        let (text, quoted) = match raw {
            Raw::Text(text) => {
                let quoted = source.starts_with(['"', '\'']) || source.contains('\n');
                (text, quoted)
            }
            Raw::Inferred | Raw::List(_) | Raw::Map(_) => (source.to_owned(), false),
        };
        Scalar {
            text,
            quoted,
            broken: false,
        }
    }

    fn place(&self, raw: &Spanned<Raw>) -> Place {
        let span = raw.defined.span();
        let start = span.byte_offset().map_or(0, |at| at as usize);
        let length = span.byte_len().map_or(0, |length| length as usize);
        let source = self.source.get(start..start + length).unwrap_or_default();
        // A block scalar's span reaches over its last line break.
        let length = source.trim_end_matches(['\n', '\r']).len();
        Place {
            text: self.text,
            start: self.offset + start,
            end: self.offset + start + length,
        }
    }
}

fn syntax(texts: &Texts, origin: &Origin<'_>, error: &serde_saphyr::Error) -> Diagnostic {
    let start = origin.offset + offset_of(origin.source, error.location());
    let place = Place {
        text: origin.text,
        start,
        end: start,
    };
    let mut message = error.to_string();
    if let Some(at) = message.rfind(" at line ") {
        message.truncate(at);
    }
    if let Some((message, remedy)) = excess(error) {
        return Diagnostic::at(texts, place, message, remedy.to_owned());
    }
    let line = texts.line(place);
    let remedy = if unquoted(line, "${") {
        "inside { } and [ ] a variable is written in quotes: \"${NAME}\""
    } else if unquoted(line, "{{") {
        "a template is written in quotes: \"{{unique}}\""
    } else if message.contains("tag") {
        "tags (!word) are not used in scenarios"
    } else if line.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces, not with tabs"
    } else {
        "this is not valid YAML here: look at indentation, quotes, and at a bracket that is not closed"
    };
    Diagnostic::at(texts, place, message, remedy.to_owned())
}

/// What there is too much of, and what to do about it.
fn excess(error: &serde_saphyr::Error) -> Option<(String, &'static str)> {
    let serde_saphyr::Error::Budget { breach, .. } = error else {
        return None;
    };
    Some(match breach {
        BudgetBreach::Depth { .. } => (
            format!("lists and maps stand more than {DEPTH_MAX} deep in each other"),
            "no scenario needs that: look for brackets that are not closed",
        ),
        BudgetBreach::Nodes { .. } => (
            format!("there are more than {NODES_MAX} keys and values"),
            "move what is repeated into a `csv:` or a trace file, which may be long",
        ),
        BudgetBreach::Documents { .. } => (
            "a second document begins here".to_owned(),
            "a file holds one scenario: take the `---` away, or write a file for each",
        ),
        _ => (
            "this is too much for a scenario".to_owned(),
            "write fewer or shorter values, and fewer anchors (&) and aliases (*)",
        ),
    })
}

/// Errors of the reader tell line and column, and not always bytes.
fn offset_of(source: &str, location: Option<Location>) -> usize {
    let Some(location) = location else { return 0 };
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let before: usize = source
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = source.get(before..).unwrap_or_default();
    let within = rest
        .char_indices()
        .nth(column - 1)
        .map_or(rest.len(), |(at, _)| at);
    before + within
}

/// True when the mark stands on the line outside of quotes.
fn unquoted(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = &line[..at];
        ['"', '\'']
            .iter()
            .all(|quote| before.matches(*quote).count().is_multiple_of(2))
    })
}
