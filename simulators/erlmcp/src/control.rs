//! Commands to a part that runs, outside the way that clients take.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum ControlError {
    #[error(
        "the control address {address} does not answer: {source}; the process may have ended or be stopped"
    )]
    Unreachable {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("{address} refused {path}: {answer}")]
    Refused {
        address: SocketAddr,
        path: &'static str,
        answer: String,
    },
}

/// Makes a pod stop answering for `duration`, while it goes on to accept connections and to read requests.
///
/// `control` is the pod's [`Process::control`](crate::Process::control). A later stall replaces an earlier one; a
/// duration of zero ends it. Blocks until the pod has taken the command, at most some seconds.
pub fn stall(control: SocketAddr, duration: Duration) -> Result<(), ControlError> {
    let body = format!(r#"{{"ms":{}}}"#, duration.as_millis());
    post(control, "/control/stall", &body)
}

/// What a front door has counted of one client, which is an address that connects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientView {
    pub address: String,
    /// Connections that are open now.
    pub open: u64,
    /// Connections so far, with those that were refused.
    pub connections: u64,
    /// Requests to the MCP endpoint so far, with those that were refused.
    pub messages: u64,
    /// What was refused, by erlmcp's code.
    pub refused: BTreeMap<u32, u64>,
}

/// Asks a front door for its clients, on its control address.
pub fn clients(control: SocketAddr) -> Result<Vec<ClientView>, ControlError> {
    let unreachable = |source| ControlError::Unreachable {
        address: control,
        source,
    };
    let answer = exchange(control, "/control/clients", "", "", TIMEOUT).map_err(unreachable)?;
    serde_json::from_str(&answer.body).map_err(|error| unreachable(error.into()))
}

fn post(address: SocketAddr, path: &'static str, body: &str) -> Result<(), ControlError> {
    let answer = exchange(address, path, "", body, TIMEOUT)
        .map_err(|source| ControlError::Unreachable { address, source })?;
    match answer.status {
        200 => Ok(()),
        _ => Err(ControlError::Refused {
            address,
            path,
            answer: answer.body,
        }),
    }
}

pub(crate) struct Answer {
    pub status: u16,
    pub body: String,
}

/// One POST on a connection of its own. `headers` are whole lines.
pub(crate) fn exchange(
    address: SocketAddr,
    path: &str,
    headers: &str,
    body: &str,
    timeout: Duration,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok(Answer {
        status: status.unwrap_or_default(),
        body: body.to_owned(),
    })
}
