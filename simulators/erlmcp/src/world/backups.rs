//! The backups of a site: listed, chosen, taken away, damaged, put back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ground::Ground;
use super::request::{BackupChoice, Place};
use super::restore::failed;
use super::view::BackupView;
use crate::backup::{self, Manifest};
use crate::store::record::Record;

/// A backup, and the folder that it is in.
pub(super) struct Found {
    pub manifest: Manifest,
    pub folder: PathBuf,
}

/// What was found out about files that have not changed since.
#[derive(Default)]
pub(super) struct Verified(RefCell<BTreeMap<PathBuf, (SystemTime, u64, bool)>>);

impl Verified {
    fn fits(&self, log: &Path, manifest: &Manifest) -> bool {
        let Ok(metadata) = fs::metadata(log) else {
            return false;
        };
        let (Ok(changed), length) = (metadata.modified(), metadata.len()) else {
            return fits(log, manifest);
        };
        let known = self.0.borrow().get(log).copied();
        match known {
            Some((then, long, fits)) if (then, long) == (changed, length) => fits,
            _ => {
                let fits = fits(log, manifest);
                self.0
                    .borrow_mut()
                    .insert(log.to_owned(), (changed, length, fits));
                fits
            }
        }
    }
}

/// Whether a log is the one that the manifest speaks of.
pub(super) fn fits(log: &Path, manifest: &Manifest) -> bool {
    backup::check(log).is_ok_and(|checked| checked.sha256 == manifest.sha256)
}

/// The sound records of a store's directory.
pub(super) fn records(directory: &Path) -> Result<Vec<Record>, String> {
    let log = directory.join(backup::LOG);
    let text = fs::read(&log).map_err(failed(&log))?;
    let lines = text.split(|&byte| byte == b'\n');
    let records = lines.filter_map(|line| serde_json::from_slice::<Record>(line).ok());
    let sound: Vec<_> = records.filter(Record::is_sound).collect();
    match sound.is_empty() {
        true => Err(format!("{} has no record yet", log.display())),
        false => Ok(sound),
    }
}

/// Those kept at the site before those off the site.
pub(super) fn view(ground: &Ground, at: usize) -> Vec<BackupView> {
    let mut all = Vec::new();
    for place in [Place::Local, Place::OffSite] {
        for found in list(ground, at, place) {
            all.push(BackupView {
                sound: is_sound(ground, &found),
                id: found.manifest.id,
                place,
                begun_ns: found.manifest.begun_ns,
                ended_ns: found.manifest.ended_ns,
                last_position: found.manifest.last_position,
            });
        }
    }
    all
}

fn is_sound(ground: &Ground, found: &Found) -> bool {
    let log = found.folder.join(backup::LOG);
    found.manifest.corrupt == 0 && ground.verified.fits(&log, &found.manifest)
}

fn list(ground: &Ground, at: usize, place: Place) -> Vec<Found> {
    let place = ground.backups_at(at, place);
    let manifests = backup::list(&place).into_iter();
    manifests
        .map(|manifest| Found {
            folder: place.join(&manifest.id),
            manifest,
        })
        .collect()
}

pub(super) fn oldest(ground: &Ground, at: usize, place: Place) -> Result<Found, String> {
    let first = list(ground, at, place).into_iter().next();
    first.ok_or_else(|| "there is no backup".to_owned())
}

pub(super) fn choose(
    ground: &Ground,
    at: usize,
    place: Place,
    choice: &BackupChoice,
) -> Result<Found, String> {
    let mut all = list(ground, at, place);
    let known: Vec<String> = all.iter().map(|found| found.manifest.id.clone()).collect();
    let sound = |found: &Found| is_sound(ground, found);
    all.reverse();
    let mut newest_first = all.into_iter();
    let found = match choice {
        BackupChoice::Newest => newest_first.next(),
        BackupChoice::NewestSound => newest_first.find(sound),
        BackupChoice::NewestSoundBefore(instant) => {
            newest_first.find(|found| found.manifest.ended_ns < *instant && sound(found))
        }
        BackupChoice::Id(id) => newest_first.find(|found| found.manifest.id == *id),
    };
    found.ok_or_else(|| none_fits(&ground.sites[at].config.name, choice, &known))
}

fn none_fits(site: &str, choice: &BackupChoice, known: &[String]) -> String {
    let wanted = match choice {
        BackupChoice::Newest => "backup".to_owned(),
        BackupChoice::NewestSound => "sound backup".to_owned(),
        BackupChoice::NewestSoundBefore(_) => "sound backup from before the damage".to_owned(),
        BackupChoice::Id(id) => format!("backup `{id}`"),
    };
    match known {
        [] => format!("`{site}` has no {wanted}: there is none at all"),
        known => format!("`{site}` has no {wanted} among {}", known.join(", ")),
    }
}

pub(super) fn take_away(
    ground: &Ground,
    site: &str,
    place: Place,
    id: &str,
    into: &Path,
) -> Result<String, String> {
    let (from, kept) = paths(ground, site, place, id, into)?;
    if kept.exists() {
        return Ok(format!("{id} was taken away before"));
    }
    backup::shift(&from, &kept).map_err(failed(&from))?;
    Ok(format!("{id} is in {}", into.display()))
}

pub(super) fn put_back(
    ground: &Ground,
    site: &str,
    place: Place,
    id: &str,
    from: &Path,
) -> Result<String, String> {
    let (place, kept) = paths(ground, site, place, id, from)?;
    if !kept.exists() {
        return Ok(format!("{id} was put back before"));
    }
    backup::remove(&place).map_err(failed(&place))?;
    backup::shift(&kept, &place).map_err(failed(&kept))?;
    Ok(format!("{id} is back"))
}

/// Every byte in the middle of the log is another one afterwards.
pub(super) fn damage(
    ground: &Ground,
    site: &str,
    place: Place,
    id: &str,
    into: &Path,
) -> Result<String, String> {
    let (from, kept) = paths(ground, site, place, id, into)?;
    if kept.exists() {
        return Ok(format!("{id} was damaged before"));
    }
    let parent = from.parent().ok_or("a backup is in a folder")?;
    backup::copy(parent, into, id).map_err(failed(&from))?;
    let log = from.join(backup::LOG);
    let flip = || -> io::Result<usize> {
        let mut text = fs::read(&log)?;
        let middle = text.len() / 3..text.len() / 3 * 2;
        let count = middle.len();
        text[middle].iter_mut().for_each(|byte| *byte ^= 0x20);
        fs::write(&log, text)?;
        Ok(count)
    };
    let count = flip().map_err(failed(&log))?;
    Ok(format!("{count} bytes of {id} are others now"))
}

/// Where the backup belongs, and where it is kept meanwhile.
fn paths(
    ground: &Ground,
    site: &str,
    place: Place,
    id: &str,
    kept: &Path,
) -> Result<(PathBuf, PathBuf), String> {
    let at = ground.site(site)?;
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if id.is_empty() || !plain {
        return Err(format!("`{id}` is no id of a backup"));
    }
    Ok((ground.backups_at(at, place).join(id), kept.join(id)))
}
