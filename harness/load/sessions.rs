//! Sessions: opened before the timeline at their rate, ended as the plan says, opened again at the same rate
//! when an operation needs one.
//!
//! A slot is the plan's session number j; it outlives the MCP sessions that serve it in turn. Operations
//! that wait, wait at the slot. A session owns its connections; operations that overlap use one each.

use std::collections::VecDeque;

use firedrill_reports::recording::Measure;
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::NotSent;
use firedrill_scenarios::plan::{Lifetime, SessionEnd};
use rand_xoshiro::Xoshiro256PlusPlus;
use smallvec::SmallVec;

use super::agenda::Task;
use super::report::{FromWorker, Openings};
use super::schedule::{Purpose, STRIPES, StripeKey};
use super::slab::Key;
use super::worker::{Job, Worker};
use crate::clock::Nanos;
use crate::mcp::session::{Heads, Side};

/// After a server has refused to open a session, the slot's operations are `not_sent.no_session` for this
/// long: a server that is short of sessions must not be asked for one by every arrival.
const REFUSED_PAUSE: Nanos = 100_000_000;

/// A session of the plan.
pub struct Slot {
    pub load: usize,
    /// Its number in the load.
    pub session: u32,
    pub key: StripeKey,
    /// The MCP session that serves it now.
    pub current: Option<Key>,
    /// Operations that wait for a session or a connection, oldest first.
    pub waiting: VecDeque<u32>,
    /// Operations made so far.
    pub seq: u64,
    /// Flows of a closed load so far, and the stream of its think times.
    pub rounds: u64,
    pub random: Xoshiro256PlusPlus,
    /// An opening is planned for a later instant.
    pub asked: bool,
    /// No session is asked for before this instant.
    refused_until: Nanos,
    /// The last session was lost: the next opening is counted as one of its successors.
    bereaved: bool,
    /// Its first opening has ended, either way.
    tried: bool,
}

impl Slot {
    /// The slots of this thread's stripes, in the order of loads and sessions.
    pub fn of_thread(job: &Job) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (load, definition) in job.plan.loads.iter().enumerate() {
            let sessions = definition.sessions.count;
            for session in 0..sessions {
                let stripe = session % STRIPES;
                if stripe % job.threads != job.thread {
                    continue;
                }
                let key = StripeKey::new(job.seed, load, stripe, sessions);
                slots.push(Slot {
                    load,
                    session,
                    key,
                    current: None,
                    waiting: VecDeque::new(),
                    seq: 0,
                    rounds: 0,
                    random: key.stream(Purpose::Think, u64::from(session)),
                    asked: false,
                    refused_until: 0,
                    bereaved: false,
                    tried: false,
                });
            }
        }
        slots
    }
}

/// Where an MCP session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Opening,
    Open,
    /// Takes no more operations; ends when those under way have ended.
    Retiring,
    /// The server does not know it any more.
    Lost,
    /// DELETE is under way.
    Leaving,
    /// Left to the server: its connection stays open, and nothing is sent any more.
    Leaked,
}

/// An MCP session.
pub struct Session {
    pub slot: usize,
    pub standing: Standing,
    pub heads: Heads,
    pub next_id: u64,
    /// Operations assigned so far, and those under way.
    pub calls: u64,
    pub in_flight: u32,
    /// Connections that could send at once, the last used one last.
    pub idle: SmallVec<[Key; 2]>,
    /// All of its connections, and how many of them are being made.
    pub connections: SmallVec<[Key; 2]>,
    pub connecting: u32,
    /// What is to be sent beside operations.
    pub side: VecDeque<Side>,
    /// The server has answered `initialize`.
    pub agreed: bool,
    began: Nanos,
}

impl Worker {
    /// Gives the slot a new MCP session.
    pub fn open_session(&mut self, slot: usize) {
        if self.slots[slot].current.is_some() {
            return;
        }
        let session = Session {
            slot,
            standing: Standing::Opening,
            heads: self.job.dialect.heads_before_session(),
            next_id: 1,
            calls: 0,
            in_flight: 0,
            idle: SmallVec::new(),
            connections: SmallVec::new(),
            connecting: 0,
            side: VecDeque::new(),
            agreed: false,
            began: self.now(),
        };
        let key = self.sessions.insert(session);
        self.slots[slot].current = Some(key);
        self.connect(key);
    }

    /// The server has accepted the session.
    pub fn session_opened(&mut self, key: Key, now: Nanos) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.standing = Standing::Open;
        let (slot, began) = (session.slot, session.began);
        let phase = self.phase_now(now);
        self.tally
            .histograms
            .shared(phase, Measure::Initialize, now.saturating_sub(began));
        self.totals.sessions.opened += 1;
        self.totals.opened_since_flush += 1;
        if std::mem::take(&mut self.slots[slot].bereaved) {
            self.totals.sessions.reopened += 1;
            self.totals
                .lost_since_flush
                .entry(self.slots[slot].load)
                .or_default()[1] += 1;
        }
        if let Lifetime::Time(time) = self.lifetime(slot) {
            self.agenda.add(
                now + time.as_nanos() as Nanos,
                Task::Expire { session: key },
            );
        }
        self.first_opening(slot, None);
        self.pump(slot, now);
    }

    /// The session could not be opened: whatever waited for it ends with the same outcome.
    pub fn opening_failed(&mut self, key: Key, outcome: Outcome, now: Nanos) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        let slot = session.slot;
        self.discard_session(key);
        self.totals.sessions.open_failed += 1;
        let own = &mut self.slots[slot];
        if own.bereaved {
            self.totals.lost_since_flush.entry(own.load).or_default()[2] += 1;
        }
        if !matches!(
            outcome,
            Outcome::Connect(_) | Outcome::Tls(_) | Outcome::Transport(_)
        ) {
            own.refused_until = now + REFUSED_PAUSE;
        }
        self.first_opening(slot, Some(outcome));
        for operation in std::mem::take(&mut self.slots[slot].waiting) {
            self.settle(operation, outcome, now);
        }
    }

    /// Takes note of how a slot's first opening ended, and tells the engine when all have.
    fn first_opening(&mut self, slot: usize, failure: Option<Outcome>) {
        if std::mem::replace(&mut self.slots[slot].tried, true) {
            return;
        }
        let load = self.slots[slot].load;
        let opening = &mut self.openings[load];
        opening.asked += 1;
        match failure {
            None => opening.opened += 1,
            Some(outcome) => *opening.failures.entry(outcome).or_default() += 1,
        }
        self.opening = self.opening.saturating_sub(1);
        if self.opening == 0 {
            self.report_openings();
        }
    }

    pub fn report_openings(&mut self) {
        let loads: Vec<Openings> = std::mem::take(&mut self.openings);
        self.tell(FromWorker::Opened {
            thread: self.job.thread,
            loads,
        });
    }

    /// An operation that is due looks for its session.
    pub fn assign(&mut self, index: u32) {
        let slot = self.operations[index].slot;
        let own = &self.slots[slot];
        if own.current.is_none() && self.moment < own.refused_until {
            self.not_sent(index, NotSent::NoSession);
            return;
        }
        if own.waiting.is_empty()
            && let Some(key) = own.current
            && self.send_at_once(key, index)
        {
            return;
        }
        // From here on it waits for the target.
        let now = self.now();
        self.operations[index].dispatched = Some(now);
        let own = &mut self.slots[slot];
        own.waiting.push_back(index);
        if own.current.is_none() {
            self.ask_for_session(slot);
        } else {
            self.pump(slot, now);
        }
    }

    /// Sends the operation when its session is open and has a free connection: nothing has to queue then.
    fn send_at_once(&mut self, key: Key, index: u32) -> bool {
        let Some(session) = self.sessions.get_mut(key) else {
            return false;
        };
        if session.standing != Standing::Open {
            return false;
        }
        let Some(connection) = session.idle.pop() else {
            return false;
        };
        self.send_operation(connection, key, index);
        self.retire_if_spent(key);
        true
    }

    /// Sends what waits at the slot, as far as connections are free, and has the missing ones made.
    pub fn pump(&mut self, slot: usize, now: Nanos) {
        let lifetime = self.lifetime(slot);
        while let Some(key) = self.slots[slot].current {
            let Some(session) = self.sessions.get_mut(key) else {
                return;
            };
            if session.standing != Standing::Open {
                return;
            }
            if self.slots[slot].waiting.is_empty() {
                break;
            }
            let calls_left = match lifetime {
                Lifetime::Calls(limit) => limit.saturating_sub(session.calls),
                Lifetime::Run | Lifetime::Time(_) => u64::MAX,
            };
            match session.idle.pop() {
                Some(connection) => {
                    let Some(operation) = self.slots[slot].waiting.pop_front() else {
                        break;
                    };
                    self.send_operation(connection, key, operation);
                    self.retire_if_spent(key);
                }
                None => {
                    let waiting = self.slots[slot].waiting.len() as u64;
                    if u64::from(session.connecting) < waiting.min(calls_left) {
                        self.connect(key);
                    } else {
                        return;
                    }
                }
            }
        }
        if let Some(key) = self.slots[slot].current {
            self.pump_side(key, now);
        }
    }

    /// Sends what is to be sent beside operations, one at a time.
    pub fn pump_side(&mut self, key: Key, now: Nanos) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        // A connection that is made while the session opens is for its opening.
        if session.side.is_empty() || session.standing == Standing::Opening {
            return;
        }
        match session.idle.pop() {
            Some(connection) => {
                if let Some(side) = session.side.pop_front() {
                    self.send_side(connection, key, side, now);
                }
            }
            None if session.connecting == 0 => self.connect(key),
            None => {}
        }
    }

    fn retire_if_spent(&mut self, key: Key) {
        let Some(session) = self.sessions.get(key) else {
            return;
        };
        if Worker::is_spent(self.lifetime(session.slot), session.calls) {
            self.retire(key);
        }
    }

    /// The session takes no more operations; the slot gets a new one.
    pub fn retire(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if session.standing != Standing::Open {
            return;
        }
        session.standing = Standing::Retiring;
        let (slot, busy) = (session.slot, session.in_flight > 0);
        self.slots[slot].current = None;
        if !busy {
            self.end_session(key);
        }
        if self.needs_sessions() || !self.slots[slot].waiting.is_empty() {
            self.ask_for_session(slot);
        }
    }

    /// The server answered that it does not know the session.
    pub fn lose(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        if !matches!(session.standing, Standing::Open | Standing::Retiring) {
            return;
        }
        session.standing = Standing::Lost;
        let slot = session.slot;
        self.totals.sessions.lost += 1;
        let own = &mut self.slots[slot];
        self.totals.lost_since_flush.entry(own.load).or_default()[0] += 1;
        if own.current == Some(key) {
            own.current = None;
            own.bereaved = true;
            if !own.waiting.is_empty() {
                self.ask_for_session(slot);
            }
        }
    }

    /// An operation of the session has ended.
    pub fn leave_session(&mut self, key: Key) {
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        session.in_flight -= 1;
        if session.in_flight == 0 {
            match session.standing {
                Standing::Retiring => self.end_session(key),
                Standing::Lost => self.discard_session(key),
                Standing::Opening | Standing::Open | Standing::Leaving | Standing::Leaked => {}
            }
        }
    }

    /// Ends a session as the plan says.
    pub fn end_session(&mut self, key: Key) {
        let now = self.now();
        let Some(session) = self.sessions.get_mut(key) else {
            return;
        };
        let load = self.slots[session.slot].load;
        match self.plan.loads[load].sessions.end {
            SessionEnd::Delete if session.heads.has_id() => {
                session.standing = Standing::Leaving;
                session.side.clear();
                session.side.push_back(Side::Delete);
                self.pump_side(key, now);
            }
            SessionEnd::Delete | SessionEnd::Drop => {
                self.totals.sessions.dropped += 1;
                self.discard_session(key);
            }
            SessionEnd::Leak => {
                session.standing = Standing::Leaked;
                self.totals.sessions.leaked += 1;
                self.forget_if_leaked(key);
            }
        }
    }

    /// After the last operation: every session that is still there is ended.
    pub fn end_all_sessions(&mut self, _now: Nanos) {
        for slot in &mut self.slots {
            slot.current = None;
        }
        for key in self.sessions.keys().collect::<Vec<_>>() {
            match self.sessions.get(key).map(|session| session.standing) {
                Some(Standing::Open | Standing::Retiring) => self.end_session(key),
                Some(Standing::Opening | Standing::Lost) => self.discard_session(key),
                Some(Standing::Leaving | Standing::Leaked) | None => {}
            }
        }
    }

    /// Sessions whose DELETE is still under way.
    pub fn farewells(&self) -> usize {
        let leaving = |key: &Key| {
            self.sessions
                .get(*key)
                .is_some_and(|session| session.standing == Standing::Leaving)
        };
        self.sessions.keys().filter(leaving).count()
    }

    /// Forgets a session and closes its connections. Its operations have ended, or end with theirs.
    pub fn discard_session(&mut self, key: Key) {
        let Some(session) = self.sessions.remove(key) else {
            return;
        };
        let slot = &mut self.slots[session.slot];
        if slot.current == Some(key) {
            slot.current = None;
        }
        for connection in session.connections {
            self.close(connection);
        }
        self.look_soon();
    }

    /// At shutdown: what waits is not sent any more.
    pub fn give_up_waiting(&mut self, now: Nanos) {
        for slot in 0..self.slots.len() {
            for operation in std::mem::take(&mut self.slots[slot].waiting) {
                self.settle(operation, Outcome::NotSent(NotSent::Shutdown), now);
            }
        }
    }

    /// A leaked session is its connections: without any, only our memory would leak.
    pub fn forget_if_leaked(&mut self, key: Key) {
        let bare = |own: &Session| own.standing == Standing::Leaked && own.connections.is_empty();
        if self.sessions.get(key).is_some_and(bare) {
            self.sessions.remove(key);
        }
    }

    fn lifetime(&self, slot: usize) -> Lifetime {
        self.plan.loads[self.slots[slot].load].sessions.lifetime
    }
}
