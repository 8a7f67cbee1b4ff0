//! A load thread's side of the ledger. Taking a number for a write costs a comparison; nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use super::Clients;
use super::entry::Attempt;

/// Numbers of a client that are reserved on disk ahead of those in use.
pub const AHEAD: u64 = 4_096;
/// Attempts are handed over when this many have gathered, or once a second.
const HANDFUL: usize = 4_096;

/// What a pen tells the keeper.
#[derive(Debug)]
pub enum Note {
    /// Put the intent of all writes of the client up to this number on disk.
    Reserve {
        client: u32,
        up_to: u64,
    },
    Attempts(Vec<Attempt>),
    /// Every load thread has ended.
    Close,
}

/// How far each client's intents are on disk.
#[derive(Debug)]
pub struct Reserved(Vec<AtomicU64>);

impl Reserved {
    pub fn new(clients: u32) -> Reserved {
        Reserved((0..clients).map(|_| AtomicU64::new(0)).collect())
    }

    /// Every write of the client up to this number may be sent.
    pub fn up_to(&self, client: u32) -> u64 {
        self.0
            .get(client as usize)
            .map_or(0, |own| own.load(Ordering::Acquire))
    }

    pub fn raise(&self, client: u32, up_to: u64) {
        if let Some(own) = self.0.get(client as usize) {
            own.fetch_max(up_to, Ordering::Release);
        }
    }
}

/// What every thread gets to make its pen from.
#[derive(Clone, Debug)]
pub struct Desk {
    pub clients: Arc<Clients>,
    pub reserved: Arc<Reserved>,
    pub notes: Sender<Note>,
}

/// The next number of a client that belongs to this thread.
#[derive(Clone, Debug)]
struct Count {
    name: String,
    next: u64,
    asked: u64,
}

pub struct Pen {
    desk: Desk,
    counts: Vec<Option<Count>>,
    attempts: Vec<Attempt>,
}

impl Pen {
    pub fn new(desk: Desk) -> Pen {
        let counts = vec![None; desk.clients.count() as usize];
        Pen {
            desk,
            counts,
            attempts: Vec::with_capacity(HANDFUL),
        }
    }

    /// The next number of the client, when its intent is on disk. `None` is our own failure: the disk was slower
    /// than the load for thousands of writes.
    pub fn take(&mut self, client: u32) -> Option<u64> {
        let count = self
            .counts
            .get_mut(client as usize)?
            .get_or_insert_with(|| Count {
                name: self.desk.clients.name(client),
                next: 1,
                asked: AHEAD,
            });
        if count.next + AHEAD / 2 > count.asked {
            count.asked += AHEAD;
            let up_to = count.asked;
            // The keeper is gone only when the run is: then no number is given any more, see below.
            let _ = self.desk.notes.send(Note::Reserve { client, up_to });
        }
        if count.next > self.desk.reserved.up_to(client) {
            return None;
        }
        let sequence = count.next;
        count.next += 1;
        Some(sequence)
    }

    pub fn name(&self, client: u32) -> &str {
        let count = self.counts.get(client as usize).and_then(Option::as_ref);
        count.map_or("", |count| count.name.as_str())
    }

    /// Notes what became of a write that was sent.
    pub fn note(&mut self, attempt: Attempt) {
        self.attempts.push(attempt);
        if self.attempts.len() >= HANDFUL {
            self.hand_over();
        }
    }

    pub fn hand_over(&mut self) {
        if !self.attempts.is_empty() {
            let handful = std::mem::replace(&mut self.attempts, Vec::with_capacity(HANDFUL));
            let _ = self.desk.notes.send(Note::Attempts(handful));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn no_number_is_given_before_its_intent_is_on_disk() {
        let (notes, told) = channel();
        let desk = Desk {
            clients: Arc::new(Clients::new("t", 1)),
            reserved: Arc::new(Reserved::new(256)),
            notes,
        };
        let mut pen = Pen::new(desk.clone());
        assert_eq!(pen.take(3), None);
        desk.reserved.raise(3, AHEAD);
        assert_eq!(pen.take(3), Some(1));
        assert_eq!(pen.name(3), "t-0-3");
        assert!(told.try_recv().is_err());
        for expected in 2..=AHEAD / 2 + 1 {
            assert_eq!(pen.take(3), Some(expected));
        }
        assert!(matches!(
            told.try_recv(),
            Ok(Note::Reserve { client: 3, up_to }) if up_to == 2 * AHEAD
        ));
        for expected in AHEAD / 2 + 2..=AHEAD {
            assert_eq!(pen.take(3), Some(expected));
        }
        assert_eq!(pen.take(3), None);
    }
}
