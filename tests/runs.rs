//! Whole runs against embedded sites: what a user gets, and what holds on a bad day.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use rustix::process::Signal;

use crate::drills::mini;
use crate::program::{
    Folder, alone, firedrill, is_alive, run, site_pids, start, stopped_meanwhile,
};

/// A small site, a short load; `steady` is what is judged.
fn scenario(rate: &str, steady: &str) -> String {
    format!(
        "scenario: miniature\n\
         about: A small site under a short load.\n\
         target: {{ sites: {{ primary: {{ pods: 1 }} }} }}\n\
         load:\n\
         \x20 arrivals: {{ constant: {rate} }}\n\
         \x20 sessions: {{ count: 8, open_rate: 100/s }}\n\
         \x20 operations:\n\
         \x20   - {{ tool: echo, weight: 3, arguments: {{ message: \"{{{{unique}}}}\" }}, check: {{ /content/0/text: \"{{{{message}}}}\" }} }}\n\
         \x20   - {{ method: tools/list, weight: 1 }}\n\
         timeline:\n\
         \x20 - {{ phase: warm-up, for: 500ms, measured: false }}\n\
         \x20 - {{ phase: steady, for: {steady} }}\n\
         objectives:\n\
         \x20 - {{ latency: p99, below: 500ms }}\n\
         \x20 - {{ errors: 0.5 % }}\n"
    )
}

#[test]
fn a_run_ends_in_a_verdict_a_report_and_an_exit_code() {
    let folder = Folder::new();
    let done = run(&folder, &scenario("400/s", "3s"), &["--seed", "11"]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(done.stdout.ends_with("verdict: pass\n"), "{}", done.stdout);
    assert!(
        done.stdout
            .lines()
            .filter(|line| line.starts_with("check "))
            .count()
            >= 2
    );
    for name in [
        "result.json",
        "report.html",
        "junit.xml",
        "summary.md",
        "manifest.json",
        "plan.yaml",
    ] {
        assert!(folder.run().join(name).is_file(), "{name} is missing");
    }
    let result = folder.result();
    let outcomes = result["load"]["outcomes"].as_object().expect("outcomes");
    let sum: u64 = outcomes.values().filter_map(|count| count.as_u64()).sum();
    assert_eq!(sum, 1400, "issued is the sum of outcomes: {outcomes:?}");
    assert_eq!(result["run"]["mode"], "rehearsal");
    let schema = firedrill_reports::schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let faults: Vec<String> = validator
        .iter_errors(&result)
        .map(|fault| fault.to_string())
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(site_pids(&folder).len() >= 3);
    assert!(
        site_pids(&folder).iter().all(|pid| !is_alive(*pid)),
        "a child survived"
    );
}

#[test]
fn judging_again_gives_the_same_bytes() {
    let folder = Folder::new();
    assert_eq!(run(&folder, &scenario("400/s", "2s"), &[]).code, 0);
    let outputs = ["result.json", "report.html", "junit.xml", "summary.md"];
    let read = || outputs.map(|name| fs::read(folder.run().join(name)).expect("an output"));
    let before = read();
    let path = folder.run();
    let path = path.to_str().expect("a path");
    for name in outputs {
        fs::remove_file(folder.run().join(name)).expect("an output");
    }
    assert_eq!(firedrill(&["judge", path]).code, 0);
    assert!(read() == before, "judge wrote other bytes");
    assert_eq!(firedrill(&["report", path]).code, 0);
    assert!(read() == before, "report wrote other bytes");
    assert_eq!(
        firedrill(&["judge", path, "--strict"]).code,
        3,
        "a point rule is not enough"
    );
    let buckets = folder.run().join("buckets.csv");
    let text = fs::read_to_string(&buckets).expect("buckets");
    fs::write(&buckets, text.replace("steady", "steads")).expect("buckets");
    let done = firedrill(&["judge", path]);
    assert_eq!(done.code, 4, "{done:?}");
    assert!(done.stderr.contains("buckets.csv"), "{}", done.stderr);
}

#[test]
fn the_number_of_threads_changes_no_due_time() {
    let due = |threads: &str| {
        let folder = Folder::new();
        let text = scenario("300/s", "2s").replace("constant", "poisson");
        run(&folder, &text, &["--seed", "5", "--threads", threads]);
        let buckets = fs::read_to_string(folder.run().join("buckets.csv")).expect("buckets");
        let first_four = |line: &str| line.split(',').take(4).collect::<Vec<_>>().join(",");
        buckets.lines().map(first_four).collect::<Vec<_>>()
    };
    let alone = due("1");
    assert!(alone.len() > 4, "{alone:?}");
    assert_eq!(alone, due("3"));
}

#[test]
fn a_reader_of_stderr_that_goes_away_does_not_end_the_run() {
    let folder = Folder::new();
    let mut running = start(&folder, &scenario("400/s", "2s"));
    running.wait_for("miniature");
    let done = running.finish_unheard();
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(folder.run().join("report.html").exists());
}

/// What it says of its fault is said by another voice than the progress of the load.
#[test]
fn a_reader_of_stderr_that_goes_away_does_not_end_a_drill() {
    let folder = Folder::new();
    let outage = "  - { phase: outage, fault: { pod-kill: { site: primary, pods: 1 } }, for: 2s }
  - { read-back: primary }";
    let mut running = start(&folder, &mini("mini", outage, ""));
    running.wait_for("mini");
    let done = running.finish_unheard();
    assert_eq!(done.code, 0, "{done:#?}");
    let fault = &folder.result()["faults"][0];
    let left = fault["leftovers"].as_array().map(Vec::len);
    assert!(fault["effect"].is_string() && left == Some(0), "{fault}");
    assert!(folder.run().join("report.html").exists());
}

#[test]
fn an_interrupt_ends_early_with_a_report_and_a_second_one_does_not_skip_it() {
    let folder = Folder::new();
    let mut running = start(&folder, &scenario("200/s", "60s"));
    running.wait_for("/s ok");
    running.signal(Signal::INT);
    running.wait_for("ending early");
    running.signal(Signal::INT);
    let done = running.finish();
    assert_eq!(done.code, 130, "{done:#?}");
    assert!(folder.run().join("report.html").is_file());
    let pids = site_pids(&folder);
    assert!(
        pids.len() >= 3 && pids.iter().all(|pid| !is_alive(*pid)),
        "{pids:?}"
    );
}

#[test]
fn a_terminal_that_goes_away_ends_the_run_unless_it_was_started_to_outlive_it() {
    let folder = Folder::new();
    let mut running = start(&folder, &scenario("200/s", "60s"));
    running.wait_for("/s ok");
    running.signal(Signal::HUP);
    let done = running.finish();
    assert_eq!(done.code, 130, "{done:#?}");
    assert!(folder.run().join("report.html").is_file());

    let folder = Folder::new();
    let path = folder.file("scenario.yaml", &scenario("400/s", "3s"));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]);
    command.args([env!("CARGO_BIN_EXE_firedrill"), "run"]);
    command.arg(path).arg("--out").arg(folder.run());
    let mut running = crate::program::Running::start(command);
    running.wait_for("/s ok");
    running.signal(Signal::HUP);
    let done = running.finish();
    assert_eq!(done.code, 0, "{done:#?}");
}

#[test]
fn no_child_survives_a_kill_of_the_program() {
    let folder = Folder::new();
    let mut running = start(&folder, &scenario("200/s", "60s"));
    running.wait_for("/s ok");
    let pids = site_pids(&folder);
    assert!(
        pids.len() >= 3 && pids.iter().all(|pid| is_alive(*pid)),
        "{pids:?}"
    );
    let descriptors: Vec<_> = pids.iter().map(|pid| pidfd(*pid)).collect();
    running.signal(Signal::KILL);
    assert_eq!(running.finish().code, 128 + 9);
    for descriptor in descriptors {
        wait_for_end(&descriptor);
    }
}

fn pidfd(pid: u64) -> std::os::fd::OwnedFd {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process id");
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).expect("a live process")
}

/// Waits for the end of a process, at most ten seconds.
fn wait_for_end(descriptor: &std::os::fd::OwnedFd) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec {
        tv_sec: 10,
        tv_nsec: 0,
    };
    let mut waits = [PollFd::new(descriptor, PollFlags::IN)];
    assert_eq!(
        poll(&mut waits, Some(&limit)),
        Ok(1),
        "a child survived the program"
    );
}

#[test]
fn a_stalled_target_is_judged_and_a_stalled_generator_is_not() {
    let _machine = alone();
    // The sites are processes of the program, so that both can be stopped from outside.
    for (stop_target, expected) in [(true, [0, 1].as_slice()), (false, [4].as_slice())] {
        let folder = Folder::new();
        // A limit that a second does not break: a stopped generator has to be told by its lateness alone.
        let text = scenario("300/s", "12s").replace("p99, below: 500ms", "p50, below: 500ms");
        let done = stopped_meanwhile(&folder, &text, stop_target, Duration::from_secs(1));
        assert!(
            expected.contains(&done.code),
            "stop_target {stop_target}: {done:#?}"
        );
    }
}

#[test]
fn a_machine_with_too_few_files_is_told_before_anything_starts() {
    let folder = Folder::new();
    let path = folder.file("scenario.yaml", &scenario("100/s", "1s"));
    let out = folder.run();
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_firedrill");
    shell
        .arg0("sh")
        .args(["-c", "ulimit -n 100 && exec \"$@\"", "sh", program, "run"]);
    shell.args([
        path.to_str().expect("a path"),
        "--out",
        out.to_str().expect("a path"),
    ]);
    let done = crate::program::done(shell.output().expect("a shell"));
    assert_eq!(done.code, 5, "{done:?}");
    assert!(done.stderr.contains("ulimit -n"), "{}", done.stderr);
    assert!(!out.exists());
}

#[test]
fn tls_is_spoken_with_the_sites_own_authority() {
    let folder = Folder::new();
    let text = scenario("400/s", "3s").replace("target: { sites", "target: { tls: true, sites");
    let done = run(&folder, &text, &[]);
    assert_eq!(done.code, 0, "{done:#?}");
}

#[test]
fn several_loads_are_judged_apart_and_an_objective_can_end_the_run() {
    let folder = Folder::new();
    let text = "scenario: two-loads\n\
        about: One load fails on purpose, and ends the run.\n\
        target: { sites: { primary: { pods: 1 } } }\n\
        loads:\n\
        \x20 good: { arrivals: { constant: 200/s }, sessions: { count: 4, open_rate: 100/s }, operations: [ { tool: echo, weight: 1, arguments: { message: \"{{unique}}\" } } ] }\n\
        \x20 bad: { arrivals: { constant: 200/s }, sessions: { count: 4, open_rate: 100/s }, operations: [ { tool: echo, weight: 1, arguments: { message: \"{{unique}}\" }, check: { /content/0/text: \"never\" } } ] }\n\
        timeline: [ { phase: steady, for: 40s } ]\n\
        objectives:\n\
        \x20 - { latency: p99, below: 500ms, operation: good.echo }\n\
        \x20 - { errors: 0.5 %, class: check_failed, operation: bad.echo, over: 2s, abort: true }\n";
    let done = run(&folder, text, &[]);
    assert_eq!(done.code, 1, "{done:#?}");
    let result = folder.result();
    let outcomes = &result["load"]["outcomes"];
    assert_eq!(
        outcomes["ok"].as_u64().map(|ok| ok > 200),
        Some(true),
        "{outcomes}"
    );
    assert_eq!(
        outcomes["check_failed.0"].as_u64().map(|bad| bad > 200),
        Some(true),
        "{outcomes}"
    );
    let events = folder.events();
    let early = events
        .iter()
        .find(|line| line["event"]["kind"] == "ended_early");
    assert_eq!(
        early.expect("the run was ended")["event"]["reason"],
        "aborted"
    );
    let intended = result["load"]["intended"].as_u64().expect("a count");
    assert!(intended < 8_000, "the run went on to its end: {intended}");
}

#[test]
fn several_scenarios_end_with_the_worst_verdict_and_say_whose_each_is() {
    let folder = Folder::new();
    let good = scenario("400/s", "2s");
    let bad = good
        .replace("scenario: miniature", "scenario: unlucky")
        .replace("\"{{message}}\"", "\"never\"");
    let (good, bad) = (
        folder.file("good.yaml", &good),
        folder.file("bad.yaml", &bad),
    );
    let (good, bad) = (
        good.to_str().expect("a path"),
        bad.to_str().expect("a path"),
    );
    let out = folder.run();
    let out = out.to_str().expect("a path");
    let done = firedrill(&["run", bad, good, "--out", out]);
    assert_eq!(done.code, 1, "{done:#?}");
    let told: Vec<&str> = done
        .stdout
        .lines()
        .filter(|line| !line.starts_with("check "))
        .collect();
    assert_eq!(
        told,
        [
            "scenario unlucky: fail",
            "scenario miniature: pass",
            "verdict: fail"
        ]
    );
}

#[test]
fn scenarios_that_would_share_a_folder_are_refused_before_the_first_starts() {
    let folder = Folder::new();
    let path = folder.file("good.yaml", &scenario("400/s", "2s"));
    let path = path.to_str().expect("a path");
    let out = folder.run();
    let done = firedrill(&["run", path, path, "--out", out.to_str().expect("a path")]);
    assert_eq!(done.code, 2, "{done:#?}");
    assert!(done.stderr.contains("`miniature`"), "{}", done.stderr);
    assert!(!out.exists(), "something was started");
}

/// Phases need not end with a second: what the busy one completed is not its neighbours'.
#[test]
fn what_ended_ok_is_counted_in_the_phase_in_which_it_did() {
    let folder = Folder::new();
    let text = "scenario: borders\ntarget: { sites: { primary: { pods: 1 } } }
load: { rate: 20/s, sessions: { count: 8 }, operations: [{ method: ping }] }
timeline:
  - { phase: before, for: 1500ms }
  - { phase: busy, for: 1s, arrivals: { constant: 600/s } }
  - { phase: after, for: 1500ms }
objectives: [{ errors: 1 % }]
";
    run(&folder, text, &["--seed", "1"]);
    let result = folder.result();
    for phase in result["phases"].as_array().expect("phases") {
        let flow = &phase["flow"];
        let number = |value: &serde_json::Value| value.as_i64().expect("a number");
        let under_way = number(&flow["not_completed"]["under_way"]);
        // What is under way at a border, and no part of the neighbour's hundreds.
        assert!(under_way.abs() <= 16, "{phase:#}");
        let parts = number(&flow["completed"]) + under_way;
        assert_eq!(parts, number(&phase["completed"]), "{phase:#}");
    }
}
