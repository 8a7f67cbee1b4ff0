//! The ground that sites stand on: one process that starts every other one, and that can take their power away.
//!
//! ```text
//! config    what a caller says about a world
//! request   what a world can be asked for, and what it answers
//! view      how everything stands
//! client    starting a world, finding one that runs, asking it
//! process   the process itself: requests over HTTP; carry_out: each to the file of its kind
//! ground    what is there and what has power; unit: one process, started again and again; places: its address
//! press     resources used up, certificates, clocks
//! power, pods, roles, links, failback, backups, restore, misbehave     what requests do
//! viewing   looking at everything
//! marks     named instants; truth: what was really lost
//! ```

mod backups;
mod carry_out;
mod client;
mod config;
mod failback;
mod ground;
mod links;
mod marks;
mod misbehave;
mod places;
mod pods;
mod power;
mod press;
mod process;
mod request;
mod restore;
mod roles;
mod truth;
mod unit;
mod view;
mod viewing;

pub(crate) use client::WorldPart;
pub(crate) use marks::append as append_mark;
pub(crate) use truth::lost_records;

pub use client::{AttachError, RunningWorld, World, WorldError, attach, launch_world};
pub use config::{
    BackupsConfig, DirectorClock, DirectorConfig, Misbehaviour, ReplicationConfig, SITES_MAX,
    WorldConfig,
};
pub use marks::{Instant, Mark};
pub use request::{
    BackupChoice, Blocked, Busy, Done, LinkShape, Place, Press, Reply, Request, Restored,
};
pub use view::{
    BackupView, DirectorView, Kept, LinkView, NodeView, ProcessState, ProcessView, ReplicationView,
    SiteView, StoreView, View,
};
