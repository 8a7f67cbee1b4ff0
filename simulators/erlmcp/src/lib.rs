//! The stand-in erlmcp site: real processes over real sockets.
//!
//! ```text
//! site     what a caller says about a site
//! launch   starts a site: store, pods, front door, each a process of its own, and ends it
//! layout   which processes a site consists of; child: one of them, seen from its parent
//! control  commands to a part that runs
//! backup       copies of a store's log: taken, checked, copied off the site
//! director/    DNS and automation outside every site
//! world/   several sites that can really be lost, and what lies between them
//! role     the way into a child process: configuration on stdin, announcement on stdout
//! certificates     for a front door with TLS
//! pod/     serves MCP over Streamable HTTP, and its health
//! store/   keeps the ledger: a log on disk, acknowledged after the fsync
//! network/ ways between the others that can be disturbed
//! front/   where clients connect: health checks, sessions kept with their pod, the view of the whole site
//! serve, patience, upstream, ask, answer, metrics   what the parts share
//! ```
//!
//! The stand-in does not know that it is being tested, and nothing here depends on another crate of firedrill.
//! What it imitates and what not: `docs/stand-in.md`.

mod answer;
mod ask;
mod backup;
mod certificates;
mod child;
mod clock;
pub mod control;
mod director;
mod front;
mod launch;
mod layout;
mod metrics;
mod network;
mod patience;
mod pod;
mod proc;
pub mod role;
mod serve;
mod site;
mod store;
mod upstream;
pub mod world;

/// How the instructions of a stand-in begin: a client that gets to one by a URL has to know that it is none of erlmcp's.
pub const STAND_IN: &str = "Stand-in erlmcp";

pub use backup::LOG;
pub use certificates::{Certificates, CertificatesError, make_certificates};
pub use child::MARK;
pub use launch::{Exited, LaunchError, Process, RunningSite, launch};
pub use pod::WRITE_REFUSED;
pub use role::{Role, RoleError, run as run_role};
pub use site::{
    Behaviour, Bounds, HealthCheck, PODS_MAX, Profile, Reply, ServiceTime, SiteConfig, TlsFiles,
};
pub use world::{RunningWorld, World, WorldConfig, attach, launch_world};
