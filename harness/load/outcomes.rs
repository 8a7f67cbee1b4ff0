//! What comes back on a connection, and what it means for the operation, the session and the connection.
//!
//! Everything in one piece of input is read before an operation ends, so that a second answer to the same id
//! beside the first one is seen. The instant of the end is that of the read.

use std::collections::BTreeMap;

use firedrill_reports::recording::Measure;
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ProtocolFault, TimeoutStage};

use super::connections::{Connection, Found, Purpose};
use super::operation::Stage;
use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::mcp::answer::{self, Sent};
use crate::mcp::exchange::Exchange;
use crate::mcp::http::{Content, Head};
use crate::mcp::json::{self, BadMessage, Id, Message};
use crate::mcp::session::{INITIALIZE_ID, Reply, Side};

/// Methods that are counted by name; a server that invents more is counted under `other`.
const MOST_METHODS: usize = 64;

/// How long the stream of an answer to `initialize` may stay open after it. It ends at once with most servers, and
/// its connection then serves the session; where it does not, another one does.
const STREAM_END: Nanos = 50_000_000;

/// How an answer ended, once it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Over { reusable: bool },
    Broken(Outcome),
}

impl Worker {
    /// The head has come: what is not a success, or no JSON and no event stream, is decided.
    pub fn head_seen(&mut self, key: Key, head: Head, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.found.status = head.status;
        let named = || {
            let session = self.sessions.get(connection.session);
            session.is_some_and(|own| own.heads.has_id())
        };
        let decided = match (head.status, head.content) {
            (401 | 403, _) => Some(Outcome::Auth(head.status)),
            (200..300, Content::Other) => Some(Outcome::Protocol(ProtocolFault::ContentType)),
            (200..300, Content::Json | Content::EventStream | Content::Unnamed) => None,
            (status, _) if named() && self.job.dialect.session_lost.contains(&status) => {
                Some(Outcome::SessionLost)
            }
            (status, _) => Some(Outcome::Http(status)),
        };
        match connection.purpose {
            Purpose::Operation(index) => {
                let operation = &mut self.operations[index];
                operation.head = Some(now);
                operation.by = head.by;
                connection.found.decided = decided;
            }
            Purpose::Initialize => connection.found.decided = decided,
            // What an answer to a notification says in its body is nobody's business.
            Purpose::Initialized if !(200..300).contains(&head.status) => {
                connection.found.decided = decided;
            }
            Purpose::Connecting
            | Purpose::Idle { .. }
            | Purpose::Tail
            | Purpose::Abandoned { .. }
            | Purpose::Initialized
            | Purpose::Side
            | Purpose::Delete { .. } => {}
        }
    }

    /// One message, or a batch of them, or something that is neither.
    pub fn message_seen(&mut self, key: Key, text: &[u8], length: u64, now: Nanos) {
        match json::batch(text) {
            None => self.single_seen(key, text, length, now),
            Some(elements) => {
                for element in elements {
                    self.single_seen(key, element, length, now);
                }
            }
        }
    }

    fn single_seen(&mut self, key: Key, text: &[u8], length: u64, now: Nanos) {
        let message = match self.envelope(key, text) {
            Ok(message) => message,
            Err(error) => {
                self.decide(key, answer::bad_message(error));
                return;
            }
        };
        match message {
            Message::Notification { method } => count(&mut self.totals.notifications, method),
            Message::Request { id, method } => self.server_asks(key, id, method, now),
            Message::Response { id, .. } | Message::Error { id, .. } => {
                self.response_seen(key, &message, id, length);
            }
        }
    }

    /// Answers to the operations of a series are like each other.
    fn envelope<'a>(&mut self, key: Key, text: &'a [u8]) -> Result<Message<'a>, BadMessage> {
        match self.connections.get(key).map(|own| own.purpose) {
            Some(Purpose::Operation(index)) => {
                let series = self.operations[index].series;
                self.familiar[series].envelope(text)
            }
            _ => json::envelope(text),
        }
    }

    fn response_seen(&mut self, key: Key, message: &Message<'_>, id: Id<'_>, length: u64) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match connection.purpose {
            Purpose::Operation(index) => {
                let operation = &mut self.operations[index];
                // An error without an id answers the only request of this exchange.
                let ours = id == Id::Number(operation.id)
                    || (matches!(message, Message::Error { .. }) && !matches!(id, Id::Number(_)));
                if !ours {
                    connection.found.wrong_id = true;
                    self.totals.unknown_ids += 1;
                    return;
                }
                if connection.found.decided.is_some() {
                    connection.found.decided =
                        Some(Outcome::Protocol(ProtocolFault::DuplicateResponse));
                    return;
                }
                let text = self.job.dialect.operation(operation.series);
                let definition = &self.plan.loads[text.load].operations[text.operation];
                let sent = Sent {
                    params: &operation.params,
                    spans: &operation.spans,
                };
                let outcome = answer::judge(definition, sent, message, length);
                if let (Outcome::Ok, Message::Response { result, .. }) = (outcome, message) {
                    answer::save(definition, result, &mut operation.saved);
                }
                connection.found.decided = Some(outcome);
            }
            Purpose::Abandoned { id: abandoned } if id == Id::Number(abandoned) => {
                self.totals.late_answers += 1;
            }
            Purpose::Initialize => {
                connection.found.decided = Some(match (message, id) {
                    (Message::Response { result, .. }, Id::Number(INITIALIZE_ID)) => {
                        self.totals.stand_ins += u64::from(answer::is_stand_in(result));
                        let version = json::find(result, &["protocolVersion"]);
                        connection.found.version = version
                            .and_then(json::unquote)
                            .and_then(|text| std::str::from_utf8(text).ok())
                            .and_then(|text| self.job.dialect.agree(text));
                        match connection.found.version {
                            Some(_) => Outcome::Ok,
                            None => Outcome::Protocol(ProtocolFault::VersionMismatch),
                        }
                    }
                    (Message::Error { code, .. }, _) => Outcome::RpcError(*code),
                    _ => Outcome::Protocol(ProtocolFault::IdMismatch),
                });
            }
            Purpose::Tail | Purpose::Abandoned { .. } => self.totals.unknown_ids += 1,
            Purpose::Connecting
            | Purpose::Idle { .. }
            | Purpose::Initialized
            | Purpose::Side
            | Purpose::Delete { .. } => {}
        }
    }

    /// Takes the session id out of the head, while it is at hand.
    pub fn initialize_answered(&mut self, key: Key, exchange: &Exchange) {
        let initialize = |own: &&Connection| own.purpose == Purpose::Initialize;
        let Some(connection) = self.connections.get(key).filter(initialize) else {
            return;
        };
        let Some(version) = connection.found.version else {
            return;
        };
        let id = exchange
            .session()
            .filter(|id| id.iter().all(u8::is_ascii_graphic));
        let heads = self.job.dialect.heads(id, version);
        if let Some(session) = self.sessions.get_mut(connection.session) {
            session.heads = heads;
            session.agreed = true;
        }
    }

    fn decide(&mut self, key: Key, outcome: Outcome) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if matches!(
            connection.purpose,
            Purpose::Operation(_) | Purpose::Initialize
        ) {
            connection.found.decided.get_or_insert(outcome);
        }
    }

    /// A request of the server: a ping is answered, anything else refused, in a POST of its own.
    fn server_asks(&mut self, key: Key, id: &[u8], method: &[u8], now: Nanos) {
        count(&mut self.totals.server_requests, method);
        let reply = if method == b"ping" {
            Reply::Empty
        } else {
            Reply::MethodNotFound
        };
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        // A server that answers what we said to it with a request would be answered for ever.
        if connection.purpose == Purpose::Side {
            return;
        }
        let session = connection.session;
        if let Some(owner) = self.sessions.get_mut(session)
            && owner.side.len() < Side::MOST_WAITING
        {
            owner.side.push_back(Side::Reply {
                id: id.to_vec(),
                reply,
            });
            self.pump_side(session, now);
        }
    }

    /// Draws the consequences of what was read.
    pub fn conclude(&mut self, key: Key, ended: Option<Ended>, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let (purpose, session) = (connection.purpose, connection.session);
        let found = connection.found;
        if let Some(ended) = ended {
            self.target_closed_with(key, ended, now);
        }
        match purpose {
            Purpose::Operation(index) => {
                let outcome = found
                    .decided
                    .or_else(|| ended.map(|ended| without_result(&found, ended)));
                let Some(outcome) = outcome else { return };
                // First, so that what waits for the connection is not sent into a session that is gone.
                if outcome == Outcome::SessionLost {
                    self.lose(session);
                }
                self.release(key, ended, now);
                self.finish_operation(index, session, outcome, now);
            }
            Purpose::Initialize | Purpose::Initialized => {
                // A refusal is one however long its body goes on.
                let refused = found.decided.is_some_and(|outcome| !outcome.is_ok());
                let closing = refused.then_some(Ended::Over { reusable: false });
                let Some(ended) = ended.or(closing) else {
                    if found.decided.is_some() {
                        self.watch(key, now + STREAM_END);
                    }
                    return;
                };
                let outcome = match purpose {
                    Purpose::Initialize => found
                        .decided
                        .unwrap_or_else(|| without_result(&found, ended)),
                    _ => found.decided.unwrap_or_else(|| acknowledged(ended)),
                };
                self.opening_step(key, session, purpose, outcome, ended, now);
            }
            Purpose::Delete { since } => {
                if ended.is_none() {
                    return;
                }
                if (200..300).contains(&found.status) {
                    let phase = self.phase_now(now);
                    self.tally
                        .histograms
                        .shared(phase, Measure::Delete, now.saturating_sub(since));
                    self.totals.sessions.deleted += 1;
                } else {
                    // Not every server lets a client end a session: it is left to itself.
                    self.totals.sessions.dropped += 1;
                }
                self.discard_session(session);
            }
            Purpose::Side | Purpose::Tail | Purpose::Abandoned { .. } => {
                if ended.is_some() {
                    self.release(key, ended, now);
                }
            }
            Purpose::Connecting | Purpose::Idle { .. } => {}
        }
    }

    /// Goes on with opening a session after an answer.
    fn opening_step(
        &mut self,
        key: Key,
        session: Key,
        purpose: Purpose,
        outcome: Outcome,
        ended: Ended,
        now: Nanos,
    ) {
        if !outcome.is_ok() {
            self.close(key);
            self.opening_failed(session, outcome, now);
            return;
        }
        let reusable = ended == Ended::Over { reusable: true };
        match (purpose, reusable) {
            (Purpose::Initialize, true) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.carry(now);
                }
                self.send_initialized(key, session, now);
            }
            (Purpose::Initialize, false) => {
                self.close(key);
                self.connect(session);
            }
            _ => {
                // First, so that what waits for the session finds its connection free and needs no other.
                self.exchange_over(key, reusable, now);
                self.session_opened(session, now);
            }
        }
    }

    /// The connection is free, or drains, or is closed.
    fn release(&mut self, key: Key, ended: Option<Ended>, now: Nanos) {
        match ended {
            None => self.drain_tail(key, now),
            Some(Ended::Over { reusable }) => self.exchange_over(key, reusable, now),
            Some(Ended::Broken(_)) => self.exchange_over(key, false, now),
        }
    }

    /// An operation that was sent has its outcome.
    pub fn finish_operation(&mut self, index: u32, session: Key, outcome: Outcome, now: Nanos) {
        self.settle(index, outcome, now);
        self.leave_session(session);
    }

    /// At the end of the grace: what has no outcome yet gets none from the server any more.
    pub fn give_up_all(&mut self, now: Nanos) {
        use firedrill_scenarios::outcome::NotSent;
        self.give_up_waiting(now);
        for key in self.connections.keys().collect::<Vec<_>>() {
            let at = |own: &Connection| own.operation().map(|index| (index, own.session));
            if self.connections.get(key).and_then(at).is_some() {
                self.read_before_giving_up(key);
            }
            if let Some((index, session)) = self.connections.get(key).and_then(at) {
                self.close(key);
                self.finish_operation(index, session, Outcome::NotSent(NotSent::Shutdown), now);
            }
        }
    }

    /// A deadline has passed.
    pub fn timed_out(&mut self, index: u32, now: Nanos) {
        let operation = &self.operations[index];
        match operation.stage {
            Stage::Waiting => {
                let slot = operation.slot;
                self.slots[slot].waiting.retain(|waiting| *waiting != index);
                self.settle(index, Outcome::Timeout(TimeoutStage::Connect), now);
            }
            Stage::Sent(connection) => {
                let stage = match operation.head {
                    None => TimeoutStage::FirstByte,
                    Some(_) => TimeoutStage::Result,
                };
                let id = operation.id;
                self.settle(index, Outcome::Timeout(stage), now);
                self.abandon(connection, id, now);
            }
        }
    }
}

/// The outcome of an answer that ended and held no result.
fn without_result(found: &Found, ended: Ended) -> Outcome {
    match ended {
        Ended::Broken(outcome) => outcome,
        Ended::Over { .. } if found.wrong_id => Outcome::Protocol(ProtocolFault::IdMismatch),
        Ended::Over { .. } => Outcome::NeverAnswered,
    }
}

/// The outcome of a notification.
fn acknowledged(ended: Ended) -> Outcome {
    match ended {
        Ended::Over { .. } => Outcome::Ok,
        Ended::Broken(outcome) => outcome,
    }
}

fn count(counts: &mut BTreeMap<String, u64>, method: &[u8]) {
    let name = std::str::from_utf8(method).unwrap_or("other");
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        let name = if counts.len() < MOST_METHODS {
            name
        } else {
            "other"
        };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
}
