//! A load thread: one runtime, its stripes, and everything that happens to their sessions.
//!
//! The state is one value behind a `RefCell`; nothing holds it across a wait. One loop wakes for arrivals, deadlines
//! and the agenda, and for sockets that have something; only to be made has a connection a task.
//! `arrivals` makes operations due, `sessions` opens and ends sessions, `connections` moves bytes, `requests`
//! says what is said, and `outcomes` settles what came of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use firedrill_scenarios::Plan;
use tokio::sync::mpsc;

use super::agenda::Agenda;
use super::arrivals::Stripes;
use super::connections::{Connection, SPARE_GAP};
use super::heartbeat::Heartbeat;
use super::opening::Pace;
use super::operation::{Operations, Stage};
use super::outbox::Outbox;
use super::pacer::{MOST_AT_ONCE, Pacer, Stirs};
use super::reading::{ROOM, TOGETHER};
use super::report::{Control, FromWorker, Openings, ThreadTotals};
use super::schedule::Segment;
use super::sessions::{Session, Slot};
use super::slab::{Key, Slab};
use super::tally::{Histograms, Layout, OpenBucket, Tally};
use super::wheel::Wheel;
use crate::clock::{Clock, Nanos};
use crate::ledger::pen::{Desk, Pen};
use crate::mcp::destination::Destination;
use crate::mcp::exchange::Exchange;
use crate::mcp::json::Familiar;
use crate::mcp::session::{Dialect, Surface};

/// How often a thread hands over what it counted.
pub const INTERVAL: Nanos = 1_000_000_000;
/// How many times in a row sockets are looked at before others have their turn, as long as nothing waits for it.
const MOST_BUSY: u32 = 8;
/// How long answers are waited for when a run ends before its time.
const SHUTDOWN_GRACE: Nanos = 2_000_000_000;
/// How long the ends of sessions may take after the last operation.
const FAREWELL: Nanos = 2_000_000_000;

/// What a load thread has to do; the same for all threads but for its number.
#[derive(Clone)]
pub struct Job {
    pub plan: Arc<Plan>,
    pub layout: Layout,
    pub seed: u64,
    pub thread: u32,
    pub threads: u32,
    pub clock: Clock,
    pub dialect: Arc<Dialect>,
    /// Where threads get the pens with which they write the ledger; none when the load writes nothing.
    pub desk: Option<Desk>,
}

impl Job {
    /// Of a load that has one thread and no ledger.
    pub fn alone(plan: Plan, surface: &Surface, seed: u64, clock: Clock) -> Job {
        Job {
            layout: Layout::of(&plan),
            seed,
            thread: 0,
            threads: 1,
            clock,
            dialect: Arc::new(Dialect::new(&plan, surface)),
            desk: None,
            plan: Arc::new(plan),
        }
    }
}

/// Where the timeline stands, as far as this thread knows.
pub enum Course {
    /// Sessions are being opened.
    Opening,
    /// The timeline began at this instant of the clock.
    Running {
        zero: Nanos,
    },
    /// No more arrivals; operations under way are waited for, at most until the given instant.
    Draining {
        zero: Nanos,
        until: Nanos,
    },
    /// Sessions are ended.
    Leaving {
        zero: Nanos,
        until: Nanos,
    },
    Over,
}

impl Course {
    /// The start of the timeline on the clock; the far future before it is known.
    pub fn zero(&self) -> Option<Nanos> {
        match self {
            Course::Opening | Course::Over => None,
            Course::Running { zero }
            | Course::Draining { zero, .. }
            | Course::Leaving { zero, .. } => Some(*zero),
        }
    }
}

pub struct Worker {
    pub job: Job,
    /// The thread's own copy: its count of users is touched by no other core.
    pub plan: Rc<Plan>,
    pub destination: Rc<Destination>,
    pub pacer: Rc<Pacer>,
    /// Handle to itself, for the tasks of connections.
    pub this: std::rc::Weak<RefCell<Worker>>,
    pub course: Course,
    pub segments: Vec<Segment>,
    pub stripes: Stripes,
    pub slots: Vec<Slot>,
    /// When the next session may begin, by load.
    pub paces: Vec<Pace>,
    /// Slots whose next flow (closed load) is due at once.
    pub ready: VecDeque<(usize, Nanos)>,
    pub sessions: Slab<Session>,
    pub connections: Slab<Connection>,
    pub operations: Operations,
    /// Operations under way, by load, and how many this thread may have.
    pub in_flight: Vec<u32>,
    pub in_flight_limit: Vec<u32>,
    /// How many connections this thread may have, and those that could be closed to keep it, oldest first,
    /// each with its serial.
    pub connection_limit: usize,
    /// How many are being made, those of them that are still to be begun, and how many were begun in this turn.
    pub making: usize,
    pub wanted: VecDeque<Key>,
    pub begun: usize,
    pub listening: VecDeque<(Key, u64)>,
    /// When the next spare one may be closed.
    pub spares: Pace,
    pub wheel: Wheel,
    pub agenda: Agenda,
    pub tally: Tally,
    pub totals: ThreadTotals,
    pub pen: Option<Pen>,
    /// When time was looked at last.
    pub moment: Nanos,
    pub beat: Heartbeat,
    /// What answers look like, by series.
    pub familiar: Vec<Familiar>,
    /// For answers that come in pieces.
    pub exchanges: Vec<Box<Exchange>>,
    /// Where reading puts bytes, and where requests are put together.
    pub buffer: Vec<u8>,
    pub out: Vec<u8>,
    pub outbox: Outbox,
    /// The one whose requests are being sent, or were.
    pub posted: Outbox,
    /// Sessions whose first opening has not ended yet, and how the others went, by load.
    pub opening: usize,
    pub openings: Vec<Openings>,
    /// The site of the newest ok answer, and when it changed since the last flush.
    pub serving: Option<u16>,
    pub answered: Vec<(Nanos, u16)>,
    spare: Option<Histograms>,
    next_flush: Nanos,
    expired: Vec<u32>,
    closed: Vec<OpenBucket>,
    to_engine: mpsc::UnboundedSender<FromWorker>,
}

impl Worker {
    pub fn new(
        job: Job,
        destination: Destination,
        to_engine: mpsc::UnboundedSender<FromWorker>,
    ) -> io::Result<Rc<RefCell<Worker>>> {
        let now = job.clock.now();
        let pacer = Rc::new(Pacer::new(job.clock)?);
        let slots = Slot::of_thread(&job);
        let limits = in_flight_limits(&job, &slots);
        // Each session may keep one while others are as busy as they may be: what the preflight reckons with.
        let connection_limit = slots.len() + limits.iter().sum::<u32>() as usize;
        Ok(Rc::new_cyclic(|this| {
            RefCell::new(Worker {
                plan: Rc::new((*job.plan).clone()),
                destination: Rc::new(destination),
                pacer,
                this: this.clone(),
                course: Course::Opening,
                segments: Vec::new(),
                stripes: Stripes::new(&slots),
                opening: slots.len(),
                openings: vec![Openings::default(); job.plan.loads.len()],
                paces: Pace::of_thread(&job, &slots),
                slots,
                ready: VecDeque::new(),
                sessions: Slab::default(),
                connections: Slab::default(),
                operations: Operations::default(),
                in_flight: vec![0; job.plan.loads.len()],
                connection_limit,
                making: 0,
                wanted: VecDeque::new(),
                begun: 0,
                listening: VecDeque::new(),
                spares: Pace::every(SPARE_GAP),
                in_flight_limit: limits,
                wheel: Wheel::new(now),
                agenda: Agenda::default(),
                tally: Tally::new(&job.layout),
                totals: ThreadTotals::default(),
                pen: job.desk.clone().map(Pen::new),
                familiar: job
                    .layout
                    .series
                    .iter()
                    .map(|_| Familiar::default())
                    .collect(),
                exchanges: Vec::new(),
                buffer: vec![0; ROOM],
                out: Vec::with_capacity(4096),
                outbox: Outbox::default(),
                posted: Outbox::default(),
                moment: now,
                beat: Heartbeat::new(now),
                serving: None,
                answered: Vec::new(),
                spare: Some(Histograms::new(&job.layout)),
                next_flush: Nanos::MAX,
                expired: Vec::new(),
                closed: Vec::new(),
                to_engine,
                job,
            })
        }))
    }

    pub fn now(&self) -> Nanos {
        self.job.clock.now()
    }

    /// Everything whose time has come; returns when to wake next.
    fn turn(&mut self) -> Nanos {
        let now = self.wake();
        self.begin_more();
        // What is said on a connection that the target closed meanwhile is lost.
        let looks = self.connections.len().div_ceil(MOST_AT_ONCE);
        if self.beat.has_caught_up(looks) {
            self.keep_agenda(now);
        }
        self.dispatch_due(self.moment);
        self.expire(now);
        self.run_ready();
        self.flush_if_due(now);
        self.follow_course(now);
        let mut next = self
            .agenda
            .next()
            .unwrap_or(Nanos::MAX)
            .min(self.next_flush);
        next = next.min(self.stripes.next().unwrap_or(Nanos::MAX));
        if !self.wanted.is_empty() {
            next = now;
        }
        next = next.min(self.wheel.next_tick().unwrap_or(Nanos::MAX));
        match self.course {
            Course::Draining { until, .. } | Course::Leaving { until, .. } => next.min(until),
            Course::Running { zero } => next.min(self.end_of_timeline(zero)),
            Course::Opening | Course::Over => next,
        }
    }

    /// Starts what has become due while something else was done, and sends what is ready.
    pub fn keep_up(&mut self) {
        if let Some(due) = self.stripes.next()
            && due <= self.look()
        {
            self.dispatch_due(self.moment);
        }
        self.post();
    }

    fn end_of_timeline(&self, zero: Nanos) -> Nanos {
        zero + self.segments.last().map_or(0, |segment| segment.end)
    }

    /// The last operation or the last session may have ended: the dispatcher looks at once.
    pub fn look_soon(&self) {
        if matches!(
            self.course,
            Course::Draining { .. } | Course::Leaving { .. }
        ) {
            self.pacer.arm(self.now());
        }
    }

    /// Gives up what has not come in its time: what was not sent, and what was when nothing lies in its socket.
    fn expire(&mut self, now: Nanos) {
        let mut expired = std::mem::take(&mut self.expired);
        self.wheel.passed(now, &mut expired);
        self.with_each(&expired, |own, operation| {
            let waits = own.operations[operation].stage == Stage::Waiting;
            if waits && own.wheel.has_passed(operation, now) {
                own.timed_out(operation, own.moment);
            }
        });
        self.with_each(&expired, |own, operation| {
            // Another one may have its place by now, whose socket can be read as well.
            if let Stage::Sent(connection) = own.operations[operation].stage {
                own.read_before_giving_up(connection);
            }
        });
        expired.clear();
        self.wheel.advance(now, &mut expired);
        self.with_each(&expired, |own, operation| {
            own.timed_out(operation, own.moment);
        });
        expired.clear();
        self.expired = expired;
    }

    /// Nothing that becomes due, or ready to be sent, waits for more than a few of them.
    fn with_each(&mut self, operations: &[u32], act: impl Fn(&mut Worker, u32)) {
        for together in operations.chunks(TOGETHER) {
            for operation in together {
                act(self, *operation);
            }
            self.keep_up();
        }
    }

    /// Moves on from draining to leaving to the end.
    fn follow_course(&mut self, now: Nanos) {
        match self.course {
            Course::Opening | Course::Over => {}
            Course::Running { zero } => {
                if now >= self.end_of_timeline(zero) && self.stripes.next().is_none() {
                    self.drop_prepared();
                    self.course = Course::Draining {
                        zero,
                        until: Nanos::MAX,
                    };
                    self.follow_course(now);
                }
            }
            Course::Draining { zero, until } => {
                if now >= until {
                    self.give_up_all(now);
                }
                if self.operations.under_way() == 0 {
                    self.agenda.clear();
                    self.course = Course::Leaving {
                        zero,
                        until: now + FAREWELL,
                    };
                    self.end_all_sessions(now);
                    self.follow_course(now);
                }
            }
            Course::Leaving { until, .. } => {
                if now >= until || self.farewells() == 0 {
                    self.finish(now);
                }
            }
        }
    }

    fn finish(&mut self, now: Nanos) {
        self.course = Course::Over;
        self.flush(now);
        self.close_everything();
        self.totals.unsent = std::mem::take(&mut self.tally.unsent);
        self.totals.completed = std::mem::take(&mut self.tally.completed);
        let totals = std::mem::take(&mut self.totals);
        let thread = self.job.thread;
        self.tell(FromWorker::Finished { thread, totals });
    }

    pub fn tell(&self, message: FromWorker) {
        // The engine has gone only when the process is ending: nobody is left to be told.
        let _ = self.to_engine.send(message);
    }

    /// Steps that were going to be made are not made any more; they were not due.
    fn drop_prepared(&mut self) {
        for operation in self.agenda.take_steps() {
            self.operations.give_back(operation);
        }
    }

    /// Takes an order of the engine.
    fn obey(&mut self, control: Control) {
        let now = self.now();
        match control {
            Control::Start { zero, segments } => {
                self.segments = segments;
                self.course = Course::Running { zero };
                self.tally.buckets.start_at(zero);
                self.next_flush = zero;
                self.start_stripes(zero);
            }
            Control::Recut { segments } => self.recut(segments, now),
            Control::Stop => self.stop(now),
            Control::Recycle(mut histograms) => {
                histograms.reset();
                self.spare = Some(histograms);
            }
        }
    }

    /// No more arrivals; what waits is not sent any more, what was sent has a short grace.
    fn stop(&mut self, now: Nanos) {
        let zero = self.course.zero().unwrap_or(now);
        if matches!(self.course, Course::Leaving { .. } | Course::Over) {
            return;
        }
        self.tally.buckets.start_at(zero);
        self.stripes.clear();
        self.ready.clear();
        self.drop_prepared();
        self.agenda.clear();
        // First, so that a closed load does not go on after what is given up.
        self.course = Course::Draining {
            zero,
            until: now + SHUTDOWN_GRACE,
        };
        self.give_up_waiting(now);
        self.opening = 0;
    }
}

/// The thread's share of each load's `max_in_flight`, by its share of the sessions.
fn in_flight_limits(job: &Job, slots: &[Slot]) -> Vec<u32> {
    let share = |(index, load): (usize, &firedrill_scenarios::plan::Load)| {
        let own = slots.iter().filter(|slot| slot.load == index).count() as u64;
        let all = u64::from(load.sessions.count.max(1));
        (u64::from(load.max_in_flight) * own).div_ceil(all) as u32
    };
    job.plan.loads.iter().enumerate().map(share).collect()
}

/// Runs until the engine's orders are carried out.
pub async fn run(
    worker: Rc<RefCell<Worker>>,
    mut orders: mpsc::UnboundedReceiver<Control>,
) -> io::Result<()> {
    let pacer = worker.borrow().pacer.clone();
    let (mut stirs, mut busy) = (Stirs::default(), 0u32);
    worker.borrow_mut().open_all_sessions();
    loop {
        let next = worker.borrow_mut().turn();
        if matches!(worker.borrow().course, Course::Over) {
            return Ok(());
        }
        worker.borrow_mut().rest(next);
        tokio::select! {
            biased;
            // First, since sockets may have something all the time.
            order = orders.recv() => match order {
                Some(order) => worker.borrow_mut().obey(order),
                // The engine is gone: nothing may be left running.
                None => return Ok(()),
            },
            stirred = pacer.stirred(&mut stirs) => {
                stirred?;
                worker.borrow_mut().attend(&stirs);
            }
        }
        // While there is more, the tasks that make connections want their turn too.
        busy = if stirs.are_many() { busy + 1 } else { 0 };
        if busy > 0 && (worker.borrow().making > 0 || busy % MOST_BUSY == 0) {
            tokio::task::yield_now().await;
        }
    }
}

mod flushing;
#[cfg(test)]
mod tests;
