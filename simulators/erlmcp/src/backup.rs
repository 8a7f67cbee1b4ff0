//! Backups: a copy of a store's whole log beside a manifest, in a folder of its own. A backup has its name from the
//! instant in which it is complete.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::store::record::Record;

pub const LOG: &str = "ledger.log";
const MANIFEST: &str = "manifest.json";
/// Begins the names of folders that are not complete.
const UNFINISHED: &str = ".new-";

/// Instants are nanoseconds of CLOCK_MONOTONIC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub id: String,
    pub begun_ns: u64,
    pub ended_ns: u64,
    pub last_position: u64,
    /// Lines that were no sound records when the backup was taken.
    pub corrupt: u64,
    pub sha256: String,
}

/// A log that was read from its beginning to its end.
pub(crate) struct Checked {
    pub records: u64,
    pub corrupt: u64,
    pub sha256: String,
}

/// Takes a backup of the first `length` bytes of `log` into the folder `place`. It is numbered after all that are there
/// and in the folder of their `copies`: a backup that was lost keeps its number, and can be put back beside this one.
pub(crate) fn take(
    log: &Path,
    length: u64,
    last: u64,
    place: &Path,
    copies: &Path,
) -> io::Result<Manifest> {
    let begun_ns = clock::monotonic_ns();
    fs::create_dir_all(place)?;
    let newest = newest_number(place)?.max(newest_number(copies)?);
    let id = format!("backup-{:06}", newest + 1);
    let new = place.join(format!("{UNFINISHED}{id}"));
    remove(&new)?;
    fs::create_dir(&new)?;
    let mut copy = File::create(new.join(LOG))?;
    io::copy(&mut File::open(log)?.take(length), &mut copy)?;
    copy.sync_all()?;
    let checked = check(&new.join(LOG))?;
    let manifest = Manifest {
        id: id.clone(),
        begun_ns,
        ended_ns: clock::monotonic_ns(),
        last_position: last,
        corrupt: checked.corrupt,
        sha256: checked.sha256,
    };
    let mut file = File::create(new.join(MANIFEST))?;
    file.write_all(&serde_json::to_vec(&manifest)?)?;
    file.sync_all()?;
    fs::rename(&new, place.join(&id))?;
    Ok(manifest)
}

/// Reads every line of a log, and whether it is a sound record.
pub(crate) fn check(log: &Path) -> io::Result<Checked> {
    let mut text = BufReader::new(File::open(log)?);
    let mut digest = Sha256::new();
    let (mut records, mut corrupt) = (0, 0);
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line)? > 0 {
        digest.update(&line);
        let sound = serde_json::from_slice::<Record>(&line).is_ok_and(|record| record.is_sound());
        records += 1;
        corrupt += u64::from(!sound);
        line.clear();
    }
    let sha256 = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Checked {
        records,
        corrupt,
        sha256,
    })
}

/// The backups in a folder, the oldest first. A folder that is not there has none.
pub(crate) fn list(place: &Path) -> Vec<Manifest> {
    let mut found: Vec<Manifest> = names(place)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| {
            let text = fs::read(place.join(name).join(MANIFEST)).ok()?;
            serde_json::from_slice(&text).ok()
        })
        .collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found
}

/// Copies a backup into another folder, where it has its name from the instant in which it is complete. One that was
/// damaged meanwhile is not copied: whoever repairs it would not know of the copy.
pub(crate) fn copy(from: &Path, to: &Path, id: &str) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let new = to.join(format!("{UNFINISHED}{id}"));
    remove(&new)?;
    fs::create_dir(&new)?;
    for name in [LOG, MANIFEST] {
        fs::copy(from.join(id).join(name), new.join(name))?;
        File::open(new.join(name))?.sync_all()?;
    }
    let manifest: Manifest = serde_json::from_slice(&fs::read(new.join(MANIFEST))?)?;
    if check(&new.join(LOG))?.sha256 != manifest.sha256 {
        remove(&new)?;
        let why = format!("{id} does not fit its manifest");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    remove(&to.join(id))?;
    fs::rename(&new, to.join(id))
}

/// Deletes all but the newest `keep` backups.
pub(crate) fn prune(place: &Path, keep: u32) -> io::Result<()> {
    let all = list(place);
    for old in all.iter().rev().skip(keep as usize) {
        remove(&place.join(&old.id))?;
    }
    Ok(())
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Moves a folder, to another file system too.
pub(crate) fn shift(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy_tree(from, to)?;
            fs::remove_dir_all(from)
        }
        moved => moved,
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Names of complete backups.
fn names(place: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(place)?.collect::<io::Result<Vec<_>>>()?;
    let names = entries.iter().map(|entry| entry.file_name());
    Ok(names
        .filter(|name| !name.to_string_lossy().starts_with(UNFINISHED))
        .map(PathBuf::from)
        .collect())
}

/// Zero in a folder that is empty or not there.
fn newest_number(place: &Path) -> io::Result<u64> {
    let number = |name: &PathBuf| name.to_str()?.strip_prefix("backup-")?.parse().ok();
    match names(place) {
        Ok(names) => Ok(names.iter().filter_map(number).max().unwrap_or(0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_was_taken_away_keeps_its_number() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join(LOG);
        fs::write(&log, "").unwrap();
        let (local, copies) = (root.path().join("local"), root.path().join("copies"));
        let take = || take(&log, 0, 0, &local, &copies).unwrap().id;

        assert_eq!(take(), "backup-000001");
        let lost = take();
        copy(&local, &copies, &lost).unwrap();
        remove(&local.join(&lost)).unwrap();
        assert_eq!(take(), "backup-000003");
    }

    #[test]
    fn a_backup_that_was_damaged_is_not_copied() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join(LOG);
        fs::write(&log, "a record\n").unwrap();
        let (local, copies) = (root.path().join("local"), root.path().join("copies"));
        let id = take(&log, 9, 0, &local, &copies).unwrap().id;
        fs::write(local.join(&id).join(LOG), "b record\n").unwrap();
        let error = copy(&local, &copies, &id).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(list(&copies).is_empty());
        fs::write(local.join(&id).join(LOG), "a record\n").unwrap();
        copy(&local, &copies, &id).unwrap();
        assert_eq!(list(&copies).len(), 1);
    }
}
