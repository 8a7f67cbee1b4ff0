//! What the block method and the point rule prove: known values, monotony, and error rates by simulation.

use std::time::Duration;

use firedrill_evidence::{
    Limit, Method, Share, Verdict, Why, design_effect, judge_blocks, judge_point, lower_bound,
    strict, upper_bound,
};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const P99: Limit = Limit::Quantile(0.99);
const HALF_PERCENT: Limit = Limit::Below(0.005);

fn steady(seconds: usize, bad: u64, of: u64) -> Vec<Share> {
    vec![Share { bad, of }; seconds]
}

#[test]
fn the_point_rule_needs_as_many_operations_as_prove_something() {
    assert_eq!(P99.least_operations(), 367);
    assert_eq!(HALF_PERCENT.least_operations(), 736);
    let verdict = |bad, of, limit| judge_point(Share { bad, of }, limit).verdict;
    assert_eq!(verdict(0, 366, P99), Verdict::Inconclusive);
    assert_eq!(verdict(0, 367, P99), Verdict::Pass);
    assert_eq!(verdict(0, 735, HALF_PERCENT), Verdict::Inconclusive);
    assert_eq!(verdict(0, 736, HALF_PERCENT), Verdict::Pass);
    assert_eq!(verdict(4, 736, HALF_PERCENT), Verdict::Fail);
}

#[test]
fn the_limit_itself_belongs_to_the_quantile_and_not_to_the_error_rate() {
    let verdict = |bad, limit| judge_point(Share { bad, of: 1000 }, limit).verdict;
    assert_eq!(
        verdict(10, P99),
        Verdict::Pass,
        "the 990th of 1000 is still below the limit"
    );
    assert_eq!(verdict(11, P99), Verdict::Fail);
    assert_eq!(verdict(10, Limit::Below(0.01)), Verdict::Fail);
    assert_eq!(verdict(9, Limit::Below(0.01)), Verdict::Pass);
}

#[test]
fn zero_means_none() {
    let verdict = |bad, of| judge_point(Share { bad, of }, Limit::Below(0.0)).verdict;
    assert_eq!(verdict(0, 10), Verdict::Pass);
    assert_eq!(verdict(1, 1_000_000), Verdict::Fail);
    assert_eq!(verdict(0, 0), Verdict::Inconclusive);
}

#[test]
fn all_failing_fails_however_few() {
    for of in [1, 3, 20, 366] {
        assert_eq!(
            judge_point(Share { bad: of, of }, P99).verdict,
            Verdict::Fail
        );
    }
    assert_eq!(
        judge_point(Share { bad: 1, of: 100 }, P99).verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn nothing_due_proves_nothing() {
    for seconds in [0, 1, 400] {
        let finding = judge_blocks(&steady(seconds, 0, 0), SECOND, P99);
        assert_eq!(
            (finding.verdict, finding.why),
            (Verdict::Inconclusive, Why::NothingDue)
        );
    }
}

#[test]
fn thirty_blocks_decide_the_method() {
    assert_eq!(
        judge_blocks(&steady(299, 0, 100), SECOND, P99).method,
        Method::Point
    );
    let finding = judge_blocks(&steady(300, 0, 100), SECOND, P99);
    assert_eq!(
        (finding.method, finding.verdict),
        (Method::Block, Verdict::Pass)
    );
    assert!((finding.upper.unwrap() - (1.0 - 0.025_f64.powf(1.0 / 30_000.0))).abs() < 1e-12);
}

#[test]
fn strict_takes_what_only_the_point_rule_says() {
    let judged = |bad, of| strict(judge_point(Share { bad, of }, P99), P99).verdict;
    assert_eq!(judged(0, 10_000), Verdict::Inconclusive);
    assert_eq!(
        judged(110, 10_000),
        Verdict::Inconclusive,
        "chance explains it"
    );
    assert_eq!(judged(5_000, 10_000), Verdict::Fail);
    let blocks = judge_blocks(&steady(300, 0, 100), SECOND, P99);
    assert_eq!(strict(blocks, P99), blocks);
}

#[test]
fn bursts_are_worth_fewer_operations() {
    let even = steady(600, 1, 100);
    let mut bursts = steady(600, 0, 100);
    for bucket in bursts.iter_mut().step_by(100) {
        bucket.bad = 100;
    }
    assert_eq!(design_effect(&even), 1.0);
    assert!(design_effect(&bursts) > 50.0);
    let limit = Limit::Quantile(0.985);
    assert_eq!(judge_blocks(&even, SECOND, limit).verdict, Verdict::Pass);
    assert_eq!(
        judge_blocks(&bursts, SECOND, limit).verdict,
        Verdict::Inconclusive
    );
}

/// A stall that is longer than a block would look like independent blocks: the block grows with it.
#[test]
fn a_long_stall_makes_the_bounds_wider() {
    let mut one = steady(1200, 0, 100);
    let mut many = one.clone();
    one[400..420].iter_mut().for_each(|bucket| bucket.bad = 100);
    many.iter_mut()
        .step_by(60)
        .for_each(|bucket| bucket.bad = 100);
    let one = judge_blocks(&one, SECOND, P99);
    let many = judge_blocks(&many, SECOND, P99);
    assert_eq!(one.share, many.share);
    assert!(one.upper > many.upper);
}

proptest! {
    #[test]
    fn bounds_hold_the_share_and_narrow_with_more(bad in 0_u64..500, good in 1_u64..5000) {
        let (x, n) = (bad as f64, (bad + good) as f64);
        let (lower, upper) = (lower_bound(x, n, 0.025), upper_bound(x, n, 0.025));
        prop_assert!(lower <= x / n && x / n <= upper && upper <= 1.0);
        prop_assert!(upper_bound(10.0 * x, 10.0 * n, 0.025) <= upper);
        prop_assert!(lower_bound(10.0 * x, 10.0 * n, 0.025) >= lower);
    }

    #[test]
    fn one_more_bad_operation_never_helps(bad in 0_u64..100, of in 100_u64..3000, limit in 0.001_f64..0.2) {
        let limit = Limit::Below(limit);
        let worse = |bad| match judge_point(Share { bad, of }, limit).verdict {
            Verdict::Pass => 0,
            Verdict::Inconclusive => 1,
            Verdict::Invalid | Verdict::Fail => 2,
        };
        prop_assert!(worse(bad + 1) >= worse(bad));
    }
}

/// SplitMix64: a stream of shares between 0 and 1 that needs no crate.
struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A service whose operations fail in bursts of three seconds, so that the share `bad` of them fails in the end.
fn bursty(random: &mut Random, seconds: usize, bad: f64) -> Vec<Share> {
    const RATE: u64 = 50;
    const BURST: usize = 3;
    const DEPTH: f64 = 0.3;
    let start = bad / (BURST as f64 * DEPTH);
    let mut left = 0;
    (0..seconds)
        .map(|_| {
            if random.share() < start {
                left = BURST;
            }
            let chance = if left > 0 { DEPTH } else { 0.0 };
            left = left.saturating_sub(1);
            let bad = (0..RATE).filter(|_| random.share() < chance).count() as u64;
            Share { bad, of: RATE }
        })
        .collect()
}

fn passes(seconds: usize, bad: f64, method: impl Fn(&[Share]) -> Verdict) -> f64 {
    const TRIALS: usize = 600;
    let mut random = Random(7);
    let passed = (0..TRIALS)
        .filter(|_| method(&bursty(&mut random, seconds, bad)) == Verdict::Pass)
        .count();
    passed as f64 / TRIALS as f64
}

/// The reason for blocks. At its limit a service should pass seldom; bounds over single operations pass
/// it nearly every second time.
#[test]
fn blocks_pass_a_bursty_service_at_its_limit_seldom() {
    let blocks = |buckets: &[Share]| judge_blocks(buckets, SECOND, P99).verdict;
    let plain = |buckets: &[Share]| {
        let all: Share = buckets.iter().copied().sum();
        let upper = upper_bound(all.bad as f64, all.of as f64, 0.025);
        if upper < P99.share() {
            Verdict::Pass
        } else {
            Verdict::Inconclusive
        }
    };
    for seconds in [300, 600] {
        assert!(
            passes(seconds, 0.0102, blocks) < 0.06,
            "blocks at the limit, {seconds} s"
        );
    }
    assert!(
        passes(300, 0.0102, plain) > 0.2,
        "single operations at the limit"
    );
    assert!(passes(1200, 0.003, blocks) > 0.8, "well below the limit");
}
