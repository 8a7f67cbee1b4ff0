//! A fence that firedrill drew as a step of recovery, lifted where nobody went on from there: a site that clients are
//! still sent to would refuse all their writes for good.

use firedrill_erlmcp::world::{Kept, StoreView, View};

/// Whether the site is still fenced by the fence of this epoch, and clients are sent there all the same. `None` when
/// nobody can say. Every promotion since has a later epoch, and every restore an end of its own.
pub fn is_stuck(view: &View, site: &str, epoch: u64) -> Option<bool> {
    let serves = |store: &StoreView| !store.fenced && !store.standby && store.epoch >= epoch;
    let mut stores = view.sites.iter().filter_map(|site| site.store.as_ref());
    if stores.any(serves) {
        return Some(false);
    }
    if let Some(director) = &view.director {
        if director.route.is_empty() {
            return None;
        }
        if director.route != site || director.epoch >= epoch {
            return Some(false);
        }
    }
    let own = view.site(site)?;
    match (&own.store, own.kept) {
        (Some(store), _) => Some(store.fenced && store.epoch == epoch),
        (None, Kept::Records | Kept::Nothing) => Some(false),
        (None, Kept::Fenced | Kept::Unknown) => None,
    }
}

/// An epoch that no site has yet.
pub fn next_epoch(view: &View) -> u64 {
    let stores = view.sites.iter().filter_map(|site| site.store.as_ref());
    let stores = stores.map(|store| store.epoch).max().unwrap_or(0);
    let routed = view.director.as_ref().map_or(0, |director| director.epoch);
    stores.max(routed) + 1
}

#[cfg(test)]
mod tests {
    use firedrill_erlmcp::world::SiteView;

    use super::super::resolve::tests::{standing, view_of};
    use super::*;

    fn store(epoch: u64, fenced: bool) -> Option<StoreView> {
        Some(StoreView {
            epoch,
            fenced,
            standby: false,
            last_position: 9,
            damaged: 0,
        })
    }

    fn site(name: &str, store: Option<StoreView>, kept: Kept) -> SiteView {
        SiteView {
            store,
            kept,
            ..standing(name, Vec::new(), Vec::new())
        }
    }

    #[test]
    fn a_fence_is_stuck_until_somebody_is_promoted() {
        let with = |own, kept| view_of(vec![site("a", own, kept)]);
        let stuck = |view: &View| is_stuck(view, "a", 2);
        assert_eq!(stuck(&with(store(2, true), Kept::Fenced)), Some(true));
        // It was never drawn; the site was promoted again; another fence was drawn, or another store put there.
        assert_eq!(stuck(&with(store(1, false), Kept::Records)), Some(false));
        assert_eq!(stuck(&with(store(3, false), Kept::Records)), Some(false));
        assert_eq!(stuck(&with(store(3, true), Kept::Fenced)), Some(false));
        assert_eq!(stuck(&with(store(1, true), Kept::Fenced)), Some(false));
        // The store cannot be asked.
        assert_eq!(stuck(&with(None, Kept::Fenced)), None);
        assert_eq!(stuck(&with(None, Kept::Nothing)), Some(false));
        // Another site serves.
        let mut two = with(store(2, true), Kept::Fenced);
        two.sites.push(site("b", store(3, false), Kept::Records));
        assert_eq!(stuck(&two), Some(false));
        assert_eq!(next_epoch(&two), 4);
    }
}
