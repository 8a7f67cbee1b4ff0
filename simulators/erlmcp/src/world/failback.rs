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
/// How often a store is asked that may just be slow to answer.
const LOOKS: usize = 8;
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

/// Hands over to `to`. Asked again after it was done, nothing is left to do. One that comes to nothing leaves the log
/// going where it went before.
pub(super) async fn fail_back(ground: &Ground, to: &str, asked: Asked) -> Result<String, String> {
    let to_at = ground.site(to)?;
    if health(ground, to_at, to).await?.duty == Duty::Serving {
        return Ok(format!("`{to}` serves already"));
    }
    let (from_at, serving) = serving(ground).await?;
    let from = ground.sites[from_at].config.name.clone();
    ground.mark(Instant::FailbackBegun, json!({ "from": from, "to": to }));
    let before = Way::of(ground);
    match turn_round(ground, (from_at, &from), to, serving.epoch + 1, asked).await {
        Ok(promoted) => reverse(ground, to, &from).await.map(|_| promoted),
        Err(why) => {
            let there = store(ground, to_at).await;
            if there.is_none_or(|there| there.duty != Duty::Serving) {
                before.again(ground).await;
            }
            Err(why)
        }
    }
}

async fn turn_round(
    ground: &Ground,
    (from_at, from): (usize, &str),
    to: &str,
    epoch: u64,
    asked: Asked,
) -> Result<String, String> {
    let to_at = ground.site(to)?;
    let replication = *ground.replication.borrow();
    if replication.map(|way| (way.from, way.to)) != Some((from_at, to_at)) {
        reverse(ground, from, to).await?;
    }
    // Nobody is led home before somebody is there.
    wait(
        ground,
        asked,
        &format!("all pods of `{to}` are ready"),
        async || unready(ground, to_at).await.is_empty(),
    )
    .await?;
    let lag = set_lag(ground, Duration::ZERO);
    let handed_over = hand_over(ground, (from_at, from), to, epoch, asked).await;
    // However it ended: a shorter lag that stays would lose less than the sites are said to.
    set_lag(ground, lag);
    handed_over
}

/// A line is shipped as soon as it is there, and the last one before somebody else takes any.
async fn hand_over(
    ground: &Ground,
    (from_at, from): (usize, &str),
    to: &str,
    epoch: u64,
    asked: Asked,
) -> Result<String, String> {
    order_shipping(ground, from_at).await?;
    caught_up(ground, from_at, NEAR, asked).await?;
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
    caught_up(ground, from_at, 0, asked).await?;
    ground.mark(Instant::CaughtUp, json!({ "site": to }));
    let promoted = promote(ground, to, epoch).await?;
    if ground.director.is_some() {
        route(ground, to).await?;
    }
    Ok(promoted)
}

/// Returns when the standby has all but `near` records.
async fn caught_up(ground: &Ground, from: usize, near: u64, asked: Asked) -> Result<(), String> {
    wait(ground, asked, "the standby has caught up", async || {
        let store = viewing::store(ground, from).await;
        store.is_some_and(|store| store.is_shipped(near))
    })
    .await
}

async fn wait(
    ground: &Ground,
    asked: Asked,
    until: &str,
    done: impl AsyncFn() -> bool,
) -> Result<(), String> {
    let waits = async {
        while !done().await {
            if asked.is_given_up(ground) {
                return Err(format!("the failback was given up, before {until}"));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, waits)
        .await
        .unwrap_or_else(|_| Err(format!("it is not so within {PATIENCE:?} that {until}")))
}

/// When a failback was asked for: whatever was given up since then, it was too.
#[derive(Clone, Copy)]
pub(super) struct Asked(u64);

impl Asked {
    pub(super) fn now(ground: &Ground) -> Asked {
        Asked(ground.failbacks_given_up.get())
    }

    fn is_given_up(self, ground: &Ground) -> bool {
        self.0 != ground.failbacks_given_up.get()
    }
}

/// Those that were asked for until now come to nothing, as soon as they look.
pub(super) fn give_up(ground: &Ground) -> String {
    let given_up = &ground.failbacks_given_up;
    given_up.set(given_up.get() + 1);
    "no failback is waited for".to_owned()
}

/// Where the log goes.
struct Way {
    replication: Option<ReplicationConfig>,
    paused: bool,
}

impl Way {
    fn of(ground: &Ground) -> Way {
        Way {
            replication: *ground.replication.borrow(),
            paused: ground.replication_paused.get(),
        }
    }

    async fn again(self, ground: &Ground) {
        *ground.replication.borrow_mut() = self.replication;
        ground.replication_paused.set(self.paused);
        let Some(way) = self.replication else { return };
        for at in [way.to, way.from] {
            // A store that is gone hears it when it is started.
            let _ = order_shipping(ground, at).await;
        }
    }
}

/// What the store says of itself. A view does not wait long for an answer; one that is asked to act upon it looks again.
async fn store(ground: &Ground, at: usize) -> Option<StoreHealth> {
    for _ in 0..LOOKS {
        let seen = viewing::store(ground, at).await;
        if seen.is_some() {
            return seen;
        }
    }
    None
}

async fn health(ground: &Ground, at: usize, name: &str) -> Result<StoreHealth, String> {
    let health = store(ground, at).await;
    health.ok_or_else(|| format!("the store of `{name}` does not answer"))
}

/// The site whose store serves the newest epoch.
async fn serving(ground: &Ground) -> Result<(usize, StoreHealth), String> {
    let mut found: Option<(usize, StoreHealth)> = None;
    for at in 0..ground.sites.len() {
        if let Some(store) = store(ground, at).await
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
