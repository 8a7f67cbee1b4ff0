//! A fault whose victims have been chosen and pinned. Everything here can be written down and read by another
//! process: an undo stands alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use firedrill_erlmcp::world::Request;
use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::process::{Kick, Process};

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
    Run(Words),
}

/// A program and its arguments, as the user gave them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    pub words: Vec<String>,
    pub timeout: Duration,
}

/// Something that can be seen from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// The kernel knows none of these processes any more.
    Gone(Vec<Process>),
    Stopped(Vec<Process>),
    Running(Vec<Process>),
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
    /// None is kept at the site.
    NoBackups(String),
    /// Records acknowledged at the serving site are not shipped; or are.
    Shipping {
        paused: bool,
    },
    LinkShape {
        link: String,
        open: bool,
    },
    /// The program ends with this code.
    Says {
        words: Words,
        code: i32,
    },
}

impl Sight {
    /// Who sees it, in words.
    pub fn seen_by(&self) -> &'static str {
        match self {
            Sight::Gone(_) | Sight::Stopped(_) | Sight::Running(_) => {
                "the kernel's list of processes"
            }
            Sight::Refused(_) | Sight::Accepts(_) | Sight::Silent(_) => "a connection of our own",
            Sight::Missing(_) | Sight::Exists(_) | Sight::Damaged(_) | Sight::Undamaged(_) => {
                "the file system"
            }
            Sight::SiteReady(_) => "the site's health and a connection of our own",
            Sight::SitePower { .. }
            | Sight::Replaced { .. }
            | Sight::NodePower { .. }
            | Sight::Cordoned { .. }
            | Sight::NodeEmpty { .. }
            | Sight::Pods { .. }
            | Sight::Backup { .. }
            | Sight::NoBackup { .. }
            | Sight::NoBackups(_)
            | Sight::Shipping { .. }
            | Sight::LinkShape { .. } => "the target's own view",
            Sight::Says { .. } => "the user's check",
        }
    }
}
