//! Steps of the drill that nobody went on from: when the run ends, clients are sent to the one site that takes their
//! writes.

use std::collections::BTreeMap;

use firedrill_reports::recording::{Event, StepStage};

use super::{Conductor, RunError};
use crate::fault::heal::{Which, heal};
use crate::fault::journal::open_changes;
use crate::fault::pinned::{Reversal, Undo};

impl Conductor {
    /// A run that ended early between two steps would leave a site that refuses every write. Where the recovery came
    /// to its end, there is nothing to go on from, and the journal says so.
    pub(super) async fn settle(&mut self) -> Result<(), RunError> {
        let open = open_changes::<Undo>(&self.run_folder).map_err(RunError::Journal)?;
        let steps = open
            .into_iter()
            .filter_map(|change| match change.undo.change {
                Reversal::Settle { site } => Some((change.fault, site)),
                _ => None,
            });
        let steps: BTreeMap<String, String> = steps.collect();
        if steps.is_empty() {
            return Ok(());
        }
        let which = Which::These {
            faults: &steps.keys().cloned().collect(),
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
                on: steps.get(&undone.fault).cloned().unwrap_or_default(),
                id: format!("{}-undo", undone.fault),
                step: "settle".to_owned(),
                stage: StepStage::Failed { reason },
            };
            self.event(at, event)?;
        }
        Ok(())
    }
}
