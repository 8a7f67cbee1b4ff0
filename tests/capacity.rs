//! The search for capacity, through the program: what it finds of targets whose capacity is known, and what it refuses.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Done, Folder, Running, Sink, bare, firedrill, send};
use crate::sites::{Sites, text};

/// A pod that works on 4 operations at once, each for 20 ms: 200 a second.
fn scenario(load: &str) -> String {
    format!(
        "scenario: little\n\
         about: A pod with a capacity that can be computed.\n\
         target: {{ sites: {{ primary: {{ pods: 1, behaviour: {{ capacity: 4, service_time: 20ms }} }} }} }}\n\
         load: {{ {load}, operations: [ {{ tool: echo, arguments: {{ message: \"{{{{unique}}}}\" }} }} ] }}\n\
         timeline: [ {{ phase: steady, for: 10s }} ]\n\
         objectives: [ {{ latency: p90, below: 50ms }}, {{ errors: 5 % }} ]\n"
    )
}

const OPEN: &str = "rate: 100/s, sessions: { count: 8 }";
/// A search with trials of this length, and few of them.
fn arguments<'a>(
    scenario: &'a str,
    out: &'a str,
    trial: &'a str,
    more: &[&'a str],
) -> Vec<&'a str> {
    let mut words = vec!["capacity", scenario, "--seed", "7", "--out", out];
    words.extend(["--trial", trial, "--rest", "0s"]);
    words.extend(["--repeats", "1", "--precision", "30%"]);
    words.extend(more);
    words
}

fn capacity(folder: &Folder, scenario: &str, more: &[&str]) -> Done {
    let (path, out) = folder.placed(scenario);
    let mut words = arguments(&path, &out, "1s", more);
    words.push("--no-calibration");
    firedrill(&words)
}

fn found(folder: &Folder) -> Value {
    let text = fs::read_to_string(folder.run().join("capacity.json")).expect("capacity.json");
    let found = serde_json::from_str(&text).expect("JSON");
    let validator =
        jsonschema::validator_for(&firedrill_reports::capacity_schema()).expect("a schema");
    let faults: Vec<String> = validator
        .iter_errors(&found)
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    found
}

/// The ends of the interval.
fn interval(found: &Value) -> (f64, f64) {
    let end = |name: &str| {
        found["capacity"][name]
            .as_f64()
            .unwrap_or_else(|| panic!("no {name}: {found:#}"))
    };
    (end("lower"), end("upper"))
}

#[test]
#[ignore = "a search takes more than a minute: a lane of .ci/run"]
fn the_rate_that_a_pod_can_carry_is_found_and_judging_again_gives_the_same_bytes() {
    let folder = Folder::new();
    let done = capacity(&folder, &scenario(OPEN), &["--at-least", "100/s"]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(done.stdout.ends_with("verdict: pass\n"), "{}", done.stdout);
    let before = found(&folder);
    let (lower, upper) = interval(&before);
    // A pod's own work and its timer come on top of the 20 ms.
    assert!(
        lower <= 200.0 && upper >= 150.0 && upper / lower < 1.6,
        "{lower} to {upper}: {done:#?}"
    );
    let way = before["gave_way"]["what"].as_str().unwrap_or_default();
    assert!(["latency", "queue"].contains(&way), "{way}");
    let trials = before["trials"].as_array().expect("trials");
    for trial in trials {
        let own = folder
            .run()
            .join(trial["folder"].as_str().expect("a folder"));
        assert!(
            own.join("report.html").is_file() && own.join("manifest.json").is_file(),
            "{own:?}"
        );
    }
    let outputs = ["capacity.json", "report.html"];
    let read = || outputs.map(|name| fs::read(folder.run().join(name)).expect("an output"));
    let bytes = read();
    for name in outputs {
        fs::remove_file(folder.run().join(name)).expect("an output");
    }
    let again = firedrill(&["judge", folder.run().to_str().expect("a path")]);
    assert_eq!((again.code, again.stdout), (0, done.stdout));
    assert!(read() == bytes, "judge wrote other bytes");
    fs::write(folder.run().join("capacity.jsonl"), "{}\n").expect("a file of the test's own");
    assert_ne!(
        firedrill(&["judge", folder.run().to_str().expect("a path")]).code,
        0
    );
}

#[test]
fn what_is_not_carried_fails() {
    let folder = Folder::new();
    let done = capacity(
        &folder,
        &scenario(OPEN),
        &["--at-least", "400/s", "--most", "1000/s", "--trials", "5"],
    );
    assert_eq!(done.code, 1, "{done:#?}");
    assert!(
        done.stdout.contains("400/s is not carried"),
        "{}",
        done.stdout
    );
}

/// 4 at once, 20 ms each, and 50 ms at most: 10 sessions wait that long.
#[test]
#[ignore = "a search takes more than a minute: a lane of .ci/run"]
fn the_sessions_that_a_pod_can_carry_are_found() {
    let folder = Folder::new();
    let text = scenario("closed: { think: 0s }, sessions: { count: 3 }");
    let done = capacity(&folder, &text, &[]);
    assert_eq!(done.code, 0, "{done:#?}");
    let found = found(&folder);
    let (lower, upper) = interval(&found);
    assert!(
        lower <= 10.0 && (6.0..=14.0).contains(&upper),
        "{lower} to {upper}: {done:#?}"
    );
    assert_eq!(found["form"], "closed");
}

/// A generator at its limit need not be late: what it has left is known from the calibration.
#[test]
#[ignore = "a search takes more than a minute: a lane of .ci/run"]
fn a_generator_that_gives_way_first_makes_it_invalid() {
    let (folder, sink) = (Folder::new(), Sink::start(bare(&["sink"])));
    let (path, out) = folder.placed(&scenario(OPEN));
    let fast = ["--from", "600000/s", "--most", "900000/s", "--trials", "3"];
    let alone = ["--target", &sink.url, "--threads", "1"];
    let words = arguments(&path, &out, "3s", &[fast.as_slice(), &alone].concat());
    let done = firedrill(&words);
    assert_eq!(done.code, 4, "{done:#?}");
    assert!(
        done.stdout.contains("the generator was the limit"),
        "{}",
        done.stdout
    );
    assert_eq!(found(&folder)["gave_way"]["what"], "generator");
}

#[test]
fn a_target_that_does_not_recover_fails() {
    let (folder, sink) = (Folder::new(), Sink::start(bare(&["sink"])));
    let (path, out) = folder.placed(&scenario(OPEN));
    let mut running = Running::start(bare(&arguments(
        &path,
        &out,
        "1s",
        &["--target", &sink.url],
    )));
    running.wait_for("trial 002");
    send(sink.child.id(), Signal::KILL);
    let done = running.finish();
    assert_eq!(done.code, 1, "{done:#?}");
    assert!(
        done.stdout.contains("the target did not recover"),
        "{}",
        done.stdout
    );
    assert_eq!(found(&folder)["ended_by"], "not_recovered");
}

/// What refuses every connection fails, as it does in a run; and it is said how.
#[test]
fn a_target_that_nobody_listens_at_fails_with_its_outcome() {
    // A port that was free a moment ago.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/mcp", socket.local_addr().expect("an address"));
    drop(socket);
    let folder = Folder::new();
    let done = capacity(&folder, &scenario(OPEN), &["--target", &url]);
    assert_eq!(done.code, 1, "{done:#?}");
    assert!(
        done.stdout.contains("missed at 10/s already") && done.stdout.contains("connect.refused"),
        "{}",
        done.stdout
    );
    let found = found(&folder);
    assert_eq!(found["ended_by"], "nothing_met");
    // The same again is without a calibration again.
    let command = found["run"]["command"].as_str().unwrap_or_default();
    assert!(command.ends_with("--no-calibration"), "{command}");
}

/// 50 a second at most, where the scenario's own rate is twenty times that.
#[test]
fn what_has_to_be_carried_is_tried_though_the_scenario_does_more() {
    let folder = Folder::new();
    let little =
        scenario("rate: 1000/s, sessions: { count: 8 }").replace("capacity: 4", "capacity: 1");
    let (path, out) = folder.placed(&little);
    let once = ["--at-least", "20/s", "--trials", "1"];
    let done = firedrill(&arguments(&path, &out, "5s", &once));
    assert_eq!(done.code, 0, "{done:#?}");
}

/// As much is under way as operations take, and no more: 60 a second of two seconds each.
#[test]
fn a_slow_target_that_keeps_up_is_no_target_with_a_backlog() {
    let folder = Folder::new();
    let slow = scenario("rate: 60/s, sessions: { count: 8 }")
        .replace(
            "capacity: 4, service_time: 20ms",
            "capacity: 1000, service_time: 2s",
        )
        .replace("below: 50ms", "below: 4s");
    let (path, out) = folder.placed(&slow);
    let once = ["--at-least", "60/s", "--trials", "1"];
    let done = firedrill(&arguments(&path, &out, "3s", &once));
    assert_eq!(done.code, 0, "{done:#?}");
}

/// Sites that `serve` keeps, under an open load and then under a closed one.
#[test]
fn sites_that_somebody_else_keeps_are_searched_in_both_forms() {
    let sites = Sites::start(&scenario(OPEN));
    let sessions = "closed: { think: 0s }, sessions: { count: 2 }";
    for (load, wanted) in [(OPEN, "100/s"), (sessions, "2")] {
        let own = Folder::new();
        let once = [
            "--at-least",
            wanted,
            "--trials",
            "1",
            "--target",
            text(&sites.state),
        ];
        let done = capacity(&own, &scenario(load), &once);
        assert_eq!(done.code, 0, "{load}: {done:#?}");
        let target = found(&own)["run"]["target"].clone();
        let target = target.as_str().unwrap_or_default();
        assert!(target.starts_with("attached embedded stand-in"), "{target}");
    }
}

#[test]
fn an_interrupt_leaves_a_report_of_what_there_is() {
    let folder = Folder::new();
    let (path, out) = folder.placed(&scenario(OPEN));
    let mut running = Running::start(bare(&arguments(&path, &out, "60s", &[])));
    running.wait_for("check 001");
    running.signal(Signal::INT);
    let done = running.finish();
    assert_eq!(done.code, 130, "{done:#?}");
    let found = found(&folder);
    assert_eq!(
        (&found["verdict"], &found["ended_by"]),
        (&"inconclusive".into(), &"interrupted".into())
    );
    assert!(folder.run().join("report.html").is_file());
}

#[test]
fn what_cannot_be_searched_is_refused_before_anything_starts() {
    let folder = Folder::new();
    let sessions = scenario("closed: { think: 0s }, sessions: { count: 4 }");
    let (open, closed) = (
        folder.file("open.yaml", &scenario(OPEN)),
        folder.file("closed.yaml", &sessions),
    );
    let (open, closed) = (
        open.to_str().expect("a path"),
        closed.to_str().expect("a path"),
    );
    let cases: [(&str, &[&str], &str); 11] = [
        ("site-failure", &[], "without faults"),
        ("dr-night", &[], "is a programme"),
        (open, &["--from", "50"], "--from 50/s"),
        (closed, &["--most", "50/s"], "--most 50"),
        (
            open,
            &["--from", "500/s", "--most", "400/s"],
            "nowhere to go",
        ),
        (
            open,
            &["--at-least", "500/s", "--most", "400/s"],
            "raise --most",
        ),
        (open, &["--at-least", "2000000/s"], "lower --at-least"),
        (open, &["--from", "5/s"], "too few operations"),
        (open, &["--most", "50/s"], "from 100/s (without --from)"),
        (open, &["--trials", "0"], "invalid value"),
        (open, &["--target", "nowhere"], "`nowhere` is no target"),
    ];
    for (scenario, more, words) in cases {
        let out = folder.run();
        let done = firedrill(&arguments(
            scenario,
            out.to_str().expect("a path"),
            "1s",
            more,
        ));
        assert_eq!(done.code, 2, "{scenario} {more:?}: {done:#?}");
        assert!(
            done.stderr.contains(words),
            "{scenario} {more:?}: {}",
            done.stderr
        );
        assert!(!out.exists(), "{scenario} {more:?}: something was started");
    }
}
