//! Quantiles against an exact sort, with a miss as an infinitely late time.

use firedrill_evidence::{Quantile, Quantiles, quantile, quantile_bounds, rank};
use hdrhistogram::Histogram;
use proptest::prelude::*;

fn histogram(times: &[u64]) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    for time in times {
        histogram.record(*time).unwrap();
    }
    histogram
}

fn times() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(1_u64..60_000_000_000, 0..300)
}

proptest! {
    #[test]
    fn a_quantile_is_that_of_the_exact_sort(times in times(), misses in 0_u64..100, q in 0.0_f64..=1.0) {
        let mut sorted: Vec<u64> = times.clone();
        sorted.sort_unstable();
        sorted.extend(std::iter::repeat_n(u64::MAX, misses as usize));
        let found = quantile(&histogram(&times), misses, q);
        if sorted.is_empty() {
            prop_assert_eq!(found, Quantile::Nothing);
            return Ok(());
        }
        match sorted[rank(q, sorted.len() as u64) as usize - 1] {
            u64::MAX => {
                let Quantile::Miss { at_least } = found else { panic!("{found:?} and not a miss") };
                prop_assert_eq!(at_least.is_some(), !times.is_empty());
            }
            exact => {
                let found = found.time().unwrap();
                prop_assert!(found >= exact && found as f64 <= exact as f64 * 1.001, "{found} for {exact}");
            }
        }
    }

    #[test]
    fn a_miss_makes_no_quantile_better(times in times(), misses in 0_u64..100) {
        let histogram = histogram(&times);
        let before = Quantiles::of(&histogram, misses);
        let after = Quantiles::of(&histogram, misses + 1);
        let pairs = [
            (before.p50, after.p50),
            (before.p90, after.p90),
            (before.p95, after.p95),
            (before.p99, after.p99),
            (before.p999, after.p999),
            (before.max, after.max),
        ];
        for (before, after) in pairs {
            // `None` is beyond every time, but for the quantiles of nothing at all.
            let beyond = |time: Option<u64>| time.unwrap_or(if before.is_none() && times.is_empty() { 0 } else { u64::MAX });
            prop_assert!(beyond(after) >= beyond(before));
        }
        prop_assert_eq!(after.mean, None);
    }

    #[test]
    fn bounds_hold_the_quantile_between_them(times in times(), misses in 0_u64..20, q in 0.01_f64..0.999) {
        let histogram = histogram(&times);
        let beyond = |quantile: Quantile| quantile.time().unwrap_or(u64::MAX);
        let all = times.len() as u64 + misses;
        prop_assume!(all > 0);
        let (lower, upper) = quantile_bounds(&histogram, misses, q, all as f64);
        let middle = beyond(quantile(&histogram, misses, q));
        prop_assert!(beyond(lower) <= middle && middle <= beyond(upper));
    }
}

#[test]
fn an_empty_histogram_has_no_quantile() {
    let nothing = Quantiles::of(&histogram(&[]), 0);
    assert_eq!(
        (nothing.count, nothing.p99, nothing.max, nothing.mean),
        (0, None, None, None)
    );
    let missed = Quantiles::of(&histogram(&[]), 7);
    assert_eq!(
        (missed.count, missed.misses, missed.p50, missed.at_least),
        (7, 7, None, None)
    );
}

#[test]
fn ranks_of_round_shares_are_exact() {
    assert_eq!(rank(0.9, 10), 9);
    assert_eq!(rank(0.99, 100), 99);
    assert_eq!(rank(0.999, 1000), 999);
    assert_eq!(rank(0.99, 101), 100);
    assert_eq!(rank(1.0, 5), 5);
    assert_eq!(rank(0.0, 5), 1);
}
