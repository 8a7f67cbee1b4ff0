//! What the run shows of the operating procedure, and what it does not: `compliance.json`, and its tables.
//!
//! - `programme`: the same of several drills

mod programme;

use firedrill_evidence::Verdict;
use serde::Serialize;

pub use programme::of_programme;

use crate::numbers::{count, duration};
use crate::recording::{Mode, Recording};
use crate::result::{
    Amount, Check, Evidence, Fault, LimitSource, Method, Relation, ResultDocument, SCHEMA_VERSION,
    Unit,
};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compliance {
    pub schema_version: &'static str,
    pub run: Run,
    /// The procedure's steps, in its order; only of a programme.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The procedure's limits, one row each. The scenario's own budgets are checks, and no rows.
    pub rows: Vec<Row>,
    /// What the run does not show, in words.
    pub not_proved: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub id: String,
    pub scenario: String,
    pub seed: u64,
    pub started: String,
    pub mode: Mode,
    pub target: String,
    pub firedrill_version: String,
    pub verdict: Verdict,
}

/// A step of the procedure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub step: String,
    /// What has to be seen for it, in words.
    pub asks: String,
    pub verdict: Compliant,
    /// What each drill shows of it.
    pub drills: Vec<Evidence>,
    /// Files of the run's folder that show it, the result first.
    pub evidence: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The drill of a programme that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<String>,
    /// The row of the operating procedure.
    pub covers: String,
    /// What it asks, in words.
    pub asks: String,
    pub check: String,
    /// The fault that decided.
    pub fault: Option<String>,
    pub unit: Unit,
    pub relation: Relation,
    pub target: Option<Amount>,
    pub measured: Option<Amount>,
    /// Not reached: it took longer than this.
    pub at_least: Option<u64>,
    /// `measured` is known to this, in its unit.
    pub resolution: Option<u64>,
    pub verdict: Compliant,
    pub reason: String,
    /// Files of the run's folder that show it, the result first.
    pub evidence: Vec<String>,
}

/// The better ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compliant {
    Met,
    /// As met, on a stand-in.
    Rehearsed,
    /// As met, in computed time.
    Simulated,
    NotProved,
    NotMet,
}

impl Compliant {
    pub fn words(self) -> &'static str {
        match self {
            Compliant::Met => "met",
            Compliant::NotMet => "not met",
            Compliant::Rehearsed => "rehearsed",
            Compliant::Simulated => "simulated",
            Compliant::NotProved => "not proved",
        }
    }
}

/// Checks of the run itself: no procedure asks for them.
const OF_THE_RUN: [&str; 5] = ["recording", "steady", "faults", "steps", "leftovers"];

/// None for a run that covers no row of a procedure and breaks nothing.
pub fn compliance(recording: &Recording, result: &ResultDocument) -> Option<Compliance> {
    let plan = &recording.plan;
    if plan.covers.is_none() && plan.drill.actions.is_empty() {
        return None;
    }
    let covers = plan.covers.clone().unwrap_or_default();
    let asked = result.checks.iter().enumerate().filter(|(_, check)| {
        check.source != Some(LimitSource::Budget) && !OF_THE_RUN.contains(&check.id.as_str())
    });
    Some(Compliance {
        schema_version: SCHEMA_VERSION,
        run: Run::of(result),
        steps: Vec::new(),
        rows: ordered(asked.collect())
            .into_iter()
            .map(|(index, check)| row(recording, result, &covers, index, check))
            .collect(),
        not_proved: not_proved(recording, result),
    })
}

impl Run {
    fn of(result: &ResultDocument) -> Run {
        let run = &result.run;
        Run {
            id: run.id.clone(),
            scenario: run.scenario.clone(),
            seed: run.seed,
            started: run.started.clone(),
            mode: run.mode,
            target: run.target.clone(),
            firedrill_version: run.firedrill_version.clone(),
            verdict: result.verdict,
        }
    }
}

/// `compliance.json`: keys in a fixed order, a line feed at the end.
pub fn json(compliance: &Compliance) -> Vec<u8> {
    // Structs of strings and finite numbers always have a JSON text.
    let mut text = serde_json::to_vec_pretty(compliance).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Recovery times and recovery points before everything else.
fn ordered(mut asked: Vec<(usize, &Check)>) -> Vec<(usize, &Check)> {
    asked.sort_by_key(|(_, check)| check.source.is_none());
    asked
}

/// How finely `measured` is known: a time to a slot of the load, a recovery point to the acknowledgements around it.
fn resolution(recording: &Recording, result: &ResultDocument, check: &Check) -> Option<u64> {
    check.source?;
    let id = check.fault.as_deref()?;
    match check.method {
        Method::Window => fault(result, id)?.resolution,
        Method::Ledger => {
            let own = recording.ledger.data.iter();
            let own = own.filter(|data| data.fault.as_deref() == Some(id));
            let points = own.filter_map(|data| data.point.as_ref());
            points.map(|point| point.resolution).max()
        }
        Method::Block | Method::Point | Method::Count | Method::Sample => None,
    }
}

fn row(
    recording: &Recording,
    result: &ResultDocument,
    covers: &str,
    index: usize,
    check: &Check,
) -> Row {
    let own: &[&str] = match check.method {
        Method::Ledger => &["ledger.jsonl"],
        Method::Window => &["buckets.csv", "events.jsonl", "journal.jsonl"],
        Method::Block | Method::Point => &["buckets.csv", "latency.hlog"],
        Method::Count => &["latency.hlog"],
        Method::Sample => &["series.csv"],
    };
    let first = format!("result.json#/checks/{index}");
    Row {
        drill: None,
        covers: covers.to_owned(),
        asks: check.about.clone(),
        check: check.id.clone(),
        fault: check.fault.clone(),
        unit: check.unit,
        relation: check.relation,
        target: check.target,
        measured: check.measured,
        at_least: check.at_least,
        resolution: resolution(recording, result, check),
        verdict: compliant(
            result.run.mode,
            result.checks.iter().any(lost_trust),
            check.verdict,
        ),
        reason: check.reason.clone(),
        evidence: std::iter::once(first)
            .chain(own.iter().map(|file| (*file).to_owned()))
            .collect(),
    }
}

fn fault<'a>(result: &'a ResultDocument, id: &str) -> Option<&'a Fault> {
    result.faults.iter().find(|fault| fault.id == id)
}

/// The run as a whole cannot be trusted.
fn lost_trust(check: &Check) -> bool {
    check.verdict == Verdict::Invalid && OF_THE_RUN.contains(&check.id.as_str())
}

/// A run that cannot be trusted as a whole meets nothing.
fn compliant(mode: Mode, invalid: bool, verdict: Verdict) -> Compliant {
    match (verdict, mode) {
        (Verdict::Fail, _) => Compliant::NotMet,
        (Verdict::Inconclusive | Verdict::Invalid, _) => Compliant::NotProved,
        (Verdict::Pass, _) if invalid => Compliant::NotProved,
        (Verdict::Pass, Mode::Live) => Compliant::Met,
        (Verdict::Pass, Mode::Rehearsal) => Compliant::Rehearsed,
        (Verdict::Pass, Mode::Simulated) => Compliant::Simulated,
    }
}

/// What a reader may not conclude.
pub fn not_proved(recording: &Recording, result: &ResultDocument) -> Vec<String> {
    let mut list = Vec::new();
    match result.run.mode {
        Mode::Rehearsal => list.push(
            "Anything of a real deployment: the target was a stand-in on one machine. The times are those of the stand-in."
                .to_owned(),
        ),
        Mode::Simulated => list.push("Anything of a real deployment: nothing was driven.".to_owned()),
        Mode::Live => {}
    }
    for check in &result.checks {
        match check.verdict {
            Verdict::Inconclusive | Verdict::Invalid => {
                list.push(format!(
                    "{} ({}): {}.",
                    check.id, check.verdict, check.reason
                ));
            }
            Verdict::Pass | Verdict::Fail => {}
        }
    }
    list.extend(result.faults.iter().flat_map(of_fault));
    if !result.faults.is_empty() {
        list.extend(of_drill(recording, result));
    }
    list
}

fn of_fault(fault: &Fault) -> Vec<String> {
    let mut list = Vec::new();
    if fault.effect.is_none() {
        list.push(format!(
            "That {} had any effect: nobody but the injector saw it.",
            fault.id
        ));
    }
    if fault.unnoticed {
        list.push(format!(
            "How long a recovery from {} takes when clients notice it: none did.",
            fault.id
        ));
    }
    list
}

fn of_drill(recording: &Recording, result: &ResultDocument) -> Vec<String> {
    let mut list = Vec::new();
    match &result.data {
        None => list.push("That no data was lost: no write was read back.".to_owned()),
        Some(data) if data.indeterminate > 0 => list.push(format!(
            "What became of {} writes that were neither acknowledged nor refused: whether they had to be kept, nobody can know.",
            count(data.indeterminate)
        )),
        Some(_) => {}
    }
    for data in &recording.ledger.data {
        if let Some(point) = data.point.as_ref().filter(|_| data.counts.taken() == 0) {
            list.push(format!(
                "That a loss of less than {} would have been seen in {}: acknowledgements before the stop were that far apart.",
                duration(point.rpo.max(point.resolution)),
                data.read_back
            ));
        }
    }
    let failed_back = result
        .faults
        .iter()
        .any(|fault| fault.marks.contains_key("failback_begun") || fault.kind == "fail-back");
    if !failed_back {
        list.push("The way back to the first site: there was no failback.".to_owned());
    }
    list.push(
        "How long people take to be called, to decide and to act: no person was part of this run."
            .to_owned(),
    );
    list.push("How the times spread: one drill is one sample of them.".to_owned());
    list
}
