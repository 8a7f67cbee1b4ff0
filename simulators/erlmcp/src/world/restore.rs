//! Data taken away, an empty site in its place, and a backup put into it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::json;

use super::backups::{self, Found};
use super::config::Misbehaviour;
use super::ground::{Ground, SiteGround};
use super::marks::Instant;
use super::request::{BackupChoice, Place, Restored};
use super::{lost_records, power, viewing};
use crate::backup;
use crate::role::Role;
use crate::store::standing::{Duty, Standing, StandingFile};

pub(super) async fn wipe(
    ground: &Ground,
    name: &str,
    with_backups: bool,
    into: &Path,
) -> Result<String, String> {
    let at = ground.site(name)?;
    power::site(ground, name, false).await?;
    let site = &ground.sites[at];
    let mut moved = Vec::new();
    for (folder, wanted) in [("store", true), ("backups", with_backups)] {
        let from = site.config.data.join(folder);
        if wanted && from.exists() {
            backup::shift(&from, &into.join(folder)).map_err(failed(&from))?;
            moved.push(folder);
        }
    }
    if !moved.is_empty() {
        ground.away.borrow_mut().insert(at, into.to_owned());
    }
    if moved.contains(&"store") {
        ground.taken.borrow_mut().insert(at, into.join("store"));
    }
    Ok(format!("`{name}` has no power, and lost {moved:?}"))
}

/// What stands in the place meanwhile is moved aside.
pub(super) async fn unwipe(ground: &Ground, name: &str, from: &Path) -> Result<String, String> {
    let at = ground.site(name)?;
    power::site(ground, name, false).await?;
    let mut moved = Vec::new();
    for folder in ["store", "backups"] {
        let kept = from.join(folder);
        if kept.exists() {
            let place = ground.sites[at].config.data.join(folder);
            let aside = move_aside(&place)?;
            backup::shift(&kept, &place).map_err(failed(&kept))?;
            if let Some(aside) = aside.filter(|_| folder == "backups") {
                join(&aside, &place).map_err(failed(&aside))?;
            }
            moved.push(folder);
        }
    }
    ground.taken.borrow_mut().remove(&at);
    ground.away.borrow_mut().remove(&at);
    Ok(format!("`{name}` has its {moved:?} again, and no power"))
}

/// Backups that came meanwhile stay beside those that are back.
fn join(aside: &Path, place: &Path) -> io::Result<()> {
    for entry in fs::read_dir(aside)? {
        let entry = entry?;
        let target = place.join(entry.file_name());
        if !target.exists() {
            backup::shift(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// New processes and an empty store, which takes writes only after it was promoted.
pub(super) async fn rebuild(ground: &Rc<Ground>, name: &str) -> Result<String, String> {
    let at = ground.site(name)?;
    let site = &ground.sites[at];
    if site.powered.get() {
        return Ok(format!("`{name}` runs already"));
    }
    let log = site.store_directory().join(backup::LOG);
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(format!(
            "{} holds data: a site that is rebuilt has to be empty; wipe it before",
            log.display()
        ));
    }
    let standing = StandingFile::of(&site.store_directory()).read();
    stand(ground, site, Duty::Standby, standing).await?;
    power::site(ground, name, true).await?;
    power::all_up(ground, |unit| unit.site == Some(at)).await?;
    Ok(format!("`{name}` is there again, and empty"))
}

/// Writes what the store will be when it starts: of the newest epoch that anybody knows.
async fn stand(
    ground: &Ground,
    site: &SiteGround,
    duty: Duty,
    before: Option<Standing>,
) -> Result<(), String> {
    let directory = site.store_directory();
    fs::create_dir_all(&directory).map_err(failed(&directory))?;
    let known = viewing::director_state(ground).await;
    let epoch = known.map_or(1, |state| state.ownership.epoch);
    let epoch = before.map_or(epoch, |before| before.epoch.max(epoch));
    StandingFile::of(&directory)
        .write(Standing { duty, epoch })
        .map_err(failed(&directory))
}

pub(super) async fn restore(
    ground: &Rc<Ground>,
    name: &str,
    of: &str,
    place: Place,
    choice: &BackupChoice,
) -> Result<Restored, String> {
    if name != of {
        stands_apart(ground, name, of)?;
    }
    let at = ground.site(name)?;
    let of = ground.site(of)?;
    let site = &ground.sites[at];
    if !site.powered.get() {
        return Err(format!(
            "`{name}` has no power: rebuild it, or give it power, before"
        ));
    }
    let is = |misbehaviour| ground.misbehaviour.borrow().contains(&misbehaviour);
    let mut found = backups::choose(ground, of, place, choice)?;
    if is(Misbehaviour::RestoreStaleBackup) {
        found = backups::oldest(ground, of, place)?;
    }
    let reply = if is(Misbehaviour::SkipRestore) {
        restored(&found, found.manifest.last_position, 0)
    } else {
        put_back(ground, at, of, &found).await?
    };
    let detail = json!({ "site": name, "backup": reply.backup, "records": reply.records });
    ground.mark(Instant::Restored, detail);
    Ok(reply)
}

/// A backup is put to the test where nobody's data would be lost for it.
fn stands_apart(ground: &Ground, name: &str, of: &str) -> Result<(), String> {
    let at = ground.site(name)?;
    let replication = *ground.replication.borrow();
    match replication.is_some_and(|own| own.from == at || own.to == at) {
        true => Err(format!(
            "`{name}` does not stand apart: what it has would be lost for a backup of `{of}`"
        )),
        false => Ok(()),
    }
}

fn restored(found: &Found, records: u64, corrupt: u64) -> Restored {
    Restored {
        backup: found.manifest.id.clone(),
        begun_ns: found.manifest.begun_ns,
        records,
        sound: corrupt == 0,
        corrupt,
    }
}

/// What is there already is not put there again; a backup that is put to the test always is.
async fn put_back(
    ground: &Rc<Ground>,
    at: usize,
    of: usize,
    found: &Found,
) -> Result<Restored, String> {
    let site = &ground.sites[at];
    let log = site.store_directory().join(backup::LOG);
    let store = viewing::store(ground, at).await.filter(|_| at == of);
    let is_there = store
        .is_some_and(|store| store.duty == Duty::Fenced && backups::fits(&log, &found.manifest));
    if is_there {
        let checked = backup::check(&log).map_err(failed(&log))?;
        return Ok(restored(found, checked.records, checked.corrupt));
    }
    if !backups::fits(&found.folder.join(backup::LOG), &found.manifest) {
        return Err(format!(
            "{} does not fit its manifest: choose another backup",
            found.folder.display()
        ));
    }
    let store = |unit: &super::unit::Unit| unit.site == Some(at) && unit.role == Role::Store;
    let units = ground.units(store);
    units.iter().for_each(|unit| unit.held.set(true));
    ground.kill(&units).await;
    let outcome = fill(ground, at, of, found).await;
    units.iter().for_each(|unit| unit.held.set(false));
    let reply = outcome?;
    ground.changes.send_replace(());
    power::all_up(ground, store).await?;
    Ok(reply)
}

/// Puts the backup into a directory that is empty, and checks every record where it is now.
async fn fill(ground: &Ground, at: usize, of: usize, found: &Found) -> Result<Restored, String> {
    let site = &ground.sites[at];
    let directory = site.store_directory();
    let aside = move_aside(&directory)?;
    let before = aside
        .as_deref()
        .and_then(|old| StandingFile::of(old).read());
    stand(ground, site, Duty::Fenced, before).await?;
    let log = directory.join(backup::LOG);
    if log.exists() {
        return Err(format!("{} is not empty", directory.display()));
    }
    let source = found.folder.join(backup::LOG);
    fs::copy(&source, &log).map_err(failed(&source))?;
    let synced = File::open(&log).and_then(|file| file.sync_all());
    synced.map_err(failed(&log))?;
    let checked = backup::check(&log).map_err(failed(&log))?;
    if checked.sha256 != found.manifest.sha256 {
        return Err(format!(
            "{} changed on its way: choose another backup",
            source.display()
        ));
    }
    if at == of {
        tell_what_was_lost(ground, at, aside, found.manifest.last_position);
    }
    Ok(restored(found, checked.records, checked.corrupt))
}

/// What the site's last store had beyond the backup.
fn tell_what_was_lost(ground: &Ground, at: usize, aside: Option<PathBuf>, last: u64) {
    let taken = ground.taken.borrow_mut().remove(&at);
    if let Some(old) = taken.or(aside) {
        let lost = lost_records(&old.join(backup::LOG), last);
        ground.mark(Instant::Lost, lost.shown(&ground.sites[at].config.name));
    }
}

/// Moves a folder, if it is there, to where nobody looks for it; and says where that is.
fn move_aside(folder: &Path) -> Result<Option<PathBuf>, String> {
    if !folder.exists() {
        return Ok(None);
    }
    let aside = (1_u32..)
        .map(|number| folder.with_extension(format!("aside-{number}")))
        .find(|aside| !aside.exists())
        .ok_or("there is no name left")?;
    backup::shift(folder, &aside).map_err(failed(folder))?;
    Ok(Some(aside))
}

pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}
