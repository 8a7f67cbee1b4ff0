//! Whether more and more is under way: the one sign of a load that a target does not keep up with. How much is under way
//! says nothing of that, since a slow target that keeps up has much under way, too.

use std::ops::Range;

const SECOND: u64 = 1_000_000_000;
/// Growth by less than this share of what is asked for is none.
const FALLS_BEHIND: f64 = 0.05;
/// So many operations more may be under way at any moment.
const AT_ANY_MOMENT: f64 = 10.0;
/// Operations that come and end by chance leave a number under way that swings by its square root: so many of its
/// standard deviations are no growth.
const BY_CHANCE: f64 = 2.0;

/// How what was under way grew over the second half of a trial: by then a target whose operations take no longer than
/// the first half has as many under way as it ever will, if it keeps up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    pub per_second: f64,
    /// Under way on the average of the half's first and second part.
    pub from: f64,
    pub to: f64,
}

impl Growth {
    /// `samples`: the instant, and what was under way at it. `None` where there are too few of them.
    pub fn of(samples: &[(u64, f64)], ran: &Range<u64>) -> Option<Growth> {
        let length = ((ran.end - ran.start) / 2).max(SECOND);
        let half = ran.end.saturating_sub(length)..=ran.end;
        let seen: Vec<(f64, f64)> = samples
            .iter()
            .filter(|(at, _)| half.contains(at))
            .map(|(at, under_way)| ((at - half.start()) as f64 / SECOND as f64, *under_way))
            .collect();
        let (first, second) = seen.split_at(seen.len() / 2);
        let ((early, from), (late, to)) = (mean(first)?, mean(second)?);
        Some(Growth {
            per_second: (to - from) / (late - early),
            from,
            to,
        })
    }

    /// Whether it is more than chance when so much is asked for a second.
    pub fn falls_behind(&self, asked_per_second: f64) -> bool {
        // Of numbers that swing like counts, the difference swings like their sum.
        let chance = BY_CHANCE * (self.from + self.to).sqrt();
        self.per_second > FALLS_BEHIND * asked_per_second
            && self.to - self.from > chance.max(AT_ANY_MOMENT)
    }
}

fn mean(seen: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = seen.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| seen.iter().map(of).sum::<f64>();
    (!seen.is_empty()).then(|| (sum(|own| own.0) / count, sum(|own| own.1) / count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A trial of so many seconds behind two of warm-up, and what was under way at the end of each second since its start.
    fn growth(seconds: u64, under_way: impl Fn(f64) -> f64) -> Option<Growth> {
        let samples: Vec<(u64, f64)> = (0..=seconds + 2)
            .map(|second| (second * SECOND, under_way(second as f64)))
            .collect();
        Growth::of(&samples, &(2 * SECOND..(2 + seconds) * SECOND))
    }

    fn falls_behind(seconds: u64, asked: f64, under_way: impl Fn(f64) -> f64) -> bool {
        growth(seconds, under_way).is_some_and(|own| own.falls_behind(asked))
    }

    #[test]
    fn as_much_under_way_as_operations_take_is_no_growth() {
        // 100 a second that take three seconds each, and seven.
        for takes in [3.0, 7.0] {
            let under_way = move |at: f64| 100.0 * at.min(takes);
            assert!(!falls_behind(10, 100.0, under_way), "{takes} s");
        }
    }

    #[test]
    fn what_is_asked_for_and_not_kept_up_with_grows() {
        let behind = |share: f64| move |at: f64| 1_000.0 * share * at;
        let found = growth(10, behind(0.1)).unwrap();
        assert_eq!(
            (found.per_second, found.from, found.to),
            (100.0, 800.0, 1_100.0)
        );
        assert!(falls_behind(10, 1_000.0, behind(0.1)));
        assert!(!falls_behind(10, 1_000.0, behind(0.03)));
        // The shortest trials hold their own start and end.
        assert!(falls_behind(1, 1_000.0, behind(0.1)) && falls_behind(2, 1_000.0, behind(0.1)));
    }

    #[test]
    fn few_operations_and_single_stalls_are_no_growth() {
        // 20 under way, and by chance a few more at the end.
        assert!(!falls_behind(10, 20.0, |at| if at > 9.0 {
            29.0
        } else {
            20.0
        }));
        // A stall of 300 ms at the very end.
        let stall = |at: f64| if at == 12.0 { 305.0 } else { 5.0 };
        assert!(!falls_behind(10, 1_000.0, |at| stall(at) / 2.5));
        assert_eq!(Growth::of(&[], &(0..SECOND)), None);
        assert_eq!(Growth::of(&[(SECOND, 1.0)], &(0..SECOND)), None);
    }

    proptest! {
        #[test]
        fn a_constant_number_is_no_growth_and_a_shrinking_one_neither(
            under_way in 0.0..1e6f64, shrinks in 0.0..1e4f64, asked in 1.0..1e6f64, seconds in 1..100u64,
        ) {
            prop_assert!(!falls_behind(seconds, asked, |at| (under_way - shrinks * at).max(0.0)));
        }
    }
}
