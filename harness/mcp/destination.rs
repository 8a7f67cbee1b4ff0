//! Where connections go, and how one is made: the name resolved, the socket connected, TLS agreed on.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, TlsFailure};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::link::Link;
use super::resolver::Resolver;

/// A connection that is not there after this time is `connect.timeout`, whatever waits for it.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// The target's address, resolved in one place so that every connection goes the same way.
/// A destination as a thread is given it, before it has a resolver of its own.
#[derive(Clone, Debug)]
pub struct Route {
    /// An IP address or a name.
    pub host: String,
    pub port: u16,
    pub tls: Option<Tls>,
    /// Name server to ask instead of the system's.
    pub resolver: Option<SocketAddr>,
}

impl Route {
    /// Straight to an address, without TLS.
    pub fn plain(address: SocketAddr) -> Route {
        Route {
            host: address.ip().to_string(),
            port: address.port(),
            tls: None,
            resolver: None,
        }
    }
}

#[derive(Clone)]
pub struct Destination {
    pub host: Host,
    pub port: u16,
    pub tls: Option<Tls>,
}

#[derive(Clone)]
pub enum Host {
    Address(IpAddr),
    Name(Rc<Resolver>),
}

#[derive(Clone, Debug)]
pub struct Tls {
    pub config: Arc<ClientConfig>,
    pub server: ServerName<'static>,
}

impl Destination {
    /// Must be called inside the runtime that will use it.
    pub fn along(route: &Route) -> io::Result<Destination> {
        let host = match route.host.parse() {
            Ok(address) => Host::Address(address),
            Err(_) => {
                let resolver =
                    Resolver::new(&route.host, route.resolver).map_err(io::Error::other)?;
                Host::Name(Rc::new(resolver))
            }
        };
        Ok(Destination {
            host,
            port: route.port,
            tls: route.tls.clone(),
        })
    }

    /// Opens a connection, TLS included.
    pub async fn open(&self) -> Result<Link<TcpStream>, Outcome> {
        match tokio::time::timeout(CONNECT_LIMIT, self.connect()).await {
            Ok((stream, peer)) => self.secure(stream?, peer).await,
            Err(_) => Err(Outcome::Connect(ConnectFailure::Timeout)),
        }
    }

    async fn connect(&self) -> (Result<TcpStream, Outcome>, SocketAddr) {
        let address = match &self.host {
            Host::Address(address) => *address,
            Host::Name(resolver) => match resolver.next_address().await {
                Some(address) => address,
                None => {
                    let nowhere = SocketAddr::from(([0, 0, 0, 0], self.port));
                    return (Err(Outcome::Connect(ConnectFailure::Dns)), nowhere);
                }
            },
        };
        let peer = SocketAddr::new(address, self.port);
        let stream = TcpStream::connect(peer).await.and_then(|stream| {
            // Nagle's algorithm would hold back small requests behind an unacknowledged one.
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        (
            stream.map_err(|error| Outcome::Connect(connect_failure(&error))),
            peer,
        )
    }

    async fn secure(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Result<Link<TcpStream>, Outcome> {
        let Some(tls) = &self.tls else {
            return Ok(Link::plain(stream, peer));
        };
        let handshake = TlsConnector::from(tls.config.clone()).connect(tls.server.clone(), stream);
        match tokio::time::timeout(CONNECT_LIMIT, handshake).await {
            Ok(Ok(secured)) => {
                let (stream, session) = secured.into_inner();
                Ok(Link::secured(stream, peer, session))
            }
            Ok(Err(error)) => Err(Outcome::Tls(tls_failure(&error))),
            Err(_) => Err(Outcome::Tls(TlsFailure::Timeout)),
        }
    }
}

/// The class of a failed connect.
pub fn connect_failure(error: &io::Error) -> ConnectFailure {
    use rustix::io::Errno;
    if let Some(errno) = Errno::from_io_error(error) {
        match errno {
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => {
                return ConnectFailure::LocalPorts;
            }
            Errno::MFILE | Errno::NFILE => return ConnectFailure::LocalFds,
            Errno::HOSTUNREACH | Errno::NETUNREACH => return ConnectFailure::Unreachable,
            _ => {}
        }
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectFailure::Refused,
        io::ErrorKind::TimedOut => ConnectFailure::Timeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => ConnectFailure::Reset,
        _ => ConnectFailure::Other,
    }
}

/// The class of a failed handshake, read from the rustls error inside.
fn tls_failure(error: &io::Error) -> TlsFailure {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => match alert {
            AlertDescription::CloseNotify => TlsFailure::Handshake,
            _ => TlsFailure::Alert,
        },
        Some(
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType
            | rustls::Error::InvalidCertRevocationList(_),
        ) => TlsFailure::Verify,
        _ => TlsFailure::Handshake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read back from the socket itself, as the load thread has it.
    #[tokio::test]
    async fn small_requests_are_not_held_back_behind_an_unacknowledged_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let destination = Destination::along(&Route::plain(address)).expect("an address");
        let link = destination.open().await.expect("a connection");
        let link = link.detached().expect("its socket");
        assert_eq!(rustix::net::sockopt::tcp_nodelay(link.socket()), Ok(true));
    }
}
