//! What became of the operations of each phase on their way from asked to completed.

use std::collections::BTreeMap;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent as Unsent};

use super::view::{View, Which};
use crate::result::{Flow, NotCompleted, NotSent};

/// One phase; `None` when it never ran, or when nobody counted what was not sent.
pub fn of_phase(view: &View<'_>, phase: usize) -> Option<Flow> {
    let ran = &view.phases[phase];
    ran.ran.as_ref()?;
    let unsent = view.recording.totals()?.unsent.as_ref()?.get(&ran.name);
    let names = view.names(Which::Every);
    let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
    for (outcome, count) in view.lines(phase, &names).flat_map(|line| &line.outcomes) {
        *outcomes.entry(*outcome).or_default() += count;
    }
    let kinds = outcomes.into_iter().map(|(outcome, due)| {
        let unsent = unsent.and_then(|counts| counts.get(&outcome.to_string()));
        Kind {
            outcome,
            due,
            unsent: unsent.copied().unwrap_or(0).min(due),
        }
    });
    let completed = view.completed(phase, &names).round() as u64;
    Some(of_kinds(kinds, completed, ran.length()))
}

/// All measured phases together.
pub fn measured(view: &View<'_>) -> Option<Flow> {
    let measured = (0..view.phases.len()).filter(|phase| view.phases[*phase].measured);
    measured
        .filter_map(|phase| of_phase(view, phase))
        .reduce(Flow::and)
}

/// Operations of one outcome that were due, and those of them of which no byte was sent.
#[derive(Clone, Copy, Debug)]
struct Kind {
    outcome: Outcome,
    due: u64,
    unsent: u64,
}

fn of_kinds(kinds: impl Iterator<Item = Kind>, completed: u64, length: u64) -> Flow {
    let mut flow = Flow {
        length,
        completed,
        ..Flow::default()
    };
    let mut ok = 0;
    for Kind {
        outcome,
        due,
        unsent,
    } in kinds
    {
        let sent = due - unsent;
        flow.asked += due;
        flow.sent += sent;
        *why_not_sent(&mut flow.not_sent, outcome) += unsent;
        match why_not_completed(&mut flow.not_completed, outcome) {
            None => ok += sent,
            Some(part) => *part += sent,
        }
    }
    flow.not_completed.under_way = ok.cast_signed() - completed.cast_signed();
    flow
}

/// The part to which an operation belongs that was never sent.
fn why_not_sent(parts: &mut NotSent, outcome: Outcome) -> &mut u64 {
    match outcome {
        Outcome::NotSent(Unsent::InFlightLimit) => &mut parts.in_flight_limit,
        Outcome::NotSent(Unsent::Generator)
        | Outcome::Connect(ConnectFailure::LocalPorts | ConnectFailure::LocalFds) => {
            &mut parts.generator
        }
        Outcome::NotSent(Unsent::Shutdown) => &mut parts.shutdown,
        // No connection, or the outcome of the opening of the session that it waited for.
        Outcome::NotSent(Unsent::NoSession)
        | Outcome::Connect(_)
        | Outcome::Tls(_)
        | Outcome::Transport(_)
        | Outcome::Timeout(_)
        | Outcome::Http(_)
        | Outcome::Auth(_)
        | Outcome::SessionLost
        | Outcome::Protocol(_)
        | Outcome::RpcError(_)
        | Outcome::ToolError
        | Outcome::CheckFailed(_)
        | Outcome::NeverAnswered
        | Outcome::Ok => &mut parts.target,
    }
}

/// The part to which an operation belongs that was sent; `None` when it ended ok.
fn why_not_completed(parts: &mut NotCompleted, outcome: Outcome) -> Option<&mut u64> {
    match outcome {
        Outcome::Ok => None,
        Outcome::NotSent(_) => Some(&mut parts.shutdown),
        Outcome::Timeout(_) => Some(&mut parts.timed_out),
        Outcome::Connect(_) | Outcome::Tls(_) | Outcome::Transport(_) => {
            Some(&mut parts.connection_lost)
        }
        Outcome::Http(_)
        | Outcome::Auth(_)
        | Outcome::SessionLost
        | Outcome::Protocol(_)
        | Outcome::RpcError(_)
        | Outcome::ToolError
        | Outcome::CheckFailed(_)
        | Outcome::NeverAnswered => Some(&mut parts.not_ok),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let worded = prop::sample::select(Outcome::WORDED.as_slice());
        prop_oneof![
            4 => worded.prop_map(|(outcome, _)| outcome),
            1 => (400u16..600).prop_map(Outcome::Http),
            1 => (-33_000i64..-32_000).prop_map(Outcome::RpcError),
            1 => (0u16..9).prop_map(Outcome::CheckFailed),
            1 => prop::sample::select(vec![Outcome::SessionLost, Outcome::ToolError, Outcome::NeverAnswered]),
        ]
    }

    fn kind() -> impl Strategy<Value = Kind> {
        (outcome(), 0u64..10_000, 0u64..10_000).prop_map(|(outcome, one, other)| Kind {
            outcome,
            due: one.max(other),
            unsent: one.min(other),
        })
    }

    proptest! {
        #[test]
        fn every_gap_is_the_sum_of_its_parts(
            kinds in prop::collection::vec(kind(), 0..20),
            completed in 0u64..50_000,
        ) {
            let flow = of_kinds(kinds.into_iter(), completed, 1);
            let sum = |parts: &[(&str, i64)]| parts.iter().map(|(_, count)| count).sum::<i64>();
            let not_sent = flow.asked.cast_signed() - flow.sent.cast_signed();
            prop_assert_eq!(sum(&flow.not_sent.parts()), not_sent);
            let not_completed = flow.sent.cast_signed() - completed.cast_signed();
            prop_assert_eq!(sum(&flow.not_completed.parts()), not_completed);
            let twice = flow.and(flow);
            prop_assert_eq!(sum(&twice.not_sent.parts()), 2 * not_sent);
            prop_assert_eq!(sum(&twice.not_completed.parts()), 2 * not_completed);
        }
    }

    #[test]
    fn each_reason_has_its_part() {
        let of = |name: &str, due, unsent| {
            let outcome = name.parse().unwrap();
            Kind {
                outcome,
                due,
                unsent,
            }
        };
        let kinds = [
            of("ok", 100, 0),
            of("not_sent.in_flight_limit", 8, 8),
            of("not_sent.no_session", 4, 4),
            of("connect.refused", 3, 3),
            of("http.503", 5, 2),
            of("connect.local_ports", 1, 1),
            of("not_sent.generator", 2, 2),
            of("not_sent.shutdown", 9, 6),
            of("timeout.connect", 1, 1),
            of("timeout.result", 7, 0),
            of("transport.reset", 6, 0),
        ];
        let flow = of_kinds(kinds.into_iter(), 98, 1);
        assert_eq!((flow.asked, flow.sent, flow.completed), (146, 119, 98));
        let not_sent = NotSent {
            in_flight_limit: 8,
            target: 10,
            generator: 3,
            shutdown: 6,
        };
        assert_eq!(flow.not_sent, not_sent);
        let not_completed = NotCompleted {
            under_way: 2,
            timed_out: 7,
            connection_lost: 6,
            not_ok: 3,
            shutdown: 3,
        };
        assert_eq!(flow.not_completed, not_completed);
    }
}
