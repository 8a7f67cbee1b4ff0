//! Where a run's target was, for whoever heals it later: written before the first fault.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_erlmcp::world::{World, attach};
use serde::{Deserialize, Serialize};

use super::process::{Process, State, of_world};
use crate::clock::{Clock, Nanos};

/// For processes that end with the run to be gone.
const MOMENT: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);
/// Its name in the run's folder.
pub const FILE: &str = "target.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Whereabouts {
    /// Sites that ended with the run, and the folder that held their data.
    Embedded {
        state: PathBuf,
        processes: Vec<Process>,
    },
    /// Sites that somebody else keeps.
    Attached { state: PathBuf },
    /// A URL: only commands can have broken it.
    Endpoint,
}

/// The target as it is found again.
pub enum Again {
    /// It runs, and can be healed.
    Here(Option<World>),
    /// It ended with its run. What is named is still there, and should not be.
    Ended { residue: Vec<String> },
    /// It is gone, though it should have outlived the run.
    Gone(String),
}

/// Those that were written down, and those that were started since. They end with the run, and take a moment for it.
fn alive(state: &Path, known: &[Process]) -> Vec<Process> {
    let clock = Clock::start();
    loop {
        let mut alive = of_world(state);
        let gone = |process: &&Process| process.state() != State::Gone;
        for process in known.iter().filter(gone) {
            alive.retain(|other| other.pid != process.pid);
            alive.push(process.clone());
        }
        if alive.is_empty() || clock.now() >= MOMENT.as_nanos() as Nanos {
            return alive;
        }
        std::thread::park_timeout(LOOK);
    }
}

impl Whereabouts {
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, run: &Path) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let path = run.join(FILE);
        fs::write(&path, text)?;
        fs::File::open(&path)?.sync_all()
    }

    /// `None` for a run that broke nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub fn read(run: &Path) -> io::Result<Option<Whereabouts>> {
        match fs::read(run.join(FILE)) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks for the target.
    pub fn find(&self) -> Again {
        match self {
            Whereabouts::Endpoint => Again::Here(None),
            Whereabouts::Attached { state } => match attach(state) {
                Ok(world) => Again::Here(Some(world)),
                Err(error) => Again::Gone(error.to_string()),
            },
            Whereabouts::Embedded { state, processes } => {
                let mut residue: Vec<String> = alive(state, processes)
                    .iter()
                    .map(|process| format!("{} (pid {}) still runs", process.name, process.pid))
                    .collect();
                // The run had no time to take its folder with it: nobody else uses it.
                if residue.is_empty()
                    && let Err(error) = fs::remove_dir_all(state)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    residue.push(format!("{} cannot be removed: {error}", state.display()));
                }
                Again::Ended { residue }
            }
        }
    }
}
