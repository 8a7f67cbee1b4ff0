//! What the director has to know after it was started again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::role::RoleError;

const FILE: &str = "director.json";

/// The newest epoch, and the site whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ownership {
    pub owner: String,
    pub epoch: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub ownership: Ownership,
    /// The site that clients are sent to.
    pub route: String,
    /// The epoch was given to a site by the director itself, and nobody knows yet whether that site has taken over.
    #[serde(default)]
    pub unfinished: bool,
}

/// What the director says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    #[serde(flatten)]
    pub state: State,
    /// The time of day as it has it, in milliseconds since 1970.
    pub wall_ms: u64,
}

pub(super) struct StateFile(PathBuf);

impl StateFile {
    /// The file, and what an earlier life left in it; at the very start `first` owns the first epoch.
    pub(super) fn open(directory: &Path, first: &str) -> Result<(StateFile, State), RoleError> {
        let file = StateFile(directory.join(FILE));
        let failed = |reason: String| RoleError::File {
            file: file.0.display().to_string(),
            reason,
        };
        fs::create_dir_all(directory).map_err(|error| failed(error.to_string()))?;
        let state = match fs::read(&file.0) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State {
                ownership: Ownership {
                    owner: first.to_owned(),
                    epoch: 1,
                },
                route: first.to_owned(),
                unfinished: false,
            },
            Err(error) => return Err(failed(error.to_string())),
        };
        Ok((file, state))
    }

    /// The old text is there or the new one, whatever happens.
    pub(super) fn write(&self, state: &State) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)
    }
}
