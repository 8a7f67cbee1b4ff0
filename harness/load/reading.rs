//! What sockets have to say, from the event to the pieces of an answer.
//!
//! The state of an answer is held by its connection only while it has come in part: what comes whole, as nearly all
//! does, goes through one that is always at hand.

use std::hint::black_box;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{TlsFailure, TransportFailure};

use super::connections::{Connection, Purpose};
use super::operation::Operation;
use super::outcomes::Ended;
use super::pacer::{Event as Happening, Stir, Stirs};
use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::mcp::exchange::{Event, Exchange};
use crate::mcp::link::Link;

/// Answers that are read before arrivals that became due meanwhile are sent: these are late by the reading of so many
/// at most.
const TOGETHER: usize = 16;

/// Reads of a full buffer after which others have their turn.
const MOST_READS: usize = 16;

/// Exchanges that are kept for answers to come: more than this many do not come in pieces at the same time for long.
const MOST_SPARE: usize = 256;

impl Worker {
    /// Reads wherever sockets have something, and sends what could not be sent. The next flows of closed loads come
    /// last: a server that waits for something to do is then woken once for all of them.
    pub fn attend(&mut self, stirs: &Stirs) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for together in stirs.by(TOGETHER) {
            self.fetch(together);
            for stir in together.iter().filter_map(Stir::of) {
                self.drive(stir, &mut buffer);
            }
            self.keep_up();
        }
        self.buffer = buffer;
        self.run_ready();
    }

    /// Touches what the answers are going to need. With a thousand connections none of it is in a cache, and memory
    /// answers many questions in the time of one, as long as none depends on the answer to another.
    fn fetch(&self, together: &[Happening]) {
        let stirs = together.iter().filter_map(Stir::of);
        let connections = || {
            let found = stirs.clone();
            found.filter_map(|stir| self.connections.get(stir.key))
        };
        let sessions = || connections().filter_map(|own| self.sessions.get(own.session));
        let operations = || connections().filter_map(|own| self.operation_on(own));
        let slots = || sessions().map(|own| &self.slots[own.slot]);
        black_box(connections().fold(0, |sum, own| sum ^ own.serial ^ own.limit));
        black_box(sessions().fold(0, |sum, own| sum ^ own.next_id ^ own.slot as u64));
        black_box(operations().fold(0, |sum, own| sum ^ own.due ^ own.dispatched ^ own.id));
        black_box(slots().fold(0, |sum, own| sum ^ own.seq ^ own.rounds));
        black_box(sessions().fold(0, |sum, own| sum ^ own.heads.first()));
        black_box(operations().fold(0, |sum, own| sum ^ own.params.first().copied().unwrap_or(0)));
    }

    fn operation_on(&self, connection: &Connection) -> Option<&Operation> {
        match connection.purpose {
            Purpose::Operation(index) => Some(&self.operations[index]),
            Purpose::Connecting
            | Purpose::Idle { .. }
            | Purpose::Tail
            | Purpose::Abandoned { .. }
            | Purpose::Initialize
            | Purpose::Initialized
            | Purpose::Side
            | Purpose::Delete { .. } => None,
        }
    }

    /// Runs one connection as far as its socket lets it, or for a while: a peer that never stops must not keep the
    /// thread from its other business.
    fn drive(&mut self, stir: Stir, buffer: &mut [u8]) {
        let key = stir.key;
        if let Some(link) = self.link(key) {
            link.wake(stir.ends);
        }
        for _ in 0..MOST_READS {
            let Some(link) = self.link(key) else {
                return;
            };
            if let Err(error) = link.flush() {
                return self.broken(key, &error);
            }
            match link.receive(buffer) {
                Ok(0) => return self.ended(key),
                Ok(count) => self.received(key, &buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.broken(key, &error),
            }
        }
        let pacer = self.pacer.clone();
        if let Some(socket) = self.link(key).map(|link| link.socket().as_fd())
            && let Err(error) = pacer.watch_again(socket, key)
        {
            self.broken(key, &error);
        }
    }

    fn link(&mut self, key: Key) -> Option<&mut Link<OwnedFd>> {
        self.connections.get_mut(key)?.link.as_mut()
    }

    /// Bytes have come on a connection.
    pub fn received(&mut self, key: Key, bytes: &[u8]) {
        let now = self.now();
        self.heard = now;
        self.totals.bytes_received += bytes.len() as u64;
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.was_asked_nothing() {
            self.exchange_over(key, false, now);
            return;
        }
        let mut exchange = self.exchange_of(key);
        let ended = self.read_answer(key, &mut exchange, bytes, now);
        match self.connections.get_mut(key).filter(|_| ended.is_none()) {
            Some(connection) => connection.exchange = Some(exchange),
            None => self.spare_exchange(exchange),
        }
        self.conclude(key, ended, now);
    }

    /// The exchange of an answer that goes on, or one for an answer that begins.
    fn exchange_of(&mut self, key: Key) -> Box<Exchange> {
        let Some(connection) = self.connections.get_mut(key) else {
            return Box::default();
        };
        if let Some(exchange) = connection.exchange.take() {
            return exchange;
        }
        let mut exchange = self
            .exchanges
            .pop()
            .unwrap_or_else(|| Box::new(Exchange::new(self.job.dialect.identity.clone())));
        exchange.begin(connection.limit, connection.purpose == Purpose::Initialize);
        exchange
    }

    fn spare_exchange(&mut self, mut exchange: Box<Exchange>) {
        if self.exchanges.len() < MOST_SPARE {
            exchange.rest();
            self.exchanges.push(exchange);
        }
    }

    /// The server has closed the connection.
    pub fn ended(&mut self, key: Key) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        if connection.was_asked_nothing() {
            self.target_closed(key, now);
            self.exchange_over(key, false, now);
            return;
        }
        let used = connection.carried > 0;
        let mut exchange = self.exchange_of(key);
        let ended = loop {
            match exchange.end_of_stream(used) {
                Event::Message(text) => {
                    let length = text.len() as u64;
                    self.message_seen(key, text, length, now);
                    self.initialize_answered(key, &exchange);
                }
                Event::Broken(outcome) => break Ended::Broken(outcome),
                Event::Over { .. } | Event::More | Event::Head(_) => {
                    break Ended::Over { reusable: false };
                }
            }
        };
        self.spare_exchange(exchange);
        self.conclude(key, Some(ended), now);
    }

    /// The connection broke.
    pub fn broken(&mut self, key: Key, error: &io::Error) {
        let now = self.now();
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        if connection.was_asked_nothing() {
            self.target_closed(key, now);
            self.exchange_over(key, false, now);
        } else {
            self.conclude(key, Some(Ended::Broken(read_failure(error))), now);
        }
    }

    /// Reads everything in `bytes`.
    fn read_answer(
        &mut self,
        key: Key,
        exchange: &mut Exchange,
        bytes: &[u8],
        now: Nanos,
    ) -> Option<Ended> {
        let (mut input, mut pending) = (bytes, &[][..]);
        loop {
            match exchange.next(&mut input, &mut pending) {
                Event::More => return None,
                Event::Head(head) => self.head_seen(key, head, now),
                Event::Message(text) => {
                    self.message_seen(key, text, text.len() as u64, now);
                    self.initialize_answered(key, exchange);
                }
                Event::Over { reusable } => return Some(Ended::Over { reusable }),
                Event::Broken(outcome) => return Some(Ended::Broken(outcome)),
            }
        }
    }
}

/// The class of an error while reading.
pub fn read_failure(error: &io::Error) -> Outcome {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        // A client certificate is refused after the handshake, as far as TLS 1.3 lets the client know.
        (Some(rustls::Error::AlertReceived(_)), _) => Outcome::Tls(TlsFailure::Alert),
        (Some(_), _) => Outcome::Tls(TlsFailure::Handshake),
        (None, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            Outcome::Transport(TransportFailure::Reset)
        }
        (None, _) => Outcome::Transport(TransportFailure::Other),
    }
}

#[cfg(test)]
mod tests;
