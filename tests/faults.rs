//! Every way in which a server can break is counted once, and as itself.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::fault_server::{FaultServer, Handshake, Mode, Refusing, Trust};
use crate::program::{Folder, run_once};

/// A load on a target whose sessions can be opened. Operations that get no answer time out soon.
fn scenario(target: &str, operations: &str, arrivals: &str, steady: &str) -> String {
    format!(
        "scenario: broken\n\
         about: A server that breaks on command.\n\
         target: {{ {target} }}\n\
         load:\n\
         \x20 arrivals: {arrivals}\n\
         \x20 max_in_flight: 400\n\
         \x20 sessions: {{ count: 8, open_rate: 100/s }}\n\
         \x20 operations:\n{operations}\
         timeline: [ {{ phase: steady, for: {steady} }} ]\n\
         objectives: [ {{ errors: 0.5 % }} ]\n"
    )
}

/// A call that is checked for the text that it sent; `more` are further arguments.
fn call(name: &str, more: &str) -> String {
    format!(
        "\x20   - {{ name: {name}, tool: echo, weight: 1, timeout: 400ms, max_answer: 64KiB, \
         arguments: {{ {more}message: \"{{{{unique}}}}\" }}, \
         check: {{ /content/0/text: \"{{{{message}}}}\" }} }}\n"
    )
}

/// How often each outcome was counted, without those that were not.
fn outcomes(result: &Value) -> BTreeMap<String, u64> {
    let counted = result["load"]["outcomes"].as_object().expect("outcomes");
    let counts = counted
        .iter()
        .map(|(name, count)| (name.clone(), count.as_u64().expect("a count")));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn each_mode_is_counted_as_its_outcome_and_all_add_up() {
    let server = FaultServer::start();
    let modes = Mode::ALL
        .iter()
        .filter(|(mode, _, _)| !mode.breaks_opening());
    let operations: String = modes
        .map(|(_, name, _)| call(name, &format!("mode: {name}, ")))
        .collect();
    let target = format!("endpoint: \"{}\"", server.url());
    let folder = Folder::new();
    let text = scenario(&target, &operations, "{ constant: 200/s }", "3s");
    let done = run_once(&folder, &text, &[]);
    // How late a busy machine makes us is no part of this.
    assert!(matches!(done.code, 1 | 4), "{done:#?}");
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (mode, _, outcome) in Mode::ALL {
        let asked = server.asked(mode);
        assert!(
            asked > 0 || mode.breaks_opening(),
            "{} was never asked for",
            mode.name()
        );
        if asked > 0 {
            *expected.entry(outcome.to_owned()).or_default() += asked;
        }
    }
    let mut counted = outcomes(&folder.result());
    // Whether a connection had served before is up to the load.
    let fresh = counted.remove("transport.eof_before_response").unwrap_or(0);
    *counted.entry(Mode::Eof.outcome().to_owned()).or_default() += fresh;
    assert_eq!(counted, expected, "{done:#?}");
    assert_eq!(
        counted.values().sum::<u64>(),
        600,
        "issued is the sum of outcomes"
    );
    assert!(
        server.used("response") > 0,
        "requests of the server were never answered"
    );
    assert!(
        server.used("notifications/cancelled") > 0,
        "nobody was told of a time-out"
    );
}

/// The only outcome of a run, in which every operation ends alike.
fn only_outcome(target: &str) -> String {
    let folder = Folder::new();
    let operations = call("echo", "");
    let text = scenario(target, &operations, "{ constant: 50/s }", "1s");
    let done = run_once(&folder, &text, &[]);
    let counted = outcomes(&folder.result());
    assert_eq!(counted.values().sum::<u64>(), 50, "{counted:?} {done:#?}");
    assert_eq!(counted.len(), 1, "{counted:?} {done:#?}");
    assert_ne!(done.code, 0, "too few for a verdict, or a fail: {done:#?}");
    counted.into_keys().next().expect("one outcome")
}

#[test]
fn a_fresh_connection_that_is_closed_is_no_stale_one() {
    let server = FaultServer::start();
    let target = |mode| format!("endpoint: \"{}\"", server.url_of_fresh(mode));
    assert_eq!(
        only_outcome(&target(Mode::Eof)),
        "transport.eof_before_response"
    );
    assert_eq!(
        only_outcome(&target(Mode::Ok)),
        "ok",
        "closing after each answer is allowed"
    );
}

#[test]
fn a_session_whose_end_is_not_answered_is_not_counted_as_ended() {
    let server = FaultServer::start();
    for (mode, ended) in [(Mode::Ok, 8), (Mode::Eof, 0)] {
        let folder = Folder::new();
        let target = format!("endpoint: \"{}\"", server.url_of(mode));
        let text = scenario(&target, &call("echo", ""), "{ constant: 50/s }", "1s");
        run_once(&folder, &text, &[]);
        let last = folder.events().pop().expect("the last event");
        let sessions = &last["event"]["totals"]["sessions"];
        assert_eq!(sessions["deleted"], ended, "{last}");
        assert_eq!(sessions["dropped"], 8 - ended, "{last}");
    }
    assert_eq!(server.used("DELETE"), 16);
}

#[test]
fn a_session_is_opened_once_however_its_answer_is_framed() {
    for mode in [
        Mode::OpensUntilClose,
        Mode::OpensAsking,
        Mode::OpensOnOpenStream,
    ] {
        let server = FaultServer::start();
        let target = format!("endpoint: \"{}\"", server.url_of(mode));
        let folder = Folder::new();
        let text = scenario(&target, &call("echo", ""), "{ constant: 50/s }", "1s");
        let done = run_once(&folder, &text, &[]);
        let all_ok = BTreeMap::from([("ok".to_owned(), 50)]);
        assert_eq!(outcomes(&folder.result()), all_ok, "{done:#?}");
        let events = folder.events();
        let begun = events
            .iter()
            .find(|line| line["event"]["kind"] == "timeline_started");
        let waited = begun.and_then(|line| line["at"].as_u64());
        assert!(waited.is_some_and(|at| at < 5_000_000_000), "{events:#?}");
        assert_eq!(server.used("initialize"), 8, "{}", mode.name());
        let announced = server.used("notifications/initialized");
        assert_eq!(announced, 8, "{}", mode.name());
    }
}

/// The load is the one that was asked for, whatever a server says.
#[test]
fn a_server_that_answers_our_replies_with_requests_is_not_answered_for_ever() {
    let server = FaultServer::start();
    let target = format!("endpoint: \"{}\"", server.url_of(Mode::AsksAgain));
    let text = scenario(&target, &call("echo", ""), "{ constant: 50/s }", "2s");
    let folder = Folder::new();
    let done = run_once(&folder, &text, &[]);
    // How late a busy machine makes us is no part of this.
    assert!(outcomes(&folder.result()).contains_key("ok"), "{done:#?}");
    let replies = server.used("response");
    assert!(
        (1..=100).contains(&replies),
        "{replies} replies to 100 requests"
    );
}

#[test]
fn what_waits_for_a_session_that_takes_few_calls_makes_few_connections() {
    let server = FaultServer::start();
    let target = format!("endpoint: \"{}\"", server.url());
    let late = "{ spike: { base: 0/s, peak: 10000/s, at: 900ms, for: 20ms } }";
    let text = scenario(&target, &call("echo", ""), late, "1s").replace(
        "count: 8, open_rate: 100/s",
        "count: 2, open_rate: 100/s, lifetime: 3 calls",
    );
    let folder = Folder::new();
    let done = run_once(&folder, &text.replace("400ms", "4s"), &[]);
    assert_eq!(
        outcomes(&folder.result()),
        BTreeMap::from([("ok".to_owned(), 200)]),
        "{done:#?}"
    );
    // One a call, and the first one of each of the last two sessions.
    assert!(server.accepted() <= 202, "{}", server.accepted());
}

#[test]
fn what_waits_for_the_last_sessions_is_still_sent() {
    let server = FaultServer::start();
    let target = format!("endpoint: \"{}\"", server.url());
    let late = "{ spike: { base: 0/s, peak: 10000/s, at: 980ms, for: 20ms } }";
    let text = scenario(&target, &call("echo", ""), late, "1s").replace(
        "count: 8, open_rate: 100/s",
        "count: 2, open_rate: 100/s, lifetime: 1 call",
    );
    let folder = Folder::new();
    let done = run_once(&folder, &text.replace("400ms", "4s"), &[]);
    assert_eq!(
        outcomes(&folder.result()),
        BTreeMap::from([("ok".to_owned(), 200)]),
        "{done:#?}"
    );
    assert_eq!(
        server.accepted(),
        server.used("initialize"),
        "a session that serves one call at a time needs one connection"
    );
}

#[test]
fn sessions_begin_again_no_faster_than_their_rate() {
    let server = FaultServer::start();
    let target = format!("endpoint: \"{}\"", server.url());
    let text = scenario(&target, &call("echo", ""), "{ constant: 100/s }", "2s").replace(
        "count: 8, open_rate: 100/s",
        "count: 8, open_rate: 20/s, lifetime: 1 call",
    );
    let folder = Folder::new();
    let done = run_once(&folder, &text, &[]);
    let outcomes = outcomes(&folder.result());
    // Eight before the timeline, then 20 a second for its 2 s and the last operation's 400 ms.
    let opened = server.used("initialize");
    assert!((30..=8 + 48 + 2).contains(&opened), "{opened} {done:#?}");
    // What waits for a session waits until its own deadline.
    assert!(outcomes["timeout.connect"] > 100, "{outcomes:?}");
    assert!(outcomes["ok"] > 20, "{outcomes:?}");
    assert_eq!(outcomes.values().sum::<u64>(), 200, "{outcomes:?}");
}

#[test]
fn a_target_that_stalls_takes_no_more_connections_than_were_planned() {
    let server = FaultServer::start();
    let target = format!("endpoint: \"{}\"", server.url_of(Mode::Hang));
    let text = scenario(&target, &call("echo", ""), "{ constant: 200/s }", "3s")
        .replace("max_in_flight: 400", "max_in_flight: 100");
    let folder = Folder::new();
    let done = run_once(&folder, &text.replace("400ms", "100ms"), &[]);
    let result = folder.result();
    assert_eq!(
        outcomes(&result).get("timeout.first_byte"),
        Some(&600),
        "{done:#?}"
    );
    let most = result["generator"]["connections_max"].as_u64();
    assert!(most.is_some_and(|most| most <= 108), "{most:?}");
}

#[test]
fn sessions_that_cannot_be_opened_end_what_waits_for_them() {
    let server = FaultServer::start();
    for mode in [Mode::WrongVersion, Mode::NoSession, Mode::NoSessionNoEnd] {
        let target = format!("endpoint: \"{}\"", server.url_of(mode));
        let folder = Folder::new();
        let text = scenario(&target, &call("echo", ""), "{ constant: 50/s }", "1s");
        let done = run_once(&folder, &text, &[]);
        assert_ne!(done.code, 0, "{done:#?}");
        assert_eq!(
            server.asked_at_all(),
            0,
            "an operation was sent without a session"
        );
        assert!(
            done.stderr.contains(mode.outcome()),
            "{}: {done:#?}",
            mode.outcome()
        );
    }
    let refusing = Refusing::start();
    let folder = Folder::new();
    let target = format!("endpoint: \"{}\"", refusing.url());
    let done = run_once(
        &folder,
        &scenario(&target, &call("echo", ""), "{ constant: 50/s }", "1s"),
        &[],
    );
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("connect.refused"), "{done:#?}");
}

fn trust(folder: &Folder) -> Trust {
    std::fs::create_dir_all(folder.run()).expect("a folder for certificates");
    Trust::new(&folder.run())
}

#[test]
fn handshakes_that_fail_are_told_apart() {
    let folder = Folder::new();
    let trust = trust(&folder);
    let handshakes = [
        (Handshake::Good, "ok"),
        (Handshake::Untrusted, "tls.verify"),
        (Handshake::WrongName, "tls.verify"),
        (Handshake::Alert, "tls.alert"),
        (Handshake::Plain, "tls.handshake"),
        (Handshake::WantsClient, "tls.alert"),
    ];
    for (handshake, outcome) in handshakes {
        let server = FaultServer::start_tls(handshake, &trust);
        let ca = trust.ca();
        let target = format!(
            "endpoint: \"{}\", tls: {{ ca: \"{}\" }}",
            server.url(),
            ca.display()
        );
        let own = Folder::new();
        let done = run_once(
            &own,
            &scenario(&target, &call("echo", ""), "{ constant: 50/s }", "1s"),
            &[],
        );
        if outcome == "ok" {
            assert_eq!(
                outcomes(&own.result()),
                BTreeMap::from([("ok".to_owned(), 50)]),
                "{done:#?}"
            );
        } else {
            assert_ne!(done.code, 0, "{handshake:?}");
            assert!(done.stderr.contains(outcome), "{handshake:?}: {done:#?}");
        }
    }
    let server = FaultServer::start_tls(Handshake::WantsClient, &trust);
    let (certificate, key) = trust.client();
    let target = format!(
        "endpoint: \"{}\", tls: {{ ca: \"{}\", client_cert: \"{}\", client_key: \"{}\" }}",
        server.url(),
        trust.ca().display(),
        certificate.display(),
        key.display()
    );
    assert_eq!(only_outcome(&target), "ok");
}

#[test]
fn tls_carries_large_requests_and_large_answers() {
    let folder = Folder::new();
    let trust = trust(&folder);
    let server = FaultServer::start_tls(Handshake::Good, &trust);
    let ca = trust.ca();
    let target = format!(
        "endpoint: \"{}\", tls: {{ ca: \"{}\" }}",
        server.url(),
        ca.display()
    );
    for more in ["fill: \"{{pad(200KiB)}}\", ", "mode: ok-large, "] {
        let own = Folder::new();
        let text = scenario(&target, &call("echo", more), "{ constant: 50/s }", "1s");
        let done = run_once(&own, &text.replace("400ms", "4s"), &[]);
        assert_eq!(
            outcomes(&own.result()),
            BTreeMap::from([("ok".to_owned(), 50)]),
            "{more} {done:#?}"
        );
    }
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let folder = Folder::new();
    let trust = trust(&folder);
    let server = FaultServer::start_tls(Handshake::Silent, &trust);
    let ca = trust.ca();
    let target = format!(
        "endpoint: \"{}\", tls: {{ ca: \"{}\" }}",
        server.url(),
        ca.display()
    );
    let own = Folder::new();
    let text = scenario(&target, &call("echo", ""), "{ constant: 50/s }", "1s");
    let done = run_once(&own, &text, &[]);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("tls.timeout"), "{done:#?}");
}
