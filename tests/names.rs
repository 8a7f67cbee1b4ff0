//! A name that moves to another address: its time to live is honoured, and what sticks to the old one is told.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread;

use crate::fault_server::FaultServer;
use crate::program::{Folder, start};

/// A name server with one name, whose address can be changed. Answers live for a second.
struct Names {
    address: SocketAddr,
    answer: Arc<AtomicU32>,
    asked: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Names {
    fn start(first: Ipv4Addr) -> Names {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        let address = socket.local_addr().expect("a bound address");
        let answer = Arc::new(AtomicU32::new(first.into()));
        let (asked, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (current, count, ended) = (answer.clone(), asked.clone(), over.clone());
        thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let address = Ipv4Addr::from(current.load(Ordering::Relaxed));
                let reply = reply(&packet[..length], address);
                // That there is no IPv6 address is said without a time to live, so it is asked each time.
                count.fetch_add(u64::from(reply[7]), Ordering::Relaxed);
                let _ = socket.send_to(&reply, peer);
            }
        });
        Names {
            address,
            answer,
            asked,
            over,
        }
    }

    fn move_to(&self, address: Ipv4Addr) {
        self.answer.store(address.into(), Ordering::Relaxed);
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(b"over", self.address);
        }
    }
}

/// An answer to a query (RFC 1035): one A record with a time to live of a second; nothing for other types.
fn reply(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let name_end = 12
        + query[12..]
            .iter()
            .position(|byte| *byte == 0)
            .expect("a name")
        + 1;
    let question = &query[12..name_end + 4];
    let is_a = query[name_end..name_end + 2] == [0, 1];
    let mut reply = query[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    reply.extend(question);
    if is_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}

/// Passes connections on to `to`; counts them.
fn forward(listener: TcpListener, to: SocketAddr) -> Arc<AtomicU64> {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    thread::spawn(move || {
        for inbound in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::Relaxed);
            let Ok(outbound) = TcpStream::connect(to) else {
                return;
            };
            let pairs = [
                (
                    inbound.try_clone().expect("a socket"),
                    outbound.try_clone().expect("a socket"),
                ),
                (outbound, inbound),
            ];
            for (mut from, mut into) in pairs {
                thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut buffer) {
                        if into.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = into.shutdown(Shutdown::Write);
                });
            }
        }
    });
    count
}

#[test]
fn a_name_that_moves_is_followed_and_what_stays_behind_is_told() {
    let server = FaultServer::start();
    let old = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let port = old.local_addr().expect("an address").port();
    let Ok(new) = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), port)) else {
        panic!("the port {port} of 127.0.0.2 is taken; run the test again");
    };
    let (old, new) = (
        forward(old, server.address()),
        forward(new, server.address()),
    );
    let names = Names::start(Ipv4Addr::LOCALHOST);
    let scenario = format!(
        "scenario: moving\n\
         about: The target's name moves to another address.\n\
         target: {{ endpoint: \"http://service.test:{port}/mcp\", allow_host: service.test, resolver: \"{}\" }}\n\
         loads:\n\
         \x20 stays: {{ arrivals: {{ constant: 50/s }}, sessions: {{ count: 2, open_rate: 50/s }}, operations: [ {{ method: ping, weight: 1 }} ] }}\n\
         \x20 moves: {{ arrivals: {{ constant: 50/s }}, sessions: {{ count: 2, open_rate: 50/s, lifetime: 10 calls }}, operations: [ {{ method: ping, weight: 1 }} ] }}\n\
         timeline: [ {{ phase: steady, for: 14s }} ]\n\
         objectives: [ {{ errors: 5 % }}, {{ latency: p99, below: 1s }} ]\n",
        names.address
    );
    let folder = Folder::new();
    let mut running = start(&folder, &scenario);
    running.wait_for("/s ok");
    assert_eq!(
        new.load(Ordering::Relaxed),
        0,
        "nobody knows the new address yet"
    );
    names.move_to(Ipv4Addr::new(127, 0, 0, 2));
    let done = running.finish();
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(old.load(Ordering::Relaxed) > 4 && new.load(Ordering::Relaxed) > 4);
    // Two threads with a cache each, a second of life, fifteen seconds: at each connect would be many more.
    assert!(
        names.asked.load(Ordering::Relaxed) < 120,
        "the time to live was not honoured"
    );
    let events = folder.events();
    let sticky = events
        .iter()
        .find(|line| line["event"]["kind"] == "sticky_connection");
    let sticky = &sticky.expect("the session that stayed is told")["event"];
    assert_eq!(sticky["address"], "127.0.0.1");
    assert_eq!(sticky["current"][0], "127.0.0.2");
}
