//! The world as its process holds it: which sites and nodes have power, which processes there are, and where
//! everybody is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::backups::Verified;
use super::client::WorldPart;
use super::config::{Misbehaviour, ReplicationConfig, WorldConfig};
use super::links;
use super::marks::{self, Instant};
use super::places::{self, Places};
use super::request::Place;
use super::unit::{Unit, keep};
use crate::backup;
use crate::child::Program;
use crate::director::{Directed, DirectorPart};
use crate::front::{FrontConfig, PodAddress};
use crate::layout::{self, PartConfig};
use crate::pod::PodConfig;
use crate::role::Role;
use crate::site::{FRONT_OFFSET, Profile, SiteConfig};
use crate::store::StoreConfig;
use crate::store::backups::Schedule;
use crate::store::lies::Lies;
use crate::store::shipping::Shipping;
use crate::store::standing::Duty;

/// Outside every site's addresses that a scenario would choose.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(127, 200, 0, 1);
/// From SIGTERM to SIGKILL when the world ends.
const GRACE: Duration = Duration::from_millis(200);

pub(super) struct Ground {
    pub config: WorldConfig,
    pub program: Program,
    pub sites: Vec<SiteGround>,
    pub units: RefCell<Vec<Rc<Unit>>>,
    /// Sent when a unit may run that could not before, or the other way round.
    pub changes: watch::Sender<()>,
    /// Sent when a process has ended.
    pub endings: watch::Sender<()>,
    pub replication: RefCell<Option<ReplicationConfig>>,
    pub replication_paused: Cell<bool>,
    /// How often failbacks were given up.
    pub failbacks_given_up: Cell<u64>,
    pub director: Option<DirectorPlaces>,
    pub closing: Cell<bool>,
    pub verified: Verified,
    /// Where the data of a site is that was taken away.
    pub taken: RefCell<BTreeMap<usize, PathBuf>>,
    /// The folder that all which was taken from a site is in, until it is given back.
    pub away: RefCell<BTreeMap<usize, PathBuf>>,
    pub misbehaviour: RefCell<Vec<Misbehaviour>>,
    pub places: Places,
}

/// What a site stands on.
pub(super) struct SiteGround {
    pub config: SiteConfig,
    pub powered: Cell<bool>,
    pub nodes: Vec<Node>,
    pub pods_wanted: Cell<u32>,
    /// Where clients connect: the front door itself, or the link to it.
    pub door: SocketAddr,
    pub front: SocketAddr,
    pub front_control: SocketAddr,
    /// Where pods find their store: itself, or the link to it.
    pub store_door: SocketAddr,
    pub store: SocketAddr,
}

pub(super) struct Node {
    pub name: String,
    pub powered: Cell<bool>,
    pub cordoned: Cell<bool>,
}

#[derive(Clone, Copy)]
pub(super) struct DirectorPlaces {
    pub commands: SocketAddr,
    pub dns: SocketAddr,
}

impl SiteGround {
    /// The store's own directory.
    pub fn store_directory(&self) -> PathBuf {
        self.config.data.join("store")
    }
}

impl Ground {
    /// Finds a place for everybody, and starts nothing.
    pub(super) fn lay(part: WorldPart) -> Result<Rc<Ground>, String> {
        let config = part.config;
        let places = Places::default();
        let doors: Vec<_> = config
            .sites
            .iter()
            .map(|site| places::address(site.addresses, FRONT_OFFSET))
            .collect::<Result<_, _>>()?;
        let fronts = places.keep_all(&doors)?;
        let sites = config
            .sites
            .iter()
            .zip(fronts)
            .map(|(site, door)| lay_site(&config, site, door, &places))
            .collect::<Result<Vec<_>, String>>()?;
        let director = match &config.director {
            Some(_) => Some(DirectorPlaces {
                commands: places.keep(OUTSIDE)?,
                // TCP and UDP ports are apart; this one is as good as any.
                dns: places.keep(OUTSIDE)?,
            }),
            None => None,
        };
        let ground = Ground {
            program: Program {
                path: part.program,
                arguments: part.arguments,
                world: None,
            },
            sites,
            units: RefCell::default(),
            changes: watch::Sender::new(()),
            endings: watch::Sender::new(()),
            replication: RefCell::new(config.replication),
            replication_paused: Cell::new(false),
            failbacks_given_up: Cell::new(0),
            director,
            closing: Cell::new(false),
            verified: Verified::default(),
            taken: RefCell::default(),
            away: RefCell::default(),
            misbehaviour: RefCell::new(config.misbehaviour.clone()),
            places,
            config,
        };
        ground.furnish()?;
        Ok(Rc::new(ground))
    }

    fn furnish(&self) -> Result<(), String> {
        let mut units = Vec::new();
        if self.config.links {
            let replicated = self.config.replication.is_some();
            let part = links::network(&self.sites, OUTSIDE, replicated, &self.places)?;
            let address = part.address;
            let part = PartConfig::Network(part);
            let name = part.name("");
            // The others are told of its ways when they are furnished.
            let network = Unit::new(part, name, None, address, None);
            self.units.borrow_mut().push(network.clone());
            units.push(network);
        }
        if let (Some(config), Some(places)) = (&self.config.director, self.director) {
            let part = DirectorPart {
                config: config.clone(),
                address: places.commands,
                dns: places.dns,
                sites: self.sites.iter().map(directed).collect(),
                directory: self.config.state.join("director"),
                marks: self.marks_file(),
                misbehaviour: self.config.misbehaviour.clone(),
            };
            let part = PartConfig::Director(part);
            units.push(Unit::new(
                part,
                "director".to_owned(),
                None,
                places.commands,
                None,
            ));
        }
        for (at, site) in self.sites.iter().enumerate() {
            let store = PartConfig::Store(self.store_part(at));
            let name = store.name(&site.config.name);
            units.push(Unit::new(store, name, Some(at), site.store, None));
            let pods = (0..site.config.pods)
                .map(|number| self.pod(at, number))
                .collect::<Result<Vec<_>, String>>()?;
            let front = PartConfig::Front(front_part(site, &pods));
            let name = front.name(&site.config.name);
            units.extend(pods);
            let control = Some(site.front_control);
            units.push(Unit::new(front, name, Some(at), site.front, control));
        }
        *self.units.borrow_mut() = units;
        Ok(())
    }

    fn store_part(&self, at: usize) -> StoreConfig {
        let site = &self.sites[at];
        StoreConfig {
            site: site.config.name.clone(),
            address: site.store,
            directory: site.store_directory(),
            epoch: 1,
            duty: self.first_duty(at),
            director: self.director.map(|director| director.commands),
            shipping: self.shipping(at),
            lies: Lies {
                ack_before_fsync: self
                    .config
                    .misbehaviour
                    .contains(&Misbehaviour::AckBeforeFsync),
                ..Lies::default()
            },
            bounded: site.config.behaviour.bounds.disk,
            backups: self.config.backups.map(|backups| Schedule {
                every: backups.every,
                off_site_delay: backups.off_site_delay,
                keep: backups.keep,
                local: self.backups_at(at, Place::Local),
                off_site: self.backups_at(at, Place::OffSite),
            }),
        }
    }

    /// The folder of a site's backups.
    pub(super) fn backups_at(&self, at: usize, place: Place) -> PathBuf {
        let site = &self.sites[at].config;
        match place {
            Place::Local => site.data.join("backups"),
            Place::OffSite => self.config.state.join("offsite").join(&site.name),
        }
    }

    /// What a store is whose directory does not say. Without replication and director, sites are on their own.
    pub(super) fn first_duty(&self, at: usize) -> Duty {
        let together = self.config.director.is_some() || self.config.replication.is_some();
        if at > 0 && together {
            Duty::Standby
        } else {
            Duty::Serving
        }
    }

    /// Where the store of a site sends its lines.
    pub(super) fn shipping(&self, at: usize) -> Option<Shipping> {
        let replication = self.replication.borrow();
        let replication = replication
            .as_ref()
            .filter(|replication| replication.from == at)?;
        Some(Shipping {
            to: self.replication_door(replication.to),
            lag: replication.lag,
            paused: self.replication_paused.get(),
        })
    }

    pub(super) fn pod(&self, at: usize, number: u32) -> Result<Rc<Unit>, String> {
        let site = &self.sites[at];
        let PartConfig::Pod(part) = layout::pod(&site.config, number, site.store_door)? else {
            return Err("a pod is a pod".to_owned());
        };
        let ip = places::address(site.config.addresses, layout::FIRST_POD + number)?;
        let part = PodConfig {
            address: self.places.keep(ip)?,
            control: self.places.keep(ip)?,
            ..part
        };
        let (name, address, control) = (part.name.clone(), part.address, part.control);
        let unit = Unit::new(
            PartConfig::Pod(part),
            name,
            Some(at),
            address,
            Some(control),
        );
        unit.node.set(Some(number as usize % site.nodes.len()));
        Ok(unit)
    }

    pub(super) fn may_run(&self, unit: &Unit) -> bool {
        let barred = self.closing.get() || unit.held.get() || unit.retired.get();
        let powered = unit.site.is_none_or(|at| {
            let site = &self.sites[at];
            let node = unit.node.get().map(|node| &site.nodes[node]);
            site.powered.get() && node.is_none_or(|node| node.powered.get() && !node.cordoned.get())
        });
        !barred && powered
    }

    pub(super) fn restart_delay(&self, unit: &Unit) -> Duration {
        // Whoever watches from outside is not started by a site's controller.
        unit.site.map_or(Duration::from_millis(100), |at| {
            self.sites[at].config.restart_delay
        })
    }

    pub(super) fn nice(&self, unit: &Unit) -> i32 {
        unit.site.map_or(0, |at| self.sites[at].config.nice)
    }

    pub(super) fn marks_file(&self) -> PathBuf {
        self.config.state.join(marks::FILE)
    }

    pub(super) fn mark(&self, mark: Instant, detail: serde_json::Value) {
        marks::append(&self.marks_file(), "world", mark, detail);
    }

    /// The units for which `wanted` holds, in the order of their start.
    pub(super) fn units(&self, wanted: impl Fn(&Unit) -> bool) -> Vec<Rc<Unit>> {
        let units = self.units.borrow();
        units.iter().filter(|unit| wanted(unit)).cloned().collect()
    }

    /// Begins to keep a unit running.
    pub(super) fn tend(self: &Rc<Self>, unit: Rc<Unit>) {
        tokio::task::spawn_local(keep(self.clone(), unit));
    }

    /// Tells the keepers of processes that the kernel has told of an end.
    pub(super) fn listen_for_ends(self: &Rc<Self>) -> std::io::Result<()> {
        let mut ends = signal(SignalKind::child())?;
        let ground = self.clone();
        tokio::task::spawn_local(async move {
            while ends.recv().await.is_some() {
                ground.endings.send_replace(());
            }
        });
        Ok(())
    }

    /// Starts everybody, those first whom others ask at their start.
    pub(super) async fn start(self: &Rc<Self>) -> Result<(), String> {
        for role in [
            Role::Network,
            Role::Director,
            Role::Store,
            Role::Pod,
            Role::Front,
        ] {
            let group = self.units(|unit| unit.role == role);
            for unit in &group {
                self.tend(unit.clone());
            }
            for unit in &group {
                unit.up().await?;
            }
        }
        Ok(())
    }

    /// Returns when no process is left.
    pub(super) async fn end(&self) {
        self.closing.set(true);
        let all = self.units(|_| true);
        for unit in &all {
            unit.signal(Signal::TERM);
        }
        let gone = async {
            for unit in &all {
                unit.gone().await;
            }
        };
        if tokio::time::timeout(GRACE, gone).await.is_err() {
            self.kill(&all).await;
        }
    }

    /// Kills the processes of these units and returns when they are gone.
    pub(super) async fn kill(&self, units: &[Rc<Unit>]) {
        for unit in units {
            unit.signal(Signal::KILL);
        }
        for unit in units {
            unit.gone().await;
        }
    }
}

fn lay_site(
    config: &WorldConfig,
    site: &SiteConfig,
    door: SocketAddr,
    places: &Places,
) -> Result<SiteGround, String> {
    let address = |offset| places::address(site.addresses, offset);
    let node = |number| Node {
        name: format!("{}-node-{number}", site.name),
        powered: Cell::new(true),
        cordoned: Cell::new(false),
    };
    let store = places.keep(address(layout::STORE)?)?;
    let doors = links::doors(site.addresses, door, store, config.links, places)?;
    Ok(SiteGround {
        powered: Cell::new(true),
        nodes: (0..site.nodes).map(node).collect(),
        pods_wanted: Cell::new(site.pods),
        door,
        front: doors.front,
        front_control: places.keep(address(FRONT_OFFSET)?)?,
        store_door: doors.store_door,
        store,
        config: SiteConfig {
            data: config.state.join("sites").join(&site.name),
            ..site.clone()
        },
    })
}

fn front_part(site: &SiteGround, pods: &[Rc<Unit>]) -> FrontConfig {
    let config = &site.config;
    FrontConfig {
        site: config.name.clone(),
        address: site.front,
        control: Some(site.front_control),
        pods: pod_addresses(site, pods),
        store: site.store,
        profile: config.profile,
        health: config.health.clone(),
        connections_per_pod: config.behaviour.connections,
        bounds: config.behaviour.bounds.clone(),
        reply_timeout: layout::REPLY_TIMEOUT,
        tls: config.tls.clone(),
    }
}

pub(super) fn pod_addresses(site: &SiteGround, pods: &[Rc<Unit>]) -> Vec<PodAddress> {
    let address = |pod: &Rc<Unit>| {
        Some(PodAddress {
            name: pod.name.clone(),
            node: site.nodes[pod.node.get()?].name.clone(),
            address: pod.address,
            control: pod.control?,
        })
    };
    pods.iter().filter_map(address).collect()
}

fn directed(site: &SiteGround) -> Directed {
    Directed {
        name: site.config.name.clone(),
        clients: site.door,
        // It stands on the clients' side, and speaks no TLS: what the door says to clients, it says on its other
        // address too.
        front: match site.config.tls {
            Some(_) => site.front_control,
            None => site.door,
        },
        front_control: site.front_control,
        health: match site.config.profile {
            Profile::Sop => "/health".to_owned(),
            Profile::Erlmcp => "/live".to_owned(),
        },
        store: site.store,
        log: site.store_directory().join(backup::LOG),
    }
}
