//! Quantiles, shares, intervals and verdicts: every definition once. It knows neither files nor clocks,
//! so that the same arithmetic serves a live run, judging and simulation.
//!
//! - `verdict`: what a check can end in; the worst wins
//! - `quantile`: quantiles over times and misses, where a miss is over every limit
//! - `binomial`: exact bounds and tails of a share
//! - `limit`: a share against its limit, by blocks or by the point rule
//! - `window`: sliding windows over buckets, and the worst of them
//! - `hopeless`: whether a limit can still be met while the run goes on
//! - `recovery`: when service was gone, and from when on it was back
//! - `ledger`: what became of the writes, and how far back the surviving data reaches
//! - `capacity`: what trials say about the highest level that a target carries
//! - `scalability`: throughput against concurrency, and its knee
//! - `trust`: when the generator, and not the target, was measured

mod binomial;
mod capacity;
mod hopeless;
pub mod ledger;
mod limit;
mod quantile;
pub mod recovery;
mod scalability;
mod trust;
mod verdict;
mod window;

pub use binomial::{lower_bound, tail_at_least, upper_bound};
pub use capacity::{Belief, CONFIDENCE};
pub use hopeless::{LEAST_OPERATIONS, NO_CHANCE, hopeless, hopeless_window, out_of_reach};
pub use limit::{
    ALPHA, BLOCK, Finding, LEAST_BLOCKS, Limit, Method, Share, Why, design_effect, judge_blocks,
    judge_point, strict,
};
pub use quantile::{Quantile, Quantiles, quantile, quantile_bounds, rank};
pub use scalability::{GOOD_FIT, LEAST_POINTS, Point, Scalability, TooFew};
pub use trust::{
    Distrust, LatenessSample, NO_HEADROOM, WaitSample, distrust, kept, lateness_limit, lost,
    saturated, stands_without_ours, stopped, wait_limit,
};
pub use verdict::Verdict;
pub use window::{Window, windows, worst_window};
