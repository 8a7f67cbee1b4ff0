//! What a connection of our own meets.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use firedrill_erlmcp::world::{Blocked, LinkShape};
use serde_json::Value;

use super::super::damage::Damage;
use super::super::knock::tell;
use crate::clock::Clock;

/// A connection that is not there after this time is not coming, nor is an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// So long takes what is sent to see how many bytes pass in a second.
const SENDING: Duration = Duration::from_millis(250);
/// No more than this is sent for it.
const SENT_MAX: u64 = 4 << 20;

pub(super) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, PATIENCE)
}

/// How a question was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// Something was said after this time, whatever it was: not everybody speaks HTTP without TLS.
    Answer(Duration),
    Silence,
    /// Nobody was there, or the connection was reset or closed without a word.
    HangUp,
}

/// Sends the head of a request and a body of so many bytes.
fn ask(address: SocketAddr, body: u64, patience: Duration) -> Met {
    let clock = Clock::start();
    let exchange = || -> io::Result<usize> {
        let mut stream = connect(address)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let head = match body {
            0 => "GET /health HTTP/1.1\r\nhost: firedrill\r\n\r\n".to_owned(),
            length => format!(
                "POST /nobody HTTP/1.1\r\nhost: firedrill\r\ncontent-length: {length}\r\n\r\n"
            ),
        };
        stream.write_all(head.as_bytes())?;
        stream.write_all(&vec![b' '; body as usize])?;
        stream.read(&mut [0])
    };
    match exchange().map_err(|error| error.kind()) {
        Ok(0) => Met::HangUp,
        Ok(_) => Met::Answer(Duration::from_nanos(clock.now())),
        Err(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Met::Silence,
        Err(_) => Met::HangUp,
    }
}

/// Connections are taken, and what is asked on them is not answered.
pub(super) fn is_silent(address: SocketAddr) -> bool {
    connect(address).is_ok() && ask(address, 0, PATIENCE) == Met::Silence
}

pub(super) fn answers(address: SocketAddr) -> bool {
    matches!(ask(address, 0, PATIENCE), Met::Answer(_))
}

/// What is asked there fares as this shape has it. A shape that lets everything through disturbs nothing.
pub(super) fn is_disturbed(address: SocketAddr, shape: LinkShape) -> bool {
    if shape.reset {
        return ask(address, 0, PATIENCE) == Met::HangUp;
    }
    match shape.blocked {
        Blocked::Nothing => {}
        Blocked::ToServer | Blocked::FromServer | Blocked::Both => return is_silent(address),
    }
    // A question goes there and its answer comes back. Of what is drawn, a quarter is nearly always exceeded.
    let least = 2 * shape.delay + shape.jitter / 4;
    let patience = 2 * (shape.delay + shape.jitter) + PATIENCE;
    let late = least.is_zero()
        || matches!(ask(address, 0, patience), Met::Answer(after) if after >= least);
    late && shape
        .bandwidth
        .is_none_or(|bytes| is_narrow(address, bytes, patience))
        && shape != LinkShape::default()
}

/// No more than so many bytes pass in a second. Half the time that it should take is given away: a link may pass
/// what it saved up.
fn is_narrow(address: SocketAddr, bandwidth: u64, patience: Duration) -> bool {
    let sent = (bandwidth as f64 * SENDING.as_secs_f64()).clamp(1.0, SENT_MAX as f64);
    let takes = Duration::from_secs_f64(sent / bandwidth.max(1) as f64);
    match ask(address, sent as u64, patience + 4 * takes) {
        Met::Answer(after) => after >= takes / 2,
        Met::Silence | Met::HangUp => false,
    }
}

/// Who reads the damaged record from the store does not get what was written.
pub(super) fn serves_another(store: SocketAddr, damage: &Damage) -> Result<bool, String> {
    let was: Value = serde_json::from_str(&damage.was).map_err(|error| error.to_string())?;
    let key = serde_json::json!({ "client": was["client"], "sequence": was["sequence"] });
    let text = tell(store, PATIENCE, "POST /get", "", &key.to_string());
    let text = text.map_err(|error| error.to_string())?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let answer: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    Ok(answer["found"] == true && answer["record"]["value"] != was["value"])
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// Takes one connection, and does this with it.
    fn server(act: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || act(listener.accept().unwrap().0));
        (address, thread)
    }

    fn late(delay: Duration) -> LinkShape {
        LinkShape {
            delay,
            ..LinkShape::default()
        }
    }

    #[test]
    fn a_delay_is_measured_and_one_that_is_not_there_is_not_seen() {
        let (address, thread) = server(|mut stream| {
            let mut text = [0; 256];
            let _ = stream.read(&mut text);
            // Nothing more comes, and so time passes.
            stream
                .set_read_timeout(Some(Duration::from_millis(70)))
                .unwrap();
            assert!(stream.read(&mut text).is_err());
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        });
        assert!(is_disturbed(address, late(Duration::from_millis(30))));
        thread.join().unwrap();
        let (address, thread) = server(|mut stream| {
            let mut text = [0; 256];
            let _ = stream.read(&mut text);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        });
        assert!(!is_disturbed(address, late(Duration::from_secs(5))));
        thread.join().unwrap();
    }

    #[test]
    fn who_hangs_up_is_not_silent_and_who_is_silent_does_not_answer() {
        let (address, thread) = server(drop);
        let reset = LinkShape {
            reset: true,
            ..LinkShape::default()
        };
        assert!(is_disturbed(address, reset));
        thread.join().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The kernel takes the connection, and nobody ever answers.
        assert!(is_silent(address) && !answers(address));
        assert!(!is_disturbed(address, LinkShape::default()));
    }
}
