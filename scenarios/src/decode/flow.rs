//! Flows: what an arrival starts. An operation that is started on its own is a flow of one step.

use super::arrivals;
use super::fields::Fields;
use super::load::Operations;
use super::operation::{Read, weight};
use super::reader::Reader;
use crate::grammar::load;
use crate::plan::{Flow, Step, Think};
use crate::template::{Piece, Source};
use crate::text::Place;
use crate::text::tree::{Item, Node};

/// Lone operations in the order of the file, then the flows; and whether all of them could be read.
pub(crate) fn flows(
    fields: &Fields<'_>,
    operations: &Operations,
    prefix: &str,
) -> (Vec<Flow>, bool) {
    let reader = fields.reader;
    let mut named: Vec<(Flow, Place)> = Vec::new();
    let mut complete = operations.names.complete;
    if let Some(item) = fields.get("flows") {
        for item in reader.list(item, "a list of flows").unwrap_or_default() {
            match flow(reader, item, operations, prefix) {
                Some(flow) => named.push((flow, item.place)),
                None => complete = false,
            }
        }
    }
    let mut flows = lone(reader, operations, &named, complete, prefix);
    for (flow, place) in named {
        if flows.iter().any(|other| other.name == flow.name) {
            reader.problem(
                place,
                format!(
                    "two flows or operations of this load are called `{}`",
                    flow.name
                ),
                "give the flow another `name:`",
            );
        }
        flows.push(flow);
    }
    if complete && !flows.is_empty() && flows.iter().all(|flow| flow.weight == 0.0) {
        reader.problem(
            fields.key_place("operations"),
            "nothing is ever started: all weights are 0",
            "give at least one operation or flow a weight above 0",
        );
    }
    (flows, complete)
}

/// Operations with a weight of their own above 0, and those that no flow uses.
fn lone(
    reader: &Reader<'_>,
    operations: &Operations,
    named: &[(Flow, Place)],
    complete: bool,
    prefix: &str,
) -> Vec<Flow> {
    let mut flows = Vec::new();
    for (index, read) in operations.all.iter().enumerate() {
        let Read {
            operation,
            weight,
            item,
        } = read;
        let uses =
            |(flow, _): &(Flow, Place)| flow.steps.iter().any(|step| step.operation == index);
        let used = named.iter().any(uses);
        if used && weight.is_none_or(|weight| weight == 0.0) {
            continue;
        }
        if *weight == Some(0.0) && !used && complete && operations.all.len() > 1 {
            reader.problem(
                item.place,
                format!("the operation `{}` is never used", operation.name),
                "give it a weight above 0, use it in a flow, or take it out",
            );
        }
        let step = Step {
            operation: index,
            think: Think::None,
            series: format!("{prefix}{}", operation.name),
        };
        for slot in slots_used(read) {
            unsaved(reader, operations, slot, read, item.place);
        }
        flows.push(Flow {
            name: operation.name.clone(),
            weight: weight.unwrap_or(1.0),
            slots: slots(&[index], operations),
            steps: vec![step],
        });
    }
    flows
}

fn flow(reader: &Reader<'_>, item: &Item, operations: &Operations, prefix: &str) -> Option<Flow> {
    let fields = Fields::open(reader, item, &load::FLOW)?;
    let weight = fields.get("weight").map(|item| weight(reader, item));
    let name = reader.tag(fields.get("name")?);
    let items = reader.list(fields.get("steps")?, "a list of steps")?;
    if items.is_empty() {
        reader.problem(
            fields.key_place("steps"),
            "the flow has no step",
            "write steps: [login, work]",
        );
    }
    let read: Vec<Option<(usize, Think)>> = items
        .iter()
        .enumerate()
        .map(|(index, item)| step(reader, item, operations, index == 0))
        .collect();
    let read: Vec<(usize, Think)> = read.into_iter().collect::<Option<_>>()?;
    let name = name?;
    let mut steps: Vec<Step> = Vec::new();
    let mut saved: Vec<usize> = Vec::new();
    for (position, (index, think)) in read.into_iter().enumerate() {
        let operation = &operations.all[index];
        for slot in slots_used(operation) {
            if !saved.contains(&slot) {
                unsaved(reader, operations, slot, operation, items[position].place);
            }
        }
        saved.extend(operation.operation.saves.iter().map(|save| save.slot));
        let before = steps.iter().filter(|step| step.operation == index).count();
        let again = if before == 0 {
            String::new()
        } else {
            format!(".{}", before + 1)
        };
        let series = format!("{prefix}{name}.{}{again}", operation.operation.name);
        steps.push(Step {
            operation: index,
            think,
            series,
        });
    }
    let used: Vec<usize> = steps.iter().map(|step| step.operation).collect();
    Some(Flow {
        name,
        weight: weight.unwrap_or(Some(1.0))?,
        slots: slots(&used, operations),
        steps,
    })
}

/// The name of an operation, or a map with a pause before it.
fn step(
    reader: &Reader<'_>,
    item: &Item,
    operations: &Operations,
    first: bool,
) -> Option<(usize, Think)> {
    if !matches!(item.node, Node::Map(_)) {
        return Some((
            reader.reference(item, "operation", &operations.names)?,
            Think::None,
        ));
    }
    let fields = Fields::open(reader, item, &load::FLOW_STEP)?;
    let think = fields
        .get("think")
        .and_then(|item| arrivals::think(reader, item));
    if first && think.as_ref().is_some_and(|think| *think != Think::None) {
        fields.refuse(
            &["think"],
            "the first step",
            "the first step is due when the flow is started",
        );
    }
    let operation = reader.reference(fields.get("operation")?, "operation", &operations.names)?;
    Some((operation, think.unwrap_or(Think::None)))
}

fn unsaved(reader: &Reader<'_>, operations: &Operations, slot: usize, read: &Read, place: Place) {
    let name = operations.saved.get(slot).map_or("", String::as_str);
    reader.problem(
        place,
        format!(
            "`{}` uses {{{{saved.{name}}}}} before any step saved it",
            read.operation.name
        ),
        "put a step that saves it earlier into the same flow",
    );
}

fn slots_used(read: &Read) -> Vec<usize> {
    let pieces = read
        .operation
        .params
        .iter()
        .flat_map(|template| &template.pieces);
    let mut slots: Vec<usize> = pieces
        .filter_map(|piece| match piece {
            Piece::InString(Source::Saved { slot }) | Piece::Whole(Source::Saved { slot }) => {
                Some(*slot)
            }
            Piece::InString(_)
            | Piece::Whole(_)
            | Piece::Literal(_)
            | Piece::SpanStart(_)
            | Piece::SpanEnd(_) => None,
        })
        .collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// Slots that a flow over these operations needs.
fn slots(used: &[usize], operations: &Operations) -> usize {
    let saves = used
        .iter()
        .flat_map(|index| &operations.all[*index].operation.saves);
    saves.map(|save| save.slot + 1).max().unwrap_or(0)
}
