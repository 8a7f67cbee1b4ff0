//! What was broken, what came of it, and what became of the data.
//!
//! - `faults`: each fault gathered from its events
//! - `slots`: the load as recovery wants it, and each fault's recovery
//! - `rto`, `data`, `refusal`: the objectives
//! - `run`: checks of the run itself, that no scenario has to ask for
//! - `words`: why

mod data;
mod faults;
mod refusal;
mod rto;
mod run;
mod slots;
mod words;

use std::collections::BTreeMap;

use firedrill_evidence::Verdict;
use firedrill_evidence::recovery::Recovery;
use firedrill_scenarios::plan::{Objective, Source, Subject};

use super::blank;
use super::view::View;
use crate::recording::Mode;
use crate::result::{self, Amount, Check, LimitSource, Relation, Unit};
use faults::Broken;
use slots::Load;

/// Everything that drills are judged by.
pub struct Drilled<'a> {
    view: &'a View<'a>,
    faults: Vec<Broken>,
    load: Load,
    /// Parallel to `faults`.
    recoveries: Vec<Recovery>,
}

impl<'a> Drilled<'a> {
    pub fn of(view: &'a View<'a>) -> Drilled<'a> {
        let faults = faults::gather(view);
        let load = Load::of(view);
        let recovery = |fault| load.recovery(view, &faults, fault, slots::Whose::Everybody);
        let recoveries = faults.iter().map(recovery).collect();
        Drilled {
            view,
            recoveries,
            load,
            faults,
        }
    }

    /// What holds of the run whatever the scenario asks for.
    pub fn run_checks(&self) -> Vec<Check> {
        run::checks(self)
    }

    /// A run that misbehaved on purpose, and would pass.
    pub fn unnoticed(&self, verdict: Verdict) -> Option<Check> {
        run::unnoticed(self, verdict)
    }

    /// The check of an objective that is about faults or data; none of another.
    pub fn check(&self, objective: &Objective) -> Option<Check> {
        match objective.subject {
            Subject::Rto {
                fault,
                below,
                source,
            } => Some(rto::check(self, objective, fault, below, source)),
            Subject::Rpo {
                fault,
                below,
                source,
            } => Some(data::rpo(self, objective, fault, below, source)),
            Subject::Data { counter, at_most } => {
                Some(data::counter(self, objective, counter, at_most))
            }
            Subject::Refusal {
                fault,
                refusal,
                within,
                recovered,
            } => {
                let limits = refusal::Limits { within, recovered };
                Some(refusal::check(self, objective, fault, refusal, limits))
            }
            Subject::Suite {
                share,
                within,
                recovered,
            } => {
                let limits = refusal::Limits { within, recovered };
                Some(refusal::suite(self, objective, share, limits))
            }
            Subject::Latency { .. }
            | Subject::Errors { .. }
            | Subject::Throughput { .. }
            | Subject::Metric { .. } => None,
        }
    }

    /// What `result.json` says of each fault.
    pub fn results(&self) -> Vec<result::Fault> {
        let all = self.faults.iter().zip(&self.recoveries);
        all.map(|(fault, recovery)| {
            let (rpo, rpo_lower) = data::of_fault(self, &fault.id);
            result::Fault {
                id: fault.id.clone(),
                kind: fault.kind.clone(),
                on: fault.on.clone(),
                injected: fault.injected,
                healed: fault.healed,
                marks: marks(fault, recovery),
                rto: recovery.rto.filter(|_| fault.can_be_back()),
                rto_at_least: recovery.rto_at_least.filter(|_| fault.can_be_back()),
                outage: recovery.outage,
                relapses: recovery.relapses,
                unnoticed: recovery.unnoticed,
                rpo,
                rpo_lower,
                resolution: Some(recovery.resolution).filter(|width| *width > 0),
                effect: fault.effect.seen_by(),
                leftovers: fault.leftovers.clone(),
            }
        })
        .collect()
    }

    /// What became of the writes, the worst of the run.
    pub fn data(&self) -> Option<result::Data> {
        data::worst(self)
    }

    fn actions(&self) -> &'a [firedrill_scenarios::plan::Action] {
        &self.view.recording.plan.drill.actions
    }

    /// The words that a limit of the procedure needs where it was only rehearsed.
    fn rehearsed(&self, source: Source) -> &'static str {
        match (source, self.view.recording.mode()) {
            (Source::Procedure, Mode::Rehearsal) => words::REHEARSED,
            (Source::Procedure, Mode::Simulated) => words::SIMULATED,
            (Source::Procedure, Mode::Live) | (Source::Budget | Source::Own, _) => "",
        }
    }
}

/// A check of a duration below a limit that says nothing yet.
fn duration_check(
    objective: &Objective,
    about: String,
    below: std::time::Duration,
    source: Source,
) -> Check {
    Check {
        unit: Unit::Ns,
        relation: Relation::Below,
        target: Some(Amount::Whole(super::view::nanoseconds(below))),
        source: Some(match source {
            Source::Procedure => LimitSource::Procedure,
            Source::Budget | Source::Own => LimitSource::Budget,
        }),
        ..blank(objective.id.clone(), about)
    }
}

/// The marks that were recorded by their words, and those that the load shows as `t0` and so on.
fn marks(fault: &Broken, recovery: &Recovery) -> BTreeMap<String, u64> {
    let recorded = fault.marks.iter().map(|(mark, at)| (mark.as_str(), *at));
    let seen = [
        ("t0", fault.t0),
        ("t1", recovery.t1),
        ("t6", recovery.t6),
        ("t7", recovery.t7),
        ("t8", recovery.t8),
    ];
    let seen = seen.into_iter().filter_map(|(name, at)| Some((name, at?)));
    recorded
        .chain(seen)
        .map(|(name, at)| (name.to_owned(), at))
        .collect()
}
