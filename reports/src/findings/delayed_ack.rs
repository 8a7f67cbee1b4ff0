//! A server that does not set TCP_NODELAY and writes an answer in two pieces has the second one held back (Nagle) until
//! the first is acknowledged, and the client's kernel delays that by 40 ms and the length of a tick at most (RFC 1122,
//! 4.2.3.2).

use super::{Signature, Times};

const MS: u64 = 1_000_000;
/// The shortest delay of an acknowledgement in Linux, and some room for the tick and for the work itself.
const DELAYED: (u64, u64) = (38 * MS, 46 * MS);
/// The head is there before anything is worked on, or the work is short.
const AT_ONCE: u64 = 2 * MS;
/// Fewer show nothing.
const ENOUGH: u64 = 100;

/// `results` and `heads` of the operations that ended ok, both since the first byte was sent.
pub fn seen(operation: &str, results: &Times, heads: &Times) -> Option<Signature> {
    let samples = results.len();
    if samples < ENOUGH || heads.len() < ENOUGH {
        return None;
    }
    let within = results.count_between(DELAYED.0, DELAYED.1) as f64 / samples as f64;
    let head_p75 = heads.value_at_quantile(0.75);
    // A tool that takes its time is as early with its head where it streams, and not as punctual with its result.
    (within >= 0.5 && head_p75 < AT_ONCE).then(|| Signature::DelayedAck {
        operation: operation.to_owned(),
        samples,
        result_p50: results.value_at_quantile(0.5),
        within,
        head_p75,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::empty_histogram;

    fn times(values: impl IntoIterator<Item = u64>) -> Times {
        let mut times = empty_histogram();
        values
            .into_iter()
            .for_each(|value| times.saturating_record(value));
        times
    }

    fn delayed(count: u64) -> Times {
        times((0..count).map(|index| 40 * MS + index % 4 * MS))
    }

    #[test]
    fn results_forty_milliseconds_behind_their_heads_are_named() {
        let heads = times((0..200).map(|_| MS / 2));
        let found = seen("echo", &delayed(200), &heads);
        let Some(Signature::DelayedAck {
            samples,
            within,
            head_p75,
            ..
        }) = found
        else {
            panic!("{found:?}");
        };
        assert_eq!((samples, within), (200, 1.0));
        assert!(head_p75 < MS);
    }

    #[test]
    fn a_target_that_is_as_slow_for_other_reasons_is_not() {
        let at_once = times((0..200).map(|_| MS / 2));
        // The head comes with the result: the tool takes 42 ms.
        assert_eq!(seen("echo", &delayed(200), &delayed(200)), None);
        // A third of the heads is late as well.
        let mixed = times((0..200).map(|index| if index % 3 == 0 { 42 * MS } else { MS }));
        assert_eq!(seen("echo", &delayed(200), &mixed), None);
        // The head comes at once, and the work takes 20 to 60 ms.
        let working = times((0..200).map(|index| 20 * MS + index % 40 * MS));
        assert_eq!(seen("echo", &working, &at_once), None);
        let slower = times((0..200).map(|_| 60 * MS));
        assert_eq!(seen("echo", &slower, &at_once), None);
        assert_eq!(seen("echo", &at_once, &at_once), None);
    }

    #[test]
    fn a_few_operations_show_nothing() {
        let heads = times((0..99).map(|_| MS / 2));
        assert_eq!(seen("echo", &delayed(99), &heads), None);
        assert_eq!(seen("echo", &times([]), &times([])), None);
    }
}
