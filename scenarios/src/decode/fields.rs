//! A map with a closed set of keys: which are there, and which should be.

use std::time::Duration;

use super::reader::Reader;
use crate::grammar::Kind;
use crate::plan::Rate;
use crate::text::nearest::{choices, nearest};
use crate::text::tree::{Item, Key, Node};
use crate::text::{Place, unit};

/// A map with a closed set of keys.
pub(crate) struct Fields<'a> {
    pub reader: &'a Reader<'a>,
    pub kind: &'static Kind,
    pub place: Place,
    entries: &'a [(Key, Item)],
    /// Keys that an unknown key was probably meant to be: they are not missed as well.
    meant: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Opens a map and notes whatever is wrong with its keys.
    pub fn open(reader: &'a Reader<'a>, item: &'a Item, kind: &'static Kind) -> Option<Fields<'a>> {
        let entries: &[(Key, Item)] = match &item.node {
            Node::Map(entries) => entries,
            Node::Scalar(scalar) if scalar.broken => return None,
            Node::Scalar(_) | Node::List(_) => {
                let keys: Vec<&str> = kind.key_names().collect();
                reader.problem(
                    item.place,
                    format!("a map of {} is expected here", kind.name),
                    format!("its keys: {}", keys.join(", ")),
                );
                return None;
            }
        };
        reader.duplicates(entries);
        let mut fields = Fields {
            reader,
            kind,
            place: item.place,
            entries,
            meant: Vec::new(),
        };
        fields.meant = fields.unknown_keys();
        fields.missing_keys();
        Some(fields)
    }

    /// Notes unknown keys, and gives those that were probably meant.
    fn unknown_keys(&self) -> Vec<&'static str> {
        let mut meant = Vec::new();
        for (key, _) in self.entries {
            if self.kind.key(&key.text).is_none() {
                meant.extend(nearest(&key.text, self.kind.key_names()));
                self.reader.problem(
                    key.place,
                    format!("unknown key `{}`", key.text),
                    choices(
                        &key.text,
                        &format!("keys of {}", self.kind.name),
                        self.kind.key_names(),
                    ),
                );
            }
        }
        meant
    }

    /// True when an unknown key was probably meant to be one of these.
    pub fn has_slip(&self, keys: &[&str]) -> bool {
        self.meant.iter().any(|meant| keys.contains(meant))
    }

    fn missing_keys(&self) {
        let has = |key: &&&str| self.has(key);
        for required in self.kind.required {
            if !self.has(required) && !self.has_slip(&[required]) {
                let doc = self.kind.key(required).map_or("", |key| key.doc);
                self.reader.problem(
                    self.place,
                    format!("this {} lacks `{required}`", self.kind.name),
                    format!("add `{required}:`. {doc}"),
                );
            }
        }
        let group = self.kind.one_of;
        let there: Vec<&str> = group.iter().filter(has).copied().collect();
        match there.as_slice() {
            [] if self.kind.instead.iter().any(|key| self.has(key)) => {}
            [] if !group.is_empty() && !self.has_slip(group) => {
                self.reader.problem(
                    self.place,
                    format!("this {} lacks the key that says what it is", self.kind.name),
                    format!("add one of: {}", group.join(", ")),
                );
            }
            [] | [_] => {}
            [first, second, ..] => self.reader.problem(
                self.key_place(second),
                format!("`{first}` and `{second}` exclude each other"),
                format!("keep one of: {}", group.join(", ")),
            ),
        }
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(found, _)| found.text == key)
    }

    pub fn get(&self, key: &'static str) -> Option<&'a Item> {
        debug_assert!(
            self.kind.key(key).is_some(),
            "{key} is no key of {}",
            self.kind.name
        );
        #[cfg(test)]
        self.reader.asked.borrow_mut().insert((self.kind.name, key));
        self.entries
            .iter()
            .find(|(found, _)| found.text == key)
            .map(|(_, item)| item)
    }

    /// Where a key stands; the map itself when it is not there.
    pub fn key_place(&self, key: &str) -> Place {
        self.entries
            .iter()
            .find(|(found, _)| found.text == key)
            .map_or(self.place, |(found, _)| found.place)
    }

    /// The keys that are there and have no place beside `with`.
    pub fn refuse(&self, keys: &[&'static str], with: &str, remedy: &str) {
        for key in keys {
            if self.get(key).is_some() {
                self.reader.problem(
                    self.key_place(key),
                    format!("`{key}` has no meaning beside {with}"),
                    remedy,
                );
            }
        }
    }

    pub fn duration(&self, key: &'static str) -> Option<Duration> {
        self.get(key).and_then(|item| self.reader.duration(item))
    }

    pub fn length(&self, key: &'static str) -> Option<Duration> {
        self.get(key).and_then(|item| self.reader.length(item))
    }

    pub fn rate(&self, key: &'static str) -> Option<Rate> {
        self.get(key).and_then(|item| self.reader.rate(item))
    }

    pub fn share(&self, key: &'static str) -> Option<f64> {
        self.get(key).and_then(|item| self.reader.share(item))
    }

    pub fn size(&self, key: &'static str) -> Option<u64> {
        self.get(key).and_then(|item| self.reader.size(item))
    }

    pub fn count(&self, key: &'static str, least: u32) -> Option<u32> {
        self.get(key)
            .and_then(|item| self.reader.count(item, least))
    }

    /// A whole number, both ends included.
    pub fn count_within(&self, key: &'static str, least: u32, most: u32) -> Option<u32> {
        self.get(key)
            .and_then(|item| self.reader.count_within(item, least, most))
    }

    pub fn flag(&self, key: &'static str) -> Option<bool> {
        self.get(key).and_then(|item| self.reader.flag(item))
    }

    pub fn text(&self, key: &'static str) -> Option<String> {
        self.get(key).and_then(|item| self.reader.text(item))
    }

    /// Two durations in a list, the smaller one first.
    pub fn range(&self, key: &'static str) -> Option<(Duration, Duration)> {
        let item = self.get(key)?;
        let ([low, high], reader) = (
            self.reader.list(item, "a list of two durations")?,
            self.reader,
        ) else {
            self.reader.problem(
                item.place,
                "two durations are expected here",
                "write [1ms, 3ms]",
            );
            return None;
        };
        let (low, high) = (reader.duration(low), reader.duration(high));
        let (low, high) = (low?, high?);
        if low > high {
            reader.problem(
                item.place,
                "the range is upside down",
                format!(
                    "write [{}, {}]",
                    unit::duration_text(high),
                    unit::duration_text(low)
                ),
            );
            return None;
        }
        Some((low, high))
    }
}
