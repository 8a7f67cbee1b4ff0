//! Reading values out of the tree. Whatever is wrong is noted, and reading goes on.

use std::cell::RefCell;
use std::time::Duration;

use crate::plan::{Pointer, Rate};
use crate::sources::Sources;
use crate::text::diagnostic::Diagnostic;
use crate::text::nearest::choices;
use crate::text::tree::{Item, Key, Node};
use crate::text::unit::{self, Wrong};
use crate::text::{Place, Texts};

/// What all reading shares: the texts, and the problems that were found.
pub(crate) struct Reader<'a> {
    pub texts: &'a Texts,
    pub sources: &'a dyn Sources,
    problems: RefCell<Vec<(Place, Diagnostic)>>,
    warnings: RefCell<Vec<Diagnostic>>,
    /// Files that the scenario names, and the names under which a recording keeps them.
    files: RefCell<Vec<(String, String)>>,
    /// Keys that were asked for, so that a test can hold them against the grammar.
    #[cfg(test)]
    pub asked: RefCell<std::collections::BTreeSet<(&'static str, &'static str)>>,
}

impl<'a> Reader<'a> {
    pub fn new(texts: &'a Texts, sources: &'a dyn Sources) -> Reader<'a> {
        Reader {
            texts,
            sources,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            files: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    pub fn problem(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let found = Diagnostic::at(self.texts, place, message.into(), remedy.into());
        self.problems.borrow_mut().push((place, found));
    }

    /// Notes a problem that is made already.
    pub fn found(&self, place: Place, problem: Diagnostic) {
        self.problems.borrow_mut().push((place, problem));
    }

    pub fn warning(&self, place: Place, message: impl Into<String>, remedy: impl Into<String>) {
        let found = Diagnostic::at(self.texts, place, message.into(), remedy.into());
        self.warnings.borrow_mut().push(found);
    }

    pub fn is_clean(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// Problems in the order of their places, and warnings.
    pub fn into_findings(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(place, _)| (place.text, place.start, place.end));
        // Two objectives that were written in one line, a limit and its budget, lack the same.
        problems.dedup();
        let problems = problems.into_iter().map(|(_, found)| found).collect();
        (problems, self.warnings.into_inner())
    }

    /// The name under which a recording keeps the file of this path: its last part, made unique.
    pub fn keep_file(&self, path: &str) -> String {
        let mut files = self.files.borrow_mut();
        if let Some((_, name)) = files.iter().find(|(known, _)| known == path) {
            return name.clone();
        }
        let base = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let (stem, extension) = match base.rsplit_once('.') {
            Some((stem, extension)) => (stem, format!(".{extension}")),
            None => (base, String::new()),
        };
        let mut name = base.to_owned();
        let mut number = 2;
        while files.iter().any(|(_, taken)| *taken == name) {
            name = format!("{stem}-{number}{extension}");
            number += 1;
        }
        files.push((path.to_owned(), name.clone()));
        name
    }

    /// The text of a scalar; `what` says what is expected: "a duration".
    pub fn scalar<'i>(&self, item: &'i Item, what: &str) -> Option<&'i str> {
        match &item.node {
            Node::Scalar(scalar) if scalar.broken => None,
            Node::Scalar(scalar) if scalar.is_null() => {
                self.problem(
                    item.place,
                    format!("{what} is expected here, and nothing stands here"),
                    "write a value, or leave the key out",
                );
                None
            }
            Node::Scalar(scalar) => Some(&scalar.text),
            Node::List(_) => self.not(item, what, "a list"),
            Node::Map(_) => self.not(item, what, "a map"),
        }
    }

    fn not<T>(&self, item: &Item, what: &str, found: &str) -> Option<T> {
        self.problem(
            item.place,
            format!("{what} is expected here, not {found}"),
            format!("write {what}"),
        );
        None
    }

    pub fn list<'i>(&self, item: &'i Item, what: &str) -> Option<&'i [Item]> {
        match &item.node {
            Node::List(items) => Some(items),
            Node::Scalar(scalar) if scalar.broken => None,
            Node::Scalar(_) => self.not(item, what, "a single value"),
            Node::Map(_) => self.not(item, what, "a map"),
        }
    }

    /// The entries of a map by name; a name that stands twice is a problem.
    pub fn named<'i>(&self, item: &'i Item, what: &str) -> Option<&'i [(Key, Item)]> {
        match &item.node {
            Node::Map(entries) => {
                self.duplicates(entries);
                Some(entries)
            }
            Node::Scalar(scalar) if scalar.broken => None,
            Node::Scalar(_) => self.not(item, what, "a single value"),
            Node::List(_) => self.not(item, what, "a list"),
        }
    }

    pub fn duplicates(&self, entries: &[(Key, Item)]) {
        for (index, (key, _)) in entries.iter().enumerate() {
            if let Some((first, _)) = entries[..index].iter().find(|(k, _)| k.text == key.text) {
                let (line, _) = self.texts.position(first.place);
                self.problem(
                    key.place,
                    format!("`{}` stands here twice", key.text),
                    format!("keep one of them; the other is in line {line}"),
                );
            }
        }
    }

    fn read<T>(
        &self,
        item: &Item,
        what: &str,
        read: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        match read(self.scalar(item, what)?) {
            Ok(value) => Some(value),
            Err(Wrong { message, remedy }) => {
                self.problem(item.place, message, remedy);
                None
            }
        }
    }

    pub fn duration(&self, item: &Item) -> Option<Duration> {
        self.read(item, "a duration", unit::duration)
    }

    /// A duration above zero.
    pub fn length(&self, item: &Item) -> Option<Duration> {
        let duration = self.duration(item)?;
        if duration.is_zero() {
            self.problem(
                item.place,
                "this has to be longer than nothing",
                "write 1s or more",
            );
            return None;
        }
        Some(duration)
    }

    pub fn rate(&self, item: &Item) -> Option<Rate> {
        self.read(item, "a rate", unit::rate).map(Rate)
    }

    pub fn share(&self, item: &Item) -> Option<f64> {
        self.read(item, "a share", unit::share)
    }

    pub fn size(&self, item: &Item) -> Option<u64> {
        self.read(item, "a size", unit::size)
    }

    /// A whole number from `least` to four billion.
    pub fn count(&self, item: &Item, least: u32) -> Option<u32> {
        self.count_within(item, least, u32::MAX)
    }

    /// A whole number, both ends included.
    pub fn count_within(&self, item: &Item, least: u32, most: u32) -> Option<u32> {
        let text = self.scalar(item, "a whole number")?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (message, remedy) = match text.parse::<u32>() {
            Ok(count) if count < least => (
                format!("{count} is too few"),
                format!("write {least} or more"),
            ),
            Ok(count) if count <= most => return Some(count),
            Err(_) if !digits => (
                format!("`{text}` is no whole number"),
                "write digits only: 50".to_owned(),
            ),
            Ok(_) | Err(_) => (
                format!("{text} is too many"),
                format!("write {most} or less"),
            ),
        };
        self.problem(item.place, message, remedy);
        None
    }

    pub fn number(&self, item: &Item) -> Option<f64> {
        let text = self.scalar(item, "a number")?;
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() || !text.ends_with(|last: char| last.is_ascii_digit()) {
            self.problem(
                item.place,
                format!("`{text}` is no number"),
                "write a number without a unit: 0.5",
            );
            return None;
        }
        number
    }

    pub fn flag(&self, item: &Item) -> Option<bool> {
        match self.scalar(item, "true or false")? {
            "true" => Some(true),
            "false" => Some(false),
            text => {
                self.problem(
                    item.place,
                    format!("`{text}` is neither true nor false"),
                    "write true or false",
                );
                None
            }
        }
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&self, item: &Item, kind: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.scalar(item, "a word")?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(
                item.place,
                format!("`{text}` is none of the {kind}"),
                choices(text, kind, all),
            );
        }
        found.map(|(_, value)| *value)
    }

    pub fn text(&self, item: &Item) -> Option<String> {
        self.scalar(item, "a text").map(str::to_owned)
    }

    /// Letters, digits, dashes and underlines: what others refer to.
    pub fn name(&self, item: &Item) -> Option<String> {
        let text = self.scalar(item, "a name")?;
        self.check_name(text, item.place).then(|| text.to_owned())
    }

    pub fn check_name(&self, text: &str, place: Place) -> bool {
        let fine = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !fine {
            self.problem(
                place,
                format!("`{text}` is no name"),
                "a name has up to 64 letters, digits, - and _, and begins with a letter or digit",
            );
        }
        fine
    }

    /// A name that becomes a tag in logs and tables: no space, comma, colon or quote.
    pub fn tag(&self, item: &Item) -> Option<String> {
        let text = self.scalar(item, "a name")?;
        let fine = !text.is_empty()
            && text.len() <= 128
            && !text.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, ',' | ':' | '"' | '\'' | '`')
            });
        if !fine {
            self.problem(
                item.place,
                format!("`{text}` cannot be a name"),
                "give it a `name:` of up to 128 characters without spaces, commas, colons and quotes",
            );
        }
        fine.then(|| text.to_owned())
    }

    pub fn pointer(&self, item: &Item) -> Option<Pointer> {
        let text = self.scalar(item, "a JSON pointer")?;
        self.check_pointer(text, item.place)
    }

    /// RFC 6901.
    pub fn check_pointer(&self, text: &str, place: Place) -> Option<Pointer> {
        if text.is_empty() {
            return Some(Pointer(Vec::new()));
        }
        let escapes_fine = text
            .match_indices('~')
            .all(|(at, _)| matches!(text.as_bytes().get(at + 1), Some(b'0' | b'1')));
        let Some(rest) = text.strip_prefix('/').filter(|_| escapes_fine) else {
            self.problem(
                place,
                format!("`{text}` is no JSON pointer"),
                "write /content/0/text: each part after a slash, with ~1 for / and ~0 for ~",
            );
            return None;
        };
        let part = |part: &str| part.replace("~1", "/").replace("~0", "~");
        Some(Pointer(rest.split('/').map(part).collect()))
    }

    /// The index of a name among those that exist. When not all of them are known, since one could not be
    /// read, a name that is not found is let pass.
    pub fn reference(&self, item: &Item, kind: &str, names: &Names) -> Option<usize> {
        let text = self.scalar(item, "a name")?;
        let found = names.known.iter().position(|name| name == text);
        if found.is_none() && names.complete {
            let (one, many) = (kind, plural(kind));
            self.problem(
                item.place,
                format!("no {one} is called `{text}`"),
                choices(text, &many, names.known.iter().map(String::as_str)),
            );
        }
        found
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "series" => "series".to_owned(),
        "fault or step" => "faults and steps".to_owned(),
        _ => format!("{kind}s"),
    }
}

/// Names that can be referred to.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub known: Vec<String>,
    /// False when one of them could not be read.
    pub complete: bool,
}

impl Names {
    pub fn new() -> Names {
        Names {
            known: Vec::new(),
            complete: true,
        }
    }
}
