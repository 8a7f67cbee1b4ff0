//! TLS in front of the server, and handshakes that fail.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// How the handshake goes, and the outcome of a connection that is made through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// With a certificate of the authority for 127.0.0.1 and `localhost`.
    Good,
    /// Good, and the client has to show a certificate of the authority: `tls.alert` without one.
    WantsClient,
    /// With a certificate that nobody vouches for: `tls.verify`.
    Untrusted,
    /// With a certificate of the authority for another name: `tls.verify`.
    WrongName,
    /// An alert instead of a handshake: `tls.alert`.
    Alert,
    /// No TLS at all: `tls.handshake`.
    Plain,
    /// Nothing, ever: `tls.timeout`, or `timeout.connect` where the operation is less patient.
    Silent,
}

/// An authority made for one test, with its files.
pub struct Trust {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Trust {
    /// Writes `ca.pem`, `client.pem` and `client.key` into the folder.
    pub fn new(folder: &Path) -> Trust {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let trust = Trust {
            authority,
            folder: folder.to_owned(),
        };
        let (certificate, key) = trust.issue(&["client"]);
        write(&trust.ca(), &trust.authority.pem());
        write(&trust.client().0, &certificate.pem());
        write(&trust.client().1, &key.serialize_pem());
        trust
    }

    /// The file of the authority.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The files of a client's certificate and key.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (
            self.folder.join("client.pem"),
            self.folder.join("client.key"),
        )
    }

    fn issue(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names of hosts");
        let certificate = params
            .signed_by(&key, &self.authority)
            .expect("a certificate");
        (certificate, key)
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a folder that can be written");
}

/// What a connection has to pass.
pub struct Door {
    handshake: Handshake,
    config: Arc<ServerConfig>,
}

impl Door {
    pub fn new(handshake: Handshake, trust: &Trust) -> Door {
        let (certificate, key) = match handshake {
            Handshake::WrongName => trust.issue(&["elsewhere.example"]),
            Handshake::Untrusted => {
                let key = KeyPair::generate().expect("a key");
                let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
                (params.self_signed(&key).expect("a certificate"), key)
            }
            Handshake::Good
            | Handshake::WantsClient
            | Handshake::Alert
            | Handshake::Plain
            | Handshake::Silent => trust.issue(&["127.0.0.1", "localhost"]),
        };
        let chain = vec![certificate.der().clone()];
        let config = configure(handshake, trust.authority.der(), chain, key);
        Door {
            handshake,
            config: Arc::new(config),
        }
    }

    /// Lets a connection in, or does not.
    pub fn open(
        &self,
        stream: &TcpStream,
        inside: impl FnOnce(&mut rustls::Stream<'_, ServerConnection, &TcpStream>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut socket = stream;
        match self.handshake {
            Handshake::Silent => return io::copy(&mut socket, &mut io::sink()).map(drop),
            Handshake::Alert => {
                hello(socket)?;
                // A fatal alert, handshake_failure (RFC 5246, section 7.2).
                return socket.write_all(&[21, 3, 3, 0, 2, 2, 40]);
            }
            Handshake::Plain => {
                hello(socket)?;
                return socket.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            }
            Handshake::Good
            | Handshake::WantsClient
            | Handshake::Untrusted
            | Handshake::WrongName => {}
        }
        let mut session = ServerConnection::new(self.config.clone()).map_err(io::Error::other)?;
        inside(&mut rustls::Stream::new(&mut session, &mut socket))
    }
}

/// Takes the client's hello, which left in the socket would turn its closing into a reset.
fn hello(mut socket: &TcpStream) -> io::Result<()> {
    let mut head = [0; 5];
    socket.read_exact(&mut head)?;
    let length = u16::from_be_bytes([head[3], head[4]]);
    io::copy(&mut socket.take(u64::from(length)), &mut io::sink()).map(drop)
}

fn configure(
    handshake: Handshake,
    authority: &CertificateDer<'static>,
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions of the provider");
    let builder = if handshake == Handshake::WantsClient {
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone()).expect("our own authority");
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .expect("an authority to verify with");
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    builder
        .with_single_cert(chain, key)
        .expect("a certificate and its key")
}
