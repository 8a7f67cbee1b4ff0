//! One connection to a server: TCP, or TLS over it. Bytes in, bytes out, nothing waits.
//!
//! A request is written at once; what the socket does not take stays in a backlog. Reading fills the
//! caller's buffer, which is shared by all connections of a thread, so that an idle connection holds none.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{RecvFlags, SendFlags};
use rustls::ClientConnection;
use tokio::net::TcpStream;

/// A socket that says [`io::ErrorKind::WouldBlock`] where it would have to wait.
pub trait Socket {
    /// # Errors
    /// What the socket says.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    /// # Errors
    /// What the socket says.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A socket that its owner watches.
impl Socket for OwnedFd {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self, bytes, SendFlags::NOSIGNAL)?)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, _) = rustix::net::recv(self, buffer, RecvFlags::empty())?;
        Ok(count)
    }
}

/// A socket that the runtime watches.
impl Socket for TcpStream {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.try_read(buffer)
    }
}

pub struct Link<S> {
    socket: S,
    /// Nothing more can be read before the socket says so.
    drained: bool,
    /// The peer has ended its side, so that every read is worth it.
    ends: bool,
    tls: Option<Box<Tls>>,
    /// Bytes that the socket has not taken yet.
    backlog: Vec<u8>,
    peer: SocketAddr,
}

struct Tls {
    session: ClientConnection,
    /// Bytes of the socket that the session has not taken yet.
    sealed: Vec<u8>,
}

impl Link<TcpStream> {
    pub fn plain(stream: TcpStream, peer: SocketAddr) -> Link<TcpStream> {
        Link {
            socket: stream,
            drained: false,
            ends: false,
            tls: None,
            backlog: Vec::new(),
            peer,
        }
    }

    /// After the handshake.
    pub fn secured(stream: TcpStream, peer: SocketAddr, tls: ClientConnection) -> Link<TcpStream> {
        Link {
            tls: Some(Box::new(Tls {
                session: tls,
                sealed: Vec::new(),
            })),
            ..Link::plain(stream, peer)
        }
    }

    /// Takes the socket away from the runtime.
    ///
    /// # Errors
    /// When the runtime cannot let go of it.
    pub fn detached(self) -> io::Result<Link<OwnedFd>> {
        Ok(Link {
            socket: self.socket.into_std()?.into(),
            drained: self.drained,
            ends: self.ends,
            tls: self.tls,
            backlog: self.backlog,
            peer: self.peer,
        })
    }

    /// Sends what is left of earlier requests.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_rest(&mut self) -> io::Result<()> {
        while !self.flush()? {
            self.socket.writable().await?;
        }
        Ok(())
    }

    /// Waits for plain bytes; 0 is the end of the stream.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn receive_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.receive(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.readable().await?;
                    self.wake(false);
                }
                result => return result,
            }
        }
    }
}

impl<S: AsFd> Link<S> {
    pub fn socket(&self) -> &S {
        &self.socket
    }
}

impl<S: Socket> Link<S> {
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The socket has something; `ends` when that includes the end of what the peer says.
    pub fn wake(&mut self, ends: bool) {
        self.drained = false;
        self.ends |= ends;
    }

    /// Reading on may bring more: the last read has not shown that there is nothing.
    pub fn may_have_more(&self) -> bool {
        !self.drained || self.tls.is_some()
    }

    /// Sends `bytes`, or keeps the rest for [`Link::flush`]. True when everything went out.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            seal(&mut tls.session, bytes, &mut self.backlog)?;
            return self.flush();
        }
        if !self.backlog.is_empty() {
            self.backlog.extend_from_slice(bytes);
            return self.flush();
        }
        let sent = match self.socket.send(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.backlog.extend_from_slice(&bytes[sent..]);
        Ok(self.backlog.is_empty())
    }

    /// Sends what is left of earlier requests, as far as the socket takes it. True when everything went out.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn flush(&mut self) -> io::Result<bool> {
        if self.backlog.is_empty() {
            return Ok(true);
        }
        while !self.backlog.is_empty() {
            match self.socket.send(&self.backlog) {
                Ok(sent) => drop(self.backlog.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        // A large request must not make the connection hold its size for ever.
        if self.backlog.capacity() > KEPT {
            self.backlog = Vec::new();
        }
        Ok(true)
    }

    /// Reads plain bytes into `buffer`; 0 is the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is nothing, anything else when the connection breaks.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else {
                return self.read(buffer);
            };
            match tls.session.reader().read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer went away without a close_notify: the layer above knows whether that matters.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            if !tls.sealed.is_empty() {
                let sealed = std::mem::take(&mut tls.sealed);
                tls.sealed = unseal(&mut tls.session, &sealed)?.to_vec();
                continue;
            }
            let count = self.read(buffer)?;
            if let Some(tls) = &mut self.tls {
                tls.sealed = unseal(&mut tls.session, &buffer[..count])?.to_vec();
            }
        }
    }

    /// A read that does not fill the buffer has emptied the socket: what comes later is told anew, and asking once
    /// more would cost a system call. Only the end of the stream may have been told already.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.drained {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.socket.receive(buffer)?;
        self.drained = count > 0 && count < buffer.len() && !self.ends;
        Ok(count)
    }
}

/// A connection keeps no more room for a backlog than this.
const KEPT: usize = 2048;

/// Makes records of all bytes. TLS takes a limited number at a time, and more when their records are out.
fn seal(tls: &mut ClientConnection, mut bytes: &[u8], records: &mut Vec<u8>) -> io::Result<()> {
    while !bytes.is_empty() {
        let taken = tls.writer().write(bytes)?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[taken..];
        while tls.wants_write() {
            tls.write_tls(records)?;
        }
    }
    Ok(())
}

/// Reads records until there is something plain to take, and returns the bytes that are left: TLS refuses more
/// while it holds much that nobody took. No bytes are the end of the stream.
fn unseal<'a>(tls: &mut ClientConnection, mut sealed: &'a [u8]) -> io::Result<&'a [u8]> {
    loop {
        if tls.read_tls(&mut sealed)? == 0 {
            // The end, or what follows a close_notify.
            sealed = &[];
        }
        let state = tls
            .process_new_packets()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if sealed.is_empty() || state.plaintext_bytes_to_read() > 0 {
            return Ok(sealed);
        }
    }
}
