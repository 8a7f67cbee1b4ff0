//! Objectives of drills: does the plan hold what they are measured by?

use super::drilled::can_count;
use super::fields::Fields;
use super::reader::Reader;
use super::recoverable::{is_open, kind, tested};
use crate::plan::{Action, DataCounter, Plan, Subject};
use crate::text::tree::Item;

/// Objectives of drills that nothing in the plan can meet or miss.
pub(crate) fn objectives(fields: &Fields<'_>, plan: &Plan, items: &[Item]) {
    let reader = fields.reader;
    for (objective, item) in plan.objectives.iter().zip(items) {
        match &objective.subject {
            Subject::Rto { .. } if !is_open(plan) => reader.problem(
                item.place,
                "recovery time cannot be measured without open load",
                "give a load its own pace: arrivals: { poisson: 400/s }",
            ),
            Subject::Rto { fault: None, .. } if plan.drill.actions.iter().all(|own| kind(own).is_none()) => {
                reader.problem(
                    item.place,
                    "there is no fault to recover from",
                    "add a fault to a phase",
                );
            }
            Subject::Rpo { fault, .. } => rpo(reader, plan, *fault, item),
            Subject::Data { counter, .. } => countable(reader, plan, *counter, item),
            Subject::Refusal { .. } if !is_open(plan) => reader.problem(
                item.place,
                "that others are served meanwhile cannot be seen without open load",
                "give a load its own pace: arrivals: { poisson: 400/s }",
            ),
            Subject::Refusal { .. } if plan.drill.ledger.is_none() => reader.problem(
                item.place,
                "nothing is written that could be lost",
                "add { ledger: write } to the operations, and { read-back: serving } to the timeline",
            ),
            Subject::Suite { .. } if !plan.objectives.iter().any(|own| own.subject.pattern().is_some()) => {
                reader.problem(
                    item.place,
                    "no fault has an objective of its own that could pass",
                    "add { refusal: 1056, fault: FAULT } or { rto: 5s, fault: FAULT }",
                );
            }
            Subject::Rto { .. }
            | Subject::Latency { .. }
            | Subject::Errors { .. }
            | Subject::Throughput { .. }
            | Subject::Metric { .. }
            | Subject::Refusal { .. }
            | Subject::Suite { .. } => {}
        }
    }
}

fn countable(reader: &Reader<'_>, plan: &Plan, counter: DataCounter, item: &Item) {
    let Some(ledger) = &plan.drill.ledger else {
        return reader.problem(
            item.place,
            "nothing is written whose fate could be counted",
            "add { ledger: write } to the operations, and { read-back: serving } to the timeline",
        );
    };
    if !can_count(counter, ledger, &plan.profile) {
        reader.problem(
            item.place,
            format!("the target does not say what `{}` needs", counter.as_str()),
            "split_brain needs the profile's `identity`, reordered the ledger's `position`",
        );
    }
}

fn rpo(reader: &Reader<'_>, plan: &Plan, fault: Option<usize>, item: &Item) {
    let actions = &plan.drill.actions;
    let taken = |own: &Action| kind(own).is_some() || tested(own).is_some();
    if fault.is_none() && !actions.iter().any(taken) {
        return reader.problem(
            item.place,
            "there is no fault that could take data",
            "add a fault to a phase",
        );
    }
    if plan.drill.ledger.is_none() {
        reader.problem(
            item.place,
            "nothing is written that could be lost",
            "add { ledger: write } to the operations",
        );
    }
}
