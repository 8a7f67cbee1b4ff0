//! Being wrong on command: told to those who will be.

use serde_json::json;

use super::config::Misbehaviour;
use super::ground::Ground;
use super::roles::tell;
use super::{backups, viewing};
use crate::front::answers::Order;
use crate::layout::PartConfig;
use crate::role::Role;
use crate::store::lies::Lies;
use crate::store::record::Record;
use crate::store::standing::Duty;

pub(super) async fn misbehave(ground: &Ground, how: Misbehaviour) -> Result<String, String> {
    let known = ground.misbehaviour.borrow().contains(&how);
    if !known {
        ground.misbehaviour.borrow_mut().push(how);
    }
    match how {
        Misbehaviour::AckBeforeFsync => {
            lie(ground, |lies| lies.ack_before_fsync = true).await;
            Ok(
                "every store acknowledges writes up to a second before they are on the disk"
                    .to_owned(),
            )
        }
        Misbehaviour::LoseAcknowledgedWrite | Misbehaviour::ReorderWrites if known => {
            Ok("it was done before".to_owned())
        }
        Misbehaviour::LoseAcknowledgedWrite => lose(ground).await,
        Misbehaviour::ReorderWrites => reorder(ground).await,
        Misbehaviour::Relapse => relapse(ground).await,
        Misbehaviour::NoFencing | Misbehaviour::PartialGoodput | Misbehaviour::SlowRecovery => {
            tell_director(ground, how).await
        }
        Misbehaviour::RestoreStaleBackup => Ok("restores take the oldest backup".to_owned()),
        Misbehaviour::SkipRestore => Ok("restores do nothing, and say that they did".to_owned()),
    }
}

/// Every store is told, now and whenever it is started.
async fn lie(ground: &Ground, change: impl Fn(&mut Lies)) {
    for unit in ground.units(|unit| unit.role == Role::Store) {
        let lies = match &mut *unit.part.borrow_mut() {
            PartConfig::Store(store) => {
                change(&mut store.lies);
                store.lies.clone()
            }
            PartConfig::Pod(_)
            | PartConfig::Front(_)
            | PartConfig::Director(_)
            | PartConfig::Network(_) => continue,
        };
        // One that does not run hears it when it is started.
        let _ = tell(unit.address, "/control/lies", &lies).await;
    }
}

/// Records of the store that serves.
async fn records(ground: &Ground) -> Result<Vec<Record>, String> {
    for (at, site) in ground.sites.iter().enumerate() {
        let store = viewing::store(ground, at).await;
        if store.is_some_and(|store| store.duty == Duty::Serving && store.last > 0) {
            return backups::records(&site.store_directory());
        }
    }
    Err("no store serves and has records".to_owned())
}

/// An old one.
async fn lose(ground: &Ground) -> Result<String, String> {
    let records = records(ground).await?;
    let record = &records[records.len() / 8];
    let position = record.position;
    lie(ground, |lies| {
        lies.hidden.insert(position);
    })
    .await;
    Ok(format!(
        "the acknowledged write {} of {} at position {position} is gone from every store",
        record.sequence, record.client
    ))
}

async fn reorder(ground: &Ground) -> Result<String, String> {
    let records = records(ground).await?;
    let from = &records[records.len() / 4..];
    let pair = from.iter().enumerate().find_map(|(at, first)| {
        let same =
            |later: &&Record| later.client == first.client && later.sequence > first.sequence;
        Some((first, from[at + 1..].iter().find(same)?))
    });
    let (first, second) = pair.ok_or("no client has written twice")?;
    lie(ground, |lies| {
        lies.instead.insert(first.position, second.position);
        lies.instead.insert(second.position, first.position);
    })
    .await;
    Ok(format!(
        "the writes {} and {} of {} have changed places in every store",
        first.sequence, second.sequence, first.client
    ))
}

async fn tell_director(ground: &Ground, how: Misbehaviour) -> Result<String, String> {
    if let Some(director) = ground.director {
        tell(director.commands, "/misbehave", &how).await?;
    }
    for unit in ground.units(|unit| unit.role == Role::Director) {
        if let PartConfig::Director(director) = &mut *unit.part.borrow_mut()
            && !director.misbehaviour.contains(&how)
        {
            director.misbehaviour.push(how);
        }
    }
    Ok(format!("{} from the next promotion on", json!(how)))
}

async fn relapse(ground: &Ground) -> Result<String, String> {
    for site in ground.sites.iter().filter(|site| site.powered.get()) {
        tell(site.front_control, "/control/answers", &Order::relapse()).await?;
    }
    Ok("every site fails its requests for three seconds".to_owned())
}
