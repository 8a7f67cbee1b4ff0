//! Requests carried out, each in the file of its kind.

use std::rc::Rc;

use super::ground::Ground;
use super::request::{Done, Reply, Request};
use super::{marks, power, roles, viewing};
use crate::clock;

pub(super) async fn carry_out(ground: &Rc<Ground>, request: Request) -> Result<Reply, String> {
    match request {
        Request::View => Ok(Reply::View(Box::new(viewing::view(ground).await))),
        Request::Power { site, on } => done(power::site(ground, &site, on).await),
        Request::NodePower { site, node, on } => done(power::node(ground, &site, &node, on).await),
        Request::Fence { site, epoch } => done(roles::fence(ground, &site, epoch).await),
        Request::Promote { site, epoch } => done(roles::promote(ground, &site, epoch).await),
        Request::Route { site } => done(roles::route(ground, &site).await),
        Request::ReplicationPause(on) => done(roles::pause(ground, on).await),
        Request::Marks { since } => marks::read(&ground.marks_file(), since)
            .map(Reply::Marks)
            .map_err(|error| format!("the marks cannot be read: {error}")),
        Request::Cordon { .. }
        | Request::Evict { .. }
        | Request::Scale { .. }
        | Request::RestartPod { .. }
        | Request::Reverse { .. }
        | Request::FailBack { .. }
        | Request::Wipe { .. }
        | Request::Unwipe { .. }
        | Request::Rebuild { .. }
        | Request::Restore { .. }
        | Request::BackupRemove { .. }
        | Request::BackupPut { .. }
        | Request::BackupDamage { .. }
        | Request::Link { .. }
        | Request::Behave { .. }
        | Request::Misbehave(_) => Err("it cannot be asked for yet".to_owned()),
    }
}

fn done(outcome: Result<String, String>) -> Result<Reply, String> {
    outcome.map(|detail| {
        Reply::Done(Done {
            at_ns: clock::monotonic_ns(),
            detail,
        })
    })
}
