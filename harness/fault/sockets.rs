//! The kernel's table of sockets: who is connected to whom, whoever says what about it.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// One end of a connection, as `/proc/net/tcp` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    pub local: SocketAddrV4,
    pub remote: SocketAddrV4,
    pub established: bool,
    /// It is over, and only its port rests.
    pub over: bool,
    /// Bytes that the other end has not taken.
    pub unsent: u64,
}

/// Every TCP socket of this machine that has another end.
///
/// # Errors
/// When the kernel does not tell.
pub fn all() -> io::Result<Vec<Socket>> {
    let text = fs::read_to_string("/proc/net/tcp")?;
    Ok(text.lines().skip(1).filter_map(line).collect())
}

/// Ends at `to` of connections from `from`.
pub fn between(all: &[Socket], from: Ipv4Addr, to: SocketAddr) -> impl Iterator<Item = &Socket> {
    all.iter()
        .filter(move |socket| SocketAddr::V4(socket.local) == to && *socket.remote.ip() == from)
}

/// Ends at `from` of connections to `to`.
pub fn held(all: &[Socket], from: Ipv4Addr, to: SocketAddr) -> impl Iterator<Item = &Socket> {
    all.iter()
        .filter(move |socket| SocketAddr::V4(socket.remote) == to && *socket.local.ip() == from)
}

/// `sl local_address rem_address st tx_queue:rx_queue ...`, numbers in hexadecimal.
fn line(text: &str) -> Option<Socket> {
    const ESTABLISHED: &str = "01";
    const TIME_WAIT: &str = "06";
    const CLOSED: &str = "07";
    const LISTENS: &str = "0A";
    let mut fields = text.split_ascii_whitespace().skip(1);
    let (local, remote) = (address(fields.next()?)?, address(fields.next()?)?);
    let state = fields.next()?;
    let (unsent, _) = fields.next()?.split_once(':')?;
    (state != LISTENS).then_some(Socket {
        local,
        remote,
        established: state == ESTABLISHED,
        over: state == TIME_WAIT || state == CLOSED,
        unsent: u64::from_str_radix(unsent, 16).ok()?,
    })
}

/// The address as the machine holds it in memory, and the port.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (ip, port) = text.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(ip), port))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_is_seen_with_what_nobody_reads_and_not_when_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let local = Ipv4Addr::LOCALHOST;
        let client = TcpStream::connect(to).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let seen = all().unwrap();
        assert_eq!(
            between(&seen, local, to)
                .filter(|own| own.established)
                .count(),
            1
        );
        assert_eq!(held(&seen, local, to).count(), 1);
        assert!(between(&seen, local, to).all(|own| own.unsent == 0));
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 64 << 10]).is_ok() {}
        let seen = all().unwrap();
        assert!(between(&seen, local, to).any(|own| own.unsent > 0));
        drop(server);
        drop(client);
        let gone = || {
            all()
                .unwrap()
                .iter()
                .filter(|own| SocketAddr::V4(own.remote) == to && !own.over)
                .count()
                == 0
        };
        while !gone() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_line_is_read_and_a_listener_is_no_connection() {
        let text =
            "   1: 0100007F:1F90 0200007F:C350 01 00000A10:00000000 00:00000000 00000000 0 0 1";
        let socket = line(text).unwrap();
        assert_eq!(socket.local.port(), 8080);
        assert_eq!((socket.established, socket.unsent), (true, 0xa10));
        assert_eq!(line(&text.replace(" 01 ", " 0A ")), None);
        assert_eq!(line("header"), None);
    }
}
