//! A programme as it was recorded: the folder of several drills, each a whole recording, and beside them what the
//! programme itself did.
//!
//! | file | holds | written by |
//! |---|---|---|
//! | `programme.yaml` | the programme, with the names of its drills | the programme |
//! | `programme.jsonl` | one [`Timed`] a line: which drill ran when, and what was left of it | [`ProgrammeWriter`] |
//! | `drills/NAME/` | the whole recording of a drill, with its outputs | each drill |
//! | `manifest.json` | SHA-256 of the first two, and of every drill's own manifest | [`seal`] |
//!
//! - `event`: what a line of `programme.jsonl` holds
//! - `read`: the folder read back

mod event;
mod read;

use std::io;
use std::path::Path;

pub use event::{Begun, Event, Timed};
pub use read::{Drill, Found, Recorded, read};

use crate::recording::{Folder, LinesWriter, MANIFEST, Manifest};

/// Names of the files in a programme's folder.
pub mod file {
    pub const PROGRAMME: &str = "programme.yaml";
    pub const EVENTS: &str = "programme.jsonl";
    /// Folder of the drills' folders.
    pub const DRILLS: &str = "drills";
}

/// Writes `programme.jsonl`.
pub type ProgrammeWriter<W> = LinesWriter<W, Timed>;

/// The drill's folder, from the programme's.
pub fn folder_of(drill: &str) -> String {
    format!("{}/{drill}", file::DRILLS)
}

/// Whether a folder is a programme's.
pub fn is_programme(folder: &Path) -> bool {
    folder.join(file::PROGRAMME).is_file()
}

/// Sums everything that was recorded, and writes the manifest.
///
/// # Errors
/// When a file cannot be read, or the manifest not be written.
pub fn seal(folder: &Path, drills: &[String]) -> io::Result<()> {
    let manifest = Manifest::of_names(&Folder(folder.to_owned()), &names(folder, drills))?;
    std::fs::write(folder.join(MANIFEST), manifest.to_json())
}

/// What a programme's manifest sums: each drill has one of its own.
fn names(folder: &Path, drills: &[String]) -> Vec<String> {
    let of_drills = drills
        .iter()
        .map(|drill| format!("{}/{MANIFEST}", folder_of(drill)))
        .filter(|name| folder.join(name).is_file());
    [file::PROGRAMME, file::EVENTS]
        .map(str::to_owned)
        .into_iter()
        .chain(of_drills)
        .collect()
}
