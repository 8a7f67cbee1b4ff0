//! Servers end connections that have carried so many exchanges, or that have rested for so long (Cowboy: 1,000 and 5 s;
//! nginx: 1,000 and 75 s; Node: 5 s). Connections that a fault ended look like neither: they end together, at any number
//! and after any rest, and others have carried more and rested longer.

use super::Signature;
use crate::recording::{Closes, Spread};

/// Fewer closes show nothing.
const ENOUGH: u64 = 20;
const ENOUGH_RESTS: u64 = 10;
/// In fewer seconds it may have been one event.
const SECONDS: u64 = 3;
/// A shorter rest is no rest.
const SHORTEST: u64 = 500_000_000;
/// How far rests may differ: timers of servers are coarse.
const COARSE: u64 = 200_000_000;

pub fn exchanges(closes: &Closes) -> Option<Signature> {
    let Spread {
        count,
        mode,
        p50,
        at_p50,
        seconds,
        ..
    } = closes.answered;
    let same = at_p50 * 10 >= count * 9;
    let none_more = closes.exchanges_max <= p50;
    (count >= ENOUGH && seconds >= SECONDS && same && none_more).then_some(
        Signature::KeepAliveExchanges {
            exchanges: if mode == 0 { p50 } else { mode },
            closes: at_p50,
            of: count,
        },
    )
}

pub fn idle(closes: &Closes) -> Option<Signature> {
    let Spread {
        count,
        p10,
        p50,
        p90,
        seconds,
        ..
    } = closes.idle;
    let room = COARSE.max(p50 / 5);
    let same = p90 - p10.min(p90) <= room;
    let none_longer = closes.rested_max <= p90 + room / 2;
    let rests = p50 >= SHORTEST && same && none_longer;
    (count >= ENOUGH_RESTS && seconds >= SECONDS && rests).then_some(Signature::KeepAliveIdle {
        rest_p10: p10,
        rest_p50: p50,
        rest_p90: p90,
        closes: count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn after_a_hundred() -> Closes {
        Closes {
            answered: Spread {
                count: 40,
                mode: 100,
                p10: 100,
                p50: 100,
                p90: 100,
                at_p50: 38,
                seconds: 5,
            },
            exchanges_max: 99,
            ..Closes::default()
        }
    }

    fn after_five_seconds() -> Closes {
        let (p10, p50, p90) = (
            5 * SECOND,
            5 * SECOND + SECOND / 10,
            5 * SECOND + SECOND / 2,
        );
        Closes {
            idle: Spread {
                count: 12,
                mode: 0,
                p10,
                p50,
                p90,
                at_p50: 3,
                seconds: 4,
            },
            rested_max: 4 * SECOND,
            ..Closes::default()
        }
    }

    #[test]
    fn the_same_number_of_exchanges_again_and_again_is_a_limit() {
        let found = exchanges(&after_a_hundred());
        let limit = Signature::KeepAliveExchanges {
            exchanges: 100,
            closes: 38,
            of: 40,
        };
        assert_eq!(found, Some(limit));
        assert_eq!(idle(&after_a_hundred()), None);
    }

    #[test]
    fn connections_that_end_together_or_apart_show_no_limit_of_exchanges() {
        let changed = |change: fn(&mut Closes)| {
            let mut closes = after_a_hundred();
            change(&mut closes);
            exchanges(&closes)
        };
        // As many as it takes, and one less each time.
        assert_eq!(changed(|own| own.answered.count = 19), None);
        assert!(changed(|own| own.answered.at_p50 = 36).is_some());
        assert_eq!(changed(|own| own.answered.at_p50 = 35), None);
        // A pod that was killed ends all of its connections in one second, however alike they were.
        assert_eq!(changed(|own| own.answered.seconds = 2), None);
        // Another connection has carried more.
        assert_eq!(changed(|own| own.exchanges_max = 101), None);
        assert_eq!(exchanges(&Closes::default()), None);
    }

    #[test]
    fn the_same_rest_again_and_again_is_a_limit() {
        let Some(Signature::KeepAliveIdle {
            rest_p50, closes, ..
        }) = idle(&after_five_seconds())
        else {
            panic!("not seen");
        };
        assert_eq!((rest_p50, closes), (5 * SECOND + SECOND / 10, 12));
        assert_eq!(exchanges(&after_five_seconds()), None);
    }

    #[test]
    fn connections_that_end_after_any_rest_show_no_limit_of_rest() {
        let changed = |change: fn(&mut Closes)| {
            let mut closes = after_five_seconds();
            change(&mut closes);
            idle(&closes)
        };
        assert_eq!(changed(|own| own.idle.count = 9), None);
        assert_eq!(changed(|own| own.idle.seconds = 2), None);
        assert_eq!(changed(|own| own.idle.p10 = 3 * SECOND), None);
        // Others have rested longer and went on.
        assert_eq!(changed(|own| own.rested_max = 8 * SECOND), None);
        let short = Closes {
            idle: Spread {
                count: 50,
                mode: 0,
                p10: 1,
                p50: 2,
                p90: 3,
                at_p50: 20,
                seconds: 9,
            },
            ..Closes::default()
        };
        assert_eq!(idle(&short), None);
        assert_eq!(idle(&Closes::default()), None);
    }
}
