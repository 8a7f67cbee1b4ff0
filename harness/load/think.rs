//! How long sessions think: between the steps of flows, between the flows of closed loads, and before the first of them.

use std::time::Duration;

use firedrill_scenarios::plan::Think;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::schedule::{Purpose, StripeKey, exponential, unit};
use crate::clock::Nanos;

/// One pause.
pub fn draw(think: &Think, random: &mut Xoshiro256PlusPlus) -> Nanos {
    let nanos = |duration: &Duration| duration.as_nanos() as f64;
    match think {
        Think::None => 0,
        Think::Fixed(time) => nanos(time) as Nanos,
        Think::Exponential { mean } => (nanos(mean) * exponential(random)) as Nanos,
        Think::Uniform { low, high } => {
            (nanos(low) + (nanos(high) - nanos(low)) * unit(random)) as Nanos
        }
    }
}

/// How long after the start a session of a closed load sends its first flow: what is left of a pause that it is in. Were
/// all due at the start, they would come as a herd, and where the pause is constant they would stay one.
///
/// Each session has its own slot of the pause, and lies anywhere in it, so that they are as even as they can be.
pub fn before_first(think: &Think, key: StripeKey, session: u32) -> Nanos {
    let mut random = key.stream(Purpose::Start, u64::from(session));
    let place = (f64::from(session) + unit(&mut random)) / f64::from(key.sessions.max(1));
    (draw(think, &mut random) as f64 * place) as Nanos
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::STRIPES;

    const MS: Nanos = 1_000_000;

    fn first_flows(think: &Think, seed: u64, sessions: u32) -> Vec<Nanos> {
        let of_session = |session| {
            let key = StripeKey::new(seed, 0, session % STRIPES, sessions);
            before_first(think, key, session)
        };
        (0..sessions).map(of_session).collect()
    }

    #[test]
    fn sessions_that_think_for_as_long_begin_evenly_over_that_time() {
        let think = Think::Fixed(Duration::from_millis(200));
        for sessions in [1, 7, 256, 2_000] {
            let mut due = first_flows(&think, 5, sessions);
            due.sort_unstable();
            let slot = (200 * MS) as f64 / f64::from(sessions);
            for (index, at) in due.iter().enumerate() {
                let place = *at as f64 / slot - index as f64;
                assert!(
                    (-1e-6..1.0 + 1e-6).contains(&place),
                    "{place} of {sessions}"
                );
            }
        }
    }

    #[test]
    fn a_seed_fixes_when_sessions_begin_and_another_one_changes_it() {
        for think in [
            Think::Fixed(Duration::from_secs(1)),
            Think::Exponential {
                mean: Duration::from_secs(1),
            },
            Think::Uniform {
                low: Duration::from_millis(100),
                high: Duration::from_secs(1),
            },
        ] {
            let first = first_flows(&think, 7, 300);
            assert_eq!(first, first_flows(&think, 7, 300));
            assert_ne!(first, first_flows(&think, 8, 300));
            let together = first.iter().filter(|at| **at < 50 * MS).count();
            assert!(together < 100, "{together} of 300 in 50 ms");
        }
    }

    #[test]
    fn sessions_that_do_not_think_begin_at_once() {
        assert_eq!(first_flows(&Think::None, 3, 50), [0; 50]);
    }
}
