//! When the generator was measured, and not the target.

use std::time::Duration;

use crate::limit::{Finding, Share};
use crate::verdict::Verdict;

/// Lateness p99 of what was dispatched in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatenessSample {
    pub p99: Duration,
    /// Time since the sample before: longer than a second when we could not even look.
    pub covers: Duration,
}

/// How a load thread waited for a core in one interval, or was held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaitSample {
    /// The share of the interval in which it could have run and had no core.
    pub share: f64,
    pub covers: Duration,
}

/// Why a measurement cannot be trusted.
#[derive(Clone, Debug, PartialEq)]
pub enum Distrust {
    /// Too many seconds in which we dispatched too late: the load was not the one asked for.
    Late {
        seconds: u64,
        of: u64,
        limit: Duration,
    },
    /// Too many seconds in which a load thread waited too long for a core: what it measured was that.
    Kept { seconds: u64, of: u64, limit: f64 },
    /// Too many seconds in which a load thread did not run for too long, again and again: what it measured was that.
    Lost { seconds: u64, of: u64, limit: f64 },
    /// Too many seconds in which we could not even look: we were stopped, and the load with us.
    Stopped { seconds: u64, of: u64 },
    /// Operations that we were too late to send at all.
    NotSent(u64),
    /// Connections that our own machine could not make: no local port, no file descriptor.
    Local(u64),
}

const SECOND: Duration = Duration::from_secs(1);

/// With less of its own capacity left, a generator cannot tell the target's slowness from its own.
pub const NO_HEADROOM: f64 = 0.05;

/// Above this, a dispatch is late by our fault: 1 ms, or 10 % of the tightest latency limit when that is more.
pub fn lateness_limit(tightest: Option<Duration>) -> Duration {
    const FLOOR: Duration = Duration::from_millis(1);
    tightest.map_or(FLOOR, |limit| FLOOR.max(limit / 10))
}

/// Above this share of a second, a load thread was kept from its core. A schedule that is not kept shows as lateness,
/// long before; a closed load has none, and just asks for less.
pub fn wait_limit(closed: bool) -> f64 {
    if closed { 0.25 } else { 0.5 }
}

/// Whether a load thread was kept from its core: by the same rule as for lateness.
pub fn kept(waits: &[WaitSample], limit: f64) -> Option<Distrust> {
    too_long(waits, limit).map(|(seconds, of)| Distrust::Kept { seconds, of, limit })
}

/// Whether a load thread did not come to run at all, by the same rule: frozen, or without the core that the machine says
/// it has.
pub fn lost(waits: &[WaitSample], limit: f64) -> Option<Distrust> {
    too_long(waits, limit).map(|(seconds, of)| Distrust::Lost { seconds, of, limit })
}

/// The seconds above the limit, of all, where they are too many.
fn too_long(waits: &[WaitSample], limit: f64) -> Option<(u64, u64)> {
    let sum = |samples: &mut dyn Iterator<Item = &WaitSample>| {
        let seconds: f64 = samples.map(|sample| sample.covers.as_secs_f64()).sum();
        seconds.round() as u64
    };
    let of = sum(&mut waits.iter());
    let seconds = sum(&mut waits.iter().filter(|sample| sample.share > limit));
    (seconds >= 2 && seconds * 100 > of).then_some((seconds, of))
}

/// Whether we were stopped, from the times between our looks: one is due each second, and seconds without one count by
/// the same rule. Of a closed load nothing else shows it, since what is not asked for cannot be late.
pub fn stopped(covers: &[Duration]) -> Option<Distrust> {
    /// A look that comes sooner than this is a late one, and left no second out.
    const MISSED: Duration = Duration::from_millis(1_500);
    let of: f64 = covers.iter().map(Duration::as_secs_f64).sum();
    let of = of.round() as u64;
    let missed = covers.iter().filter(|covers| **covers >= MISSED);
    let seconds: u64 = missed
        .map(|covers| (*covers - SECOND).as_secs_f64().ceil() as u64)
        .sum();
    (seconds >= 2 && seconds * 100 > of).then_some(Distrust::Stopped { seconds, of })
}

/// Whether a load thread had no headroom: of what share of the time, by its seconds and the share of each in which it
/// had a core or waited for one. The mean decides, since a target that stalls leaves the thread idle, and the second
/// in which what had waited is sent must not make its slowness ours.
pub fn saturated(busy: &[WaitSample]) -> Option<f64> {
    let of: f64 = busy.iter().map(|sample| sample.covers.as_secs_f64()).sum();
    let used = |sample: &WaitSample| sample.share.min(1.0) * sample.covers.as_secs_f64();
    let share = busy.iter().map(used).sum::<f64>() / of;
    (of > 0.0 && share >= 1.0 - NO_HEADROOM).then_some(share)
}

/// Every reason to distrust a measurement. Late seconds count when there are at least two of them, and more
/// than 1 % of all; an operation that we could not send counts at once.
pub fn distrust(
    lateness: &[LatenessSample],
    limit: Duration,
    not_sent: u64,
    local: u64,
) -> Vec<Distrust> {
    let seconds = |time: Duration| time.as_secs_f64().round().max(1.0) as u64;
    let of: u64 = lateness.iter().map(|sample| seconds(sample.covers)).sum();
    // What was dispatched in an interval was due in it and in the time before it by which it was late: a stop of a
    // second shows in one interval, and two seconds of the schedule were not kept.
    let late: u64 = lateness
        .iter()
        .filter(|sample| sample.p99 > limit)
        .map(|sample| seconds(sample.covers.max(SECOND) + sample.p99))
        .sum();
    let of = of.max(late);
    let mut reasons = Vec::new();
    if late >= 2 && late * 100 > of {
        reasons.push(Distrust::Late {
            seconds: late,
            of,
            limit,
        });
    }
    if not_sent > 0 {
        reasons.push(Distrust::NotSent(not_sent));
    }
    if local > 0 {
        reasons.push(Distrust::Local(local));
    }
    reasons
}

/// Whether a failure stands without the operations that say nothing of the target, since we dispatched them late, could not
/// send them, or were held while they were under way. `judge` judges what is left in each bucket in the same way as
/// before. What was no failure stands.
pub fn stands_without_ours(
    finding: &Finding,
    buckets: &[Share],
    ours: &[Share],
    judge: impl FnOnce(&[Share]) -> Verdict,
) -> bool {
    if finding.verdict != Verdict::Fail || ours.iter().all(|ours| *ours == Share::default()) {
        return true;
    }
    let theirs: Vec<Share> = buckets
        .iter()
        .zip(ours)
        .map(|(all, ours)| Share {
            bad: all.bad.saturating_sub(ours.bad),
            of: all.of.saturating_sub(ours.of),
        })
        .collect();
    judge(&theirs) == Verdict::Fail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::{Limit, judge_point};

    const MS: Duration = Duration::from_millis(1);
    fn samples(late: usize, all: usize) -> Vec<LatenessSample> {
        let p99 = |index| if index < late { 5 * MS } else { MS / 10 };
        (0..all)
            .map(|index| LatenessSample {
                p99: p99(index),
                covers: SECOND,
            })
            .collect()
    }

    #[test]
    fn the_limit_follows_the_tightest_objective() {
        assert_eq!(lateness_limit(None), MS);
        assert_eq!(lateness_limit(Some(5 * MS)), MS);
        assert_eq!(lateness_limit(Some(100 * MS)), 10 * MS);
    }

    #[test]
    fn a_thread_that_has_no_core_for_two_seconds_was_kept_from_it() {
        let waits = |kept: usize, all: usize| -> Vec<WaitSample> {
            let share = |index| if index < kept { 0.8 } else { 0.05 };
            let sample = |index| WaitSample {
                share: share(index),
                covers: SECOND,
            };
            (0..all).map(sample).collect()
        };
        let limit = wait_limit(true);
        assert_eq!(kept(&waits(1, 10), limit), None);
        let found = kept(&waits(2, 10), limit);
        let expected = Distrust::Kept {
            seconds: 2,
            of: 10,
            limit,
        };
        assert_eq!(found, Some(expected));
        assert_eq!(kept(&waits(2, 200), limit), None, "not more than 1 %");
        assert_eq!(kept(&waits(0, 10), limit), None);
        assert!(wait_limit(false) > limit, "lateness shows it before");
    }

    #[test]
    fn two_seconds_without_a_look_are_a_stop_and_one_is_none() {
        let seen = |gap: Duration, looks: usize| {
            let mut covers = vec![SECOND; looks];
            covers.push(gap);
            stopped(&covers)
        };
        let of = |seconds, of| Some(Distrust::Stopped { seconds, of });
        assert_eq!(seen(3 * SECOND, 7), of(2, 10));
        assert_eq!(seen(2_100 * MS, 8), of(2, 10), "stopped for two seconds");
        assert_eq!(seen(2 * SECOND, 8), None, "stopped for one");
        assert_eq!(seen(3 * SECOND, 297), None, "not more than 1 %");
        assert_eq!(stopped(&[1_200 * MS; 20]), None, "late looks");
        assert_eq!(stopped(&[]), None);
    }

    #[test]
    fn a_thread_is_saturated_by_the_mean_of_its_time() {
        let busy = |shares: &[f64]| {
            let sample = |share: &f64| WaitSample {
                share: *share,
                covers: SECOND,
            };
            saturated(&shares.iter().map(sample).collect::<Vec<_>>())
        };
        assert_eq!(busy(&[]), None);
        assert!(busy(&[1.02, 0.96, 0.97]).is_some());
        assert_eq!(busy(&[0.94; 10]), None);
        // A stall, and the second in which all that had waited for it is sent.
        assert_eq!(busy(&[0.97, 0.97, 0.97, 0.1, 1.0, 0.97]), None);
    }

    #[test]
    fn late_seconds_count_from_two_and_above_one_in_a_hundred() {
        assert_eq!(distrust(&samples(1, 10), MS, 0, 0), []);
        let two = Distrust::Late {
            seconds: 2,
            of: 10,
            limit: MS,
        };
        assert_eq!(distrust(&samples(2, 10), MS, 0, 0), [two]);
        assert_eq!(distrust(&samples(2, 200), MS, 0, 0), []);
        assert_eq!(distrust(&samples(3, 200), MS, 0, 0).len(), 1);
        assert_eq!(distrust(&samples(10, 10), 10 * MS, 0, 0), []);
        assert_eq!(distrust(&[], MS, 0, 0), []);
    }

    /// Stopped for a second, we take one sample where two belong, and what was due meanwhile is late in it.
    #[test]
    fn a_second_without_a_look_is_late_too() {
        let mut seen = samples(0, 28);
        seen.push(LatenessSample {
            p99: 900 * MS,
            covers: 2 * SECOND,
        });
        let late = Distrust::Late {
            seconds: 3,
            of: 30,
            limit: MS,
        };
        assert_eq!(distrust(&seen, MS, 0, 0), [late]);
    }

    /// Stopped for a second between two looks: all that was due meanwhile is dispatched within one interval.
    #[test]
    fn a_second_that_shows_in_one_interval_is_late_in_two() {
        let stopped = |p99| {
            let mut seen = samples(0, 11);
            seen.push(LatenessSample {
                p99,
                covers: SECOND / 2,
            });
            distrust(&seen, MS, 0, 0)
        };
        let late = Distrust::Late {
            seconds: 2,
            of: 12,
            limit: MS,
        };
        assert_eq!(stopped(990 * MS), [late]);
        assert_eq!(stopped(400 * MS), []);
    }

    #[test]
    fn what_we_could_not_send_counts_at_once() {
        assert_eq!(distrust(&samples(0, 10), MS, 1, 0), [Distrust::NotSent(1)]);
        assert_eq!(distrust(&samples(0, 10), MS, 0, 7), [Distrust::Local(7)]);
    }

    #[test]
    fn a_failure_that_is_ours_does_not_stand() {
        let buckets = [Share { bad: 50, of: 1000 }];
        let judge = |shares: &[Share]| judge_point(shares[0], Limit::Below(0.01)).verdict;
        let finding = judge_point(buckets[0], Limit::Below(0.01));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(!stands_without_ours(
            &finding,
            &buckets,
            &[Share { bad: 45, of: 60 }],
            judge
        ));
        assert!(stands_without_ours(
            &finding,
            &buckets,
            &[Share { bad: 20, of: 60 }],
            judge
        ));
        // Too slow for a tighter limit anyway, they are evidence; for this one they are ours.
        assert!(!stands_without_ours(
            &finding,
            &buckets,
            &[Share { bad: 45, of: 0 }],
            judge
        ));
        assert!(stands_without_ours(
            &finding,
            &buckets,
            &[Share::default()],
            judge
        ));
    }
}
