//! The phases.

use std::time::Duration;

use super::arrivals;
use super::fields::Fields;
use super::load::Loads;
use super::reader::{Names, Reader};
use crate::grammar::load;
use crate::plan::{Arrivals, Drive, Load, Phase};
use crate::text::tree::{Item, Node};

/// The phases, and their names.
pub(crate) fn timeline(fields: &Fields<'_>, loads: &Loads) -> (Vec<Phase>, Names) {
    let reader = fields.reader;
    let mut names = Names::new();
    let Some(item) = fields.get("timeline") else {
        names.complete = false;
        return (Vec::new(), names);
    };
    let Some(items) = reader.list(item, "a list of phases") else {
        names.complete = false;
        return (Vec::new(), names);
    };
    if items.is_empty() {
        reader.problem(
            item.place,
            "there is no phase",
            "write timeline: [{ phase: steady, for: 30s }]",
        );
    }
    let mut phases: Vec<Phase> = Vec::new();
    for item in items {
        let Some(phase) = phase(reader, item, loads) else {
            names.complete = false;
            continue;
        };
        if names.known.contains(&phase.name) {
            reader.problem(
                item.get("phase").map_or(item.place, |name| name.place),
                format!("two phases are called `{}`", phase.name),
                "phases have names that differ",
            );
        }
        names.known.push(phase.name.clone());
        phases.push(phase);
    }
    (phases, names)
}

fn phase(reader: &Reader<'_>, item: &Item, loads: &Loads) -> Option<Phase> {
    let fields = Fields::open(reader, item, &load::PHASE)?;
    let name = fields.get("phase").and_then(|item| reader.name(item));
    let length = fields.length("for");
    let measured = fields.flag("measured").unwrap_or(true);
    let arrivals = phase_arrivals(&fields, loads);
    Some(Phase {
        name: name?,
        // A length that could not be read has been noted; the phase's name can still be referred to.
        length: length.unwrap_or(Duration::ZERO),
        until: None,
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
        let stated = Fields::open(reader, item, &load::PHASE_LOAD).and_then(|own| {
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
