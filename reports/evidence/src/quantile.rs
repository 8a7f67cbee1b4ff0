//! Quantiles over times and misses. A miss is an operation that has no time because it failed or was never
//! sent: it is later than every time, whatever instant it failed at.

use hdrhistogram::{Counter, Histogram};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::binomial::{lower_bound, upper_bound};
use crate::limit::ALPHA;

/// Where a quantile lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// There was nothing to take it of.
    Nothing,
    /// Nanoseconds.
    Time(u64),
    /// Among the misses: not below the longest time that was seen, if any was.
    Miss { at_least: Option<u64> },
}

impl Quantile {
    pub fn time(self) -> Option<u64> {
        match self {
            Quantile::Time(time) => Some(time),
            Quantile::Nothing | Quantile::Miss { .. } => None,
        }
    }
}

/// The usual quantiles of times and misses, in nanoseconds. What lies among misses is null, the mean and the maximum
/// too as soon as there is a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// All operations that the quantiles are taken of, misses among them.
    pub count: u64,
    /// Those without a time: later than every time.
    pub misses: u64,
    pub mean: Option<u64>,
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
    pub p999: Option<u64>,
    pub max: Option<u64>,
    /// The longest time that was seen, where there are misses: what is null is not below it.
    pub at_least: Option<u64>,
}

/// The rank of quantile `q` among `count` sorted values: the smallest that has at least the share `q` of
/// them at or below it, `ceil(q * count)`, from 1.
pub fn rank(q: f64, count: u64) -> u64 {
    // The product of a share like 0.9, which has no exact binary form, may come out above the whole number meant.
    let exact = q * count as f64 - 1e-6;
    (exact.ceil().max(1.0) as u64).min(count.max(1))
}

/// One quantile over times and misses.
pub fn quantile<C: Counter>(times: &Histogram<C>, misses: u64, q: f64) -> Quantile {
    let all = times.len() + misses;
    if all == 0 {
        return Quantile::Nothing;
    }
    match time_at_rank(times, rank(q, all)) {
        Some(time) => Quantile::Time(time),
        None => Quantile::Miss {
            at_least: longest(times),
        },
    }
}

/// The confidence interval of a quantile, each side at level [`ALPHA`]: the times at the ranks between which the
/// quantile of the population lies when `effective` of the operations are independent.
pub fn quantile_bounds<C: Counter>(
    times: &Histogram<C>,
    misses: u64,
    q: f64,
    effective: f64,
) -> (Quantile, Quantile) {
    if effective <= 0.0 {
        return (Quantile::Nothing, Quantile::Nothing);
    }
    let lower = lower_bound(q * effective, effective, ALPHA);
    let upper = upper_bound(q * effective, effective, ALPHA);
    (
        quantile(times, misses, lower),
        quantile(times, misses, upper),
    )
}

/// The time of this rank, or `None` when there are fewer times.
fn time_at_rank<C: Counter>(times: &Histogram<C>, rank: u64) -> Option<u64> {
    let mut seen = 0;
    times.iter_recorded().find_map(|value| {
        seen += value.count_since_last_iteration();
        (seen >= rank).then(|| value.value_iterated_to())
    })
}

/// The longest time. The histogram of the crate answers 0 when it is empty.
fn longest<C: Counter>(times: &Histogram<C>) -> Option<u64> {
    (!times.is_empty()).then(|| times.max())
}

impl Quantiles {
    pub fn of<C: Counter>(times: &Histogram<C>, misses: u64) -> Quantiles {
        let at = |q| quantile(times, misses, q).time();
        let complete = misses == 0 && !times.is_empty();
        Quantiles {
            count: times.len() + misses,
            misses,
            mean: complete.then(|| times.mean().round() as u64),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
            at_least: if misses > 0 { longest(times) } else { None },
        }
    }
}
