//! The other way round: the log is shipped back, and then the serving site hands over without losing a write.

use std::time::Duration;

use serde_json::json;

use super::config::ReplicationConfig;
use super::ground::Ground;
use super::marks::Instant;
use super::pods::unready;
use super::roles::{order_shipping, promote, route, tell};
use super::viewing::{self, StoreHealth};
use crate::store::standing::Duty;

/// For a store to catch up; longer than any drill has.
const PATIENCE: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(20);
/// So near has the standby to be before writes are stopped.
const NEAR: u64 = 200;

/// From now on `from` ships to `to`, which becomes a standby.
pub(super) async fn reverse(ground: &Ground, from: &str, to: &str) -> Result<String, String> {
    let (from_at, to_at) = (ground.site(from)?, ground.site(to)?);
    let replication = *ground.replication.borrow();
    let Some(old) = replication.filter(|_| from_at != to_at) else {
        return Err("there is no replication between two sites that could be reversed".to_owned());
    };
    let there = health(ground, to_at, to).await?;
    if there.duty == Duty::Serving {
        return Err(format!(
            "the store of `{to}` serves: fence it, or fail over, before"
        ));
    }
    let epoch = health(ground, from_at, from).await?.epoch;
    tell(
        ground.sites[to_at].store,
        "/control/standby",
        &json!({ "epoch": epoch }),
    )
    .await?;
    *ground.replication.borrow_mut() = Some(ReplicationConfig {
        from: from_at,
        to: to_at,
        ..old
    });
    ground.replication_paused.set(false);
    order_shipping(ground, to_at).await?;
    order_shipping(ground, from_at).await?;
    Ok(format!("`{from}` ships to `{to}`"))
}

/// Hands over to `to`. Asked again after it was done, nothing is left to do.
pub(super) async fn fail_back(ground: &Ground, to: &str) -> Result<String, String> {
    let to_at = ground.site(to)?;
    if health(ground, to_at, to).await?.duty == Duty::Serving {
        return Ok(format!("`{to}` serves already"));
    }
    let (from_at, serving) = serving(ground).await?;
    let from = ground.sites[from_at].config.name.clone();
    ground.mark(Instant::FailbackBegun, json!({ "from": from, "to": to }));
    let replication = *ground.replication.borrow();
    if replication.map(|way| (way.from, way.to)) != Some((from_at, to_at)) {
        reverse(ground, &from, to).await?;
    }
    all_ready(ground, to_at, to).await?;
    let lag = set_lag(ground, Duration::ZERO);
    let handed_over = hand_over(ground, (from_at, &from), to, serving.epoch + 1).await;
    // However it ended: a shorter lag that stays would lose less than the sites are said to.
    set_lag(ground, lag);
    match handed_over {
        Ok(promoted) => reverse(ground, to, &from).await.map(|_| promoted),
        Err(why) => {
            order_shipping(ground, from_at).await?;
            Err(why)
        }
    }
}

/// A line is shipped as soon as it is there, and the last one before somebody else takes any.
async fn hand_over(
    ground: &Ground,
    (from_at, from): (usize, &str),
    to: &str,
    epoch: u64,
) -> Result<String, String> {
    order_shipping(ground, from_at).await?;
    caught_up(ground, from_at, NEAR).await?;
    tell(
        ground.sites[from_at].store,
        "/control/fence",
        &json!({ "epoch": epoch }),
    )
    .await?;
    ground.mark(
        Instant::WritesStopped,
        json!({ "site": from, "epoch": epoch }),
    );
    ground.mark(
        Instant::Fenced,
        json!({ "site": from, "epoch": epoch, "reached": true }),
    );
    caught_up(ground, from_at, 0).await?;
    ground.mark(Instant::CaughtUp, json!({ "site": to }));
    let promoted = promote(ground, to, epoch).await?;
    if ground.director.is_some() {
        route(ground, to).await?;
    }
    Ok(promoted)
}

/// Returns when every pod gets requests: nobody is led home before somebody is there.
async fn all_ready(ground: &Ground, at: usize, name: &str) -> Result<(), String> {
    let done = async {
        while !unready(ground, at).await.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, done)
        .await
        .map_err(|_| format!("not all pods of `{name}` are ready after {PATIENCE:?}"))
}

async fn health(ground: &Ground, at: usize, name: &str) -> Result<StoreHealth, String> {
    let health = viewing::store(ground, at).await;
    health.ok_or_else(|| format!("the store of `{name}` does not answer"))
}

/// The site whose store serves the newest epoch.
async fn serving(ground: &Ground) -> Result<(usize, StoreHealth), String> {
    let mut found: Option<(usize, StoreHealth)> = None;
    for at in 0..ground.sites.len() {
        if let Some(store) = viewing::store(ground, at).await
            && store.duty == Duty::Serving
            && found
                .as_ref()
                .is_none_or(|(_, best)| best.epoch < store.epoch)
        {
            found = Some((at, store));
        }
    }
    found.ok_or_else(|| "no store serves".to_owned())
}

/// Returns the lag that there was.
fn set_lag(ground: &Ground, lag: Duration) -> Duration {
    let mut replication = ground.replication.borrow_mut();
    replication
        .as_mut()
        .map_or(lag, |way| std::mem::replace(&mut way.lag, lag))
}

/// Returns when the standby has all but `near` records.
async fn caught_up(ground: &Ground, from: usize, near: u64) -> Result<(), String> {
    let done = async {
        loop {
            let store = viewing::store(ground, from).await;
            if store.is_some_and(|store| store.is_shipped(near)) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, done)
        .await
        .map_err(|_| format!("the standby did not catch up within {PATIENCE:?}"))
}
