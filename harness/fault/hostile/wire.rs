//! A hostile client's connections, what it writes, and what it reads. No codec of ours: what it writes is meant to be
//! wrong.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::account::{Account, Answer};
use super::{Attack, locked};

/// An answer that is not there after this time is not waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Answers are short; a longer one is not kept.
const LONGEST_ANSWER: usize = 1 << 20;
const HEADERS: &str =
    "content-type: application/json\r\naccept: application/json, text/event-stream\r\n";

pub(super) struct Client {
    pub attack: Attack,
    account: Arc<Mutex<Account>>,
    sessions: RefCell<Vec<String>>,
    next_id: Cell<u64>,
}

/// The head of an answer, and what its body says about a refusal.
#[derive(Debug)]
pub(super) struct Heard {
    pub answer: Answer,
    pub session: Option<String>,
}

impl Client {
    pub fn new(attack: Attack, account: Arc<Mutex<Account>>) -> Client {
        Client {
            attack,
            account,
            sessions: RefCell::default(),
            next_id: Cell::new(1),
        }
    }

    pub fn note(&self, note: impl FnOnce(&mut Account)) {
        note(&mut locked(&self.account));
    }

    pub fn attempted(&self, count: u64, bytes: usize) {
        self.note(|account| {
            account.attempts += count;
            account.bytes += bytes as u64;
        });
    }

    /// A connection from the client's own address. `narrow`: it can take in little that it does not read.
    pub async fn connect(&self, narrow: bool) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.attack.from, 0).into())?;
        if narrow {
            socket.set_recv_buffer_size(4 << 10)?;
        }
        let stream = tokio::time::timeout(PATIENCE, socket.connect(self.attack.to))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        // Its end is a reset: nothing of it is left waiting in the kernel.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        Ok(stream)
    }

    /// As [`Client::connect`]; what goes wrong is noted.
    pub async fn connection(&self, narrow: bool) -> Option<TcpStream> {
        match self.connect(narrow).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                self.note(|account| account.fail(&error.to_string()));
                None
            }
        }
    }

    /// Opens a session on this connection: its id, or what came instead.
    pub async fn open(&self, stream: &mut TcpStream) -> io::Result<Result<String, Answer>> {
        let initialize = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "hostile", "version": "1" },
        });
        let heard = self
            .ask(stream, None, &self.call("initialize", &initialize))
            .await?;
        let Some(session) = heard.session else {
            return Ok(Err(heard.answer));
        };
        self.sessions.borrow_mut().push(session.clone());
        let initialized = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        self.ask(stream, Some(&session), initialized).await?;
        Ok(Ok(session))
    }

    /// Ends a session, so that it need not be given back later.
    pub async fn close(&self, stream: &mut TcpStream, session: &str) -> io::Result<()> {
        stream
            .write_all(&self.head("DELETE", Some(session), ""))
            .await?;
        let mut reader = Reader::default();
        tokio::time::timeout(PATIENCE, reader.next(stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        self.sessions.borrow_mut().retain(|own| own != session);
        Ok(())
    }

    /// One request and its answer.
    pub async fn ask(
        &self,
        stream: &mut TcpStream,
        session: Option<&str>,
        body: &[u8],
    ) -> io::Result<Heard> {
        let exchange = async {
            stream.write_all(&self.post(session, body)).await?;
            Reader::default().next(stream).await
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// The JSON text of a request.
    pub fn call(&self, method: &str, params: &Value) -> Vec<u8> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        message.to_string().into_bytes()
    }

    /// A whole request with this body.
    pub fn post(&self, session: Option<&str>, body: &[u8]) -> Vec<u8> {
        let length = format!("content-length: {}\r\n", body.len());
        let mut request = self.head("POST", session, &length);
        request.extend_from_slice(body);
        request
    }

    /// The head of a request.
    pub fn head(&self, method: &str, session: Option<&str>, more: &str) -> Vec<u8> {
        let Attack { path, to, .. } = &self.attack;
        let session = session.map_or_else(String::new, |id| format!("mcp-session-id: {id}\r\n"));
        format!("{method} {path} HTTP/1.1\r\nhost: {to}\r\n{HEADERS}{session}{more}\r\n")
            .into_bytes()
    }

    /// Gives every session back that the server keeps for this client.
    pub async fn give_back(&self) {
        let sessions = self.sessions.take();
        if sessions.is_empty() {
            return;
        }
        let Ok(mut stream) = self.connect(false).await else {
            return;
        };
        let mut reader = Reader::default();
        for session in sessions {
            let request = self.head("DELETE", Some(&session), "");
            let sent = stream.write_all(&request).await;
            if sent.is_err() || reader.next(&mut stream).await.is_err() {
                return;
            }
        }
    }
}

/// Writes as much as the target takes; how much that was, and whether it was all.
pub(super) async fn write_on(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
) -> (usize, io::Result<()>) {
    let mut done = 0;
    while done < bytes.len() {
        match stream.write(&bytes[done..]).await {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => done += count,
            Err(error) => return (done, Err(error)),
        }
    }
    (done, Ok(()))
}

/// Answers one after the other, as they come on one connection.
#[derive(Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// # Errors
    /// When the connection ends before an answer is whole.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Heard> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some((heard, length)) = parse(&self.bytes)? {
                self.bytes.drain(..length);
                return Ok(heard);
            }
            if self.bytes.len() > LONGEST_ANSWER {
                return Err(io::Error::other("an answer without end"));
            }
            let count = stream.read(&mut buffer).await?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.bytes.extend_from_slice(&buffer[..count]);
        }
    }
}

/// The first whole answer and its length.
fn parse(bytes: &[u8]) -> io::Result<Option<(Heard, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(io::Error::other(error.to_string())),
    };
    let text = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let length = text("content-length").and_then(|length| length.trim().parse().ok());
    let end = head + length.unwrap_or(0);
    if bytes.len() < end {
        return Ok(None);
    }
    let answer = Answer::Status {
        status: response.code.unwrap_or(0),
        refusal: refusal(&bytes[head..end]),
    };
    let session = text("mcp-session-id").map(str::to_owned);
    Ok(Some((Heard { answer, session }, end)))
}

/// The refusal code that a JSON-RPC error carries.
fn refusal(body: &[u8]) -> Option<u32> {
    memchr::memmem::find(body, b"\"refusal\"")?;
    let message: Value = serde_json::from_slice(body).ok()?;
    let code = message.pointer("/error/data/refusal")?.as_u64()?;
    u32::try_from(code).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_where_several_come_at_once() {
        let body = r#"{"error":{"code":-32010,"data":{"refusal":1056}}}"#;
        let refused = format!(
            "HTTP/1.1 429 Too Many Requests\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let bytes = format!(
            "{refused}HTTP/1.1 200 OK\r\nMcp-Session-Id: s\r\ncontent-length: 2\r\n\r\n{{}}HTTP/1.1 2"
        );
        let (first, length) = parse(bytes.as_bytes()).unwrap().unwrap();
        let status = |status, refusal| Answer::Status { status, refusal };
        assert_eq!(
            (first.answer, length),
            (status(429, Some(1056)), refused.len())
        );
        let (second, end) = parse(&bytes.as_bytes()[length..]).unwrap().unwrap();
        assert_eq!(second.answer, status(200, None));
        assert_eq!(second.session.as_deref(), Some("s"));
        assert!(parse(&bytes.as_bytes()[length + end..]).unwrap().is_none());
        assert!(parse(b"no HTTP at all\r\n\r\n").is_err());
    }
}
