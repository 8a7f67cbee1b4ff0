//! Searches that never were: what single trials come to, and what all of them do.

use firedrill_evidence::Verdict;
use firedrill_reports::capacity::{
    Attempt, Begun, EndedBy, Form, Outcome, Purpose, Recorded, Settings,
};
use firedrill_reports::recording::Mode;
use firedrill_reports::result::{LatencyLimit, Limit, Trial};
use firedrill_reports::{CapacityDocument, capacity_schema, judge, judge_capacity, render, trial};
use firedrill_scenarios::Outcome as Ended;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent};

use super::rendering::parsed;
use super::synthetic::{MS, Run, SECOND, SHORT, environment};
use super::trust::late;

fn attempt(purpose: Purpose) -> Attempt {
    Attempt {
        number: 3,
        purpose,
        level: 100.0,
        folder: "trials/003-trial-100".to_owned(),
    }
}

fn tried(run: &Run, purpose: Purpose, form: Form) -> Trial {
    let recording = run.recording();
    trial(
        &attempt(purpose),
        &recording,
        &judge(&recording, None),
        form,
    )
}

fn came_of(run: &Run, purpose: Purpose) -> (Outcome, Option<Limit>) {
    let own = tried(run, purpose, Form::Open);
    (own.outcome, own.limit)
}

#[test]
fn a_trial_is_missed_by_what_gave_way_in_it() {
    let of = |fate: fn(u64, u64) -> (Ended, u64)| {
        came_of(&Run::steady(SHORT, 100, fate), Purpose::Trial)
    };
    let refused = Ended::Connect(ConnectFailure::Refused);
    assert_eq!(of(|_, _| (Ended::Ok, MS)), (Outcome::Met, None));
    assert_eq!(
        of(|_, _| (Ended::Ok, 120 * MS)),
        (Outcome::Missed, Some(Limit::Latency))
    );
    let failing = Run::steady(SHORT, 100, |_, index| {
        if index % 10 == 0 {
            (refused, MS)
        } else {
            (Ended::Ok, MS)
        }
    });
    assert_eq!(
        came_of(&failing, Purpose::Trial),
        (Outcome::Missed, Some(Limit::Errors))
    );
    let full = |_, index| match index % 10 {
        0 => (Ended::NotSent(NotSent::InFlightLimit), 0),
        _ => (Ended::Ok, MS),
    };
    assert_eq!(of(full), (Outcome::Missed, Some(Limit::Queue)));
    // Each answer takes a tenth of a second longer than the one a second before it.
    let behind = |second, _| (Ended::Ok, 90 * MS + second * 300 * MS);
    assert_eq!(of(behind), (Outcome::Missed, Some(Limit::Queue)));
}

/// 100 a second that take three seconds each: 300 under way from the third second on, and no more.
#[test]
fn a_slow_target_that_keeps_up_has_no_queue() {
    let slow = SHORT.replace("below: 100ms", "below: 4s").replace(
        "  - { phase: steady, for: 10s }",
        "  - { phase: warm-up, for: 2s, measured: false }\n  - { phase: steady, for: 10s }",
    );
    let takes = |time: fn(u64) -> u64| {
        let run = Run::steady(&slow, 100, |second, _| (Ended::Ok, time(second)));
        came_of(&run, Purpose::Trial)
    };
    assert_eq!(takes(|_| 3 * SECOND), (Outcome::Met, None));
    // Each second's operations take 200 ms longer than those of the second before.
    let behind = |second| SECOND + second * 200 * MS;
    assert_eq!(takes(behind), (Outcome::Missed, Some(Limit::Queue)));
}

#[test]
fn a_late_generator_makes_a_trial_untrusted_and_few_operations_decide_a_check_alone() {
    assert_eq!(
        came_of(&late(), Purpose::Trial),
        (Outcome::Untrusted, Some(Limit::Generator))
    );
    let few = Run::good(SHORT, 5);
    assert_eq!(came_of(&few, Purpose::Trial), (Outcome::TooLittle, None));
    assert_eq!(came_of(&few, Purpose::Check), (Outcome::Met, None));
    let one_of_fifty = |second, index| match (second, index) {
        (0, 0) => (Ended::Ok, 500 * MS),
        _ => (Ended::Ok, MS),
    };
    let unwell = Run::steady(SHORT, 5, one_of_fifty);
    assert_eq!(
        came_of(&unwell, Purpose::Check),
        (Outcome::Missed, Some(Limit::Latency))
    );
}

/// A generator at its limit need not be late, and nobody has to have looked before what this machine can do.
#[test]
fn slow_answers_to_a_generator_without_headroom_say_nothing_of_the_target() {
    let mut run = Run::steady(SHORT, 100, |_, _| (Ended::Ok, 120 * MS));
    run.busy = 0.92;
    let own = tried(&run, Purpose::Trial, Form::Open);
    assert_eq!(
        (own.outcome, own.limit),
        (Outcome::Untrusted, Some(Limit::Generator))
    );
    assert!(
        own.reason
            .starts_with("firedrill itself had 4 % of its capacity left (latency-p99"),
        "{}",
        own.reason
    );
    run.busy = 0.5;
    assert_eq!(
        came_of(&run, Purpose::Trial),
        (Outcome::Missed, Some(Limit::Latency))
    );
}

#[test]
fn concurrency_is_completed_times_what_each_took() {
    let run = Run::steady(SHORT, 100, |_, _| (Ended::Ok, 50 * MS));
    let own = tried(&run, Purpose::Trial, Form::Open);
    let under_way = own.concurrency.unwrap();
    assert!(
        (under_way - 5.0).abs() < 0.1,
        "100/s of 50 ms each: {under_way}"
    );
    let closed = tried(&Run::good(SHORT, 100), Purpose::Trial, Form::Closed);
    assert_eq!(closed.concurrency, Some(100.0));
}

/// A trial at this level of a target that has its peak at 800 a second.
fn of_level(number: u32, level: f64, outcome: Outcome) -> Trial {
    let under_way = level / 100.0;
    let completed = level / (1.0 + 0.001 * under_way * under_way);
    let (limit, reason) = match outcome {
        Outcome::Missed => (Some(Limit::Latency), "latency-p99: 130 ms".to_owned()),
        Outcome::Untrusted => (Some(Limit::Generator), "late".to_owned()),
        Outcome::Met | Outcome::TooLittle => (None, String::new()),
    };
    Trial {
        number,
        purpose: Purpose::Trial,
        level,
        folder: format!("trials/{number:03}-trial-{level}"),
        outcome,
        limit,
        reason,
        asked_per_second: Some(level),
        sent_per_second: Some(level),
        completed_per_second: Some(completed),
        p50: Some(3 * MS),
        p99: (outcome != Outcome::Missed).then_some(40 * MS),
        failed: Some(0.0),
        over_in_flight_limit: 0,
        concurrency: Some(under_way),
        lateness_p99: Some(MS / 10),
        headroom: None,
        limits: vec![LatencyLimit {
            check: "latency-p99".to_owned(),
            below: 100 * MS,
        }],
    }
}

fn recorded(ended: EndedBy, at_least: Option<f64>) -> Recorded {
    Recorded {
        begun: Begun {
            recording_version: 1,
            firedrill_version: "0.1.0".to_owned(),
            id: "20261101T000000Z-capacity-short-1".to_owned(),
            scenario: "short".to_owned(),
            about: "A search <that> never was.".to_owned(),
            seed: 1,
            started: "2026-11-01T00:00:00Z".to_owned(),
            mode: Mode::Rehearsal,
            target: "nothing".to_owned(),
            command: "firedrill capacity short".to_owned(),
            form: Form::Open,
            settings: Settings {
                from: 100.0,
                least: 10.0,
                most: 10_000.0,
                precision: 0.1,
                repeats: 2,
                trials: 40,
                whole: false,
            },
            trial: 10 * SECOND,
            rest: 2 * SECOND,
            at_least,
            left_out: vec!["the objective `throughput`".to_owned()],
            environment: environment(),
            calibration: None,
        },
        attempts: Vec::new(),
        ended: Some((ended, String::new())),
        length: 300 * SECOND,
        sealed: true,
    }
}

/// Met up to 800 a second, with every level tried several times.
fn found(ended: EndedBy, at_least: Option<f64>) -> CapacityDocument {
    let levels = [100.0, 200.0, 400.0, 800.0, 1600.0];
    let tried = levels
        .iter()
        .chain(&[760.0, 840.0, 760.0, 840.0, 780.0, 820.0, 780.0, 820.0]);
    let verdict = |level: f64| {
        if level <= 800.0 {
            Outcome::Met
        } else {
            Outcome::Missed
        }
    };
    let trials = tried
        .enumerate()
        .map(|(index, level)| of_level(index as u32 + 1, *level, verdict(*level)));
    judge_capacity(&recorded(ended, at_least), trials.collect())
}

#[test]
fn the_verdict_answers_what_was_asked() {
    let of = |ended, at_least| found(ended, at_least).verdict;
    assert_eq!(of(EndedBy::Precision, None), Verdict::Pass);
    assert_eq!(of(EndedBy::Budget, None), Verdict::Inconclusive);
    assert_eq!(of(EndedBy::Generator, None), Verdict::Invalid);
    assert_eq!(of(EndedBy::NotRecovered, None), Verdict::Fail);
    assert_eq!(of(EndedBy::Interrupted, Some(100.0)), Verdict::Inconclusive);
    for (wanted, verdict) in [
        (500.0, Verdict::Pass),
        (1_200.0, Verdict::Fail),
        (800.0, Verdict::Inconclusive),
    ] {
        assert_eq!(of(EndedBy::Precision, Some(wanted)), verdict, "{wanted}");
    }
    assert_eq!(of(EndedBy::NotRecovered, Some(500.0)), Verdict::Fail);
    let unsealed = Recorded {
        sealed: false,
        ..recorded(EndedBy::Precision, None)
    };
    assert_eq!(
        judge_capacity(&unsealed, Vec::new()).verdict,
        Verdict::Invalid
    );
}

#[test]
fn what_was_met_alone_is_a_bound_and_no_interval() {
    let met = [100.0, 200.0]
        .iter()
        .zip(1..)
        .map(|(level, number)| of_level(number, *level, Outcome::Met));
    let mut trials: Vec<Trial> = met.collect();
    trials.push(of_level(3, 400.0, Outcome::Untrusted));
    let found = judge_capacity(&recorded(EndedBy::Generator, None), trials.clone());
    assert_eq!(
        (found.verdict, found.capacity.met, found.capacity.upper),
        (Verdict::Invalid, Some(200.0), None)
    );
    let lines = render::capacity_lines(&found);
    assert!(
        lines.contains("capacity: at least 200/s, the generator gave way first at 400/s"),
        "{lines}"
    );
    // What had to be carried was carried as often as a level is tried, whatever was the limit beyond it.
    let of = |wanted| judge_capacity(&recorded(EndedBy::Generator, Some(wanted)), trials.clone());
    assert_eq!(of(90.0).verdict, Verdict::Pass);
    let once = of(150.0);
    assert_eq!(once.verdict, Verdict::Inconclusive);
    assert!(
        once.reason.contains("only 1 of the 2 trials"),
        "{}",
        once.reason
    );
    assert_eq!(of(300.0).verdict, Verdict::Invalid);
}

/// The search may go no further than 10,000/s, and its one miss was a hiccup.
#[test]
fn an_interval_that_reaches_the_end_of_the_search_is_a_lower_bound() {
    let met = [9_000.0, 9_600.0, 10_000.0, 10_000.0, 9_800.0];
    let mut trials: Vec<Trial> = met
        .iter()
        .zip(1..)
        .map(|(level, number)| of_level(number, *level, Outcome::Met))
        .collect();
    trials.push(of_level(6, 9_300.0, Outcome::Missed));
    for ended in [EndedBy::Most, EndedBy::Precision] {
        let of = |wanted| judge_capacity(&recorded(ended, wanted), trials.clone());
        let found = of(None);
        assert_eq!(
            (found.verdict, found.capacity.upper),
            (Verdict::Inconclusive, None)
        );
        let lines = render::capacity_lines(&found);
        assert!(
            lines.contains("capacity: at least 8,")
                && lines.contains("reached its end at 10,000/s"),
            "{lines}"
        );
        assert_eq!(of(Some(8_000.0)).verdict, Verdict::Pass);
        assert_eq!(of(Some(9_999.0)).verdict, Verdict::Inconclusive);
    }
}

#[test]
fn a_check_is_no_level_that_gave_way() {
    let check = |outcome| Trial {
        purpose: Purpose::Check,
        ..of_level(1, 10.0, outcome)
    };
    for (ended, outcome) in [
        (EndedBy::Generator, Outcome::Untrusted),
        (EndedBy::NotRecovered, Outcome::Missed),
    ] {
        let trials = vec![check(outcome), of_level(2, 400.0, outcome)];
        let found = judge_capacity(&recorded(ended, None), trials);
        assert_eq!(
            found.gave_way.map(|own| own.level),
            Some(400.0),
            "{ended:?}"
        );
        let alone = judge_capacity(&recorded(ended, None), vec![check(outcome)]);
        assert_eq!(alone.gave_way, None, "{ended:?}");
        assert!(!alone.reason.ends_with(": "), "{}", alone.reason);
    }
}

#[test]
fn the_answer_names_the_interval_the_limit_and_the_knee() {
    let found = found(EndedBy::Precision, None);
    let (lower, upper) = (found.capacity.lower.unwrap(), found.capacity.upper.unwrap());
    assert!(
        lower < 800.0 && 800.0 < upper && upper < 1.3 * lower,
        "{lower} {upper}"
    );
    let way = found.gave_way.as_ref().unwrap();
    assert_eq!((way.what, way.level), (Limit::Latency, 820.0));
    // The throughput of these trials has its peak where 0.001 n² is one.
    let knee = found.scalability.knee.unwrap();
    assert!(
        (knee - 31.6).abs() < 3.0,
        "{knee}: {}",
        found.scalability.reason
    );
    let lines = render::capacity_lines(&found);
    assert!(
        lines.ends_with("verdict: pass\n") && lines.contains("latency gave way first at 820/s"),
        "{lines}"
    );
}

#[test]
fn the_schema_is_the_one_that_is_checked_in_and_documents_fit_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/capacity.schema.json");
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&capacity_schema()).unwrap()
    );
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
    let validator = jsonschema::validator_for(&capacity_schema()).unwrap();
    let nothing = judge_capacity(&recorded(EndedBy::NothingMet, None), Vec::new());
    for own in [found(EndedBy::Precision, Some(100.0)), nothing] {
        let outputs = render::capacity_outputs("About.", &own);
        let value: serde_json::Value = serde_json::from_slice(&outputs[0].1).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(problems, Vec::<String>::new());
        let back: CapacityDocument = serde_json::from_value(value).unwrap();
        assert_eq!(render::capacity_outputs("About.", &back), outputs);
    }
}

#[test]
fn the_page_is_well_formed_and_alone() {
    let nothing = judge_capacity(&recorded(EndedBy::NothingMet, None), Vec::new());
    for own in [found(EndedBy::Precision, None), nothing] {
        let outputs = render::capacity_outputs("A search <that> never was.", &own);
        let page = String::from_utf8(outputs[1].1.clone()).unwrap();
        let document = parsed(&page);
        let charts = document
            .descendants()
            .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "svg")));
        assert!(charts.count() >= 4, "each chart is there twice");
        assert!(!page.contains("<script") && !page.contains("http-equiv=\"refresh\""));
    }
    let page = String::from_utf8(
        render::capacity_outputs("", &found(EndedBy::Precision, None))[1]
            .1
            .clone(),
    )
    .unwrap();
    assert!(page.contains("href=\"trials/005-trial-1600/report.html\""));
}
