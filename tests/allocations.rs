//! An operation allocates nothing: the same load, kept up for longer, allocates no more than the further seconds explain.
//!
//! A binary of its own, since the allocator that counts is the whole program's. It counts by thread: the load thread is
//! this one, and the sink is another process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use firedrill::clock::Clock;
use firedrill::load::report::{Control, FromWorker};
use firedrill::load::schedule::Segment;
use firedrill::load::tally::Layout;
use firedrill::load::worker::{self, Job, Worker};
use firedrill::mcp::destination::{Destination, Route};
use firedrill::mcp::session::{Dialect, Surface};
use firedrill_scenarios::{Given, Plan};
use tokio::sync::mpsc;

const SECOND: u64 = 1_000_000_000;
/// What handing over a second may allocate: messages, and the histograms and buckets that are in them.
const PER_SECOND: u64 = 400;
/// Operations that a comparison needs to say anything.
const ENOUGH: u64 = 2_000;

/// A sink that ends with the test.
struct Sink {
    process: Child,
    port: u16,
}

impl Sink {
    fn start() -> Sink {
        let mut process = Command::new(env!("CARGO_BIN_EXE_firedrill"))
            .arg("sink")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("it was piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says where it listens");
        let port = line
            .trim()
            .trim_end_matches("/mcp")
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .expect("a port");
        Sink { process, port }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn job(drive: &str, path: &str, port: u16) -> Job {
    let text = format!(
        "scenario: allocations\nabout: A load whose operations are checked in every way that costs something.\n\
         target: {{ endpoint: \"http://127.0.0.1:{port}{path}\" }}\nload:\n\x20 {drive}\n\
         \x20 sessions: {{ count: 8 }}\n\x20 operations:\n\
         \x20 - {{ tool: echo, weight: 3, arguments: {{ message: \"{{{{unique}}}}\", of: \"{{{{int(1,9)}}}}\" }},\n\
         \x20     check: {{ /content/0/type: text, /content/0/text: {{ exists: true }} }} }}\n\
         \x20 - {{ method: tools/list, weight: 1 }}\n\
         timeline: [ {{ phase: steady, for: 60s }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    let plan = Plan::parse(&text, &Given::named("allocations.yaml")).expect("a plan");
    let surface = Surface {
        authority: format!("127.0.0.1:{port}"),
        path: path.to_owned(),
        headers: Vec::new(),
    };
    Job {
        layout: Layout::of(&plan),
        seed: 1,
        thread: 0,
        threads: 1,
        clock: Clock::start(),
        dialect: Arc::new(Dialect::new(&plan, &surface)),
        desk: None,
        plan: Arc::new(plan),
    }
}

fn route(port: u16) -> Route {
    Route {
        host: "127.0.0.1".to_owned(),
        port,
        tls: None,
        resolver: None,
    }
}

/// Runs the load on this thread for so many seconds; operations that were ok, and allocations of this thread.
fn run(drive: &str, path: &str, port: u16, seconds: u64) -> (u64, u64) {
    let mut ok = 0;
    let counted = allocation_counter::measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let local = tokio::task::LocalSet::new();
        ok = local.block_on(&runtime, async {
            let job = job(drive, path, port);
            let clock = job.clock;
            let destination = Destination::along(&route(port)).expect("an address");
            let (to_engine, inbox) = mpsc::unbounded_channel();
            let (orders, obeyed) = mpsc::unbounded_channel();
            let worker = Worker::new(job, destination, to_engine).expect("a timer");
            let engine = tokio::task::spawn_local(command(inbox, orders, clock, seconds * SECOND));
            worker::run(worker, obeyed).await.expect("a load");
            engine.await.expect("a count")
        });
    });
    (ok, counted.count_total)
}

/// Does what the engine does for a thread, and counts what was ok.
async fn command(
    mut inbox: mpsc::UnboundedReceiver<FromWorker>,
    orders: mpsc::UnboundedSender<Control>,
    clock: Clock,
    length: u64,
) -> u64 {
    let mut ok = 0;
    while let Some(message) = inbox.recv().await {
        match message {
            FromWorker::Opened { loads, .. } => {
                assert!(loads.iter().all(|load| load.opened == load.asked));
                let segment = Segment {
                    phase: 0,
                    start: 0,
                    end: length,
                    zero: 0,
                    length,
                };
                let start = Control::Start {
                    zero: clock.now(),
                    segments: vec![segment],
                };
                orders.send(start).expect("a thread that listens");
            }
            FromWorker::Flush(flush) => {
                for cell in flush.closed.iter().flat_map(|bucket| &bucket.cells) {
                    assert_eq!(cell.ok(), cell.due(), "the sink answers everything");
                    ok += cell.ok();
                }
                let _ = orders.send(Control::Recycle(flush.histograms));
            }
            FromWorker::Finished { .. } => return ok,
            FromWorker::Failed { why, .. } => panic!("{why}"),
        }
    }
    ok
}

fn allocates_nothing(drive: &str, path: &str) {
    let sink = Sink::start();
    let (short_ok, short) = run(drive, path, sink.port, 1);
    let (long_ok, long) = run(drive, path, sink.port, 3);
    let operations = long_ok.saturating_sub(short_ok);
    assert!(operations > ENOUGH, "{operations} operations show nothing");
    let allocations = long.saturating_sub(short);
    assert!(
        allocations <= 2 * PER_SECOND,
        "{allocations} allocations for {operations} operations and 2 s"
    );
}

#[test]
fn closed_loads_allocate_nothing_for_an_operation() {
    allocates_nothing("closed: { think: 0s }", "/mcp");
}

#[test]
fn open_loads_allocate_nothing_for_an_operation() {
    allocates_nothing("arrivals: { poisson: 4000/s }", "/mcp");
}

#[test]
fn event_streams_allocate_nothing_for_an_operation() {
    allocates_nothing("closed: { think: 0s }", "/stream");
}

/// The allocator counts, or the tests above show nothing.
#[test]
fn an_allocation_is_seen() {
    let counted = allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(counted.count_total, 1);
}
