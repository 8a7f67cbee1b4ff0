//! Probes and objectives in words.

use super::Page;
use super::number::{duration, rate, share};
use crate::plan::{
    DataCounter, MetricBase, Objective, Over, Plan, ProbeAt, ProbeFormat, Source, Subject,
};
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
    let within = if phases.is_empty() {
        String::new()
    } else {
        format!(" in {}", phases.join(" and in "))
    };
    format!(
        "{}{within}{over}{abort}",
        subject_text(&objective.subject, plan)
    )
}

fn subject_text(subject: &Subject, plan: &Plan) -> String {
    let after = |fault: &Option<usize>| match fault {
        Some(fault) => format!("after {}", plan.drill.actions[*fault].id),
        None => "after every fault".to_owned(),
    };
    let whose = |source: &Source| match source {
        Source::Procedure => "of the operating procedure",
        Source::Budget => "of the scenario itself",
        Source::Own => "of the scenario itself, since the procedure names none",
    };
    let of = |operation: &Option<String>| match operation {
        Some(operation) => operation.clone(),
        None => "all operations".to_owned(),
    };
    let timed = |operation: &Option<String>| match operation {
        None if plan.series().iter().any(|series| !series.scheduled) => {
            "all operations but later steps of flows".to_owned()
        }
        operation => of(operation),
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
                timed(operation),
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
        Subject::Rto {
            fault,
            below,
            source,
        } => format!(
            "service is back {} in less than {}, a limit {}",
            after(fault),
            duration(*below),
            whose(source)
        ),
        Subject::Rpo {
            fault,
            below,
            source,
        } => format!(
            "less than {} of acknowledged work is lost {}, a limit {}",
            duration(*below),
            after(fault),
            whose(source)
        ),
        Subject::Data {
            counter,
            at_most: 0,
        } => format!("the ledger counts none: {}", counter_text(*counter)),
        Subject::Data { counter, at_most } => format!(
            "the ledger counts at most {at_most}: {}",
            counter_text(*counter)
        ),
        Subject::Refusal {
            fault,
            refusal,
            within,
            recovered,
        } => format!(
            "{} is refused with {} (HTTP {}) in less than {}, service is back in less than {}, no acknowledged write is \
             lost, and no other process ends",
            plan.drill.actions[*fault].id,
            refusal.code(),
            refusal.status(),
            duration(*within),
            duration(*recovered)
        ),
        Subject::Suite {
            share: at_least,
            within,
            recovered,
        } => format!(
            "at least {} of the patterns pass, refused in {} and recovered from in {} on the average",
            share(*at_least),
            duration(*within),
            duration(*recovered)
        ),
    }
}

fn counter_text(counter: DataCounter) -> &'static str {
    match counter {
        DataCounter::Lost => "acknowledged writes that are gone",
        DataCounter::Unexpected => "records that nobody wrote",
        DataCounter::Duplicated => "writes that are stored twice",
        DataCounter::Stale => "records with the value of an older write",
        DataCounter::Reordered => "records before one that was acknowledged earlier",
        DataCounter::Holes => "lost writes that are older than a surviving one",
        DataCounter::SplitBrain => {
            "writes that the old site acknowledged after another was promoted"
        }
        DataCounter::LostAfterStop => {
            "lost writes that were acknowledged after the failed site's last one"
        }
        DataCounter::Corrupt => "records with another value than was written",
        DataCounter::Unread => "records that could not be read back",
        DataCounter::Behind => "acknowledged writes that a standby lacks when it is read",
        DataCounter::Unbalanced => {
            "difference between the sums of what is stored and of what was written"
        }
    }
}
