//! What is broken, what brings it back, and what counts as recovered.
//!
//! Sites are indices into [`Embedded::sites`](super::Embedded::sites); actions refer to each other and to phases by
//! index as well.

use std::path::PathBuf;
use std::time::Duration;

use super::{Labels, Manner, Pointer, Rate};
use crate::template::Template;

/// Everything that is done to the target beside load. Without actions the plan is a benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drill {
    /// In the order of the file; ids differ.
    pub actions: Vec<Action>,
    pub recovery: Recovery,
    pub limits: BlastRadius,
    /// How writes are read back; `None` when the load writes nothing.
    pub ledger: Option<Ledger>,
    /// A file whose presence says that somebody else has an incident: the run ends early.
    pub incident_flag: Option<PathBuf>,
}

/// When service counts as back; see "Recovery time" in the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recovery {
    /// W: a good window of this length confirms the recovery.
    pub window: Duration,
    /// Share of operations that may fail.
    pub errors: f64,
    /// The share `quantile` of operations is answered below `below`.
    pub quantile: f64,
    pub below: Duration,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery {
            window: Duration::from_secs(10),
            errors: 0.005,
            quantile: 0.99,
            below: Duration::from_millis(100),
        }
    }
}

/// How much may be broken at once; a plan that resolves to more is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct BlastRadius {
    /// Whole sites that may be down at once.
    pub sites: u32,
    /// Share of a site's pods that a fault on pods or nodes may take at once.
    pub pods: f64,
    /// Sites that may answer clients; the run ends when another one does. `None` is all of them.
    pub served_by: Option<Vec<usize>>,
}

impl Default for BlastRadius {
    fn default() -> BlastRadius {
        BlastRadius {
            sites: 1,
            pods: 0.5,
            served_by: None,
        }
    }
}

impl BlastRadius {
    /// May so many of a site's pods be hit at once?
    pub fn allows_pods(&self, hit: usize, all: u32) -> bool {
        // A share such as 0.3 of ten pods is a little less than three in binary.
        hit as f64 <= self.pods * f64::from(all) + 1e-9
    }

    pub fn pods_percent(&self) -> u32 {
        (self.pods * 100.0).round() as u32
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Unique in the plan; by default the kind's word.
    pub id: String,
    /// The phase that it stands in.
    pub phase: usize,
    pub start: Start,
    /// How often in all, and the time between the starts.
    pub times: u32,
    pub every: Duration,
    pub act: Act,
}

impl Action {
    /// The name of a repetition in a record, counted from 0: the id, with `#2` and so on for the later ones.
    pub fn name(&self, number: u32) -> String {
        match number {
            0 => self.id.clone(),
            number => format!("{}#{}", self.id, number + 1),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// After the phase's start.
    At(Duration),
    /// After another action has been done: a fault injected with its effect seen, a step finished.
    After { action: usize, delay: Duration },
    /// When something holds for the first time in the phase.
    When { condition: When, delay: Duration },
    /// After the last phase, when the load is over.
    Afterwards,
}

#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// The director, or whoever watches the target, has noticed the fault.
    Detected,
    /// Clients are sent to this site.
    RouteOn(usize),
    /// A good window has been seen after the last fault.
    Recovered,
    /// A probe's series is above or below a number.
    Above {
        series: String,
        value: f64,
    },
    Below {
        series: String,
        value: f64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Fault(Fault),
    Step(RecoveryStep),
    /// The whole ledger is read from the site that serves, or from this one, twice.
    ReadBack {
        site: Option<usize>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: FaultKind,
    /// For faults that last: undone after this time, and with the phase at the latest; `None` is the end of the phase.
    pub hold: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// SIGKILL; started again by the site's own controller.
    PodKill(Victims),
    /// SIGSTOP, held, SIGCONT.
    PodPause(Victims),
    /// SIGTERM with the grace that the site gives.
    PodTerminate(Victims),
    /// The store's process is killed and started again from its disk.
    StoreCrash {
        site: usize,
    },
    /// Cordon, evict within the disruption budget, hold, uncordon.
    NodeDrain {
        site: usize,
        node: NodeChoice,
    },
    /// Everything on the node is killed, and nothing starts there until it is healed.
    NodeLoss {
        site: usize,
        node: NodeChoice,
    },
    /// Pods one after the other, each back before the next.
    RollingRestart {
        site: usize,
    },
    Scale {
        site: usize,
        pods: u32,
    },
    /// Every process of the site is killed, and none comes back until it is healed.
    SiteFailure {
        site: usize,
    },
    /// Records of the store are changed on its disk while it serves.
    DataCorruption {
        site: usize,
        records: u32,
        how: Corruption,
    },
    /// The site's processes and data are gone; backups kept at the site remain.
    SystemFailure {
        site: usize,
    },
    /// As a system failure, and the backups kept at the site are gone as well.
    NaturalDisaster {
        site: usize,
    },
    /// The newest backup is missing.
    BackupLost {
        site: usize,
    },
    /// The newest backup is there, and damaged.
    BackupDamaged {
        site: usize,
    },
    ReplicationPause,
    /// Bytes on a path through the network are delayed, slowed or stopped.
    Network {
        link: Link,
        shape: LinkShape,
    },
    Command(Command),
    /// Operations of the pods take `factor` times as long, and their thread is busy for a share of the time.
    SlowPod {
        victims: Victims,
        factor: f64,
        busy: f64,
    },
    /// The pods' memory is filled, under a limit of the system's that a pod without a bound does not survive.
    MemoryExhaustion(Victims),
    /// Every place at work is taken by work that does not end.
    QueueExhaustion(Victims),
    /// The pods' only thread has next to no time for them.
    CpuSaturation(Victims),
    /// The store's log may not grow.
    DiskFull {
        site: usize,
    },
    /// The director's time of day is wrong.
    ClockJump {
        by: Duration,
        back: bool,
    },
    /// The site's front door shows a certificate that has expired.
    CertificateExpiry {
        site: usize,
    },
    /// Traffic of our own that the target has to refuse.
    Hostile {
        site: usize,
        manner: Manner,
    },
}

/// Which pods: chosen once, by seed where they are drawn, and pinned by their identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Victims {
    pub site: usize,
    /// Of the pods that have all of these.
    pub labels: Labels,
    pub pick: Pick,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    All,
    Named(Vec<String>),
    OnNode(String),
    Random(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeChoice {
    Random,
    Named(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    /// Another value under the old checksum: whoever checks sees it.
    Wrong,
    /// Another value with a checksum that fits: only who knows what was written sees it.
    Silent,
    /// The record's line ends in the middle.
    Torn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Between clients and a site's front door.
    Clients { site: usize },
    /// Between a site's pods and its store.
    Store { site: usize },
    /// From the replicating site to the other.
    Replication,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkShape {
    pub delay: Duration,
    pub jitter: Duration,
    /// Bytes a second in each direction.
    pub bandwidth: Option<u64>,
    /// Nothing passes in this direction; connections stay.
    pub blocked: Blocked,
    /// Connections are reset, and new ones as soon as they come.
    pub reset: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blocked {
    #[default]
    Nothing,
    ToServer,
    FromServer,
    Both,
}

/// The user's own commands. Words are given to the program as they are; no shell reads them.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    pub inject: Vec<String>,
    pub heal: Vec<String>,
    /// Ends with 0 while the fault is in force, and with 1 when it is not.
    pub check: Vec<String>,
    pub timeout: Duration,
}

/// What brings service back, where firedrill does it. Where a director lives, it does most of this by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum RecoveryStep {
    /// The site's store refuses writes from now on.
    Fence {
        site: usize,
    },
    /// The site's store takes writes, in a new epoch.
    Promote {
        site: usize,
    },
    /// An empty site in place of the lost one: nodes, pods, front door, an empty store that refuses writes.
    Rebuild {
        site: usize,
    },
    /// A backup into an empty store; every record is checked. The site serves only after a promotion.
    Restore {
        site: usize,
        /// Whose backup it is: another site's, where a backup is put to the test and nothing was lost.
        of: usize,
        from: BackupPlace,
        backup: BackupChoice,
    },
    /// The newest backup of each place is there, and sound.
    VerifyBackups {
        site: usize,
    },
    /// Clients are sent to this site.
    Reroute {
        site: usize,
    },
    /// Catch up, stop writes on the other site, promote this one, and send clients here.
    FailBack {
        site: usize,
    },
    Command(Command),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupPlace {
    Local,
    OffSite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupChoice {
    /// The newest whose every record is sound and that was begun before the fault.
    NewestSound,
    Newest,
}

/// How the ledger's records are read back, as data: for any target.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// Method and parameters of the request for one page.
    pub method: String,
    /// With the hole `{{cursor}}`, which is the text of the first cursor or what `next` named.
    pub params: Template,
    pub first_cursor: String,
    /// Into the result: the list of records, and the next cursor (absent, null or empty at the end).
    pub records: Pointer,
    pub next: Pointer,
    /// Into one record.
    pub client: Pointer,
    pub sequence: Pointer,
    pub value: Pointer,
    pub epoch: Option<Pointer>,
    pub position: Option<Pointer>,
    /// Requests of a scan a second.
    pub pace: Rate,
}
