//! What read-backs found: every count, and of the writes that are not where they belong the first ones.

use std::collections::BTreeMap;

use firedrill_evidence::ledger::{Anomaly, Counts, Point};
use firedrill_scenarios::plan::DataCounter;

use super::drill::{DataCounts, LedgerLine, ReadPlace, RecoveryPoint};

/// So many writes of one class are kept of each read-back; the counts hold them all, and the file names them.
pub const MOST_WRITES: usize = 1000;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// In the order of time.
    pub data: Vec<Data>,
    /// At most [`MOST_WRITES`] of one read-back and class.
    pub writes: Vec<Write>,
    /// Lines of each read-back and class.
    kept: BTreeMap<(String, DataCounter), usize>,
}

/// What one read-back says of all writes before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    pub read_back: String,
    pub fault: Option<String>,
    pub site: String,
    pub place: ReadPlace,
    pub shared_with: Option<String>,
    pub counts: DataCounts,
    pub point: Option<RecoveryPoint>,
}

/// A write that is not where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub read_back: String,
    pub class: DataCounter,
    pub client: String,
    pub sequence: u64,
    pub acknowledged: Option<u64>,
    pub site: Option<String>,
    pub epoch: Option<u64>,
}

impl Ledger {
    pub(super) fn take(&mut self, line: LedgerLine) {
        match line {
            LedgerLine::Write {
                read_back,
                class,
                client,
                sequence,
                acknowledged,
                site,
                epoch,
            } => {
                let kept = self.kept.entry((read_back.clone(), class)).or_default();
                *kept += 1;
                if *kept <= MOST_WRITES {
                    self.writes.push(Write {
                        read_back,
                        class,
                        client,
                        sequence,
                        acknowledged,
                        site,
                        epoch,
                    });
                }
            }
            LedgerLine::Data {
                read_back,
                fault,
                site,
                place,
                shared_with,
                counts,
                point,
            } => self.data.push(Data {
                read_back,
                fault,
                site,
                place,
                shared_with,
                counts: *counts,
                point,
            }),
        }
    }
}

impl From<Counts> for DataCounts {
    fn from(counts: Counts) -> DataCounts {
        DataCounts {
            attempted: counts.attempted,
            acknowledged: counts.acknowledged,
            recovered: counts.recovered,
            indeterminate: counts.indeterminate,
            lost: counts.lost,
            lost_before: counts.lost_before,
            unexpected: counts.unexpected,
            duplicated: counts.duplicated,
            stale: counts.stale,
            reordered: counts.reordered,
            holes: counts.holes,
            split_brain: counts.split_brain,
            lost_after_stop: counts.lost_after_stop,
            corrupt: counts.corrupt,
            unread: counts.unread,
            behind: counts.behind,
            unbalanced: counts.unbalanced,
            foreign: counts.foreign,
        }
    }
}

impl From<Point> for RecoveryPoint {
    fn from(point: Point) -> RecoveryPoint {
        RecoveryPoint {
            t_stop: point.t_stop,
            recovered_to: point.recovered_to,
            oldest_lost: point.oldest_lost,
            rpo: point.rpo,
            rpo_lower: point.rpo_lower,
            resolution: point.resolution,
        }
    }
}

/// The counter that an anomaly is counted in.
pub fn counter_of(anomaly: Anomaly) -> DataCounter {
    match anomaly {
        Anomaly::Lost => DataCounter::Lost,
        Anomaly::LostAfterStop => DataCounter::LostAfterStop,
        Anomaly::Unexpected => DataCounter::Unexpected,
        Anomaly::Duplicated => DataCounter::Duplicated,
        Anomaly::Stale => DataCounter::Stale,
        Anomaly::Reordered => DataCounter::Reordered,
        Anomaly::Hole => DataCounter::Holes,
        Anomaly::SplitBrain => DataCounter::SplitBrain,
        Anomaly::Corrupt => DataCounter::Corrupt,
        Anomaly::Unread => DataCounter::Unread,
        Anomaly::Behind => DataCounter::Behind,
    }
}
