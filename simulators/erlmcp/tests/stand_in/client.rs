//! A blocking MCP client, one connection a request, and a site in a directory of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use firedrill_erlmcp::{RunningSite, SiteConfig, launch};
use serde_json::{Value, json};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_firedrill-stand-in");

/// A directory that goes when this goes.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("site-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running site; its processes end before its directory goes.
pub struct Site {
    pub running: RunningSite,
    _directory: Directory,
}

pub fn start(change: impl FnOnce(&mut SiteConfig)) -> Site {
    let directory = Directory::new();
    let mut config = SiteConfig::new("a", &directory.0);
    change(&mut config);
    let running = launch(PROGRAM.as_ref(), &[], &config).unwrap();
    Site {
        running,
        _directory: directory,
    }
}

impl Site {
    pub fn front(&self) -> SocketAddr {
        self.running.processes().last().unwrap().address
    }

    pub fn session(&self) -> Session {
        Session::open(self.front())
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The text of the first content of a tool's result.
    pub fn text(&self) -> String {
        self.json()["result"]["content"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Code of the JSON-RPC error.
    pub fn code(&self) -> i64 {
        self.json()["error"]["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no error: {self:?}"))
    }
}

/// Sends a request and reads to the end of the connection.
pub fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    // Against a test that hangs; no test expects it.
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )?;
    read_answer(stream)
}

pub fn read_answer(mut stream: impl Read) -> std::io::Result<Answer> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // Whoever refuses a body closes on what was not read of it: a reset, behind the answer.
        Err(error) if bytes.is_empty() => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let text = String::from_utf8(bytes).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(address, "GET", path, "", "").unwrap()
}

pub const HEADERS: &str =
    "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";

pub fn post(address: SocketAddr, session: Option<&str>, body: &Value) -> std::io::Result<Answer> {
    let session = session.map_or_else(String::new, |id| format!("mcp-session-id: {id}\r\n"));
    exchange(
        address,
        "POST",
        "/mcp",
        &format!("{HEADERS}{session}"),
        &body.to_string(),
    )
}

pub fn initialize(address: SocketAddr, version: &str) -> Answer {
    let params = json!({
        "protocolVersion": version,
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    });
    let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
    post(address, None, &body).unwrap()
}

#[derive(Clone, Debug)]
pub struct Session {
    pub address: SocketAddr,
    pub id: String,
}

impl Session {
    pub fn open(address: SocketAddr) -> Session {
        let answer = initialize(address, "2025-11-25");
        let id = answer.header("mcp-session-id");
        let id = id
            .unwrap_or_else(|| panic!("no session: {answer:?}"))
            .to_owned();
        Session { address, id }
    }

    /// The name of the pod that the session lives in.
    pub fn pod(&self) -> &str {
        self.id.rsplit_once('-').unwrap().0
    }

    pub fn request(&self, method: &str, params: Value) -> std::io::Result<Answer> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        post(self.address, Some(&self.id), &body)
    }

    pub fn tool(&self, name: &str, arguments: Value) -> Answer {
        self.request(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        )
        .unwrap()
    }
}
