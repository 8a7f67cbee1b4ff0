//! Being wrong about what is stored, on command: whoever reads the ledger back has to notice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::record::{Record, Write};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lies {
    /// Positions that are not shown.
    pub hidden: BTreeSet<u64>,
    /// Positions at which another position's record is shown.
    pub instead: BTreeMap<u64, u64>,
    pub ack_before_fsync: bool,
}

impl Lies {
    pub(super) fn hides(&self, position: u64) -> bool {
        self.hidden.contains(&position)
    }

    /// The position whose record is shown at this one.
    pub(super) fn instead_of(&self, position: u64) -> u64 {
        self.instead.get(&position).copied().unwrap_or(position)
    }

    /// The record as if it had always been at `position`.
    pub(super) fn place(&self, position: u64, line: String) -> String {
        if !self.instead.contains_key(&position) {
            return line;
        }
        let moved = serde_json::from_str::<Record>(&line).map(|record| {
            let write = Write {
                client: record.client,
                sequence: record.sequence,
                value: record.value,
                epoch: None,
            };
            Record::new(position, record.epoch, write, record.at_ns)
        });
        let text = moved.and_then(|record| serde_json::to_string(&record));
        text.unwrap_or(line)
    }
}
