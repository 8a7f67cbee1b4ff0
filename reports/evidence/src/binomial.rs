//! Exact bounds and tails of a share: Clopper and Pearson (Biometrika 26, 1934) through the regularised
//! incomplete beta function. Counts may be fractions, since an effective number of operations is one.

use statrs::function::gamma::ln_gamma;

/// The greatest share that `bad` of `of` do not refute at level `alpha`: the `1 - alpha` quantile of
/// Beta(bad + 1, of - bad).
pub fn upper_bound(bad: f64, of: f64, alpha: f64) -> f64 {
    if bad >= of {
        return 1.0;
    }
    beta_quantile(1.0 - alpha, bad + 1.0, of - bad)
}

/// The smallest share that `bad` of `of` do not refute at level `alpha`: the `alpha` quantile of
/// Beta(bad, of - bad + 1).
pub fn lower_bound(bad: f64, of: f64, alpha: f64) -> f64 {
    if bad <= 0.0 || of <= 0.0 {
        return 0.0;
    }
    beta_quantile(alpha, bad.min(of), (of - bad).max(0.0) + 1.0)
}

/// The chance of at least `bad` among `of` independent operations of which each is bad with chance `share`.
pub fn tail_at_least(bad: u64, of: u64, share: f64) -> f64 {
    if bad == 0 {
        return 1.0;
    }
    if bad > of {
        return 0.0;
    }
    incomplete_beta(share, bad as f64, (of - bad) as f64 + 1.0)
}

/// The x at which the incomplete beta function reaches `p`, by bisection: 200 halvings are enough for any
/// double, and the function is monotone.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if incomplete_beta(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// I_x(a, b), by its continued fraction on the side where that converges fast (Numerical Recipes, 6.4).
/// statrs has this function too, but it gives up after 140 terms, and a run of an hour needs more.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        (ln_front.exp() * continued_fraction(x, a, b) / a).clamp(0.0, 1.0)
    } else {
        (1.0 - ln_front.exp() * continued_fraction(1.0 - x, b, a) / b).clamp(0.0, 1.0)
    }
}

/// The terms grow with the root of the larger parameter; this allows for 10^12 operations.
const MOST_TERMS: u32 = 2_000_000;

/// Lentz's method.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..MOST_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gamma function's logarithm of a thousand million has five digits left behind the point.
    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-5 * b
    }

    #[test]
    fn known_values_of_clopper_and_pearson() {
        // No bad one: 1 - alpha^(1/n), in closed form.
        for n in [1.0, 10.0, 367.0, 1e6, 1e9] {
            let exact = -(0.025_f64.ln() / n).exp_m1();
            assert!(close(upper_bound(0.0, n, 0.025), exact), "n = {n}");
        }
        // All bad: alpha^(1/n).
        assert!(close(lower_bound(3.0, 3.0, 0.025), 0.025_f64.cbrt()));
        assert_eq!(upper_bound(3.0, 3.0, 0.025), 1.0);
        assert_eq!(lower_bound(0.0, 9.0, 0.025), 0.0);
        // R: binom.test(10, 100)$conf.int
        assert!((lower_bound(10.0, 100.0, 0.025) - 0.049_004_69).abs() < 1e-8);
        assert!((upper_bound(10.0, 100.0, 0.025) - 0.176_222_60).abs() < 1e-8);
    }

    #[test]
    fn tails_match_the_sum_of_their_terms() {
        for (bad, of, share) in [
            (3_u64, 50_u64, 0.005_f64),
            (1, 10, 0.3),
            (40, 60, 0.5),
            (60, 60, 0.9),
        ] {
            let term = |k: u64| {
                let choose = ln_gamma(of as f64 + 1.0)
                    - ln_gamma(k as f64 + 1.0)
                    - ln_gamma((of - k) as f64 + 1.0);
                (choose + k as f64 * share.ln() + (of - k) as f64 * (1.0 - share).ln()).exp()
            };
            let sum: f64 = (bad..=of).map(term).sum();
            assert!(
                (tail_at_least(bad, of, share) - sum).abs() < 1e-10,
                "{bad} of {of}"
            );
        }
        assert_eq!(tail_at_least(0, 0, 0.1), 1.0);
        assert_eq!(tail_at_least(5, 4, 0.1), 0.0);
    }

    /// Where statrs stops too early: the bound must still be close to that of the normal distribution.
    #[test]
    fn bounds_hold_for_a_run_of_a_day() {
        let (bad, of) = (432_000.0, 86_400_000.0);
        let share: f64 = bad / of;
        let deviation = 1.959_964 * (share * (1.0 - share) / of).sqrt();
        assert!((upper_bound(bad, of, 0.025) - share - deviation).abs() < 0.01 * deviation);
        assert!((share - lower_bound(bad, of, 0.025) - deviation).abs() < 0.01 * deviation);
    }
}
