//! What a hostile client was answered.

use std::collections::BTreeMap;

use crate::clock::Clock;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Messages that were sent, or connections that were tried.
    pub attempts: u64,
    pub bytes: u64,
    pub answers: BTreeMap<Answer, Seen>,
    /// Attempts that nobody answered in time.
    pub unanswered: u64,
    /// Why it could not act, and how often.
    pub failures: BTreeMap<String, u64>,
}

/// How the target answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Status {
        status: u16,
        refusal: Option<u32>,
    },
    /// It ended a connection on which it still owed answers.
    HungUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub count: u64,
    /// On the machine's monotonic clock.
    pub first_ns: u64,
}

impl Account {
    pub(super) fn answered(&mut self, answer: Answer) {
        let first_ns = now();
        let seen = self
            .answers
            .entry(answer)
            .or_insert(Seen { count: 0, first_ns });
        seen.count += 1;
    }

    pub(super) fn fail(&mut self, why: &str) {
        *self.failures.entry(why.to_owned()).or_default() += 1;
    }
}

/// The machine's monotonic clock, whatever run asks.
fn now() -> u64 {
    let clock = Clock::start();
    clock.absolute_ns(clock.now())
}
