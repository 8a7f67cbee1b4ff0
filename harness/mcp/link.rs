//! One connection to a server: TCP, or TLS over it. Bytes in, bytes out, nothing waits.
//!
//! A request is written at once; what the socket does not take stays in a backlog. Reading fills the
//! caller's buffer, which is shared by all connections of a thread, so that an idle connection holds none.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::ClientConnection;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

pub struct Link {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Bytes that the socket has not taken yet.
    backlog: Vec<u8>,
    /// Bytes of the socket that TLS has not taken yet.
    sealed: Vec<u8>,
    peer: SocketAddr,
}

impl Link {
    pub fn plain(stream: TcpStream, peer: SocketAddr) -> Link {
        Link {
            stream,
            tls: None,
            backlog: Vec::new(),
            sealed: Vec::new(),
            peer,
        }
    }

    /// After the handshake.
    pub fn secured(stream: TcpStream, peer: SocketAddr, tls: ClientConnection) -> Link {
        Link {
            stream,
            tls: Some(Box::new(tls)),
            backlog: Vec::new(),
            sealed: Vec::new(),
            peer,
        }
    }

    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Sends `bytes`, or keeps the rest for [`Link::poll_flush`]. True when everything went out.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if let Some(tls) = &mut self.tls {
            seal(tls, bytes, &mut self.backlog)?;
            return self.flush();
        }
        if !self.backlog.is_empty() {
            self.backlog.extend_from_slice(bytes);
            return self.flush();
        }
        let sent = match self.stream.try_write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.backlog.extend_from_slice(&bytes[sent..]);
        Ok(self.backlog.is_empty())
    }

    fn flush(&mut self) -> io::Result<bool> {
        while !self.backlog.is_empty() {
            match self.stream.try_write(&self.backlog) {
                Ok(sent) => drop(self.backlog.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        // A large request must not make the connection hold its size for ever.
        self.backlog = Vec::new();
        Ok(true)
    }

    /// Sends what is left of earlier requests, as far as the socket takes it.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.flush()? {
            match self.stream.poll_write_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads plain bytes into `buffer`; 0 is the end of the stream.
    pub fn poll_receive(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(tls) = &mut self.tls else {
            return poll_read(&mut self.stream, context, buffer);
        };
        loop {
            match tls.reader().read(buffer) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer went away without a close_notify: the layer above knows whether that matters.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(Ok(0));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
            if !self.sealed.is_empty() {
                let sealed = std::mem::take(&mut self.sealed);
                self.sealed = unseal(tls, &sealed)?.to_vec();
                continue;
            }
            let count = match poll_read(&mut self.stream, context, buffer) {
                Poll::Ready(count) => count?,
                Poll::Pending => return Poll::Pending,
            };
            self.sealed = unseal(tls, &buffer[..count])?.to_vec();
        }
    }
}

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

fn poll_read(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut target = ReadBuf::new(buffer);
    match Pin::new(stream).poll_read(context, &mut target) {
        Poll::Ready(result) => Poll::Ready(result.map(|()| target.filled().len())),
        Poll::Pending => Poll::Pending,
    }
}
