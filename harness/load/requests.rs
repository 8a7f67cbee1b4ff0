//! What is sent on connections: operations, the opening and the end of sessions, and what is said beside them.

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{TimeoutStage, TransportFailure};

use super::agenda::Task;
use super::connections::{Found, Purpose};
use super::operation::Stage;
use super::sessions::Standing;
use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::mcp::session::{SIDE_ANSWER_LIMIT, Side};

/// How long the rest of an answer may take after its result, and a late answer after its deadline.
const TAIL_LIMIT: Nanos = 5_000_000_000;
const LATE_GRACE: Nanos = 2_000_000_000;
/// How long opening and ending a session, cancelling and replying may take.
const SIDE_LIMIT: Nanos = 10_000_000_000;

impl Worker {
    /// Sends a whole request on the connection; false when the connection is broken.
    fn transmit(&mut self, key: Key, purpose: Purpose) -> bool {
        self.occupy(key, purpose, SIDE_ANSWER_LIMIT);
        let link = self
            .connections
            .get_mut(key)
            .and_then(|own| own.link.as_mut());
        let Some(link) = link else {
            return false;
        };
        self.totals.bytes_sent += self.out.len() as u64;
        // What the socket does not take now is sent when it says that it takes more.
        link.send(&self.out).is_ok()
    }

    /// An exchange begins on the connection; its serial from now on.
    fn occupy(&mut self, key: Key, purpose: Purpose, limit: u64) -> u64 {
        let Some(connection) = self.connections.get_mut(key) else {
            return 0;
        };
        connection.purpose = purpose;
        connection.serial += 1;
        connection.found = Found::default();
        connection.exchange = None;
        connection.limit = limit;
        connection.serial
    }

    /// Puts an operation's request into the outbox.
    pub fn send_operation(&mut self, key: Key, session: Key, index: u32) {
        let Some(owner) = self.sessions.get_mut(session) else {
            return;
        };
        owner.calls += 1;
        owner.in_flight += 1;
        let id = owner.next_id;
        owner.next_id += 1;
        let operation = &mut self.operations[index];
        operation.id = id;
        operation.stage = Stage::Sent(key);
        let definition = self.job.dialect.operation(operation.series);
        let limit = definition.max_answer;
        definition.write(&owner.heads, id, &operation.params, &mut self.outbox.bytes);
        let serial = self.occupy(key, Purpose::Operation(index), limit);
        self.outbox.add(key, serial, index);
        if self.outbox.is_full() {
            self.post();
        }
    }

    pub fn send_initialize(&mut self, key: Key, session: Key, now: Nanos) {
        let Some(owner) = self.sessions.get(session) else {
            return;
        };
        self.out.clear();
        self.job
            .dialect
            .write_initialize(&owner.heads, &mut self.out);
        self.begin_side(key, session, Purpose::Initialize, now);
    }

    /// The server has answered `initialize`: the session is told that we are ready.
    pub fn send_initialized(&mut self, key: Key, session: Key, now: Nanos) {
        let Some(owner) = self.sessions.get(session) else {
            return;
        };
        self.out.clear();
        self.job
            .dialect
            .write_initialized(&owner.heads, &mut self.out);
        self.begin_side(key, session, Purpose::Initialized, now);
    }

    pub fn send_side(&mut self, key: Key, session: Key, side: Side, now: Nanos) {
        let Some(owner) = self.sessions.get(session) else {
            return;
        };
        self.out.clear();
        self.job
            .dialect
            .write_side(&owner.heads, &side, &mut self.out);
        let purpose = match side {
            Side::Delete => Purpose::Delete { since: now },
            Side::Cancel { .. } | Side::Reply { .. } => Purpose::Side,
        };
        if matches!(side, Side::Cancel { .. }) {
            self.totals.cancelled += 1;
        }
        self.begin_side(key, session, purpose, now);
    }

    fn begin_side(&mut self, key: Key, session: Key, purpose: Purpose, now: Nanos) {
        if self.transmit(key, purpose) {
            self.watch(key, now + SIDE_LIMIT);
            return;
        }
        self.close(key);
        let outcome = Outcome::Transport(TransportFailure::Reset);
        self.side_failed(session, purpose, outcome, now);
    }

    /// Gives the connection up at `at` when it is still at the same thing then.
    pub fn watch(&mut self, key: Key, at: Nanos) {
        if let Some(connection) = self.connections.get(key) {
            let (purpose, serial) = (connection.purpose, connection.serial);
            self.agenda.add(
                at,
                Task::GiveUp {
                    connection: key,
                    serial,
                },
            );
            self.pacer.arm(at);
            if matches!(
                purpose,
                Purpose::Tail | Purpose::Abandoned { .. } | Purpose::Side
            ) {
                self.remember_listening(key, serial);
            }
        }
    }

    /// The connection could be closed if others were needed more.
    fn remember_listening(&mut self, key: Key, serial: u64) {
        while let Some((oldest, serial)) = self.listening.front().copied()
            && !self.is_at(oldest, serial)
        {
            self.listening.pop_front();
        }
        self.listening.push_back((key, serial));
    }

    /// Something beside operations did not come to its end.
    fn side_failed(&mut self, session: Key, purpose: Purpose, outcome: Outcome, now: Nanos) {
        match purpose {
            Purpose::Initialize | Purpose::Initialized => {
                self.opening_failed(session, outcome, now);
            }
            Purpose::Delete { .. } => self.discard_session(session),
            Purpose::Connecting
            | Purpose::Idle { .. }
            | Purpose::Operation(_)
            | Purpose::Tail
            | Purpose::Abandoned { .. }
            | Purpose::Side => {}
        }
    }

    /// The agenda says that the connection has had its time.
    pub fn give_up(&mut self, key: Key, serial: u64, now: Nanos) {
        let at = |own: &Worker| {
            let found = own
                .connections
                .get(key)
                .filter(|own| own.serial == serial)?;
            Some((found.session, found.purpose))
        };
        if let Some((_, Purpose::Initialize | Purpose::Initialized)) = at(self) {
            self.read_before_giving_up(key);
        }
        let Some((session, purpose)) = at(self) else {
            return;
        };
        self.close(key);
        let agreed = self.sessions.get(session).is_some_and(|own| own.agreed);
        if purpose == Purpose::Initialize && agreed {
            self.connect(session);
            return;
        }
        self.side_failed(
            session,
            purpose,
            Outcome::Timeout(TimeoutStage::Connect),
            now,
        );
    }

    /// The operation on this connection has timed out: tell the server, and listen a little longer.
    pub fn abandon(&mut self, key: Key, id: u64, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.purpose = Purpose::Abandoned { id };
        connection.serial += 1;
        let session = connection.session;
        self.watch(key, now + LATE_GRACE);
        if let Some(owner) = self.sessions.get_mut(session)
            && owner.standing == Standing::Open
        {
            owner.side.push_back(Side::Cancel { id });
            self.pump_side(session, now);
        }
        self.leave_session(session);
    }

    /// The result has come; the rest of the answer is read in the background.
    pub fn drain_tail(&mut self, key: Key, now: Nanos) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.purpose = Purpose::Tail;
            connection.serial += 1;
            self.watch(key, now + TAIL_LIMIT);
        }
    }
}
