//! A fault whose victims have been chosen and pinned. Everything here can be written down and read by another
//! process: an undo stands alone.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill_erlmcp::world::{LinkShape, Request};
use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::gauge::Gauge;
use super::hostile::Attack;
use super::limit::Limit;
use super::process::{Kick, Process};
use crate::target::in_words;

/// Where data that faults took away is kept until it is healed, in the run's folder.
pub const QUARANTINE: &str = "quarantine";

#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// The action's id, with `#2` and so on for its repetitions.
    pub id: String,
    /// The kind's word.
    pub fault: &'static str,
    /// Whom it hits, in words.
    pub on: String,
    pub steps: Vec<Step>,
    /// What shows that it is in force; all of it.
    pub effects: Vec<Sight>,
}

impl Pinned {
    /// The processes that end when it is in force, and that no step hits by itself.
    pub fn ended(&self) -> impl Iterator<Item = &Process> {
        let gone = self.effects.iter().filter_map(|sight| {
            let Sight::Gone(processes) = sight else {
                return None;
            };
            Some(processes)
        });
        gone.flatten().filter(|process| {
            let hits = |step: &Step| matches!(&step.change, Change::Kick { process: own, .. } if own == *process);
            !self.steps.iter().any(hits)
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub what: String,
    pub change: Change,
    pub undo: Undo,
}

/// Something done to the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The stand-in's own controls: power, nodes, links.
    Ask(Request),
    Kick {
        process: Process,
        kick: Kick,
    },
    Damage(Damage),
    Run(Words),
    /// What the kernel lets a process have.
    Limit(Limit),
    /// A hostile client begins.
    Attack(Attack),
}

/// How a change is undone, and what shows that it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    pub change: Reversal,
    /// What has to be seen afterwards; all of it.
    pub ends: Vec<Sight>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversal {
    /// It comes back by itself, or was done in a step whose undo brings all of it back.
    ByItself,
    Ask(Request),
    Kick {
        process: Process,
        kick: Kick,
    },
    /// Put back what was there, if what was put there is there still.
    Repair(Damage),
    /// A site's data was moved away. A site that was built anew meanwhile is left as its owner has it now, and
    /// the old data goes; else it is moved back and the site gets its power again.
    Return {
        site: String,
        from: PathBuf,
    },
    /// A step of recovery touched this site: the one that was promoted last takes writes, and gets the clients.
    Settle {
        site: String,
    },
    Run(Words),
    /// What it might have before. A process that took its place has a limit of its own.
    Limit(Limit),
    /// The hostile client ends; one of a program that has ended has ended with it.
    EndAttack {
        fault: String,
    },
}

impl Reversal {
    /// What the run keeps for its target went with its folder, when that was moved here.
    pub fn find_in(&mut self, run: &Path) {
        let (Reversal::Return { from, .. } | Reversal::Ask(Request::BackupPut { from, .. })) = self
        else {
            return;
        };
        let moved = from.file_name().map(|name| run.join(QUARANTINE).join(name));
        let moved = moved.and_then(|moved| std::path::absolute(moved).ok());
        if let Some(moved) = moved.filter(|moved| !from.exists() && moved.exists()) {
            *from = moved;
        }
    }
}

/// A program and its arguments, as the user gave them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub words: Vec<String>,
    pub timeout: Duration,
    /// Where it is run: what it names is found from there, whoever runs it later.
    #[serde(default)]
    pub within: Option<PathBuf>,
    /// What is carried by all that the program of a fault starts; to be found by when it is undone.
    #[serde(default)]
    pub mark: Option<String>,
}

/// Something that can be seen from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// The kernel knows none of these processes any more.
    Gone(Vec<Process>),
    Stopped(Vec<Process>),
    Running(Vec<Process>),
    /// It is not stopped; it may have been replaced meanwhile.
    Going(Process),
    /// Nobody accepts connections there.
    Refused(SocketAddr),
    Accepts(SocketAddr),
    /// A connection is accepted, and nothing answers in time.
    Silent(SocketAddr),
    Missing(PathBuf),
    Exists(PathBuf),
    /// The bytes of a damaged place are the damaged ones; or, at the end, are not.
    Damaged(Damage),
    Undamaged(Damage),
    /// All pods that the site should have are ready, and its front door answers.
    SiteReady(String),
    /// The process of this name runs and is ready.
    Present {
        site: String,
        name: String,
    },
    /// Another process has the name of this one, and is ready.
    Replaced {
        site: String,
        process: Process,
    },
    SitePower {
        site: String,
        on: bool,
    },
    NodePower {
        site: String,
        node: String,
        on: bool,
    },
    Cordoned {
        site: String,
        node: String,
        on: bool,
    },
    /// No pod of the site is on the node.
    NodeEmpty {
        site: String,
        node: String,
    },
    Pods {
        site: String,
        count: u32,
    },
    /// A backup is listed, and is sound or is not.
    Backup {
        site: String,
        id: String,
        sound: bool,
    },
    NoBackup {
        site: String,
        id: String,
    },
    /// Clients are sent to the site that was promoted last, and it takes their writes; without a director, this one.
    Settled {
        site: String,
    },
    /// None is kept at the site.
    NoBackups(String),
    /// The log of a backup fits its manifest, byte for byte; or is there and does not.
    Checksum {
        folder: PathBuf,
        fits: bool,
    },
    /// Who asks the store for the record that was damaged gets another one.
    Served {
        store: SocketAddr,
        damage: Damage,
    },
    /// The other store's log stands still while that of the serving one grows; or follows it.
    Shipping {
        paused: bool,
    },
    /// What passes there is disturbed in this way; or in none.
    Disturbed {
        address: SocketAddr,
        shape: LinkShape,
    },
    Clear(SocketAddr),
    LinkShape {
        link: String,
        open: bool,
    },
    /// Somebody is connected from there.
    Sockets {
        from: Ipv4Addr,
        to: SocketAddr,
    },
    /// Nobody is.
    NoSockets {
        from: Ipv4Addr,
        to: SocketAddr,
    },
    /// Answers to this client lie about, since it does not take them.
    Unread {
        from: Ipv4Addr,
        to: SocketAddr,
    },
    /// The front door has counted so much of this client; it is asked where it takes commands.
    Client {
        counts: SocketAddr,
        from: Ipv4Addr,
        messages: u64,
        connections: u64,
    },
    /// The program ends with this code.
    Says {
        words: Words,
        code: i32,
    },
    /// A resource is used up, or there again.
    Gauge(Gauge),
}

impl fmt::Display for Reversal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reversal::ByItself => write!(out, "by itself"),
            Reversal::Ask(request) => write!(out, "{}", asked(request)),
            Reversal::Kick { process, kick } => {
                let Process { name, pid, .. } = process;
                write!(out, "{} {name} (pid {pid})", kick.as_str())
            }
            Reversal::Repair(damage) => write!(
                out,
                "put back {} bytes at {} of {}, where they still are the changed ones",
                damage.was.len(),
                damage.offset,
                damage.path.display()
            ),
            Reversal::Return { site, .. } => write!(
                out,
                "move the data of {site} back and give it power, unless it was built anew"
            ),
            Reversal::Settle { site } => write!(
                out,
                "have the site that was promoted last, or else {site}, take writes, and send clients there"
            ),
            Reversal::Run(words) => write!(out, "run `{}`", words.words.join(" ")),
            Reversal::Limit(limit) => {
                write!(out, "give {} its own limits again", limit.process.name)
            }
            Reversal::EndAttack { fault } => write!(out, "end the client of {fault}"),
        }
    }
}

/// `cordon (node primary-node-0, on false, site primary)`
fn asked(request: &Request) -> String {
    let value = serde_json::to_value(request).unwrap_or_default();
    let Some((word, value)) = value.as_object().and_then(|object| object.iter().next()) else {
        return value.to_string();
    };
    let word = word.replace('_', " ");
    match value.is_object() {
        true => format!("{word} ({})", in_words(value)),
        false => format!("{word} {}", in_words(value)),
    }
}

const VIEW: &str = "the target's own view";
const PROCESSES: &str = "the kernel's list of processes";

/// Who sees all of this, in words.
pub fn seen_by(sights: &[Sight]) -> String {
    let who: BTreeSet<&str> = sights.iter().flat_map(Sight::witnesses).copied().collect();
    who.into_iter().collect::<Vec<_>>().join(", ")
}

impl Sight {
    /// The same, of something that may never have been hit.
    pub fn or_never_hit(self) -> Sight {
        if let Sight::Replaced { site, process } = self {
            let name = process.name;
            return Sight::Present { site, name };
        }
        self
    }

    /// Who sees it, in words.
    fn witnesses(&self) -> &'static [&'static str] {
        match self {
            Sight::Gone(_) | Sight::Stopped(_) | Sight::Running(_) | Sight::Going(_) => {
                &[PROCESSES]
            }
            Sight::Refused(_)
            | Sight::Accepts(_)
            | Sight::Silent(_)
            | Sight::Disturbed { .. }
            | Sight::Clear(_) => &["a connection of our own"],
            Sight::Missing(_) | Sight::Exists(_) | Sight::Damaged(_) | Sight::Undamaged(_) => {
                &["the file system"]
            }
            Sight::Checksum { .. } => &["the backup's checksum, over the file on disk"],
            Sight::Served { .. } => &["a read of our own"],
            Sight::Shipping { .. } => &["the logs of both stores on disk"],
            Sight::SiteReady(_) => &[VIEW, PROCESSES, "a request of our own"],
            Sight::Present { .. }
            | Sight::Replaced { .. }
            | Sight::NodeEmpty { .. }
            | Sight::Pods { .. } => &[VIEW, PROCESSES],
            Sight::SitePower { .. }
            | Sight::NodePower { .. }
            | Sight::Cordoned { .. }
            | Sight::Backup { .. }
            | Sight::NoBackup { .. }
            | Sight::NoBackups(_)
            | Sight::Settled { .. }
            | Sight::LinkShape { .. } => &[VIEW],
            Sight::Says { .. } => &["the user's check"],
            Sight::Gauge(gauge) => gauge.witnesses(),
            Sight::Sockets { .. } | Sight::NoSockets { .. } | Sight::Unread { .. } => {
                &["the kernel's table of sockets"]
            }
            Sight::Client { .. } => &["the front door's own counts"],
        }
    }
}
