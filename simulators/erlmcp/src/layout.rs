//! Which processes a site consists of, what each of them is told, and where each listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::child::{Program, Spawned};
use crate::director::DirectorPart;
use crate::front::{FrontConfig, PodAddress};
use crate::launch::Process;
use crate::network::NetworkPart;
use crate::pod::PodConfig;
use crate::role::Role;
use crate::site::{FRONT_OFFSET, SiteConfig};
use crate::store::StoreConfig;
use crate::store::lies::Lies;
use crate::store::standing::Duty;

/// Addresses, counted from the site's base.
pub(crate) const STORE: u32 = 2;
pub(crate) const FIRST_POD: u32 = 11;

const STORE_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// What one process is told.
#[derive(Debug, Clone)]
pub(crate) enum PartConfig {
    Pod(PodConfig),
    Store(StoreConfig),
    Front(FrontConfig),
    Director(DirectorPart),
    Network(NetworkPart),
}

impl PartConfig {
    pub(crate) fn role(&self) -> Role {
        match self {
            PartConfig::Pod(_) => Role::Pod,
            PartConfig::Store(_) => Role::Store,
            PartConfig::Front(_) => Role::Front,
            PartConfig::Director(_) => Role::Director,
            PartConfig::Network(_) => Role::Network,
        }
    }

    pub(crate) fn name(&self, site: &str) -> String {
        match self {
            PartConfig::Pod(pod) => pod.name.clone(),
            PartConfig::Store(_) | PartConfig::Front(_) => {
                format!("{site}-{}", self.role().as_str())
            }
            PartConfig::Director(_) | PartConfig::Network(_) => self.role().as_str().to_owned(),
        }
    }

    pub(crate) fn node(&self) -> Option<String> {
        match self {
            PartConfig::Pod(pod) => Some(pod.node.clone()),
            PartConfig::Store(_)
            | PartConfig::Front(_)
            | PartConfig::Director(_)
            | PartConfig::Network(_) => None,
        }
    }

    /// So that a process which is started again is found where it was.
    pub(crate) fn pin(&mut self, address: SocketAddr, control: Option<SocketAddr>) {
        match self {
            PartConfig::Pod(pod) => {
                pod.address = address;
                pod.control = control.unwrap_or(pod.control);
            }
            PartConfig::Store(store) => store.address = address,
            PartConfig::Front(front) => front.address = address,
            PartConfig::Director(director) => director.address = address,
            PartConfig::Network(network) => network.address = address,
        }
    }

    pub(crate) fn spawn(&self, program: &Program, nice: i32) -> std::io::Result<Spawned> {
        match self {
            PartConfig::Pod(pod) => Spawned::spawn(program, Role::Pod, nice, pod),
            PartConfig::Store(store) => Spawned::spawn(program, Role::Store, nice, store),
            PartConfig::Front(front) => Spawned::spawn(program, Role::Front, nice, front),
            PartConfig::Director(director) => {
                Spawned::spawn(program, Role::Director, nice, director)
            }
            PartConfig::Network(network) => Spawned::spawn(program, Role::Network, nice, network),
        }
    }
}

pub(crate) fn store(config: &SiteConfig) -> Result<PartConfig, String> {
    Ok(PartConfig::Store(StoreConfig {
        site: config.name.clone(),
        address: address(config, STORE)?,
        directory: config.data.join("store"),
        epoch: config.epoch,
        duty: Duty::Serving,
        director: None,
        shipping: None,
        backups: None,
        lies: Lies::default(),
        bounded: config.behaviour.bounds.disk,
    }))
}

/// `store` is where the store listens.
pub(crate) fn pods(config: &SiteConfig, store: SocketAddr) -> Result<Vec<PartConfig>, String> {
    (0..config.pods)
        .map(|number| pod(config, number, store))
        .collect()
}

pub(crate) fn pod(
    config: &SiteConfig,
    number: u32,
    store: SocketAddr,
) -> Result<PartConfig, String> {
    let address = address(config, FIRST_POD + number)?;
    let bounds = &config.behaviour.bounds;
    Ok(PartConfig::Pod(PodConfig {
        name: format!("{}-{number}", config.name),
        site: config.name.clone(),
        node: format!("{}-node-{}", config.name, number % config.nodes),
        address,
        control: address,
        store,
        behaviour: config.behaviour.clone(),
        profile: config.profile,
        reply: config.reply,
        seed: config.seed,
        message_max: bounds
            .message
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(usize::MAX),
        store_timeout: STORE_TIMEOUT,
    }))
}

/// `running` holds the pods.
pub(crate) fn front(
    config: &SiteConfig,
    store: SocketAddr,
    running: &[Process],
) -> Result<PartConfig, String> {
    let pods = running
        .iter()
        .filter_map(|process| {
            Some(PodAddress {
                name: process.name.clone(),
                node: process.node.clone()?,
                address: process.address,
                control: process.control?,
            })
        })
        .collect();
    Ok(PartConfig::Front(FrontConfig {
        site: config.name.clone(),
        address: address(config, FRONT_OFFSET)?,
        control: None,
        pods,
        store,
        profile: config.profile,
        health: config.health.clone(),
        connections_per_pod: config.behaviour.connections,
        bounds: config.behaviour.bounds.clone(),
        reply_timeout: REPLY_TIMEOUT,
        tls: config.tls.clone(),
    }))
}

/// The `offset`-th address of the site, with a port for the kernel to choose.
pub(crate) fn address(config: &SiteConfig, offset: u32) -> Result<SocketAddr, String> {
    u32::from(config.addresses)
        .checked_add(offset)
        .map(Ipv4Addr::from)
        .filter(|address| config.addresses.is_loopback() && address.is_loopback())
        .map(|address| SocketAddr::from((address, 0)))
        .ok_or_else(|| format!("addresses from {} on leave 127.0.0.0/8", config.addresses))
}
