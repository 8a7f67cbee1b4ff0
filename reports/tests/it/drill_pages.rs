//! Reports of drills: the timeline, the parts of a recovery, the ledger, compliance, and what was not proved.

use firedrill_evidence::Verdict::Fail;
use firedrill_reports::recording::{Event, FaultStage, LedgerLine, Mode, Recording, StepStage};
use firedrill_reports::{judge, render};
use firedrill_scenarios::plan::FaultKind;
use roxmltree::Node;
use serde_json::Value;

use super::drilled::{Drill, failing, good, lost_write, stage};
use super::rendering::{page, parsed};
use super::synthetic::{MS, SECOND};

fn never_back() -> Drill {
    failing(|second, _| second >= 11)
}

/// Forty faults with names that are no names, steps that never end, and every write lost.
fn crowded() -> Drill {
    let mut drill = good();
    for number in 0..40 {
        let fault = |stage| Event::Fault {
            id: format!("<b>&\"{number}"),
            fault: "x".repeat(120),
            on: "</script>".into(),
            stage,
        };
        let at = 12 * SECOND + number * 900 * MS;
        drill = drill.with(at, fault(FaultStage::Injecting));
        if number % 2 == 0 {
            drill = drill.with(at + SECOND, fault(FaultStage::Healed { by: String::new() }));
        }
        let step = Event::Step {
            id: format!("step-{number}"),
            step: "restore".into(),
            on: String::new(),
            stage: StepStage::Started,
        };
        drill = drill.with(at, step);
    }
    drill.run.ledger = (0..400).map(lost_write).chain(drill.run.ledger).collect();
    drill.data(|counts| counts.lost = 5_000)
}

/// Drills for the checks that every page has to stand.
pub fn all() -> Vec<(&'static str, Recording)> {
    let mut killed = good();
    killed.run.ended = false;
    vec![
        ("drill", good().recording()),
        ("never back", never_back().recording()),
        ("crowded", crowded().recording()),
        ("killed drill", killed.recording()),
        ("no load", {
            let mut drill = good();
            drill.run.operations.clear();
            drill.recording()
        }),
    ]
}

fn compliance(drill: &Drill) -> Value {
    let recording = drill.recording();
    let outputs = render::outputs(&recording, &judge(&recording, None));
    let (_, bytes) = outputs
        .into_iter()
        .find(|(name, _)| *name == "compliance.json")
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn row(compliance: &Value, check: &str) -> Value {
    let rows = compliance["rows"].as_array().unwrap();
    rows.iter()
        .find(|row| row["check"] == check)
        .unwrap()
        .clone()
}

#[test]
fn the_page_shows_the_drill() {
    let page = page(&good().recording());
    for text in [
        "What was broken",
        "What was done, and what came of it",
        "site-failure on primary",
        "clients without service after site-failure",
        "Errors by class, a second",
        "the other site was promoted",
        "the route was switched",
        "Recovery times and their parts",
        "Writes that are not where they belong",
        "7f3a-0-12",
        "Disaster recovery, RTO/RPO: site failure",
        "What was not proved",
        "there was no failback",
        "fault site-failure on primary is seen from outside by health",
        "director: the system noticed",
        "read-back of dr is sound",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let document = parsed(&page);
    let drawn = |id: &str| {
        document
            .descendants()
            .any(|node| node.attribute("id") == Some(id))
    };
    for id in [
        "timeline-wide-t",
        "timeline-narrow-d",
        "recovery-wide-t",
        "recovery-narrow-d",
    ] {
        assert!(drawn(id), "{id}");
    }
}

/// A benchmark has no page of a drill.
#[test]
fn a_benchmark_shows_no_drill() {
    let run = super::synthetic::Run::good(super::synthetic::SHORT, 100);
    let page = page(&run.recording());
    for text in ["What was broken", "Timeline", "Compliance", "not proved"] {
        assert!(!page.contains(text), "{text}");
    }
    let outputs = render::outputs(&run.recording(), &run.judged());
    assert!(outputs.iter().all(|(name, _)| *name != "compliance.json"));
}

/// What the table of the parts says adds up to the recovery time.
#[test]
fn the_parts_of_a_recovery_add_up() {
    let page = page(&good().recording());
    let document = parsed(&page);
    let figures = document
        .descendants()
        .filter(|node| node.has_tag_name("figure"));
    let title = |figure: &Node<'_, '_>| {
        let heading = figure.descendants().find(|node| node.has_tag_name("h3"));
        heading.and_then(|heading| heading.text()) == Some("Recovery times and their parts")
    };
    let figure = figures.into_iter().find(title).unwrap();
    let rows = figure
        .descendants()
        .filter(|node| node.has_tag_name("tr"))
        .skip(1);
    let part = |row: Node<'_, '_>| -> f64 {
        let cells: Vec<_> = row.children().filter(Node::is_element).collect();
        cells[3].text().unwrap().parse().unwrap()
    };
    let parts: Vec<f64> = rows.map(part).collect();
    assert!(parts.len() >= 6, "{parts:?}");
    assert!((parts.iter().sum::<f64>() - 6.75).abs() < 0.01, "{parts:?}");
}

#[test]
fn the_first_two_hundred_lost_writes_stand_on_the_page() {
    let page = page(&crowded().recording());
    assert!(page.contains("The first 200 of 5,000; all are in"));
    assert_eq!(page.matches("7f3a-0-12").count(), 200);
}

#[test]
fn rows_of_a_rehearsal_are_rehearsed_and_those_of_a_deployment_met() {
    let mut drill = good();
    let rehearsal = compliance(&drill);
    let rto = row(&rehearsal, "rto");
    assert_eq!(rto["verdict"], "rehearsed");
    assert_eq!(
        (&rto["target"], &rto["measured"]),
        (&Value::from(14_400 * SECOND), &Value::from(6750 * MS))
    );
    assert_eq!(
        (&rto["resolution"], &rto["fault"]),
        (&Value::from(SECOND), &Value::from("site-failure"))
    );
    assert_eq!(rto["covers"], "Disaster recovery, RTO/RPO: site failure");
    assert!(
        rto["evidence"][0]
            .as_str()
            .unwrap()
            .starts_with("result.json#/checks/")
    );
    assert_eq!(row(&rehearsal, "rpo")["evidence"][1], "ledger.jsonl");
    let rows = rehearsal["rows"].as_array().unwrap();
    assert!(
        rows.iter()
            .all(|row| row["check"] != "rto-budget" && row["check"] != "leftovers")
    );
    drill.run.mode = Mode::Live;
    assert_eq!(row(&compliance(&drill), "rto")["verdict"], "met");
    drill.run.mode = Mode::Simulated;
    assert_eq!(row(&compliance(&drill), "rto")["verdict"], "simulated");
}

#[test]
fn what_is_not_met_and_not_proved_says_so() {
    let not_met = compliance(&never_back());
    assert_eq!(row(&not_met, "rto")["verdict"], "not_met");
    assert_eq!(row(&not_met, "rto")["at_least"], 69_750 * MS);
    let unseen = good().without(|event| {
        matches!(
            event,
            Event::Fault {
                stage: FaultStage::EffectSeen { .. },
                ..
            }
        )
    });
    let unseen = compliance(&unseen);
    assert_eq!(row(&unseen, "rto")["verdict"], "not_proved");
    let lines = unseen["not_proved"].to_string();
    assert!(lines.contains("nobody but the injector saw it"), "{lines}");
    // Something is left behind: the run as a whole cannot be trusted.
    let left = good().with(
        78 * SECOND,
        stage(FaultStage::Leftover {
            what: "a rule".into(),
        }),
    );
    assert_eq!(row(&compliance(&left), "rto")["verdict"], "not_proved");
}

#[test]
fn what_was_not_looked_at_is_named() {
    let lines = |drill: &Drill| compliance(drill)["not_proved"].to_string();
    let text = lines(&good());
    for part in [
        "a stand-in on one machine",
        "What became of 40 writes",
        "no failback",
        "no person",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let unnoticed = failing(|_, _| false).kind(FaultKind::StoreCrash { site: 0 });
    assert!(lines(&unnoticed).contains("when clients notice it: none did"));
    let mut nothing = good();
    nothing
        .run
        .ledger
        .retain(|line| !matches!(line, LedgerLine::Data { .. }));
    assert!(lines(&nothing).contains("no write was read back"));
    let none_lost = good().data(|counts| counts.lost = 0);
    assert!(lines(&none_lost).contains("That a loss of less than 310 ms would have been seen"));
}

/// A run that misbehaves on purpose is never taken for another.
#[test]
fn a_sabotage_is_warned_of() {
    let event = Event::Sabotage {
        name: "relapse".into(),
        shown: "the pods refuse".into(),
    };
    let sabotaged = || good().with(20 * SECOND, event.clone());
    let drill = sabotaged();
    let warning = "sabotage relapse: the run misbehaves on purpose; the pods refuse";
    assert_eq!(drill.judged().warnings, [warning]);
    // Its objectives do not see it, so that they would not see it of a target either.
    let result = drill.judged();
    let unnoticed = result.checks.iter().find(|check| check.id == "sabotage");
    let unnoticed = unnoticed.map(|check| {
        (
            check.verdict,
            check.reason.contains("relapse: the pods refuse"),
        )
    });
    assert_eq!((unnoticed, result.verdict), (Some((Fail, true)), Fail));
    let noticed = sabotaged().data(|counts| counts.holes = 1).judged();
    assert_eq!(noticed.verdict, Fail);
    assert!(noticed.checks.iter().all(|check| check.id != "sabotage"));
    assert!(page(&drill.recording()).contains(warning));
}

/// A phase that waits may end early, and the charts with the timeline.
#[test]
fn charts_end_with_the_timeline() {
    let mut drill = good();
    drill.run.waited = vec![("outage".into(), 30 * SECOND)];
    drill
        .run
        .operations
        .retain(|operation| operation.due < 30 * SECOND);
    let page = page(&drill.recording());
    assert!(
        page.contains("50 s") && !page.contains("70 s"),
        "the axis ends at 50 s"
    );
}
