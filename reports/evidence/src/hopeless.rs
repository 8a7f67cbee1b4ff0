//! Whether a limit can still be met while the run goes on: what an objective with `abort` asks every second.

use std::time::Duration;

use crate::binomial::tail_at_least;
use crate::limit::{Limit, Share, judge_point};
use crate::verdict::Verdict;

/// What chance does not explain: the probability below which a share is bad beyond doubt.
pub const NO_CHANCE: f64 = 1e-6;

/// With fewer operations nothing is called bad beyond doubt.
pub const LEAST_OPERATIONS: u64 = 50;

/// Whether the share over a whole phase cannot be met any more. `seen` is the sum of the buckets that are closed.
/// Where it is known how many operations are still to come, even if all of them were good; where it is not
/// (closed load), when chance does not explain what was seen.
pub fn hopeless(seen: Share, limit: Limit, still_to_come: Option<u64>) -> bool {
    let beyond_doubt =
        seen.of >= LEAST_OPERATIONS && tail_at_least(seen.bad, seen.of, limit.share()) < NO_CHANCE;
    match still_to_come {
        Some(more) => {
            beyond_doubt
                && !limit.met_by(Share {
                    bad: seen.bad,
                    of: seen.of.saturating_add(more),
                })
        }
        None => beyond_doubt,
    }
}

/// Whether the newest whole window of `length` is over the limit: `closed` are the closed buckets of the phase in
/// the order of time, `width` wide.
pub fn hopeless_window(closed: &[Share], width: Duration, length: Duration, limit: Limit) -> bool {
    let newest = crate::window::windows(closed.len(), width, length).last();
    newest.is_some_and(|range| {
        let share = closed[range].iter().copied().sum();
        judge_point(share, limit).verdict == Verdict::Fail
    })
}

/// Whether `wanted` good operations of a phase are out of reach, even if all that still come were good. So many as
/// `expected` come in the whole phase, and six standard deviations more are let pass, since arrivals are chance.
pub fn out_of_reach(seen: Share, expected: f64, wanted: f64) -> bool {
    let still_to_come = (expected - seen.of as f64).max(0.0) + 6.0 * expected.max(0.0).sqrt();
    (seen.of - seen.bad) as f64 + still_to_come < wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit::Below(0.01);

    #[test]
    fn a_phase_is_given_up_only_when_nothing_can_save_it() {
        let seen = Share { bad: 100, of: 1000 };
        assert!(hopeless(seen, LIMIT, None));
        assert!(
            hopeless(seen, LIMIT, Some(9_000)),
            "100 of 10,000 is not below 1 %"
        );
        assert!(!hopeless(seen, LIMIT, Some(9_001)));
        assert!(
            !hopeless(Share { bad: 49, of: 49 }, LIMIT, None),
            "too few to say"
        );
        assert!(
            !hopeless(Share { bad: 12, of: 1000 }, LIMIT, None),
            "chance explains it"
        );
        assert!(!hopeless(Share::default(), LIMIT, None));
    }

    #[test]
    fn a_window_counts_when_it_is_whole() {
        let second = Duration::from_secs(1);
        let mut closed = vec![Share { bad: 0, of: 500 }; 4];
        closed.push(Share { bad: 100, of: 500 });
        assert!(!hopeless_window(&closed, second, 6 * second, LIMIT));
        assert!(hopeless_window(&closed, second, 5 * second, LIMIT));
        closed.extend([Share { bad: 0, of: 500 }; 5]);
        assert!(!hopeless_window(&closed, second, 5 * second, LIMIT));
    }

    #[test]
    fn what_a_perfect_rest_would_reach_is_not_out_of_reach() {
        let seen = Share {
            bad: 4_000,
            of: 4_000,
        };
        assert!(!out_of_reach(seen, 10_000.0, 6_600.0));
        assert!(out_of_reach(seen, 10_000.0, 6_601.0));
    }
}
