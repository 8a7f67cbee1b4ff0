//! The phases, and what is done in them.

use std::time::Duration;

use super::action::{self, Actions, Draft, Stage};
use super::arrivals;
use super::fault;
use super::fields::Fields;
use super::load::Loads;
use super::reader::{Names, Reader};
use super::step;
use crate::grammar::timeline as grammar;
use crate::plan::{Arrivals, Drive, Load, Phase, Start, Until};
use crate::text::tree::{Item, Node};

pub(crate) static UNTIL: [(&str, Until); 2] =
    [("recovered", Until::Recovered), ("done", Until::Done)];

/// The phases, their names, and what is done in them.
pub(crate) struct Timeline {
    pub phases: Vec<Phase>,
    pub names: Names,
    pub actions: Actions,
}

pub(crate) fn timeline(fields: &Fields<'_>, loads: &Loads, stage: Stage<'_>) -> Timeline {
    let reader = fields.reader;
    let mut found = Timeline {
        phases: Vec::new(),
        names: Names::new(),
        actions: Actions::default(),
    };
    let items = fields
        .get("timeline")
        .and_then(|item| reader.list(item, "a list of phases"));
    let Some(items) = items else {
        found.names.complete = false;
        return found;
    };
    if items.is_empty() {
        reader.problem(
            fields
                .get("timeline")
                .map_or(fields.place, |item| item.place),
            "there is no phase",
            "write timeline: [{ phase: steady, for: 30s }]",
        );
    }
    let mut drafts = Drafts {
        all: Vec::new(),
        complete: true,
    };
    let mut read_backs: Vec<&Item> = Vec::new();
    for item in items {
        if is_read_back(item) {
            if found.phases.is_empty() && found.names.complete {
                reader.problem(
                    item.place,
                    "nothing has been written before this read-back",
                    "put it behind a phase",
                );
            }
            read_backs.push(item);
            continue;
        }
        let index = found.phases.len();
        for item in read_backs.drain(..) {
            let start = Start::At(Duration::ZERO);
            drafts.push(step::read_back(reader, item, index, start, stage));
        }
        let Some(phase) = phase(reader, item, loads) else {
            found.names.complete = false;
            continue;
        };
        actions_of(reader, item, index, stage, &mut drafts);
        if found.names.known.contains(&phase.name) {
            reader.problem(
                item.get("phase").map_or(item.place, |name| name.place),
                format!("two phases are called `{}`", phase.name),
                "phases have names that differ",
            );
        }
        found.names.known.push(phase.name.clone());
        found.phases.push(phase);
    }
    if found.names.complete {
        action::within_phases(reader, &drafts.all, &found.phases);
    }
    // What stands at the end begins when the last phase is over.
    if let Some(last) = found.phases.len().checked_sub(1) {
        for item in read_backs {
            let start = Start::Afterwards;
            drafts.push(step::read_back(reader, item, last, start, stage));
        }
    }
    let complete = drafts.complete && found.names.complete;
    found.actions = action::resolve(reader, drafts.all, complete);
    found
}

struct Drafts<'a> {
    all: Vec<Draft<'a>>,
    /// False when one of them could not be read.
    complete: bool,
}

impl<'a> Drafts<'a> {
    fn push(&mut self, draft: Option<Draft<'a>>) {
        self.complete &= draft.is_some();
        self.all.extend(draft);
    }
}

fn is_read_back(item: &Item) -> bool {
    item.get("read-back").is_some() && item.get("phase").is_none()
}

/// The faults of a phase, then its steps, each of which follows the one before it.
fn actions_of<'a>(
    reader: &'a Reader<'a>,
    item: &'a Item,
    phase: usize,
    stage: Stage<'_>,
    drafts: &mut Drafts<'a>,
) {
    if let Some(item) = item.get("fault") {
        drafts.push(fault::fault(reader, item, phase, stage));
    }
    let list = |key: &str, what: &str| {
        let item = item.get(key)?;
        reader.list(item, what)
    };
    for item in list("faults", "a list of faults").unwrap_or_default() {
        drafts.push(fault::fault(reader, item, phase, stage));
    }
    for item in list("steps", "a list of steps").unwrap_or_default() {
        let last = drafts.all.last();
        let before = last
            .filter(|draft| draft.phase == phase)
            .map(|_| drafts.all.len() - 1);
        drafts.push(step::step(reader, item, phase, before, stage));
    }
}

fn phase(reader: &Reader<'_>, item: &Item, loads: &Loads) -> Option<Phase> {
    let fields = Fields::open(reader, item, &grammar::PHASE)?;
    let name = fields.get("phase").and_then(|item| reader.name(item));
    let until = fields
        .get("until")
        .and_then(|item| reader.word(item, "ends of a phase", &UNTIL));
    let length = fields.length("for").or(fields.length("within"));
    if fields.has("within") && !fields.has("until") && !fields.has_slip(&["until"]) {
        reader.problem(
            fields.key_place("within"),
            "the phase does not say what ends it",
            "add until: recovered or until: done, or write `for:`",
        );
    } else if fields.has("until") && fields.has("for") {
        reader.problem(
            fields.key_place("for"),
            "a phase that waits for something has no fixed length",
            "write `within:`: how long it lasts at most",
        );
    }
    if fields.get("fault").is_some() {
        fields.refuse(&["faults"], "`fault`", "put all of them into `faults`");
    }
    // Both are read in their order among all actions.
    let _ = (fields.get("faults"), fields.get("steps"));
    let measured = fields.flag("measured").unwrap_or(true);
    let arrivals = phase_arrivals(&fields, loads);
    Some(Phase {
        name: name?,
        // A length that could not be read has been noted; the phase's name can still be referred to.
        length: length.unwrap_or(Duration::ZERO),
        until,
        measured,
        arrivals,
    })
}

/// For each load, the arrivals that the phase gives it.
fn phase_arrivals(fields: &Fields<'_>, loads: &Loads) -> Vec<Option<Arrivals>> {
    let reader = fields.reader;
    let mut found: Vec<Option<Arrivals>> = vec![None; loads.all.len()];
    let own = if fields.has("rate") {
        "rate"
    } else {
        "arrivals"
    };
    if let Some(stated) = arrivals::stated(fields) {
        match loads.all.as_slice() {
            [load] => {
                open_only(fields, own, load);
                found[0] = Some(stated);
            }
            _ if !loads.opened => {}
            _ => reader.problem(
                fields.key_place(own),
                format!("`{own}` does not say which load it is for"),
                "write loads: { NAME: { rate: 100/s } }",
            ),
        }
    }
    let Some(item) = fields.get("loads") else {
        return found;
    };
    fields.refuse(&["rate", "arrivals"], "`loads`", "write it inside `loads`");
    let names = Names {
        known: loads.all.iter().map(|load| load.name.clone()).collect(),
        complete: loads.opened,
    };
    for (key, item) in reader
        .named(item, "a map of loads by name")
        .unwrap_or_default()
    {
        let name = Item {
            node: Node::Scalar(key.scalar()),
            place: key.place,
        };
        let index = reader.reference(&name, "load", &names);
        let stated = Fields::open(reader, item, &grammar::PHASE_LOAD).and_then(|own| {
            if let Some(index) = index {
                open_only(&own, "rate", &loads.all[index]);
            }
            arrivals::stated(&own)
        });
        if let (Some(index), Some(stated)) = (index, stated) {
            found[index] = Some(stated);
        }
    }
    found
}

fn open_only(fields: &Fields<'_>, key: &str, load: &Load) {
    match load.drive {
        Drive::Open(_) => {}
        Drive::Closed { .. } => fields.reader.problem(
            fields.key_place(key),
            format!(
                "the load `{}` is closed: its sessions set the pace",
                load.name
            ),
            "take the rate out, or make the load open",
        ),
    }
}
