//! A scenario's text and everything that it names, from the catalog or from disk.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use firedrill_scenarios::programme::is_programme;
use firedrill_scenarios::{Diagnostics, Plan, Programme, Sources, catalog, programmes};

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
    #[error("`{name}` is a programme, which is run and checked alone: {remedy}")]
    Programme { name: String, remedy: &'static str },
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

/// The text of this name, and what it needs from outside.
fn find<'a>(
    name: &str,
    overrides: &'a [String],
) -> Result<(String, Surroundings<'a>), ScenarioError> {
    let path = Path::new(name);
    let mut all = catalog().iter().chain(programmes());
    let (text, folder, shown) = match all.find(|(shipped, _)| *shipped == name) {
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
            let all = catalog().iter().chain(programmes());
            let names: Vec<&str> = all.map(|(name, _)| *name).collect();
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
    Ok((text, surroundings))
}

/// Reads and checks a scenario; `name` is a path or the name of a shipped one.
///
/// # Errors
/// When there is none, or it has mistakes: all of them at once.
pub fn load(name: &str, overrides: &[String]) -> Result<Plan, ScenarioError> {
    let (text, surroundings) = find(name, overrides)?;
    if is_programme(&text) {
        return Err(ScenarioError::Programme {
            name: name.to_owned(),
            remedy: "name nothing beside it, or one of its drills",
        });
    }
    Plan::parse(&text, &surroundings).map_err(ScenarioError::Problems)
}

/// A programme, with its drills named so that [`load`] finds them: a path starts at the programme's folder. `None`
/// when the name is a scenario's.
///
/// # Errors
/// When there is no such file, or it has mistakes: all of them at once.
pub fn load_programme(name: &str) -> Result<Option<Programme>, ScenarioError> {
    let (text, surroundings) = find(name, &[])?;
    if !is_programme(&text) {
        return Ok(None);
    }
    let mut programme = Programme::parse(&text, &surroundings).map_err(ScenarioError::Problems)?;
    for drill in &mut programme.drills {
        let shipped = catalog().iter().any(|(shipped, _)| shipped == drill);
        if !shipped {
            *drill = surroundings.folder.join(&*drill).display().to_string();
        }
    }
    Ok(Some(programme))
}
