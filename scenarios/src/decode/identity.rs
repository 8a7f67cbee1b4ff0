//! The names of checks.

use super::reader::Reader;
use crate::plan::{Action, DataCounter, ErrorClass, Objective, Plan, Source, Subject};
use crate::text::tree::Item;
use crate::text::unit;

/// Gives every objective an id of its own. With several phases each is a check of its own, named `ID-PHASE`,
/// so that these names have to differ as well.
pub(crate) fn name_all(reader: &Reader<'_>, plan: &mut Plan, items: &[Item]) {
    let mut taken: Vec<String> = Vec::new();
    let phases: Vec<String> = plan
        .timeline
        .iter()
        .map(|phase| phase.name.clone())
        .collect();
    let checks = |id: &str, objective: &Objective| -> Vec<String> {
        match objective.phases.as_slice() {
            [] => vec![id.to_owned(), budget_id(id)],
            [_] => vec![id.to_owned()],
            several => several
                .iter()
                .map(|index| format!("{id}-{}", phases[*index]))
                .collect(),
        }
    };
    for (objective, item) in plan.objectives.iter().zip(items) {
        if objective.id.is_empty() || is_budget(&objective.subject) {
            continue;
        }
        let own = checks(&objective.id, objective);
        if own.iter().any(|check| taken.contains(check)) {
            reader.problem(
                item.get("id").map_or(item.place, |id| id.place),
                format!("two checks are called `{}`", objective.id),
                "give one of them another `id:`",
            );
        }
        taken.extend(own);
    }
    for objective in plan
        .objectives
        .iter_mut()
        .filter(|objective| objective.id.is_empty() && !is_budget(&objective.subject))
    {
        let base = default_id(&objective.subject, &plan.drill.actions);
        let with_phase = objective
            .phases
            .first()
            .map(|index| format!("{base}-{}", phases[*index]));
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let candidates = std::iter::once(base.clone())
            .chain(with_phase)
            .chain(numbered);
        for id in candidates {
            let own = checks(&id, objective);
            if !own.iter().any(|check| taken.contains(check)) {
                taken.extend(own);
                objective.id = id;
                break;
            }
        }
    }
    // A budget stands behind the objective that it tightens.
    for index in 1..plan.objectives.len() {
        if is_budget(&plan.objectives[index].subject) {
            plan.objectives[index].id = budget_id(&plan.objectives[index - 1].id);
        }
    }
}

fn budget_id(id: &str) -> String {
    format!("{id}-budget")
}

/// The scenario's own limit beside that of the operating procedure.
pub(crate) fn is_budget(subject: &Subject) -> bool {
    match subject {
        Subject::Rto { source, .. } | Subject::Rpo { source, .. } => *source == Source::Budget,
        Subject::Latency { .. }
        | Subject::Errors { .. }
        | Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => false,
    }
}

/// `latency-p99`, `errors-http.503`, `throughput-echo`, `metric-site.queue`.
fn default_id(subject: &Subject, actions: &[Action]) -> String {
    let of_fault = |base: &str, fault: &Option<usize>| match fault {
        Some(fault) => format!("{base}-{}", actions[*fault].id),
        None => base.to_owned(),
    };
    let with = |base: String, operation: &Option<String>| match operation {
        Some(operation) => format!("{base}-{operation}"),
        None => base,
    };
    match subject {
        Subject::Latency {
            quantile,
            operation,
            ..
        } => with(
            format!("latency-p{}", unit::times_hundred(*quantile)),
            operation,
        ),
        Subject::Errors {
            class, operation, ..
        } => {
            let base = match class {
                Some(ErrorClass::Class(class)) => format!("errors-{class}"),
                Some(ErrorClass::One(outcome)) => format!("errors-{outcome}"),
                None => "errors".to_owned(),
            };
            with(base, operation)
        }
        Subject::Throughput { operation, .. } => with("throughput".to_owned(), operation),
        Subject::Metric { series, .. } => format!("metric-{series}"),
        Subject::Rto { fault, .. } => of_fault("rto", fault),
        Subject::Rpo { fault, .. } => of_fault("rpo", fault),
        Subject::Data { counter, .. } => counter.as_str().to_owned(),
        Subject::Refusal { fault, .. } => format!("refusal-{}", actions[*fault].id),
        Subject::Suite { .. } => "suite".to_owned(),
    }
}

/// The default id of an objective as it stands in the file, as far as it can be told from the text.
pub(crate) fn written_id(item: &Item) -> Option<String> {
    let text = |key: &str| {
        item.get(key)
            .and_then(Item::scalar)
            .map(|scalar| scalar.text.clone())
    };
    if let Some(id) = text("id") {
        return Some(id);
    }
    let operation = text("operation").map_or_else(String::new, |name| format!("-{name}"));
    if let Some(word) = text("latency") {
        let word = if word == "p999" {
            "p99.9".to_owned()
        } else {
            word
        };
        return Some(format!("latency-{word}{operation}"));
    }
    if text("errors").is_some() {
        let class = text("class").map_or_else(String::new, |class| format!("-{class}"));
        return Some(format!("errors{class}{operation}"));
    }
    if text("throughput").is_some() {
        return Some(format!("throughput{operation}"));
    }
    let fault = text("fault").map_or_else(String::new, |fault| format!("-{fault}"));
    for word in ["rto", "rpo", "refusal", "suite"] {
        if text(word).is_some() {
            return Some(format!("{word}{fault}"));
        }
    }
    let counted = DataCounter::ALL.map(DataCounter::as_str);
    if let Some(word) = counted.into_iter().find(|word| text(word).is_some()) {
        return Some(word.to_owned());
    }
    text("metric").map(|series| format!("metric-{series}"))
}
