//! Two connections of a thread, one of whose peers has more to say than is listened to at once.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;

use firedrill_scenarios::{Given, Plan};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc;

use super::*;
use crate::clock::Clock;
use crate::load::worker::Job;
use crate::mcp::destination::{Destination, Route};
use crate::mcp::session::Surface;

/// Small, so that many reads of it lie in a socket.
const BUFFER: usize = 512;
/// How long the kernel may take from one socket to the other.
const PATIENCE: Nanos = 20_000_000_000;
/// A body that is listened to and says nothing.
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n";

fn job(address: SocketAddr) -> Job {
    let text = format!(
        "scenario: unit\nabout: Nothing is due.\ntarget: {{ endpoint: \"http://{address}/mcp\" }}\n\
         load: {{ rate: 1/s, sessions: {{ count: 1 }}, operations: [ {{ tool: echo, arguments: {{ message: \"x\" }} }} ] }}\n\
         timeline: [ {{ phase: steady, for: 10s }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    let plan = Plan::parse(&text, &Given::named("unit.yaml")).expect("a plan");
    Job::alone(plan, &Surface::plain(address, "/mcp"), 1, Clock::start())
}

/// A connection that listens to the rest of an answer, and its peer.
async fn listening(worker: &mut Worker, listener: &TcpListener) -> TcpStream {
    let link = worker.destination.clone().open().await.expect("it listens");
    let link = link.detached().expect("a socket");
    // Of a session that is there no more.
    let mut connection = Connection::of(Key::from_word(u64::from(u32::MAX)));
    (connection.link, connection.purpose) = (Some(link), Purpose::Tail);
    let key = worker.connections.insert(connection);
    let own = worker
        .connections
        .get(key)
        .and_then(|own| own.link.as_ref());
    let socket = own.expect("it was just put in").socket();
    worker.pacer.watch(socket, key).expect("an epoll");
    let (peer, _) = listener.accept().expect("a peer");
    peer.set_nodelay(true).expect("a socket");
    peer
}

/// Waits for what there is at the sockets, and reads it; bytes that were read.
async fn attend(worker: &mut Worker) -> usize {
    let pacer = worker.pacer.clone();
    let mut stirs = Stirs::default();
    pacer.stirred(&mut stirs).await.expect("an epoll");
    let before = worker.totals.bytes_received;
    worker.attend(&stirs);
    (worker.totals.bytes_received - before) as usize
}

/// A thread without connections, and who listens for them.
fn worker() -> (Worker, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("a bound address");
    let destination = Destination::along(&Route::plain(address)).expect("an address");
    let (to_engine, _) = mpsc::unbounded_channel();
    let worker = Worker::new(job(address), destination, to_engine).expect("a timer");
    let worker = Rc::into_inner(worker).expect("nobody else has it");
    let mut worker = worker.into_inner();
    worker.buffer = vec![0; (TOGETHER + 1) * BUFFER];
    (worker, listener)
}

fn on_a_thread(test: impl AsyncFnOnce(Worker, TcpListener)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let (worker, listener) = worker();
        test(worker, listener).await;
    });
}

#[test]
fn what_lies_in_a_socket_is_read_before_its_answer_is_given_up() {
    on_a_thread(async |mut worker, listener| {
        let mut peer = listening(&mut worker, &listener).await;
        let key = worker.connections.keys().next().expect("one");
        let much = [HEAD.as_bytes(), &[b'x'; 3 * MOST_READS * BUFFER]].concat();
        peer.write_all(&much).expect("room in the socket");
        let has = |worker: &mut Worker| {
            let socket = worker.link(key).expect("it is open").socket();
            rustix::io::ioctl_fionread(socket).expect("a socket") as usize
        };
        let until = worker.now() + PATIENCE;
        while has(&mut worker) < much.len() {
            assert!(worker.now() < until, "it has not come");
        }
        worker.read_before_giving_up(key);
        assert_eq!(worker.totals.bytes_received as usize, much.len());
    });
}

/// Otherwise the next thing would be said to a peer that has gone.
#[test]
fn the_end_that_lies_behind_an_answer_is_read_with_it() {
    on_a_thread(async |mut worker, listener| {
        worker.open_session(0);
        let session = worker.slots[0].current.expect("a session that opens");
        let mut peer = listening(&mut worker, &listener).await;
        let made = |key: &Key| {
            let own = worker.connections.get(*key);
            own.is_some_and(|own| own.link.is_some())
        };
        let key = worker.connections.keys().find(made).expect("one");
        worker.connections.get_mut(key).expect("it").session = session;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .expect("room in the socket");
        drop(peer);
        let link = worker.link(key).expect("it is open");
        let mut ends = [PollFd::new(link.socket(), PollFlags::RDHUP)];
        let patience = Timespec {
            tv_sec: (PATIENCE / 1_000_000_000).cast_signed(),
            tv_nsec: 0,
        };
        assert_eq!(poll(&mut ends, Some(&patience)), Ok(1));
        worker.read_before_giving_up(key);
        assert_eq!(worker.totals.bytes_received, 38);
        assert!(worker.connections.get(key).is_none(), "it idles");
    });
}

#[test]
fn after_so_many_reads_of_one_socket_others_have_their_turn() {
    on_a_thread(async |mut worker, listener| {
        let worker = &mut worker;
        let mut talkative = listening(worker, &listener).await;
        let mut brief = listening(worker, &listener).await;
        // Both can be written to: that has been told.
        attend(worker).await;

        let much = [HEAD.as_bytes(), &[b'x'; 8 * MOST_READS * BUFFER]].concat();
        talkative.write_all(&much).expect("room in the socket");
        brief
            .write_all(HEAD.as_bytes())
            .expect("room in the socket");
        let turn = MOST_READS * BUFFER;
        assert_eq!(attend(worker).await, turn + HEAD.len(), "one turn of each");
        // What was left is told again.
        for _ in 0..7 {
            assert_eq!(attend(worker).await, turn);
        }
        assert_eq!(
            attend(worker).await,
            much.len() - 8 * turn,
            "and then the rest"
        );
    });
}
