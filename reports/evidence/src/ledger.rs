//! What became of the writes: those that were attempted, held against those that are read back.
//!
//! Everything streams. Attempts and rows come sorted by (client, sequence), from files as large as they like, and are
//! merged; nothing is kept but what is under way in one client.
//!
//! - `merge`: attempts and the rows of both passes, side by side
//! - `tally`: what is counted, with every anomaly told
//! - `point`: how far back the surviving data reaches

mod merge;
mod point;
mod tally;

pub use point::{Last, Point, Stop, last_acknowledgements, point};
pub use tally::{Anomaly, Counts, Found, Tally, tally};

/// A write that was attempted. Instants are nanoseconds of the clock that all of a drill's instants are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub client: u32,
    pub sequence: u64,
    pub sent: u64,
    pub acknowledged: Option<u64>,
    /// Refused for sure, or never sent: it can be nowhere. Neither this nor acknowledged: nobody knows.
    pub failed: bool,
    /// An earlier read-back missed it already, before the fault that this one is about: no work of that fault.
    pub missed_before: bool,
    /// What the write pays in.
    pub amount: u32,
    /// Who acknowledged it.
    pub site: u16,
    pub epoch: u64,
}

/// A record that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub client: u32,
    pub sequence: u64,
    /// Where it stands in the order of the store.
    pub position: Option<u64>,
    pub epoch: Option<u64>,
    /// The value is the one that was written.
    pub value_fits: bool,
    /// The value fits the checksum that is stored beside it.
    pub checksum_fits: bool,
}

/// One whole scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What was acknowledged before it has to be in it.
    pub began: u64,
    /// False when a part of it could not be read: then what is missing is unread, and not lost.
    pub complete: bool,
}

/// From `at` on only this site acknowledges writes, in this epoch or a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promotion {
    pub at: u64,
    pub site: u16,
    pub epoch: u64,
}

/// What a read-back is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    pub passes: [Pass; 2],
    /// In the order of time.
    pub promotions: Vec<Promotion>,
    /// The amounts that the last pass read, as they are stored, added up where they were read.
    pub stored: u64,
    /// Losses that were acknowledged up to here have an allowance, the recovery point; later ones have none. Without
    /// it (nothing was broken) every loss counts as one without reason, and is `lost`.
    pub stop: Option<u64>,
    /// Another site served clients while this one was read: what has no allowance and is missing may still be on its
    /// way here.
    pub standby: bool,
}

impl ReadBack {
    /// Acknowledged by somebody who was no longer allowed to when it was sent.
    fn is_split_brain(&self, attempt: &Attempt) -> bool {
        let before = self
            .promotions
            .iter()
            .rev()
            .find(|promotion| promotion.at < attempt.sent);
        before.is_some_and(|promotion| {
            attempt.epoch < promotion.epoch
                || attempt.epoch == promotion.epoch && attempt.site != promotion.site
        })
    }

    /// The acknowledgement, when it came before the last pass began. One that came later says nothing of this pass.
    fn acknowledged(&self, attempt: &Attempt) -> Option<u64> {
        let began = self.passes[1].began;
        attempt.acknowledged.filter(|at| *at <= began)
    }
}
