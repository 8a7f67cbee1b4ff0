//! An MCP server that breaks in every way a client has to tell apart, on command, and counts what it was asked.
//!
//! [`FaultServer::start`] serves Streamable HTTP on a loopback port of its own, a thread a connection, until it is
//! dropped. What a `tools/call` gets is chosen by its argument `mode`, or for every call of a target by the path
//! `/mcp/MODE` ([`FaultServer::url_of`]); [`Mode`] lists the modes with the outcome that each has to be counted as.
//! Everything beside `tools/call` works, but for DELETE where every call gets [`Mode::Eof`]: `initialize` opens a session, notifications are accepted, DELETE ends the
//! session, other requests get an empty result. Some modes break `initialize` itself ([`Mode::breaks_opening`]).
//!
//! With the path `/once/MODE` every answer closes its connection, so that each operation comes on a fresh one.
//!
//! [`FaultServer::start_tls`] does the same behind TLS, or breaks the handshake. [`Refusing`] is a port that refuses
//! connections, and stays taken.
//!
//! - `mode`: what can go wrong, and its outcome
//! - `script`: the bytes of each mode
//! - `request`: reading what the client sent
//! - `tls`: certificates, and handshakes that fail

mod mode;
pub mod request;
mod script;
mod tests;
mod tls;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use serde_json::Value;

pub use mode::Mode;
pub use tls::{Handshake, Trust};

use request::{Call, Request, Source};
use script::{Script, Then};

/// Serves until it is dropped.
pub struct FaultServer {
    address: SocketAddr,
    tls: bool,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    asked: Mutex<BTreeMap<Mode, u64>>,
    /// Requests and notifications beside `tools/call`, by method; `DELETE` for ended sessions.
    others: Mutex<BTreeMap<String, u64>>,
    connections: Mutex<Vec<Weak<TcpStream>>>,
    accepted: AtomicU64,
    sessions: AtomicU64,
    over: AtomicBool,
}

impl FaultServer {
    pub fn start() -> FaultServer {
        FaultServer::serve(None)
    }

    /// Behind TLS, with the handshake that is asked for.
    pub fn start_tls(handshake: Handshake, trust: &Trust) -> FaultServer {
        FaultServer::serve(Some(tls::Door::new(handshake, trust)))
    }

    fn serve(door: Option<tls::Door>) -> FaultServer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(State::default());
        let tls = door.is_some();
        let (shared, door) = (state.clone(), door.map(Arc::new));
        thread::spawn(move || accept(&listener, &shared, door.as_ref()));
        FaultServer {
            address,
            tls,
            state,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where calls choose their mode themselves.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/mcp", self.address)
    }

    /// Where every call is in this mode.
    pub fn url_of(&self, mode: Mode) -> String {
        format!("{}/{}", self.url(), mode.name())
    }

    /// Where every call is in this mode and comes on a connection of its own.
    pub fn url_of_fresh(&self, mode: Mode) -> String {
        self.url_of(mode).replace("/mcp/", "/once/")
    }

    /// Calls in this mode so far.
    pub fn asked(&self, mode: Mode) -> u64 {
        lock(&self.state.asked).get(&mode).copied().unwrap_or(0)
    }

    /// Calls so far, in any mode.
    pub fn asked_at_all(&self) -> u64 {
        lock(&self.state.asked).values().sum()
    }

    /// How often a method beside `tools/call` was used so far; `DELETE` for ended sessions.
    pub fn used(&self, method: &str) -> u64 {
        lock(&self.state.others).get(method).copied().unwrap_or(0)
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        for connection in lock(&self.state.connections)
            .iter()
            .filter_map(Weak::upgrade)
        {
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts, so that it sees the end.
        let _ = TcpStream::connect(self.address);
    }
}

/// A port that nobody listens on and that nobody else can take.
pub struct Refusing {
    address: SocketAddr,
    _held: socket2::Socket,
}

impl Refusing {
    pub fn start() -> Refusing {
        let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        held.bind(&any.into()).expect("a loopback port");
        let address = held.local_addr().ok().and_then(|own| own.as_socket());
        Refusing {
            address: address.expect("a bound address"),
            _held: held,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }
}

/// A test that failed while it held the lock has said so already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, state: &Arc<State>, door: Option<&Arc<tls::Door>>) {
    for stream in listener.incoming() {
        if state.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        state.accepted.fetch_add(1, Ordering::SeqCst);
        let stream = Arc::new(stream);
        remember(state, &stream);
        let (state, door) = (state.clone(), door.cloned());
        // A connection that breaks is the client's to notice.
        thread::spawn(move || match door {
            None => converse(&mut stream.as_ref(), &stream, &state),
            Some(door) => door.open(&stream, |secured| converse(secured, &stream, &state)),
        });
    }
}

fn remember(state: &State, stream: &Arc<TcpStream>) {
    let mut connections = lock(&state.connections);
    connections.retain(|connection| connection.strong_count() > 0);
    connections.push(Arc::downgrade(stream));
}

/// Answers requests on one connection until it ends.
fn converse(
    channel: &mut (impl Read + Write),
    socket: &TcpStream,
    state: &State,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut source = Source::default();
    while let Some(request) = source.next(channel)? {
        let script = answer(&request, state);
        for piece in script.pieces() {
            channel.write_all(piece)?;
            channel.flush()?;
        }
        match script.then {
            Then::Listen => {}
            Then::Close => return socket.shutdown(Shutdown::Both),
            // With no time to linger, closing the socket resets the connection.
            Then::Reset => {
                return socket2::SockRef::from(socket).set_linger(Some(std::time::Duration::ZERO));
            }
            Then::Hang => return io::copy(channel, &mut io::sink()).map(drop),
        }
    }
    Ok(())
}

/// What the request is answered with, after it has been counted.
fn answer(request: &Request, state: &State) -> Script {
    let once = request.path.starts_with("/once");
    let whole_target = request.path.rsplit('/').next().and_then(Mode::named);
    let script = match &request.call {
        Call::Tool { id, mode, message } => {
            let mode = mode.as_deref().and_then(Mode::named).or(whole_target);
            let mode = mode.unwrap_or(Mode::Ok);
            *lock(&state.asked).entry(mode).or_default() += 1;
            script::tool(mode, id, message)
        }
        Call::Initialize { id, version } => {
            count(state, "initialize");
            let session = state.sessions.fetch_add(1, Ordering::SeqCst);
            script::initialize(whole_target.unwrap_or(Mode::Ok), id, version, session)
        }
        Call::Other { id, method } => {
            count(state, method);
            script::other(id)
        }
        Call::Notification { method } => {
            count(state, method);
            match whole_target {
                Some(Mode::AsksAgain) if method == "response" => script::asking(),
                _ => script::accepted(),
            }
        }
        Call::Delete => {
            count(state, "DELETE");
            match whole_target {
                Some(Mode::Eof) => script::tool(Mode::Eof, &Value::Null, &Value::Null),
                _ => script::accepted(),
            }
        }
    };
    if once { script.closing() } else { script }
}

fn count(state: &State, method: &str) {
    *lock(&state.others).entry(method.to_owned()).or_default() += 1;
}
