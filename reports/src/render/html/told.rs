//! Events of a drill in words.

use crate::recording::{Answered, FaultStage, Mark, ReadBackStage, StepStage};
use crate::render::figures::mark_words;

pub fn fault(id: &str, fault: &str, on: &str, stage: &FaultStage) -> String {
    let kind = if id == fault {
        String::new()
    } else {
        format!(" ({fault})")
    };
    let what = placed(format!("fault {id}{kind}"), on);
    match stage {
        FaultStage::Injecting => format!("{what} begins"),
        FaultStage::Injected => format!("{what} is in force"),
        FaultStage::EffectSeen { by } => format!("{what} is seen from outside by {by}"),
        FaultStage::EffectNotSeen { reason } => {
            format!("{what} is not seen from outside: {reason}")
        }
        FaultStage::Healing => format!("{what} is being undone"),
        FaultStage::Healed { by } => format!("{what} is undone, as {by} shows"),
        FaultStage::Leftover { what: left } => format!("{what} is not undone: {left}"),
    }
}

pub fn step(id: &str, on: &str, stage: &StepStage) -> String {
    let what = placed(format!("step {id}"), on);
    match stage {
        StepStage::Started => format!("{what} begins"),
        StepStage::Done { detail } => with(format!("{what} is done"), detail),
        StepStage::Failed { reason } => format!("{what} failed: {reason}"),
    }
}

pub fn mark(mark: Mark, source: &str, detail: &str) -> String {
    let words = mark_words(mark.as_str());
    with(format!("{source}: {words}"), detail)
}

pub fn read_back(id: &str, site: &str, stage: &ReadBackStage) -> String {
    let what = format!("{id} of {site}");
    match stage {
        ReadBackStage::Started => format!("{what} begins"),
        ReadBackStage::Pass { number, records } => {
            format!("{what}: pass {number} read {records} records")
        }
        ReadBackStage::Done {
            sound: true,
            reason,
        } => with(format!("{what} is sound"), reason),
        ReadBackStage::Done {
            sound: false,
            reason,
        } => with(format!("{what} is not sound"), reason),
        ReadBackStage::Failed { reason } => format!("{what} failed: {reason}"),
    }
}

pub fn steady(held: bool, reason: &str) -> String {
    match held {
        true => with("the target is steady".to_owned(), reason),
        false => with(
            "the target is not steady, and nothing is broken".to_owned(),
            reason,
        ),
    }
}

/// Some things are done to nothing that has a name.
fn placed(what: String, on: &str) -> String {
    if on.is_empty() {
        what
    } else {
        format!("{what} on {on}")
    }
}

fn with(text: String, detail: &str) -> String {
    if detail.is_empty() {
        text
    } else {
        format!("{text}: {detail}")
    }
}

pub fn refusals(id: &str, attempts: u64, answers: &[Answered], unanswered: u64) -> String {
    let answered = answers.iter().map(|own| match (own.status, own.refusal) {
        (Some(status), Some(code)) => format!("{} times refusal {code} (HTTP {status})", own.count),
        (Some(status), None) => format!("{} times HTTP {status}", own.count),
        (None, _) => format!("{} times the end of the connection", own.count),
    });
    let silent = (unanswered > 0).then(|| format!("{unanswered} times nothing"));
    let all: Vec<String> = answered.chain(silent).collect();
    format!(
        "{id}: {attempts} attempts, answered with {}",
        all.join(", ")
    )
}

pub fn bystanders(id: &str, watched: u64, ended: &[String]) -> String {
    match ended.is_empty() {
        true => format!("{id}: none of {watched} other processes ended"),
        false => format!("{id}: other processes ended: {}", ended.join(", ")),
    }
}
