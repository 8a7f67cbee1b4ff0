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
/// Over a whole trial there is more to see, so that less needs to be left to chance.
const BY_LESS_CHANCE: f64 = 3.0;

/// How what was under way grew over a part of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    pub per_second: f64,
    /// Under way on the average of the part's first and second half.
    pub from: f64,
    pub to: f64,
}

impl Growth {
    /// `samples`: the instant, and what was under way at it. `None` where there are too few of them.
    pub fn of(samples: &[(u64, f64)], part: &Range<u64>) -> Option<Growth> {
        let part = part.start..=part.end;
        let seen: Vec<(f64, f64)> = samples
            .iter()
            .filter(|(at, _)| part.contains(at))
            .map(|(at, under_way)| ((at - part.start()) as f64 / SECOND as f64, *under_way))
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
    fn is_more(&self, asked_per_second: f64, chance: f64) -> bool {
        self.per_second > FALLS_BEHIND * asked_per_second
            && self.to - self.from > chance.max(AT_ANY_MOMENT)
    }
}

/// What a trial showed of its queue.
pub struct Seen<'a> {
    pub asked_per_second: f64,
    /// The instant, and what was under way at it.
    pub under_way: &'a [(u64, f64)],
    /// When the load began, and when the measured phase ran.
    pub since: u64,
    pub ran: Range<u64>,
    /// What operations took, each with how many took that long.
    pub took: Vec<(u64, u64)>,
}

impl Seen<'_> {
    /// How the queue grew, where it did.
    pub fn falls_behind(&self) -> Option<Growth> {
        self.late_growth().or_else(|| self.whole_growth())
    }

    /// Over the second half alone: by then a target whose operations take no longer than the first half has as many under
    /// way as it ever will, if it keeps up.
    fn late_growth(&self) -> Option<Growth> {
        let length = ((self.ran.end - self.ran.start) / 2).max(SECOND);
        let half = self.ran.end.saturating_sub(length)..self.ran.end;
        let found = Growth::of(self.under_way, &half)?;
        // Of numbers that swing like counts, the difference swings like their sum.
        let chance = BY_CHANCE * (found.from + found.to).sqrt();
        found
            .is_more(self.asked_per_second, chance)
            .then_some(found)
    }

    /// Over all of it, of what operations that take their time do not explain: so many fewer completed than were asked for.
    /// A queue does not swing, and grows from the beginning, so that a short trial shows here what is lost in the chance of
    /// its half.
    fn whole_growth(&self) -> Option<Growth> {
        let unexplained = |(at, under_way): &(u64, f64)| (*at, under_way - self.expected(*at));
        let unexplained: Vec<_> = self.under_way.iter().map(unexplained).collect();
        let found = Growth::of(&unexplained, &self.ran)?;
        let swings = self.expected(self.ran.start) + self.expected(self.ran.end);
        let is_more = found.is_more(self.asked_per_second, BY_LESS_CHANCE * swings.sqrt());
        is_more
            .then(|| Growth::of(self.under_way, &self.ran))
            .flatten()
    }

    /// How many are under way at an instant where the target keeps up: of those that are due, each for as long as it
    /// takes, and for no longer than the load lasts already.
    fn expected(&self, at: u64) -> f64 {
        let lasts = at.saturating_sub(self.since);
        let (sum, count) = self
            .took
            .iter()
            .fold((0.0, 0), |(sum, all), (took, count)| {
                (sum + (*took).min(lasts) as f64 * *count as f64, all + count)
            });
        self.asked_per_second * sum / SECOND as f64 / (count as f64).max(1.0)
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

    /// A trial of so many seconds behind some of warm-up, what was under way at the end of each second since its start,
    /// and what operations took.
    fn seen(
        (warm_up, seconds): (u64, u64),
        asked: f64,
        under_way: impl Fn(f64) -> f64,
        took: impl Fn(f64) -> f64,
    ) -> Option<Growth> {
        let instants = 0..=seconds + warm_up;
        let samples: Vec<(u64, f64)> = instants
            .clone()
            .map(|second| (second * SECOND, under_way(second as f64)))
            .collect();
        let trial = Seen {
            asked_per_second: asked,
            under_way: &samples,
            since: 0,
            ran: warm_up * SECOND..(warm_up + seconds) * SECOND,
            took: instants
                .map(|second| ((took(second as f64) * SECOND as f64) as u64, asked as u64))
                .collect(),
        };
        trial.falls_behind()
    }

    /// Of operations that take no time to speak of.
    fn falls_behind(seconds: u64, asked: f64, under_way: impl Fn(f64) -> f64) -> bool {
        seen((2, seconds), asked, under_way, |_| 0.02).is_some()
    }

    #[test]
    fn as_much_under_way_as_operations_take_is_no_growth() {
        // 100 a second that take three seconds each, and seven.
        for takes in [3.0, 7.0] {
            let under_way = move |at: f64| 100.0 * at.min(takes);
            let found = seen((2, 10), 100.0, under_way, |_| takes);
            assert_eq!(found, None, "{takes} s");
        }
        // Some are quick, and some take two seconds.
        let both = |at: f64| 600.0 * (0.7 * at.min(0.02) + 0.3 * at.min(2.0));
        let took = |second: f64| if second < 3.0 { 0.02 } else { 2.0 };
        assert_eq!(seen((1, 3), 600.0, both, took), None);
    }

    #[test]
    fn what_is_asked_for_and_not_kept_up_with_grows() {
        let behind = |share: f64| move |at: f64| 1_000.0 * share * at;
        let found = seen((2, 10), 1_000.0, behind(0.1), |at| 0.1 * at).unwrap();
        assert_eq!(
            (found.per_second, found.from, found.to),
            (100.0, 800.0, 1_100.0)
        );
        assert!(falls_behind(10, 1_000.0, behind(0.1)));
        assert!(!falls_behind(10, 1_000.0, behind(0.03)));
        // The shortest trials hold their own start and end.
        assert!(falls_behind(1, 1_000.0, behind(0.1)) && falls_behind(2, 1_000.0, behind(0.1)));
    }

    /// 100 a second are carried; what is left waits, and as long as that takes.
    #[test]
    fn a_short_trial_shows_a_queue_that_each_of_its_seconds_leaves_to_chance() {
        for asked in [120.0, 130.0, 150.0, 200.0] {
            let behind = |at: f64| (asked - 100.0) * at;
            let took = |at: f64| 0.02 + behind(at) / 100.0;
            assert!(seen((1, 3), asked, behind, took).is_some(), "{asked}/s");
        }
        let kept_up_with = |at: f64| if at > 3.0 { 9.0 } else { 3.0 };
        assert_eq!(seen((1, 3), 99.0, kept_up_with, |_| 0.05), None);
    }

    #[test]
    fn few_operations_and_single_stalls_are_no_growth() {
        // 20 under way, and by chance a few more at the end.
        let few = |at: f64| if at > 9.0 { 29.0 } else { 20.0 };
        assert_eq!(seen((2, 10), 20.0, few, |_| 1.0), None);
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
