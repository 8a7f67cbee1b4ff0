//! The universal scalability law: how throughput grows with concurrency, and where it stops.
//!
//! `X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))`: `lambda` is what one in flight alone would get,
//! `sigma` the part that is done one after the other, `kappa` what everybody costs everybody (Gunther, Guerrilla
//! Capacity Planning, 2007, chapter 4 and 5). Where `kappa` is above zero, throughput has a peak, and falls beyond it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// With fewer different concurrencies than this, three parameters fit anything.
pub const LEAST_POINTS: usize = 4;
/// Below this share of explained variance the law does not describe the target.
pub const GOOD_FIT: f64 = 0.9;
/// Concurrencies that differ by less are the same.
const SAME: f64 = 0.02;

/// What a trial showed: so many in flight on average, and so many answered a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    pub concurrency: f64,
    pub throughput: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scalability {
    pub lambda: f64,
    pub sigma: f64,
    pub kappa: f64,
    /// The share of the variance of the throughput that the law explains.
    pub r_squared: f64,
}

/// Why nothing was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    pub different: usize,
}

impl Scalability {
    /// The law that lies nearest to the points, by least squares.
    ///
    /// # Errors
    /// When they have too few different concurrencies.
    pub fn fit(points: &[Point]) -> Result<Scalability, TooFew> {
        let usable = |point: &Point| point.concurrency > 0.0 && point.throughput > 0.0;
        let points: Vec<Point> = points.iter().copied().filter(usable).collect();
        let different = different(&points);
        if different < LEAST_POINTS {
            return Err(TooFew { different });
        }
        // Every valley of the error has a start near it: a straight line, one that bends, one that falls.
        const STARTS: [(f64, f64); 5] = [
            (0.0, 0.0),
            (0.1, 0.0),
            (0.5, 0.0),
            (0.05, 1e-3),
            (0.0, 1e-5),
        ];
        let found = STARTS.map(|(sigma, kappa)| descend(&points, sigma, kappa));
        let (sigma, kappa) = found.into_iter().fold((0.0, 0.0), |best, next| {
            if error(&points, next) < error(&points, best) {
                next
            } else {
                best
            }
        });
        let mean = points.iter().map(|own| own.throughput).sum::<f64>() / points.len() as f64;
        let spread: f64 = points
            .iter()
            .map(|own| (own.throughput - mean).powi(2))
            .sum();
        Ok(Scalability {
            lambda: lambda(&points, (sigma, kappa)),
            sigma,
            kappa,
            r_squared: 1.0 - error(&points, (sigma, kappa)) / spread.max(f64::MIN_POSITIVE),
        })
    }

    pub fn throughput(&self, concurrency: f64) -> f64 {
        self.lambda * gain(concurrency, (self.sigma, self.kappa))
    }

    /// The concurrency of the peak, where there is one: `sqrt((1 - sigma) / kappa)`.
    pub fn knee(&self) -> Option<f64> {
        let knee = ((1.0 - self.sigma) / self.kappa).sqrt();
        (self.kappa > 0.0 && knee.is_finite() && knee >= 1.0).then_some(knee)
    }

    /// What throughput comes near to and never reaches, where there is no peak: `lambda / sigma`.
    pub fn asymptote(&self) -> Option<f64> {
        (self.knee().is_none() && self.sigma > 0.0).then(|| self.lambda / self.sigma)
    }

    pub fn describes(&self) -> bool {
        self.r_squared >= GOOD_FIT
    }
}

fn different(points: &[Point]) -> usize {
    let mut all: Vec<f64> = points.iter().map(|point| point.concurrency).collect();
    all.sort_by(f64::total_cmp);
    let (mut count, mut last) = (0, 0.0);
    for concurrency in all {
        if concurrency > last * (1.0 + SAME) {
            (count, last) = (count + 1, concurrency);
        }
    }
    count
}

/// Throughput in units of `lambda`.
fn gain(n: f64, (sigma, kappa): (f64, f64)) -> f64 {
    n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0)).max(1e-9)
}

/// The best `lambda` for these two: the only one of the three in which the law is linear.
fn lambda(points: &[Point], law: (f64, f64)) -> f64 {
    let (mut above, mut below) = (0.0, 0.0);
    for point in points {
        let gain = gain(point.concurrency, law);
        above += gain * point.throughput;
        below += gain * gain;
    }
    above / below.max(f64::MIN_POSITIVE)
}

/// The sum of squared residuals.
fn error(points: &[Point], law: (f64, f64)) -> f64 {
    let lambda = lambda(points, law);
    let residual = |own: &Point| own.throughput - lambda * gain(own.concurrency, law);
    points.iter().map(|own| residual(own).powi(2)).sum()
}

/// A pattern search (Hooke and Jeeves, J. ACM 8, 1961) over the square roots of both: they are never negative, and
/// small ones are seen as finely as large ones.
fn descend(points: &[Point], sigma: f64, kappa: f64) -> (f64, f64) {
    const SHORTEST: f64 = 1e-7;
    const STEPS: usize = 20_000;
    // Beyond it there is no way back: every step would be as good as none.
    const MOST: [f64; 2] = [1.0, f64::INFINITY];
    let law = |at: [f64; 2]| (at[0] * at[0], at[1] * at[1]);
    let (mut at, mut step) = ([sigma.sqrt(), kappa.sqrt()], 0.1);
    let mut best = error(points, law(at));
    for _ in 0..STEPS {
        if step < SHORTEST {
            break;
        }
        let mut moved = false;
        for (axis, sign) in [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)] {
            let mut next = at;
            next[axis] = (next[axis] + sign * step).clamp(0.0, MOST[axis]);
            let found = error(points, law(next));
            if found < best {
                (at, best, moved) = (next, found, true);
            }
        }
        step *= if moved { 1.2 } else { 0.5 };
    }
    law(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(law: Scalability, at: &[f64]) -> Vec<Point> {
        let point = |n: &f64| Point {
            concurrency: *n,
            throughput: law.throughput(*n),
        };
        at.iter().map(point).collect()
    }

    fn law(lambda: f64, sigma: f64, kappa: f64) -> Scalability {
        Scalability {
            lambda,
            sigma,
            kappa,
            r_squared: 1.0,
        }
    }

    #[test]
    fn the_law_is_found_again() {
        let wanted = law(995.6, 0.02671, 0.000769);
        let found =
            Scalability::fit(&points(wanted, &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])).unwrap();
        assert!(
            (found.lambda / wanted.lambda - 1.0).abs() < 1e-3,
            "{found:?}"
        );
        assert!((found.sigma - wanted.sigma).abs() < 1e-4, "{found:?}");
        assert!((found.kappa - wanted.kappa).abs() < 1e-6, "{found:?}");
        // The peak of this example is at 35.6 in flight.
        let knee = found.knee().unwrap();
        assert!((knee - 35.6).abs() < 0.2, "{knee}");
        assert!(found.throughput(knee) > found.throughput(knee * 1.2));
        assert!(found.throughput(knee) > found.throughput(knee / 1.2));
        assert!(found.asymptote().is_none() && found.describes());
    }

    #[test]
    fn what_only_queues_has_no_peak_but_a_ceiling() {
        let wanted = law(50.0, 0.25, 0.0);
        let found = Scalability::fit(&points(wanted, &[0.5, 1.0, 3.0, 9.0, 27.0, 81.0])).unwrap();
        assert!(found.knee().is_none_or(|knee| knee > 1_000.0), "{found:?}");
        assert!(
            (found.throughput(81.0) / wanted.throughput(81.0) - 1.0).abs() < 1e-3,
            "{found:?}"
        );
        let straight =
            Scalability::fit(&points(law(50.0, 0.0, 0.0), &[1.0, 2.0, 3.0, 4.0])).unwrap();
        assert_eq!(
            (straight.knee(), straight.asymptote()),
            (None, None),
            "{straight:?}"
        );
    }

    #[test]
    fn too_few_points_and_points_without_a_law_are_told() {
        let three = points(law(10.0, 0.1, 0.01), &[1.0, 2.0, 4.0, 4.01, 1.0]);
        assert_eq!(Scalability::fit(&three), Err(TooFew { different: 3 }));
        assert_eq!(Scalability::fit(&[]), Err(TooFew { different: 0 }));
        let wild = [
            (1.0, 100.0),
            (2.0, 10.0),
            (3.0, 90.0),
            (4.0, 5.0),
            (5.0, 99.0),
        ];
        let wild = wild.map(|(concurrency, throughput)| Point {
            concurrency,
            throughput,
        });
        assert!(!Scalability::fit(&wild).unwrap().describes());
    }

    proptest! {
        #[test]
        fn any_law_is_found_to_within_its_noise(
            lambda in 1.0..10_000.0f64,
            sigma in 0.0..0.9f64,
            kappa in 1e-5..1e-2f64,
            noise in prop::collection::vec(-0.01..0.01f64, 8),
        ) {
            let wanted = law(lambda, sigma, kappa);
            let mut seen = points(wanted, &[0.7, 1.0, 2.0, 5.0, 11.0, 24.0, 60.0, 150.0]);
            for (point, noise) in seen.iter_mut().zip(noise) {
                point.throughput *= 1.0 + noise;
            }
            let found = Scalability::fit(&seen).unwrap();
            prop_assert!(found.sigma >= 0.0 && found.kappa >= 0.0);
            for point in &seen {
                let fitted = found.throughput(point.concurrency);
                let most = seen.iter().map(|own| own.throughput).fold(0.0, f64::max);
                prop_assert!((fitted - point.throughput).abs() < 0.03 * most, "{point:?} {fitted} {found:?}");
            }
        }
    }
}
