//! A front door with TLS and client certificates.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use firedrill_erlmcp::{Certificates, SiteConfig, TlsFiles, make_certificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{Answer, Directory, Site, read_answer, start};

struct Files {
    certificates: Certificates,
    tls: TlsFiles,
    _directory: Directory,
}

fn files() -> Files {
    let directory = Directory::new();
    let front = SiteConfig::new("a", &directory.0).front_ip().to_string();
    let certificates = make_certificates(&[front, "erlmcp.test".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls = TlsFiles {
        cert_pem: write("cert.pem", &certificates.cert_pem),
        key_pem: write("key.pem", &certificates.key_pem),
        client_ca_pem: Some(write("ca.pem", &certificates.ca_pem)),
        expired_pem: None,
    };
    Files {
        certificates,
        tls,
        _directory: directory,
    }
}

/// GET /ready, with or without the client's certificate.
fn ready(site: &Site, certificates: &Certificates, shown: bool) -> std::io::Result<Answer> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificates.ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = if shown {
        let chain =
            vec![CertificateDer::from_pem_slice(certificates.client_cert_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(certificates.client_key_pem.as_bytes()).unwrap();
        builder.with_client_auth_cert(chain, key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    let name = ServerName::try_from(site.front().ip().to_string()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(site.front())?);
    stream.write_all(b"GET /ready HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
    read_answer(stream)
}

#[test]
fn only_clients_with_a_certificate_are_served() {
    let files = files();
    let site = start(|config| config.tls = Some(files.tls.clone()));
    assert!(site.running.url().starts_with("https://127.1.0.1:"));
    assert_eq!(ready(&site, &files.certificates, true).unwrap().status, 200);
    assert!(ready(&site, &files.certificates, false).is_err());
    // Of another authority.
    let others = make_certificates(&["127.1.0.1".to_owned()]).unwrap();
    let mixed = Certificates {
        ca_pem: files.certificates.ca_pem.clone(),
        ..others
    };
    assert!(ready(&site, &mixed, true).is_err());
}

#[test]
fn without_an_authority_anyone_is_served() {
    let files = files();
    let tls = TlsFiles {
        client_ca_pem: None,
        ..files.tls.clone()
    };
    let site = start(|config| config.tls = Some(tls));
    assert_eq!(
        ready(&site, &files.certificates, false).unwrap().status,
        200
    );
}
