//! Sessions that are opened again and again cost clients more than what is done in them.

use super::{Signature, Times};

/// Fewer sessions, or operations, show nothing.
const ENOUGH: u64 = 20;
/// Of the time that was spent waiting for the target.
const MOST: f64 = 0.5;
/// Half of the openings take at least so long, in nanoseconds. A session of one operation takes three exchanges: most of
/// the time goes into opening it, however fast the target is.
const NOTICED: u64 = 10_000_000;

/// `opened`: `initialize` until the session was open. `operations`: from the first byte sent to the end.
pub fn seen(opened: &Times, operations: &Times) -> Option<Signature> {
    if opened.len() < ENOUGH || operations.len() < ENOUGH {
        return None;
    }
    let whole = |times: &Times| times.mean() * times.len() as f64;
    let (opening, operating) = (whole(opened), whole(operations));
    let share = opening / (opening + operating);
    let initialize_p50 = opened.value_at_quantile(0.5);
    (share > MOST && initialize_p50 >= NOTICED).then(|| Signature::InitializeDominates {
        sessions: opened.len(),
        initialize_p50,
        operations: operations.len(),
        operation_p50: operations.value_at_quantile(0.5),
        share,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::empty_histogram;

    const MS: u64 = 1_000_000;

    fn times(count: u64, each: u64) -> Times {
        let mut times = empty_histogram();
        times.saturating_record_n(each, count);
        times
    }

    #[test]
    fn slow_openings_that_recur_are_named() {
        // A session of ten operations of 2 ms each costs 50 ms to open.
        let found = seen(&times(20, 50 * MS), &times(200, 2 * MS));
        let Some(Signature::InitializeDominates {
            sessions: 20,
            share,
            ..
        }) = found
        else {
            panic!("{found:?}");
        };
        assert!((share - 0.71).abs() < 0.01, "{share}");
    }

    #[test]
    fn slow_openings_that_are_few_or_used_well_are_not() {
        // As slow, and a session is used for thirty operations.
        assert_eq!(seen(&times(20, 50 * MS), &times(600, 2 * MS)), None);
        assert_eq!(seen(&times(19, 50 * MS), &times(190, 2 * MS)), None);
        assert_eq!(seen(&times(20, 50 * MS), &times(19, 2 * MS)), None);
        assert_eq!(seen(&times(0, 1), &times(0, 1)), None);
    }

    /// A session of one operation takes three exchanges, whatever the target: most of the time goes into opening.
    #[test]
    fn fast_openings_are_not() {
        let fast = |each| seen(&times(200, 2 * each), &times(200, each));
        assert_eq!(fast(MS / 5), None);
        assert_eq!(fast(4 * MS), None);
        assert!(fast(6 * MS).is_some());
    }
}
