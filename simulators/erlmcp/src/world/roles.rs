//! Who serves: fencing, promoting, the route, and which way the log goes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::ground::Ground;
use super::marks::Instant;
use crate::ask;
use crate::director::{Ownership, recover_badly};
use crate::layout::PartConfig;
use crate::role::Role;
use crate::store::shipping::Last;

const PATIENCE: Duration = Duration::from_secs(2);

/// Posts a message and returns the answer.
pub(super) async fn tell(
    at: SocketAddr,
    path: &str,
    message: &impl Serialize,
) -> Result<Bytes, String> {
    let body = serde_json::to_vec(message).map_err(|error| error.to_string())?;
    ask::post(at, path, body.into(), PATIENCE).await
}

/// A store that cannot be reached learns it from the director when it comes back.
pub(super) async fn fence(ground: &Ground, site: &str, epoch: u64) -> Result<String, String> {
    let at = ground.site(site)?;
    let store = ground.sites[at].store;
    let told = tell(store, "/control/fence", &json!({ "epoch": epoch })).await;
    if let Err(reason) = &told
        && ground.director.is_none()
    {
        return Err(format!(
            "`{site}` cannot be fenced, and there is no director to tell it later: {reason}"
        ));
    }
    let reached = told.is_ok();
    let detail = json!({ "site": site, "epoch": epoch, "reached": reached });
    ground.mark(Instant::Fenced, detail);
    Ok(if reached {
        format!("the store of `{site}` is fenced at epoch {epoch}")
    } else {
        format!("the store of `{site}` is not there: it is fenced when it comes back")
    })
}

/// The director is told first: then nobody of an older epoch can serve any more.
pub(super) async fn promote(ground: &Ground, site: &str, epoch: u64) -> Result<String, String> {
    let at = ground.site(site)?;
    let misbehaviour = ground.misbehaviour.borrow().clone();
    recover_badly(&misbehaviour, ground.sites[at].front_control).await;
    if let Some(director) = ground.director {
        let ownership = Ownership {
            owner: site.to_owned(),
            epoch,
        };
        tell(director.commands, "/own", &ownership).await?;
    }
    let message = json!({ "epoch": epoch });
    let answer = tell(ground.sites[at].store, "/control/promote", &message).await?;
    let last = serde_json::from_slice::<Last>(&answer).map_err(|error| error.to_string())?;
    let detail = json!({ "site": site, "epoch": epoch, "last": last.last });
    ground.mark(Instant::Promoted, detail);
    Ok(format!(
        "`{site}` serves epoch {epoch} from position {}",
        last.last
    ))
}

pub(super) async fn route(ground: &Ground, site: &str) -> Result<String, String> {
    ground.site(site)?;
    let director = ground
        .director
        .ok_or("there is no director, hence no route")?;
    tell(director.commands, "/route", &json!({ "site": site })).await?;
    Ok(format!("clients are sent to `{site}`"))
}

pub(super) async fn pause(ground: &Ground, on: bool) -> Result<String, String> {
    let replication = *ground.replication.borrow();
    let from = replication.ok_or("there is no replication")?.from;
    ground.replication_paused.set(on);
    // A store that is gone hears it when it is started.
    let reached = order_shipping(ground, from).await.is_ok();
    let word = if on { "paused" } else { "goes on" };
    Ok(format!("replication {word} (store reached: {reached})"))
}

/// Tells a store where its lines go, now and whenever it is started.
pub(super) async fn order_shipping(ground: &Ground, at: usize) -> Result<(), String> {
    let shipping = ground.shipping(at);
    for unit in ground.units(|unit| unit.site == Some(at) && unit.role == Role::Store) {
        if let PartConfig::Store(store) = &mut *unit.part.borrow_mut() {
            store.shipping = shipping;
        }
    }
    tell(ground.sites[at].store, "/control/ship", &shipping).await?;
    Ok(())
}
