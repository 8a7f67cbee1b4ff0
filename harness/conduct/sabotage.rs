//! Being wrong on purpose, so that it can be seen that somebody notices. Most of it the stand-in does: it is told at
//! the instant from which the misbehaviour has to be in force.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::Duration;

use firedrill_erlmcp::world::{Misbehaviour, Reply, Request};
use firedrill_reports::recording::Event;
use firedrill_scenarios::Sabotage;
use firedrill_scenarios::plan::{FaultKind, RecoveryStep};

use super::hands::Hands;

/// Acknowledged writes that are not on the disk: enough for a crash to lose some beyond doubt.
const AHEAD: u64 = 20;
/// How long a store that acknowledges too early is waited for to be so far ahead, and between two looks.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(10);

/// From when on something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Writes that are acknowledged long before the fault are part of it.
    Start,
    Fault,
    /// Recovery has been confirmed.
    Recovery,
}

/// What the stand-in does wrong, and from when on; `None` where the harness itself does.
fn misbehaviour(sabotage: Sabotage) -> Option<(Moment, Misbehaviour)> {
    Some(match sabotage {
        Sabotage::LoseAcknowledgedWrite => (Moment::Fault, Misbehaviour::LoseAcknowledgedWrite),
        Sabotage::ReorderWrites => (Moment::Fault, Misbehaviour::ReorderWrites),
        Sabotage::SkipRestore => (Moment::Fault, Misbehaviour::SkipRestore),
        Sabotage::RestoreStaleBackup => (Moment::Fault, Misbehaviour::RestoreStaleBackup),
        Sabotage::AckBeforeFsync => (Moment::Start, Misbehaviour::AckBeforeFsync),
        Sabotage::NoFencing => (Moment::Fault, Misbehaviour::NoFencing),
        Sabotage::SlowRecovery => (Moment::Fault, Misbehaviour::SlowRecovery),
        Sabotage::Relapse => (Moment::Recovery, Misbehaviour::Relapse),
        Sabotage::PartialGoodput => (Moment::Fault, Misbehaviour::PartialGoodput),
        Sabotage::LeaveFault => return None,
    })
}

/// Refuses what would stay after the run: a stand-in that was told to misbehave is not told to stop, and sites that
/// `firedrill serve` runs are driven by others afterwards.
///
/// # Errors
/// What to do instead.
pub fn ends_with_run(sabotage: Sabotage, target: Option<&str>) -> Result<(), String> {
    match target {
        Some(sites) if sites != "embedded" && misbehaviour(sabotage).is_some() => Err(format!(
            "the sabotage `{sabotage}` would stay in force in the sites of `{sites}` after the run: leave out --target, so \
             that the run has sites of its own"
        )),
        Some(_) | None => Ok(()),
    }
}

impl Hands {
    /// Has the stand-in be wrong from now on, on a thread of its own.
    pub fn misbehave_from(&self, moment: Moment) {
        if let Some(how) = self.misbehaviour_from(moment) {
            let hands = self.clone();
            tokio::task::spawn_blocking(move || hands.misbehave(how));
        }
    }

    fn misbehaviour_from(&self, moment: Moment) -> Option<Misbehaviour> {
        let (own, how) = self.sabotage.and_then(misbehaviour)?;
        (own == moment).then_some(how)
    }

    fn misbehave(&self, how: Misbehaviour) {
        let Some(world) = &self.eyes.world else {
            return;
        };
        self.show(match world.ask(&Request::Misbehave(how)) {
            Ok(Reply::Done(done)) => done.detail,
            Ok(other) => format!("the stand-in answered {other:?}"),
            Err(error) => format!("the stand-in refused: {error}"),
        });
    }

    /// Just before a fault acts: what is to be wrong from now on is, and what has been wrong before is shown.
    pub(super) async fn sabotage_before(&self, kind: &FaultKind) {
        if let Some(how) = self.misbehaviour_from(Moment::Fault) {
            self.misbehave(how);
        }
        if self.sabotage == Some(Sabotage::AckBeforeFsync)
            && let Some(site) = kind.site()
        {
            self.show(self.ahead_of_disk(site).await);
        }
    }

    /// The same before a backup is put to the test: there need be no fault.
    pub(super) fn sabotage_before_test(&self, step: &RecoveryStep) {
        if let Some(how) = self
            .misbehaviour_from(Moment::Fault)
            .filter(|_| step.is_test())
        {
            self.misbehave(how);
        }
    }

    /// Waits until the site's store has acknowledged what its disk does not hold, and says how much that is.
    async fn ahead_of_disk(&self, site: usize) -> String {
        let mut looked = Duration::ZERO;
        let mut last = String::new();
        while looked < PATIENCE {
            match self.positions(site) {
                Ok((acknowledged, on_disk)) => {
                    last = format!(
                        "the store has acknowledged {acknowledged} writes, and its disk holds {on_disk}"
                    );
                    if acknowledged >= on_disk + AHEAD {
                        return last;
                    }
                }
                Err(error) => last = error,
            }
            tokio::time::sleep(LOOK).await;
            looked += LOOK;
        }
        format!("NOT in force: {last}")
    }

    /// The newest position that the store speaks of, and the records in its file.
    fn positions(&self, site: usize) -> Result<(u64, u64), String> {
        let view = self.eyes.view()?;
        let name = self.plan.site_name(site);
        let site = view.site(name).ok_or("the site is not there")?;
        let store = site.store.as_ref().ok_or("the store does not answer")?;
        let on_disk = lines(&site.log()).map_err(|error| error.to_string())?;
        Ok((store.last_position, on_disk))
    }

    fn show(&self, shown: String) {
        let Some(sabotage) = self.sabotage else {
            return;
        };
        let name = sabotage.as_str().to_owned();
        self.event(self.clock.now(), Event::Sabotage { name, shown });
    }
}

fn lines(file: &Path) -> std::io::Result<u64> {
    let mut count = 0;
    for line in BufReader::new(File::open(file)?).split(b'\n') {
        line?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_that_outlive_the_run_are_not_told_to_misbehave() {
        for sabotage in Sabotage::ALL {
            ends_with_run(sabotage, None).unwrap();
            ends_with_run(sabotage, Some("embedded")).unwrap();
            let there = ends_with_run(sabotage, Some("sites"));
            // The harness alone misbehaves.
            assert_eq!(there.is_ok(), sabotage == Sabotage::LeaveFault);
        }
        let error = ends_with_run(Sabotage::AckBeforeFsync, Some("sites")).unwrap_err();
        assert_eq!(
            error,
            "the sabotage `ack-before-fsync` would stay in force in the sites of `sites` after the run: leave out \
             --target, so that the run has sites of its own"
        );
    }
}
