//! YAML values to templates.
//!
//! In a text, `{{...}}` is a hole and `{{{{` stands for `{{` itself. A run of braces is read from the left,
//! four at a time; of what is left, three are a brace and the start of a hole. A text that is one whole hole
//! becomes a value of the hole's own type.

use super::hole::{self, Scope};
use super::{Piece, Source, Template, escape, is_json_number};
use crate::decode::reader::Reader;
use crate::text::Place;
use crate::text::tree::{Item, Key, Node, Scalar};
use crate::text::unit::Wrong;

/// A part of a text: what stands, or what stands between `{{` and `}}`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Hole(String),
}

/// Cuts a text at its holes.
pub(crate) fn parts(text: &str) -> Result<Vec<Part>, Wrong> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        literal.push_str(&rest[..at]);
        let run = rest[at..].bytes().take_while(|byte| *byte == b'{').count();
        rest = &rest[at + run..];
        for _ in 0..run / 4 {
            literal.push_str("{{");
        }
        if run % 2 == 1 {
            literal.push('{');
        }
        if run % 4 < 2 {
            continue;
        }
        // A CSV column or a word may hold a single brace, so that the hole ends at the first double one.
        let Some(end) = rest.find("}}") else {
            return Err(Wrong {
                message: "a template is not closed".to_owned(),
                remedy: "write }} behind it; {{{{ stands for {{ itself".to_owned(),
            });
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Hole(rest[..end].to_owned()));
        rest = &rest[end + 2..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// The text as it has to be written so that [`parts`] gives it back.
pub(crate) fn escape_braces(text: &str) -> String {
    text.replace("{{", "{{{{")
}

/// Puts a template together.
pub(crate) struct Compiler<'a> {
    reader: &'a Reader<'a>,
    scope: Scope<'a>,
    pieces: Vec<Piece>,
    literal: Vec<u8>,
    arguments: Vec<String>,
}

impl<'a> Compiler<'a> {
    pub fn new(reader: &'a Reader<'a>, scope: Scope<'a>) -> Compiler<'a> {
        Compiler {
            reader,
            scope,
            pieces: Vec::new(),
            literal: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// JSON text that stands as it is.
    pub fn raw(&mut self, json: &str) {
        self.literal.extend_from_slice(json.as_bytes());
    }

    /// A value that is one whole hole.
    pub fn hole(&mut self, source: Source) {
        self.piece(Piece::Whole(source));
    }

    /// A JSON string without holes.
    fn string(&mut self, text: &str) {
        self.literal.push(b'"');
        escape(text, &mut self.literal);
        self.literal.push(b'"');
    }

    /// A text, whatever it looks like; it reports its place if its name is watched.
    pub fn watched_text(&mut self, name: &str, item: &Item, watched: &[String]) {
        let mut item = item.clone();
        if let Node::Scalar(scalar) = &mut item.node {
            scalar.quoted = true;
        }
        match watched.iter().position(|watched| watched == name) {
            Some(span) => {
                self.piece(Piece::SpanStart(span));
                self.value(&item);
                self.piece(Piece::SpanEnd(span));
            }
            None => self.value(&item),
        }
    }

    /// A member of an object, without watching it.
    pub fn member(&mut self, (key, item): &(Key, Item)) {
        self.key(key);
        self.raw(":");
        self.value(item);
    }

    /// An object; the members whose names are `watched` report their places.
    pub fn object(&mut self, entries: &[(Key, Item)], watched: &[String]) {
        self.raw("{");
        for (index, (key, item)) in entries.iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            let name = self.key(key);
            self.raw(":");
            match watched.iter().position(|watched| *watched == name) {
                Some(span) => {
                    self.piece(Piece::SpanStart(span));
                    self.value(item);
                    self.piece(Piece::SpanEnd(span));
                }
                None => self.value(item),
            }
        }
        self.raw("}");
    }

    pub fn value(&mut self, item: &Item) {
        match &item.node {
            Node::Scalar(scalar) => self.scalar(scalar, item.place),
            Node::List(items) => {
                self.raw("[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.raw(",");
                    }
                    self.value(item);
                }
                self.raw("]");
            }
            Node::Map(_) => {
                let entries = self.reader.named(item, "a map").unwrap_or_default();
                self.object(entries, &[]);
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar, place: Place) {
        if scalar.broken {
            return self.raw("null");
        }
        if let Some(json) = bare(scalar) {
            return self.raw(json);
        }
        let parts = match parts(&scalar.text) {
            Ok(parts) => parts,
            Err(wrong) => {
                self.reader.problem(place, wrong.message, wrong.remedy);
                return self.raw("null");
            }
        };
        if let [Part::Hole(expression)] = parts.as_slice() {
            match self.source(expression, place) {
                Some(source) => self.piece(Piece::Whole(source)),
                None => self.raw("null"),
            }
            return;
        }
        self.raw("\"");
        for part in &parts {
            match part {
                Part::Text(text) => escape(text, &mut self.literal),
                Part::Hole(expression) => {
                    if let Some(source) = self.source(expression, place) {
                        self.piece(Piece::InString(source));
                    }
                }
            }
        }
        self.raw("\"");
    }

    fn source(&self, expression: &str, place: Place) -> Option<Source> {
        hole::source(expression, self.scope)
            .map_err(|Wrong { message, remedy }| self.reader.problem(place, message, remedy))
            .ok()
    }

    fn key(&mut self, key: &Key) -> String {
        let text = plain_key(&key.text).unwrap_or_else(|| {
            self.reader.problem(
                key.place,
                format!("the key `{}` holds a template or a variable", key.text),
                "only values are filled in; {{{{ and $${ stand for the characters themselves",
            );
            String::new()
        });
        self.string(&text);
        text
    }

    fn piece(&mut self, piece: Piece) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.pieces.push(Piece::Literal(literal));
        }
        self.pieces.push(piece);
    }

    /// The finished template; `arguments` names its spans.
    pub fn finish(mut self, arguments: Vec<String>) -> Template {
        if !self.literal.is_empty() {
            self.pieces
                .push(Piece::Literal(std::mem::take(&mut self.literal)));
        }
        self.arguments = arguments;
        Template {
            pieces: self.pieces,
            spans: self.arguments.len(),
            arguments: self.arguments,
        }
    }
}

/// A key of an object that is sent, with its escapes taken off; `None` when it holds a hole or a variable.
pub(crate) fn plain_key(text: &str) -> Option<String> {
    let text = crate::text::substitute::substitute(text, |_| None).ok()?;
    match parts(&text).ok()?.as_slice() {
        [] => Some(String::new()),
        [Part::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

/// Numbers, booleans and null that are written without quotes.
fn bare(scalar: &Scalar) -> Option<&str> {
    if scalar.quoted {
        None
    } else if scalar.is_null() {
        Some("null")
    } else if matches!(scalar.text.as_str(), "true" | "false") || is_json_number(&scalar.text) {
        Some(&scalar.text)
    } else {
        None
    }
}

/// JSON text without holes, as a check compares with it.
pub(crate) fn literal(reader: &Reader<'_>, item: &Item) -> Option<Vec<u8>> {
    let mut compiler = Compiler::new(reader, Scope::default());
    compiler.value(item);
    let template = compiler.finish(Vec::new());
    match template.pieces.as_slice() {
        [Piece::Literal(json)] => Some(json.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match parts(text) {
            Ok(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.clone(),
                    Part::Hole(inside) => format!("<{inside}>"),
                })
                .collect(),
            Err(wrong) => wrong.message,
        }
    }

    #[test]
    fn braces_are_text_holes_or_escapes() {
        assert_eq!(show("a{b}c"), "a{b}c");
        assert_eq!(show("{{unique}}"), "<unique>");
        assert_eq!(show("{{{unique}}}"), "{<unique>}");
        assert_eq!(show("{{{{unique}}}}"), "{{unique}}}}");
        assert_eq!(show("{{{{{{unique}}"), "{{<unique>");
        assert_eq!(show("{{{{{{{unique}}"), "{{{<unique>");
        assert_eq!(show("x {{seq}}-{{int(1,2)}}"), "x <seq>-<int(1,2)>");
        assert_eq!(show("{{unique}"), "a template is not closed");
    }

    #[test]
    fn escaped_braces_come_back() {
        for text in ["{", "{{", "{{{", "{{{{", "a{{b{{{c", "}}{{"] {
            let parts = parts(&escape_braces(text)).unwrap();
            assert_eq!(parts, [Part::Text(text.to_owned())]);
        }
    }
}
