//! What clients of a healthy site see.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use firedrill_erlmcp::{Profile, Reply};
use serde_json::{Value, json};

use crate::client::{HEADERS, exchange, get, initialize, post, start};

#[test]
fn sessions_stay_with_their_pods() {
    let site = start(|config| config.pods = 4);
    let sessions: Vec<_> = (0..8).map(|_| site.session()).collect();
    let pods: BTreeSet<_> = sessions.iter().map(|session| session.pod()).collect();
    assert_eq!(pods, BTreeSet::from(["a-0", "a-1", "a-2", "a-3"]));
    for session in &sessions {
        for number in 0..4 {
            let message = format!("{} \"{number}\"", session.id);
            let answer = session.tool("echo", json!({ "message": message }));
            assert_eq!(answer.text(), message);
            assert_eq!(answer.header("x-erlmcp-pod"), Some(session.pod()));
        }
    }
}

#[test]
fn every_method_answers() {
    let site = start(|_| {});
    let session = site.session();
    let result = |method: &str, params: Value| {
        session.request(method, params).unwrap().json()["result"].clone()
    };
    assert_eq!(result("ping", json!({})), json!({}));
    assert_eq!(
        result("tools/list", json!({}))["tools"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
    assert_eq!(
        result("resources/list", json!({}))["resources"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let number = result("resources/read", json!({ "uri": "erlmcp://numbers/42" }));
    assert_eq!(number["contents"][0]["text"], "42");
    assert!(result("resources/templates/list", json!({}))["resourceTemplates"].is_array());
    assert_eq!(
        result("prompts/list", json!({}))["prompts"][0]["name"],
        "greeting"
    );
    let prompt = result(
        "prompts/get",
        json!({ "name": "greeting", "arguments": { "name": "Ann" } }),
    );
    assert_eq!(
        prompt["messages"][0]["content"]["text"],
        "Say hello to Ann."
    );
    let completed = result(
        "completion/complete",
        json!({ "ref": { "type": "ref/prompt", "name": "greeting" }, "argument": { "name": "name", "value": "b" } }),
    );
    assert_eq!(completed["completion"]["values"], json!(["bob"]));
    assert_eq!(
        result("logging/setLevel", json!({ "level": "info" })),
        json!({})
    );
    assert_eq!(
        session.tool("compute", json!({ "n": 90 })).text(),
        "210345902"
    );
    assert_eq!(session.tool("slow", json!({ "ms": 1 })).text(), "1 ms");
}

#[test]
fn errors_have_their_codes() {
    let site = start(|_| {});
    let session = site.session();
    let code = |method: &str, params: Value| session.request(method, params).unwrap().code();
    assert_eq!(code("no/such", json!({})), -32601);
    assert_eq!(code("tools/call", json!({ "name": "no such" })), -32602);
    assert_eq!(
        code("tools/call", json!({ "name": "echo", "arguments": {} })),
        -32602
    );
    assert_eq!(
        code("resources/read", json!({ "uri": "erlmcp://nothing" })),
        -32002
    );
    assert_eq!(
        session.tool("fail", json!({ "mode": "rpc_error" })).code(),
        -32603
    );
    let failed = session.tool("fail", json!({ "mode": "tool_error" }));
    assert_eq!(
        (failed.status, &failed.json()["result"]["isError"]),
        (200, &json!(true))
    );
}

#[test]
fn the_rules_of_http_are_kept() {
    let site = start(|_| {});
    let (front, session) = (site.front(), site.session());
    let status = |method: &str, headers: &str, body: &str| {
        exchange(front, method, "/mcp", headers, body)
            .unwrap()
            .status
    };
    let mine = format!("{HEADERS}mcp-session-id: {}\r\n", session.id);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(status("POST", &mine, ping), 200);
    assert_eq!(status("GET", &mine, ""), 405);
    assert_eq!(status("POST", HEADERS, ping), 400, "no session");
    assert_eq!(
        status("POST", &format!("{HEADERS}mcp-session-id: a-0-7\r\n"), ping),
        404
    );
    assert_eq!(
        status(
            "POST",
            &mine.replace("accept: application/json, ", "accept: "),
            ping
        ),
        406
    );
    assert_eq!(
        status(
            "POST",
            &mine.replace("type: application/json", "type: text/plain"),
            ping
        ),
        415
    );
    assert_eq!(
        status(
            "POST",
            &format!("{mine}mcp-protocol-version: 1999-01-01\r\n"),
            ping
        ),
        400
    );
    assert_eq!(
        status(
            "POST",
            &format!("{mine}mcp-protocol-version: 2025-06-18\r\n"),
            ping
        ),
        200
    );
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(status("POST", &mine, notification), 202);
    for (body, code) in [
        ("{", -32700),
        (r#"[{"jsonrpc":"2.0"}]"#, -32600),
        ("{}", -32600),
    ] {
        let answer = exchange(front, "POST", "/mcp", &mine, body).unwrap();
        assert_eq!((answer.status, answer.code()), (400, code), "{body}");
    }
    assert_eq!(status("DELETE", &mine, ""), 200);
    assert_eq!(status("DELETE", &mine, ""), 404);
    assert_eq!(status("POST", &mine, ping), 404, "the session has ended");
}

#[test]
fn versions_are_negotiated() {
    let site = start(|_| {});
    for version in ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] {
        let answer = initialize(site.front(), version).json();
        assert_eq!(answer["result"]["protocolVersion"], version);
    }
    let answer = initialize(site.front(), "1999-01-01").json();
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
}

#[test]
fn a_stream_ends_with_the_result() {
    let site = start(|config| {
        config.reply = Reply::Sse {
            priming: true,
            notifications: 2,
        }
    });
    let session = site.session();
    let answer = session.tool("echo", json!({ "message": "marker" }));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let data: Vec<_> = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .collect();
    assert_eq!(data.len(), 4, "{answer:?}");
    assert_eq!(data[0], "");
    for notification in &data[1..3] {
        let message: Value = serde_json::from_str(notification).unwrap();
        assert_eq!(message["method"], "notifications/message");
    }
    let result: Value = serde_json::from_str(data[3]).unwrap();
    assert_eq!(result["result"]["content"][0]["text"], "marker");
}

/// The work never ends: what can be read of the answer came before it.
#[test]
fn events_come_while_the_work_goes_on() {
    let site = start(|config| {
        config.reply = Reply::Sse {
            priming: true,
            notifications: 1,
        }
    });
    let session = site.session();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"ms":600000}}}"#;
    let mut stream = TcpStream::connect(site.front()).unwrap();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nhost: test\r\n{HEADERS}mcp-session-id: {}\r\ncontent-length: {}\r\n\r\n{body}",
        session.id,
        body.len(),
    )
    .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "id: 0"));
    assert!(lines.any(|line| line.contains("notifications/message")));
}

#[test]
fn the_erlmcp_profile_has_its_faults() {
    let site = start(|config| config.profile = Profile::Erlmcp);
    let front = site.front();
    for version in ["2025-06-18", "2025-03-26", "1999-01-01"] {
        assert_eq!(initialize(front, version).code(), -32061);
    }
    let older = initialize(front, "2024-11-05").json();
    assert_eq!(older["result"]["protocolVersion"], "2025-11-25");
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let early = post(front, None, &ping).unwrap();
    assert_eq!((early.status, early.code()), (200, -32005));
    assert!(early.header("mcp-session-id").is_none());
    let session = site.session();
    assert_eq!(
        session
            .request("logging/setLevel", json!({ "level": "info" }))
            .unwrap()
            .code(),
        -32603
    );
    assert_eq!(
        session
            .request("resources/read", json!({ "uri": "erlmcp://status" }))
            .unwrap()
            .code(),
        -32001
    );
    assert_eq!(session.tool("echo", json!({ "message": "m" })).text(), "m");
    let tools = session.request("tools/list", json!({})).unwrap().json();
    assert!(tools["result"]["tools"][0].get("inputSchema").is_none());
    assert_eq!(
        session.request("prompts/get", json!({})).unwrap().status,
        502,
        "the session dies"
    );
    assert_eq!(session.request("ping", json!({})).unwrap().status, 404);
    assert_eq!(get(front, "/ready").status, 503);
    assert_eq!(get(front, "/live").status, 200);
    let exposition = get(front, "/metrics/prometheus");
    assert_eq!(
        (exposition.status, exposition.body.lines().count()),
        (200, 1),
        "no sample on a line of its own"
    );
}

#[test]
fn health_and_metrics_are_those_of_the_whole_site() {
    let site = start(|config| {
        config.pods = 2;
        config.nodes = 2;
    });
    let front = site.front();
    let sessions: Vec<_> = (0..4).map(|_| site.session()).collect();
    for session in &sessions {
        session.tool("echo", json!({ "message": "m" }));
    }
    sessions[0].tool("fail", json!({ "mode": "rpc_error" }));
    let health = get(front, "/health");
    assert_eq!(
        (health.status, &health.json()["status"]),
        (200, &json!("healthy"))
    );
    assert_eq!(get(front, "/ready").status, 200);
    let text = get(front, "/metrics/prometheus").body;
    let value = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.split(' ').nth(1))
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert_eq!(value("erlmcp_requests_total"), 4 + 4 + 1);
    assert_eq!(value("erlmcp_errors_total"), 1);
    assert_eq!(value("erlmcp_sessions"), 4);
    assert_eq!(value("erlmcp_connections_total"), 1, "the one that asks");
    assert_eq!(value("erlmcp_connections_capacity"), 20_000);
    assert_eq!(
        (value("erlmcp_queue_length"), value("erlmcp_queue_capacity")),
        (0, 2_000)
    );
    assert_eq!(get(front, "/metrics").json()["metrics"]["requests"], 9);
    assert_eq!(
        get(front, "/resources").json()["capacity"]["sessions"]["used"],
        4
    );
    let nodes: BTreeSet<_> = site
        .running
        .processes()
        .iter()
        .filter_map(|p| p.node.clone())
        .collect();
    assert_eq!(nodes.len(), 2);
}
