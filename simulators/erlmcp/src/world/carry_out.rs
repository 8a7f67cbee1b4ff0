//! Requests carried out, each in the file of its kind.

use std::rc::Rc;

use super::failback::Asked;
use super::ground::Ground;
use super::request::{Done, Reply, Request};
use super::{
    backups, failback, links, marks, misbehave, pods, power, press, restore, roles, viewing,
};
use crate::clock;

pub(super) async fn carry_out(
    ground: &Rc<Ground>,
    request: Request,
    asked: Asked,
) -> Result<Reply, String> {
    match request {
        Request::View => Ok(Reply::View(Box::new(viewing::view(ground).await))),
        Request::Power { site, on } => done(power::site(ground, &site, on).await),
        Request::NodePower { site, node, on } => done(power::node(ground, &site, &node, on).await),
        Request::Fence { site, epoch } => done(roles::fence(ground, &site, epoch).await),
        Request::Promote { site, epoch } => done(roles::promote(ground, &site, epoch).await),
        Request::Route { site } => done(roles::route(ground, &site).await),
        Request::ReplicationPause(on) => done(roles::pause(ground, on).await),
        Request::Wipe {
            site,
            backups,
            into,
        } => done(restore::wipe(ground, &site, backups, &into).await),
        Request::Unwipe { site, from } => done(restore::unwipe(ground, &site, &from).await),
        Request::Rebuild { site } => done(restore::rebuild(ground, &site).await),
        Request::Restore {
            site,
            of,
            from,
            backup,
        } => restore::restore(ground, &site, &of, from, &backup)
            .await
            .map(Reply::Restored),
        Request::BackupRemove {
            site,
            place,
            id,
            into,
        } => done(backups::take_away(ground, &site, place, &id, &into)),
        Request::BackupPut {
            site,
            place,
            id,
            from,
        } => done(backups::put_back(ground, &site, place, &id, &from)),
        Request::BackupDamage {
            site,
            place,
            id,
            into,
        } => done(backups::damage(ground, &site, place, &id, &into)),
        Request::Marks { since } => marks::read(&ground.marks_file(), since)
            .map(Reply::Marks)
            .map_err(|error| format!("the marks cannot be read: {error}")),
        Request::Cordon { site, node, on } => done(pods::cordon(ground, &site, &node, on)),
        Request::Evict { site, pod } => done(pods::evict(ground, &site, &pod).await),
        Request::Scale { site, pods } => done(pods::scale(ground, &site, pods).await),
        Request::RestartPod { site, pod } => done(pods::restart(ground, &site, &pod).await),
        Request::Behave {
            site,
            pod,
            service_factor,
        } => done(pods::behave(ground, &site, &pod, service_factor).await),
        Request::Press {
            site,
            pod,
            press: own,
        } => done(press::pod(ground, &site, &pod, own).await),
        Request::Certificate { site, expired } => {
            done(press::certificate(ground, &site, expired).await)
        }
        Request::Clock { ahead_ms } => done(press::clock(ground, ahead_ms).await),
        Request::Reverse { from, to } => done(failback::reverse(ground, &from, &to).await),
        Request::FailBack { to } => done(failback::fail_back(ground, &to, asked).await),
        Request::GiveUpFailBack => done(Ok(failback::give_up(ground))),
        Request::Misbehave(how) => done(misbehave::misbehave(ground, how).await),
        Request::Link { name, shape } => done(links::reshape(ground, &name, shape).await),
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
