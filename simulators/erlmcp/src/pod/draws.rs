//! What is left to chance in a pod, fixed by the site's seed and the pod's name.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp, LogNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use sha2::{Digest, Sha256};

use crate::site::{Behaviour, ServiceTime};

/// The standard normal quantile of 0.99.
const Z99: f64 = 2.326_347_874_040_841;

pub(super) struct Draws {
    service_time: Shape,
    error_rate: f64,
    /// Service times are multiplied by this.
    factor: Cell<f64>,
    // Streams of their own, so that the errors do not depend on how times are drawn.
    times: RefCell<Xoshiro256PlusPlus>,
    errors: RefCell<Xoshiro256PlusPlus>,
}

/// A distribution of seconds, checked.
enum Shape {
    Fixed(f64),
    Exponential(Exp<f64>),
    Uniform(f64, f64),
    LogNormal(LogNormal<f64>),
}

impl Draws {
    pub(super) fn new(behaviour: &Behaviour, seed: u64, pod: &str) -> Result<Draws, String> {
        Ok(Draws {
            service_time: shape(&behaviour.service_time)?,
            error_rate: behaviour.error_rate,
            factor: Cell::new(1.0),
            times: RefCell::new(stream(seed, pod, "times")),
            errors: RefCell::new(stream(seed, pod, "errors")),
        })
    }

    pub(super) fn stretch(&self, factor: f64) {
        self.factor.set(factor);
    }

    pub(super) fn service_time(&self) -> Duration {
        let times = &mut *self.times.borrow_mut();
        let seconds = match &self.service_time {
            Shape::Fixed(seconds) => *seconds,
            Shape::Exponential(shape) => shape.sample(times),
            Shape::Uniform(low, high) => low + (high - low) * times.random::<f64>(),
            Shape::LogNormal(shape) => shape.sample(times),
        };
        // A draw beyond what a duration holds has no end for any client.
        Duration::try_from_secs_f64(seconds * self.factor.get()).unwrap_or(Duration::MAX)
    }

    pub(super) fn fails(&self) -> bool {
        // Zero draws nothing, so that a pod without errors costs nothing.
        self.error_rate > 0.0 && self.errors.borrow_mut().random::<f64>() < self.error_rate
    }
}

fn shape(time: &ServiceTime) -> Result<Shape, String> {
    Ok(match time {
        ServiceTime::Fixed(time) => Shape::Fixed(time.as_secs_f64()),
        ServiceTime::Exponential { mean } if mean.is_zero() => Shape::Fixed(0.0),
        ServiceTime::Exponential { mean } => {
            let shape = Exp::new(mean.as_secs_f64().recip());
            Shape::Exponential(shape.map_err(|e| format!("exponential service time: {e}"))?)
        }
        ServiceTime::Uniform { low, high } if low <= high => {
            Shape::Uniform(low.as_secs_f64(), high.as_secs_f64())
        }
        ServiceTime::Uniform { .. } => {
            return Err("uniform service time: the low end is above the high end".to_owned());
        }
        ServiceTime::LogNormal { median, p99 } if !median.is_zero() && median <= p99 => {
            // ln X is normal, so that ln(p99 / median) is Z99 standard deviations.
            let (median, p99) = (median.as_secs_f64(), p99.as_secs_f64());
            let shape = LogNormal::new(median.ln(), (p99 / median).ln() / Z99);
            Shape::LogNormal(shape.map_err(|e| format!("log-normal service time: {e}"))?)
        }
        ServiceTime::LogNormal { .. } => {
            return Err(
                "log-normal service time: the median has to be above 0 and not above p99"
                    .to_owned(),
            );
        }
    })
}

fn stream(seed: u64, pod: &str, use_: &str) -> Xoshiro256PlusPlus {
    let digest = Sha256::digest(format!("{seed} {pod} {use_}").as_bytes());
    Xoshiro256PlusPlus::from_seed(digest.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sorted(service_time: ServiceTime) -> Vec<Duration> {
        let behaviour = Behaviour {
            service_time,
            ..Behaviour::default()
        };
        let draws = Draws::new(&behaviour, 7, "a-0").unwrap();
        let mut times: Vec<_> = (0..20_000).map(|_| draws.service_time()).collect();
        times.sort();
        times
    }

    /// Whether `time` is within `share` of `wanted`.
    fn near(time: Duration, wanted: Duration, share: f64) -> bool {
        (time.as_secs_f64() / wanted.as_secs_f64() - 1.0).abs() < share
    }

    #[test]
    fn a_log_normal_has_the_median_and_the_p99_that_were_asked_for() {
        let times = sorted(ServiceTime::LogNormal {
            median: 10 * MS,
            p99: 80 * MS,
        });
        assert!(near(times[10_000], 10 * MS, 0.05), "{:?}", times[10_000]);
        assert!(near(times[19_800], 80 * MS, 0.1), "{:?}", times[19_800]);
    }

    #[test]
    fn an_exponential_has_the_mean_that_was_asked_for() {
        let times = sorted(ServiceTime::Exponential { mean: 5 * MS });
        let sum: Duration = times.iter().sum();
        assert!(near(sum / 20_000, 5 * MS, 0.03), "{sum:?}");
    }

    #[test]
    fn a_uniform_stays_between_its_ends() {
        let times = sorted(ServiceTime::Uniform {
            low: 2 * MS,
            high: 4 * MS,
        });
        assert!(times[0] >= 2 * MS && times[19_999] <= 4 * MS);
        assert!(near(times[10_000], 3 * MS, 0.03));
    }

    #[test]
    fn the_seed_and_the_name_fix_the_draws() {
        let behaviour = Behaviour {
            service_time: ServiceTime::Exponential { mean: 5 * MS },
            error_rate: 0.5,
            ..Behaviour::default()
        };
        let first = |seed, name| {
            let draws = Draws::new(&behaviour, seed, name).unwrap();
            (0..64)
                .map(|_| (draws.service_time(), draws.fails()))
                .collect::<Vec<_>>()
        };
        assert_eq!(first(1, "a-0"), first(1, "a-0"));
        assert_ne!(first(1, "a-0"), first(2, "a-0"));
        assert_ne!(first(1, "a-0"), first(1, "a-1"));
    }

    #[test]
    fn nonsense_is_refused() {
        for service_time in [
            ServiceTime::Uniform {
                low: 2 * MS,
                high: MS,
            },
            ServiceTime::LogNormal {
                median: Duration::ZERO,
                p99: MS,
            },
            ServiceTime::LogNormal {
                median: 2 * MS,
                p99: MS,
            },
        ] {
            let behaviour = Behaviour {
                service_time,
                ..Behaviour::default()
            };
            assert!(Draws::new(&behaviour, 0, "a-0").is_err());
        }
    }
}
