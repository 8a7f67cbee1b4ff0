//! Requests that have been put together and are sent in a row.
//!
//! The kernel's code and ours push each other out of the processor's caches, so that each had better run for a few in a
//! row. What is here is sent before the thread does anything else: nothing waits for more to come.

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::TransportFailure;

use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;

/// Requests that are put together before the first of them is sent: it is late by so many at most.
const TOGETHER: usize = 16;
/// Or before they are so large together.
const LARGE: usize = 64 * 1024;

#[derive(Default)]
pub struct Outbox {
    letters: Vec<Letter>,
    /// The requests, one after the other.
    pub bytes: Vec<u8>,
}

struct Letter {
    connection: Key,
    /// What the connection's serial has to be still.
    serial: u64,
    operation: u32,
    /// Where its request ends.
    end: usize,
}

impl Outbox {
    /// What was written last is the request of this operation.
    pub fn add(&mut self, connection: Key, serial: u64, operation: u32) {
        let end = self.bytes.len();
        self.letters.push(Letter {
            connection,
            serial,
            operation,
            end,
        });
    }

    pub fn is_full(&self) -> bool {
        self.letters.len() >= TOGETHER || self.bytes.len() >= LARGE
    }
}

impl Worker {
    /// Sends what is ready.
    pub fn post(&mut self) {
        while !self.outbox.letters.is_empty() {
            // Whatever becomes ready meanwhile goes into the other one.
            let empty = std::mem::take(&mut self.posted);
            let mut posted = std::mem::replace(&mut self.outbox, empty);
            let mut start = 0;
            for letter in posted.letters.drain(..) {
                self.send(&letter, &posted.bytes[start..letter.end]);
                start = letter.end;
            }
            posted.bytes.clear();
            self.posted = posted;
        }
    }

    fn send(&mut self, letter: &Letter, request: &[u8]) {
        let now = self.look();
        // Where the connection has been closed or freed meanwhile, the operation has its outcome.
        let Some(connection) = self
            .connections
            .get_mut(letter.connection)
            .filter(|own| own.serial == letter.serial)
        else {
            return;
        };
        let Some(link) = &mut connection.link else {
            return;
        };
        connection.rest = now.saturating_sub(connection.rested);
        self.totals.bytes_sent += request.len() as u64;
        let operation = &mut self.operations[letter.operation];
        operation.dispatched.get_or_insert(now);
        operation.sent = Some(now);
        // What the socket does not take now is sent when it says that it takes more.
        if link.send(request).is_err() {
            self.not_taken(letter, now);
        }
    }

    /// A connection that turns out to be broken while writing ends its operation.
    fn not_taken(&mut self, letter: &Letter, now: Nanos) {
        let key = letter.connection;
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        self.totals.socket_errors_since_flush += 1;
        let session = connection.session;
        let failure = if connection.carried > 0 {
            self.target_closed(key, now);
            TransportFailure::StaleReuse
        } else {
            TransportFailure::Reset
        };
        self.close(key);
        self.finish_operation(letter.operation, session, Outcome::Transport(failure), now);
    }
}
