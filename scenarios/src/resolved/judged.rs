//! Probes and objectives as they are written.

use super::yaml::Yaml;
use super::{duration, flag};
use crate::plan::{
    ErrorClass, MetricBase, Objective, Over, Phase, Probe, ProbeAt, ProbeFormat, Subject,
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

pub(super) fn objective(objective: &Objective, timeline: &[Phase]) -> Yaml {
    let Yaml::Map(mut entries) = subject(&objective.subject) else {
        return Yaml::Map(Vec::new());
    };
    let phases = objective
        .phases
        .iter()
        .map(|index| Yaml::text(&timeline[*index].name));
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

fn subject(subject: &Subject) -> Yaml {
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
        Subject::Rto { below, .. } => Yaml::map([("rto", Some(duration(*below)))]),
        Subject::Rpo { below, .. } => Yaml::map([("rpo", Some(duration(*below)))]),
        Subject::Data { counter, at_most } => {
            Yaml::map([(counter.as_str(), Some(super::count(*at_most)))])
        }
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
