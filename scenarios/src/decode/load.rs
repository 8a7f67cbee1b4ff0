//! Loads: drive, sessions, operations, and the flows that arrivals start.

use super::answer;
use super::arrivals;
use super::fields::Fields;
use super::flow;
use super::operation::{self, Read};
use super::reader::{Names, Reader};
use crate::grammar::load;
use crate::plan::{
    Arrivals, Drive, Lifetime, Load, Profile, Rate, Rows, SessionEnd, Sessions, Shape, Spacing,
    Think,
};
use crate::template::hole::Scope;
use crate::text::Place;
use crate::text::tree::{Item, Key, Node};
use crate::text::unit;

/// What `load` and `loads` hold.
pub(crate) struct Loads {
    pub all: Vec<Load>,
    /// Where each of their names stands.
    pub places: Vec<Place>,
    /// Whether all of their operations and flows could be read.
    pub complete: bool,
    /// Whether each of them is at least a map.
    pub opened: bool,
}

pub(crate) fn loads(fields: &Fields<'_>, profile: &Profile) -> Loads {
    let reader = fields.reader;
    let mut entries: Vec<(String, Place, &Item)> = Vec::new();
    if let Some(item) = fields.get("load") {
        entries.push(("load".to_owned(), fields.key_place("load"), item));
    }
    if let Some(item) = fields.get("loads") {
        let named: &[(Key, Item)] = reader
            .named(item, "a map of loads by name")
            .unwrap_or_default();
        if named.is_empty() && entries.is_empty() && matches!(item.node, Node::Map(_)) {
            reader.problem(
                item.place,
                "there is no load",
                "write loads: { NAME: { rate: 100/s, ... } }",
            );
        }
        for (key, item) in named {
            reader.check_name(&key.text, key.place);
            entries.push((key.text.clone(), key.place, item));
        }
    }
    let several = entries.len() > 1;
    let mut loads = Loads {
        all: Vec::new(),
        places: Vec::new(),
        complete: !entries.is_empty(),
        opened: !entries.is_empty(),
    };
    for (name, place, item) in entries {
        // Where there are several loads, what is counted carries the load's name.
        let prefix = if several {
            format!("{name}.")
        } else {
            String::new()
        };
        match load(reader, name, item, &prefix, profile) {
            Some((load, complete)) => {
                loads.all.push(load);
                loads.places.push(place);
                loads.complete &= complete;
            }
            None => (loads.complete, loads.opened) = (false, false),
        }
    }
    loads
}

/// A load, and whether all of its operations and flows could be read.
fn load(
    reader: &Reader<'_>,
    name: String,
    item: &Item,
    prefix: &str,
    profile: &Profile,
) -> Option<(Load, bool)> {
    let fields = Fields::open(reader, item, &load::LOAD)?;
    let rows = fields.get("csv").and_then(|item| rows(reader, item));
    let read = operations(&fields, rows.as_ref(), profile);
    let (flows, complete) = flow::flows(&fields, &read, prefix);
    let sessions = sessions(reader, fields.get("sessions"));
    let drive = drive(&fields);
    let default_in_flight = match drive {
        Drive::Open(_) => 2000,
        Drive::Closed { .. } => sessions.count,
    };
    let load = Load {
        name,
        max_in_flight: fields
            .count("max_in_flight", 1)
            .unwrap_or(default_in_flight),
        sessions,
        operations: read.all.into_iter().map(|read| read.operation).collect(),
        flows,
        rows,
        drive,
    };
    Some((load, complete))
}

/// Stands in for arrivals that could not be read; never part of a plan that is given out.
fn nothing() -> Arrivals {
    Arrivals::Shaped {
        shape: Shape::Constant(Rate(0.0)),
        spacing: Spacing::Even,
    }
}

fn drive(fields: &Fields<'_>) -> Drive {
    if let Some(item) = fields.get("closed") {
        fields.refuse(
            &["rate", "spacing", "arrivals"],
            "`closed`",
            "in a closed load the sessions set the pace: keep one of them",
        );
        let closed = Fields::open(fields.reader, item, &load::CLOSED);
        let think = closed.and_then(|closed| {
            closed
                .get("think")
                .and_then(|item| arrivals::think(fields.reader, item))
        });
        return Drive::Closed {
            think: think.unwrap_or(Think::None),
        };
    }
    let said = ["rate", "arrivals", "spacing"]
        .iter()
        .any(|key| fields.has(key));
    if !said && !fields.has_slip(&["rate", "arrivals", "closed"]) {
        fields.reader.problem(
            fields.place,
            "the load does not say when operations are due",
            "add rate: 100/s, arrivals: { poisson: 100/s }, or closed: { think: 200ms }",
        );
    }
    Drive::Open(arrivals::stated(fields).unwrap_or_else(nothing))
}

// ---- sessions ----

pub(crate) static SESSION_ENDS: [(&str, SessionEnd); 3] = [
    ("delete", SessionEnd::Delete),
    ("drop", SessionEnd::Drop),
    ("leak", SessionEnd::Leak),
];

fn sessions(reader: &Reader<'_>, item: Option<&Item>) -> Sessions {
    let mut sessions = Sessions {
        count: 10,
        open_rate: Rate(1000.0),
        lifetime: Lifetime::Run,
        end: SessionEnd::Delete,
    };
    let Some(fields) = item.and_then(|item| Fields::open(reader, item, &load::SESSIONS)) else {
        return sessions;
    };
    sessions.count = fields.count("count", 1).unwrap_or(sessions.count);
    if let Some(rate) = fields.rate("open_rate") {
        if rate.0 == 0.0 {
            reader.problem(
                fields.key_place("open_rate"),
                "no session would ever be opened",
                "write open_rate: 100/s, or leave it out",
            );
        }
        sessions.open_rate = rate;
    }
    if let Some(lifetime) = fields
        .get("lifetime")
        .and_then(|item| lifetime(reader, item))
    {
        sessions.lifetime = lifetime;
    }
    if let Some(item) = fields.get("end")
        && let Some(end) = reader.word(item, "ends of a session", &SESSION_ENDS)
    {
        sessions.end = end;
    }
    sessions
}

/// `run`, `100 calls` or a duration.
fn lifetime(reader: &Reader<'_>, item: &Item) -> Option<Lifetime> {
    let text = reader.scalar(item, "a lifetime")?;
    if text == "run" {
        return Some(Lifetime::Run);
    }
    let calls = text
        .strip_suffix("calls")
        .or_else(|| text.strip_suffix("call"));
    let lifetime = match calls {
        Some(number) => number
            .trim()
            .parse()
            .ok()
            .filter(|n| *n > 0)
            .map(Lifetime::Calls),
        None => unit::duration(text)
            .ok()
            .filter(|time| !time.is_zero())
            .map(Lifetime::Time),
    };
    if lifetime.is_none() {
        reader.problem(
            item.place,
            format!("`{text}` is no lifetime of a session"),
            "write run, 100 calls, or a duration such as 30s",
        );
    }
    lifetime
}

// ---- operations ----

/// The operations that could be read, and whether these are all of them.
pub(crate) struct Operations {
    pub all: Vec<Read>,
    pub names: Names,
    /// Names of saved values; the index is the slot.
    pub saved: Vec<String>,
}

fn operations(fields: &Fields<'_>, rows: Option<&Rows>, profile: &Profile) -> Operations {
    let reader = fields.reader;
    let mut found = Operations {
        all: Vec::new(),
        names: Names::new(),
        saved: Vec::new(),
    };
    let Some(item) = fields.get("operations") else {
        found.names.complete = false;
        return found;
    };
    let Some(items) = reader.list(item, "a list of operations") else {
        found.names.complete = false;
        return found;
    };
    if items.is_empty() {
        reader.problem(
            item.place,
            "there is no operation",
            "write operations: [{ tool: echo }]",
        );
    }
    for name in items.iter().flat_map(answer::saved_names) {
        if !found.saved.iter().any(|known| known == name) {
            found.saved.push(name.to_owned());
        }
    }
    let scope = Scope {
        rows,
        saved: &found.saved,
        ..Scope::default()
    };
    for item in items {
        let Some(read) = operation::operation(reader, item, profile, scope) else {
            found.names.complete = false;
            continue;
        };
        let name = &read.operation.name;
        if found.names.known.contains(name) {
            reader.problem(
                item.place,
                format!("two operations are called `{name}`"),
                "give one of them another `name:`",
            );
        }
        found.names.known.push(name.clone());
        found.all.push(read);
    }
    found
}

/// A CSV file with a head line.
fn rows(reader: &Reader<'_>, item: &Item) -> Option<Rows> {
    let path = reader.scalar(item, "a file name")?;
    let text = arrivals::read_text(reader, item, path)?;
    let refuse = |message: String, remedy: &str| {
        reader.problem(item.place, message, remedy);
        None
    };
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let columns: Vec<String> = match table.headers() {
        Ok(head) => head.iter().map(str::to_owned).collect(),
        Err(error) => {
            return refuse(
                format!("{path}: {error}"),
                "write a head line with the columns' names",
            );
        }
    };
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].contains(column) || column.is_empty() || column.contains(['{', '}']) {
            return refuse(
                format!("{path}: `{column}` cannot be the name of a column"),
                "columns have names that differ and hold no braces",
            );
        }
    }
    let mut cells = Vec::new();
    for record in table.records() {
        match record {
            Ok(record) => cells.extend(record.iter().map(str::to_owned)),
            Err(error) => {
                return refuse(
                    format!("{path}: {error}"),
                    "each row has as many cells as the head line",
                );
            }
        }
    }
    if cells.is_empty() {
        return refuse(
            format!("{path} holds no row"),
            "write at least one row below the head line",
        );
    }
    Some(Rows {
        file: reader.keep_file(path),
        columns,
        cells,
    })
}
