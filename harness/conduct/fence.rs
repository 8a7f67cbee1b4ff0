//! A site that was replaced comes back, and clients that kept its address write to it: a fence holds when every
//! such write is refused. What is acknowledged all the same goes into the ledger, where it is split brain.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use firedrill_erlmcp::WRITE_REFUSED;
use firedrill_erlmcp::world::DirectorView;
use firedrill_reports::recording::{Event, StepStage};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::plan::{Act, RecoveryStep, Target};
use firedrill_scenarios::template::ledger_value;
use serde_json::json;

use super::hands::{Hands, Reading};
use super::script::Take;
use crate::clock::Nanos;
use crate::ledger::Clients;
use crate::ledger::entry::{Attempt, Fate, NOBODY};
use crate::ledger::pen::{Desk, Pen};
use crate::mcp::caller::{Answer, Caller};
use crate::mcp::destination::{Destination, Route};

/// Writes that are sent to a site that was replaced.
const WRITES: u32 = 5;
/// For an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// For pods to be ready again, and their door to know.
const COMES_BACK: Nanos = 5_000_000_000;
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// What came of them.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    refused: u32,
    acknowledged: u32,
    unknown: u32,
}

impl Tried {
    fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Acknowledged => self.acknowledged += 1,
            Fate::Refused => self.refused += 1,
            Fate::Unknown => self.unknown += 1,
        }
    }
}

/// A site in an epoch that is over, and what writing to it needs.
struct Stale<'a> {
    site: usize,
    epoch: u64,
    reading: &'a Reading,
    desk: &'a Desk,
}

impl Hands {
    /// After a site has come back, or clients were moved away from it: tries to write to it as in each epoch in which
    /// clients were sent to it, and which is over. Without a ledger nothing is written, and nothing said of writes.
    pub(super) async fn prove_fence(&self, take: Take) {
        let (Some(reading), Some(desk)) = (&self.reading, &self.desk) else {
            return;
        };
        for site in self.left_by_clients(take) {
            match self.over(site) {
                Ok(epochs) => {
                    for epoch in epochs {
                        let stale = Stale {
                            site,
                            epoch,
                            reading,
                            desk,
                        };
                        self.prove_over(take, &stale).await;
                    }
                }
                Err(reason) => {
                    let id = format!("{}-fence", self.id(take));
                    self.tell_of_fence(id, site, StepStage::Failed { reason });
                }
            }
        }
    }

    /// The sites that clients may have been moved away from by what was done.
    fn left_by_clients(&self, take: Take) -> Vec<usize> {
        match &self.plan.drill.actions[take.action].act {
            Act::Fault(fault) => fault.kind.site().into_iter().collect(),
            Act::Step(RecoveryStep::FailBack { site }) => self.others(*site),
            // Where something is broken, the site that it is done to is tried when it has come back.
            Act::Step(RecoveryStep::Reroute { site }) if self.in_force().is_empty() => {
                self.others(*site)
            }
            Act::Step(_) | Act::ReadBack { .. } => Vec::new(),
        }
    }

    fn others(&self, site: usize) -> Vec<usize> {
        let all = match &self.plan.target {
            Target::Embedded(embedded) => embedded.sites.len(),
            Target::Endpoint(_) => 0,
        };
        (0..all).filter(|other| *other != site).collect()
    }

    fn tell_of_fence(&self, id: String, site: usize, stage: StepStage) {
        let event = Event::Step {
            id,
            step: "prove-fence".to_owned(),
            on: self.plan.site_name(site).to_owned(),
            stage,
        };
        self.event(self.clock.now(), event);
    }

    /// Writes to the site as somebody does who thinks that it still serves in this epoch.
    async fn prove_over(&self, take: Take, stale: &Stale<'_>) {
        let epoch = stale.epoch;
        let id = format!("{}-fence-of-epoch-{epoch}", self.id(take));
        let tell = |stage| self.tell_of_fence(id.clone(), stale.site, stage);
        tell(StepStage::Started);
        match self.answered(stale).await {
            Ok(tried) if tried.refused == WRITES => {
                tell(StepStage::Done {
                    detail: format!("{WRITES} of {WRITES} writes in epoch {epoch} were refused"),
                });
            }
            Ok(tried) => tell(StepStage::Failed {
                reason: format!(
                    "of {WRITES} writes in epoch {epoch}, {} were acknowledged, {} refused as the fence does, and of {} \
                     nothing is known",
                    tried.acknowledged, tried.refused, tried.unknown
                ),
            }),
            Err(reason) => tell(StepStage::Failed { reason }),
        }
    }

    /// Tries again for as long as another fault may keep the site from answering, and while it comes to itself.
    async fn answered(&self, stale: &Stale<'_>) -> Result<Tried, String> {
        let began = self.clock.now();
        loop {
            let late = self.clock.now().saturating_sub(began) > COMES_BACK;
            let last = late && self.in_force().is_empty();
            let tried = self.write_to(stale).await;
            match &tried {
                Ok(tried) if tried.refused == WRITES || tried.acknowledged > 0 => {}
                Ok(_) | Err(_) if last => {}
                Ok(_) | Err(_) => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            return tried;
        }
    }

    /// Which site serves, and in which epoch, just before something is broken or clients are moved.
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
    ///
    /// # Errors
    /// When it served once, and nobody says whether it still does.
    fn over(&self, site: usize) -> Result<BTreeSet<u64>, String> {
        let name = self.plan.site_name(site);
        if self.served().get(name).is_none_or(BTreeSet::is_empty) {
            return Ok(BTreeSet::new());
        }
        let director = self.eyes.view()?.director;
        let director = director.ok_or("nobody says any more which site serves")?;
        let serves_in = (director.route == name).then_some(director.epoch);
        let mut served = self.served();
        let own = served.get_mut(name);
        Ok(own.map(|own| take_over(own, serves_in)).unwrap_or_default())
    }

    /// Writes through the site's front door; or to one of its pods, when the door sends everybody away, as a director
    /// has it do with a site that does not serve any more. Who is within already is not kept out by a door.
    async fn write_to(&self, stale: &Stale<'_>) -> Result<Tried, String> {
        let Stale { site, reading, .. } = *stale;
        let front = self.route_to(reading, Some(site))?;
        let view = self.eyes.view()?;
        let own = view.site(self.plan.site_name(site));
        let pods = own.into_iter().flat_map(|site| site.pods());
        let pods = pods
            .filter(|pod| pod.ready)
            .map(|pod| Route::plain(pod.address));
        let mut why = String::new();
        for route in std::iter::once(front).chain(pods) {
            let destination = Destination::along(&route).map_err(|error| error.to_string())?;
            let mut caller = Caller::new(&destination, &reading.dialect);
            match open(&mut caller).await {
                Ok(()) => return self.write_with(caller, stale).await,
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    async fn write_with(&self, mut caller: Caller<'_>, stale: &Stale<'_>) -> Result<Tried, String> {
        let mut pen = Pen::new(stale.desk.clone());
        let client = Clients::number(self.plan.loads.len(), take_number(stale.site));
        let mut tried = Tried::default();
        for _ in 0..WRITES {
            let Some(sequence) = pen.take(client) else {
                return Err("the ledger's disk is too slow".to_owned());
            };
            let name = pen.name(client);
            let value = format!("{:016x}", ledger_value(name, sequence));
            let arguments = json!({
                "client": name, "sequence": sequence, "value": value, "epoch": stale.epoch
            });
            let params = json!({ "name": "ledger_put", "arguments": arguments }).to_string();
            let sent = self.clock.now();
            let call = caller.call("tools/call", params.as_bytes());
            let fate = match tokio::time::timeout(PATIENCE, call).await {
                Ok(Ok(answer)) => fate(&answer),
                Ok(Err(_)) | Err(_) => Fate::Unknown,
            };
            tried.count(fate);
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

async fn open(caller: &mut Caller<'_>) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, caller.open()).await {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no session was opened within {PATIENCE:?}")),
    }
}

/// Only who says that the write was certainly not kept has refused it. Whatever else went wrong on its way, a limit or a
/// cut link, says nothing of a fence.
fn fate(answer: &Answer) -> Fate {
    match answer {
        Ok(_) => Fate::Acknowledged,
        Err((Outcome::RpcError(WRITE_REFUSED), _)) => Fate::Refused,
        Err(_) => Fate::Unknown,
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
    fn what_did_not_reach_the_fence_was_not_refused_by_it() {
        let error = |outcome| Err((outcome, String::new()));
        assert_eq!(fate(&Ok(json!({}))), Fate::Acknowledged);
        let refused = error(Outcome::RpcError(WRITE_REFUSED));
        assert_eq!(fate(&refused), Fate::Refused);
        for outcome in [
            // The store cannot be asked; a queue is full; the front door has nobody.
            Outcome::RpcError(-32603),
            Outcome::RpcError(-32010),
            Outcome::Http(429),
            Outcome::Http(503),
            Outcome::ToolError,
        ] {
            assert_eq!(fate(&error(outcome)), Fate::Unknown);
        }
    }

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
