//! What a world can be asked for, and what it answers. Requests name desired states: asking twice changes nothing
//! the second time.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Misbehaviour;
use super::marks::Mark;
use super::view::View;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    View,
    /// Without power every process of the site is gone when the answer comes (SIGKILL); with it they start again.
    Power {
        site: String,
        on: bool,
    },
    /// The same for the pods of one node.
    NodePower {
        site: String,
        node: String,
        on: bool,
    },
    /// No pod is started on a cordoned node; those that run stay.
    Cordon {
        site: String,
        node: String,
        on: bool,
    },
    /// Ends a pod with its grace and starts it on another node. Refused when the disruption budget is spent.
    Evict {
        site: String,
        pod: String,
    },
    /// Pods are added after the last one, and taken from the end.
    Scale {
        site: String,
        pods: u32,
    },
    /// Ends one pod with its grace; the answer comes when it is ready again.
    RestartPod {
        site: String,
        pod: String,
    },
    /// The site's store refuses writes from now on, and knows that `epoch` is another's.
    Fence {
        site: String,
        epoch: u64,
    },
    /// The site's store takes writes, as `epoch`.
    Promote {
        site: String,
        epoch: u64,
    },
    /// Clients are sent to this site.
    Route {
        site: String,
    },
    ReplicationPause(bool),
    /// The log is shipped the other way round; `to` becomes a standby and is caught up from its beginning.
    Reverse {
        from: String,
        to: String,
    },
    /// Writes are stopped, `to` catches up, is promoted, and clients are sent there. Needs [`Request::Reverse`] before.
    FailBack {
        to: String,
    },
    /// Failbacks that were asked for and are not done come to nothing. Does not wait for them.
    GiveUpFailBack,
    /// The site's power is cut, and its data is moved away into `into`, with its backups if wanted.
    Wipe {
        site: String,
        backups: bool,
        into: PathBuf,
    },
    /// What [`Request::Wipe`] moved away is put back. The site's power stays off.
    Unwipe {
        site: String,
        from: PathBuf,
    },
    /// An empty site: new processes, an empty standby store.
    Rebuild {
        site: String,
    },
    /// A backup is put into an empty store, which stays fenced until it is promoted. What was there is moved aside.
    Restore {
        site: String,
        /// Whose backup it is. When it is another site's, nothing changes for that one, and `site` has to stand apart.
        of: String,
        from: Place,
        backup: BackupChoice,
    },
    /// Moves one backup out of its place into the folder `into`.
    BackupRemove {
        site: String,
        place: Place,
        id: String,
        into: PathBuf,
    },
    /// Puts back what [`Request::BackupRemove`] or [`Request::BackupDamage`] left in the folder `from`.
    BackupPut {
        site: String,
        place: Place,
        id: String,
        from: PathBuf,
    },
    /// Changes bytes in the middle of a backup. The sound one is kept in the folder `into`.
    BackupDamage {
        site: String,
        place: Place,
        id: String,
        into: PathBuf,
    },
    /// Gives a link this shape; the default shape lets everything through.
    Link {
        name: String,
        shape: LinkShape,
    },
    /// Service times of a pod are multiplied by this; 1 is as configured. Lost when the pod is started again.
    Behave {
        site: String,
        pod: String,
        service_factor: f64,
    },
    /// Uses up one of a pod's resources, or gives it back. Lost when the pod is started again.
    Press {
        site: String,
        pod: String,
        press: Press,
    },
    /// The site's front door shows a certificate that has expired, or its good one again.
    Certificate {
        site: String,
        expired: bool,
    },
    /// The director's time of day is so much ahead of the machine's, or behind. Lost when it is started again.
    Clock {
        ahead_ms: i64,
    },
    /// From now on, or once, the world is wrong in this way. It is not taken back.
    Misbehave(Misbehaviour),
    /// Marks later than this instant of CLOCK_MONOTONIC, in nanoseconds.
    Marks {
        since: u64,
    },
}

/// What uses up one of a pod's resources. Each is a state, not an event.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Press {
    /// Its only thread is busy for the share of each slice; at most for an hour.
    Thread(Option<Busy>),
    /// So many bytes are held, as if for clients, unless a bound is met earlier.
    Memory(u64),
    /// Every place at work is taken.
    Work(bool),
}

impl Press {
    /// Nothing is used up.
    pub(super) fn is_none(self) -> bool {
        match self {
            Press::Thread(busy) => busy.is_none(),
            Press::Memory(bytes) => bytes == 0,
            Press::Work(on) => !on,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Busy {
    /// Between 0 and 1.
    pub share: f64,
    pub slice: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Kept at the site.
    Local,
    OffSite,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupChoice {
    /// The newest sound one that was complete before this instant of CLOCK_MONOTONIC.
    NewestSoundBefore(u64),
    /// The newest sound one.
    NewestSound,
    /// The newest one, sound or not.
    Newest,
    Id(String),
}

/// What a link does to the bytes that pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkShape {
    pub delay: Duration,
    /// Added to the delay, drawn evenly from zero up to this.
    pub jitter: Duration,
    /// Bytes a second in each direction.
    pub bandwidth: Option<u64>,
    /// Nothing passes in this direction; connections stay.
    pub blocked: Blocked,
    /// Connections are reset, and new ones as soon as they come.
    pub reset: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocked {
    #[default]
    Nothing,
    ToServer,
    FromServer,
    Both,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    View(Box<View>),
    Done(Done),
    Restored(Restored),
    Marks(Vec<Mark>),
}

/// `at_ns` is the instant of CLOCK_MONOTONIC at which it was done; `detail` says what there was to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub at_ns: u64,
    pub detail: String,
}

/// What a restore found. Every record was checked against its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    pub backup: String,
    /// When the backup was begun.
    pub begun_ns: u64,
    /// Records in the store now.
    pub records: u64,
    pub sound: bool,
    /// Records whose checksum does not fit.
    pub corrupt: u64,
}
