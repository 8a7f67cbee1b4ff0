//! The names of checks.

use super::reader::Reader;
use crate::plan::{ErrorClass, Objective, Plan, Source, Subject};
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
            [] | [_] => vec![id.to_owned()],
            several => several
                .iter()
                .map(|index| format!("{id}-{}", phases[*index]))
                .collect(),
        }
    };
    for (objective, item) in plan.objectives.iter().zip(items) {
        if objective.id.is_empty() {
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
        .filter(|objective| objective.id.is_empty())
    {
        let base = default_id(&objective.subject);
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
}

/// `latency-p99`, `errors-http.503`, `throughput-echo`, `metric-site.queue`.
fn default_id(subject: &Subject) -> String {
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
        Subject::Rto { source, .. } => format!("rto{}", suffix(*source)),
        Subject::Rpo { source, .. } => format!("rpo{}", suffix(*source)),
        Subject::Data { counter, .. } => counter.as_str().to_owned(),
    }
}

fn suffix(source: Source) -> &'static str {
    match source {
        Source::Procedure => "",
        Source::Budget => "-budget",
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
    text("metric").map(|series| format!("metric-{series}"))
}
