//! Power of sites and nodes.

use super::ground::Ground;
use super::unit::Unit;

impl Ground {
    /// The index of a site.
    pub(super) fn site(&self, name: &str) -> Result<usize, String> {
        let found = self.sites.iter().position(|site| site.config.name == name);
        found.ok_or_else(|| {
            let known: Vec<_> = self.sites.iter().map(|s| s.config.name.as_str()).collect();
            format!("there is no site `{name}`; there are {}", known.join(", "))
        })
    }

    /// The index of a node within its site.
    pub(super) fn node(&self, site: usize, name: &str) -> Result<usize, String> {
        let nodes = &self.sites[site].nodes;
        let found = nodes.iter().position(|node| node.name == name);
        found.ok_or_else(|| {
            let known: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
            format!("there is no node `{name}`; there are {}", known.join(", "))
        })
    }
}

/// Returns when these units listen, or with the reason why one does not.
pub(super) async fn all_up(ground: &Ground, wanted: impl Fn(&Unit) -> bool) -> Result<(), String> {
    for unit in ground.units(wanted) {
        unit.up().await?;
    }
    Ok(())
}

/// Without power everything is killed at once, and gone when this returns.
pub(super) async fn site(ground: &Ground, name: &str, on: bool) -> Result<String, String> {
    let at = ground.site(name)?;
    let before = ground.sites[at].powered.replace(on);
    ground.changes.send_replace(());
    let mine = |unit: &Unit| unit.site == Some(at);
    let count = ground.units(mine).len();
    if !on {
        ground.kill(&ground.units(mine)).await;
    }
    Ok(match (before, on) {
        (true, false) => format!("{count} processes of `{name}` killed"),
        (false, true) => format!("{count} processes of `{name}` start"),
        (true, true) | (false, false) => format!("the power of `{name}` was as asked"),
    })
}

pub(super) async fn node(
    ground: &Ground,
    site: &str,
    name: &str,
    on: bool,
) -> Result<String, String> {
    let site = ground.site(site)?;
    let node = ground.node(site, name)?;
    ground.sites[site].nodes[node].powered.set(on);
    ground.changes.send_replace(());
    let mine = |unit: &Unit| unit.site == Some(site) && unit.node.get() == Some(node);
    let units = ground.units(mine);
    if !on {
        ground.kill(&units).await;
    }
    let word = if on { "have power" } else { "have none" };
    Ok(format!("{} pods on `{name}` {word}", units.len()))
}
