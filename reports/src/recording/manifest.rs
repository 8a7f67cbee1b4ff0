//! Sealing a folder with the SHA-256 of what was recorded, and seeing what was changed since.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file;
use super::read::RecordingError;

/// Name of the manifest in a run's folder.
pub const MANIFEST: &str = "manifest.json";

/// What can be in a folder beside `sources/`. Outputs are no part of it: they are made from these again.
const RECORDED: [&str; 7] = [
    file::PLAN,
    file::EVENTS,
    file::BUCKETS,
    file::LATENCY,
    file::SAMPLES,
    file::LEDGER,
    file::JOURNAL,
];

/// The files of a run, wherever they are. Names are relative, with `/` between their parts.
pub trait Files {
    /// Every file, in the order of names.
    fn names(&self) -> io::Result<Vec<String>>;
    fn open(&self, name: &str) -> io::Result<Box<dyn BufRead + '_>>;
}

/// A run's folder on disk.
pub struct Folder(pub PathBuf);

impl Files for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        list(&self.0, "", &mut names)?;
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(BufReader::new(File::open(self.0.join(name))?)))
    }
}

/// Files below `folder`, each with `prefix` before its name. Only `sources` is gone into.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let name = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_file() {
            names.push(name);
        } else if kind.is_dir() && (name == file::SOURCES || !prefix.is_empty()) {
            list(&entry.path(), &format!("{name}/"), names)?;
        }
    }
    Ok(())
}

/// A run's files in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn BufRead + '_>> {
        let bytes = self.0.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}

/// SHA-256 of every recorded file, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads and sums all that was recorded so far. The caller writes the result to [`MANIFEST`]
    /// once every other file is complete.
    pub fn of(files: &dyn Files) -> io::Result<Manifest> {
        let recorded = |name: &String| {
            let in_sources = name
                .split_once('/')
                .is_some_and(|(first, _)| first == file::SOURCES);
            in_sources || RECORDED.contains(&name.as_str())
        };
        let names: Vec<String> = files.names()?.into_iter().filter(recorded).collect();
        Manifest::of_names(files, &names)
    }

    /// Sums these files.
    pub fn of_names(files: &dyn Files, names: &[String]) -> io::Result<Manifest> {
        let mut sums = BTreeMap::new();
        for name in names {
            let sum = sum(&mut files.open(name)?)?;
            sums.insert(name.clone(), sum);
        }
        Ok(Manifest { files: sums })
    }

    /// The manifest's file.
    pub fn to_json(&self) -> Vec<u8> {
        // A map of strings always has a JSON text.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// Compares the manifest with what is `found` now. False when there is none.
pub(crate) fn verify(
    files: &dyn Files,
    found: impl FnOnce() -> io::Result<Manifest>,
) -> Result<bool, RecordingError> {
    let unreadable = |source| RecordingError::Unreadable {
        file: MANIFEST.to_owned(),
        source,
    };
    let bytes = match files.open(MANIFEST) {
        Ok(mut reader) => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map_err(unreadable)?;
            bytes
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(unreadable(error)),
    };
    let stated: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| RecordingError::Line {
            file: MANIFEST.to_owned(),
            line: error.line() as u64,
            problem: error.to_string(),
        })?;
    let found = found().map_err(unreadable)?;
    let changed = |file: &str, what| {
        Err(RecordingError::Changed {
            file: file.to_owned(),
            what,
        })
    };
    for (file, sum) in &stated.files {
        match found.files.get(file) {
            None => return changed(file, "was removed"),
            Some(other) if other != sum => return changed(file, "was changed"),
            Some(_) => {}
        }
    }
    match found
        .files
        .keys()
        .find(|file| !stated.files.contains_key(*file))
    {
        Some(file) => changed(file, "was added"),
        None => Ok(true),
    }
}

/// SHA-256 of all that is left to read.
fn sum(from: &mut dyn Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut block)?;
        if read == 0 {
            break;
        }
        hasher.update(&block[..read]);
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
