//! Looking ahead: will there be something to judge, and enough of it?

use std::time::Duration;

use super::fields::Fields;
use super::reader::Reader;
use crate::plan::{Arrivals, Drive, Objective, Plan, Rate, Shape, Subject};
use crate::text::Place;
use crate::text::tree::Item;

/// Operations that a point rule at 97.5 % needs before it can say that a share is below `limit`: from
/// `(1 - limit)^n = 0.025`: 367 for a p99, 736 for 0.5 %.
fn enough(limit: f64) -> f64 {
    (0.025f64.ln() / (1.0 - limit).ln()).round()
}

/// Warns where a phase will probably hold too few operations for a verdict.
fn too_few(reader: &Reader<'_>, plan: &Plan, objective: &Objective, item: &Item) {
    let (limit, operation) = match &objective.subject {
        Subject::Latency {
            quantile,
            operation,
            ..
        } => (1.0 - quantile, operation),
        Subject::Errors {
            below, operation, ..
        } => (*below, operation),
        Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => return,
    };
    let needed = enough(limit);
    for index in &objective.phases {
        let expected = match operation {
            Some(series) => plan.expected_series(series, *index),
            None => plan.expected_arrivals(*index),
        };
        if let Some(expected) = expected.filter(|expected| *expected < needed) {
            let phase = &plan.timeline[*index].name;
            reader.warning(
                item.place,
                format!("about {expected:.0} operations in `{phase}` are too few for a verdict"),
                format!("about {needed} are needed: raise the rate, or let the phase last longer"),
            );
        }
    }
}

/// Objectives that nothing in the plan can meet or miss.
pub(crate) fn nothing_to_judge(reader: &Reader<'_>, plan: &Plan, items: &[Item]) {
    for (objective, item) in plan.objectives.iter().zip(items) {
        if matches!(objective.subject, Subject::Metric { .. }) {
            continue;
        }
        let place = item.get("in").map_or(item.place, |item| item.place);
        for index in &objective.phases {
            if plan
                .expected_arrivals(*index)
                .is_some_and(|arrivals| arrivals < 0.5)
            {
                let name = &plan.timeline[*index].name;
                reader.problem(
                    place,
                    format!("nothing is due in the phase `{name}`"),
                    "raise its rate, or leave the phase out of `in`",
                );
            }
        }
        if let Subject::Throughput {
            at_least: Rate(rate),
            ..
        } = objective.subject
            && rate == 0.0
        {
            reader.problem(
                item.place,
                "every throughput is at least 0",
                "write a rate above 0",
            );
        }
    }
}

/// A load that never sends anything.
pub(crate) fn idle_loads(reader: &Reader<'_>, plan: &Plan, places: &[Place]) {
    for (index, place) in places.iter().enumerate() {
        let expected = (0..plan.timeline.len()).map(|phase| plan.expected_of(index, phase));
        let total: Option<f64> = expected.sum();
        if total.is_some_and(|total| total < 0.5) {
            reader.problem(
                *place,
                format!(
                    "nothing is ever due in the load `{}`",
                    plan.loads[index].name
                ),
                "raise its rate, or take the load out",
            );
        }
    }
}

/// Things that are allowed and probably not meant.
pub(crate) fn warnings(fields: &Fields<'_>, plan: &Plan, places: &[Place], items: &[Item]) {
    let reader = fields.reader;
    if plan.objectives.is_empty() {
        reader.warning(
            fields.place,
            "the scenario has no objective: nothing is judged",
            "add objectives: [{ latency: p99, below: 100ms }, { errors: 0.5 % }]",
        );
    }
    for (load, place) in plan.loads.iter().zip(places) {
        if let Drive::Open(arrivals) = &load.drive {
            past_the_end(reader, arrivals, plan.length(), *place);
        }
    }
    for (objective, item) in plan.objectives.iter().zip(items) {
        too_few(reader, plan, objective, item);
    }
    unwatched_steps(reader, plan, items);
}

/// Warns where a latency objective looks as if it held for whole flows: a later step is due when the one before it has
/// ended, and is judged only by its name.
fn unwatched_steps(reader: &Reader<'_>, plan: &Plan, items: &[Item]) {
    let timed = |objective: &Objective| match &objective.subject {
        Subject::Latency { operation, .. } => Some(operation.clone()),
        Subject::Errors { .. }
        | Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => None,
    };
    let named: Vec<String> = plan.objectives.iter().filter_map(timed).flatten().collect();
    let later = plan.series().into_iter().filter(|own| !own.scheduled);
    let unnamed: Vec<String> = later
        .map(|series| series.name)
        .filter(|name| !named.contains(name))
        .collect();
    let over_all = |objective: &Objective| timed(objective) == Some(None);
    let first = plan.objectives.iter().position(over_all);
    if let (Some(item), Some(step)) = (first.and_then(|first| items.get(first)), unnamed.first()) {
        reader.warning(
            item.place,
            format!(
                "this does not look at how long later steps of flows take: {}",
                unnamed.join(", ")
            ),
            format!(
                "give them limits of their own: {{ latency: p99, below: 100ms, operation: {step} }}"
            ),
        );
    }
}

/// Warns of a spike or due times that lie after the end of the timeline.
fn past_the_end(reader: &Reader<'_>, arrivals: &Arrivals, length: Duration, place: Place) {
    let remedy = "times count from the start of the timeline: let its phases last longer";
    match arrivals {
        Arrivals::Shaped {
            shape: Shape::Spike { at, .. },
            ..
        } if *at >= length => {
            reader.warning(
                place,
                "the spike would come after the end of the timeline",
                remedy,
            );
        }
        Arrivals::Shaped { .. } => {}
        Arrivals::Trace { file, due } => {
            let past = due.iter().filter(|at| **at >= length).count();
            if past > 0 {
                let message = format!(
                    "{past} of {} due times in {file} lie after the end",
                    due.len()
                );
                reader.warning(place, message, remedy);
            }
        }
    }
}
