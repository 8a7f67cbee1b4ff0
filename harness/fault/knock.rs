//! A client of our own, which asks one question at one address: how long it takes, and whether it is answered.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use firedrill_scenarios::plan::TlsOptions;

use crate::clock::Clock;
use crate::target::trust;

/// For a connection, and for each answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer with status 200.
    Answer(Duration),
    /// Another answer: a limit, or somebody who is ending.
    Refusal,
    /// Nothing, for as long as we wait.
    Silence,
    /// Nobody takes connections there.
    Nobody,
}

/// Opens a session, asks for the tools, and ends the session.
pub fn ask(address: SocketAddr) -> Heard {
    match talk(address) {
        Ok(heard) => heard,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Heard::Nobody,
        Err(_) => Heard::Silence,
    }
}

fn talk(address: SocketAddr) -> io::Result<Heard> {
    let opening = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"firedrill","version":"1"}}}"#;
    let opened = exchange(address, "POST", "", opening)?;
    let session = opened.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("mcp-session-id").then_some(value)
    });
    let Some(session) = session else {
        return Ok(Heard::Refusal);
    };
    let header = format!("mcp-session-id: {session}\r\n");
    let question = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let clock = Clock::start();
    let answer = exchange(address, "POST", &header, question);
    let took = Duration::from_nanos(clock.now());
    // A session that is not ended ends with the pod.
    let _ = exchange(address, "DELETE", &header, "");
    let is_ok = answer?.starts_with("HTTP/1.1 200");
    Ok(if is_ok {
        Heard::Answer(took)
    } else {
        Heard::Refusal
    })
}

/// One request on a connection of its own; the head of the answer, and what came with it.
fn exchange(address: SocketAddr, method: &str, headers: &str, body: &str) -> io::Result<String> {
    let headers = format!(
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\n{headers}"
    );
    tell(address, PATIENCE, &format!("{method} /mcp"), &headers, body)
}

/// Connects, and waits no longer than this for anything.
pub(super) fn dial(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    Ok(stream)
}

/// One request on a connection of its own, and all that is answered. `headers` end with a line feed each.
pub(super) fn tell(
    address: SocketAddr,
    patience: Duration,
    line: &str,
    headers: &str,
    body: &str,
) -> io::Result<String> {
    let mut stream = dial(address, patience)?;
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Shakes hands with a front door as clients do that trust `authority`. `Ok(false)`: its certificate has expired.
///
/// # Errors
/// When there is no handshake, or one that fails for another reason.
pub fn shake_hands(address: SocketAddr, name: &str, authority: &Path) -> Result<bool, String> {
    let options = TlsOptions {
        ca: Some(authority.to_owned()),
        ..TlsOptions::default()
    };
    let tls = trust::client(&options, name).map_err(|error| error.to_string())?;
    let mut connection =
        rustls::ClientConnection::new(tls.config, tls.server).map_err(|error| error.to_string())?;
    let mut stream = dial(address, PATIENCE).map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            return match is_expiry(&error) {
                true => Ok(false),
                false => Err(error.to_string()),
            };
        }
    }
    Ok(true)
}

fn is_expiry(error: &io::Error) -> bool {
    use rustls::CertificateError::{Expired, ExpiredContext};
    use rustls::Error::InvalidCertificate;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        inner,
        Some(InvalidCertificate(Expired | ExpiredContext { .. }))
    )
}
