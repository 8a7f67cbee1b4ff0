//! Health checks of the site that clients are sent to.

use std::rc::Rc;
use std::time::Duration;

use serde_json::json;

use super::{Director, failover};
use crate::world::{DirectorClock, DirectorConfig, Instant};
use crate::{ask, clock};

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

/// A site is believed in for so long since its last good check, by the time of day.
#[derive(Debug, Default)]
struct Lease {
    site: String,
    renewed: Duration,
    told: bool,
}

impl Lease {
    /// Whether this check is the one that tells that the site is lost. It lasted from one time of day to another; a
    /// good one renews the lease from its beginning on.
    fn take(
        &mut self,
        site: &str,
        ok: bool,
        (began, ended): (Duration, Duration),
        lasts: Duration,
    ) -> bool {
        if self.site != site {
            *self = Lease {
                site: site.to_owned(),
                renewed: began,
                told: false,
            };
        }
        // It has run out before anybody could renew it.
        let is_over = ended.saturating_sub(self.renewed) > lasts;
        let is_news = is_over && !self.told;
        self.told = is_over;
        if ok {
            self.renewed = began;
        }
        is_news
    }

    /// As long as the misses in a row would take.
    fn length(config: &DirectorConfig) -> Duration {
        (config.probe + config.timeout) * (config.misses + 1)
    }
}

pub(super) async fn run(director: Rc<Director>) {
    let config = &director.part.config;
    let mut misses = Misses::default();
    let mut lease = Lease::default();
    loop {
        tokio::time::sleep(config.probe).await;
        if director.busy.get() {
            continue;
        }
        let route = director.state().route;
        let Ok(site) = director.site(&route) else {
            continue;
        };
        let began = clock::wall();
        let check = ask::get(site.front, &site.health, config.timeout).await;
        let ok = check.is_ok();
        let is_lost = match config.clock {
            DirectorClock::Monotonic => misses.take(&route, ok, config.misses),
            DirectorClock::Wall => {
                let lasted = (began, clock::wall());
                lease.take(&route, ok, lasted, Lease::length(config))
            }
        };
        if is_lost {
            let over = || "its lease has run out".to_owned();
            let why = check.err().unwrap_or_else(over);
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
    fn a_lease_by_the_time_of_day_believes_whoever_sets_the_clock() {
        let second = Duration::from_secs;
        let mut lease = Lease::default();
        let mut take = |site, ok, began, ended| {
            lease.take(site, ok, (second(began), second(ended)), second(3))
        };
        assert!(!take("a", true, 100, 100));
        assert!(!take("a", true, 102, 102));
        assert!(take("a", true, 4_000, 4_000));
        assert!(!take("b", true, 4_001, 4_001));
        // Back again: nobody is missed for an hour.
        assert!(!take("b", false, 103, 103));
        assert!(!take("b", false, 900, 900));
        assert!(take("b", false, 4_010, 4_010));
        assert!(!take("b", false, 4_011, 4_011));
        // The clock jumps during the first check.
        assert!(take("a", true, 100, 4_000));
    }

    #[test]
    fn misses_of_another_site_count_anew() {
        let mut misses = Misses::default();
        assert!(!misses.take("a", false, 2));
        assert!(!misses.take("b", false, 2));
        assert!(misses.take("b", false, 2));
    }
}
