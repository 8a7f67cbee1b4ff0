//! One record of the ledger: a JSON object on a line of its own, with a checksum over the rest of it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A write as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Write {
    pub client: String,
    pub sequence: u64,
    #[serde(default)]
    pub value: String,
    /// The epoch that the writer believes in; without it the store's own is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

/// Where a write was put: what its acknowledgement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Placed {
    pub position: u64,
    pub epoch: u64,
    pub checksum: String,
}

/// A write in its place. Positions count from 1 without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub position: u64,
    pub epoch: u64,
    pub client: String,
    pub sequence: u64,
    pub value: String,
    pub checksum: String,
    /// When the store took it, in nanoseconds of CLOCK_MONOTONIC. It is for telling what was really lost.
    #[serde(default)]
    pub at_ns: u64,
}

impl Record {
    pub(crate) fn new(position: u64, epoch: u64, write: Write, at_ns: u64) -> Record {
        let checksum = checksum(position, epoch, &write.client, write.sequence, &write.value);
        Record {
            position,
            epoch,
            client: write.client,
            sequence: write.sequence,
            value: write.value,
            checksum,
            at_ns,
        }
    }

    pub(crate) fn placed(&self) -> Placed {
        Placed {
            position: self.position,
            epoch: self.epoch,
            checksum: self.checksum.clone(),
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        let wanted = checksum(
            self.position,
            self.epoch,
            &self.client,
            self.sequence,
            &self.value,
        );
        self.checksum == wanted
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of `position`, `epoch`, `client`, `sequence` and `value`, each
/// followed by a zero byte.
fn checksum(position: u64, epoch: u64, client: &str, sequence: u64, value: &str) -> String {
    let text = format!("{position}\0{epoch}\0{client}\0{sequence}\0{value}\0");
    let digest = Sha256::digest(text.as_bytes());
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_covers_every_field() {
        let write = Write {
            client: "c".into(),
            sequence: 7,
            value: "v".into(),
            epoch: None,
        };
        let sound = Record::new(3, 2, write, 5);
        assert!(sound.is_sound());
        let damaged = [
            Record {
                position: 4,
                ..sound.clone()
            },
            Record {
                epoch: 1,
                ..sound.clone()
            },
            Record {
                client: "d".into(),
                ..sound.clone()
            },
            Record {
                sequence: 8,
                ..sound.clone()
            },
            Record {
                value: "w".into(),
                ..sound.clone()
            },
            Record {
                checksum: "0000000000000000".into(),
                ..sound.clone()
            },
        ];
        for record in damaged {
            assert!(!record.is_sound(), "{record:?}");
        }
    }

    #[test]
    fn the_checksum_can_be_computed_by_others() {
        // printf '1\0001\000a\0001\000\000' | sha256sum | cut -c-16
        let write = Write {
            client: "a".into(),
            sequence: 1,
            value: String::new(),
            epoch: None,
        };
        assert_eq!(Record::new(1, 1, write, 5).checksum, "4547189093b21c20");
    }
}
