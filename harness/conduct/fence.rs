//! A site that was replaced comes back, and clients that kept its address write to it: a fence holds when every
//! such write is refused. What is acknowledged all the same goes into the ledger, where it is split brain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use firedrill_erlmcp::world::DirectorView;
use firedrill_reports::recording::{Event, StepStage};
use firedrill_scenarios::plan::{Act, FaultKind};
use firedrill_scenarios::template::ledger_value;
use serde_json::json;

use super::hands::{Hands, Reading};
use super::script::Take;
use crate::ledger::Clients;
use crate::ledger::entry::{Attempt, Fate, NOBODY};
use crate::ledger::pen::{Desk, Pen};
use crate::mcp::caller::Caller;
use crate::mcp::destination::Destination;

/// Writes that are sent to a site that was replaced.
const WRITES: u32 = 5;

/// What came of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    refused: u32,
    acknowledged: u32,
    unanswered: u32,
}

impl Hands {
    /// After a site has come back: tries to write to it as in each epoch in which clients were sent to it, and which is
    /// over. Without a ledger nothing is written, and nothing said of writes.
    pub(super) async fn prove_fence(&self, take: Take) {
        let Act::Fault(fault) = &self.plan.drill.actions[take.action].act else {
            return;
        };
        let FaultKind::SiteFailure { site } = fault.kind else {
            return;
        };
        let (Some(reading), Some(desk)) = (&self.reading, &self.desk) else {
            return;
        };
        for epoch in self.over(site) {
            self.prove_over(take, site, epoch, reading, desk).await;
        }
    }

    /// Writes to the site as somebody does who thinks that it still serves in this epoch.
    async fn prove_over(
        &self,
        take: Take,
        site: usize,
        epoch: u64,
        reading: &Reading,
        desk: &Desk,
    ) {
        let id = format!("{}-fence-of-epoch-{epoch}", self.id(take));
        let tell = |stage| {
            let event = Event::Step {
                id: id.clone(),
                step: "prove-fence".to_owned(),
                on: self.plan.site_name(site).to_owned(),
                stage,
            };
            self.event(self.clock.now(), event);
        };
        tell(StepStage::Started);
        match self.write_to(site, epoch, reading, desk).await {
            Ok(tried) if tried.acknowledged == 0 && tried.refused > 0 => {
                tell(StepStage::Done {
                    detail: format!(
                        "{} of {WRITES} writes in epoch {epoch} were refused",
                        tried.refused
                    ),
                });
            }
            Ok(tried) => tell(StepStage::Failed {
                reason: format!(
                    "of {WRITES} writes in epoch {epoch}, {} were acknowledged and {} not answered",
                    tried.acknowledged, tried.unanswered
                ),
            }),
            Err(reason) => tell(StepStage::Failed { reason }),
        }
    }

    /// Which site serves, and in which epoch, just before something is broken.
    pub(super) fn note_served(&self, director: &DirectorView) {
        let route = director.route.clone();
        self.served()
            .entry(route)
            .or_default()
            .insert(director.epoch);
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<u64>>> {
        // A map is whole at any time.
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epochs in which the site served once and does not any more: clients are sent to another one, or to the same
    /// one in a later epoch, when it was failed back to before there was time to ask. Each is named once.
    fn over(&self, site: usize) -> BTreeSet<u64> {
        let name = self.plan.site_name(site);
        let director = self.eyes.view().ok().and_then(|view| view.director);
        let Some(director) = director else {
            return BTreeSet::new();
        };
        let serves_in = (director.route == name).then_some(director.epoch);
        let mut served = self.served();
        let own = served.get_mut(name);
        own.map(|own| take_over(own, serves_in)).unwrap_or_default()
    }

    async fn write_to(
        &self,
        site: usize,
        epoch: u64,
        reading: &Reading,
        desk: &Desk,
    ) -> Result<Tried, String> {
        let route = self.route_to(reading, Some(site))?;
        let destination = Destination::along(&route).map_err(|error| error.to_string())?;
        let mut caller = Caller::new(&destination, &reading.dialect);
        caller.open().await.map_err(|error| error.to_string())?;
        let mut pen = Pen::new(desk.clone());
        let client = Clients::number(self.plan.loads.len(), take_number(site));
        let mut tried = Tried::default();
        for _ in 0..WRITES {
            let Some(sequence) = pen.take(client) else {
                return Err("the ledger's disk is too slow".to_owned());
            };
            let value = format!("{:016x}", ledger_value(pen.name(client), sequence));
            let arguments = json!({ "client": pen.name(client), "sequence": sequence, "value": value, "epoch": epoch });
            let params = json!({ "name": "ledger_put", "arguments": arguments }).to_string();
            let sent = self.clock.now();
            let answer = caller.call("tools/call", params.as_bytes()).await;
            let fate = match &answer {
                Ok(Ok(_)) => Fate::Acknowledged,
                Ok(Err(_)) => Fate::Refused,
                Err(_) => Fate::Unknown,
            };
            match answer {
                Ok(Ok(_)) => tried.acknowledged += 1,
                Ok(Err(_)) => tried.refused += 1,
                Err(_) => tried.unanswered += 1,
            }
            pen.note(Attempt {
                client,
                sequence,
                sent,
                ended: self.clock.now(),
                fate,
                site: caller.by.map_or(NOBODY, |by| by.site),
                epoch: caller.by.map_or(0, |by| by.epoch),
            });
        }
        pen.hand_over();
        Ok(tried)
    }
}

/// Takes the epochs out that are over for a site that serves in this one now, or in none.
fn take_over(served: &mut BTreeSet<u64>, serves_in: Option<u64>) -> BTreeSet<u64> {
    let (still, over) = served.iter().partition(|epoch| Some(**epoch) == serves_in);
    *served = still;
    over
}

/// Each site has a stripe of its own among the clients that keep old addresses.
fn take_number(site: usize) -> u32 {
    site as u32 % crate::load::schedule::STRIPES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_that_is_over_is_proven_once_also_after_the_site_was_failed_back_to() {
        // It served in the first and the third epoch, and does so now.
        let mut served = BTreeSet::from([1, 3]);
        assert_eq!(take_over(&mut served, Some(3)), BTreeSet::from([1]));
        assert_eq!(take_over(&mut served, Some(3)), BTreeSet::new());
        // Another one serves.
        assert_eq!(take_over(&mut served, None), BTreeSet::from([3]));
        assert!(served.is_empty());
    }
}
