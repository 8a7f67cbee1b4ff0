//! Which pods of a site a fault hits, as the site is now.

use std::collections::BTreeSet;

use firedrill_erlmcp::world::{ProcessView, SiteView};
use firedrill_scenarios::plan::{Pick, Victims, has_labels, labels_text};
use rand::RngExt as _;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{ResolveError, listed, pods};

/// At least one.
///
/// # Errors
/// When there are none, or fewer than are wanted.
pub fn chosen<'a>(
    site: &'a SiteView,
    victims: &Victims,
    held: &BTreeSet<String>,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Vec<&'a ProcessView>, ResolveError> {
    let running: Vec<&ProcessView> = pods(site)
        .filter(|pod| has_labels(&pod.labels, &victims.labels))
        .collect();
    let chosen: Vec<&ProcessView> = match &victims.pick {
        Pick::All => running.clone(),
        Pick::OnNode(node) => running
            .iter()
            .copied()
            .filter(|pod| pod.node.as_deref() == Some(node.as_str()))
            .collect(),
        Pick::Named(wanted) => wanted
            .iter()
            .map(|name| named(site, &running, name))
            .collect::<Result<_, _>>()?,
        Pick::Random(count) if running.len() < *count as usize => {
            return Err(ResolveError::TooFew {
                site: site.name.clone(),
                which: labelled(victims),
                there: running.len(),
                wanted: *count as usize,
            });
        }
        Pick::Random(count) => draw(&running, *count as usize, held, random),
    };
    if chosen.is_empty() {
        return Err(ResolveError::NonePicked {
            site: site.name.clone(),
            which: which(victims),
        });
    }
    Ok(chosen)
}

/// ` with role=canary`.
fn labelled(victims: &Victims) -> String {
    match victims.labels.is_empty() {
        true => String::new(),
        false => format!(" with {}", labels_text(&victims.labels)),
    }
}

/// `is on primary-node-0, and has role=canary`.
fn which(victims: &Victims) -> String {
    let node = match &victims.pick {
        Pick::OnNode(node) => Some(format!("is on {node}")),
        Pick::All | Pick::Named(_) | Pick::Random(_) => None,
    };
    let labels =
        (!victims.labels.is_empty()).then(|| format!("has {}", labels_text(&victims.labels)));
    let parts: Vec<String> = node.into_iter().chain(labels).collect();
    match parts.is_empty() {
        true => "could be chosen".to_owned(),
        false => parts.join(" and "),
    }
}

fn named<'a>(
    site: &SiteView,
    running: &[&'a ProcessView],
    name: &str,
) -> Result<&'a ProcessView, ResolveError> {
    let found = running.iter().copied().find(|pod| pod.name == name);
    found.ok_or_else(|| ResolveError::NoVictim {
        site: site.name.clone(),
        what: "pod",
        name: name.to_owned(),
        known: listed(running.iter().map(|pod| pod.name.as_str())),
    })
}

/// `count` different ones: a partial shuffle (Fisher and Yates).
fn draw<'a>(
    running: &[&'a ProcessView],
    count: usize,
    held: &BTreeSet<String>,
    random: &mut Xoshiro256PlusPlus,
) -> Vec<&'a ProcessView> {
    let free = running.iter().filter(|pod| !held.contains(&pod.name));
    let mut pool: Vec<&ProcessView> = free.copied().collect();
    if pool.len() < count {
        pool = running.to_vec();
    }
    // The order of the view must not decide who is drawn.
    pool.sort_by(|a, b| a.name.cmp(&b.name));
    for place in 0..count.min(pool.len()) {
        let other = random.random_range(place..pool.len());
        pool.swap(place, other);
    }
    pool.truncate(count);
    pool
}
