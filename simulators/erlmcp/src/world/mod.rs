//! The ground that sites stand on: one process that starts every other one, and that can take their power away.
//!
//! ```text
//! config    what a caller says about a world
//! request   what a world can be asked for, and what it answers
//! view      how everything stands
//! marks     named instants, and the truth about what was lost
//! client    starting a world, finding one that runs, asking it
//! ```

mod client;
mod config;
mod ground;
mod marks;
mod request;
mod view;

pub(crate) use client::WorldPart;
pub use client::{AttachError, RunningWorld, World, WorldError, attach, launch_world};
pub use config::{
    BackupsConfig, DirectorConfig, Misbehaviour, ReplicationConfig, SITES_MAX, WorldConfig,
};
pub use marks::{Instant, Mark};
pub use request::{BackupChoice, Blocked, Done, LinkShape, Place, Reply, Request, Restored};
pub use view::{
    BackupView, DirectorView, LinkView, NodeView, ProcessState, ProcessView, ReplicationView,
    SiteView, StoreView, View,
};
