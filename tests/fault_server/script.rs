//! The bytes with which each mode answers, and what becomes of the connection.

use serde_json::{Value, json};

use super::mode::Mode;

pub struct Script {
    bytes: Vec<u8>,
    /// Bytes a write; all at once by default.
    piece: usize,
    pub then: Then,
}

/// What is done after the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Wait for the next request.
    Listen,
    Close,
    Reset,
    /// Read on until the client has had enough.
    Hang,
}

impl Script {
    fn new(text: String, then: Then) -> Script {
        Script {
            bytes: text.into_bytes(),
            piece: usize::MAX,
            then,
        }
    }

    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.piece)
    }

    /// The same, on a connection that ends with it.
    pub fn closing(mut self) -> Script {
        if self.then == Then::Listen {
            if let Some(end) = self.bytes.windows(2).position(|two| two == b"\r\n") {
                self.bytes.splice(end..end, *b"\r\nconnection: close");
            }
            self.then = Then::Close;
        }
        self
    }
}

pub fn initialize(mode: Mode, id: &Value, version: &str, session: u64) -> Script {
    if mode == Mode::NoSession {
        return status(
            "503 Service Unavailable",
            "retry-after: 1\r\n",
            "too many sessions",
        );
    }
    if mode == Mode::NoSessionNoEnd {
        let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n";
        return Script::new(format!("{head}{CHUNKED}1\r\n-\r\n"), Then::Hang);
    }
    let version = if mode == Mode::WrongVersion {
        "1999-01-01"
    } else {
        version
    };
    let info = json!({"name": "fault server", "version": "1"});
    let result =
        json!({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info});
    let body = response(id, &result);
    let named = format!("mcp-session-id: fault-{session}\r\n");
    match mode {
        Mode::OpensUntilClose => Script::new(format!("{OK}{named}\r\n{body}"), Then::Close),
        Mode::OpensAsking => {
            let events = stream(&[&event(&ping(&json!(1))), &event(&body)]);
            Script::new(
                events.replacen("\r\n", &format!("\r\n{named}"), 1),
                Then::Listen,
            )
        }
        Mode::OpensOnOpenStream => {
            let head = STREAM.replacen("\r\n", &format!("\r\n{named}"), 1);
            Script::new(
                format!("{head}{CHUNKED}{}", chunk(&event(&body))),
                Then::Hang,
            )
        }
        _ => Script::new(sized(&format!("{OK}{named}"), &body), Then::Listen),
    }
}

/// A request that nothing is wrong with.
pub fn other(id: &Value) -> Script {
    Script::new(sized(OK, &response(id, &json!({}))), Then::Listen)
}

/// A request where nothing was asked.
pub fn asking() -> Script {
    Script::new(stream(&[&event(&ping(&json!(2)))]), Then::Listen)
}

fn ping(id: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "ping"}).to_string()
}

pub fn accepted() -> Script {
    Script::new(sized("HTTP/1.1 202 Accepted\r\n", ""), Then::Listen)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";
/// Larger than the `max_answer` that a test should give its operations.
const LARGE: usize = 256 << 10;

/// The answer to a `tools/call` that sent `message`.
pub fn tool(mode: Mode, id: &Value, message: &Value) -> Script {
    let right = response(
        id,
        &json!({"content": [{"type": "text", "text": message}], "isError": false}),
    );
    let listen = |text: String| Script::new(text, Then::Listen);
    let close = |text: String| Script::new(text, Then::Close);
    let hang = |text: String| Script::new(text, Then::Hang);
    let json = |body: &str| listen(sized(OK, body));
    let primed = format!(
        "id: 0\nretry: 100\ndata: \n\n: comment\n\n{}",
        event(&progress())
    );
    match mode {
        Mode::Ok
        | Mode::OpensUntilClose
        | Mode::OpensAsking
        | Mode::OpensOnOpenStream
        | Mode::WrongVersion
        | Mode::NoSession
        | Mode::NoSessionNoEnd => json(&right),
        Mode::OkStream => listen(stream(&[&primed, &event(&right)])),
        Mode::OkDribble => Script {
            piece: 1,
            ..listen(stream(&[&primed, &event(&right)]))
        },
        Mode::OkChunked => {
            let (one, two) = right.split_at(right.len() / 2);
            let chunk = |text: &str| format!("{:X};name=\"value\"\r\n{text}\r\n", text.len());
            listen(format!(
                "{OK}{CHUNKED}{}{}0\r\nsum: 1\r\n\r\n",
                chunk(one),
                chunk(two)
            ))
        }
        Mode::OkUntilClose => close(format!("{OK}connection: close\r\n\r\n{right}")),
        Mode::OkServerRequest | Mode::AsksAgain => {
            listen(stream(&[&event(&ping(id)), &event(&right)]))
        }
        Mode::OkOpenStream => hang(format!("{STREAM}{CHUNKED}{}", chunk(&event(&right)))),
        Mode::OkBatch => json(&format!("[{},{right}]", progress())),
        Mode::OkLarge => {
            let content = json!([{"type": "text", "text": message}]);
            let result = json!({"content": content, "more": "x".repeat(60_000)});
            Script {
                piece: 17_000,
                ..json(&response(id, &result))
            }
        }
        Mode::Hang => hang(String::new()),
        Mode::HeadOnly => hang(format!("{OK}content-length: {}\r\n\r\n", right.len())),
        Mode::SilentStream => hang(format!("{STREAM}{CHUNKED}{}", chunk(": keepalive\n\n"))),
        Mode::Reset => Script::new(String::new(), Then::Reset),
        Mode::Eof => close(String::new()),
        Mode::EofMidHead => close("HTTP/1.1 200 OK\r\ncontent-".to_owned()),
        Mode::EofMidBody => close(format!(
            "{OK}content-length: {}\r\n\r\n{}",
            right.len(),
            &right[..20]
        )),
        Mode::EofMidChunk => close(format!("{OK}{CHUNKED}ff\r\n{}", &right[..20])),
        Mode::Html => listen(sized(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n",
            "<!doctype html><title>Welcome</title>",
        )),
        Mode::BadRequest => status("400 Bad Request", "", "no"),
        Mode::Unauthorized => status("401 Unauthorized", "www-authenticate: Bearer\r\n", "who?"),
        Mode::Forbidden => status("403 Forbidden", "", "no"),
        Mode::NotFound => status("404 Not Found", "", "Session not found"),
        Mode::TooMany => status("429 Too Many Requests", "retry-after: 1\r\n", "slower"),
        Mode::ServerError => status("500 Internal Server Error", "", "oh"),
        Mode::Unavailable => status("503 Service Unavailable", "retry-after: 1\r\n", "busy"),
        Mode::NotHttp => close("220 ftp.example ready\r\n".to_owned()),
        Mode::BadChunk => close(format!("{OK}{CHUNKED}many\r\n{right}\r\n0\r\n\r\n")),
        Mode::BadLength => close(format!(
            "{OK}content-length: 1\r\ncontent-length: 2\r\n\r\n{right}"
        )),
        Mode::BadJson => json("{\"jsonrpc\": oops}"),
        Mode::CutJson => json(&right[..right.len() - 1]),
        Mode::BadJsonrpc => json("{\"hello\":\"world\"}"),
        Mode::WrongId => json(&response(
            &json!(987_654_321_987_u64),
            &json!({"content": []}),
        )),
        Mode::Duplicate => listen(stream(&[&event(&right), &event(&right)])),
        Mode::UnframedStream => listen(stream(&[&right, "\n"])),
        Mode::CutStream => listen(stream(&[&event(&progress()), "data: ", &right, "\n"])),
        Mode::Oversize => json(&response(id, &json!({"content": "x".repeat(LARGE)}))),
        Mode::OversizeStream => listen(stream(&[
            &event(&progress()).repeat(LARGE / 100),
            &event(&right),
        ])),
        Mode::EmptyStream => listen(stream(&[&primed])),
        Mode::EmptyBody => json(""),
        Mode::Accepted => accepted(),
        Mode::ToolError => {
            let content = json!([{"type": "text", "text": message}]);
            json(&response(id, &json!({"content": content, "isError": true})))
        }
        Mode::RpcError => json(&error(id)),
        Mode::WrongText => {
            let content = json!([{"type": "text", "text": "someone else's"}]);
            json(&response(id, &json!({"content": content})))
        }
    }
}

fn response(id: &Value, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

fn error(id: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": "internal error"}})
        .to_string()
}

fn progress() -> String {
    let params = json!({"progressToken": "p", "progress": 1});
    json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).to_string()
}

fn event(data: &str) -> String {
    format!("event: message\ndata: {data}\n\n")
}

fn sized(head: &str, body: &str) -> String {
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

fn status(status: &str, headers: &str, text: &str) -> Script {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-type: text/plain\r\n");
    Script::new(sized(&head, text), Then::Listen)
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// A whole event stream, each part in a chunk of its own.
fn stream(parts: &[&str]) -> String {
    let chunks: String = parts.iter().map(|part| chunk(part)).collect();
    format!("{STREAM}{CHUNKED}{chunks}0\r\n\r\n")
}
