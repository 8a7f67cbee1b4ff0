//! What a caller says about a world: its sites, and what lies between them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::site::SiteConfig;

/// More sites than a drill can use.
pub const SITES_MAX: usize = 8;

/// A world to be launched with [`launch_world`](crate::world::launch_world).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorldConfig {
    /// The first serves at the start. Their `data` and `epoch` are the world's affair; names and `addresses` differ.
    pub sites: Vec<SiteConfig>,
    pub replication: Option<ReplicationConfig>,
    pub director: Option<DirectorConfig>,
    pub backups: Option<BackupsConfig>,
    /// Put a proxy before each front door, each store and the replication, so that the network can be disturbed.
    pub links: bool,
    /// An existing directory of the world's own; everything that it keeps is in it.
    pub state: PathBuf,
    pub misbehaviour: Vec<Misbehaviour>,
}

impl WorldConfig {
    /// Sites with nothing between them.
    pub fn new(sites: Vec<SiteConfig>, state: impl Into<PathBuf>) -> WorldConfig {
        WorldConfig {
            sites,
            replication: None,
            director: None,
            backups: None,
            links: false,
            state: state.into(),
            misbehaviour: Vec::new(),
        }
    }

    /// Says what is wrong, and what to say instead.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(1..=SITES_MAX).contains(&self.sites.len()) {
            return Err(format!("{} sites: say 1 to {SITES_MAX}", self.sites.len()));
        }
        for (at, site) in self.sites.iter().enumerate() {
            site.check()
                .map_err(|e| format!("site `{}`: {e}", site.name))?;
            let twin =
                |other: &&SiteConfig| other.name == site.name || other.addresses == site.addresses;
            if let Some(twin) = self.sites[..at].iter().find(twin) {
                return Err(format!(
                    "sites `{}` and `{}` have the same name or the same addresses: give each its own",
                    twin.name, site.name
                ));
            }
        }
        if let Some(replication) = &self.replication {
            let there = |at: usize| at < self.sites.len();
            if !there(replication.from)
                || !there(replication.to)
                || replication.from == replication.to
            {
                return Err(
                    "replication goes from one site to another one: name two that are there"
                        .to_owned(),
                );
            }
        }
        if let Some(director) = &self.director {
            director.check()?;
        }
        match &self.backups {
            Some(backups) if backups.keep == 0 => {
                Err("0 backups are kept: say at least 1".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The log of one site's store is shipped to another's, behind the acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationConfig {
    /// Index into the sites.
    pub from: usize,
    pub to: usize,
    /// A record is not shipped before this time has passed since its acknowledgement.
    pub lag: Duration,
}

/// Watches the serving site from outside all sites, and says where clients go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectorConfig {
    /// Between health checks of the serving site.
    pub probe: Duration,
    /// A check that takes longer is a miss.
    pub timeout: Duration,
    /// Misses in a row that mean that the site is lost.
    pub misses: u32,
    /// For how long clients may keep an answer about the route: whole seconds.
    pub route_ttl: Duration,
    /// Moves clients by itself. False: it only detects.
    pub automatic: bool,
    /// The DNS name of the service, such as `erlmcp.test`.
    pub name: String,
    pub clock: DirectorClock,
}

/// What the director counts by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectorClock {
    /// Misses in a row, each a time-out of a clock that never jumps.
    #[default]
    Monotonic,
    /// The time of day since the last good check, which is wrong as soon as somebody sets the clock.
    Wall,
}

impl DirectorConfig {
    fn check(&self) -> Result<(), String> {
        if self.misses == 0 {
            return Err("the director: 0 misses mean nothing: say at least 1".to_owned());
        }
        if self.probe.is_zero() || self.timeout.is_zero() {
            return Err("the director: `probe` and `timeout` have to be longer than 0".to_owned());
        }
        if self.route_ttl.subsec_nanos() != 0 || self.route_ttl.is_zero() {
            return Err(
                "the director: DNS counts `route_ttl` in whole seconds: say 1s or more".to_owned(),
            );
        }
        Ok(())
    }
}

/// Every site with a store that serves takes backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupsConfig {
    pub every: Duration,
    /// From a backup's end until its copy off the site is begun.
    pub off_site_delay: Duration,
    /// Older ones are deleted, in each place.
    pub keep: u32,
}

/// A way to be wrong, for showing that somebody notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// Writes are acknowledged at once and reach the disk up to a second later.
    AckBeforeFsync,
    /// One old acknowledged record vanishes from every store.
    LoseAcknowledgedWrite,
    /// Two writes of one client change places in every store.
    ReorderWrites,
    /// A site that is replaced is not told, and does not ask.
    NoFencing,
    /// A restore takes the oldest backup, whatever it was asked for.
    RestoreStaleBackup,
    /// A restore says that it is done, and does nothing.
    SkipRestore,
    /// After a promotion only one request in twenty is answered.
    PartialGoodput,
    /// A promotion takes ten seconds more.
    SlowRecovery,
    /// Every site fails its requests for three seconds, from now on.
    Relapse,
}
