//! Fences that steps of the drill drew: what nobody went on from is taken back when the run ends.

use std::collections::BTreeMap;

use firedrill_reports::recording::{Event, StepStage};

use super::{Conductor, RunError};
use crate::fault::heal::{Which, heal};
use crate::fault::journal::open_changes;
use crate::fault::pinned::{Reversal, Undo};

impl Conductor {
    /// A run that ended early behind a fence would leave a site that refuses every write. Where somebody was promoted
    /// since, there is nothing to take back, and the journal says so.
    pub(super) async fn lift_fences(&mut self) -> Result<(), RunError> {
        let open = open_changes::<Undo>(&self.run_folder).map_err(RunError::Journal)?;
        let fences = open
            .into_iter()
            .filter_map(|change| match change.undo.change {
                Reversal::Unfence { site, .. } => Some((change.fault, site)),
                _ => None,
            });
        let fences: BTreeMap<String, String> = fences.collect();
        if fences.is_empty() {
            return Ok(());
        }
        let which = Which::These {
            faults: &fences.keys().cloned().collect(),
            held: &|| false,
            reversed: &|| {},
        };
        let at = self.clock.now();
        let undone = heal(&self.run_folder, which, &self.journal, &self.eyes, Some(at)).await;
        for undone in undone.map_err(RunError::Journal)? {
            let Some(reason) = undone.leftover else {
                continue;
            };
            let event = Event::Step {
                on: fences.get(&undone.fault).cloned().unwrap_or_default(),
                id: format!("{}-undo", undone.fault),
                step: "lift-fence".to_owned(),
                stage: StepStage::Failed { reason },
            };
            self.event(at, event)?;
        }
        Ok(())
    }
}
