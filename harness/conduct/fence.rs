//! A site that was replaced comes back, and clients that kept its address write to it: a fence holds when every
//! such write is refused. What is acknowledged all the same goes into the ledger, where it is split brain.

use std::collections::BTreeMap;
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
    /// After a site has come back: tries to write to it, when clients were sent to it once and are sent to another one
    /// now. Without a ledger nothing is written, and nothing said of writes.
    pub(super) async fn prove_fence(&self, take: Take) {
        let Act::Fault(fault) = &self.plan.drill.actions[take.action].act else {
            return;
        };
        let FaultKind::SiteFailure { site } = fault.kind else {
            return;
        };
        let (Some((name, epoch)), Some(reading), Some(desk)) =
            (self.replaced(site), &self.reading, &self.desk)
        else {
            return;
        };
        let id = format!("{}-fence", self.id(take));
        let tell = |stage| {
            let event = Event::Step {
                id: id.clone(),
                step: "prove-fence".to_owned(),
                on: name.clone(),
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
        self.served().insert(route, director.epoch);
    }

    fn served(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        // A map is whole at any time.
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The site's name, and the epoch in which it served, when clients are sent to another one.
    fn replaced(&self, site: usize) -> Option<(String, u64)> {
        let name = self.plan.site_name(site);
        let epoch = self.served().get(name).copied()?;
        let director = self.eyes.view().ok()?.director?;
        (director.route != name).then(|| (name.to_owned(), epoch))
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

/// Each site has a stripe of its own among the clients that keep old addresses.
fn take_number(site: usize) -> u32 {
    site as u32 % crate::load::schedule::STRIPES
}
