//! Probes and objectives as they are written.

use std::time::Duration;

use super::yaml::Yaml;
use super::{duration, flag};
use crate::decode::identity::is_budget;
use crate::plan::{
    ErrorClass, MetricBase, Objective, Over, Plan, Probe, ProbeAt, ProbeFormat, Source, Subject,
};
use crate::text::unit;

pub(super) fn probe(probe: &Probe) -> Yaml {
    let (path, url) = match &probe.at {
        ProbeAt::Path(path) => (Some(Yaml::text(path)), None),
        ProbeAt::Url(url) => (None, Some(Yaml::Text(url.to_string()))),
    };
    let (prometheus, json) = match &probe.format {
        ProbeFormat::Prometheus(all) => {
            let all = all
                .iter()
                .map(|(name, metric)| (name.clone(), Yaml::text(metric)));
            (Some(Yaml::Map(all.collect())), None)
        }
        ProbeFormat::Json(all) => {
            let all = all
                .iter()
                .map(|(name, pointer)| (name.clone(), Yaml::Text(pointer.to_string())));
            (None, Some(Yaml::Map(all.collect())))
        }
    };
    Yaml::map([
        ("path", path),
        ("url", url),
        ("every", Some(duration(probe.every))),
        ("prometheus", prometheus),
        ("json", json),
    ])
}

/// A budget stands in one map with the objective that it tightens.
pub(super) fn objectives(plan: &Plan) -> Vec<Yaml> {
    let all = plan.objectives.iter().enumerate();
    all.filter(|(_, own)| !is_budget(&own.subject))
        .map(|(index, own)| {
            let next = plan.objectives.get(index + 1);
            let budget = next
                .filter(|next| is_budget(&next.subject))
                .and_then(|next| limit(&next.subject));
            objective(plan, own, budget)
        })
        .collect()
}

fn limit(subject: &Subject) -> Option<Yaml> {
    match subject {
        Subject::Rto { below, .. } | Subject::Rpo { below, .. } => Some(duration(*below)),
        Subject::Latency { .. }
        | Subject::Errors { .. }
        | Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => None,
    }
}

fn objective(plan: &Plan, objective: &Objective, budget: Option<Yaml>) -> Yaml {
    let Yaml::Map(mut entries) = subject(plan, &objective.subject) else {
        return Yaml::Map(Vec::new());
    };
    entries.extend(budget.map(|budget| ("budget".to_owned(), budget)));
    if objective.phases.is_empty() {
        entries.push(("id".to_owned(), Yaml::text(&objective.id)));
        return Yaml::Map(entries);
    }
    let phases = objective
        .phases
        .iter()
        .map(|index| Yaml::text(&plan.timeline[*index].name));
    let over = match objective.over {
        Over::Phase => None,
        Over::Window(length) => Some(duration(length)),
    };
    entries.push(("in".to_owned(), Yaml::List(phases.collect())));
    entries.extend(over.map(|over| ("over".to_owned(), over)));
    entries.push(("abort".to_owned(), flag(objective.abort)));
    entries.push(("id".to_owned(), Yaml::text(&objective.id)));
    Yaml::Map(entries)
}

/// Where the procedure names none, the budget is the only limit.
fn time(key: &'static str, below: Duration, source: Source, fault: Option<Yaml>) -> Yaml {
    let (limit, budget) = match source {
        Source::Procedure | Source::Budget => (duration(below), None),
        Source::Own => (Yaml::word("none"), Some(duration(below))),
    };
    Yaml::map([(key, Some(limit)), ("budget", budget), ("fault", fault)])
}

fn subject(plan: &Plan, subject: &Subject) -> Yaml {
    let of_fault =
        |fault: &Option<usize>| fault.map(|index| Yaml::text(&plan.drill.actions[index].id));
    let named = |operation: &Option<String>| operation.as_ref().map(Yaml::text);
    match subject {
        Subject::Latency {
            quantile,
            below,
            operation,
        } => Yaml::map([
            (
                "latency",
                Some(Yaml::Word(format!("p{}", unit::times_hundred(*quantile)))),
            ),
            ("below", Some(duration(*below))),
            ("operation", named(operation)),
        ]),
        Subject::Errors {
            below,
            class,
            operation,
        } => Yaml::map([
            ("errors", Some(Yaml::Word(unit::share_text(*below)))),
            (
                "class",
                class.as_ref().map(|class| Yaml::Text(class.to_string())),
            ),
            ("operation", named(operation)),
        ]),
        Subject::Throughput {
            at_least,
            operation,
        } => Yaml::map([
            ("throughput", Some(Yaml::Word(unit::rate_text(at_least.0)))),
            ("operation", named(operation)),
        ]),
        Subject::Metric { series, below, of } => {
            let limit = match of {
                Some(_) => unit::share_text(*below),
                None => below.to_string(),
            };
            let of = of.as_ref().map(|of| match of {
                MetricBase::Series(series) => Yaml::text(series),
                MetricBase::Number(number) => Yaml::Word(number.to_string()),
            });
            Yaml::map([
                ("metric", Some(Yaml::text(series))),
                ("below", Some(Yaml::Word(limit))),
                ("of", of),
            ])
        }
        Subject::Rto {
            below,
            fault,
            source,
        } => time("rto", *below, *source, of_fault(fault)),
        Subject::Rpo {
            below,
            fault,
            source,
        } => time("rpo", *below, *source, of_fault(fault)),
        Subject::Data { counter, at_most } => {
            Yaml::map([(counter.as_str(), Some(super::count(*at_most)))])
        }
        Subject::Refusal {
            fault,
            refusal,
            within,
            recovered,
        } => Yaml::map([
            ("refusal", Some(super::count(refusal.code()))),
            ("fault", of_fault(&Some(*fault))),
            ("within", Some(duration(*within))),
            ("recovered", Some(duration(*recovered))),
        ]),
        Subject::Suite {
            share,
            within,
            recovered,
        } => Yaml::map([
            ("suite", Some(Yaml::Word(unit::share_text(*share)))),
            ("within", Some(duration(*within))),
            ("recovered", Some(duration(*recovered))),
        ]),
    }
}

impl std::fmt::Display for ErrorClass {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ErrorClass::Class(class) => out.write_str(class),
            ErrorClass::One(outcome) => write!(out, "{outcome}"),
        }
    }
}
