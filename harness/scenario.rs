//! A scenario's text and everything that it names, from the catalog or from disk.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use firedrill_scenarios::{Diagnostics, Plan, Sources, catalog};

/// No scenario that a person writes is as large.
const SIZE_MAX: u64 = 4 << 20;

/// A scenario cannot be used. Nothing has been started.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("no file and no shipped scenario is called `{name}`; shipped are {shipped}")]
    Unknown { name: String, shipped: String },
    #[error("the scenario `{}` cannot be read: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "the scenario `{}` is larger than {} MiB: name a scenario, and move long data into a `csv:` or a trace file",
        path.display(),
        SIZE_MAX >> 20
    )]
    TooLarge { path: PathBuf },
    /// The page of problems begins with its own first line.
    #[error("{0}")]
    Problems(Diagnostics),
}

/// What the process can hand to a scenario.
struct Surroundings<'a> {
    name: String,
    /// Where relative paths of the scenario start.
    folder: PathBuf,
    overrides: &'a [String],
}

impl Sources for Surroundings<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(self.folder.join(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            _ => error.to_string(),
        })
    }

    fn overrides(&self) -> &[String] {
        self.overrides
    }
}

/// Reads no more of a file than a scenario may have: what is named may be a device without an end.
fn read(path: &Path) -> Result<String, ScenarioError> {
    let mut text = String::new();
    let taken = fs::File::open(path)
        .and_then(|file| file.take(SIZE_MAX + 1).read_to_string(&mut text))
        .map_err(|source| ScenarioError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
    if taken as u64 > SIZE_MAX {
        return Err(ScenarioError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

/// Reads and checks a scenario; `name` is a path or the name of a shipped one.
///
/// # Errors
/// When there is none, or it has mistakes: all of them at once.
pub fn load(name: &str, overrides: &[String]) -> Result<Plan, ScenarioError> {
    let path = Path::new(name);
    let shipped = catalog().iter().find(|(shipped, _)| *shipped == name);
    let (text, folder, shown) = match shipped {
        // A file of that name in the current folder wins only when it is meant: `./baseline`.
        Some((shipped, text)) => (
            (*text).to_owned(),
            PathBuf::new(),
            format!("{shipped}.yaml"),
        ),
        None if path.exists() => {
            let text = read(path)?;
            let folder = path.parent().unwrap_or(Path::new("")).to_owned();
            (text, folder, name.to_owned())
        }
        None => {
            let names: Vec<&str> = catalog().iter().map(|(name, _)| *name).collect();
            let shipped = names.join(", ");
            return Err(ScenarioError::Unknown {
                name: name.to_owned(),
                shipped,
            });
        }
    };
    let surroundings = Surroundings {
        name: shown,
        folder,
        overrides,
    };
    Plan::parse(&text, &surroundings).map_err(ScenarioError::Problems)
}
