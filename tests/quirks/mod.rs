//! An MCP server that is good and has one habit, such as real servers have: each leaves a signature in the measurement.
//!
//! It answers `initialize`, notifications, `tools/call` and DELETE on a loopback port of its own, a thread a connection, and
//! tells on another port, in the form of Prometheus, how much memory it keeps.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fault_server::request::{Call, Request, Source};
use crate::program::pause;

/// What the server does beside answering. Of connections each is told its number.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// Head and result are written apart, and TCP_NODELAY is not set.
    pub nagle: bool,
    /// A connection ends with its so manieth answer.
    pub exchanges: Option<fn(u64) -> u64>,
    /// A connection ends when nothing was asked for so long.
    pub rest: Option<fn(u64) -> Duration>,
    /// `initialize` takes so long.
    pub slow_initialize: Duration,
    /// What a session takes, and whether it is given back at its end.
    pub session_bytes: usize,
    pub gives_back: bool,
}

struct State {
    habits: Habits,
    connections: AtomicU64,
    sessions: AtomicU64,
    kept: Mutex<Vec<Vec<u8>>>,
    over: AtomicBool,
}

/// Serves until it is dropped.
pub struct Server {
    address: SocketAddr,
    metrics: SocketAddr,
    state: Arc<State>,
}

/// What the server would have without any session.
const OWN_BYTES: usize = 8 << 20;

impl Server {
    pub fn with(habits: Habits) -> Server {
        let state = Arc::new(State {
            habits,
            connections: AtomicU64::new(0),
            sessions: AtomicU64::new(0),
            kept: Mutex::default(),
            over: AtomicBool::new(false),
        });
        Server {
            address: listen(&state, converse),
            metrics: listen(&state, tell_memory),
            state,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub fn metrics(&self) -> String {
        format!("http://{}/metrics", self.metrics)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // Wakes the threads that accept, so that they see the end. Connections end with their clients.
        for address in [self.address, self.metrics] {
            let _ = TcpStream::connect(address);
        }
    }
}

type Serve = fn(TcpStream, &State) -> io::Result<()>;

fn listen(state: &Arc<State>, serve: Serve) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("a bound address");
    let state = state.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if state.over.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let state = state.clone();
            // A connection that breaks is the client's to notice.
            thread::spawn(move || serve(stream, &state));
        }
    });
    address
}

/// Answers requests on one connection until it ends, or its time has come.
fn converse(mut stream: TcpStream, state: &State) -> io::Result<()> {
    let number = state.connections.fetch_add(1, Ordering::SeqCst);
    let habits = state.habits;
    stream.set_nodelay(!habits.nagle)?;
    stream.set_read_timeout(habits.rest.map(|rest| rest(number)))?;
    let most = habits.exchanges.map(|most| most(number));
    let mut source = Source::default();
    for exchange in 1.. {
        let request = match source.next(&mut stream) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            // It has rested for long enough.
            Err(_) => return stream.shutdown(Shutdown::Both),
        };
        let last = most == Some(exchange);
        answer(&mut stream, &request, last, state)?;
        if last {
            return stream.shutdown(Shutdown::Both);
        }
    }
    Ok(())
}

fn answer(stream: &mut TcpStream, request: &Request, last: bool, state: &State) -> io::Result<()> {
    let closing = if last { "connection: close\r\n" } else { "" };
    let (named, id, result) = match &request.call {
        Call::Initialize { id, version } => {
            pause(state.habits.slow_initialize);
            (open(state), id, opened(version))
        }
        Call::Tool { id, message, .. } => {
            let content = json!([{ "type": "text", "text": message }]);
            (
                String::new(),
                id,
                json!({ "content": content, "isError": false }),
            )
        }
        Call::Other { id, .. } => (String::new(), id, json!({})),
        Call::Notification { .. } => {
            let head = format!("HTTP/1.1 202 Accepted\r\n{closing}content-length: 0\r\n\r\n");
            return stream.write_all(head.as_bytes());
        }
        Call::Delete => {
            if state.habits.gives_back {
                state.kept().pop();
            }
            let head = format!("HTTP/1.1 200 OK\r\n{closing}content-length: 0\r\n\r\n");
            return stream.write_all(head.as_bytes());
        }
    };
    let body = json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{named}{closing}content-length: {}\r\n\r\n",
        body.len()
    );
    if state.habits.nagle {
        stream.write_all(head.as_bytes())?;
        return stream.write_all(body.as_bytes());
    }
    stream.write_all(format!("{head}{body}").as_bytes())
}

/// A session, with the memory that it takes.
fn open(state: &State) -> String {
    let session = state.sessions.fetch_add(1, Ordering::SeqCst);
    state.kept().push(vec![1; state.habits.session_bytes]);
    format!("mcp-session-id: quirk-{session}\r\n")
}

fn opened(version: &str) -> Value {
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "quirks", "version": "1" },
    })
}

impl State {
    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer a connection.
fn tell_memory(mut stream: TcpStream, state: &State) -> io::Result<()> {
    let mut request = [0; 4096];
    if stream.read(&mut request)? == 0 {
        return Ok(());
    }
    let kept: usize = state.kept().iter().map(Vec::len).sum();
    let body = format!("process_resident_memory_bytes {}\n", OWN_BYTES + kept);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes())
}
