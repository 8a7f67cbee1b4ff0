//! Health checks of the site that clients are sent to.

use std::rc::Rc;

use serde_json::json;

use super::{Director, failover};
use crate::ask;
use crate::world::Instant;

/// Misses in a row, of one site.
#[derive(Debug, Default)]
struct Misses {
    site: String,
    count: u32,
}

impl Misses {
    /// Whether this check is the one that tells that the site is lost.
    fn take(&mut self, site: &str, ok: bool, max: u32) -> bool {
        if self.site != site {
            *self = Misses {
                site: site.to_owned(),
                count: 0,
            };
        }
        self.count = if ok { 0 } else { self.count.saturating_add(1) };
        self.count == max
    }
}

pub(super) async fn run(director: Rc<Director>) {
    let config = &director.part.config;
    let mut misses = Misses::default();
    loop {
        tokio::time::sleep(config.probe).await;
        if director.busy.get() {
            continue;
        }
        let route = director.state().route;
        let Ok(site) = director.site(&route) else {
            continue;
        };
        let check = ask::get(site.front, &site.health, config.timeout).await;
        if misses.take(&route, check.is_ok(), config.misses) {
            let why = check.err().unwrap_or_default();
            director.mark(Instant::Detected, json!({ "site": route, "why": why }));
            if config.automatic {
                // Its own marks tell how far it came.
                let _ = failover::fail_over(&director, &route).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_lost_once_after_so_many_misses_in_a_row() {
        let mut misses = Misses::default();
        let checks = [false, false, true, false, false, false, false];
        let lost: Vec<bool> = checks.iter().map(|&ok| misses.take("a", ok, 3)).collect();
        assert_eq!(lost, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn misses_of_another_site_count_anew() {
        let mut misses = Misses::default();
        assert!(!misses.take("a", false, 2));
        assert!(!misses.take("b", false, 2));
        assert!(misses.take("b", false, 2));
    }
}
