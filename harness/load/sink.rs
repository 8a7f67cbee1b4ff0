//! A server that answers at once and does nothing else: what this machine can do when no target is in the way.
//!
//! One thread and one epoll. It knows just enough of HTTP and MCP to be driven by anything: a session is opened and
//! not remembered, a notification is accepted, and whatever else is asked gets the same result under its own id; under
//! `/stream` as an event stream, in chunks.
//!
//! - `channel`: what a connection's bytes go through: nothing, or TLS

pub mod channel;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use channel::Channel;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use rustls::ServerConfig;
use socket2::{Domain, Socket, Type};

/// Connections that may wait to be accepted: a client opens its thousand at once.
const BACKLOG: i32 = 8192;
/// Connections that are accepted before those that were are answered.
const MOST_AT_ONCE: usize = 64;
/// Larger requests are nothing that a load sends here.
const LARGEST_REQUEST: usize = 1 << 20;
/// What the listener is called among the descriptors.
const LISTENER: u64 = u64::MAX;

const RESULT: &[u8] =
    b",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"7f3a91-2c-0-4d21 is the text of every answer\"}],\
      \"isError\":false}}";

pub struct Sink {
    listener: TcpListener,
    epoll: OwnedFd,
    /// By descriptor, which the kernel keeps small.
    connections: Vec<Option<Connection>>,
    sessions: u64,
    /// With it, TLS is spoken.
    tls: Option<Arc<ServerConfig>>,
    input: Vec<u8>,
    output: Vec<u8>,
}

/// A sink on a thread of this process, for as long as this value is there.
pub struct Beside {
    pub address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Beside {
    /// The name of its thread, by which its time is known.
    pub const THREAD: &str = "sink";

    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// When there is none, or no thread.
    pub fn start() -> io::Result<Beside> {
        Beside::serving(Sink::listen((Ipv4Addr::LOCALHOST, 0).into())?)
    }

    /// # Errors
    /// When there is no thread.
    pub fn serving(sink: Sink) -> io::Result<Beside> {
        let address = sink.address()?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        let serve = move || sink.serve_while(|| !ended.load(Ordering::Relaxed));
        let thread = thread::Builder::new()
            .name(Beside::THREAD.to_owned())
            .spawn(serve)?;
        Ok(Beside {
            address,
            over,
            thread: Some(thread),
        })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It looks up when somebody comes; where nobody can, it is not waited for.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

struct Connection {
    channel: Channel,
    /// The beginning of a request that has not come whole.
    partial: Vec<u8>,
}

impl Sink {
    /// Listens; nothing is accepted before [`Sink::serve_while`].
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn listen(address: SocketAddr) -> io::Result<Sink> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // What is accepted has it from the listener.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = epoll::EventData::new_u64(LISTENER);
        epoll::add(&epoll, &listener, data, epoll::EventFlags::IN)?;
        Ok(Sink {
            listener,
            epoll,
            connections: Vec::new(),
            sessions: 0,
            tls: None,
            input: vec![0; 64 * 1024],
            output: Vec::with_capacity(64 * 1024),
        })
    }

    /// The same behind TLS.
    pub fn secured(self, config: Arc<ServerConfig>) -> Sink {
        Sink {
            tls: Some(config),
            ..self
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for as long as this is wanted, which is asked whenever something has come.
    ///
    /// # Errors
    /// When no more connections can be had.
    pub fn serve_while(mut self, wanted: impl Fn() -> bool) -> io::Result<()> {
        let mut events = Vec::with_capacity(1024);
        while wanted() {
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                None,
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    descriptor => self.answer(descriptor as usize),
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        // The listener is told again as long as more wait.
        for _ in 0..MOST_AT_ONCE {
            let stream = match accept_with(&self.listener, flags) {
                Ok(stream) => TcpStream::from(stream),
                Err(Errno::WOULDBLOCK) => return Ok(()),
                // The client has gone before it was seen.
                Err(Errno::CONNABORTED) => continue,
                Err(error) => return Err(error.into()),
            };
            let descriptor = stream.as_raw_fd() as usize;
            let data = epoll::EventData::new_u64(descriptor as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            if self.connections.len() <= descriptor {
                self.connections.resize_with(descriptor + 1, || None);
            }
            self.connections[descriptor] = Some(Connection {
                channel: Channel::new(stream, self.tls.as_ref())?,
                partial: Vec::new(),
            });
        }
        Ok(())
    }

    /// Reads once and answers every request that is whole. A connection with which anything is wrong is closed:
    /// a client that sends what it should and reads what it asked for never sees that.
    fn answer(&mut self, descriptor: usize) {
        let Some(Some(connection)) = self.connections.get_mut(descriptor) else {
            return;
        };
        let count = match connection.channel.receive(&mut self.input) {
            Ok(0) => return self.connections[descriptor] = None,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => return self.connections[descriptor] = None,
        };
        self.output.clear();
        let read = &self.input[..count];
        let left = if connection.partial.is_empty() {
            let left = answer_all(read, &mut self.sessions, &mut self.output);
            connection.partial.extend_from_slice(left);
            left.len()
        } else {
            connection.partial.extend_from_slice(read);
            let left = answer_all(&connection.partial, &mut self.sessions, &mut self.output).len();
            let used = connection.partial.len() - left;
            connection.partial.drain(..used);
            left
        };
        let sent = self.output.is_empty() || connection.channel.send(&self.output).is_ok();
        if !sent || left > LARGEST_REQUEST {
            self.connections[descriptor] = None;
        }
    }
}

/// Answers the requests at the front of `input` and returns what is left of it.
fn answer_all<'a>(mut input: &'a [u8], sessions: &mut u64, output: &mut Vec<u8>) -> &'a [u8] {
    while let Some((head, body, rest)) = request(input) {
        answer_one(head, body, sessions, output);
        input = rest;
    }
    input
}

/// The first request, its body, and what follows it; `None` when it is not whole.
fn request(input: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = memchr::memmem::find(input, b"\r\n\r\n")? + 4;
    let (head, rest) = input.split_at(end);
    let length = head.split(|byte| *byte == b'\n').find_map(length_of);
    let (body, rest) = rest.split_at_checked(length.unwrap_or(0))?;
    Some((head, body, rest))
}

fn length_of(line: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let (name, value) = line.split_at_checked(NAME.len())?;
    if !name.eq_ignore_ascii_case(NAME) {
        return None;
    }
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn answer_one(head: &[u8], body: &[u8], sessions: &mut u64, output: &mut Vec<u8>) {
    let id = value_of(body, b"\"id\":");
    if head.starts_with(b"DELETE") {
        output.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    } else if !head.starts_with(b"POST") {
        output.extend_from_slice(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
    } else if let Some(version) = value_of(body, b"\"protocolVersion\":") {
        *sessions += 1;
        let session = format!("mcp-session-id: {sessions:032x}\r\n");
        let result = [
            b",\"result\":{\"protocolVersion\":",
            version,
            b",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"sink\",\"version\":\"1\"}}}",
        ]
        .concat();
        write_answer(session.as_bytes(), id.unwrap_or(b"null"), &result, output);
    } else if let Some(id) = id.filter(|_| head.starts_with(b"POST /stream")) {
        write_stream(id, RESULT, output);
    } else if let Some(id) = id {
        write_answer(b"", id, RESULT, output);
    } else {
        output.extend_from_slice(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
    }
}

/// The scalar after a key, as it stands in the text.
fn value_of<'a>(body: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let after = body.get(memchr::memmem::find(body, key)? + key.len()..)?;
    let end = after.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    Some(after[..end].trim_ascii())
}

const BEFORE_ID: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":";

/// One event in one chunk, and the end.
fn write_stream(id: &[u8], result: &[u8], output: &mut Vec<u8>) {
    const EVENT: &[u8] = b"event: message\ndata: ";
    let length = EVENT.len() + BEFORE_ID.len() + id.len() + result.len() + 2;
    output.extend_from_slice(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    // Writing to memory cannot fail.
    let _ = write!(output, "{length:x}\r\n");
    for piece in [EVENT, BEFORE_ID, id, result, b"\n\n\r\n0\r\n\r\n"] {
        output.extend_from_slice(piece);
    }
}

fn write_answer(headers: &[u8], id: &[u8], result: &[u8], output: &mut Vec<u8>) {
    let length = BEFORE_ID.len() + id.len() + result.len();
    output.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
    output.extend_from_slice(headers);
    output.extend_from_slice(b"content-length: ");
    output.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    output.extend_from_slice(b"\r\n\r\n");
    output.extend_from_slice(BEFORE_ID);
    output.extend_from_slice(id);
    output.extend_from_slice(result);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::exchange::{Event, Exchange};
    use crate::mcp::json::{self, Id, Message};

    const CALL: &[u8] = b"POST /mcp HTTP/1.1\r\nhost: a\r\nContent-Length: 70\r\n\r\n\
        {\"jsonrpc\":\"2.0\",\"id\":417,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}";

    fn told(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut partial, mut sessions, mut output) = (Vec::new(), 0, Vec::new());
        for piece in pieces {
            partial.extend_from_slice(piece);
            partial = answer_all(&partial, &mut sessions, &mut output).to_vec();
        }
        assert!(partial.is_empty(), "a request was left unanswered");
        output
    }

    #[test]
    fn an_answer_has_the_id_of_its_request_wherever_the_request_is_cut() {
        for cut in 0..CALL.len() {
            let answer = told(&[&CALL[..cut], &CALL[cut..]]);
            let mut exchange = Exchange::default();
            exchange.begin(1 << 20, false);
            let (mut input, mut pending) = (answer.as_slice(), &[][..]);
            assert!(matches!(
                exchange.next(&mut input, &mut pending),
                Event::Head(_)
            ));
            let Event::Message(text) = exchange.next(&mut input, &mut pending) else {
                panic!("no message");
            };
            let message = json::envelope(text).expect("a message");
            let Message::Response { id, is_error, .. } = message else {
                panic!("{message:?}");
            };
            assert_eq!((id, is_error), (Id::Number(417), Some(false)));
            assert_eq!(
                exchange.next(&mut input, &mut pending),
                Event::Over { reusable: true }
            );
        }
    }

    #[test]
    fn requests_that_come_together_are_answered_together() {
        let answers = told(&[&[CALL, CALL].concat()]);
        let id = memchr::memmem::find_iter(&answers, b"\"id\":417").count();
        assert_eq!(id, 2);
    }

    #[test]
    fn a_session_is_opened_with_the_version_that_was_asked_for() {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#;
        let request = format!(
            "POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = String::from_utf8(told(&[request.as_bytes()])).expect("text");
        assert!(answer.contains("mcp-session-id: 0000"), "{answer}");
        assert!(
            answer.contains(r#""id":0,"result":{"protocolVersion":"2025-06-18","#),
            "{answer}"
        );
    }
}
