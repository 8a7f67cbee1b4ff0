//! Who a store is just now: whether it takes writes, and in which epoch. It is on disk before it holds, so that a
//! store which was fenced is still fenced after it was started again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::role::RoleError;

const FILE: &str = "standing.json";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Duty {
    /// Takes writes.
    Serving,
    /// Takes records from another store.
    Standby,
    /// Takes nothing.
    Fenced,
}

/// What is kept in `standing.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub duty: Duty,
    /// The newest epoch that this store knows of; its own when it serves.
    pub epoch: u64,
}

/// Why a write was refused: it was certainly not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub refused: Refused,
    /// The store's epoch.
    pub epoch: u64,
    /// The epoch that came with the write.
    pub sent: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refused {
    Fenced,
    Standby,
    /// The write belongs to another epoch than the store's.
    OtherEpoch,
    /// Nobody has told the store yet whether it may serve.
    Uncertain,
}

impl Refusal {
    pub(crate) fn message(&self) -> String {
        let sent = match self.sent {
            Some(sent) => format!("the write says {sent}"),
            None => "the write says none".to_owned(),
        };
        let why = match self.refused {
            Refused::Fenced => "the store is fenced",
            Refused::Standby => "the store is a standby",
            Refused::OtherEpoch => "the write is of another epoch",
            Refused::Uncertain => "the store does not know yet whether it may serve",
        };
        format!("{why}: the epoch is {}, {sent}", self.epoch)
    }
}

impl Standing {
    /// Whether a write of the epoch `sent` may be taken.
    pub(super) fn admit(self, sent: Option<u64>) -> Result<(), Refusal> {
        let refused = match self.duty {
            Duty::Serving if sent.is_none_or(|sent| sent == self.epoch) => return Ok(()),
            Duty::Serving => Refused::OtherEpoch,
            Duty::Standby => Refused::Standby,
            Duty::Fenced => Refused::Fenced,
        };
        Err(Refusal {
            refused,
            epoch: self.epoch,
            sent,
        })
    }

    /// After `epoch` was given to another store.
    pub(super) fn fenced(self, epoch: u64) -> Standing {
        match self.duty {
            Duty::Serving | Duty::Fenced | Duty::Standby if epoch < self.epoch => self,
            Duty::Serving | Duty::Fenced => Standing {
                duty: Duty::Fenced,
                epoch,
            },
            // It takes nothing from clients as it is.
            Duty::Standby => Standing { epoch, ..self },
        }
    }
}

/// The file in a store's directory.
#[derive(Clone, Debug)]
pub(crate) struct StandingFile(PathBuf);

impl StandingFile {
    pub(crate) fn of(directory: &Path) -> StandingFile {
        StandingFile(directory.join(FILE))
    }

    /// What an earlier life of the store left, or `first`.
    pub(super) fn open(&self, first: Standing) -> Result<Standing, RoleError> {
        let failed = |reason: String| RoleError::File {
            file: self.0.display().to_string(),
            reason,
        };
        match fs::read(&self.0) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.write(first)
                    .map_err(|error| failed(error.to_string()))?;
                Ok(first)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// What is written there, if anything is.
    pub(crate) fn read(&self) -> Option<Standing> {
        serde_json::from_slice(&fs::read(&self.0).ok()?).ok()
    }

    /// The old text is there or the new one, whatever happens.
    pub(crate) fn write(&self, standing: Standing) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&standing)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        match self.0.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn standing(duty: Duty, epoch: u64) -> Standing {
        Standing { duty, epoch }
    }

    #[test]
    fn a_write_needs_a_serving_store_of_its_own_epoch() {
        let serving = standing(Duty::Serving, 2);
        assert_eq!(serving.admit(Some(2)), Ok(()));
        assert_eq!(serving.admit(None), Ok(()));
        let old = serving.admit(Some(1)).unwrap_err();
        assert_eq!(old.refused, Refused::OtherEpoch);
        assert!(old.message().contains("epoch is 2") && old.message().contains("says 1"));
        assert!(standing(Duty::Standby, 2).admit(Some(2)).is_err());
        assert!(standing(Duty::Fenced, 2).admit(None).is_err());
    }

    #[test]
    fn fencing_holds_for_the_epoch_that_others_have() {
        let serving = standing(Duty::Serving, 2);
        assert_eq!(serving.fenced(1), serving);
        assert_eq!(serving.fenced(3), standing(Duty::Fenced, 3));
        assert_eq!(serving.fenced(2), standing(Duty::Fenced, 2));
        assert_eq!(
            standing(Duty::Fenced, 3).fenced(2),
            standing(Duty::Fenced, 3)
        );
        assert_eq!(
            standing(Duty::Standby, 1).fenced(3),
            standing(Duty::Standby, 3)
        );
    }
}
