//! What all drills of a programme show together: its steps, every drill's rows, and what none of them proves.

use super::{Compliance, Compliant, Row, Run, Step, compliance, compliant, lost_trust};
use crate::judge::Judged;
use crate::programme::{Drill, Recorded, folder_of};
use crate::result::{Check, Evidence, Relation, ResultDocument, SCHEMA_VERSION, StepResult, Unit};

pub fn of_programme(recorded: &Recorded, judged: &Judged) -> Compliance {
    let own = recorded.drills.iter().zip(&judged.drills);
    let own: Vec<(&Drill, Option<Compliance>)> = own
        .map(|(drill, result)| {
            let shown = drill.recording().zip(result.as_ref());
            let shown = shown.and_then(|(recording, result)| compliance(recording, result));
            (drill, shown)
        })
        .collect();
    let result = &judged.result;
    let steps = result.programme.iter().flat_map(|own| &own.steps);
    Compliance {
        schema_version: SCHEMA_VERSION,
        run: Run::of(result),
        steps: steps.map(|step| self::step(result, step)).collect(),
        not_proved: not_proved(&own),
        rows: own
            .into_iter()
            .flat_map(|(drill, shown)| rows(drill, shown))
            .collect(),
    }
}

fn step(result: &ResultDocument, step: &StepResult) -> Step {
    // Of the programme alone: a drill that cannot be trusted has made its own evidence invalid.
    let lost = |check: &Check| check.id == "recording" && lost_trust(check);
    let invalid = result.checks.iter().any(lost);
    let files = |line: &Evidence| line.files.clone();
    let mut evidence = vec![format!(
        "result.json#/programme/steps/{}",
        index(result, step)
    )];
    evidence.extend(step.evidence.iter().flat_map(files));
    Step {
        step: step.step.clone(),
        asks: step.shown_by.clone(),
        verdict: compliant(result.run.mode, invalid, step.verdict),
        drills: step.evidence.clone(),
        evidence,
    }
}

fn index(result: &ResultDocument, step: &StepResult) -> usize {
    let mut steps = result.programme.iter().flat_map(|own| &own.steps);
    steps.position(|own| own.step == step.step).unwrap_or(0)
}

/// The drill's rows, their files by their paths in the programme's folder. A drill that did not run has one that says so.
fn rows(drill: &Drill, shown: Option<Compliance>) -> Vec<Row> {
    let folder = folder_of(&drill.name);
    let Some(shown) = shown else {
        return missing(drill).into_iter().collect();
    };
    let placed = shown.rows.into_iter().map(|row| Row {
        drill: Some(drill.name.clone()),
        evidence: row
            .evidence
            .iter()
            .map(|file| format!("{folder}/{file}"))
            .collect(),
        ..row
    });
    placed.collect()
}

fn missing(drill: &Drill) -> Option<Row> {
    let reason = drill.found.reason()?;
    Some(Row {
        drill: Some(drill.name.clone()),
        covers: drill.name.clone(),
        asks: "the drill is run".to_owned(),
        check: "run".to_owned(),
        fault: None,
        unit: Unit::Number,
        relation: Relation::AtLeast,
        target: None,
        measured: None,
        at_least: None,
        resolution: None,
        verdict: Compliant::NotProved,
        reason: reason.to_owned(),
        evidence: vec![crate::programme::file::EVENTS.to_owned()],
    })
}

/// What no drill proves is said once, the rest with the name of its drill.
fn not_proved(own: &[(&Drill, Option<Compliance>)]) -> Vec<String> {
    let ran: Vec<(&str, &Compliance)> = own
        .iter()
        .filter_map(|(drill, shown)| Some((drill.name.as_str(), shown.as_ref()?)))
        .collect();
    let by_all = |line: &String| ran.iter().all(|(_, own)| own.not_proved.contains(line));
    let first = ran.first().map_or(&[][..], |(_, own)| &own.not_proved);
    let mut list: Vec<String> = first.iter().filter(|line| by_all(line)).cloned().collect();
    for (drill, _) in own {
        let reason = drill.found.reason();
        list.extend(reason.map(|reason| format!("Anything of {}: {reason}.", drill.name)));
    }
    for (name, own) in &ran {
        let lines = own.not_proved.iter().filter(|line| !by_all(line));
        list.extend(lines.map(|line| format!("{name}: {line}")));
    }
    list.push(
        "That one disaster is survived while another is being recovered from: each had fresh sites."
            .to_owned(),
    );
    list
}
