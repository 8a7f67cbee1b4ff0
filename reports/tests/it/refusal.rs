//! Bounded refusal: what was refused, how soon, and whom it harmed.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_evidence::Verdict::{self, Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::recording::{Answered, Event, FaultStage};
use firedrill_scenarios::plan::{FaultKind, Flood, Manner, Subject};

use super::drilled::{Drill, T0, failing, objective};
use super::synthetic::{MS, ZERO};

const FLOOD: Manner = Manner::MessageFlood(Flood::Times(10.0));

fn answered(status: Option<u16>, refusal: Option<u32>, first: u64) -> Answered {
    Answered {
        status,
        refusal,
        count: 70,
        first: ZERO + T0 + first,
    }
}

fn refusals(attempts: u64, answers: Vec<Answered>) -> Event {
    Event::Refusals {
        id: "site-failure".into(),
        attempts,
        bytes: 0,
        answers,
        unanswered: 0,
        failures: BTreeMap::from([("connection refused".to_owned(), 3)]),
    }
}

fn bystanders(ended: &[&str]) -> Event {
    Event::Bystanders {
        id: "site-failure".into(),
        watched: 9,
        ended: ended.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// A hostile client that nobody but the bound noticed.
fn hostile(manner: Manner, answers: Event, others: &[&str]) -> Drill {
    let refusal = manner.refusal();
    let mut drill = failing(|_, _| false)
        .kind(FaultKind::Hostile { site: 0, manner })
        .data(|counts| counts.lost = 0)
        .undone(T0 + 6_000 * MS)
        .with(T0 + 5_000 * MS, answers)
        .with(T0 + 5_000 * MS, bystanders(others));
    let limits = (Duration::from_secs(1), Duration::from_secs(5));
    drill.objectives = vec![
        objective(
            "refusal",
            Subject::Refusal {
                fault: 0,
                refusal,
                within: limits.0,
                recovered: limits.1,
            },
        ),
        objective(
            "suite",
            Subject::Suite {
                share: 0.9,
                within: limits.0,
                recovered: limits.1,
            },
        ),
    ];
    drill
}

fn flood(answers: Vec<Answered>) -> Drill {
    hostile(FLOOD, refusals(100, answers), &[])
}

fn right() -> Answered {
    answered(Some(429), Some(1056), 200 * MS)
}

fn assert_refusal(drill: &Drill, verdict: Verdict, reason: &str) {
    let result = drill.judged();
    let check = super::check(&result, "refusal");
    assert_eq!(check.verdict, verdict, "{}", check.reason);
    assert!(check.reason.contains(reason), "{}", check.reason);
    let suite = super::check(&result, "suite");
    assert_eq!(suite.verdict, verdict, "{}", suite.reason);
}

#[test]
fn what_is_refused_in_time_and_harms_nobody_passes() {
    let drill = flood(vec![answered(Some(200), None, 0), right()]);
    assert_refusal(&drill, Pass, "refused with 1056 (HTTP 429) after 200 ms");
    assert_refusal(&drill, Pass, "none of 9 processes ended");
    let measured = super::check(&drill.judged(), "refusal").measured;
    assert_eq!(measured.map(|amount| amount.value() as u64), Some(200 * MS));
}

#[test]
fn the_right_code_with_another_status_is_another_refusal() {
    let queue = flood(vec![answered(Some(503), Some(1056), 200 * MS)]);
    assert_refusal(
        &queue,
        Fail,
        "never refused with 1056 (HTTP 429) in 100 attempts",
    );
    assert_refusal(&queue, Fail, "70 were refused with 1056 (HTTP 503)");
    let hung_up = flood(vec![answered(None, None, 200 * MS)]);
    assert_refusal(&hung_up, Fail, "70 were hung up on");
    let silence = flood(Vec::new());
    assert_refusal(&silence, Fail, "nothing was answered");
}

#[test]
fn who_does_not_read_is_hung_up_on() {
    let silent = Duration::from_secs(10);
    let slow = Manner::SlowConsumer { readers: 4, silent };
    let answers = || refusals(100, vec![answered(None, None, 700 * MS)]);
    assert_refusal(&hostile(slow, answers(), &[]), Pass, "refused with 1069");
}

#[test]
fn each_large_body_has_to_be_refused() {
    let large = Manner::LargePayload { size: 100_000_000 };
    let refused = answered(Some(413), Some(1068), MS);
    let some = refusals(2, vec![refused.clone(), answered(Some(200), None, 2 * MS)]);
    assert_refusal(
        &hostile(large, some, &[]),
        Fail,
        "each attempt of site-failure has to be refused",
    );
    let all = refusals(2, vec![refused]);
    assert_refusal(&hostile(large, all, &[]), Pass, "refused with 1068");
}

#[test]
fn each_part_alone_turns_it_red() {
    let late = flood(vec![answered(Some(429), Some(1056), 1_200 * MS)]);
    assert_refusal(&late, Fail, "less than 1 s is asked");
    let cascade = hostile(FLOOD, refusals(100, vec![right()]), &["primary-1 (pid 7)"]);
    assert_refusal(
        &cascade,
        Fail,
        "ended that had to live on: primary-1 (pid 7)",
    );
    let lost = flood(vec![right()]).data(|counts| counts.lost = 2);
    assert_refusal(&lost, Fail, "2 lost among");
    let mut down = flood(vec![right()]);
    down.run.operations = failing(|second, _| (11..20).contains(&second))
        .run
        .operations;
    assert_refusal(&down, Fail, "service was back");
}

#[test]
fn without_evidence_it_is_no_pass() {
    let unseen = flood(vec![right()]).change(|event| {
        if let Event::Fault { stage, .. } = event
            && matches!(stage, FaultStage::EffectSeen { .. })
        {
            *stage = FaultStage::EffectNotSeen {
                reason: "no socket".into(),
            };
        }
    });
    assert_refusal(&unseen, Invalid, "no socket");
    let idle = hostile(FLOOD, refusals(0, Vec::new()), &[]);
    assert_refusal(
        &idle,
        Invalid,
        "could not act: connection refused (3 times)",
    );
    let untold = flood(vec![right()]).without(|event| matches!(event, Event::Refusals { .. }));
    assert_refusal(&untold, Inconclusive, "nothing says how");
    let alone = flood(vec![right()]).without(|event| matches!(event, Event::Bystanders { .. }));
    assert_refusal(&alone, Invalid, "nobody looked whether");
    let never = flood(vec![right()]).without(|event| matches!(event, Event::Fault { .. }));
    assert_refusal(&never, Inconclusive, "was never begun");
}
