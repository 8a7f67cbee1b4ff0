//! What is evidence of each step of the procedure. A drill that shows nothing of a step leaves it unproved.

use firedrill_evidence::Verdict;
use firedrill_scenarios::plan::{Act, RecoveryStep, Target};
use firedrill_scenarios::programme::{ProcedureStep, ShownBy};

use super::Shown;
use crate::numbers::{count, duration};
use crate::programme::{Event as Night, Recorded, folder_of};
use crate::recording::{Event, Mode, ReadBackStage, Recording};
use crate::render::{OUTPUTS, measured, target};
use crate::result::{Check, Evidence, LimitSource, Method, ResultDocument, StepResult, Unit};

/// What one drill shows of one step: the verdict, in words, and the files of its folder that hold it.
type Line = (Verdict, String, &'static [&'static str]);

pub fn of(recorded: &Recorded, shown: &[Shown<'_>]) -> Vec<StepResult> {
    let steps = recorded.programme.steps.iter();
    steps.map(|step| one(recorded, shown, step)).collect()
}

fn one(recorded: &Recorded, shown: &[Shown<'_>], step: &ProcedureStep) -> StepResult {
    let drills = step.drills.iter().filter_map(|drill| shown.get(*drill));
    let evidence: Vec<Evidence> = drills
        .map(|shown| {
            let (verdict, what, files) = line(recorded, *shown, step.shown_by);
            let name = &shown.drill.name;
            let place = |file: &&str| match *file {
                own if own == crate::programme::file::EVENTS => own.to_owned(),
                own => format!("{}/{own}", folder_of(name)),
            };
            Evidence {
                drill: name.clone(),
                verdict,
                what,
                files: files.iter().map(place).collect(),
            }
        })
        .collect();
    StepResult {
        step: step.name.clone(),
        shown_by: step.shown_by.words().to_owned(),
        verdict: Verdict::worst(evidence.iter().map(|line| line.verdict)),
        evidence,
    }
}

fn line(recorded: &Recorded, shown: Shown<'_>, by: ShownBy) -> Line {
    let (Some(recording), Some(result)) = (shown.drill.recording(), shown.result) else {
        let (verdict, reason) = shown.drill.found.missing();
        return (verdict, reason, &[]);
    };
    match by {
        ShownBy::SetUp => set_up(recording),
        ShownBy::Failover => failover(recording, result),
        ShownBy::DataRecovery => data_recovery(recording, result),
        ShownBy::Restoration => restoration(result),
        ShownBy::Performance => performance(result),
        ShownBy::Documents => documents(recorded, shown, recording),
        ShownBy::CleanUp => clean_up(recorded, shown, result),
    }
}

/// Everything that has to be, with its words; the worst of it is the verdict.
fn all(found: Vec<(Verdict, String)>, files: &'static [&'static str]) -> Line {
    let verdict = Verdict::worst(found.iter().map(|(verdict, _)| *verdict));
    let words: Vec<String> = found.into_iter().map(|(_, words)| words).collect();
    (verdict, words.join("; "), files)
}

fn set_up(recording: &Recording) -> Line {
    let mut found = Vec::new();
    let events = || recording.events.iter().map(|timed| &timed.event);
    let processes = events().filter(|event| matches!(event, Event::ProcessStarted { .. }));
    let processes = processes.count() as u64;
    match (recording.started.mode, processes) {
        (Mode::Rehearsal, 0) => {
            found.push((Verdict::Inconclusive, "no process came up".to_owned()));
        }
        (Mode::Rehearsal, up) => {
            found.push((Verdict::Pass, format!("{} processes up", count(up))));
        }
        (Mode::Live | Mode::Simulated, _) => {}
    }
    let sessions = events().filter_map(|event| match event {
        Event::SessionsOpened { asked, opened, .. } => Some((*asked, *opened)),
        _ => None,
    });
    let (asked, opened) = sessions.fold((0, 0), |(a, o), (asked, opened)| (a + asked, o + opened));
    let open = match (asked, opened) {
        (0, _) => Verdict::Inconclusive,
        (asked, opened) if opened < asked => Verdict::Fail,
        _ => Verdict::Pass,
    };
    found.push((open, format!("{opened} of {asked} sessions open")));
    let steady = events().find_map(|event| match event {
        Event::Steady { held, reason } => Some((*held, reason.clone())),
        _ => None,
    });
    found.push(match steady {
        Some((true, _)) => (Verdict::Pass, "steady before the fault".to_owned()),
        Some((false, reason)) => (Verdict::Invalid, format!("not steady: {reason}")),
        None => (
            Verdict::Inconclusive,
            "whether it was steady was not seen".to_owned(),
        ),
    });
    all(found, &["events.jsonl"])
}

/// Marks of a promotion and of a change of route, with the time since the fault. Where a lost site is built anew in its
/// own place there is no other to change to.
fn failover(recording: &Recording, result: &ResultDocument) -> Line {
    let mark = |name: &str, words: &str| {
        let faults = result.faults.iter();
        let seen = faults.filter_map(|fault| {
            let (t0, at) = (fault.marks.get("t0")?, fault.marks.get(name)?);
            Some(at.saturating_sub(*t0))
        });
        match seen.min() {
            Some(after) => (
                Verdict::Pass,
                format!("{words} {} after the fault", duration(after)),
            ),
            None => (Verdict::Inconclusive, format!("{words}: not seen")),
        }
    };
    let alone = match &recording.plan.target {
        Target::Embedded(embedded) => embedded.sites.len() == 1,
        Target::Endpoint(_) => false,
    };
    let mut found = vec![mark("promoted", "promoted")];
    if alone {
        let words = "built anew in its own place, where the route leads already";
        found.push((Verdict::Pass, words.to_owned()));
        found.push(mark("t7", "service from there"));
    } else {
        found.push(mark("route_switched", "route switched"));
        found.push(mark("first_answer", "first answer from there"));
    }
    all(found, &["events.jsonl"])
}

fn data_recovery(recording: &Recording, result: &ResultDocument) -> Line {
    let mut found = restores(recording);
    found.extend(read_backs(recording));
    let ledger: Vec<&Check> = result
        .checks
        .iter()
        .filter(|check| check.method == Method::Ledger)
        .collect();
    found.extend(judged(&ledger, "no check of the ledger"));
    let lost = result
        .data
        .as_ref()
        .map(|data| (data.lost, data.acknowledged));
    if let Some((lost, acknowledged)) = lost {
        let words = format!(
            "{} of {} acknowledged writes lost",
            count(lost),
            count(acknowledged)
        );
        found.push((Verdict::Pass, words));
    }
    all(found, &["ledger.jsonl", "events.jsonl"])
}

/// Every restore of the plan, done.
fn restores(recording: &Recording) -> Vec<(Verdict, String)> {
    let planned = recording.plan.drill.actions.iter();
    let planned =
        planned.filter(|action| matches!(&action.act, Act::Step(RecoveryStep::Restore { .. })));
    planned
        .map(|action| match recording.step_end(&action.id) {
            Some(Ok(detail)) => (Verdict::Pass, format!("restored: {detail}")),
            Some(Err(reason)) => (Verdict::Fail, format!("not restored: {reason}")),
            None => (Verdict::Inconclusive, "the restore was not done".to_owned()),
        })
        .collect()
}

fn read_backs(recording: &Recording) -> Vec<(Verdict, String)> {
    let ends = recording
        .events
        .iter()
        .filter_map(|timed| match &timed.event {
            Event::ReadBack { site, stage, .. } => match stage {
                ReadBackStage::Done { sound: true, .. } => Some((
                    Verdict::Pass,
                    format!("everything in {site} read back, twice, and sound"),
                )),
                ReadBackStage::Done {
                    sound: false,
                    reason,
                } => Some((
                    Verdict::Fail,
                    format!("what is in {site} is not sound: {reason}"),
                )),
                ReadBackStage::Failed { reason } => Some((
                    Verdict::Inconclusive,
                    format!("{site} could not be read back: {reason}"),
                )),
                ReadBackStage::Started | ReadBackStage::Pass { .. } => None,
            },
            _ => None,
        });
    let mut ends: Vec<(Verdict, String)> = ends.collect();
    ends.dedup();
    if ends.is_empty() {
        ends.push((Verdict::Inconclusive, "nothing was read back".to_owned()));
    }
    ends
}

/// The checks together: those that do not hold by their names, of the others the limits.
fn judged(checks: &[&Check], none: &str) -> Vec<(Verdict, String)> {
    if checks.is_empty() {
        return vec![(Verdict::Inconclusive, none.to_owned())];
    }
    let limits = checks.iter().filter(|check| check.source.is_some());
    let mut found: Vec<(Verdict, String)> = limits.map(|check| against_its_limit(check)).collect();
    let others = checks.iter().filter(|check| check.source.is_none());
    let (held, broken): (Vec<&&Check>, Vec<&&Check>) =
        others.partition(|check| check.verdict == Verdict::Pass);
    if !held.is_empty() {
        found.push((Verdict::Pass, format!("{} more checks hold", held.len())));
    }
    found.extend(
        broken
            .iter()
            .map(|check| (check.verdict, format!("{}: {}", check.id, check.reason))),
    );
    found
}

fn against_its_limit(check: &Check) -> (Verdict, String) {
    let words = format!("{} {} ({} asked)", check.id, measured(check), target(check));
    (check.verdict, words)
}

fn restoration(result: &ResultDocument) -> Line {
    let rto = |check: &&Check| check.method == Method::Window && check.source.is_some();
    let procedure = |check: &Check| check.source == Some(LimitSource::Procedure);
    let checks: Vec<&Check> = result.checks.iter().filter(rto).collect();
    let mut found = judged(&checks, "no check of the recovery time");
    if !checks.iter().any(|check| procedure(check)) {
        let words = "the procedure's own limit is not judged".to_owned();
        found.push((Verdict::Inconclusive, words));
    }
    let steps = result.checks.iter().filter(|check| check.id == "steps");
    found.extend(steps.map(|check| (check.verdict, check.reason.clone())));
    all(found, &["buckets.csv", "events.jsonl"])
}

/// Latency and errors in phases that began when service was back.
fn performance(result: &ResultDocument) -> Line {
    let back = result
        .faults
        .iter()
        .map(|fault| fault.marks.get("t7").copied());
    let Some(Some(back)) = back.max_by_key(|back| back.unwrap_or(u64::MAX)) else {
        let words = "service was never back, so that nothing was measured afterwards".to_owned();
        return (Verdict::Inconclusive, words, &["buckets.csv"]);
    };
    let afterwards = |check: &&Check| {
        let mut phases = result.phases.iter();
        let phase = phases.find(|phase| check.phase.as_ref() == Some(&phase.name));
        phase
            .and_then(|phase| phase.start)
            .is_some_and(|start| start >= back)
    };
    let later: Vec<&Check> = result.checks.iter().filter(afterwards).collect();
    let of_kind = |unit: Unit, none: &str| {
        let own = later.iter().filter(|check| check.unit == unit);
        let mut found: Vec<(Verdict, String)> = own.map(|check| against_its_limit(check)).collect();
        if found.is_empty() {
            found.push((Verdict::Inconclusive, none.to_owned()));
        }
        found
    };
    let mut found = of_kind(Unit::Ns, "no latency was judged after the recovery");
    found.extend(of_kind(
        Unit::Share,
        "no errors were judged after the recovery",
    ));
    all(found, &["buckets.csv", "latency.hlog"])
}

fn documents(recorded: &Recorded, shown: Shown<'_>, recording: &Recording) -> Line {
    let written = recorded.events.iter().find_map(|timed| match &timed.event {
        Night::DrillEnded {
            drill, documents, ..
        } if *drill == shown.drill.name => Some(documents.as_slice()),
        _ => None,
    });
    let written = written.unwrap_or_default();
    let missing: Vec<&str> = OUTPUTS
        .into_iter()
        .filter(|report| !written.iter().any(|own| own == report))
        .collect();
    let mut found = vec![match recording.sealed {
        true => (
            Verdict::Pass,
            "recording sealed, every file as it was summed".to_owned(),
        ),
        false => (
            Verdict::Invalid,
            "the recording was never sealed".to_owned(),
        ),
    }];
    found.push(match missing.is_empty() {
        true => (Verdict::Pass, format!("{} written", written.join(", "))),
        false => (
            Verdict::Inconclusive,
            format!("not seen to be written: {}", missing.join(", ")),
        ),
    });
    all(found, &["manifest.json", crate::programme::file::EVENTS])
}

fn clean_up(recorded: &Recorded, shown: Shown<'_>, result: &ResultDocument) -> Line {
    let seen = recorded.events.iter().find_map(|timed| match &timed.event {
        Night::CleanedUp {
            drill,
            processes,
            alive,
            folder,
            folder_gone,
            open_changes,
        } if *drill == shown.drill.name => {
            Some((*processes, alive, folder, *folder_gone, *open_changes))
        }
        _ => None,
    });
    let Some((processes, alive, folder, folder_gone, open)) = seen else {
        let words = "nobody looked what is left".to_owned();
        return (Verdict::Inconclusive, words, &["journal.jsonl"]);
    };
    let mut found = Vec::new();
    found.push(match alive.as_slice() {
        [] => (
            Verdict::Pass,
            format!("none of {} processes left", count(processes)),
        ),
        alive => (
            Verdict::Invalid,
            format!("still running: {}", alive.join(", ")),
        ),
    });
    found.push(match (folder, folder_gone) {
        (None, _) => (Verdict::Pass, "no folder to remove".to_owned()),
        (Some(_), true) => (Verdict::Pass, "the folder of the sites is gone".to_owned()),
        (Some(folder), false) => (Verdict::Invalid, format!("{folder} is still there")),
    });
    found.push(match open {
        0 => (Verdict::Pass, "nothing open in the journal".to_owned()),
        open => (
            Verdict::Invalid,
            format!("{open} changes of the journal are not undone"),
        ),
    });
    let leftovers = result.checks.iter().find(|check| check.id == "leftovers");
    found.push(match leftovers {
        Some(check) => (check.verdict, check.reason.clone()),
        None => (Verdict::Inconclusive, "no fault was begun".to_owned()),
    });
    all(found, &["journal.jsonl", crate::programme::file::EVENTS])
}
