//! A programme of drills that never were: its steps with all their evidence, and with each of it taken away.

use firedrill_evidence::Verdict;
use firedrill_reports::programme::{Begun, Drill, Event as Night, Found, Recorded, Timed};
use firedrill_reports::recording::{Event, Mark, Recording};
use firedrill_reports::{Judged, judge_programme, render};
use firedrill_scenarios::plan::Subject;
use firedrill_scenarios::{Given, Programme};
use serde_json::Value;

use super::check;
use super::drilled::{self, failing, good, sound};
use super::rendering::parsed;
use super::synthetic::SECOND;

const NIGHT: &str = "
programme: night
about: Two disasters.
covers: A night in miniature
drills: [first, second]
steps:
  - { step: setup, shown_by: set-up }
  - { step: failover, shown_by: failover, in: [first] }
  - { step: data, shown_by: data-recovery }
  - { step: service, shown_by: restoration }
  - { step: performance, shown_by: performance }
  - { step: documents, shown_by: documents }
  - { step: cleanup, shown_by: clean-up }
";

/// A drill that shows everything.
fn shown() -> drilled::Drill {
    let mut drill = good().with(
        0,
        Event::ProcessStarted {
            site: "primary".into(),
            role: "pod".into(),
            name: "primary-0".into(),
            pid: 7,
            address: "127.1.0.1:1".into(),
        },
    );
    let latency = drill.run.plan.objectives.iter();
    let latency = latency.filter(|own| matches!(own.subject, Subject::Latency { .. }));
    let mut later: Vec<_> = latency.cloned().collect();
    later.iter_mut().for_each(|own| own.phases = vec![2]);
    later.push(firedrill_scenarios::plan::Objective {
        phases: vec![2],
        ..drilled::objective(
            "errors",
            Subject::Errors {
                below: 0.005,
                class: None,
                operation: None,
            },
        )
    });
    drill.objectives.extend(later);
    drill
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

fn ended(drill: &str) -> Night {
    let documents = [
        "result.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "compliance.json",
    ];
    Night::DrillEnded {
        drill: drill.into(),
        documents: names(&documents),
        error: None,
    }
}

fn cleaned(drill: &str) -> Night {
    Night::CleanedUp {
        drill: drill.into(),
        processes: 12,
        alive: Vec::new(),
        folder: Some("/tmp/sites".into()),
        folder_gone: true,
        open_changes: 0,
    }
}

/// Two drills, both whole; `first` is changed at will.
fn night(first: Recording) -> Recorded {
    let begun = Begun {
        recording_version: 1,
        firedrill_version: "0.1.0".into(),
        id: "20261125T100000Z-night-7".into(),
        programme: "night".into(),
        seed: 7,
        started: "2026-11-25T10:00:00Z".into(),
        command: "firedrill run night --seed 7".into(),
        strict: false,
        environment: first.started.environment.clone(),
    };
    let events = [
        Night::Started(begun.clone()),
        ended("first"),
        cleaned("first"),
        ended("second"),
        cleaned("second"),
        Night::Ended,
    ];
    let drill = |name: &str, offset: u64, recording: Recording| Drill {
        name: name.into(),
        seed: Some(offset),
        command: Some(format!("firedrill run {name}")),
        offset,
        found: Found::Run(Box::new(recording)),
    };
    Recorded {
        programme: Programme::parse(NIGHT, &Given::named("night.yaml")).unwrap(),
        drills: vec![
            drill("first", SECOND, first),
            drill("second", 100 * SECOND, shown().recording()),
        ],
        begun,
        events: events
            .into_iter()
            .zip(1..)
            .map(|(event, at)| Timed {
                at: at * 100 * SECOND,
                event,
            })
            .collect(),
        sealed: true,
    }
}

fn whole() -> Recorded {
    night(shown().recording())
}

fn verdict(judged: &Judged, step: &str) -> Verdict {
    check(&judged.result, step).verdict
}

#[test]
fn a_night_with_all_its_evidence_passes_and_is_one_document() {
    let recorded = whole();
    let judged = judge_programme(&recorded, None);
    let result = &judged.result;
    let failed: Vec<_> = result
        .checks
        .iter()
        .filter(|check| check.verdict != Verdict::Pass)
        .map(|check| (&check.id, &check.reason))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(result.verdict, Verdict::Pass);
    assert_eq!(check(result, "cleanup").samples, 2);
    assert!(check(result, "first/rto").reason.contains("rehearsed"));
    // Instants count from the programme's start.
    let t0 = |fault: usize| result.faults[fault].marks["t0"];
    assert_eq!(t0(1) - t0(0), 99 * SECOND);
    assert_eq!(result.faults[1].id, "second/site-failure");
    let own = judged.drills[0].as_ref().unwrap();
    assert_eq!(result.load.intended, 2 * own.load.intended);
    let validator = jsonschema::validator_for(&firedrill_reports::schema()).unwrap();
    let value = serde_json::to_value(result).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(&value)
        .map(|e| e.to_string())
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn its_page_stands_alone_and_says_rehearsed_and_never_met() {
    let recorded = whole();
    let judged = judge_programme(&recorded, None);
    let outputs = render::programme_outputs(&recorded, &judged);
    assert!(outputs == render::programme_outputs(&recorded, &judged));
    let output = |name: &str| {
        let found = outputs.iter().find(|(own, _)| own == name);
        String::from_utf8(found.unwrap_or_else(|| panic!("{name}")).1.clone()).unwrap()
    };
    let page = output("report.html");
    let document = parsed(&page);
    let mut ids: Vec<&str> = document
        .descendants()
        .filter_map(|node| node.attribute("id"))
        .collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "every id is there once");
    for node in document.descendants() {
        let named = node.attribute("aria-labelledby").unwrap_or_default();
        for id in named.split_whitespace() {
            assert!(ids.contains(&id), "{id}");
        }
        if let Some(target) = node.attribute("href") {
            assert!(ids.contains(&target.trim_start_matches('#')), "{target}");
        }
    }
    for text in [
        "The procedure, step by step",
        "Drill second",
        "rehearsed",
        "What was not proved",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains(">met<") && !page.contains("<script"));
    let compliance: Value = serde_json::from_str(&output("compliance.json")).unwrap();
    let steps = compliance["steps"].as_array().unwrap();
    let rows = compliance["rows"].as_array().unwrap();
    assert_eq!(steps.len(), 7);
    for row in steps.iter().chain(rows) {
        assert_eq!(row["verdict"], "rehearsed", "{row}");
    }
    let first = rows[0]["evidence"][0].as_str().unwrap();
    assert!(
        first.starts_with("drills/first/result.json#/checks/"),
        "{first}"
    );
    assert!(
        outputs
            .iter()
            .any(|(name, _)| name == "drills/second/report.html")
    );
    assert!(output("summary.md").contains("| setup | pass (rehearsed) |"));
    assert!(render::lines(&judged.result).contains("rehearsed"));
}

/// What is taken away, and what the step is then.
#[test]
fn a_step_without_its_evidence_is_not_met() {
    let of = |drill: drilled::Drill| night(drill.recording());
    let no_latency = || {
        let mut drill = shown();
        drill
            .objectives
            .retain(|own| !matches!(own.subject, Subject::Latency { .. }));
        drill
    };
    let changed = |change: fn(&mut Night)| {
        let mut recorded = whole();
        recorded
            .events
            .iter_mut()
            .for_each(|timed| change(&mut timed.event));
        recorded
    };
    let promoted =
        |event: &Event| matches!(event, Event::Mark { mark, .. } if *mark == Mark::Promoted);
    let cases = [
        ("setup", Verdict::Inconclusive, {
            of(shown().without(|event| matches!(event, Event::ProcessStarted { .. })))
        }),
        ("setup", Verdict::Inconclusive, {
            of(shown().without(|event| matches!(event, Event::Steady { .. })))
        }),
        (
            "failover",
            Verdict::Inconclusive,
            of(shown().without(promoted)),
        ),
        (
            "data",
            Verdict::Fail,
            of(shown().with(62 * SECOND, sound(false))),
        ),
        (
            "data",
            Verdict::Fail,
            of(shown().data(|counts| counts.holes = 1)),
        ),
        ("service", Verdict::Fail, {
            let mut drill = failing(|second, _| second >= 11);
            drill.objectives = shown().objectives;
            of(drill)
        }),
        ("performance", Verdict::Inconclusive, of(no_latency())),
        ("documents", Verdict::Inconclusive, {
            changed(|event| {
                if let Night::DrillEnded { documents, .. } = event {
                    documents.pop();
                }
            })
        }),
        ("cleanup", Verdict::Invalid, {
            changed(|event| {
                if let Night::CleanedUp { alive, .. } = event {
                    alive.push("primary-store (pid 7)".into());
                }
            })
        }),
        ("cleanup", Verdict::Invalid, {
            changed(|event| {
                if let Night::CleanedUp { open_changes, .. } = event {
                    *open_changes = 1;
                }
            })
        }),
        ("cleanup", Verdict::Invalid, {
            changed(|event| {
                if let Night::CleanedUp { folder_gone, .. } = event {
                    *folder_gone = false;
                }
            })
        }),
    ];
    for (step, expected, recorded) in cases {
        let judged = judge_programme(&recorded, None);
        let found = check(&judged.result, step);
        assert_eq!(found.verdict, expected, "{step}: {}", found.reason);
        assert_ne!(judged.result.verdict, Verdict::Pass, "{step}");
    }
}

#[test]
fn what_did_not_run_passes_nothing() {
    let mut recorded = whole();
    recorded.drills[1].found = Found::NotRun("interrupted".into());
    let judged = judge_programme(&recorded, None);
    assert_eq!(judged.result.verdict, Verdict::Inconclusive);
    for step in [
        "setup",
        "data",
        "service",
        "performance",
        "documents",
        "cleanup",
    ] {
        assert_eq!(verdict(&judged, step), Verdict::Inconclusive, "{step}");
    }
    assert_eq!(verdict(&judged, "failover"), Verdict::Pass);
    let run = check(&judged.result, "second/run");
    assert!(run.reason.contains("not run"), "{}", run.reason);
    let outputs = render::programme_outputs(&recorded, &judged);
    assert!(
        outputs
            .iter()
            .all(|(name, _)| !name.starts_with("drills/second/"))
    );
    let mut killed = whole();
    killed.sealed = false;
    let judged = judge_programme(&killed, None);
    assert_eq!(check(&judged.result, "recording").verdict, Verdict::Invalid);
}
