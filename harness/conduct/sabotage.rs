//! Being wrong on purpose, so that it can be seen that somebody notices. Most of it the stand-in does: it is told
//! just before the fault, or at the start where it has to be wrong from then on.

use firedrill_erlmcp::world::{Misbehaviour, Request};
use firedrill_reports::recording::Event;
use firedrill_scenarios::Sabotage;
use firedrill_scenarios::plan::FaultKind;

use super::hands::Hands;

/// What the stand-in does wrong; `None` where the harness itself does.
pub fn misbehaviour(sabotage: Sabotage) -> Option<Misbehaviour> {
    match sabotage {
        Sabotage::LoseAcknowledgedWrite => Some(Misbehaviour::LoseAcknowledgedWrite),
        Sabotage::ReorderWrites => Some(Misbehaviour::ReorderWrites),
        Sabotage::SkipRestore => Some(Misbehaviour::SkipRestore),
        Sabotage::RestoreStaleBackup => Some(Misbehaviour::RestoreStaleBackup),
        Sabotage::AckBeforeFsync => Some(Misbehaviour::AckBeforeFsync),
        Sabotage::NoFencing => Some(Misbehaviour::NoFencing),
        Sabotage::SlowRecovery => Some(Misbehaviour::SlowRecovery),
        Sabotage::Relapse => Some(Misbehaviour::Relapse),
        Sabotage::PartialGoodput => Some(Misbehaviour::PartialGoodput),
        Sabotage::LeaveFault => None,
    }
}

impl Hands {
    /// Has the stand-in be wrong from now on, just before a fault acts.
    pub(super) fn sabotage_before(&self, kind: &FaultKind) {
        let Some(sabotage) = self.sabotage else {
            return;
        };
        let (Some(misbehaviour), Some(world)) = (misbehaviour(sabotage), &self.eyes.world) else {
            return;
        };
        let shown = match world.ask(&Request::Misbehave(misbehaviour)) {
            Ok(firedrill_erlmcp::world::Reply::Done(done)) => done.detail,
            Ok(other) => format!("the stand-in answered {other:?}"),
            Err(error) => format!("the stand-in refused before {}: {error}", kind.word()),
        };
        self.event(
            self.clock.now(),
            Event::Sabotage {
                name: sabotage.as_str().to_owned(),
                shown,
            },
        );
    }
}
