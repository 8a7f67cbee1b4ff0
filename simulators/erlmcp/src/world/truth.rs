//! What was really lost: nobody who decides looks here.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Value, json};

use crate::store::record::Record;

/// Keys that are named; the others are counted.
const KEYS_MAX: usize = 2_000;

/// Records of one log that another store does not have. Instants are nanoseconds of CLOCK_MONOTONIC.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    records: u64,
    keys: Vec<(String, u64)>,
    /// When the newest record was taken that the other store has.
    kept_ns: Option<u64>,
    /// The same of the newest record of the log.
    newest_ns: Option<u64>,
}

impl Lost {
    pub(crate) fn shown(&self, site: &str) -> Value {
        json!({
            "site": site,
            "records": self.records,
            "keys": self.keys,
            "kept_ns": self.kept_ns,
            "newest_ns": self.newest_ns,
        })
    }
}

/// The sound records in `log` after the position `last`. A log that is not there has none.
pub(crate) fn lost_records(log: &Path, last: u64) -> Lost {
    let mut lost = Lost::default();
    let Ok(file) = File::open(log) else {
        return lost;
    };
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    let records = lines.filter_map(|line| serde_json::from_slice::<Record>(&line).ok());
    for record in records.filter(Record::is_sound) {
        lost.newest_ns = lost.newest_ns.max(Some(record.at_ns));
        if record.position <= last {
            lost.kept_ns = lost.kept_ns.max(Some(record.at_ns));
            continue;
        }
        lost.records += 1;
        if lost.keys.len() < KEYS_MAX {
            lost.keys.push((record.client, record.sequence));
        }
    }
    lost
}
