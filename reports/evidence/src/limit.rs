//! A share of bad operations against its limit: how much was seen, what it proves, and by which method.
//!
//! Operations inside a stall fail together, so the binomial bounds of single operations pass a service that is
//! exactly at its limit far too often. Bounds are therefore taken over blocks of time: the variance between
//! blocks says how many independent operations the run was worth (the design effect of cluster sampling;
//! Kish, Survey Sampling, 1965, with the ratio estimator of Cochran, Sampling Techniques, 1977, since blocks
//! are not equally large). With too few blocks for that, a point rule compares the share itself.

use std::time::Duration;

use crate::binomial::{lower_bound, tail_at_least, upper_bound};
use crate::hopeless::NO_CHANCE;
use crate::quantile::rank;
use crate::verdict::Verdict;

/// Level of each bound: a service at its limit passes, and one at its limit fails, with this chance at most.
pub const ALPHA: f64 = 0.025;

/// Shortest block of the block method.
pub const BLOCK: Duration = Duration::from_secs(10);

/// With fewer blocks than this, the point rule decides.
pub const LEAST_BLOCKS: usize = 30;

/// So many bad ones of so many operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub bad: u64,
    pub of: u64,
}

impl Share {
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.bad as f64 / self.of as f64)
    }
}

impl std::ops::Add for Share {
    type Output = Share;

    fn add(self, other: Share) -> Share {
        Share {
            bad: self.bad + other.bad,
            of: self.of + other.of,
        }
    }
}

impl std::iter::Sum for Share {
    fn sum<I: Iterator<Item = Share>>(shares: I) -> Share {
        shares.fold(Share::default(), |sum, share| sum + share)
    }
}

/// What a share is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// The share is below this one; zero means that there is no bad operation at all.
    Below(f64),
    /// The quantile q is within its limit: at most the share 1 - q is beyond it.
    Quantile(f64),
}

impl Limit {
    /// The share at the limit.
    pub fn share(self) -> f64 {
        match self {
            Limit::Below(share) => share,
            // 1 - 0.999 is 0.0010000000000000009: what a person reads is meant.
            Limit::Quantile(q) => ((1.0 - q) * 1e12).round() / 1e12,
        }
    }

    /// Whether the share itself, as counted, is within the limit.
    pub fn met_by(self, share: Share) -> bool {
        match self {
            Limit::Below(limit) if limit <= 0.0 => share.bad == 0,
            Limit::Below(limit) => (share.bad as f64) < limit * share.of as f64,
            Limit::Quantile(q) => share.of == 0 || share.bad <= share.of - rank(q, share.of),
        }
    }

    /// How many operations it takes before none bad among them proves anything: `ln(alpha) / ln(1 - limit)`.
    pub fn least_operations(self) -> u64 {
        let share = self.share();
        if share <= 0.0 || share >= 1.0 {
            return 1;
        }
        (ALPHA.ln() / (-share).ln_1p()).round() as u64
    }
}

/// How a number was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Bounds from blocks of time.
    Block,
    /// The share itself, with enough operations.
    Point,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Why {
    NothingDue,
    /// Fewer operations than the limit needs, and not bad enough to fail all the same.
    TooFew {
        needed: u64,
    },
    /// The upper bound is below the limit.
    BoundsBelow,
    /// The lower bound is above the limit.
    BoundsAbove,
    /// The limit lies between the bounds.
    BoundsAround,
    /// The share itself is within the limit.
    Met,
    /// The share itself is beyond the limit.
    Missed,
    /// The point rule decided, and was not allowed to.
    Strict,
}

/// A share judged against a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    pub verdict: Verdict,
    pub share: Share,
    /// Bounds of the share, each at level [`ALPHA`]. Those of the point rule hold for independent operations only.
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    /// Independent operations that the run was worth.
    pub effective: f64,
    pub method: Method,
    pub why: Why,
}

/// The verdict over buckets in the order of time, by blocks where there are enough of them.
/// `width` is a bucket's.
pub fn judge_blocks(buckets: &[Share], width: Duration, limit: Limit) -> Finding {
    let length = blocks_length(BLOCK, width);
    if buckets.len() / length < LEAST_BLOCKS || limit.share() <= 0.0 {
        return judge_point(buckets.iter().copied().sum(), limit);
    }
    let share: Share = buckets.iter().copied().sum();
    // A block has to be longer than what it is to hold: three times the longest stall.
    let stalled = blocks_length(width * 3 * longest_stall(buckets), width).max(length);
    let effect = [length, stalled]
        .into_iter()
        .map(|length| design_effect(&blocks(buckets, length)))
        .fold(1.0, f64::max);
    bounded(share, limit, effect)
}

fn blocks_length(block: Duration, width: Duration) -> usize {
    (block.as_secs_f64() / width.as_secs_f64().max(1e-9))
        .ceil()
        .max(1.0) as usize
}

/// The longest row of buckets in which most operations were bad.
fn longest_stall(buckets: &[Share]) -> u32 {
    let (mut longest, mut current) = (0, 0);
    for bucket in buckets {
        current = if 2 * bucket.bad > bucket.of {
            current + 1
        } else {
            0
        };
        longest = longest.max(current);
    }
    longest
}

/// Buckets put together, `length` at a time; what is left over joins the last block.
fn blocks(buckets: &[Share], length: usize) -> Vec<Share> {
    let mut blocks: Vec<Share> = buckets
        .chunks_exact(length)
        .map(|block| block.iter().copied().sum())
        .collect();
    let rest: Share = buckets
        .chunks_exact(length)
        .remainder()
        .iter()
        .copied()
        .sum();
    match blocks.last_mut() {
        Some(last) => *last = *last + rest,
        None => blocks.push(rest),
    }
    blocks
}

/// How many times larger the variance of the share over these blocks is than that of as many independent
/// operations: `m/(m-1) * sum((x_j - p n_j)^2) / (n p (1-p))`, at least 1.
pub fn design_effect(blocks: &[Share]) -> f64 {
    let all: Share = blocks.iter().copied().sum();
    let used = blocks.iter().filter(|block| block.of > 0).count() as f64;
    let Some(p) = all.value() else { return 1.0 };
    if used < 2.0 || p <= 0.0 || p >= 1.0 {
        return 1.0;
    }
    let residuals: f64 = blocks
        .iter()
        .map(|block| (block.bad as f64 - p * block.of as f64).powi(2))
        .sum();
    (used / (used - 1.0) * residuals / (all.of as f64 * p * (1.0 - p))).max(1.0)
}

fn bounded(share: Share, limit: Limit, effect: f64) -> Finding {
    let Some(p) = share.value() else {
        return nothing_due(Method::Block);
    };
    let effective = share.of as f64 / effect;
    let lower = lower_bound(p * effective, effective, ALPHA);
    let upper = upper_bound(p * effective, effective, ALPHA);
    let (verdict, why) = if upper < limit.share() {
        (Verdict::Pass, Why::BoundsBelow)
    } else if lower > limit.share() {
        (Verdict::Fail, Why::BoundsAbove)
    } else {
        (Verdict::Inconclusive, Why::BoundsAround)
    };
    Finding {
        verdict,
        share,
        lower: Some(lower),
        upper: Some(upper),
        effective,
        method: Method::Block,
        why,
    }
}

fn nothing_due(method: Method) -> Finding {
    Finding {
        verdict: Verdict::Inconclusive,
        share: Share::default(),
        lower: None,
        upper: None,
        effective: 0.0,
        method,
        why: Why::NothingDue,
    }
}

/// The verdict by the share itself. Too few operations prove nothing, unless they are so bad that the exact
/// lower bound is above the limit.
pub fn judge_point(share: Share, limit: Limit) -> Finding {
    if share.of == 0 {
        return nothing_due(Method::Point);
    }
    let (bad, of) = (share.bad as f64, share.of as f64);
    let lower = lower_bound(bad, of, ALPHA);
    let needed = limit.least_operations();
    let (verdict, why) = if share.of < needed {
        if lower > limit.share() && !limit.met_by(share) {
            (Verdict::Fail, Why::BoundsAbove)
        } else {
            (Verdict::Inconclusive, Why::TooFew { needed })
        }
    } else if limit.met_by(share) {
        (Verdict::Pass, Why::Met)
    } else {
        (Verdict::Fail, Why::Missed)
    };
    Finding {
        verdict,
        share,
        lower: Some(lower),
        upper: Some(upper_bound(bad, of, ALPHA)),
        effective: of,
        method: Method::Point,
        why,
    }
}

/// What is left of a finding when the point rule may not decide: nothing, but for a failure that chance
/// does not explain.
pub fn strict(finding: Finding, limit: Limit) -> Finding {
    let beyond_chance = finding.verdict == Verdict::Fail
        && tail_at_least(finding.share.bad, finding.share.of, limit.share()) < NO_CHANCE;
    match (finding.method, finding.verdict) {
        (Method::Block, _) | (Method::Point, Verdict::Inconclusive | Verdict::Invalid) => finding,
        (Method::Point, Verdict::Fail) if beyond_chance => finding,
        (Method::Point, Verdict::Pass | Verdict::Fail) => Finding {
            verdict: Verdict::Inconclusive,
            why: Why::Strict,
            ..finding
        },
    }
}
