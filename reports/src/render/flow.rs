//! Asked, sent and completed in words: a rate each, and why the next one is smaller.

use crate::numbers::rate;
use crate::result::Flow;

/// `asked 1,000/s, sent 990/s (in-flight limit 10/s), completed 985/s (timed out 5/s)`.
pub fn words(flow: &Flow) -> String {
    format!(
        "asked {}, sent {}{}, completed {}{}",
        per_second(flow, flow.asked.cast_signed()),
        per_second(flow, flow.sent.cast_signed()),
        in_brackets(&reasons(flow, &flow.not_sent.parts())),
        per_second(flow, flow.completed.cast_signed()),
        in_brackets(&reasons(flow, &flow.not_completed.parts())),
    )
}

/// The parts that are there, with their rates. More may have come from the phase before than was left to the next.
pub fn reasons(flow: &Flow, parts: &[(&str, i64)]) -> String {
    let there = parts.iter().filter(|(_, count)| *count != 0);
    let words: Vec<String> = there
        .map(|(name, count)| match per_second(flow, count.abs()) {
            more if *count < 0 => format!("less {more} that were under way at the start"),
            lost => format!("{name} {lost}"),
        })
        .collect();
    words.join(", ")
}

pub fn per_second(flow: &Flow, count: i64) -> String {
    match flow.length {
        0 => "-".to_owned(),
        length => rate(count as f64 * 1e9 / length as f64),
    }
}

fn in_brackets(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!(" (not: {text})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{NotCompleted, NotSent};

    #[test]
    fn reasons_stand_where_something_is_missing() {
        let whole = Flow {
            length: 10_000_000_000,
            asked: 10_000,
            sent: 10_000,
            completed: 10_000,
            ..Flow::default()
        };
        assert_eq!(
            words(&whole),
            "asked 1,000/s, sent 1,000/s, completed 1,000/s"
        );
        let less = Flow {
            sent: 9_900,
            completed: 9_855,
            not_sent: NotSent {
                in_flight_limit: 80,
                target: 20,
                ..NotSent::default()
            },
            not_completed: NotCompleted {
                under_way: -5,
                timed_out: 50,
                ..NotCompleted::default()
            },
            ..whole
        };
        assert_eq!(
            words(&less),
            "asked 1,000/s, sent 990/s (not: in-flight limit 8/s, no session or connection from the target 2/s), \
             completed 985.5/s (not: less 0.5/s that were under way at the start, timed out 5/s)"
        );
        let never = Flow { length: 0, ..whole };
        assert_eq!(words(&never), "asked -, sent -, completed -");
    }
}
