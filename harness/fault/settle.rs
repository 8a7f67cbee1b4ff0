//! Who takes writes, and where clients are sent, once firedrill's own steps of recovery are over: wherever the way out
//! came between two of them, clients are sent to the one site that takes their writes. The site that was promoted last
//! is the one: going back from it would lose what it has taken, and another one has not all that was acknowledged.

use firedrill_erlmcp::world::{StoreView, View};

/// What is still to be done until clients are sent to a site that takes their writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    Nothing,
    /// This site was promoted last, and refuses writes.
    Promotion(String),
    /// This site takes writes, and clients are sent to another.
    Route(String),
    /// The site that is to have a copy of the one that serves takes none.
    Copy {
        from: String,
        to: String,
    },
}

/// What is missing where a step has touched `site`; `None` when nobody can say. A site that stands apart may take
/// writes of its own, and is nobody's.
pub fn missing(view: &View, site: &str) -> Option<Missing> {
    let Some(director) = &view.director else {
        return missing_alone(view, site);
    };
    if director.owner.is_empty() || director.route.is_empty() {
        return None;
    }
    let owner = &director.owner;
    let store = view.site(owner)?.store.as_ref()?;
    Some(if !serves(store) || store.epoch < director.epoch {
        Missing::Promotion(owner.clone())
    } else if director.route != *owner {
        Missing::Route(owner.clone())
    } else {
        missing_copy(view, owner)
    })
}

/// A fenced store takes no lines, as little as writes: what was restored in its place stays fenced until somebody
/// goes on with it.
fn missing_copy(view: &View, serving: &str) -> Missing {
    let way = view.replication.as_ref().filter(|way| way.from == serving);
    let store = way.and_then(|way| view.site(&way.to)?.store.as_ref());
    match (way, store) {
        (Some(way), Some(store)) if store.fenced => Missing::Copy {
            from: way.from.clone(),
            to: way.to.clone(),
        },
        _ => Missing::Nothing,
    }
}

/// Without a director nobody is sent anywhere: either of the two that share their records may take writes.
fn missing_alone(view: &View, site: &str) -> Option<Missing> {
    let pair = view.replication.as_ref();
    let pair = pair.map(|own| [own.from.as_str(), own.to.as_str()]);
    let both = pair.filter(|pair| pair.contains(&site));
    let mut both = both.into_iter().flatten();
    let takes_writes = |name: &&str| {
        view.site(name)
            .and_then(|own| own.store.as_ref())
            .is_some_and(serves)
    };
    if let Some(serving) = both.find(takes_writes) {
        return Some(missing_copy(view, serving));
    }
    let store = view.site(site)?.store.as_ref()?;
    Some(match serves(store) {
        true => Missing::Nothing,
        false => Missing::Promotion(site.to_owned()),
    })
}

pub(super) fn serves(store: &StoreView) -> bool {
    !store.fenced && !store.standby
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
    use firedrill_erlmcp::Role;
    use firedrill_erlmcp::world::{
        DirectorView, ProcessState, ProcessView, ReplicationView, SiteView,
    };

    use super::super::resolve::tests::{standing, view_of};
    use super::*;

    #[derive(Clone, Copy)]
    enum Is {
        Serving(u64),
        Fenced(u64),
        Standby(u64),
        Silent,
    }

    fn site(name: &str, is: Is) -> SiteView {
        let store = |epoch, fenced, standby| StoreView {
            epoch,
            fenced,
            standby,
            last_position: 9,
            damaged: 0,
        };
        SiteView {
            store: match is {
                Is::Serving(epoch) => Some(store(epoch, false, false)),
                Is::Fenced(epoch) => Some(store(epoch, true, false)),
                Is::Standby(epoch) => Some(store(epoch, false, true)),
                Is::Silent => None,
            },
            ..standing(name, Vec::new(), Vec::new())
        }
    }

    fn director(owner: &str, epoch: u64, route: &str) -> DirectorView {
        let address = ([127, 0, 0, 1], 1).into();
        DirectorView {
            process: ProcessView {
                name: "director".to_owned(),
                role: Role::Director,
                node: None,
                labels: std::collections::BTreeMap::new(),
                pid: None,
                started: 0,
                address,
                control: None,
                state: ProcessState::Running,
                ready: true,
            },
            route: route.to_owned(),
            epoch,
            owner: owner.to_owned(),
            dns: address,
            wall_ms: 0,
        }
    }

    /// Two sites, `a` and `b`, and a third one that takes writes of its own.
    fn view(a: Is, b: Is) -> View {
        let mut view = view_of(vec![
            site("a", a),
            site("b", b),
            site("apart", Is::Serving(1)),
        ]);
        view.replication = Some(ReplicationView {
            from: "a".to_owned(),
            to: "b".to_owned(),
            paused: false,
            shipped_position: 0,
            lag_ms: 0,
        });
        view
    }

    #[test]
    fn the_site_that_was_promoted_last_takes_writes_and_gets_the_clients() {
        use Is::{Fenced, Serving, Silent, Standby};
        let promote = |site: &str| Some(Missing::Promotion(site.to_owned()));
        let route = |site: &str| Some(Missing::Route(site.to_owned()));
        let nothing = Some(Missing::Nothing);
        let at = |a, b, owner, epoch, routed| {
            let mut view = view(a, b);
            view.director = Some(director(owner, epoch, routed));
            missing(&view, "a")
        };
        assert_eq!(at(Serving(1), Standby(1), "a", 1, "a"), nothing);
        // Fenced, or filled from a backup; and clients may have been sent on already.
        assert_eq!(at(Fenced(2), Standby(1), "a", 1, "a"), promote("a"));
        assert_eq!(at(Fenced(1), Standby(1), "a", 1, "a"), promote("a"));
        assert_eq!(at(Fenced(2), Standby(1), "a", 1, "b"), promote("a"));
        assert_eq!(at(Serving(1), Standby(1), "a", 1, "b"), route("a"));
        // The other one was filled from a backup in its place.
        let copy = Some(Missing::Copy {
            from: "a".to_owned(),
            to: "b".to_owned(),
        });
        assert_eq!(at(Serving(1), Fenced(1), "a", 1, "a"), copy);
        assert_eq!(at(Serving(1), Fenced(1), "a", 1, "b"), route("a"));
        // Somebody else was promoted; or was to be, and did not hear of it; or the other one does not know it yet.
        assert_eq!(at(Fenced(2), Serving(3), "b", 3, "a"), route("b"));
        assert_eq!(at(Fenced(2), Standby(1), "b", 3, "a"), promote("b"));
        assert_eq!(at(Fenced(2), Serving(1), "b", 3, "a"), promote("b"));
        assert_eq!(at(Serving(1), Serving(2), "b", 2, "b"), nothing);
        assert_eq!(at(Fenced(2), Serving(3), "b", 3, "b"), nothing);
        assert_eq!(at(Silent, Serving(3), "b", 3, "b"), nothing);
        // Halfway home.
        assert_eq!(at(Fenced(2), Fenced(4), "b", 3, "a"), promote("b"));
        // Nobody can say.
        assert_eq!(at(Serving(1), Silent, "b", 3, "a"), None);
        assert_eq!(at(Serving(1), Standby(1), "", 0, ""), None);
    }

    #[test]
    fn without_a_director_one_of_two_takes_writes() {
        use Is::{Fenced, Serving, Silent, Standby};
        let promote = Some(Missing::Promotion("a".to_owned()));
        let at = |a, b| missing(&view(a, b), "a");
        assert_eq!(at(Fenced(2), Standby(1)), promote);
        assert_eq!(at(Fenced(2), Silent), promote);
        assert_eq!(at(Silent, Standby(1)), None);
        assert_eq!(at(Serving(1), Standby(1)), Some(Missing::Nothing));
        let copy = Missing::Copy {
            from: "a".to_owned(),
            to: "b".to_owned(),
        };
        assert_eq!(at(Serving(1), Fenced(1)), Some(copy));
        assert_eq!(at(Fenced(2), Serving(3)), Some(Missing::Nothing));
        assert_eq!(at(Silent, Serving(3)), Some(Missing::Nothing));
        let alone = |is| missing(&view_of(vec![site("a", is)]), "a");
        assert_eq!(alone(Fenced(2)), promote);
        assert_eq!(alone(Serving(3)), Some(Missing::Nothing));
        assert_eq!(alone(Silent), None);
        assert_eq!(next_epoch(&view(Fenced(2), Serving(3))), 4);
    }
}
