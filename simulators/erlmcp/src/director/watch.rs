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
    /// Whether the site is missed, after this check.
    fn take(&mut self, site: &str, ok: bool, max: u32) -> bool {
        if self.site != site {
            *self = Misses {
                site: site.to_owned(),
                count: 0,
            };
        }
        self.count = if ok { 0 } else { self.count.saturating_add(1) };
        self.count >= max
    }
}

/// A site is believed in for so long since its last good check, by the time of day.
#[derive(Debug, Default)]
struct Lease {
    site: String,
    renewed: Duration,
}

impl Lease {
    /// Whether the site is missed, after this check. It lasted from one time of day to another; a good one renews the
    /// lease from its beginning on.
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
            };
        }
        // It has run out before anybody could renew it.
        let is_over = ended.saturating_sub(self.renewed) > lasts;
        if ok {
            self.renewed = began;
        }
        is_over
    }

    /// As long as the misses in a row would take.
    fn length(config: &DirectorConfig) -> Duration {
        (config.probe + config.timeout) * (config.misses + 1)
    }
}

/// What was told already, so that it is told once however often it is seen.
#[derive(Debug, Default)]
struct Told {
    missed: Option<String>,
    failed: Option<String>,
}

impl Told {
    /// Whether it is news that this site is missed.
    fn is_missed_anew(&mut self, site: &str, is_missed: bool) -> bool {
        let missed = is_missed.then(|| site.to_owned());
        let is_news = missed.is_some() && missed != self.missed;
        self.missed = missed;
        if is_news {
            self.failed = None;
        }
        is_news
    }

    /// Why this attempt failed, unless the one before failed for the same reason.
    fn why_anew(&mut self, outcome: Result<(), String>) -> Option<String> {
        let failed = outcome.err();
        let news = failed.clone().filter(|_| failed != self.failed);
        self.failed = failed;
        news
    }
}

pub(super) async fn run(director: Rc<Director>) {
    let config = &director.part.config;
    let mut misses = Misses::default();
    let mut lease = Lease::default();
    let mut told = Told::default();
    loop {
        tokio::time::sleep(config.probe).await;
        let route = director.state().route;
        let Ok(site) = director.site(&route) else {
            continue;
        };
        let began = clock::wall();
        let check = ask::get(site.front, &site.health, config.timeout).await;
        let ok = check.is_ok();
        let is_missed = match config.clock {
            DirectorClock::Monotonic => misses.take(&route, ok, config.misses),
            DirectorClock::Wall => {
                let lasted = (began, clock::wall());
                lease.take(&route, ok, lasted, Lease::length(config))
            }
        };
        if told.is_missed_anew(&route, is_missed) {
            let over = || "its lease has run out".to_owned();
            let why = check.err().unwrap_or_else(over);
            director.mark(Instant::Detected, json!({ "site": route, "why": why }));
        }
        if !config.automatic {
            continue;
        }
        // Whatever fails is tried again after the next check: the site is missed still, or it is back.
        let outcome = if is_missed {
            failover::fail_over(&director, &route).await
        } else if ok && director.state().unfinished {
            failover::go_back(&director, &route).await
        } else {
            continue;
        };
        if let Some(why) = told.why_anew(outcome) {
            let detail = json!({ "site": route, "why": why });
            director.mark(Instant::FailoverFailed, detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_missed_after_so_many_misses_in_a_row_and_until_it_answers() {
        let mut misses = Misses::default();
        let checks = [false, false, true, false, false, false, false, true];
        let missed: Vec<bool> = checks.iter().map(|&ok| misses.take("a", ok, 3)).collect();
        let expected = [false, false, false, false, false, true, true, false];
        assert_eq!(missed, expected);
    }

    #[test]
    fn what_stays_as_it_is_is_told_once() {
        let mut told = Told::default();
        let checks = [
            ("a", true),
            ("a", true),
            ("b", true),
            ("b", false),
            ("b", true),
        ];
        let news = checks.map(|(site, is_missed)| told.is_missed_anew(site, is_missed));
        assert_eq!(news, [true, false, true, false, true]);
        let why = |reason: &str| Err(reason.to_owned());
        assert!(told.why_anew(why("no site")).is_some());
        assert!(told.why_anew(why("no site")).is_none());
        assert!(told.why_anew(why("no answer")).is_some());
        assert!(told.why_anew(Ok(())).is_none());
        assert!(told.why_anew(why("no answer")).is_some());
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
        assert!(take("b", false, 4_011, 4_011));
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
