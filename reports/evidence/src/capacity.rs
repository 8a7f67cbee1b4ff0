//! What trials at different levels of load say about the highest level that a target carries: a probability for every
//! level between the least and the most, made sharper by each trial.
//!
//! A search that trusts single trials goes astray with the first hiccup. Here a trial is a noisy answer to the question
//! "is the capacity above this level?", after Horstein (Sequential transmission using noiseless feedback, IEEE Trans.
//! Inf. Theory 9, 1963) as Waeber, Frazier and Henderson analysed it (Bisection search with noisy responses, SIAM J.
//! Control Optim. 51, 2013). Near the capacity answers are a toss: the curve is that of a psychometric threshold with a
//! lapse rate (Watson and Pelli, QUEST, Perception & Psychophysics 33, 1983), whose softness is not known and is
//! estimated along (Kontsevich and Tyler, Vision Research 39, 1999).

/// The share of trials whose verdict has nothing to do with the level: somebody else was on the machine.
const LAPSES: f64 = 0.05;
/// Softness of the edge, as shares of the precision that is asked for: sharper ones make no difference to it.
const SOFTNESS: [f64; 2] = [0.2, 0.8];
/// Cells to one step of the precision.
const CELLS: f64 = 10.0;

/// Where the probability still rises at the most, a fortieth of it lies above an interval that holds 38 fortieths, and
/// nowhere below it is denser: no more than this share of the interval's width is left above it.
const LEFT_ABOVE: f64 = 0.03;

/// The probability that the interval holds the capacity.
pub const CONFIDENCE: f64 = 0.95;

/// Where the capacity may lie, level by level on a logarithmic scale.
#[derive(Clone, Debug)]
pub struct Belief {
    /// Logarithm of the least level, and the width of a cell.
    least: f64,
    width: f64,
    softness: [f64; SOFTNESS.len()],
    /// For each softness, the weight of each cell. They sum to one over all.
    weights: [Vec<f64>; SOFTNESS.len()],
}

impl Belief {
    /// Nothing is known: each level is as likely as its double. `precision` is the relative width of interest.
    pub fn new(least: f64, most: f64, precision: f64) -> Belief {
        let (low, high) = (least.ln(), most.ln());
        let cells = ((high - low) / precision * CELLS).ceil().max(2.0);
        let even = vec![1.0 / cells / SOFTNESS.len() as f64; cells as usize];
        Belief {
            least: low,
            width: (high - low) / cells,
            softness: SOFTNESS.map(|share| share * precision),
            weights: SOFTNESS.map(|_| even.clone()),
        }
    }

    /// Takes in that the objectives were met, or not, at this level.
    pub fn see(&mut self, level: f64, met: bool) {
        let level = level.ln();
        for (softness, weights) in self.softness.iter().zip(&mut self.weights) {
            for (cell, weight) in weights.iter_mut().enumerate() {
                let capacity = self.least + (cell as f64 + 0.5) * self.width;
                let below = 1.0 / (1.0 + ((level - capacity) / softness).exp());
                let likely = LAPSES + (1.0 - 2.0 * LAPSES) * below;
                *weight *= if met { likely } else { 1.0 - likely };
            }
        }
        // No answer is impossible, so that the sum is never zero.
        let sum: f64 = self.weights.iter().flatten().sum();
        for weight in self.weights.iter_mut().flatten() {
            *weight /= sum;
        }
    }

    /// The level below which the capacity lies with this probability.
    pub fn quantile(&self, q: f64) -> f64 {
        let cells = self.weights[0].len();
        let mut before = 0.0;
        for cell in 0..cells {
            let weight: f64 = self.weights.iter().map(|own| own[cell]).sum();
            if before + weight >= q {
                // Rounding leaves a little of the whole to the last cells, which weigh next to nothing.
                let within = ((q - before) / weight.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
                return (self.least + (cell as f64 + within) * self.width).exp();
            }
            before += weight;
        }
        (self.least + cells as f64 * self.width).exp()
    }

    /// The ends of the interval that holds the capacity with the probability [`CONFIDENCE`].
    pub fn interval(&self) -> (f64, f64) {
        let outside = (1.0 - CONFIDENCE) / 2.0;
        (self.quantile(outside), self.quantile(1.0 - outside))
    }

    /// Whether the interval ends where the levels do: then it says nothing of how far the capacity lies beyond them.
    pub fn reaches_most(&self) -> bool {
        let (lower, upper) = self.interval();
        let most = self.least + self.weights[0].len() as f64 * self.width;
        most - upper.ln() <= LEFT_ABOVE * (upper / lower).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn answers_move_the_belief_and_contradictions_widen_it() {
        let mut belief = Belief::new(10.0, 10_000.0, 0.05);
        assert!((belief.quantile(0.5) / 316.2 - 1.0).abs() < 0.01);
        belief.see(100.0, true);
        belief.see(200.0, false);
        let (lower, upper) = belief.interval();
        assert!(
            lower < 100.0 && upper > 200.0,
            "either may be wrong: {lower} {upper}"
        );
        let middle = belief.quantile(0.5);
        assert!((100.0..200.0).contains(&middle), "{middle}");
        for _ in 0..4 {
            belief.see(100.0, true);
            belief.see(200.0, false);
        }
        let (lower, upper) = belief.interval();
        assert!(lower > 95.0 && upper < 210.0, "{lower} {upper}");
        (0..4).for_each(|_| belief.see(200.0, true));
        assert!(belief.interval().1 > 210.0, "it was met there after all");
    }

    #[test]
    fn what_lies_beyond_the_levels_is_told_from_what_lies_among_them() {
        let of = |seen: &[(f64, bool)]| {
            let mut belief = Belief::new(10.0, 1_000.0, 0.05);
            for (level, met) in seen {
                belief.see(*level, *met);
            }
            belief.reaches_most()
        };
        let hiccup = [
            (900.0, false),
            (900.0, true),
            (960.0, true),
            (1_000.0, true),
        ];
        assert!(of(&hiccup) && of(&hiccup[..1].repeat(0)));
        let within = [(900.0, true), (1_000.0, false), (960.0, true)];
        assert!(!of(&within.repeat(4)));
    }

    proptest! {
        #[test]
        fn it_stays_a_probability_whatever_is_seen(
            seen in prop::collection::vec((1.0..1e6f64, any::<bool>()), 0..200),
            precision in 0.01..0.5f64,
        ) {
            let mut belief = Belief::new(1.0, 1e6, precision);
            for (level, met) in seen {
                belief.see(level, met);
            }
            let quantiles: Vec<f64> = (0..=20).map(|q| belief.quantile(f64::from(q) / 20.0)).collect();
            prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{quantiles:?}");
            prop_assert!(quantiles.iter().all(|level| (0.999..1.001e6).contains(level)), "{quantiles:?}");
        }
    }
}
