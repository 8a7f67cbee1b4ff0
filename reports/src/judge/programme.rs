//! A programme to checks and a verdict: each drill judged by itself, the steps of the procedure by what the drills
//! show, and everything of all drills in one result.
//!
//! - `steps`: what is evidence of each step
//! - `merged`: the numbers of all drills together

mod merged;
mod steps;

use firedrill_evidence::Verdict;

use super::view::View;
use super::{blank, judge};
use crate::programme::{Drill, Event, Recorded, folder_of};
use crate::recording::Mode;
use crate::result::{
    Amount, Check, DrillResult, ProgrammeResult, Relation, ResultDocument, Run, SCHEMA_VERSION,
    StepResult,
};

/// What judging a programme gives.
pub struct Judged {
    /// Of everything.
    pub result: ResultDocument,
    /// Parallel to the drills of the programme; none where there is no recording.
    pub drills: Vec<Option<ResultDocument>>,
}

/// A drill with its own result, when it has a recording.
#[derive(Clone, Copy)]
struct Shown<'a> {
    drill: &'a Drill,
    result: Option<&'a ResultDocument>,
}

/// Judges a programme. `strict` takes the place of what it was started with.
pub fn judge_programme(recorded: &Recorded, strict: Option<bool>) -> Judged {
    let strict = strict.unwrap_or(recorded.begun.strict);
    let own = |drill: &Drill| Some(judge(drill.recording()?, Some(strict)));
    let drills: Vec<Option<ResultDocument>> = recorded.drills.iter().map(own).collect();
    let shown: Vec<Shown<'_>> = recorded
        .drills
        .iter()
        .zip(&drills)
        .map(|(drill, result)| Shown {
            drill,
            result: result.as_ref(),
        })
        .collect();
    let steps = steps::of(recorded, &shown);
    let mut checks: Vec<Check> = recording(recorded).into_iter().collect();
    checks.extend(steps.iter().map(step_check));
    checks.extend(shown.iter().flat_map(|shown| merged::checks(*shown)));
    let views: Vec<View<'_>> = recorded
        .drills
        .iter()
        .filter_map(|drill| Some(View::of(drill.recording()?, strict)))
        .collect();
    let result = ResultDocument {
        schema_version: SCHEMA_VERSION.to_owned(),
        run: run(recorded, &shown, strict),
        verdict: Verdict::worst(checks.iter().map(|check| check.verdict)),
        checks,
        load: merged::load(&shown),
        latency: merged::latency(&shown, &views),
        generator: merged::generator(&shown, &views),
        phases: merged::phases(&shown),
        findings: merged::findings(&shown),
        faults: merged::faults(&shown),
        data: merged::data(&shown),
        sessions: merged::sessions(&shown),
        environment: recorded.begun.environment.clone(),
        warnings: merged::warnings(&shown),
        programme: Some(ProgrammeResult {
            steps,
            drills: shown.iter().map(|shown| of_drill(*shown)).collect(),
        }),
    };
    Judged { result, drills }
}

/// The check `recording` of the programme itself; there is one only when something is wrong.
fn recording(recorded: &Recorded) -> Option<Check> {
    let ended = recorded
        .events
        .iter()
        .any(|timed| matches!(timed.event, Event::Ended));
    let reason = match (ended, recorded.sealed) {
        (true, true) => return None,
        (false, _) => super::words::NO_END,
        (true, false) => super::words::NO_MANIFEST,
    };
    let about = "the programme's recording is whole".to_owned();
    Some(Check {
        verdict: Verdict::Invalid,
        reason: reason.to_owned(),
        ..blank("recording".to_owned(), about)
    })
}

/// A step of the procedure: in how many of its drills it was seen.
fn step_check(step: &StepResult) -> Check {
    let all = step.evidence.len() as u64;
    let seen = |verdict: &Verdict| *verdict == Verdict::Pass;
    let shown = step.evidence.iter().filter(|line| seen(&line.verdict));
    let worst = step.evidence.iter().filter(|line| !seen(&line.verdict));
    let mut reasons: Vec<String> = worst
        .map(|line| format!("{}: {}", line.drill, line.what))
        .collect();
    if reasons.is_empty() {
        let each = step.evidence.iter();
        reasons = each
            .map(|line| format!("{}: {}", line.drill, line.what))
            .collect();
    }
    Check {
        verdict: step.verdict,
        relation: Relation::AtLeast,
        target: Some(Amount::Whole(all)),
        measured: Some(Amount::Whole(shown.count() as u64)),
        samples: all,
        reason: reasons.join("; "),
        ..blank(
            step.step.clone(),
            format!(
                "drills that show this step of the procedure: {}",
                step.shown_by
            ),
        )
    }
}

fn of_drill(shown: Shown<'_>) -> DrillResult {
    let Shown { drill, result } = shown;
    let covers = drill
        .recording()
        .and_then(|recording| recording.plan.covers.clone());
    DrillResult {
        drill: drill.name.clone(),
        covers,
        verdict: result.map(|result| result.verdict),
        not_run: drill.found.reason().map(str::to_owned),
        run: result.map(|result| result.run.id.clone()),
        seed: drill.seed,
        command: drill.command.clone(),
        folder: folder_of(&drill.name),
        start: drill.offset,
        length: result.map_or(0, |result| result.run.length),
    }
}

fn run(recorded: &Recorded, shown: &[Shown<'_>], strict: bool) -> Run {
    let begun = &recorded.begun;
    let ended_early = recorded.events.iter().find_map(|timed| match &timed.event {
        Event::EndedEarly { detail } => Some(detail.clone()),
        _ => None,
    });
    Run {
        id: begun.id.clone(),
        scenario: begun.programme.clone(),
        seed: begun.seed,
        started: begun.started.clone(),
        mode: mode(shown),
        tls: shown
            .iter()
            .any(|shown| shown.result.is_some_and(|result| result.run.tls)),
        target: "each drill has a target of its own".to_owned(),
        firedrill_version: begun.firedrill_version.clone(),
        command: begun.command.clone(),
        strict,
        length: recorded.events.last().map_or(0, |last| last.at),
        ended_early,
    }
}

/// What is true of the least real of the drills is said of all.
fn mode(shown: &[Shown<'_>]) -> Mode {
    let modes = shown.iter().filter_map(|shown| shown.result);
    let modes: Vec<Mode> = modes.map(|result| result.run.mode).collect();
    if modes.contains(&Mode::Simulated) {
        Mode::Simulated
    } else if modes.is_empty() || modes.contains(&Mode::Rehearsal) {
        Mode::Rehearsal
    } else {
        Mode::Live
    }
}
