//! Recovery steps: what brings service back where firedrill does it and no director. Each is asked of the target
//! and then seen.

use std::io;
use std::time::Duration;

use firedrill_erlmcp::world::{self, Reply, Request, View, World};
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{self, BackupChoice, BackupPlace, Blocked, RecoveryStep, Target};

use super::change::{self, ChangeError};
use super::pinned::{Reversal, Sight, Undo, Words};
use super::seen::Eyes;
use super::settle::{next_epoch, serves};

/// How long what a step brings back may take to be seen.
const BACK: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("the target refused: {0}")]
    World(#[from] world::WorldError),
    #[error("the journal cannot be written, so nothing was done: {0}")]
    Journal(#[source] io::Error),
    #[error("the thread that waited for the target broke off: {0}")]
    Broken(String),
    #[error("it was done, and not seen: {0}")]
    NotSeen(String),
    #[error("{0}")]
    Unsound(String),
    #[error("the target has no controls: only a command can be a step of its recovery")]
    NoWorld,
}

/// Writes down, before it is done, what a step does that must not stay when nobody goes on from there.
pub type Note<'a> = &'a dyn Fn(&str, &Undo) -> io::Result<()>;

/// After each step that has a say in who takes writes, or in where clients are sent, somebody has to go on.
fn intend(note: Note<'_>, site: &str, what: &str) -> Result<(), StepError> {
    let site = site.to_owned();
    let undo = Undo {
        change: Reversal::Settle { site: site.clone() },
        ends: vec![Sight::Settled { site }],
    };
    note(what, &undo).map_err(StepError::Journal)
}

/// Does the step; what there is to say about it.
///
/// # Errors
/// When it could not be done, or did not do what it is for.
pub async fn perform(
    step: &RecoveryStep,
    plan: &Plan,
    eyes: &Eyes,
    fault_began_ns: u64,
    note: Note<'_>,
    ending: &dyn Fn() -> bool,
) -> Result<String, StepError> {
    if let RecoveryStep::Command(command) = step {
        let words = Words {
            words: command.inject.clone(),
            timeout: command.timeout,
            within: None,
            mark: None,
        };
        change::make(&super::pinned::Change::Run(words), None, ending)?;
        return Ok(format!("`{}` ended with 0", command.inject.join(" ")));
    }
    let world = eyes.world.as_ref().ok_or(StepError::NoWorld)?;
    match step {
        RecoveryStep::Fence { site } => {
            let site = name(plan, *site);
            let epoch = next_epoch(&world.view()?);
            intend(note, &site, &format!("fence {site} at epoch {epoch}"))?;
            world.ask(&Request::Fence {
                site: site.clone(),
                epoch,
            })?;
            Ok(format!("{site} refuses writes below epoch {epoch}"))
        }
        RecoveryStep::Promote { site } => {
            let site = name(plan, *site);
            let epoch = next_epoch(&world.view()?);
            intend(note, &site, &format!("promote {site} in epoch {epoch}"))?;
            world.ask(&Request::Promote {
                site: site.clone(),
                epoch,
            })?;
            ready(eyes, &site).await?;
            Ok(format!("{site} takes writes in epoch {epoch}"))
        }
        RecoveryStep::Rebuild { site } => {
            let site = name(plan, *site);
            world.ask(&Request::Rebuild { site: site.clone() })?;
            ready(eyes, &site).await?;
            Ok(format!("{site} stands again, empty"))
        }
        RecoveryStep::Restore {
            site,
            of,
            from,
            backup,
        } => {
            let sites = [name(plan, *site), name(plan, *of)];
            // What stands apart has nobody's clients.
            if site == of {
                intend(note, &sites[0], &in_its_place(&world.view()?, &sites[0]))?;
            }
            restore(world, sites, *from, *backup, fault_began_ns)
        }
        RecoveryStep::VerifyBackups { site } => verify_backups(world, &name(plan, *site)),
        RecoveryStep::Reroute { site } => {
            let site = name(plan, *site);
            intend(note, &site, &format!("send clients to {site}"))?;
            world.ask(&Request::Route { site: site.clone() })?;
            Ok(format!("clients are sent to {site}"))
        }
        RecoveryStep::FailBack { site } => {
            let site = name(plan, *site);
            let view = world.view()?;
            let store = view.site(&site).and_then(|own| own.store.as_ref());
            if store.is_some_and(serves) {
                return Ok(format!("{site} serves already: nobody is led back"));
            }
            intend(note, &site, &format!("fail back to {site}"))?;
            fail_back(world, &site, ending).await?;
            ready(eyes, &site).await?;
            Ok(format!("{site} serves again"))
        }
        RecoveryStep::Command(_) => Err(StepError::NoWorld),
    }
}

/// Between two looks at whether the run ends.
const LOOK: Duration = Duration::from_millis(20);

/// A failback waits for a site that may not come, and whoever heals would wait for the failback: with the run it ends.
async fn fail_back(world: &World, site: &str, ending: &dyn Fn() -> bool) -> Result<(), StepError> {
    let (own, to) = (world.clone(), site.to_owned());
    let mut asked = tokio::task::spawn_blocking(move || own.ask(&Request::FailBack { to }));
    let mut given_up = false;
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => {
                answer.map_err(|error| StepError::Broken(error.to_string()))??;
                return Ok(());
            }
            () = tokio::time::sleep(LOOK) => {
                if ending() && !std::mem::replace(&mut given_up, true) {
                    world.ask(&Request::GiveUpFailBack)?;
                }
            }
        }
    }
}

/// The newest backup of each place is there, and sound: how many there are, and which these are.
fn verify_backups(world: &World, name: &str) -> Result<String, StepError> {
    let view = world.view()?;
    let site = view
        .site(name)
        .ok_or_else(|| StepError::Unsound(format!("the target has no site called `{name}`")))?;
    let mut found = Vec::new();
    for (place, words) in [
        (world::Place::Local, "at the site"),
        (world::Place::OffSite, "off the site"),
    ] {
        let own = site.backups.iter().filter(|backup| backup.place == place);
        let newest = own.clone().max_by_key(|backup| backup.ended_ns);
        let newest =
            newest.ok_or_else(|| StepError::Unsound(format!("`{name}` has no backup {words}")))?;
        if !newest.sound {
            return Err(StepError::Unsound(format!(
                "the newest backup {words}, {}, is not sound: its bytes are not those that were backed up, or a record \
                 did not fit its checksum",
                newest.id
            )));
        }
        let all = own.clone().count();
        let sound = own.filter(|backup| backup.sound).count();
        found.push(format!(
            "{words} {sound} of {all} are sound, {} the newest of them",
            newest.id
        ));
    }
    Ok(found.join("; "))
}

/// What a restore does to a site's own store, for whoever finds it half done.
fn in_its_place(view: &View, name: &str) -> String {
    let data = view.site(name).map(|site| site.data.display().to_string());
    format!(
        "restore {name}: what it had before is kept as {}.aside-N",
        data.unwrap_or_default()
    )
}

fn restore(
    world: &World,
    [site, of]: [String; 2],
    from: BackupPlace,
    backup: BackupChoice,
    fault_began_ns: u64,
) -> Result<String, StepError> {
    let place = match from {
        BackupPlace::Local => world::Place::Local,
        BackupPlace::OffSite => world::Place::OffSite,
    };
    let which = match backup {
        BackupChoice::NewestSound => world::BackupChoice::NewestSoundBefore(fault_began_ns),
        BackupChoice::Newest => world::BackupChoice::Newest,
    };
    let reply = world.ask(&Request::Restore {
        site: site.clone(),
        of: of.clone(),
        from: place,
        backup: which,
    })?;
    let Reply::Restored(restored) = reply else {
        return Err(StepError::Unsound(format!(
            "{site} did not say what was restored"
        )));
    };
    if !restored.sound || restored.corrupt > 0 {
        return Err(StepError::Unsound(format!(
            "backup {} is not sound: {} of {} records do not fit their checksum",
            restored.backup, restored.corrupt, restored.records
        )));
    }
    let whose = match site == of {
        true => String::new(),
        false => format!(" of {of}"),
    };
    Ok(format!(
        "{} records from backup {}{whose} into an empty store of {site}, each checked",
        restored.records, restored.backup
    ))
}

async fn ready(eyes: &Eyes, site: &str) -> Result<(), StepError> {
    eyes.wait_for(&[Sight::SiteReady(site.to_owned())], BACK)
        .await
        .map_err(StepError::NotSeen)
}

fn name(plan: &Plan, site: usize) -> String {
    match &plan.target {
        Target::Embedded(embedded) => embedded.sites[site].name.clone(),
        Target::Endpoint(_) => String::new(),
    }
}

/// The plan's shape of a link, as the stand-in wants it.
pub fn link_shape(shape: plan::LinkShape) -> world::LinkShape {
    world::LinkShape {
        delay: shape.delay,
        jitter: shape.jitter,
        bandwidth: shape.bandwidth,
        blocked: match shape.blocked {
            Blocked::Nothing => world::Blocked::Nothing,
            Blocked::ToServer => world::Blocked::ToServer,
            Blocked::FromServer => world::Blocked::FromServer,
            Blocked::Both => world::Blocked::Both,
        },
        reset: shape.reset,
    }
}
