//! What is refused, and how: one clear message, the right exit code, nothing started.

use crate::program::{Folder, firedrill, run};

fn endpoint(url: &str) -> String {
    format!(
        "scenario: endpoint\n\
         about: A target that is a URL.\n\
         target: {{ endpoint: \"{url}\" }}\n\
         load:\n\
         \x20 arrivals: {{ constant: 400/s }}\n\
         \x20 sessions: {{ count: 4, open_rate: 100/s }}\n\
         \x20 operations: [ {{ method: ping, weight: 1 }} ]\n\
         timeline: [ {{ phase: steady, for: 2s }} ]\n\
         objectives:\n\
         \x20 - {{ latency: p99, below: 100ms }}\n\
         \x20 - {{ errors: 0.5 % }}\n"
    )
}

#[test]
fn ten_mistakes_are_ten_diagnostics() {
    let text = "scenario: wrong\n\
        about: Ten mistakes.\n\
        targt: {}\n\
        load:\n\
        \x20 arrivals: { constant: 1000 }\n\
        \x20 max_in_flight: none\n\
        \x20 sessions: { count: 0, opn_rate: 5/s }\n\
        \x20 operations:\n\
        \x20   - { tool: echo, weight: -1, arguments: { message: \"{{uniqe}}\" } }\n\
        timeline:\n\
        \x20 - { phase: steady, for: 30 }\n\
        \x20 - { phase: steady, for: 5s }\n\
        objectives:\n\
        \x20 - { latency: p99, below: 100ms, in: [stedy] }\n\
        \x20 - { errors: 0.5 }\n";
    let folder = Folder::new();
    let done = run(&folder, text, &[]);
    assert_eq!(done.code, 2, "{done:#?}");
    let problems = done
        .stderr
        .lines()
        .filter(|line| line.trim_start().starts_with("x "))
        .count();
    assert!(problems >= 10, "{problems} problems:\n{}", done.stderr);
    let first = done.stderr.lines().next().unwrap_or_default();
    assert_eq!(first.matches("error: ").count(), 1, "{first}");
    assert!(!folder.run().exists(), "something was started");
}

#[test]
fn a_host_that_is_not_loopback_needs_a_word() {
    let folder = Folder::new();
    let done = run(&folder, &endpoint("http://192.0.2.1:8080/mcp"), &[]);
    assert_eq!(done.code, 5, "{done:?}");
    assert!(
        done.stderr.contains("--allow-host 192.0.2.1"),
        "{}",
        done.stderr
    );
    assert!(!folder.run().exists(), "a second attempt would be refused");
    let sink = firedrill(&["sink", "0.0.0.0:0"]);
    assert_eq!(sink.code, 2, "{}", sink.stderr);
    assert!(sink.stderr.contains("is not loopback"), "{}", sink.stderr);
}

#[test]
fn a_target_that_refuses_fails_and_improves_no_quantile() {
    // A port that was free a moment ago, and that nobody listens on.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let folder = Folder::new();
    let done = run(&folder, &endpoint(&format!("http://{address}/mcp")), &[]);
    assert_eq!(done.code, 1, "{done:#?}");
    let result = folder.result();
    assert_eq!(
        result["load"]["outcomes"]["connect.refused"], 800,
        "{}",
        result["load"]
    );
    assert!(
        result["latency"]["all"]["response"]["p50"].is_null(),
        "{}",
        result["latency"]
    );
}

#[test]
fn a_throughput_that_is_out_of_reach_ends_the_run_and_fails() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let folder = Folder::new();
    let text = endpoint(&format!("http://{address}/mcp")).replace("for: 2s", "for: 60s");
    let limits = text.find("  - { latency").expect("objectives");
    let text = format!(
        "{}  - {{ throughput: 390/s, abort: true }}\n  - {{ latency: p99, below: 1s }}\n",
        &text[..limits]
    );
    let done = run(&folder, &text, &[]);
    assert_eq!(done.code, 1, "{done:#?}");
    let result = folder.result();
    let intended = result["load"]["intended"].as_u64().expect("a count");
    assert!(intended < 12_000, "the run went on: {intended} of 24,000");
    let samples = std::fs::read_to_string(folder.run().join("series.csv")).expect("samples");
    let errors = samples.lines().filter_map(|line| {
        let (_, value) = line.split_once(",generator.socket_errors,")?;
        value.parse::<f64>().ok()
    });
    assert!(
        errors.sum::<f64>() >= 4.0,
        "each session's connection was refused"
    );
}

#[test]
fn nothing_due_is_no_pass() {
    let folder = Folder::new();
    let text = endpoint("http://127.0.0.1:9/mcp").replace(
        "constant: 400/s",
        "ramp: { from: 0/s, to: 0.01/s, over: 1h }",
    );
    let done = run(&folder, &text, &[]);
    assert!([2, 3].contains(&done.code), "{done:#?}");
}

#[test]
fn a_secret_that_is_not_there_is_named_and_never_shown() {
    let folder = Folder::new();
    let text = endpoint("http://127.0.0.1:9/mcp").replace(
        "target: { endpoint: \"http://127.0.0.1:9/mcp\" }",
        "target: { endpoint: \"http://127.0.0.1:9/mcp\", bearer: { env: FIREDRILL_TEST_NO_SUCH } }",
    );
    let done = run(&folder, &text, &[]);
    assert_eq!(done.code, 5, "{done:?}");
    assert!(
        done.stderr.contains("FIREDRILL_TEST_NO_SUCH"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_secret_reaches_no_file() {
    let folder = Folder::new();
    let text = endpoint("http://127.0.0.1:9/mcp").replace(
        "target: { endpoint: \"http://127.0.0.1:9/mcp\" }",
        "target: { endpoint: \"http://127.0.0.1:9/mcp\", bearer: { env: FIREDRILL_TEST_TOKEN } }",
    );
    let path = folder.file("scenario.yaml", &text);
    let out = folder.run();
    let mut command = crate::program::command(&[
        "-vvv",
        "run",
        path.to_str().expect("a path"),
        "--out",
        out.to_str().expect("a path"),
    ]);
    command.env("FIREDRILL_TEST_TOKEN", "s3cr3t-t0k3n");
    let done = crate::program::done(command.output().expect("the program starts"));
    assert_eq!(done.code, 1, "{done:?}");
    assert!(!done.stderr.contains("s3cr3t") && !done.stdout.contains("s3cr3t"));
    for entry in std::fs::read_dir(&out).expect("the run's folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            assert!(
                !String::from_utf8_lossy(&bytes).contains("s3cr3t"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let folder = Folder::new();
    std::fs::create_dir(folder.run()).expect("a folder");
    std::fs::write(folder.run().join("precious"), "x").expect("a file");
    let done = run(&folder, &endpoint("http://127.0.0.1:9/mcp"), &[]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("--out"), "{}", done.stderr);
}

#[test]
fn a_dry_run_does_nothing() {
    let folder = Folder::new();
    let done = run(&folder, &endpoint("http://127.0.0.1:9/mcp"), &["--dry-run"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("steady"), "{}", done.stdout);
    assert!(!folder.run().exists());
}

#[test]
fn a_dry_run_refuses_what_a_run_would() {
    let refused = |text: &str, words: &str| {
        let folder = Folder::new();
        let done = run(&folder, text, &["--dry-run"]);
        assert_eq!(done.code, 5, "{done:?}");
        assert!(done.stderr.contains(words), "{}", done.stderr);
        assert!(done.stdout.contains("steady"), "{}", done.stdout);
        assert!(!folder.run().exists());
    };
    refused(
        &endpoint("http://192.0.2.1:8080/mcp"),
        "--allow-host 192.0.2.1",
    );
    let local = endpoint("http://127.0.0.1:9/mcp");
    let secret = local.replace(
        "/mcp\" }",
        "/mcp\", bearer: { env: FIREDRILL_TEST_NO_SUCH } }",
    );
    refused(&secret, "FIREDRILL_TEST_NO_SUCH");
    let probe = "probes: { gate: { url: \"http://192.0.2.1/metrics\", prometheus: { up: up } } }\n";
    refused(&format!("{local}{probe}"), "--allow-host 192.0.2.1");
    let crowd = local.replace(
        "\x20 sessions",
        "\x20 max_in_flight: 4000000\n\x20 sessions",
    );
    refused(&crowd, "max_in_flight");
    let folder = Folder::new();
    std::fs::create_dir(folder.run()).expect("a folder");
    std::fs::write(folder.run().join("precious"), "x").expect("a file");
    let done = run(&folder, &local, &["--dry-run"]);
    assert_eq!(done.code, 2, "{done:?}");
}

#[test]
fn bad_usage_is_exit_code_2() {
    assert_eq!(firedrill(&["rn"]).code, 2);
    let done = firedrill(&["run", "baselin"]);
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("baseline"), "{}", done.stderr);
    assert_eq!(
        firedrill(&["run", "baseline", "--target", "nowhere"]).code,
        2
    );
    assert_eq!(firedrill(&["judge", "/nonexistent"]).code, 2);
}

#[test]
fn what_has_no_end_is_not_read_to_its_end() {
    let done = firedrill(&["check", "/dev/zero"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("4 MiB"), "{}", done.stderr);
}

#[test]
fn every_shipped_scenario_can_be_listed_and_checked() {
    let list = firedrill(&["list"]);
    assert_eq!(list.code, 0, "{list:?}");
    for name in [
        "baseline",
        "smoke",
        "spike",
        "soak",
        "ramp-to-limit",
        "session-churn",
        "capacity",
        "capacity-sessions",
    ] {
        assert!(
            list.stdout.lines().any(|line| line.starts_with(name)),
            "{}",
            list.stdout
        );
        let check = firedrill(&["check", name]);
        assert_eq!(check.code, 0, "{check:?}");
    }
}
