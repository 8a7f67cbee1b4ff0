//! What load threads and the engine say to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use firedrill_reports::recording::{SessionTotals, Totals};
use firedrill_scenarios::Outcome;

use super::closes::Closes;
use super::schedule::Segment;
use super::tally::{Histograms, Layout, OpenBucket};
use crate::clock::Nanos;

/// Why a thread could not go on that panicked.
pub const OUR_BUG: &str = "a bug of firedrill: see the message above";

/// From the engine to a thread.
pub enum Control {
    /// The timeline starts at this instant of the clock, with these parts.
    Start { zero: Nanos, segments: Vec<Segment> },
    /// The time to come is divided anew: a phase ends before its time.
    Recut { segments: Vec<Segment> },
    /// No more arrivals.
    Stop,
    /// Histograms to use again.
    Recycle(Histograms),
}

/// From a thread to the engine.
pub enum FromWorker {
    /// The first opening of every session has ended.
    Opened {
        thread: u32,
        loads: Vec<Openings>,
    },
    Flush(Flush),
    Finished {
        thread: u32,
        totals: ThreadTotals,
    },
    /// The thread could not go on.
    Failed {
        thread: u32,
        why: String,
    },
}

/// How the first sessions of a load were opened.
#[derive(Clone, Debug, Default)]
pub struct Openings {
    pub asked: u32,
    pub opened: u32,
    pub failures: BTreeMap<Outcome, u64>,
}

/// What a thread counted in one interval.
pub struct Flush {
    pub thread: u32,
    /// End of the interval.
    pub at: Nanos,
    pub histograms: Histograms,
    pub closed: Vec<OpenBucket>,
    /// Every bucket before this one is complete on this thread.
    pub oldest_open: u64,
    /// How long the thread was held.
    pub held: Nanos,
    pub in_flight: u32,
    pub connections: u32,
    /// Sessions that were opened.
    pub opened: u64,
    /// Connections that were not made, or broke.
    pub socket_errors: u64,
    /// By load: sessions lost, opened again, and not opened again.
    pub lost: BTreeMap<usize, [u64; 3]>,
    /// When another site began to answer, and which.
    pub answered: Vec<(Nanos, u16)>,
    /// Connections by peer address that the target's name no longer has.
    pub sticky: BTreeMap<String, u64>,
    /// The addresses that the name has now.
    pub addresses: BTreeSet<IpAddr>,
}

/// An operation as it became due: when since the start of the timeline, its series, its parameters.
#[cfg(test)]
pub type Issued = (Nanos, usize, Vec<u8>);

#[derive(Default)]
pub struct ThreadTotals {
    #[cfg(test)]
    pub issued: Vec<Issued>,
    pub connections_opened: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub late_answers: u64,
    pub unknown_ids: u64,
    pub notifications: BTreeMap<String, u64>,
    pub server_requests: BTreeMap<String, u64>,
    pub cancelled: u64,
    pub sessions: SessionTotals,
    /// Sessions that a stand-in opened.
    pub stand_ins: u64,
    /// Connections that the target closed.
    pub closes: Closes,
    /// Connections for which no port was free.
    pub no_ports: u64,
    /// Operations of which no byte was sent, by phase and outcome.
    pub unsent: BTreeMap<(usize, Outcome), u64>,
    /// Operations that ended ok, by the phase in which they did and by series.
    pub completed: Vec<Vec<u64>>,
    pub opened_since_flush: u64,
    pub socket_errors_since_flush: u64,
    pub lost_since_flush: BTreeMap<usize, [u64; 3]>,
}

impl ThreadTotals {
    /// As they are recorded, but for what the threads do not know.
    pub fn recorded(self, layout: &Layout) -> Totals {
        let mut unsent: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for ((phase, outcome), count) in self.unsent {
            let phase = unsent.entry(layout.phases[phase].clone()).or_default();
            phase.insert(outcome.to_string(), count);
        }
        let named = layout.phases.iter().zip(self.completed);
        let completed = named.map(|(phase, counts)| {
            let series = layout.series.iter().cloned();
            (phase.clone(), series.zip(counts).collect())
        });
        Totals {
            completed: Some(completed.collect()),
            connections_opened: self.connections_opened,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            late_answers: self.late_answers,
            unknown_ids: self.unknown_ids,
            notifications: self.notifications,
            server_requests: self.server_requests,
            cancelled: self.cancelled,
            sessions: self.sessions,
            stand_ins: self.stand_ins,
            closes: self.closes.recorded(),
            no_ports: self.no_ports,
            unsent: Some(unsent),
            ..Totals::default()
        }
    }

    /// Adds another thread's sums to these.
    pub fn absorb(&mut self, other: ThreadTotals) {
        #[cfg(test)]
        self.issued.extend(other.issued);
        self.connections_opened += other.connections_opened;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.late_answers += other.late_answers;
        self.unknown_ids += other.unknown_ids;
        self.cancelled += other.cancelled;
        self.stand_ins += other.stand_ins;
        self.no_ports += other.no_ports;
        self.closes.absorb(other.closes);
        self.completed.resize(other.completed.len(), Vec::new());
        for (own, theirs) in self.completed.iter_mut().zip(other.completed) {
            own.resize(theirs.len(), 0);
            own.iter_mut()
                .zip(theirs)
                .for_each(|(own, count)| *own += count);
        }
        for (kind, count) in other.unsent {
            *self.unsent.entry(kind).or_default() += count;
        }
        for (method, count) in other.notifications {
            *self.notifications.entry(method).or_default() += count;
        }
        for (method, count) in other.server_requests {
            *self.server_requests.entry(method).or_default() += count;
        }
        let (own, theirs) = (&mut self.sessions, &other.sessions);
        own.opened += theirs.opened;
        own.open_failed += theirs.open_failed;
        own.lost += theirs.lost;
        own.reopened += theirs.reopened;
        own.deleted += theirs.deleted;
        own.dropped += theirs.dropped;
        own.leaked += theirs.leaked;
    }
}
