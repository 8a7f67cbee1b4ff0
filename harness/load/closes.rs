//! Connections that the target closed: after how many exchanges, and after how long without one. Two histograms of
//! fixed size, made when the first one is closed, however many follow.

use firedrill_reports::recording::{self, Spread, empty_histogram};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::TransportFailure;
use hdrhistogram::Histogram;

use super::connections::Purpose;
use super::outcomes::Ended;
use super::slab::Key;
use super::worker::Worker;
use crate::clock::Nanos;

/// What is closed this soon after an answer was closed because of it.
const RIGHT_BEHIND: Nanos = 10_000_000;
const SECOND: Nanos = 1_000_000_000;

/// What one thread saw.
#[derive(Default)]
pub struct Closes {
    /// Exchanges, of those that were closed with an answer or right behind it.
    answered: Counted,
    /// Nanoseconds without an exchange, of the others.
    idle: Counted,
    exchanges_max: u64,
    rested_max: Nanos,
}

/// Values, and in how many different seconds they came.
#[derive(Default)]
struct Counted {
    values: Option<Box<Histogram<u32>>>,
    newest: Option<u64>,
    seconds: u64,
    /// A vote for the value that more than half of them have (Boyer and Moore, 1981): exact, and of fixed size.
    mode: u64,
    votes: u64,
}

impl Counted {
    fn add(&mut self, value: u64, now: Nanos, empty: fn() -> Histogram<u32>) {
        let values = self.values.get_or_insert_with(|| Box::new(empty()));
        values.saturating_record(value);
        self.vote(value, 1);
        let second = now / SECOND;
        if self.newest.replace(second) != Some(second) {
            self.seconds += 1;
        }
    }

    fn vote(&mut self, value: u64, votes: u64) {
        if value == self.mode {
            self.votes += votes;
        } else if votes > self.votes {
            (self.mode, self.votes) = (value, votes - self.votes);
        } else {
            self.votes -= votes;
        }
    }

    fn absorb(&mut self, other: Counted) {
        self.vote(other.mode, other.votes);
        self.seconds = self.seconds.max(other.seconds);
        match (&mut self.values, other.values) {
            (Some(own), Some(theirs)) => {
                // Both have the same bounds, which is the only way that adding can fail.
                let _ = own.add(&*theirs);
            }
            (own, theirs) => *own = own.take().or(theirs),
        }
    }

    fn spread(&self) -> Spread {
        let Some(values) = &self.values else {
            return Spread::default();
        };
        let at = |quantile| values.value_at_quantile(quantile);
        Spread {
            count: values.len(),
            mode: self.mode,
            p10: at(0.1),
            p50: at(0.5),
            p90: at(0.9),
            at_p50: u64::from(values.count_at(at(0.5))),
            seconds: self.seconds,
        }
    }
}

/// Exact up to two thousand, and to a thousandth above.
fn exchanges() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 1 << 30, 3)
        .expect("the bounds are constants that the crate accepts")
}

impl Closes {
    /// A connection has carried so many exchanges and can carry another; before the last one it had rested for so long.
    pub fn kept(&mut self, carried: u64, rest: Nanos) {
        self.exchanges_max = self.exchanges_max.max(carried);
        self.rested_max = self.rested_max.max(rest);
    }

    pub fn absorb(&mut self, other: Closes) {
        self.answered.absorb(other.answered);
        self.idle.absorb(other.idle);
        self.exchanges_max = self.exchanges_max.max(other.exchanges_max);
        self.rested_max = self.rested_max.max(other.rested_max);
    }

    /// As it is recorded.
    pub fn recorded(&self) -> recording::Closes {
        recording::Closes {
            answered: self.answered.spread(),
            idle: self.idle.spread(),
            exchanges_max: self.exchanges_max,
            rested_max: self.rested_max,
        }
    }
}

impl Worker {
    /// An exchange has ended like this, and its connection perhaps with it. The end of a session is no sign: a target may
    /// well end its connection as well.
    pub fn target_closed_with(&mut self, key: Key, ended: Ended, now: Nanos) {
        let broken = |failure| Ended::Broken(Outcome::Transport(failure));
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let leaving = matches!(connection.purpose, Purpose::Delete { .. });
        if ended == (Ended::Over { reusable: false }) && !leaving {
            let carried = connection.carried + 1;
            self.totals.closes.answered.add(carried, now, exchanges);
        } else if ended == broken(TransportFailure::StaleReuse) {
            self.target_closed(key, now);
        } else if ended == broken(TransportFailure::Reset)
            && connection.carried > 0
            && now.saturating_sub(connection.rested) < RIGHT_BEHIND
        {
            // What was asked crossed the end of the connection.
            let carried = connection.carried;
            self.totals.closes.answered.add(carried, now, exchanges);
        }
    }

    /// The target has closed a connection on which it had been asked nothing, or nothing that it has seen.
    pub fn target_closed(&mut self, key: Key, now: Nanos) {
        let Some(connection) = self.connections.get(key).filter(|own| own.carried > 0) else {
            return;
        };
        let idle = now.saturating_sub(connection.rested);
        let closes = &mut self.totals.closes;
        if idle < RIGHT_BEHIND {
            closes.answered.add(connection.carried, now, exchanges);
        } else {
            closes.idle.add(idle, now, empty_histogram);
        }
    }
}
