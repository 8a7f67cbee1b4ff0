//! The server does what it says, seen through a plain socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{FaultServer, Handshake, Mode, Refusing, Trust};

/// Sends one POST and reads until the connection ends or `enough` says so.
fn exchange(
    channel: &mut (impl Read + Write),
    path: &str,
    body: &str,
    enough: impl Fn(&str) -> bool,
) -> String {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    channel
        .write_all(request.as_bytes())
        .expect("the server reads");
    let (mut answer, mut piece) = (String::new(), [0; 4096]);
    while !enough(&answer) {
        match channel.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.push_str(&String::from_utf8_lossy(&piece[..count])),
            Err(error) => return format!("{answer}<{}>", error.kind()),
        }
    }
    answer
}

fn call(mode: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"mode":"{mode}","message":"m-1"}}}}}}"#
    )
}

#[test]
fn every_mode_is_listed_once_and_counted_as_itself() {
    let server = FaultServer::start();
    for (index, (mode, name, outcome)) in Mode::ALL.iter().enumerate() {
        assert_eq!(Mode::named(name), Some(*mode));
        assert_eq!((mode.name(), mode.outcome()), (*name, *outcome));
        let mut stream = TcpStream::connect(server.address()).expect("the server listens");
        // The first bytes are enough, and nothing is waited for where none will come.
        let silent = matches!(mode, Mode::Hang);
        let answer = exchange(&mut stream, "/mcp", &call(name), |answer| {
            silent || answer.len() >= 8
        });
        let nothing = matches!(mode, Mode::Hang | Mode::Eof | Mode::Reset);
        assert_eq!(
            nothing,
            !answer.starts_with("HTTP/1.1") && *mode != Mode::NotHttp,
            "{name}: {answer}"
        );
        if silent {
            // Only when the server has ended the connection has it surely read the request.
            stream
                .shutdown(std::net::Shutdown::Write)
                .expect("still connected");
            assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
        }
        assert_eq!(server.asked(*mode), 1, "{name}");
        assert_eq!(server.asked_at_all(), index as u64 + 1, "{name}");
    }
    assert_eq!(server.accepted(), Mode::ALL.len() as u64);
}

#[test]
fn a_reset_is_told_from_a_close() {
    let server = FaultServer::start();
    let ask = |name| {
        let mut stream = TcpStream::connect(server.address()).expect("the server listens");
        exchange(&mut stream, "/mcp", &call(name), |_| false)
    };
    assert_eq!(ask("reset"), "<connection reset>");
    assert_eq!(ask("eof"), "");
}

#[test]
fn the_path_chooses_the_mode_and_how_long_a_connection_lives() {
    let server = FaultServer::start();
    let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"m"}}}"#;
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    let whole = |answer: &str| answer.contains("\r\n\r\n") && !answer.ends_with("\r\n\r\n");
    assert!(exchange(&mut stream, "/mcp/server-error", plain, whole).starts_with("HTTP/1.1 500"));
    assert!(
        exchange(&mut stream, "/mcp", plain, whole).contains(r#""text":"m""#),
        "the same connection"
    );
    let once = exchange(&mut stream, "/once/ok", plain, |_| false);
    assert!(
        once.contains("connection: close\r\n") && once.contains(r#""text":"m""#),
        "{once}"
    );
}

#[test]
fn sessions_open_unless_they_are_to_fail() {
    let server = FaultServer::start();
    let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#;
    let open = |path: &str| {
        let mut stream = TcpStream::connect(server.address()).expect("the server listens");
        exchange(&mut stream, path, hello, |answer| {
            answer.contains("}}") || answer.ends_with("sessions")
        })
    };
    let good = open("/mcp/hang");
    assert!(
        good.contains("mcp-session-id: fault-0\r\n") && good.contains("2025-06-18"),
        "{good}"
    );
    assert!(open("/mcp/wrong-version").contains("1999-01-01"));
    assert!(open("/mcp/no-session").starts_with("HTTP/1.1 503"));
    assert_eq!(server.used("initialize"), 3);
    assert!(
        Mode::ALL
            .iter()
            .filter(|(mode, _, _)| mode.breaks_opening())
            .count()
            == 3
    );
}

#[test]
fn a_refusing_port_refuses() {
    let refusing = Refusing::start();
    let address = refusing.url().replace("http://", "").replace("/mcp", "");
    let error = TcpStream::connect(address).expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn tls_lets_in_only_who_may() {
    let folder =
        std::env::temp_dir().join(format!("firedrill-fault-server-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    let trust = Trust::new(&folder);
    let ask = |handshake| {
        let server = FaultServer::start_tls(handshake, &trust);
        let mut client = client(&trust);
        let mut socket = TcpStream::connect(server.address()).expect("the server listens");
        let outcome = client.complete_io(&mut socket);
        if let Err(error) = outcome {
            return error.to_string();
        }
        let mut stream = rustls::Stream::new(&mut client, &mut socket);
        exchange(&mut stream, "/mcp", &call("ok"), |answer| {
            answer.ends_with("}}")
        })
    };
    assert!(ask(Handshake::Good).contains("m-1"));
    let names = [
        (Handshake::Untrusted, "invalid peer certificate"),
        (Handshake::WrongName, "not valid for name"),
        (Handshake::Alert, "received fatal alert"),
        (Handshake::Plain, "corrupt message"),
    ];
    for (handshake, reason) in names {
        let said = ask(handshake);
        assert!(
            said.to_lowercase().contains(&reason.to_lowercase()),
            "{handshake:?}: {said}"
        );
    }
    std::fs::remove_dir_all(&folder).expect("our own folder");
}

fn client(trust: &Trust) -> rustls::ClientConnection {
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    let ca =
        rustls::pki_types::CertificateDer::from_pem_file(trust.ca()).expect("the authority's file");
    roots.add(ca).expect("an authority");
    let provider = rustls::crypto::ring::default_provider().into();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of the provider")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "127.0.0.1".try_into().expect("an address is a name");
    rustls::ClientConnection::new(config.into(), name).expect("a configuration")
}
