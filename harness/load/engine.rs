//! All load threads together: started, given the timeline, merged once a second, ended.
//!
//! The engine lives on the main thread. What it makes of the threads' reports is a [`Second`], complete
//! when every thread has delivered it, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::thread::JoinHandle;

use firedrill_scenarios::Outcome;
use tokio::sync::mpsc;

use super::report::{Control, Flush, FromWorker, OUR_BUG, Openings, ThreadTotals};
use super::schedule::Segment;
use super::tally::{Cell, Histograms, Layout};
use super::worker::{self, Job, Worker};
use crate::clock::Nanos;
use crate::mcp::destination::{Destination, Route};
use crate::preflight;

/// A load thread's stack: its state is on the heap.
const STACK: usize = 1 << 20;

/// What the engine tells the conductor.
pub enum Progress {
    /// All sessions have been tried, by load.
    Opened(Vec<Openings>),
    /// One interval of all threads.
    Second(Box<Second>),
    /// Every operation has its outcome and every thread has ended.
    Finished(Box<ThreadTotals>),
    /// A thread failed; the run cannot go on.
    Failed(String),
}

/// What all threads counted until one instant.
pub struct Second {
    pub at: Nanos,
    pub histograms: Histograms,
    /// Buckets that will not change any more, in order: (bucket, phase, cells by series).
    pub closed: Vec<(u64, usize, Vec<Cell>)>,
    /// How long the thread was held that was held longest.
    pub held: Nanos,
    pub in_flight: u32,
    pub connections: u32,
    /// Sessions that were opened.
    pub opened: u64,
    /// Connections that were not made, or broke.
    pub socket_errors: u64,
    /// By load: sessions lost, opened again, not opened again.
    pub lost: BTreeMap<usize, [u64; 3]>,
    /// When another site began to answer a thread, and which; in order.
    pub answered: Vec<(Nanos, u16)>,
    /// Connections by an address that the target's name no longer has, and the addresses that it has.
    pub sticky: BTreeMap<String, u64>,
    pub addresses: BTreeSet<IpAddr>,
}

pub struct Engine {
    threads: Vec<Thread>,
    inbox: mpsc::UnboundedReceiver<FromWorker>,
    layout: Layout,
    loads: usize,
    opened: Vec<Vec<Openings>>,
    pending: BTreeMap<Nanos, Vec<Flush>>,
    buckets: BTreeMap<(u64, usize), Vec<Cell>>,
    oldest_open: Vec<u64>,
    finished: Vec<Option<ThreadTotals>>,
    spare: Vec<Histograms>,
}

struct Thread {
    orders: mpsc::UnboundedSender<Control>,
    handle: Option<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads; each begins to open its sessions at once.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(job: &Job, route: &Route) -> io::Result<Engine> {
        // Where it cannot be done now, it is done when it is needed.
        let _ = preflight::widen_files(&job.plan);
        let (to_engine, inbox) = mpsc::unbounded_channel();
        let threads = (0..job.threads)
            .map(|number| {
                let job = Job {
                    thread: number,
                    ..job.clone()
                };
                start_thread(job, route.clone(), to_engine.clone())
            })
            .collect::<io::Result<Vec<Thread>>>()?;
        let count = threads.len();
        Ok(Engine {
            threads,
            inbox,
            layout: job.layout.clone(),
            loads: job.plan.loads.len(),
            opened: Vec::new(),
            pending: BTreeMap::new(),
            buckets: BTreeMap::new(),
            oldest_open: vec![0; count],
            finished: (0..count).map(|_| None).collect(),
            spare: Vec::new(),
        })
    }

    /// Fixes the start of the timeline.
    pub fn begin(&self, zero: Nanos, segments: &[Segment]) {
        for thread in &self.threads {
            let order = Control::Start {
                zero,
                segments: segments.to_vec(),
            };
            // A thread that has ended has said why.
            let _ = thread.orders.send(order);
        }
    }

    /// Divides the time to come anew. Whatever a thread has not made due yet follows it.
    pub fn recut(&self, segments: &[Segment]) {
        for thread in &self.threads {
            let segments = segments.to_vec();
            let _ = thread.orders.send(Control::Recut { segments });
        }
    }

    /// No more arrivals. May be called more than once.
    pub fn stop(&self) {
        for thread in &self.threads {
            let _ = thread.orders.send(Control::Stop);
        }
    }

    /// The next thing worth telling. Safe to drop while it waits.
    pub async fn next(&mut self) -> Progress {
        loop {
            if let Some(second) = self.complete_second() {
                return Progress::Second(second);
            }
            if self.finished.iter().all(Option::is_some) {
                return Progress::Finished(Box::new(self.sum_totals()));
            }
            match self.inbox.recv().await {
                None => {
                    return Progress::Failed("every load thread ended without a word".to_owned());
                }
                Some(FromWorker::Opened { loads, .. }) => {
                    self.opened.push(loads);
                    if self.opened.len() == self.threads.len() {
                        return Progress::Opened(self.sum_openings());
                    }
                }
                Some(FromWorker::Flush(flush)) => self.take(flush),
                Some(FromWorker::Finished { thread, totals }) => {
                    self.oldest_open[thread as usize] = u64::MAX;
                    self.finished[thread as usize] = Some(totals);
                }
                Some(FromWorker::Failed { thread, why }) => {
                    return Progress::Failed(format!("load thread {thread}: {why}"));
                }
            }
        }
    }

    fn take(&mut self, mut flush: Flush) {
        self.oldest_open[flush.thread as usize] = flush.oldest_open;
        for open in flush.closed.drain(..) {
            let key = (open.bucket, open.phase);
            let cells = self
                .buckets
                .entry(key)
                .or_insert_with(|| vec![Cell::default(); self.layout.series.len()]);
            for (own, theirs) in cells.iter_mut().zip(&open.cells) {
                own.absorb(theirs);
            }
        }
        self.pending.entry(flush.at).or_default().push(flush);
    }

    /// The oldest interval that every thread that still runs has delivered.
    fn complete_second(&mut self) -> Option<Box<Second>> {
        let (at, flushes) = self.pending.first_key_value()?;
        let at = *at;
        let delivered = |thread: usize| {
            flushes.iter().any(|flush| flush.thread as usize == thread)
                || self.finished[thread].is_some()
                // A later interval of the same thread: it has nothing for this one.
                || self.pending.values().skip(1).flatten().any(|flush| flush.thread as usize == thread)
        };
        if !(0..self.threads.len()).all(delivered) {
            return None;
        }
        let flushes = self.pending.remove(&at)?;
        Some(Box::new(self.merge(at, flushes)))
    }

    fn merge(&mut self, at: Nanos, flushes: Vec<Flush>) -> Second {
        let mut second = Second {
            at,
            histograms: self
                .spare
                .pop()
                .unwrap_or_else(|| Histograms::new(&self.layout)),
            closed: Vec::new(),
            held: 0,
            in_flight: 0,
            connections: 0,
            opened: 0,
            socket_errors: 0,
            lost: BTreeMap::new(),
            answered: Vec::new(),
            sticky: BTreeMap::new(),
            addresses: BTreeSet::new(),
        };
        for mut flush in flushes {
            second.histograms.absorb(&mut flush.histograms);
            second.held = second.held.max(flush.held);
            second.in_flight += flush.in_flight;
            second.connections += flush.connections;
            second.opened += flush.opened;
            second.socket_errors += flush.socket_errors;
            for (load, counts) in flush.lost {
                let sum = second.lost.entry(load).or_default();
                for (own, theirs) in sum.iter_mut().zip(counts) {
                    *own += theirs;
                }
            }
            second.answered.append(&mut flush.answered);
            second.addresses.extend(flush.addresses);
            for (address, count) in flush.sticky {
                *second.sticky.entry(address).or_default() += count;
            }
            let order = Control::Recycle(flush.histograms);
            let _ = self.threads[flush.thread as usize].orders.send(order);
        }
        second.answered.sort_unstable();
        let complete = self.oldest_open.iter().copied().min().unwrap_or(0);
        while let Some(entry) = self.buckets.first_entry() {
            if entry.key().0 >= complete {
                break;
            }
            let ((bucket, phase), cells) = entry.remove_entry();
            second.closed.push((bucket, phase, cells));
        }
        second
    }

    /// Gives the histograms of a second back when they have been written.
    pub fn recycle(&mut self, mut histograms: Histograms) {
        histograms.reset();
        self.spare.push(histograms);
    }

    fn sum_openings(&mut self) -> Vec<Openings> {
        let mut sum = vec![Openings::default(); self.loads];
        for loads in self.opened.drain(..) {
            for (own, theirs) in sum.iter_mut().zip(loads) {
                own.asked += theirs.asked;
                own.opened += theirs.opened;
                for (outcome, count) in theirs.failures {
                    *own.failures.entry(outcome).or_insert(0u64) += count;
                }
            }
        }
        sum
    }

    fn sum_totals(&mut self) -> ThreadTotals {
        let mut sum = ThreadTotals::default();
        for totals in self.finished.iter_mut().filter_map(Option::take) {
            sum.absorb(totals);
        }
        sum
    }

    /// Waits for the threads to end. They have been told to, or have finished.
    pub fn join(&mut self) {
        for thread in &mut self.threads {
            // Dropping the sender ends a thread that would still wait for orders.
            let (closed, _) = mpsc::unbounded_channel();
            thread.orders = closed;
            if let Some(handle) = thread.handle.take() {
                // A panic of a load thread has been reported by the panic hook and as a failure.
                let _ = handle.join();
            }
        }
    }
}

/// How failures of the first opening read: `connect.refused 64`.
pub fn describe_failures(failures: &BTreeMap<Outcome, u64>) -> String {
    let words: Vec<String> = failures
        .iter()
        .map(|(outcome, count)| format!("{outcome} {count}"))
        .collect();
    words.join(", ")
}

fn start_thread(
    job: Job,
    route: Route,
    to_engine: mpsc::UnboundedSender<FromWorker>,
) -> io::Result<Thread> {
    let (orders, inbox) = mpsc::unbounded_channel();
    let number = job.thread;
    let handle = std::thread::Builder::new()
        .name(format!("load-{number}"))
        .stack_size(STACK)
        .spawn(move || {
            let failed = to_engine.clone();
            let work = std::panic::AssertUnwindSafe(|| run_thread(job, &route, to_engine, inbox));
            let why = match std::panic::catch_unwind(work) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => OUR_BUG.to_owned(),
            };
            let _ = failed.send(FromWorker::Failed {
                thread: number,
                why,
            });
        })?;
    Ok(Thread {
        orders,
        handle: Some(handle),
    })
}

fn run_thread(
    job: Job,
    route: &Route,
    to_engine: mpsc::UnboundedSender<FromWorker>,
    orders: mpsc::UnboundedReceiver<Control>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let destination = Destination::along(route)?;
        let worker = Worker::new(job, destination, to_engine)?;
        worker::run(worker, orders).await
    })
}

#[cfg(test)]
mod tests;
