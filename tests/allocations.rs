//! An operation allocates nothing: the same load, kept up for longer, allocates no more than the further seconds explain.
//! What else allocates is a moment in which more is under way than ever before, and more connections are opened; a
//! busy machine has such moments, and another attempt does not have to.
//!
//! A binary of its own, since the allocator that counts is the whole program's. It counts by thread: the load thread is
//! this one, and the sink has another.

use std::net::SocketAddr;

use firedrill::clock::Clock;
use firedrill::load::report::{Control, FromWorker};
use firedrill::load::schedule::Segment;
use firedrill::load::sink::Beside;
use firedrill::load::worker::{self, Job, Worker};
use firedrill::mcp::destination::{Destination, Route};
use firedrill::mcp::session::Surface;
use firedrill_scenarios::{Given, Plan};
use tokio::sync::mpsc;

const SECOND: u64 = 1_000_000_000;
/// What handing over a second may allocate: messages, and the histograms and buckets that are in them.
const PER_SECOND: u64 = 60;
/// Operations that a comparison needs to say anything: fifty for each allocation.
const ENOUGH: u64 = 6_000;
const ATTEMPTS: usize = 5;

fn job(drive: &str, path: &str, address: SocketAddr) -> Job {
    let text = format!(
        "scenario: allocations\nabout: A load whose operations are checked in every way that costs something.\n\
         target: {{ endpoint: \"http://{address}{path}\" }}\nload:\n\x20 {drive}\n\
         \x20 sessions: {{ count: 8 }}\n\x20 operations:\n\
         \x20 - {{ tool: echo, weight: 3, arguments: {{ message: \"{{{{unique}}}}\", of: \"{{{{int(1,9)}}}}\" }},\n\
         \x20     check: {{ /content/0/type: text, /content/0/text: {{ exists: true }} }} }}\n\
         \x20 - {{ method: tools/list, weight: 1 }}\n\
         timeline: [ {{ phase: steady, for: 60s }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    let plan = Plan::parse(&text, &Given::named("allocations.yaml")).expect("a plan");
    Job::alone(plan, &Surface::plain(address, path), 1, Clock::start())
}

/// Runs the load on this thread for so many seconds; operations that were ok, and allocations of this thread.
fn run(drive: &str, path: &str, address: SocketAddr, seconds: u64) -> (u64, u64) {
    let mut ok = 0;
    let counted = allocation_counter::measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let local = tokio::task::LocalSet::new();
        ok = local.block_on(&runtime, async {
            let job = job(drive, path, address);
            let clock = job.clock;
            let destination = Destination::along(&Route::plain(address)).expect("an address");
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
                let start = Control::Start {
                    zero: clock.now(),
                    segments: vec![Segment::whole(length)],
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

/// Operations and allocations of two further seconds.
fn further(drive: &str, path: &str, address: SocketAddr) -> (u64, u64) {
    let (short_ok, short) = run(drive, path, address, 1);
    let (long_ok, long) = run(drive, path, address, 3);
    (long_ok.saturating_sub(short_ok), long.saturating_sub(short))
}

fn allocates_nothing(drive: &str, path: &str) {
    let sink = Beside::start().expect("a sink");
    let mut seen = Vec::new();
    let nothing = (0..ATTEMPTS).any(|_| {
        let (operations, allocations) = further(drive, path, sink.address);
        seen.push((operations, allocations));
        operations > ENOUGH && allocations <= 2 * PER_SECOND
    });
    assert!(nothing, "operations and allocations of 2 s: {seen:?}");
    println!("operations and allocations of 2 s: {seen:?}");
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
