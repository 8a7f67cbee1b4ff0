//! Pages of the target that are read beside the load.

use std::time::Duration;

use super::endpoint::read_url;
use super::fields::Fields;
use super::profile::read_path;
use super::reader::{Names, Reader};
use crate::grammar::judged;
use crate::plan::{Probe, ProbeAt, ProbeFormat};
use crate::text::tree::{Item, Key};

/// The probes, and the names of all their series: `PROBE.SERIES`.
pub(crate) fn probes(fields: &Fields<'_>) -> (Vec<Probe>, Names) {
    let reader = fields.reader;
    let mut series = Names::new();
    let mut probes = Vec::new();
    let Some(item) = fields.get("probes") else {
        return (probes, series);
    };
    let Some(entries) = reader.named(item, "a map of probes by name") else {
        series.complete = false;
        return (probes, series);
    };
    for (key, item) in entries {
        let fine = reader.check_name(&key.text, key.place);
        match probe(reader, key, item).filter(|_| fine) {
            Some(probe) => {
                series
                    .known
                    .extend(probe.series().map(|name| format!("{}.{name}", probe.name)));
                probes.push(probe);
            }
            None => series.complete = false,
        }
    }
    (probes, series)
}

impl Probe {
    /// Our names of what it reads, without the probe's own name.
    pub fn series(&self) -> impl Iterator<Item = &str> {
        let names: Vec<&str> = match &self.format {
            ProbeFormat::Prometheus(all) => all.iter().map(|(name, _)| name.as_str()).collect(),
            ProbeFormat::Json(all) => all.iter().map(|(name, _)| name.as_str()).collect(),
        };
        names.into_iter()
    }
}

fn probe(reader: &Reader<'_>, key: &Key, item: &Item) -> Option<Probe> {
    let fields = Fields::open(reader, item, &judged::PROBE)?;
    let at = place(&fields);
    let every = fields.length("every").unwrap_or(Duration::from_secs(1));
    if every < Duration::from_millis(100) {
        let remedy = "write every: 100ms or more";
        reader.problem(
            fields.key_place("every"),
            "that often a page cannot be read",
            remedy,
        );
    }
    let format = match fields.get("json") {
        Some(item) => ProbeFormat::Json(series(reader, item, |item| reader.pointer(item))?),
        None => {
            let item = fields.get("prometheus")?;
            ProbeFormat::Prometheus(series(reader, item, |item| metric(reader, item))?)
        }
    };
    Some(Probe {
        name: key.text.clone(),
        at: at?,
        every,
        format,
    })
}

fn place(fields: &Fields<'_>) -> Option<ProbeAt> {
    let reader = fields.reader;
    match (fields.get("path"), fields.get("url")) {
        (Some(item), None) => read_path(reader, item).map(ProbeAt::Path),
        (None, Some(item)) => read_url(reader, item).map(ProbeAt::Url),
        (Some(_), Some(_)) => {
            let place = fields.key_place("url");
            reader.problem(
                place,
                "`path` and `url` exclude each other",
                "keep one of them",
            );
            None
        }
        (None, None) if fields.has_slip(&["path", "url"]) => None,
        (None, None) => {
            let remedy = "add path: /metrics/prometheus, or url: http://host:port/path";
            reader.problem(
                fields.place,
                "the probe does not say which page it reads",
                remedy,
            );
            None
        }
    }
}

fn series<T>(
    reader: &Reader<'_>,
    item: &Item,
    mut read: impl FnMut(&Item) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let entries = reader.named(item, "a map of series by name")?;
    if entries.is_empty() {
        reader.problem(item.place, "the probe reads nothing", "write NAME: METRIC");
        return None;
    }
    let all: Vec<Option<(String, T)>> = entries
        .iter()
        .map(|(key, item)| {
            let fine = reader.check_name(&key.text, key.place);
            let value = read(item);
            fine.then_some((key.text.clone(), value?))
        })
        .collect();
    all.into_iter().collect()
}

/// `name` or `name{label="value",...}`.
fn metric(reader: &Reader<'_>, item: &Item) -> Option<String> {
    let text = reader.scalar(item, "the name of a metric")?;
    if !is_metric(text) {
        reader.problem(
            item.place,
            format!("`{text}` is no Prometheus metric"),
            "write name or 'name{label=\"value\"}' (in single quotes)",
        );
        return None;
    }
    Some(text.to_owned())
}

fn is_metric(text: &str) -> bool {
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    };
    let Some((name, labels)) = text.split_once('{') else {
        return word(text);
    };
    let label = |pair: &str| {
        pair.split_once('=').is_some_and(|(name, value)| {
            word(name.trim())
                && value
                    .trim()
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'))
                    .is_some_and(|inside| !inside.contains('"'))
        })
    };
    word(name.trim())
        && labels
            .strip_suffix('}')
            .is_some_and(|labels| labels.split(',').all(label))
}
