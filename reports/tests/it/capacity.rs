//! Searches that never were: what all trials together come to.

use firedrill_evidence::Verdict;
use firedrill_reports::capacity::{Begun, EndedBy, Form, Outcome, Purpose, Recorded, Settings};
use firedrill_reports::recording::Mode;
use firedrill_reports::result::{LatencyLimit, Limit, Trial};
use firedrill_reports::{CapacityDocument, capacity_schema, judge_capacity, render};

use super::rendering::parsed;
use super::synthetic::{MS, SECOND, environment};

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

#[test]
fn a_silent_probe_is_named_and_the_generator_is_not_blamed() {
    let silent = Trial {
        limit: Some(Limit::Metric),
        reason: "queue: the probe of service.queue was silent from 2 s to 9 s".to_owned(),
        ..of_level(2, 400.0, Outcome::Untrusted)
    };
    let trials = vec![of_level(1, 200.0, Outcome::Met), silent];
    let found = judge_capacity(&recorded(EndedBy::Probe, None), trials);
    assert_eq!(
        (found.verdict, found.gave_way.is_none()),
        (Verdict::Invalid, true)
    );
    assert!(
        found
            .reason
            .contains("the probe of service.queue was silent")
            && found.reason.contains("its time-out"),
        "{}",
        found.reason
    );
    assert!(!render::capacity_lines(&found).contains("generator"));
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
    // A target that was never well was looked at, and not tried.
    let never = judge_capacity(
        &recorded(EndedBy::NothingMet, None),
        vec![Trial {
            level: 7.0,
            ..check(Outcome::Missed)
        }],
    );
    assert_eq!(
        never.reason,
        "the objectives are missed at 7/s already: latency-p99: 130 ms"
    );
}

/// What was missed at a higher level than was asked for says nothing of it, unless nothing at all ended ok.
#[test]
fn a_level_below_all_that_were_tried_is_not_judged_by_them() {
    let of = |wanted, failed| {
        let missed = Trial {
            failed: Some(failed),
            ..of_level(1, 100.0, Outcome::Missed)
        };
        judge_capacity(&recorded(EndedBy::NothingMet, Some(wanted)), vec![missed])
    };
    assert_eq!(of(100.0, 0.0).verdict, Verdict::Fail);
    assert_eq!(of(20.0, 1.0).verdict, Verdict::Fail);
    let below = of(20.0, 0.0);
    assert_eq!(below.verdict, Verdict::Inconclusive);
    assert!(
        below
            .reason
            .starts_with("20/s was not tried: lower --from; the objectives are missed at 100/s"),
        "{}",
        below.reason
    );
}

/// A hiccup far below what the target carries is no level at which it gave way.
#[test]
fn what_gave_way_first_did_so_where_the_capacity_lies() {
    let mut trials = found(EndedBy::Precision, None).trials;
    trials.push(of_level(20, 310.0, Outcome::Missed));
    let found = judge_capacity(&recorded(EndedBy::Precision, None), trials);
    let (lower, way) = (found.capacity.lower.unwrap(), found.gave_way.unwrap());
    assert!(lower > 310.0 && way.level >= lower, "{lower} {way:?}");
}

/// Where the generator ended the search it gave way beyond what was met; a level that was met once it was made again is
/// none of it.
#[test]
fn a_generator_that_ended_the_search_gave_way_beyond_what_was_met() {
    let of = |untrusted: &[f64]| {
        let mut trials = vec![of_level(1, 400.0, Outcome::Met)];
        trials.extend(
            (2..)
                .zip(untrusted)
                .map(|(number, level)| of_level(number, *level, Outcome::Untrusted)),
        );
        let way = judge_capacity(&recorded(EndedBy::Generator, None), trials)
            .gave_way
            .unwrap();
        (way.what, way.level)
    };
    assert_eq!(of(&[200.0, 1600.0, 800.0]), (Limit::Generator, 800.0));
    assert_eq!(of(&[200.0, 300.0]), (Limit::Generator, 200.0));
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
