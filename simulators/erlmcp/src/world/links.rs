//! The links between the others: laid at the start, disturbed and let alone again.

use std::net::{Ipv4Addr, SocketAddr};

use super::ground::{Ground, SiteGround};
use super::places::{self, Places};
use super::request::LinkShape;
use super::roles::tell;
use super::view::LinkView;
use crate::layout::PartConfig;
use crate::network::{LinkPart, NetworkPart, Reshape};
use crate::role::Role;

/// Of the site's addresses: where the front door is in truth, and where pods find their store.
const BEHIND: u32 = 3;
const TO_STORE: u32 = 4;
const REPLICATION: &str = "replication";

/// Where everybody is, and where others find him.
pub(super) struct Doors {
    pub front: SocketAddr,
    pub store_door: SocketAddr,
}

/// With links, the known addresses are theirs, and who was there moves behind them.
pub(super) fn doors(
    site: Ipv4Addr,
    door: SocketAddr,
    store: SocketAddr,
    links: bool,
    places: &Places,
) -> Result<Doors, String> {
    if !links {
        return Ok(Doors {
            front: door,
            store_door: store,
        });
    }
    Ok(Doors {
        front: places.keep(places::address(site, BEHIND)?)?,
        store_door: places.keep(places::address(site, TO_STORE)?)?,
    })
}

/// The network, with a way to each front door, to each store, and from store to store.
pub(super) fn network(
    sites: &[SiteGround],
    outside: Ipv4Addr,
    replicated: bool,
    places: &Places,
) -> Result<NetworkPart, String> {
    let mut links = Vec::new();
    let mut add = |name: String, near, far| {
        let shape = LinkShape::default();
        links.push(LinkPart {
            name,
            near,
            far,
            shape,
        });
    };
    for site in sites {
        let name = &site.config.name;
        add(format!("clients-{name}"), site.door, site.front);
        add(format!("store-{name}"), site.store_door, site.store);
        if replicated {
            // Whichever way the log goes, it goes over this link.
            add(REPLICATION.to_owned(), places.keep(outside)?, site.store);
        }
    }
    Ok(NetworkPart {
        address: places.keep(outside)?,
        links,
    })
}

impl Ground {
    /// What the network was told.
    fn network(&self) -> Option<NetworkPart> {
        let unit = self.units(|unit| unit.role == Role::Network).pop()?;
        let part = unit.part.borrow();
        match &*part {
            PartConfig::Network(network) => Some(network.clone()),
            PartConfig::Pod(_)
            | PartConfig::Store(_)
            | PartConfig::Front(_)
            | PartConfig::Director(_) => None,
        }
    }

    /// Where another store finds the store of this site.
    pub(super) fn replication_door(&self, at: usize) -> SocketAddr {
        let store = self.sites[at].store;
        let links = self.network().map(|network| network.links);
        let mut links = links.unwrap_or_default().into_iter();
        links
            .find(|link| link.name == REPLICATION && link.far == store)
            .map_or(store, |link| link.near)
    }
}

pub(super) fn view(ground: &Ground) -> Vec<LinkView> {
    let to = ground.replication.borrow().map(|way| way.to);
    let to = to.map(|to| ground.sites[to].store);
    let links = ground.network().map(|network| network.links);
    let shown = |link: &LinkPart| link.name != REPLICATION || Some(link.far) == to;
    let links = links.unwrap_or_default().into_iter().filter(shown);
    links
        .map(|link| LinkView {
            name: link.name,
            address: link.near,
            shape: link.shape,
        })
        .collect()
}

/// The network is told now, and whenever it is started.
pub(super) async fn reshape(
    ground: &Ground,
    name: &str,
    shape: LinkShape,
) -> Result<String, String> {
    let Some(unit) = ground.units(|unit| unit.role == Role::Network).pop() else {
        return Err("there are no links: say `links` in the configuration".to_owned());
    };
    let known: Vec<String> = view(ground).into_iter().map(|link| link.name).collect();
    if !known.iter().any(|known| known == name) {
        return Err(format!(
            "there is no link `{name}`; there are {}",
            known.join(", ")
        ));
    }
    if let PartConfig::Network(network) = &mut *unit.part.borrow_mut() {
        let own = network.links.iter_mut().filter(|link| link.name == name);
        own.for_each(|link| link.shape = shape);
    }
    let order = Reshape {
        name: name.to_owned(),
        shape,
    };
    tell(unit.address, "/shape", &order).await?;
    Ok(match shape == LinkShape::default() {
        true => format!("`{name}` lets everything through"),
        false => format!("`{name}` is disturbed: {shape:?}"),
    })
}
