//! Taking backups: of a store that serves, at an interval, with copies off the site.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Store;
use super::standing::Duty;
use crate::backup::{self, Manifest};
use crate::clock;

/// When backups are taken, and where they go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    pub every: Duration,
    /// From a backup's end until its copy off the site is begun.
    pub off_site_delay: Duration,
    /// In each place.
    pub keep: u32,
    pub local: PathBuf,
    pub off_site: PathBuf,
}

/// A backup that fails is one that is not there: whoever lists them sees it.
pub(super) async fn run(store: Rc<Store>, schedule: Schedule) {
    catch_up(&schedule);
    loop {
        tokio::time::sleep(schedule.every).await;
        if store.committer.standing().duty != Duty::Serving {
            continue;
        }
        if let Ok(manifest) = take(&store, &schedule).await {
            tokio::task::spawn_local(send_off_site(schedule.clone(), manifest));
        }
    }
}

async fn take(store: &Store, schedule: &Schedule) -> io::Result<Manifest> {
    let log = store.config.directory.join(backup::LOG);
    let (last, end) = store.committer.tail();
    let Schedule {
        local,
        off_site,
        keep,
        ..
    } = schedule.clone();
    let work = tokio::task::spawn_blocking(move || {
        let manifest = backup::take(&log, end, last, &local, &off_site)?;
        backup::prune(&local, keep)?;
        Ok(manifest)
    });
    work.await.map_err(io::Error::other)?
}

/// Backups that an earlier life of the store took and did not copy.
fn catch_up(schedule: &Schedule) {
    let there = backup::list(&schedule.off_site);
    let newest = there.last().map(|manifest| manifest.id.as_str());
    for manifest in backup::list(&schedule.local) {
        if newest.is_none_or(|newest| newest < manifest.id.as_str()) {
            tokio::task::spawn_local(send_off_site(schedule.clone(), manifest));
        }
    }
}

async fn send_off_site(schedule: Schedule, manifest: Manifest) {
    let delay = schedule.off_site_delay.as_nanos() as u64;
    let due = manifest.ended_ns.saturating_add(delay);
    let left = due.saturating_sub(clock::monotonic_ns());
    tokio::time::sleep(Duration::from_nanos(left)).await;
    let work = move || {
        backup::copy(&schedule.local, &schedule.off_site, &manifest.id)?;
        backup::prune(&schedule.off_site, schedule.keep)
    };
    // A backup that is not there any more cannot be copied.
    let _ = tokio::task::spawn_blocking(work).await;
}
