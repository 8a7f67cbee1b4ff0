//! What the bytes of a connection go through: nothing, or TLS with a certificate made for the occasion.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use firedrill_erlmcp::{CertificatesError, make_certificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// Sealed bytes that are read at once: less than what a session may hold plain.
const SEALED: usize = 16 * 1024;

pub enum Channel {
    Plain(TcpStream),
    Secured(Box<Secured>),
}

pub struct Secured {
    stream: TcpStream,
    session: ServerConnection,
}

impl Channel {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(stream: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Channel> {
        Ok(match tls {
            None => Channel::Plain(stream),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Channel::Secured(Box::new(Secured { stream, session }))
            }
        })
    }

    /// Reads once; 0 is the end.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing plain has come, anything else when the connection is of no more use.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(stream) => stream.read(buffer),
            Channel::Secured(secured) => secured.receive(buffer),
        }
    }

    /// Sends everything.
    ///
    /// # Errors
    /// When the socket does not take it all: a client that reads what it asked for never sees that.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Channel::Plain(stream) => stream.write_all(bytes),
            Channel::Secured(secured) => {
                secured.session.writer().write_all(bytes)?;
                secured.flush()
            }
        }
    }
}

impl Secured {
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut sealed = [0; SEALED];
        let count = self.stream.read(&mut sealed)?;
        let (mut rest, mut filled) = (&sealed[..count], 0);
        while !rest.is_empty() {
            self.session.read_tls(&mut rest)?;
            self.session
                .process_new_packets()
                .map_err(io::Error::other)?;
            filled += self.unsealed(&mut buffer[filled..])?;
        }
        self.flush()?;
        match (count, filled) {
            (0, _) => Ok(0),
            (_, 0) => Err(io::ErrorKind::WouldBlock.into()),
            (_, filled) => Ok(filled),
        }
    }

    /// Takes what is plain by now.
    fn unsealed(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            match self.session.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.stream)?;
        }
        Ok(())
    }
}

/// A certificate for one address, and the authority that vouches for it.
pub struct Trust {
    pub config: Arc<ServerConfig>,
    /// In PEM form.
    pub authority: String,
}

#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error("a certificate that was just made cannot be used: {0}")]
    Unusable(String),
}

impl Trust {
    /// # Errors
    /// When no certificate can be made.
    pub fn new(address: IpAddr) -> Result<Trust, TrustError> {
        let unusable = |error: &dyn std::fmt::Display| TrustError::Unusable(error.to_string());
        let made = make_certificates(&[address.to_string()])?;
        let certificate = CertificateDer::from_pem_slice(made.cert_pem.as_bytes())
            .map_err(|error| unusable(&error))?;
        let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes())
            .map_err(|error| unusable(&error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(|error| unusable(&error))?;
        // Clients that could speak HTTP/2 are told not to.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Trust {
            config: Arc::new(config),
            authority: made.ca_pem,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

    use super::*;
    use crate::load::sink::{Beside, Sink};

    fn client(authority: &str) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
        roots.add(authority).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "127.0.0.1".try_into().expect("an address is a name");
        ClientConnection::new(Arc::new(config), name).expect("a configuration")
    }

    #[test]
    fn a_client_that_trusts_the_authority_is_answered_also_when_it_asks_much_at_once() {
        let trust = Trust::new(Ipv4Addr::LOCALHOST.into()).expect("a certificate");
        let sink = Sink::listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let beside = Beside::serving(sink.secured(trust.config.clone())).expect("a thread");
        let mut socket = TcpStream::connect(beside.address).expect("it listens");
        let mut session = client(&trust.authority);
        let mut stream = Stream::new(&mut session, &mut socket);
        let filler = "x".repeat(40_000);
        let body = format!(r#"{{"id":417,"method":"tools/call","params":{{"text":"{filler}"}}}}"#);
        for _ in 0..3 {
            let request = format!(
                "POST /mcp HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut answer = Vec::new();
            while !answer.ends_with(b"}}") {
                let mut piece = [0; 4096];
                let count = stream.read(&mut piece).expect("it answers");
                assert!(count > 0, "the sink ended the connection");
                answer.extend_from_slice(&piece[..count]);
            }
            let id = memchr::memmem::find(&answer, b"\"id\":417");
            assert!(id.is_some(), "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn a_client_that_trusts_another_authority_is_not_answered() {
        let (trust, other) = (
            Trust::new(Ipv4Addr::LOCALHOST.into()).expect("a certificate"),
            Trust::new(Ipv4Addr::LOCALHOST.into()).expect("a certificate"),
        );
        let sink = Sink::listen((Ipv4Addr::LOCALHOST, 0).into()).expect("a port");
        let beside = Beside::serving(sink.secured(trust.config)).expect("a thread");
        let mut socket = TcpStream::connect(beside.address).expect("it listens");
        let refused = client(&other.authority).complete_io(&mut socket);
        assert!(refused.is_err(), "{refused:?}");
    }
}
