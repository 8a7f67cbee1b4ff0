//! A recording to checks and a verdict: pure, and the same on any later day.
//!
//! - `view`: the recording by phase and series, as judging needs it
//! - `shares`: objectives on latency and errors, each a share of operations against a limit
//! - `throughput`, `metric`: the other objectives
//! - `drill`: what was broken, and what came of it
//! - `trust`: when a phase measured the generator instead of the target
//! - `sums`: the numbers of `result.json` beside the checks; `flow`: asked, sent and completed among them
//! - `words`: why a verdict is what it is
//! - `capacity`: trials at many levels of load
//! - `programme`: several drills, and the steps of a procedure that they show

pub(crate) mod capacity;
mod drill;
mod flow;
mod integrity;
mod metric;
mod programme;
mod shares;
mod sums;
mod throughput;
mod trust;
pub(crate) mod view;
mod words;

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{Objective, Subject};

use crate::findings::findings;
use crate::recording::Recording;
use crate::result::{Check, Method, Relation, ResultDocument, Run, SCHEMA_VERSION, Unit};
pub use capacity::{judge_capacity, trial};
use drill::Drilled;
pub use programme::{Judged, judge_programme};
use view::View;
pub(crate) use words::quantile_name;

/// Judges a recording. `strict` takes the place of what the run was started with.
pub fn judge(recording: &Recording, strict: Option<bool>) -> ResultDocument {
    let strict = strict.unwrap_or(recording.started.strict);
    let view = View::of(recording, strict);
    let drilled = Drilled::of(&view);
    let mut checks: Vec<Check> = integrity::check(&view).into_iter().collect();
    checks.extend(drilled.run_checks());
    for objective in &recording.plan.objectives {
        match drilled.check(objective) {
            Some(check) => checks.push(check),
            None => checks.extend(objective_checks(&view, objective)),
        }
    }
    checks.extend(drilled.unnoticed(verdict(recording, &checks)));
    ResultDocument {
        schema_version: SCHEMA_VERSION.to_owned(),
        run: run(&view),
        verdict: verdict(recording, &checks),
        checks,
        load: sums::load(&view),
        latency: sums::latency(&view),
        generator: sums::generator(&view),
        phases: sums::phases(&view),
        findings: findings(&view),
        faults: drilled.results(),
        data: drilled.data(),
        sessions: recording.totals().map(|totals| totals.sessions.clone()),
        environment: recording.started.environment.clone(),
        warnings: sums::warnings(&view),
        programme: None,
    }
}

/// The worst check. What holds of the run itself proves no objective, so that a scenario without one passes nothing; and
/// a run that was cut short did not do all that was asked of it.
fn verdict(recording: &Recording, checks: &[Check]) -> Verdict {
    let none = recording.plan.objectives.is_empty();
    let cut_short = recording.ended_early().is_some();
    let unproven = (none || cut_short).then_some(Verdict::Inconclusive);
    Verdict::worst(checks.iter().map(|check| check.verdict).chain(unproven))
}

fn run(view: &View<'_>) -> Run {
    let started = &view.recording.started;
    Run {
        id: started.id.clone(),
        scenario: started.scenario.clone(),
        seed: started.seed,
        started: started.started.clone(),
        mode: view.recording.mode(),
        target: started.target.clone(),
        tls: started.tls,
        firedrill_version: started.firedrill_version.clone(),
        command: started.command.clone(),
        strict: view.strict,
        length: view.recording.events.last().map_or(0, |last| last.at),
        ended_early: view
            .recording
            .ended_early()
            .map(|(_, reason, detail)| words::early(reason, detail)),
    }
}

/// One check a phase.
fn objective_checks(view: &View<'_>, objective: &Objective) -> Vec<Check> {
    let several = objective.phases.len() > 1;
    let in_phase = |phase: &usize| {
        let name = view
            .phases
            .get(*phase)
            .map_or("", |phase| phase.name.as_str());
        let id = if several {
            format!("{}-{name}", objective.id)
        } else {
            objective.id.clone()
        };
        let scope = Scope {
            view,
            objective,
            phase: *phase,
            id,
        };
        trust::applied(&scope, reached(&scope, scope.check()))
    };
    match objective.phases.as_slice() {
        [] => vec![Check {
            verdict: Verdict::Inconclusive,
            reason: "no phase of the timeline is measured".to_owned(),
            ..blank(objective.id.clone(), String::new())
        }],
        phases => phases.iter().map(in_phase).collect(),
    }
}

/// A target that nothing reached met no objective, whatever did not happen to it.
fn reached(scope: &Scope<'_>, check: Check) -> Check {
    let sent = flow::of_phase(scope.view, scope.phase);
    let nothing = sent.is_some_and(|flow| flow.asked > 0 && flow.sent == 0);
    if check.verdict != Verdict::Pass || !nothing {
        return check;
    }
    Check {
        verdict: Verdict::Inconclusive,
        reason: words::nothing_reached(scope.ran(), &check),
        ..check
    }
}

/// One objective in one phase.
struct Scope<'a> {
    view: &'a View<'a>,
    objective: &'a Objective,
    phase: usize,
    id: String,
}

impl Scope<'_> {
    fn check(&self) -> Check {
        match &self.objective.subject {
            Subject::Latency { .. } | Subject::Errors { .. } => shares::check(self),
            Subject::Throughput {
                at_least,
                operation,
            } => throughput::check(self, *at_least, operation.as_deref()),
            Subject::Metric { series, below, of } => {
                metric::check(self, series, *below, of.as_ref())
            }
            // These are judged over the whole run, and never come here: see `drill`.
            Subject::Rto { .. }
            | Subject::Rpo { .. }
            | Subject::Data { .. }
            | Subject::Refusal { .. }
            | Subject::Suite { .. } => self.blank(String::new()),
        }
    }

    fn ran(&self) -> &view::Ran {
        &self.view.phases[self.phase]
    }

    /// A check of this scope that says nothing yet.
    fn blank(&self, about: String) -> Check {
        Check {
            phase: Some(self.ran().name.clone()),
            ..blank(self.id.clone(), about)
        }
    }
}

fn blank(id: String, about: String) -> Check {
    Check {
        id,
        verdict: Verdict::Inconclusive,
        unit: Unit::Number,
        target: None,
        measured: None,
        lower: None,
        upper: None,
        samples: 0,
        method: Method::Count,
        reason: String::new(),
        about,
        relation: Relation::Below,
        phase: None,
        at_least: None,
        share: None,
        window: None,
        fault: None,
        source: None,
    }
}
