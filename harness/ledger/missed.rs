//! What a read-back missed, kept beside the ledger: a later fault is not charged with what was gone before it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::iter::Peekable;
use std::path::Path;

use firedrill_evidence::ledger::{Anomaly, Attempt, Found};

use super::entry::{Entry as _, Miss};
use super::sorted::Entries;

/// Takes down what a read-back misses, in the order in which it is told: by client and number.
pub struct Missed(BufWriter<File>);

impl Missed {
    pub fn create(path: &Path) -> io::Result<Missed> {
        Ok(Missed(BufWriter::new(File::create(path)?)))
    }

    pub fn note(&mut self, found: &Found) -> io::Result<()> {
        match found.anomaly {
            Anomaly::Lost | Anomaly::LostAfterStop => {
                let miss = Miss {
                    client: found.client,
                    sequence: found.sequence,
                };
                let mut bytes = Vec::with_capacity(Miss::SIZE);
                miss.write(&mut bytes);
                self.0.write_all(&bytes)
            }
            Anomaly::Unexpected
            | Anomaly::Duplicated
            | Anomaly::Stale
            | Anomaly::Reordered
            | Anomaly::Hole
            | Anomaly::SplitBrain
            | Anomaly::Corrupt
            | Anomaly::Unread
            | Anomaly::Behind => Ok(()),
        }
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Attempts in their order, each told whether it was missed before.
pub struct Judged<A> {
    attempts: A,
    missed: Option<Peekable<Entries<Miss>>>,
}

impl<A> Judged<A> {
    /// `missed`: the file of the read-back that counts as earlier, if there is one.
    pub fn new(attempts: A, missed: Option<&Path>) -> io::Result<Judged<A>> {
        let missed = missed.map(Entries::open).transpose()?;
        Ok(Judged {
            attempts,
            missed: missed.map(Iterator::peekable),
        })
    }

    fn was_missed(&mut self, client: u32, sequence: u64) -> io::Result<bool> {
        let Some(missed) = &mut self.missed else {
            return Ok(false);
        };
        let own = (client, sequence);
        // An error is no entry before this one, and is told by the next call.
        let before = |miss: &io::Result<Miss>| matches!(miss, Ok(miss) if miss.key() < own);
        while missed.next_if(before).is_some() {}
        match missed.next_if(|miss| miss.as_ref().map_or(true, |miss| miss.key() == own)) {
            Some(found) => found.map(|_| true),
            None => Ok(false),
        }
    }
}

impl<A: Iterator<Item = io::Result<Attempt>>> Iterator for Judged<A> {
    type Item = io::Result<Attempt>;

    fn next(&mut self) -> Option<io::Result<Attempt>> {
        let attempt = self.attempts.next()?;
        Some(attempt.and_then(|attempt| {
            let missed_before = self.was_missed(attempt.client, attempt.sequence)?;
            Ok(Attempt {
                missed_before,
                ..attempt
            })
        }))
    }
}
