//! Pods ended with their grace, moved, added, taken away, slowed down.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::Signal;
use serde::Serialize;
use serde_json::json;

use super::ground::{Ground, pod_addresses};
use super::roles::tell;
use super::unit::{Life, Unit};
use super::viewing;
use crate::layout::PartConfig;
use crate::proc;
use crate::role::Role;
use crate::site::PODS_MAX;

/// From SIGTERM to SIGKILL: a pod gives its requests less.
const GRACE: Duration = Duration::from_secs(2);
/// For the disruption budget to have room, or a pod to be ready.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn cordon(ground: &Ground, site: &str, node: &str, on: bool) -> Result<String, String> {
    let at = ground.site(site)?;
    let number = ground.node(at, node)?;
    ground.sites[at].nodes[number].cordoned.set(on);
    ground.changes.send_replace(());
    let word = if on { "takes no pods" } else { "takes pods" };
    Ok(format!("`{node}` {word}"))
}

/// As a drain does it: waits for room in the disruption budget, and gives up when none comes.
pub(super) async fn evict(ground: &Rc<Ground>, site: &str, name: &str) -> Result<String, String> {
    let at = ground.site(site)?;
    let pod = pod(ground, at, name)?;
    let budget = ground.sites[at].config.disruption_budget;
    let has_room = async {
        loop {
            let missing = unready(ground, at).await;
            if missing.iter().filter(|missing| **missing != name).count() < budget as usize {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(PATIENCE, has_room).await.is_err() {
        return Err(format!(
            "evicting `{name}` would leave more pods of `{site}` missing than its disruption budget of {budget} allows"
        ));
    }
    move_pod(ground, at, &pod);
    end(&pod).await;
    ground.changes.send_replace(());
    set_front(ground, at).await;
    let node = pod.node.get().map(|node| &ground.sites[at].nodes[node]);
    let node = node.map_or("", |node| &node.name);
    Ok(format!("`{name}` was ended, and belongs to `{node}`"))
}

/// To the node with the fewest pods that takes them. Without one it stays, and waits.
fn move_pod(ground: &Ground, at: usize, pod: &Unit) {
    let nodes = &ground.sites[at].nodes;
    let here = pod.node.get();
    let load = |node: usize| {
        let there = |unit: &Unit| unit.site == Some(at) && unit.node.get() == Some(node);
        ground
            .units(|unit| there(unit) && !unit.retired.get())
            .len()
    };
    let open = (0..nodes.len())
        .filter(|&node| Some(node) != here)
        .filter(|&node| nodes[node].powered.get() && !nodes[node].cordoned.get());
    if let Some(node) = open.min_by_key(|&node| load(node)) {
        pod.node.set(Some(node));
        if let PartConfig::Pod(part) = &mut *pod.part.borrow_mut() {
            part.node.clone_from(&nodes[node].name);
        }
    }
}

pub(super) async fn restart(ground: &Rc<Ground>, site: &str, name: &str) -> Result<String, String> {
    let at = ground.site(site)?;
    let pod = pod(ground, at, name)?;
    end(&pod).await;
    let is_ready = async {
        // Gone first, so that what is ready is the pod that was started again.
        while pod.pid().is_none()
            || unready(ground, at)
                .await
                .iter()
                .any(|missing| missing == name)
        {
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(PATIENCE, is_ready).await {
        Ok(()) => Ok(format!("`{name}` is ready again")),
        Err(_) => Err(format!(
            "`{name}` was ended and is not ready after {PATIENCE:?}"
        )),
    }
}

pub(super) async fn scale(ground: &Rc<Ground>, site: &str, count: u32) -> Result<String, String> {
    let at = ground.site(site)?;
    if !(1..=PODS_MAX).contains(&count) {
        return Err(format!("{count} pods: say 1 to {PODS_MAX}"));
    }
    let own = pods(ground, at);
    let before = own.len() as u32;
    for number in before..count {
        let unit = ground.pod(at, number)?;
        ground.units.borrow_mut().push(unit.clone());
        ground.tend(unit);
    }
    let surplus = own.get(count as usize..).unwrap_or_default();
    surplus.iter().for_each(|unit| unit.retired.set(true));
    // The door stops sending requests before the pods end.
    set_front(ground, at).await;
    ground.sites[at].pods_wanted.set(count);
    for unit in surplus {
        end(unit).await;
    }
    ground.units.borrow_mut().retain(|unit| !unit.retired.get());
    ground.changes.send_replace(());
    Ok(format!("`{site}` had {before} pods and has {count}"))
}

pub(super) async fn behave(
    ground: &Ground,
    site: &str,
    name: &str,
    service_factor: f64,
) -> Result<String, String> {
    let message = json!({ "service_factor": service_factor });
    let is_usual = service_factor == 1.0;
    match command(ground, site, name, "/control/behave", &message).await? {
        None if !is_usual => Err(format!("`{name}` does not run")),
        Some(_) | None => Ok(format!("`{name}` takes {service_factor} times as long")),
    }
}

/// Tells a pod something that it forgets when it is started again. `None`: it does not run, and has forgotten it.
pub(super) async fn command(
    ground: &Ground,
    site: &str,
    name: &str,
    path: &str,
    message: &impl Serialize,
) -> Result<Option<Bytes>, String> {
    let at = ground.site(site)?;
    // One that is not wanted any more is not there either.
    let Ok(pod) = pod(ground, at, name) else {
        return Ok(None);
    };
    let control = pod.control.ok_or("a pod takes commands")?;
    let before = pod.life();
    match tell(control, path, message).await {
        Ok(answer) => Ok(Some(answer)),
        // It may have ended meanwhile.
        Err(_) if !matches!(before, Life::Running { .. }) || pod.ends_soon(&before).await => {
            Ok(None)
        }
        Err(reason) => Err(reason),
    }
}

/// The pods of a site that are wanted, by their numbers.
fn pods(ground: &Ground, at: usize) -> Vec<Rc<Unit>> {
    ground.units(|unit| unit.site == Some(at) && unit.role == Role::Pod && !unit.retired.get())
}

fn pod(ground: &Ground, at: usize, name: &str) -> Result<Rc<Unit>, String> {
    let own = pods(ground, at);
    own.iter()
        .find(|unit| unit.name == name)
        .cloned()
        .ok_or_else(|| {
            let known: Vec<_> = own.iter().map(|unit| unit.name.as_str()).collect();
            format!("there is no pod `{name}`; there are {}", known.join(", "))
        })
}

/// Names of pods that get no requests just now.
pub(super) async fn unready(ground: &Ground, at: usize) -> Vec<String> {
    let ready = viewing::pods(ground.sites[at].front_control).await;
    // The door may not have noticed yet that one has ended, or was stopped.
    let runs = |unit: &Unit| match unit.life() {
        Life::Running { pid, .. } => !proc::is_stopped(pid),
        Life::Gone(_) | Life::Starting(_) => false,
    };
    let is_missing = |unit: &Rc<Unit>| !runs(unit) || !ready.contains(&unit.name);
    let own = pods(ground, at).into_iter();
    own.filter(is_missing)
        .map(|unit| unit.name.clone())
        .collect()
}

/// SIGTERM, grace, SIGKILL; returns when it is gone.
async fn end(unit: &Unit) {
    unit.signal(Signal::TERM);
    if tokio::time::timeout(GRACE, unit.gone()).await.is_err() {
        unit.signal(Signal::KILL);
        unit.gone().await;
    }
}

/// Tells the front door which pods there are, now and whenever it is started.
async fn set_front(ground: &Ground, at: usize) {
    let site = &ground.sites[at];
    let addresses = pod_addresses(site, &pods(ground, at));
    for unit in ground.units(|unit| unit.site == Some(at) && unit.role == Role::Front) {
        if let PartConfig::Front(front) = &mut *unit.part.borrow_mut() {
            front.pods.clone_from(&addresses);
        }
        // One that is being started was told the pods of before.
        unit.settled().await;
    }
    // A door that is not there is told when it is started.
    let _ = tell(site.front_control, "/control/pods", &addresses).await;
}
