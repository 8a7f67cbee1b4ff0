//! What a site refuses, and how it behaves when parts of it do not.

use std::net::TcpStream;
use std::time::Duration;

use firedrill_erlmcp::{HealthCheck, Process, RunningSite, ServiceTime, control};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::client::{Session, exchange, get, initialize, read_answer, start};

/// Longer than any test.
const FOR_EVER_MS: u64 = 600_000;

/// Tries again until `done`, which is asked of the site itself. The bound is for a test that would hang.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    assert!((0..100_000).any(|_| done()), "never seen: {what}");
}

fn quick_checks() -> HealthCheck {
    HealthCheck {
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(200),
        misses: 2,
    }
}

fn kill(process: &Process) {
    let pid = Pid::from_raw(i32::try_from(process.pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

fn pod<'a>(site: &'a RunningSite, name: &str) -> &'a Process {
    site.processes()
        .iter()
        .find(|process| process.name == name)
        .unwrap()
}

#[test]
fn one_more_than_capacity_and_queue_is_refused() {
    let site = start(|config| {
        config.behaviour.capacity = 1;
        config.behaviour.queue = 1;
    });
    let session = site.session();
    let metrics = || get(site.front(), "/metrics").json()["metrics"].clone();
    for (running, queue) in [(1, 0), (1, 1)] {
        let session = session.clone();
        // It ends, unanswered, with the site.
        std::thread::spawn(move || {
            session.request(
                "tools/call",
                json!({ "name": "slow", "arguments": { "ms": FOR_EVER_MS } }),
            )
        });
        until("the operation is taken in", || {
            metrics()["running"] == running && metrics()["queue"] == queue
        });
    }
    let refused = session.tool("echo", json!({ "message": "m" }));
    assert_eq!((refused.status, refused.code()), (503, -32010));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["id"], 1);
    assert_eq!(refused.json()["error"]["data"]["refusal"], 1056);
    // That the pod is there can still be asked.
    assert_eq!(session.request("ping", json!({})).unwrap().status, 200);
    assert_eq!(metrics()["errors"], 1);
}

#[test]
fn one_more_session_is_refused() {
    let site = start(|config| config.behaviour.sessions = 2);
    let first = site.session();
    let _second = site.session();
    let refused = initialize(site.front(), "2025-11-25");
    assert_eq!((refused.status, refused.code()), (503, -32000));
    let delete = format!("mcp-session-id: {}\r\n", first.id);
    assert_eq!(
        exchange(site.front(), "DELETE", "/mcp", &delete, "")
            .unwrap()
            .status,
        200
    );
    assert_eq!(initialize(site.front(), "2025-11-25").status, 200);
}

#[test]
fn one_more_connection_is_closed_without_a_word() {
    let site = start(|config| config.behaviour.connections = 1);
    let held = TcpStream::connect(site.front()).unwrap();
    until(
        "the held connection is counted, and the next one closed",
        || exchange(site.front(), "GET", "/ready", "", "").is_err(),
    );
    drop(held);
    until("there is room again", || {
        exchange(site.front(), "GET", "/ready", "", "").is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn sessions_hold_the_memory_that_they_are_given() {
    const EACH: u64 = 16 << 20;
    let site = start(|config| config.behaviour.session_memory = EACH);
    let resident = || {
        let path = format!("/proc/{}/statm", pod(&site.running, "a-0").pid);
        let pages = std::fs::read_to_string(path).unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * rustix::param::page_size() as u64
    };
    let before = resident();
    let sessions: Vec<_> = (0..4).map(|_| site.session()).collect();
    assert!(
        resident() >= before + 4 * EACH,
        "{} sessions",
        sessions.len()
    );
}

#[test]
fn errors_come_at_their_rate_and_only_from_tools() {
    let site = start(|config| config.behaviour.error_rate = 1.0);
    let session = site.session();
    assert_eq!(
        session.tool("echo", json!({ "message": "m" })).code(),
        -32603
    );
    assert!(session.request("tools/list", json!({})).unwrap().json()["result"].is_object());
}

#[test]
fn a_service_time_does_not_lose_answers() {
    let site = start(|config| {
        config.behaviour.service_time = ServiceTime::Exponential {
            mean: Duration::from_millis(2),
        };
    });
    let session = site.session();
    for number in 0..20 {
        let message = number.to_string();
        assert_eq!(
            session.tool("echo", json!({ "message": message })).text(),
            message
        );
    }
}

#[test]
fn a_stalled_pod_answers_nobody_until_it_is_over() {
    let site = start(|config| config.health = quick_checks());
    let session = site.session();
    let control = pod(&site.running, "a-0").control.unwrap();
    control::stall(control, Duration::from_millis(FOR_EVER_MS)).unwrap();
    let waiting = {
        let session = session.clone();
        std::thread::spawn(move || session.tool("echo", json!({ "message": "late" })).text())
    };
    until("the front door misses its answers", || {
        get(site.front(), "/ready").status == 503
    });
    assert!(!waiting.is_finished());
    let refused = session.request("ping", json!({})).unwrap();
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (503, "no pod is ready")
    );
    control::stall(control, Duration::ZERO).unwrap();
    until("the pod is ready again", || {
        get(site.front(), "/ready").status == 200
    });
    assert_eq!(
        session.tool("echo", json!({ "message": "again" })).text(),
        "again"
    );
}

#[test]
fn a_pod_that_goes_takes_its_sessions_with_it() {
    let mut site = start(|config| {
        config.pods = 2;
        config.health = quick_checks();
    });
    let sessions = [site.session(), site.session()];
    let lost = sessions
        .iter()
        .find(|session| session.pod() == "a-1")
        .unwrap();
    let kept = sessions
        .iter()
        .find(|session| session.pod() == "a-0")
        .unwrap();
    kill(pod(&site.running, "a-1"));
    until("the pod is gone", || {
        site.running
            .exited()
            .iter()
            .any(|gone| gone.process.name == "a-1")
    });
    let status = |session: &Session| session.request("ping", json!({})).unwrap().status;
    until("another pod answers for it", || match status(lost) {
        404 => true,
        status => {
            assert_eq!(status, 502, "before the front door knows");
            false
        }
    });
    assert_eq!(status(kept), 200);
    assert_eq!(get(site.front(), "/health").json()["status"], "degraded");
    assert_eq!(site.session().pod(), "a-0");
    let address = pod(&site.running, "a-1").address;
    assert_eq!(site.running.restart("a-1").unwrap().address, address);
    until("the pod is back", || {
        get(site.front(), "/health").json()["status"] == "healthy"
    });
    assert_eq!(status(lost), 404, "it is another pod of the same name");
    assert!(site.running.exited().is_empty());
}

#[test]
fn the_fail_tool_breaks_answers_as_asked() {
    let site = start(|_| {});
    let session = site.session();
    let pod = pod(&site.running, "a-0").address;
    let direct = Session {
        address: pod,
        id: session.id.clone(),
    };
    let fail = |session: &Session, mode: &str| {
        session.request(
            "tools/call",
            json!({ "name": "fail", "arguments": { "mode": mode } }),
        )
    };
    assert_eq!(fail(&session, "http_500").unwrap().status, 500);
    assert_eq!(fail(&session, "http_503").unwrap().status, 503);
    assert_eq!(
        fail(&session, "html").unwrap().header("content-type"),
        Some("text/html")
    );
    assert!(
        serde_json::from_str::<serde_json::Value>(&fail(&session, "bad_json").unwrap().body)
            .is_err()
    );
    assert_eq!(
        fail(&session, "wrong_id").unwrap().json()["id"],
        "not-yours"
    );
    assert_eq!(fail(&session, "empty").unwrap().body, "");
    assert!(fail(&direct, "close").is_err());
    assert_eq!(fail(&session, "close").unwrap().status, 502);
    for session in [&direct, &session] {
        let cut = fail(session, "cut").unwrap();
        let promised: usize = cut.header("content-length").unwrap().parse().unwrap();
        assert_eq!(cut.body.len(), promised / 2);
    }
    assert_eq!(
        session
            .tool("echo", json!({ "message": "still here" }))
            .text(),
        "still here"
    );
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    use std::io::Write;
    let site = start(|_| {});
    let mut stream = TcpStream::connect(site.front()).unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{}content-length: {}\r\n\r\n",
        crate::client::HEADERS,
        17 << 20,
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The refusal may come before all is sent, and close the connection.
    let _ = stream.write_all(&vec![b' '; 17 << 20]);
    let answer = read_answer(stream).unwrap();
    assert_eq!((answer.status, answer.code()), (413, -32012));
}
