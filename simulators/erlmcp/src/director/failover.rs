//! Another site takes over: the epoch is given to it, the old store is fenced, the new one promoted, the route
//! switched.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::{Directed, Director, Ownership, State};
use crate::ask;
use crate::clock;
use crate::front::answers::Order;
use crate::store::shipping::Last;
use crate::world::{Instant, Misbehaviour, lost_records};

/// For a store that may be gone.
const FENCE_PATIENCE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to promote, and until the last one begins: who watches begins anew then.
const AGAIN: Duration = Duration::from_millis(100);
const PROMOTION: Duration = Duration::from_secs(2);
/// What a recovery takes longer that is told to be slow.
const SLOWNESS: Duration = Duration::from_secs(10);

/// Moves everything away from the site called `lost`.
pub(super) async fn fail_over(director: &Rc<Director>, lost: &str) -> Result<(), String> {
    let old = director.site(lost)?;
    let new = standby(director, lost).await?;
    hand_over(director, old, new).await
}

/// The site that clients are sent to answers again, after the epoch was given to another one that did not take over.
/// What the other one holds came from there: nothing is lost.
pub(super) async fn go_back(director: &Rc<Director>, route: &str) -> Result<(), String> {
    let owner = director.state().ownership.owner;
    hand_over(director, director.site(&owner)?, director.site(route)?).await
}

/// Each attempt has an epoch of its own, since one that failed may have been obeyed all the same: whoever serves an
/// older one is fenced as soon as it asks.
async fn hand_over(director: &Rc<Director>, old: &Directed, new: &Directed) -> Result<(), String> {
    let (from, to) = (&old.name, &new.name);
    director.mark(Instant::Decided, json!({ "from": from, "to": to }));
    let state = director.state();
    let epoch = state.ownership.epoch + 1;
    director.mark(
        Instant::FailoverBegun,
        json!({ "from": from, "to": to, "epoch": epoch }),
    );
    let ownership = Ownership {
        owner: new.name.clone(),
        epoch,
    };
    // From now on the old store is fenced when it comes back, whether it can be reached or not.
    director.keep(State {
        ownership: ownership.clone(),
        unfinished: true,
        ..state
    })?;
    if from != to {
        fence(director, old, epoch).await;
    }
    let misbehaviour = director.misbehaviour.borrow().clone();
    recover_badly(&misbehaviour, new.front_control).await;
    let last = promote(new, epoch).await?;
    director.mark(
        Instant::Promoted,
        json!({ "site": new.name, "epoch": epoch, "last": last }),
    );
    tell_what_was_lost(director, old, last).await;
    let now = director.state().ownership;
    if now != ownership {
        return Err(format!(
            "`{}` was given epoch {} meanwhile",
            now.owner, now.epoch
        ));
    }
    switch_route(director, &new.name).await
}

/// Before a promotion: what a site does that was told to recover badly.
pub(crate) async fn recover_badly(how: &[Misbehaviour], front_control: SocketAddr) {
    if how.contains(&Misbehaviour::SlowRecovery) {
        tokio::time::sleep(SLOWNESS).await;
    }
    if let Some(order) = Order::after_promotion(how)
        && let Ok(body) = serde_json::to_vec(&order)
    {
        let _ = ask::post(front_control, "/control/answers", body.into(), PATIENCE).await;
    }
}

/// The first other site whose store answers.
async fn standby<'a>(director: &'a Director, lost: &str) -> Result<&'a Directed, String> {
    for site in director.part.sites.iter().filter(|site| site.name != lost) {
        if ask::get(site.store, "/health", PATIENCE).await.is_ok() {
            return Ok(site);
        }
    }
    Err("no other site has a store that answers".to_owned())
}

async fn fence(director: &Director, old: &Directed, epoch: u64) {
    if director.is(Misbehaviour::NoFencing) {
        return;
    }
    let body = Bytes::from(json!({ "epoch": epoch }).to_string());
    let told = ask::post(old.store, "/control/fence", body, FENCE_PATIENCE).await;
    director.mark(
        Instant::Fenced,
        json!({ "site": old.name, "epoch": epoch, "reached": told.is_ok() }),
    );
}

async fn promote(new: &Directed, epoch: u64) -> Result<u64, String> {
    let until = clock::now() + PROMOTION;
    loop {
        let body = Bytes::from(json!({ "epoch": epoch }).to_string());
        match ask::post(new.store, "/control/promote", body, PATIENCE).await {
            Ok(answer) => {
                let last = serde_json::from_slice::<Last>(&answer);
                return last.map(|last| last.last).map_err(|e| e.to_string());
            }
            Err(why) if clock::now() >= until => return Err(why),
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

async fn tell_what_was_lost(director: &Director, old: &Directed, last: u64) {
    let log: PathBuf = old.log.clone();
    let lost = tokio::task::spawn_blocking(move || lost_records(&log, last)).await;
    if let Ok(lost) = lost {
        director.mark(Instant::Lost, lost.shown(&old.name));
    }
}

/// Sends clients to `site`. The doors of the others are asked to let go of those whom they have.
pub(super) async fn switch_route(director: &Rc<Director>, site: &str) -> Result<(), String> {
    let new = director.site(site)?;
    let state = director.state();
    let is_there = state.route == site;
    director.keep(State {
        route: site.to_owned(),
        unfinished: false,
        ..state
    })?;
    if is_there {
        return Ok(());
    }
    director.mark(Instant::RouteSwitched, json!({ "site": site }));
    // Who was told the old route last may use it for so long.
    let until = director.told_at.get() + director.part.config.route_ttl;
    tokio::task::spawn_local(tell_serving_again(director.clone(), site.to_owned(), until));
    drain(new.front_control, false).await;
    for other in director
        .part
        .sites
        .iter()
        .filter(|other| other.name != site)
    {
        tokio::task::spawn_local(drain(other.front_control, true));
    }
    Ok(())
}

/// A door that is gone has nobody to let go of.
async fn drain(front_control: SocketAddr, on: bool) {
    let body = Bytes::from(json!({ "on": on }).to_string());
    let _ = ask::post(front_control, "/control/drain", body, FENCE_PATIENCE).await;
}

async fn tell_serving_again(director: Rc<Director>, site: String, until: std::time::Instant) {
    tokio::time::sleep(until.saturating_duration_since(clock::now())).await;
    if director.state().route == site {
        director.mark(Instant::ServingAgain, json!({ "site": site }));
    }
}
