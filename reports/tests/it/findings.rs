//! What is found in a recording, and what became of its load, in every output.

use firedrill_reports::recording::{Closes, Spread};
use firedrill_reports::render;
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent, TimeoutStage};

use super::synthetic::{MS, Run, SECOND, SHORT};

/// Results after 42 ms; heads after `head`.
fn forty(head: u64) -> Run {
    let mut run = Run::steady(SHORT, 100, |_, _| (Outcome::Ok, 42 * MS));
    run.head = Some(head);
    run
}

#[test]
fn a_finding_stands_in_every_output() {
    let run = forty(MS / 2);
    let result = run.judged();
    let titles: Vec<&str> = result.findings.iter().map(|own| own.title()).collect();
    assert_eq!(titles, ["Nagle against delayed ACK"]);
    let outputs = render::outputs(&run.recording(), &result);
    for name in ["result.json", "report.html", "summary.md"] {
        let (_, bytes) = outputs
            .iter()
            .find(|(own, _)| *own == name)
            .expect("an output");
        let text = String::from_utf8_lossy(bytes);
        assert!(
            text.contains("TCP\\_NODELAY") || text.contains("TCP_NODELAY"),
            "{name}:\n{text}"
        );
    }
    let notes = render::notes(&result);
    assert!(
        notes[1].starts_with("finding: Nagle against delayed ACK: echo: the result comes 42 ms"),
        "{notes:?}"
    );
    assert_eq!(
        result.verdict,
        firedrill_evidence::Verdict::Pass,
        "a finding changes no verdict"
    );
}

#[test]
fn nothing_is_found_where_nothing_is_recorded_or_seen() {
    assert!(forty(41 * MS).judged().findings.is_empty());
    assert!(Run::good(SHORT, 100).judged().findings.is_empty());
    let mut killed = forty(MS);
    killed.ended = false;
    killed.closes.answered = Spread {
        count: 50,
        mode: 9,
        p10: 9,
        p50: 9,
        p90: 9,
        at_p50: 50,
        seconds: 9,
    };
    let found = killed.judged().findings;
    assert_eq!(
        found.len(),
        1,
        "times are there, and totals are not: {found:?}"
    );
}

#[test]
fn a_limit_of_connections_is_found_beside_another_finding() {
    let mut run = forty(MS);
    run.closes = Closes {
        answered: Spread {
            count: 50,
            mode: 100,
            p10: 100,
            p50: 100,
            p90: 100,
            at_p50: 50,
            seconds: 9,
        },
        exchanges_max: 99,
        ..Closes::default()
    };
    let found = run.judged().findings;
    let titles: Vec<&str> = found.iter().map(|own| own.title()).collect();
    assert_eq!(
        titles,
        ["Nagle against delayed ACK", "keep-alive limit by exchanges"]
    );
    assert!(
        found[1].evidence.contains("carried 100 exchanges"),
        "{}",
        found[1].evidence
    );
}

#[test]
fn asked_sent_and_completed_stand_side_by_side() {
    let fate = |_, within| match within {
        0..4 => (Outcome::NotSent(NotSent::InFlightLimit), 0),
        4..6 => (Outcome::Connect(ConnectFailure::Refused), 0),
        6..9 => (Outcome::Timeout(TimeoutStage::Result), SECOND),
        _ => (Outcome::Ok, 3 * MS),
    };
    let run = Run::steady(SHORT, 100, fate);
    let result = run.judged();
    let flow = result.load.flow.expect("a measured phase ran");
    assert_eq!((flow.asked, flow.sent, flow.completed), (1_000, 940, 910));
    assert_eq!(
        (flow.not_sent.in_flight_limit, flow.not_sent.target),
        (40, 20)
    );
    assert_eq!(
        (flow.not_completed.timed_out, flow.not_completed.under_way),
        (30, 0)
    );
    assert_eq!(result.phases[0].flow, Some(flow));
    assert_eq!((result.load.sent, result.load.not_sent), (940, 60));
    assert_eq!(result.load.sent_per_second, Some(94.0));
    let words = "asked 100/s, sent 94/s (not: in-flight limit 4/s, no session or connection from the target 2/s), \
        completed 91/s (not: timed out 3/s)";
    assert_eq!(render::notes(&result)[0], format!("load: {words}"));
    assert!(render::summary(&result).contains(words));
    let page = String::from_utf8(render::report(&run.recording(), &result)).unwrap();
    assert!(page.contains("in-flight limit 4/s, no session or connection from the target 2/s"));
}

#[test]
fn answers_that_cross_the_end_of_a_phase_are_under_way() {
    let slow = |second, _| match second {
        9 => (Outcome::Ok, SECOND),
        _ => (Outcome::Ok, 3 * MS),
    };
    let flow = Run::steady(SHORT, 100, slow)
        .judged()
        .load
        .flow
        .expect("a flow");
    assert_eq!(
        (flow.sent, flow.completed, flow.not_completed.under_way),
        (1_000, 900, 100)
    );
}

#[test]
fn a_run_that_was_killed_does_not_say_what_it_did_not_send() {
    let mut run = Run::good(SHORT, 100);
    run.ended = false;
    assert_eq!(run.judged().load.flow, None);
}
