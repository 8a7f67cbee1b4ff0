//! What is on the disks of the target.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use firedrill_erlmcp::LOG;
use firedrill_erlmcp::world::{SiteView, View};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::clock::{Clock, Nanos};

/// What lies beside the log in a backup.
const MANIFEST: &str = "manifest.json";
/// A store that takes records all the time ships some within this time.
const MEANWHILE: Duration = Duration::from_millis(500);
/// So much of the end of a log tells one from another: it holds the checksum of the last record.
const TAIL: u64 = 256;

/// Whether the log of a backup has the checksum that its manifest names.
pub(super) fn fits(folder: &Path) -> Result<bool, String> {
    let text = |error: io::Error| error.to_string();
    let manifest = fs::read(folder.join(MANIFEST)).map_err(text)?;
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| error.to_string())?;
    let digest = Sha256::digest(fs::read(folder.join(LOG)).map_err(text)?);
    let hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(manifest["sha256"] == hexadecimal.as_str())
}

/// Two logs that are looked at again and again, and how long they were when this began.
#[derive(Default)]
pub(super) struct Watch(Option<(Clock, [u64; 2])>);

impl Watch {
    /// Whether the records of one store come to the other: its log grows, or holds all that there is. `None` while
    /// nothing can be said.
    pub(super) fn ships(&mut self, view: &View) -> Result<Option<bool>, String> {
        let replication = view.replication.as_ref().ok_or("nothing is replicated")?;
        let site = |name: &str| view.site(name).ok_or(format!("there is no site {name}"));
        let (from, to) = (site(&replication.from)?, site(&replication.to)?);
        if !replication.paused && !may_follow(from, to) {
            // Another one serves now, or nobody: there is nothing to be shipped.
            return Ok(Some(true));
        }
        let logs = [from.log(), to.log()];
        let grown = self.grown([length(&logs[0])?, length(&logs[1])?]);
        if grown.is_some() {
            return Ok(grown);
        }
        let same = tail(&logs[0])? == tail(&logs[1])?;
        Ok((same && !replication.paused).then_some(true))
    }

    /// `Some(false)` when only the first has grown since the second did last.
    fn grown(&mut self, now: [u64; 2]) -> Option<bool> {
        let (clock, before) = *self.0.get_or_insert_with(|| (Clock::start(), now));
        if now[1] != before[1] {
            self.0 = Some((Clock::start(), now));
            return Some(true);
        }
        let long = clock.now() >= MEANWHILE.as_nanos() as Nanos;
        (long && now[0] > before[0]).then_some(false)
    }
}

fn may_follow(from: &SiteView, to: &SiteView) -> bool {
    let serves = |store: &firedrill_erlmcp::world::StoreView| !store.standby && !store.fenced;
    from.store.as_ref().is_some_and(serves) && to.store.as_ref().is_some_and(|store| store.standby)
}

fn length(log: &Path) -> Result<u64, String> {
    match fs::metadata(log) {
        Ok(log) => Ok(log.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.to_string()),
    }
}

fn tail(path: &Path) -> Result<Vec<u8>, String> {
    let read = || -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut end = vec![0; length.min(TAIL) as usize];
        file.read_exact_at(&mut end, length.saturating_sub(TAIL))?;
        Ok(end)
    };
    match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        end => end.map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stands_still_only_behind_one_that_grows() {
        let mut watch = Watch::default();
        assert_eq!(watch.grown([10, 10]), None);
        assert_eq!(watch.grown([20, 10]), None);
        assert_eq!(watch.grown([20, 20]), Some(true));
        // Long enough ago.
        let long = Clock::before(MEANWHILE);
        watch.0 = Some((long, [20, 20]));
        assert_eq!(watch.grown([20, 20]), None);
        assert_eq!(watch.grown([30, 20]), Some(false));
    }

    #[test]
    fn a_backup_that_was_changed_does_not_fit_and_one_that_is_gone_is_neither() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join(LOG);
        fs::write(&log, "one\n").unwrap();
        let manifest =
            r#"{"sha256":"2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806"}"#;
        fs::write(folder.path().join(MANIFEST), manifest).unwrap();
        assert_eq!(fits(folder.path()), Ok(true));
        fs::write(&log, "two\n").unwrap();
        assert_eq!(fits(folder.path()), Ok(false));
        fs::remove_file(&log).unwrap();
        assert!(fits(folder.path()).is_err());
    }
}
