//! Programmes: several drills in one folder, one report, and what is left when one is broken off.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::drills::{SITE_FAILURE, mini};
use crate::program::{Folder, Running, command, firedrill, is_alive};

const NIGHT: &str = "programme: night
about: A disaster in miniature, and a moment of load.
covers: A night in miniature
drills: [lost.yaml, calm.yaml]
steps:
  - { step: setup, shown_by: set-up, in: [lost.yaml] }
  - { step: failover, shown_by: failover, in: [lost.yaml] }
  - { step: data, shown_by: data-recovery, in: [lost.yaml] }
  - { step: service, shown_by: restoration, in: [lost.yaml] }
  - { step: performance, shown_by: performance, in: [lost.yaml] }
  - { step: documents, shown_by: documents, in: [lost.yaml] }
  - { step: cleanup, shown_by: clean-up, in: [lost.yaml] }
";

const CALM: &str = "scenario: calm
covers: Daily Operations 2
target: { sites: { primary: { pods: 1 } } }
load: { rate: 400/s, sessions: { count: 8 }, operations: [{ method: ping }] }
timeline: [{ phase: steady, for: 2s }]
objectives: [{ errors: 1 % }, { latency: p99, below: 500ms }]
";

/// The programme's file, with its two scenarios beside it.
fn night(folder: &Folder) -> String {
    let objectives = "  - { rto: 4h, budget: 6s }\n  - { rpo: 15min, budget: 1s }
  - { latency: p99, below: 500ms, in: [dr] }\n  - { errors: 1 %, in: [dr], id: after }\n";
    let lost = mini("lost", SITE_FAILURE, objectives);
    folder.file("lost.yaml", &lost);
    folder.file("calm.yaml", CALM);
    let path = folder.file("night.yaml", NIGHT);
    path.to_str().expect("a path").to_owned()
}

fn events(folder: &Folder) -> Vec<Value> {
    let text = fs::read_to_string(folder.run().join("programme.jsonl")).expect("events");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn step(folder: &Folder, id: &str) -> Value {
    let result = folder.result();
    let checks = result["checks"].as_array().expect("checks").clone();
    let found = checks.into_iter().find(|check| check["id"] == id);
    found.unwrap_or_else(|| panic!("no check {id}"))
}

/// Processes of the drill that was broken, from where it noted them.
fn pids(folder: &Folder, drill: &str) -> Vec<u64> {
    let path = folder.run().join("drills").join(drill).join("target.json");
    let text = fs::read_to_string(path).expect("target.json");
    let target: Value = serde_json::from_str(&text).expect("JSON");
    let processes = target["processes"].as_array().expect("processes");
    processes
        .iter()
        .filter_map(|process| process["pid"].as_u64())
        .collect()
}

#[test]
fn who_says_that_the_monthly_test_is_covered_breaks_all_that_it_is_about() {
    let folder = Folder::new();
    folder.file("lost.yaml", &mini("lost", SITE_FAILURE, ""));
    let steps = NIGHT.split_once("steps:").expect("steps").1;
    let drills = "drills: [lost.yaml]\nsteps:";
    let text = format!("programme: night\ncovers: monthly operations 1\n{drills}{steps}");
    let names = [
        ("step: setup,", "step: setup_test_environment,"),
        ("step: failover,", "step: execute_failover_procedures,"),
        ("step: data,", "step: test_data_recovery,"),
        ("step: service,", "step: verify_service_restoration,"),
        ("step: performance,", "step: performance_validation,"),
        ("step: documents,", "step: document_dr_test_results,"),
        ("step: cleanup,", "step: cleanup_test_environment,"),
    ];
    let text = names
        .iter()
        .fold(text, |text, (own, sop)| text.replace(own, sop));
    let path = folder.file("night.yaml", &text);
    let path = path.to_str().expect("a path");
    for command in ["check", "run"] {
        let done = firedrill(&[command, path]);
        assert_eq!(done.code, 2, "{}", done.stderr);
        let missing = "none of its drills has data-corruption, system-failure, natural-disaster";
        assert!(done.stderr.contains(missing), "{}", done.stderr);
    }
    let alone = CALM.replace("Daily Operations 2", "Monthly Operations 1");
    let path = folder.file("alone.yaml", &alone);
    let done = firedrill(&["check", path.to_str().expect("a path")]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("run dr-night"), "{}", done.stderr);
}

#[test]
fn a_night_ends_in_one_report_and_judging_it_again_gives_the_same_bytes() {
    let folder = Folder::new();
    let (path, run) = (night(&folder), folder.run());
    let run = run.to_str().expect("a path");
    let done = firedrill(&["run", &path, "--seed", "1", "--out", run]);
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
    assert!(done.stdout.ends_with("verdict: pass\n"), "{}", done.stdout);
    assert!(done.stdout.contains("check lost/rto"), "{}", done.stdout);
    let result = folder.result();
    let validator = jsonschema::validator_for(&firedrill_reports::schema()).expect("a schema");
    let faults: Vec<String> = validator
        .iter_errors(&result)
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(step(&folder, "cleanup")["verdict"], "pass");
    let pids = pids(&folder, "lost");
    assert!(
        pids.len() > 4 && pids.iter().all(|pid| !is_alive(*pid)),
        "{pids:?}"
    );
    let names = [
        "result.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "compliance.json",
        "drills/lost/report.html",
        "drills/calm/result.json",
    ];
    let read = || names.map(|name| fs::read(folder.run().join(name)).expect(name));
    let before = read();
    for name in names {
        fs::remove_file(folder.run().join(name)).expect("an output");
    }
    assert_eq!(firedrill(&["judge", run]).code, 0);
    assert!(read() == before, "judge wrote other bytes");
    assert_eq!(firedrill(&["report", run]).code, 0);
    assert!(read() == before, "report wrote other bytes");
    let healed = firedrill(&["heal", run]);
    assert_eq!(healed.code, 0, "{}", healed.stdout);
    let log = folder.run().join("programme.jsonl");
    let text = fs::read_to_string(&log).expect("events");
    fs::write(
        &log,
        text.replace("\"open_changes\":0", "\"open_changes\":1"),
    )
    .expect("events");
    let done = firedrill(&["judge", run]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stderr.contains("programme.jsonl"), "{}", done.stderr);
}

#[test]
fn an_interrupted_night_heals_runs_nothing_more_and_still_reports() {
    let folder = Folder::new();
    let (path, run) = (night(&folder), folder.run());
    let run = run.to_str().expect("a path");
    let mut running = Running::start(command(&["run", &path, "--out", run]));
    running.wait_for("in force");
    running.signal(Signal::INT);
    let done = running.finish();
    assert_eq!(done.code, 130, "{done:#?}");
    assert!(!done.stdout.contains("verdict: pass"), "{}", done.stdout);
    assert!(folder.run().join("report.html").is_file());
    assert!(!folder.run().join("drills/calm").exists());
    assert_eq!(step(&folder, "calm/run")["verdict"], "inconclusive");
    assert_eq!(step(&folder, "cleanup")["verdict"], "pass");
    assert!(pids(&folder, "lost").iter().all(|pid| !is_alive(*pid)));
    let not_run = events(&folder)
        .into_iter()
        .any(|line| line["event"]["kind"] == "not_run" && line["event"]["drill"] == "calm");
    assert!(not_run);
    // The report from the folder alone says the same.
    assert_ne!(firedrill(&["judge", run]).code, 0);
}

#[test]
fn what_a_programme_cannot_take_is_refused_before_anything_starts() {
    let folder = Folder::new();
    let (path, run) = (night(&folder), folder.run());
    let run = run.to_str().expect("a path");
    for (more, said) in [
        (["--set", "load.rate=1/s"], "write its name first"),
        (["--target", "embedded"], "leave out --target"),
        (["--sabotage", "leave-fault"], "shows in no drill"),
    ] {
        let done = firedrill(&[&["run", &path, "--out", run][..], &more].concat());
        assert_eq!(done.code, 2, "{more:?} {}", done.stderr);
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    let done = firedrill(&["run", &path, "smoke", "--out", run]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    let set = "calm.load.rate=300/s";
    let done = firedrill(&[
        "run",
        &path,
        "--seed",
        "5",
        "--dry-run",
        "--set",
        set,
        "--out",
        run,
    ]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("calm, seed") && done.stdout.contains("300/s"));
    assert!(!folder.run().exists());
    let list = firedrill(&["list"]).stdout;
    assert!(list.contains("dr-night") && list.contains("backup-verification"));
}
