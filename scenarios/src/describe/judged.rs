//! Probes and objectives in words.

use super::Page;
use super::number::{duration, rate, share};
use crate::plan::{MetricBase, Objective, Over, Plan, ProbeAt, ProbeFormat, Subject};
use crate::text::unit;

pub(super) fn describe(page: &mut Page, plan: &Plan) {
    if !plan.probes.is_empty() {
        page.heading("probes");
    }
    for probe in &plan.probes {
        let at = match &probe.at {
            ProbeAt::Path(path) => path.clone(),
            ProbeAt::Url(url) => url.to_string(),
        };
        let (kind, series): (_, Vec<String>) = match &probe.format {
            ProbeFormat::Prometheus(all) => (
                "Prometheus",
                all.iter()
                    .map(|(name, metric)| format!("{name} = {metric}"))
                    .collect(),
            ),
            ProbeFormat::Json(all) => (
                "JSON",
                all.iter()
                    .map(|(name, pointer)| format!("{name} = {pointer}"))
                    .collect(),
            ),
        };
        page.line(&format!(
            "{}: {kind} of {at}, every {}",
            probe.name,
            duration(probe.every)
        ));
        for line in series {
            page.line(&format!("  {line}"));
        }
    }
    page.heading("objectives");
    if plan.objectives.is_empty() {
        page.line("none: nothing is judged");
    }
    let width = plan
        .objectives
        .iter()
        .map(|objective| objective.id.len())
        .max()
        .unwrap_or(0);
    for objective in &plan.objectives {
        page.line(&format!(
            "{:<width$}  {}",
            objective.id,
            objective_text(objective, plan)
        ));
    }
}

fn objective_text(objective: &Objective, plan: &Plan) -> String {
    let phases: Vec<&str> = objective
        .phases
        .iter()
        .map(|index| plan.timeline[*index].name.as_str())
        .collect();
    let over = match objective.over {
        Over::Phase => String::new(),
        Over::Window(length) => format!(", in every window of {}", duration(length)),
    };
    let abort = if objective.abort {
        "; ends the run when it cannot be met any more"
    } else {
        ""
    };
    format!(
        "{} in {}{over}{abort}",
        subject_text(&objective.subject),
        phases.join(" and in ")
    )
}

fn subject_text(subject: &Subject) -> String {
    let of = |operation: &Option<String>| match operation {
        Some(operation) => operation.clone(),
        None => "all operations".to_owned(),
    };
    match subject {
        Subject::Latency {
            quantile,
            below,
            operation,
        } => {
            format!(
                "p{} of {} below {}",
                unit::times_hundred(*quantile),
                of(operation),
                duration(*below)
            )
        }
        Subject::Errors {
            below,
            class,
            operation,
        } => {
            let class = class
                .as_ref()
                .map_or_else(|| "failures".to_owned(), |class| class.to_string());
            format!("{class} of {} below {}", of(operation), share(*below))
        }
        Subject::Throughput {
            at_least,
            operation,
        } => {
            format!("at least {} of {} end well", rate(*at_least), of(operation))
        }
        Subject::Metric {
            series,
            below,
            of: None,
        } => format!("{series} below {below}"),
        Subject::Metric {
            series,
            below,
            of: Some(MetricBase::Series(base)),
        } => {
            format!("{series} below {} of {base}", share(*below))
        }
        Subject::Metric {
            series,
            below,
            of: Some(MetricBase::Number(base)),
        } => {
            format!("{series} below {} of {base}", share(*below))
        }
        Subject::Rto { below, .. } => format!("recovery time below {}", duration(*below)),
        Subject::Rpo { below, .. } => format!("recovery point below {}", duration(*below)),
        Subject::Data { counter, at_most } => format!("{} at most {at_most}", counter.as_str()),
    }
}
