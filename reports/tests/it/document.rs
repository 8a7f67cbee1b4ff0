//! `result.json`: its schema, its contract, and the same bytes each time.

use firedrill_reports::{ResultDocument, render};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent};

use super::judging::probed;
use super::synthetic::{MS, Run, SHORT};
use super::trust::late;

const REFUSED: Outcome = Outcome::Connect(ConnectFailure::Refused);

#[test]
fn what_was_issued_is_the_sum_of_its_outcomes() {
    let mixed = |second: u64, index: u64| match index % 10 {
        0 => (REFUSED, MS),
        1 => (Outcome::NotSent(NotSent::InFlightLimit), 0),
        _ => (Outcome::Ok, second * MS / 2 + MS),
    };
    let result = Run::steady(SHORT, 100, mixed).judged();
    let load = &result.load;
    assert_eq!(load.intended, load.outcomes.values().sum::<u64>());
    assert_eq!(
        (load.intended, load.sent, load.completed, load.not_sent),
        (1000, 800, 800, 200)
    );
    assert_eq!(load.asked_per_second, Some(100.0));
    assert_eq!(load.sent_per_second, Some(80.0));
    assert_eq!(load.completed_per_second, Some(80.0));
    let echo = &result.latency["echo"];
    assert_eq!(echo.ok.as_ref().unwrap().response.count, 800);
    assert_eq!(echo.failed.as_ref().unwrap().response.count, 200);
}

#[test]
fn judging_twice_gives_the_same_bytes() {
    let run = late();
    let [one, other] = [(); 2].map(|()| render::outputs(&run.recording(), &run.judged()));
    assert_eq!(one, other);
}

/// The schema is checked in. To write it again after a change: `UPDATE_SCHEMA=1 cargo test -p firedrill-reports`.
#[test]
fn the_schema_is_the_one_that_is_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/result.schema.json");
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&firedrill_reports::schema()).unwrap()
    );
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
}

#[test]
fn every_result_fits_the_schema() {
    let validator = jsonschema::validator_for(&firedrill_reports::schema()).unwrap();
    let killed = Run {
        ended: false,
        ..Run::good(SHORT, 100)
    };
    for run in [
        Run::empty(SHORT),
        Run::good(SHORT, 100),
        late(),
        killed,
        probed(|_| Some(1.0)),
    ] {
        let bytes = render::result_json(&run.judged());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let problems: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(problems, Vec::<String>::new());
        let back: ResultDocument = serde_json::from_value(value).unwrap();
        assert_eq!(render::result_json(&back), bytes);
    }
}

/// What others rely on, by name: the contract's keys are all there.
#[test]
fn the_contract_is_kept() {
    let value = serde_json::to_value(Run::good(SHORT, 100).judged()).unwrap();
    for path in [
        "/schema_version",
        "/run/id",
        "/run/scenario",
        "/run/seed",
        "/run/started",
        "/run/mode",
        "/run/target",
        "/run/firedrill_version",
        "/verdict",
        "/checks/0/id",
        "/checks/0/verdict",
        "/checks/0/unit",
        "/checks/0/target",
        "/checks/0/measured",
        "/checks/0/lower",
        "/checks/0/upper",
        "/checks/0/samples",
        "/checks/0/method",
        "/checks/0/reason",
        "/load/intended",
        "/load/sent",
        "/load/completed",
        "/load/not_sent",
        "/load/outcomes/ok",
        "/load/asked_per_second",
        "/load/sent_per_second",
        "/load/completed_per_second",
        "/latency/all/response/p99",
        "/latency/echo/ok/response/p999",
        "/latency/echo/failed/service/count",
        "/generator/lateness/p99",
        "/generator/waiting/max",
        "/generator/cpu_us_per_operation",
        "/generator/rss_max_bytes",
        "/generator/connections_max",
        "/phases/0/name",
        "/phases/0/start",
        "/phases/0/end",
        "/phases/0/measured",
        "/faults",
        "/data",
    ] {
        assert!(value.pointer(path).is_some(), "{path}");
    }
    assert_eq!(value["schema_version"], "1.0");
    assert_eq!(value["run"]["mode"], "rehearsal");
    assert_eq!(value["checks"][0]["method"], "point");
    assert_eq!(value["checks"][0]["target"], 100_000_000);
}
