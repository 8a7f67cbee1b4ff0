//! What a read-back counts.

use super::merge::{Key, Merge};
use super::{Attempt, ReadBack, Row};

/// What can be wrong with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// Acknowledged, and gone.
    Lost,
    /// Acknowledged after everything was stopped, and gone.
    LostAfterStop,
    /// Stored, though nobody asked for it, or though it was refused.
    Unexpected,
    /// Stored more than once.
    Duplicated,
    /// Acknowledged before the first pass, and only in the second; at a standby it was on its way.
    Stale,
    /// Stands before a write that had been acknowledged before it was sent.
    Reordered,
    /// Lost, though a write that was sent after its acknowledgement is there.
    Hole,
    /// Acknowledged by a site that had been replaced.
    SplitBrain,
    /// Another value than was written, or one that does not fit its checksum.
    Corrupt,
    /// Acknowledged, and the place where it should be could not be read.
    Unread,
    /// Acknowledged by the site that serves, and not (yet) at the one that was read.
    Behind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub attempted: u64,
    pub acknowledged: u64,
    /// Not acknowledged, and stored all the same.
    pub recovered: u64,
    /// Neither acknowledged nor refused.
    pub indeterminate: u64,
    pub lost: u64,
    /// Of them, those that an earlier read-back missed before the fault.
    pub lost_before: u64,
    pub lost_after_stop: u64,
    pub unexpected: u64,
    pub duplicated: u64,
    pub stale: u64,
    pub reordered: u64,
    pub holes: u64,
    pub split_brain: u64,
    pub corrupt: u64,
    pub unread: u64,
    pub behind: u64,
    /// What the amounts that are stored add up to, less those that were written and are there. Every write pays
    /// something in, so the books balance only when each is there once, with its own value. The two sums have nothing
    /// in common: one is made of what was read, before it is put in order, and the other of what was written.
    pub unbalanced: u64,
    /// Rows of clients that are not ours.
    pub foreign: u64,
}

/// One anomaly, with the attempt where there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub anomaly: Anomaly,
    pub client: u32,
    pub sequence: u64,
    pub attempt: Option<Attempt>,
}

/// What one pass over the ledger says; the recovery point needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub counts: Counts,
    /// Acknowledgement of the oldest loss that has an allowance.
    pub oldest_lost: Option<u64>,
    /// The latest sending of a surviving write that was acknowledged before the stop.
    pub newest_survivor_sent: Option<u64>,
}

/// Counts everything, and tells every anomaly as it is found. A write is told once for each anomaly that it has.
/// Holes are found with the recovery point: see [`point`](super::point).
pub fn tally<E>(
    attempts: impl Iterator<Item = Result<Attempt, E>>,
    rows: [impl Iterator<Item = Result<Row, E>>; 2],
    read_back: &ReadBack,
    mut tell: impl FnMut(Found),
) -> Result<Tally, E> {
    let mut tally = Tally::default();
    let mut order = Order::default();
    let mut written = 0_u64;
    for key in Merge::new(attempts, rows) {
        let key = key?;
        let fate = Fate::of(&key, read_back);
        tally.take(&key, fate, read_back);
        written = written.wrapping_add(fate.paid_in(&key));
        let mut anomalies = damage(&key);
        anomalies.extend(fate.anomaly());
        anomalies.extend(order.broken_by(&key, read_back));
        for anomaly in anomalies {
            tally.counts.add(anomaly);
            tell(Found {
                anomaly,
                client: key.client,
                sequence: key.sequence,
                attempt: key.attempt,
            });
        }
    }
    tally.counts.unbalanced = read_back.stored.abs_diff(written);
    Ok(tally)
}

/// What became of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Written by another run.
    Foreign,
    /// Nobody attempted it, or it was refused.
    Unexpected,
    /// Sent or acknowledged while it was being read: says nothing.
    Later,
    Refused,
    /// Neither acknowledged nor refused.
    Indeterminate {
        stored: bool,
    },
    /// Acknowledged, and there.
    Kept {
        at: u64,
        stale: bool,
    },
    Lost {
        at: u64,
    },
    /// Lost, and no work of the fault that the read-back is about.
    LostBefore,
    LostAfterStop,
    Behind,
    SplitBrain,
    Unread,
}

impl Fate {
    pub(super) fn of(key: &Key, read_back: &ReadBack) -> Fate {
        let [first, second] = &read_back.passes;
        let stored = key.rows[1].is_some();
        let Some(attempt) = key.attempt else {
            return if key.ours {
                Fate::Unexpected
            } else {
                Fate::Foreign
            };
        };
        let seen = stored || key.rows[0].is_some();
        let later = |at| at >= first.began;
        match attempt.acknowledged {
            None if attempt.failed && seen => Fate::Unexpected,
            None if attempt.failed => Fate::Refused,
            _ if later(attempt.sent) => Fate::Later,
            None => Fate::Indeterminate { stored: seen },
            Some(at) if at > second.began => Fate::Later,
            Some(_) if read_back.is_split_brain(&attempt) => Fate::SplitBrain,
            Some(at) if stored => Fate::Kept {
                at,
                stale: first.complete && key.rows[0].is_none() && !later(at) && !read_back.standby,
            },
            Some(_) if !second.complete => Fate::Unread,
            Some(_) if attempt.missed_before => Fate::LostBefore,
            Some(at) => Fate::missing(at, read_back),
        }
    }

    /// What is not there, and was acknowledged at `at`.
    fn missing(at: u64, read_back: &ReadBack) -> Fate {
        let allowed = read_back.stop.is_some_and(|stop| at <= stop);
        match (read_back.standby, read_back.stop) {
            (true, _) if !allowed => Fate::Behind,
            (false, Some(_)) if !allowed => Fate::LostAfterStop,
            (_, Some(_) | None) => Fate::Lost { at },
        }
    }

    /// What this key has paid in, when the last pass has it.
    fn paid_in(self, key: &Key) -> u64 {
        match (self, key.attempt, key.rows[1]) {
            (Fate::Foreign | Fate::Unexpected, ..) | (_, None, _) | (_, _, None) => 0,
            (_, Some(attempt), Some(_)) => attempt.amount.into(),
        }
    }

    fn anomaly(self) -> Option<Anomaly> {
        match self {
            Fate::Unexpected => Some(Anomaly::Unexpected),
            Fate::Lost { .. } | Fate::LostBefore => Some(Anomaly::Lost),
            Fate::Behind => Some(Anomaly::Behind),
            Fate::LostAfterStop => Some(Anomaly::LostAfterStop),
            Fate::SplitBrain => Some(Anomaly::SplitBrain),
            Fate::Unread => Some(Anomaly::Unread),
            Fate::Kept { stale: true, .. } => Some(Anomaly::Stale),
            Fate::Kept { stale: false, .. }
            | Fate::Foreign
            | Fate::Later
            | Fate::Refused
            | Fate::Indeterminate { .. } => None,
        }
    }
}

/// What is wrong with the rows themselves.
fn damage(key: &Key) -> Vec<Anomaly> {
    let rows = key.rows.iter().flatten();
    let mut damage = Vec::new();
    if key.ours && rows.clone().any(|(_, count)| *count > 1) {
        damage.push(Anomaly::Duplicated);
    }
    if key.ours
        && rows
            .clone()
            .any(|(row, _)| !(row.value_fits && row.checksum_fits))
    {
        damage.push(Anomaly::Corrupt);
    }
    damage
}

impl Tally {
    fn take(&mut self, key: &Key, fate: Fate, read_back: &ReadBack) {
        let counts = &mut self.counts;
        let (attempted, acknowledged) = match fate {
            Fate::Foreign => {
                counts.foreign += 1;
                (false, false)
            }
            Fate::Later => (false, false),
            Fate::Unexpected | Fate::Refused => (key.attempt.is_some(), false),
            Fate::Indeterminate { stored } => {
                counts.indeterminate += 1;
                counts.recovered += u64::from(stored);
                (true, false)
            }
            Fate::Kept { .. }
            | Fate::Lost { .. }
            | Fate::LostBefore
            | Fate::LostAfterStop
            | Fate::Behind
            | Fate::SplitBrain
            | Fate::Unread => (true, true),
        };
        counts.attempted += u64::from(attempted);
        counts.acknowledged += u64::from(acknowledged);
        match fate {
            Fate::LostBefore => counts.lost_before += 1,
            Fate::Lost { at } => {
                self.oldest_lost = Some(self.oldest_lost.map_or(at, |oldest| oldest.min(at)));
            }
            Fate::Kept { at, .. } if read_back.stop.is_none_or(|stop| at <= stop) => {
                let sent = key.attempt.map(|attempt| attempt.sent);
                self.newest_survivor_sent = self.newest_survivor_sent.max(sent);
            }
            Fate::Kept { .. }
            | Fate::Foreign
            | Fate::Unexpected
            | Fate::Later
            | Fate::Refused
            | Fate::Indeterminate { .. }
            | Fate::LostAfterStop
            | Fate::Behind
            | Fate::SplitBrain
            | Fate::Unread => {}
        }
    }
}

impl Counts {
    fn add(&mut self, anomaly: Anomaly) {
        let counter = match anomaly {
            Anomaly::Lost => &mut self.lost,
            Anomaly::LostAfterStop => &mut self.lost_after_stop,
            Anomaly::Unexpected => &mut self.unexpected,
            Anomaly::Duplicated => &mut self.duplicated,
            Anomaly::Stale => &mut self.stale,
            Anomaly::Reordered => &mut self.reordered,
            Anomaly::Hole => &mut self.holes,
            Anomaly::SplitBrain => &mut self.split_brain,
            Anomaly::Corrupt => &mut self.corrupt,
            Anomaly::Unread => &mut self.unread,
            Anomaly::Behind => &mut self.behind,
        };
        *counter += 1;
    }
}

/// The order of one client's writes in the store. Only what was acknowledged before another was sent has to stand
/// before it: writes that were under way together may be stored in any order.
#[derive(Default)]
struct Order {
    client: Option<u32>,
    /// Acknowledged writes that may still have been under way when the next one was sent: acknowledgement, position.
    under_way: Vec<(u64, u64)>,
    /// Of the others, the one that stands last.
    last: Option<(u64, u64)>,
}

impl Order {
    fn broken_by(&mut self, key: &Key, read_back: &ReadBack) -> Option<Anomaly> {
        let attempt = key.attempt?;
        let position = key.rows[1].and_then(|(row, _)| row.position)?;
        if self.client != Some(key.client) {
            *self = Order {
                client: Some(key.client),
                ..Order::default()
            };
        }
        let before = |(at, _): &(u64, u64)| *at < attempt.sent;
        for (at, place) in self.under_way.extract_if(.., |write| before(write)) {
            if self.last.is_none_or(|(_, last)| place > last) {
                self.last = Some((at, place));
            }
        }
        let broken = self
            .last
            .is_some_and(|(at, last)| at < attempt.sent && last > position);
        if let Some(at) = read_back.acknowledged(&attempt) {
            self.under_way.push((at, position));
        }
        broken.then_some(Anomaly::Reordered)
    }
}
