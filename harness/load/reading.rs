//! What sockets have to say, from the event to the pieces of an answer.
//!
//! The state of an answer is held by its connection only while it has come in part: what comes whole, as nearly all
//! does, goes through one that is always at hand.

use std::hint::black_box;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{TlsFailure, TransportFailure};
use smallvec::SmallVec;

use super::connections::{Connection, Purpose};
use super::outcomes::Ended;
use super::pacer::{Event as Happening, Stir, Stirs};
use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;
use crate::mcp::exchange::{Event, Exchange};
use crate::mcp::link::Link;

/// Answers that are read, or other things that are done, before arrivals that became due meanwhile are sent: these are
/// late by so many at most.
pub const TOGETHER: usize = 16;

/// Reads of a full buffer after which others have their turn.
const MOST_READS: usize = 16;

/// Reads of a socket whose answer is about to be given up. A peer that never stops must not keep the thread.
const MOST_LEFT: usize = 1024;

/// Exchanges that are kept for answers to come: more than this many do not come in pieces at the same time for long.
const MOST_SPARE: usize = 256;

/// What so many connections need stays in the processor's caches by itself.
const FEW: usize = 128;

/// The most that is read of a socket at once.
const ONE_READ: usize = 16 * 1024;

/// Room for the first reads of sockets that are read together, and for one that goes on.
pub const ROOM: usize = (TOGETHER + 1) * ONE_READ;

/// What a socket said when it was read.
struct Read {
    key: Key,
    /// Bytes, and when they were there; none are the end of the stream.
    said: io::Result<(usize, Nanos)>,
    /// It may have more to say.
    more: bool,
}

impl Read {
    fn count(&self) -> usize {
        self.said.as_ref().map_or(0, |(count, _)| *count)
    }
}

impl Worker {
    /// Reads wherever sockets have something, and sends what could not be sent. The next flows of closed loads come
    /// last: a server that waits for something to do is then woken once for all of them.
    ///
    /// What the sockets of a group have is read before any of it is looked at: the kernel's code and ours push each other
    /// out of the processor's caches, so that each had better run for many in a row.
    pub fn attend(&mut self, stirs: &Stirs) {
        self.beat.wake(stirs.asked);
        // A stop takes hold where a call into the kernel returns: what came during this one is not among the stirs.
        self.look();
        let mut buffer = std::mem::take(&mut self.buffer);
        let one_read = buffer.len() / (TOGETHER + 1);
        for together in stirs.by(TOGETHER) {
            if self.connections.len() > FEW {
                self.fetch(together);
            }
            let mut reads = SmallVec::<[Read; TOGETHER]>::new();
            let mut used = 0;
            for stir in together.iter().filter_map(Stir::of) {
                if let Some(link) = self.link(stir.key) {
                    link.wake(stir.ends);
                }
                let read = self.read(stir.key, &mut buffer[used..used + one_read]);
                used += read.as_ref().map_or(0, Read::count);
                reads.extend(read);
            }
            let (mut first, rest) = buffer.split_at_mut(used);
            for read in reads {
                let (bytes, others) = first.split_at_mut(read.count());
                self.take_in(read, bytes, &mut rest[..one_read]);
                first = others;
            }
            self.keep_up();
        }
        self.buffer = buffer;
        if stirs.are_all() {
            self.beat.has_read(stirs.asked);
        }
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
        let operations = || {
            let found = connections().filter_map(Connection::operation);
            found.map(|index| &self.operations[index])
        };
        let slots = || sessions().map(|own| &self.slots[own.slot]);
        black_box(connections().fold(0, |sum, own| sum ^ own.serial ^ own.limit));
        black_box(sessions().fold(0, |sum, own| sum ^ own.next_id ^ own.slot as u64));
        black_box(operations().fold(0, |sum, own| sum ^ own.due ^ own.id));
        black_box(slots().fold(0, |sum, own| sum ^ own.seq ^ own.rounds));
        black_box(sessions().fold(0, |sum, own| sum ^ own.heads.first()));
        black_box(operations().fold(0, |sum, own| sum ^ own.params.first().copied().unwrap_or(0)));
    }

    /// Sends what could not be sent, and reads once; nothing when the connection is not there any more.
    fn read(&mut self, key: Key, buffer: &mut [u8]) -> Option<Read> {
        let link = self.link(key)?;
        let count = link.flush().and_then(|_| link.receive(buffer));
        let more = link.may_have_more();
        let now = self.look();
        let said = count.map(|count| (count, now));
        Some(Read { key, said, more })
    }

    /// Goes on with one connection as far as its socket lets it, or for a while: a peer that never stops must not keep the
    /// thread from its other business.
    fn take_in(&mut self, first: Read, bytes: &[u8], buffer: &mut [u8]) {
        let key = first.key;
        if !self.follow(first, bytes) {
            return;
        }
        for _ in 1..MOST_READS {
            let Some(read) = self.read(key, buffer) else {
                return;
            };
            let bytes = &buffer[..read.count()];
            if !self.follow(read, bytes) {
                return;
            }
        }
        let pacer = self.pacer.clone();
        if let Some(socket) = self.link(key).map(|link| link.socket().as_fd())
            && let Err(error) = pacer.watch_again(socket, key)
        {
            self.broken(key, &error);
        }
    }

    /// Reads what lies in the socket, before an answer is given up for not having come: a thread that was held, or has more
    /// to read than it can, finds answers and deadlines at the same time. The end of the stream may lie behind the answer, and
    /// nothing more is to be said then.
    pub fn read_before_giving_up(&mut self, key: Key) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let one_read = buffer.len() / (TOGETHER + 1);
        for _ in 0..MOST_LEFT {
            // It may have something that it has not told.
            if let Some(link) = self.link(key) {
                link.wake(false);
            }
            let Some(read) = self.read(key, &mut buffer[..one_read]) else {
                break;
            };
            let (bytes, nothing) = (&buffer[..read.count()], read.said.is_err());
            self.follow(read, bytes);
            if nothing {
                break;
            }
        }
        self.buffer = buffer;
    }

    /// Draws the consequences of a read; true when there may be more to read.
    fn follow(&mut self, read: Read, bytes: &[u8]) -> bool {
        let Read { key, said, more } = read;
        match said {
            Ok((0, _)) => self.ended(key),
            Ok((_, now)) => {
                self.received(key, bytes, now);
                return more;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.broken(key, &error),
        }
        false
    }

    fn link(&mut self, key: Key) -> Option<&mut Link<OwnedFd>> {
        self.connections.get_mut(key)?.link.as_mut()
    }

    /// Bytes have come on a connection.
    fn received(&mut self, key: Key, bytes: &[u8], now: Nanos) {
        self.moment = now;
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
        self.totals.socket_errors_since_flush += 1;
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
