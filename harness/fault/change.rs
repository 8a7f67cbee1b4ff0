//! Changes and their reversals, carried out. Each may be asked for twice: the second time changes nothing.

use std::io;
use std::path::{Path, PathBuf};

use firedrill_erlmcp::world::{Kept, Request, SiteView, World, WorldError};

use super::hostile;
use super::limit::Limit;
use super::pinned::{Change, Reversal, Words};
use super::process::Process;
use super::program::{end_marked, run};
use super::settle::{self, Missing};

#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the target refused: {0}")]
    World(#[from] WorldError),
    #[error("the target has no controls: it is no stand-in")]
    NoWorld,
    #[error("{what}: {source}")]
    System { what: String, source: io::Error },
    #[error(
        "{name} (pid {pid}) had ended, or another process had its number, before it was hit: nothing was hit"
    )]
    Gone { name: String, pid: u32 },
    #[error(
        "nobody can say whether site {site} was built anew: its data is left as it is; heal again when its directory \
         can be read"
    )]
    Unsure { site: String },
    #[error(
        "what was taken from site {site} is not at `{}` any more: put it back there, or heal where the run's folder is \
         now", from.display()
    )]
    NotThere { site: String, from: PathBuf },
    #[error(
        "nobody can say who takes writes since steps of recovery touched site {site}: heal again when the director and \
         the store of the site that was promoted last answer"
    )]
    Unsettled { site: String },
    #[error("`{words}` {how}")]
    Command { words: String, how: String },
}

/// Does it; a program is ended when the run is `ending`.
///
/// # Errors
/// When it could not be done: also when the process is gone that was to be hit, since its end is not ours then.
pub fn make(
    change: &Change,
    world: Option<&World>,
    ending: &dyn Fn() -> bool,
) -> Result<(), ChangeError> {
    match change {
        Change::Ask(request) => ask(request, world),
        Change::Kick { process, kick } => match process.kick(*kick) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ChangeError::Gone {
                name: process.name.clone(),
                pid: process.pid,
            }),
            Err(source) => Err(not_signalled(process, source)),
        },
        Change::Damage(damage) => damage.make().map_err(|source| ChangeError::System {
            what: "the damage cannot be made".to_owned(),
            source,
        }),
        Change::Run(words) => must_succeed(words, words.mark.as_deref(), ending),
        Change::Limit(limit) => limited(limit),
        Change::Attack(attack) => hostile::start(attack).map_err(|source| ChangeError::System {
            what: "the hostile client cannot begin".to_owned(),
            source,
        }),
    }
}

/// Ends what still works for a change of which nobody knows whether it was done to its end.
///
/// # Errors
/// When it cannot be ended.
pub fn end_unfinished(reversal: &Reversal) -> Result<(), ChangeError> {
    let Reversal::Run(Words {
        words,
        mark: Some(mark),
        ..
    }) = reversal
    else {
        return Ok(());
    };
    end_marked(mark).map_err(|error| ChangeError::Command {
        words: words.join(" "),
        how: error.to_string(),
    })
}

/// Undoes it, or finds that there is nothing to undo.
///
/// # Errors
/// When it could not be undone.
pub fn reverse(reversal: &Reversal, world: Option<&World>) -> Result<(), ChangeError> {
    match reversal {
        Reversal::ByItself => Ok(()),
        Reversal::Ask(request) => ask(request, world),
        // What is gone meanwhile needs no undoing.
        Reversal::Kick { process, kick } => process
            .kick(*kick)
            .map(drop)
            .map_err(|source| not_signalled(process, source)),
        Reversal::Repair(damage) => damage.repair().map_err(|source| ChangeError::System {
            what: format!("{} cannot be repaired", damage.path.display()),
            source,
        }),
        Reversal::Return { site, from } => give_back(site, from, world),
        Reversal::Settle { site } => settle(site, world),
        Reversal::Run(words) => must_succeed(words, None, &|| false),
        Reversal::Limit(limit) => limited(limit),
        Reversal::EndAttack { fault } => {
            hostile::stop(fault);
            Ok(())
        }
    }
}

fn limited(limit: &Limit) -> Result<(), ChangeError> {
    limit.set().map(drop).map_err(|source| ChangeError::System {
        what: format!("the limits of {} cannot be set", limit.process.name),
        source,
    })
}

fn not_signalled(process: &Process, source: io::Error) -> ChangeError {
    ChangeError::System {
        what: format!("{} cannot be signalled", process.name),
        source,
    }
}

/// Gives a site back what was taken away, and its power; or takes that away for good, when the site was built anew.
/// Where nobody can say which, nothing is moved.
fn give_back(name: &str, from: &Path, world: Option<&World>) -> Result<(), ChangeError> {
    let view = world.ok_or(ChangeError::NoWorld)?.view()?;
    let own = view.site(name);
    if own.is_some_and(|own| store_of(own, from).exists()) && stands(name, own)? {
        // What was there before has no owner any more.
        return remove(from);
    }
    let site = name.to_owned();
    if from.exists() {
        let (site, from) = (site.clone(), from.to_owned());
        ask(&Request::Unwipe { site, from }, world)?;
    } else if own.is_some_and(|own| own.away.as_deref() == Some(from)) && !stands(name, own)? {
        return Err(ChangeError::NotThere {
            site,
            from: from.to_owned(),
        });
    }
    ask(&Request::Power { site, on: true }, world)
}

/// Goes on from where steps of recovery came to their end. Nobody is sent to a site before it takes writes.
fn settle(name: &str, world: Option<&World>) -> Result<(), ChangeError> {
    /// A site is promoted, clients are sent to it, and another one keeps a copy of it.
    const MOST: usize = 3;
    let world = world.ok_or(ChangeError::NoWorld)?;
    for _ in 0..MOST {
        let view = world.view()?;
        let request = match settle::missing(&view, name) {
            Some(Missing::Nothing) => break,
            Some(Missing::Promotion(site)) => Request::Promote {
                site,
                epoch: settle::next_epoch(&view),
            },
            Some(Missing::Route(site)) => Request::Route { site },
            Some(Missing::Copy { from, to }) => Request::Reverse { from, to },
            None => {
                return Err(ChangeError::Unsettled {
                    site: name.to_owned(),
                });
            }
        };
        ask(&request, Some(world))?;
    }
    Ok(())
}

/// Where a site's store is that was moved to this folder.
fn store_of(site: &SiteView, from: &Path) -> PathBuf {
    from.join(site.data.file_name().unwrap_or_default())
}

/// The site was built anew, to its end: on its disk is a store that holds records and is not fenced. One whose
/// rebuilding broke off before has nothing that would be worth more than what was taken away. Who asks the store
/// itself learns nothing while it is just not there, though it may hold all that clients wrote since.
fn stands(name: &str, site: Option<&SiteView>) -> Result<bool, ChangeError> {
    match site.map_or(Kept::Unknown, |site| site.kept) {
        Kept::Records => Ok(true),
        Kept::Nothing | Kept::Fenced => Ok(false),
        Kept::Unknown => Err(ChangeError::Unsure {
            site: name.to_owned(),
        }),
    }
}

fn remove(folder: &Path) -> Result<(), ChangeError> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ChangeError::System {
            what: format!("{} cannot be removed", folder.display()),
            source,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn ask(request: &Request, world: Option<&World>) -> Result<(), ChangeError> {
    let world = world.ok_or(ChangeError::NoWorld)?;
    world.ask(request)?;
    Ok(())
}

fn must_succeed(
    words: &Words,
    mark: Option<&str>,
    ending: &dyn Fn() -> bool,
) -> Result<(), ChangeError> {
    let failed = |how: String| ChangeError::Command {
        words: words.words.join(" "),
        how,
    };
    match run(words, mark, ending) {
        Ok(Some(0)) => Ok(()),
        Ok(Some(code)) => Err(failed(format!("ended with {code}"))),
        Ok(None) if ending() => Err(failed("was ended with the run".to_owned())),
        Ok(None) => Err(failed(format!("did not end within {:?}", words.timeout))),
        Err(error) => Err(failed(format!("cannot be run: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::process::{self, Kick, State};
    use super::super::program::tests::words;
    use super::super::resolve::tests::standing;
    use super::*;

    #[test]
    fn a_process_that_was_replaced_since_it_was_pinned_is_not_hit() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let now = process::identify("sleep", child.id()).unwrap();
        for kick in [Kick::Kill, Kick::Terminate, Kick::Stop] {
            // The number is right, and the process is another one than was pinned.
            let pinned = Process {
                started: now.started - 1,
                ..now.clone()
            };
            let process = pinned.clone();
            let error = make(&Change::Kick { process, kick }, None, &|| false).unwrap_err();
            assert!(error.to_string().contains("nothing was hit"), "{error}");
            assert_eq!(now.state(), State::Running);
            assert!(child.try_wait().unwrap().is_none());
            // To undo it is no error, and hits nothing either.
            let undo = Reversal::Kick {
                process: pinned,
                kick: Kick::Terminate,
            };
            reverse(&undo, None).unwrap();
            assert!(child.try_wait().unwrap().is_none());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_site_that_was_built_anew_stands_also_while_its_store_does_not_answer() {
        let site = |kept| SiteView {
            kept,
            ..standing("a", Vec::new(), Vec::new())
        };
        let stands = |kept| stands("a", Some(&site(kept)));
        assert!(stands(Kept::Records).unwrap());
        assert!(!stands(Kept::Nothing).unwrap());
        // Filled from a backup, and never promoted.
        assert!(!stands(Kept::Fenced).unwrap());
        let error = stands(Kept::Unknown).unwrap_err().to_string();
        assert!(error.contains("left as it is"), "{error}");
    }

    #[test]
    fn a_program_that_still_works_for_a_change_is_ended_before_it_is_undone() {
        let mark = format!("unit/change/{}", std::process::id());
        let marked = Words {
            mark: Some(mark.clone()),
            ..words(&["sleep", "600"], 600_000)
        };
        let undo = Reversal::Run(marked.clone());
        let works = std::thread::spawn(move || run(&marked, Some(&mark), &|| false));
        while !works.is_finished() {
            end_unfinished(&undo).unwrap();
        }
        assert_eq!(works.join().unwrap().unwrap(), Some(128 + 9));
        // Nothing is found where nothing works any more.
        end_unfinished(&undo).unwrap();
        end_unfinished(&Reversal::ByItself).unwrap();
    }

    #[test]
    fn a_program_that_takes_too_long_has_failed() {
        let error = must_succeed(&words(&["sleep", "60"], 50), None, &|| false).unwrap_err();
        assert_eq!(error.to_string(), "`sleep 60` did not end within 50ms");
    }
}
