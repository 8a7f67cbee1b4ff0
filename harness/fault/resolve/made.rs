//! What each fault does, step by step, with its undo and with what shows both.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use firedrill_erlmcp::world::{BackupView, LinkShape, LinkView, NodeView, Request, SiteView};
use firedrill_scenarios::plan;

use super::{ResolveError, all_of, front_of, newest_backup, on_node, pods};
use crate::fault::damage::Damage;
use crate::fault::pinned::{Change, Reversal, Sight, Step, Undo, Words};
use crate::fault::process::{Kick, Process};
use crate::fault::step::link_shape;

/// Steps, and what shows that they took effect.
pub(super) type Made = (Vec<Step>, Vec<Sight>);

pub(super) fn gone(processes: &[Process]) -> Vec<Sight> {
    vec![Sight::Gone(processes.to_vec())]
}

/// What ended comes back by itself: another process has its name and is ready.
pub(super) fn comes_back(site: &SiteView, process: &Process) -> Undo {
    Undo {
        change: Reversal::ByItself,
        ends: vec![Sight::Replaced {
            site: site.name.clone(),
            process: process.clone(),
        }],
    }
}

pub(super) fn kicks(site: &SiteView, processes: &[Process], kick: Kick) -> Vec<Step> {
    let step = |process: &Process| Step {
        what: format!("{} {} (pid {})", kick.as_str(), process.name, process.pid),
        change: Change::Kick {
            process: process.clone(),
            kick,
        },
        undo: comes_back(site, process),
    };
    processes.iter().map(step).collect()
}

pub(super) fn pauses(processes: &[Process]) -> Made {
    let step = |process: &Process| Step {
        what: format!("stop {} (pid {})", process.name, process.pid),
        change: Change::Kick {
            process: process.clone(),
            kick: Kick::Stop,
        },
        undo: Undo {
            change: Reversal::Kick {
                process: process.clone(),
                kick: Kick::Continue,
            },
            // A paused pod may have been replaced meanwhile: that is its owner's business.
            ends: vec![Sight::Going(process.clone())],
        },
    };
    (
        processes.iter().map(step).collect(),
        vec![Sight::Stopped(processes.to_vec())],
    )
}

fn cordon(site: &SiteView, node: &NodeView, on: bool) -> Request {
    Request::Cordon {
        site: site.name.clone(),
        node: node.name.clone(),
        on,
    }
}

pub(super) fn drain(site: &SiteView, node: &NodeView) -> Made {
    let cordoned = |on| Sight::Cordoned {
        site: site.name.clone(),
        node: node.name.clone(),
        on,
    };
    let mut steps = vec![Step {
        what: format!("cordon {} of {}", node.name, site.name),
        change: Change::Ask(cordon(site, node, true)),
        // A node that was cordoned before stays so.
        undo: Undo {
            change: Reversal::Ask(cordon(site, node, node.cordoned)),
            ends: vec![cordoned(node.cordoned), Sight::SiteReady(site.name.clone())],
        },
    }];
    let victims = on_node(site, node);
    steps.extend(victims.iter().map(|pod| Step {
        what: format!("evict {}", pod.name),
        change: Change::Ask(Request::Evict {
            site: site.name.clone(),
            pod: pod.name.clone(),
        }),
        undo: comes_back(site, pod),
    }));
    let empty = Sight::NodeEmpty {
        site: site.name.clone(),
        node: node.name.clone(),
    };
    (steps, vec![Sight::Gone(victims), cordoned(true), empty])
}

pub(super) fn node_loss(site: &SiteView, node: &NodeView) -> Made {
    let power = |on| Request::NodePower {
        site: site.name.clone(),
        node: node.name.clone(),
        on,
    };
    let step = Step {
        what: format!("cut the power of {} of {}", node.name, site.name),
        change: Change::Ask(power(false)),
        undo: Undo {
            change: Reversal::Ask(power(true)),
            ends: vec![
                Sight::NodePower {
                    site: site.name.clone(),
                    node: node.name.clone(),
                    on: true,
                },
                Sight::SiteReady(site.name.clone()),
            ],
        },
    };
    (vec![step], vec![Sight::Gone(on_node(site, node))])
}

pub(super) fn rolling_restart(site: &SiteView) -> Made {
    let victims: Vec<Process> = pods(site).filter_map(Process::of).collect();
    let step = |pod: &Process| Step {
        what: format!("restart {}", pod.name),
        change: Change::Ask(Request::RestartPod {
            site: site.name.clone(),
            pod: pod.name.clone(),
        }),
        undo: comes_back(site, pod),
    };
    (
        victims.iter().map(step).collect(),
        vec![Sight::Gone(victims)],
    )
}

pub(super) fn scale(site: &SiteView, count: u32) -> Made {
    let ask = |pods| Request::Scale {
        site: site.name.clone(),
        pods,
    };
    let has = |count| Sight::Pods {
        site: site.name.clone(),
        count,
    };
    let step = Step {
        what: format!(
            "scale {} from {} to {count} pods",
            site.name, site.wanted_pods
        ),
        change: Change::Ask(ask(count)),
        undo: Undo {
            change: Reversal::Ask(ask(site.wanted_pods)),
            ends: vec![has(site.wanted_pods), Sight::SiteReady(site.name.clone())],
        },
    };
    (vec![step], vec![has(count)])
}

pub(super) fn site_failure(site: &SiteView) -> Made {
    let power = |on| Request::Power {
        site: site.name.clone(),
        on,
    };
    let step = Step {
        what: format!("cut the power of site {}", site.name),
        change: Change::Ask(power(false)),
        undo: Undo {
            change: Reversal::Ask(power(true)),
            ends: vec![Sight::SiteReady(site.name.clone())],
        },
    };
    let effects = vec![Sight::Gone(all_of(site)), Sight::Refused(front_of(site))];
    (vec![step], effects)
}

pub(super) fn loss(site: &SiteView, backups: bool, into: PathBuf) -> Made {
    let what = if backups {
        format!(
            "take away site {}: processes, data and the backups kept there",
            site.name
        )
    } else {
        format!("take away site {}: processes and data", site.name)
    };
    let step = Step {
        what,
        change: Change::Ask(Request::Wipe {
            site: site.name.clone(),
            backups,
            into: into.clone(),
        }),
        undo: Undo {
            change: Reversal::Return {
                site: site.name.clone(),
                from: into,
            },
            ends: vec![Sight::SiteReady(site.name.clone())],
        },
    };
    let mut effects = vec![Sight::Gone(all_of(site)), Sight::Refused(front_of(site))];
    effects.push(Sight::Missing(site.data.clone()));
    if backups {
        effects.push(Sight::NoBackups(site.name.clone()));
    }
    (vec![step], effects)
}

/// Seen on the disk, and by who reads the records from the store.
pub(super) fn corruption(store: SocketAddr, damages: Vec<Damage>) -> Made {
    let step = |damage: &Damage| Step {
        what: format!(
            "change {} bytes at {} of {}",
            damage.was.len(),
            damage.offset,
            damage.path.display()
        ),
        change: Change::Damage(damage.clone()),
        undo: Undo {
            change: Reversal::Repair(damage.clone()),
            ends: vec![Sight::Undamaged(damage.clone())],
        },
    };
    let steps = damages.iter().map(step).collect();
    let served = |damage: &Damage| Sight::Served {
        store,
        damage: damage.clone(),
    };
    let mut effects: Vec<Sight> = damages.iter().map(served).collect();
    effects.extend(damages.into_iter().map(Sight::Damaged));
    (steps, effects)
}

/// The newest backup kept at the site is taken away, or damaged.
pub(super) fn backup(
    site: &SiteView,
    into: PathBuf,
    damage: bool,
) -> Result<(String, Made), ResolveError> {
    let BackupView { id, place, .. } = newest_backup(site)?.clone();
    let (name, from) = (site.name.clone(), into.clone());
    // Beside the store's own directory.
    let folder = site.data.with_file_name("backups").join(&id);
    if !folder.exists() {
        return Err(ResolveError::NoBackup { site: name });
    }
    let checksum = |fits| Sight::Checksum {
        folder: folder.clone(),
        fits,
    };
    let seen = |sound| Sight::Backup {
        site: site.name.clone(),
        id: id.clone(),
        sound,
    };
    let (what, request, effects) = if damage {
        let (site, id) = (name.clone(), id.clone());
        let request = Request::BackupDamage {
            site,
            place,
            id,
            into,
        };
        ("damage", request, vec![checksum(false), seen(false)])
    } else {
        let gone = Sight::NoBackup {
            site: site.name.clone(),
            id: id.clone(),
        };
        let (site, id) = (name.clone(), id.clone());
        let request = Request::BackupRemove {
            site,
            place,
            id,
            into,
        };
        let effects = vec![Sight::Missing(folder.clone()), gone];
        ("take away", request, effects)
    };
    let back = Request::BackupPut {
        site: name.clone(),
        place,
        id: id.clone(),
        from,
    };
    let step = Step {
        what: format!("{what} backup {id} of {name}"),
        change: Change::Ask(request),
        undo: Undo {
            change: Reversal::Ask(back),
            ends: vec![checksum(true), seen(true)],
        },
    };
    Ok((format!("backup {id} of {name}"), (vec![step], effects)))
}

pub(super) fn replication_pause() -> Made {
    let step = Step {
        what: "pause the shipping of records".to_owned(),
        change: Change::Ask(Request::ReplicationPause(true)),
        undo: Undo {
            change: Reversal::Ask(Request::ReplicationPause(false)),
            ends: vec![Sight::Shipping { paused: false }],
        },
    };
    (vec![step], vec![Sight::Shipping { paused: true }])
}

pub(super) fn by_command(command: &plan::Command, mark: &Path) -> Made {
    let words = |words: &[String]| Words {
        words: words.to_vec(),
        timeout: command.timeout,
        within: std::env::current_dir().ok(),
        mark: Some(mark.display().to_string()),
    };
    let check = |code| Sight::Says {
        words: words(&command.check),
        code,
    };
    let step = Step {
        what: format!("run `{}`", command.inject.join(" ")),
        change: Change::Run(words(&command.inject)),
        undo: Undo {
            change: Reversal::Run(words(&command.heal)),
            ends: vec![check(1)],
        },
    };
    (vec![step], vec![check(0)])
}
/// Bytes on a path through the network are delayed, slowed or stopped.
pub(super) fn disturbed(link: &LinkView, shape: plan::LinkShape) -> Made {
    let name = &link.name;
    let ask = |shape| Request::Link {
        name: name.clone(),
        shape,
    };
    let step = Step {
        what: format!("disturb the link {name}"),
        change: Change::Ask(ask(link_shape(shape))),
        undo: Undo {
            change: Reversal::Ask(ask(LinkShape::default())),
            ends: vec![
                Sight::LinkShape {
                    link: name.clone(),
                    open: true,
                },
                Sight::Clear(link.address),
            ],
        },
    };
    let effect = Sight::Disturbed {
        address: link.address,
        shape: link_shape(shape),
    };
    (vec![step], vec![effect])
}
