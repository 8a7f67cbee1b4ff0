//! Whose fault it was, and what a run that did not end proves.

use firedrill_evidence::Verdict::{Fail, Inconclusive, Invalid, Pass};
use firedrill_reports::judge;
use firedrill_reports::recording::{Calibration, series};
use firedrill_reports::result::ResultDocument;
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent, TimeoutStage};

use super::synthetic::{MS, Run, SECOND, SHORT};
use super::{check, verdicts};

const REFUSED: Outcome = Outcome::Connect(ConnectFailure::Refused);

// ---- whose fault it was ----

/// firedrill dispatched late in three seconds; the answers came fast after that.
pub fn late() -> Run {
    Run::good(SHORT, 100).each(|operation| {
        // Not in the last tenth of a second, so that it is dispatched in the same one.
        if (4..7).contains(&(operation.due / SECOND)) && operation.due % SECOND < 900 * MS {
            operation.lateness = 40 * MS;
            operation.response = 43 * MS;
        }
    })
}

#[test]
fn lateness_of_ours_makes_it_invalid_though_it_would_pass() {
    let result = late().judged();
    assert_eq!(verdicts(&result), [Invalid, Invalid]);
    assert!(
        check(&result, "errors")
            .reason
            .contains("dispatched late (p99 above 10 ms) in 3 of 10 seconds")
    );
    assert_eq!(result.generator.distrust.len(), 1);
}

#[test]
fn one_late_second_is_no_reason() {
    let result = Run::good(SHORT, 100)
        .each(|operation| {
            if operation.due / SECOND == 4 && operation.due % SECOND < 900 * MS {
                operation.lateness = 40 * MS;
                operation.response = 43 * MS;
            }
        })
        .judged();
    assert_eq!(verdicts(&result), [Pass, Pass], "{:?}", result.checks);
}

/// The target stopped for two seconds: operations waited, and were dispatched on time.
#[test]
fn a_stalled_target_fails_and_is_never_invalid() {
    let stall = |second: u64, index: u64| {
        if second == 4 {
            (Outcome::Ok, 1_000 * MS - index * 10 * MS)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    };
    let result = Run::steady(SHORT, 100, stall).judged();
    assert_eq!(verdicts(&result), [Fail, Pass]);
}

/// firedrill was stopped for a second: what was due in it was dispatched late, all in one sample.
#[test]
fn a_stopped_generator_is_invalid() {
    let mut run = Run::good(SHORT, 100).each(|operation| {
        if operation.due / SECOND == 4 {
            operation.lateness = 5 * SECOND - operation.due;
            operation.response = operation.lateness + 3 * MS;
        }
    });
    run.stopped.push(4);
    let result = run.judged();
    assert_eq!(check(&result, "latency-p99").verdict, Invalid);
    assert!(
        check(&result, "latency-p99")
            .reason
            .contains("3 of 10 seconds")
    );
}

const CLOSED: &str = "
scenario: closed
about: A short run of a closed load.
load:
  closed: { think: 0s }
  sessions: { count: 4 }
  operations: [ { tool: echo } ]
timeline:
  - { phase: steady, for: 10s }
objectives:
  - { latency: p99, below: 100ms }
  - { errors: 0.5 % }
";

/// Nothing is late in a load that waits for its answers: that nobody looked is all that shows.
#[test]
fn a_stopped_generator_is_invalid_in_a_closed_load_too() {
    let stopped = |seconds: &[u64]| {
        let mut run = Run::good(CLOSED, 100);
        run.operations
            .retain(|operation| !seconds.contains(&(operation.due / SECOND)));
        run.stopped = seconds.to_vec();
        run.judged()
    };
    assert_eq!(verdicts(&stopped(&[4])), [Pass, Pass]);
    let result = stopped(&[4, 5]);
    assert_eq!(verdicts(&result), [Invalid, Invalid], "{:?}", result.checks);
    let reason = &check(&result, "errors").reason;
    assert!(reason.contains("saw nothing in 2 of 9 seconds"), "{reason}");
}

/// It looks once a second all the same.
#[test]
fn a_generator_that_is_frozen_again_and_again_is_invalid_in_a_closed_load() {
    let frozen = |seconds: &[u64]| {
        let mut run = Run::good(CLOSED, 100);
        run.frozen = seconds.to_vec();
        run.judged()
    };
    assert_eq!(verdicts(&frozen(&[4])), [Pass, Pass]);
    let result = frozen(&[4, 5]);
    assert_eq!(verdicts(&result), [Invalid, Invalid], "{:?}", result.checks);
    let reason = &check(&result, "errors").reason;
    assert!(
        reason.contains("did not come to run for more than 25 % of the time in 2 of 9 seconds"),
        "{reason}"
    );
}

/// A phase with the verdicts of its latency, its errors and its throughput, with load threads that are so busy.
fn at_work(busy: f64, idle: &[u64], fate: impl Fn(u64, u64) -> (Outcome, u64)) -> ResultDocument {
    let scenario = format!("{CLOSED}  - {{ throughput: 95/s }}\n");
    let mut run = Run::steady(&scenario, 100, fate);
    run.busy = busy;
    run.idle = idle.to_vec();
    run.judged()
}

#[test]
fn a_failure_of_a_generator_without_headroom_may_be_its_own() {
    let slow = |_, index| match index % 10 {
        0 => (Outcome::Timeout(TimeoutStage::Result), 2 * SECOND),
        _ => (Outcome::Ok, 120 * MS),
    };
    let result = at_work(0.96, &[], slow);
    assert_eq!(verdicts(&result), [Invalid; 3], "{:?}", result.checks);
    let reason = &check(&result, "latency-p99").reason;
    assert!(
        reason.starts_with("firedrill itself may be why: a load thread was busy for 98 %"),
        "{reason}"
    );
    assert_eq!(verdicts(&at_work(0.9, &[], slow)), [Fail; 3]);
    let good = |_, _| (Outcome::Ok, 3 * MS);
    assert_eq!(verdicts(&at_work(0.96, &[], good)), [Pass; 3]);
}

#[test]
fn what_the_target_answered_fails_at_any_headroom() {
    let failed = |_, index| match index % 10 {
        0 => (Outcome::Http(503), 3 * MS),
        _ => (Outcome::Ok, 3 * MS),
    };
    let result = at_work(0.96, &[], failed);
    assert_eq!(check(&result, "errors").verdict, Fail);
    assert_eq!(check(&result, "latency-p99").verdict, Fail);
    let all = at_work(0.96, &[], |_, _| (Outcome::Http(503), 3 * MS));
    assert_eq!(verdicts(&all), [Fail; 3]);
}

/// The threads idle while it stalls, and have all hands full before and after.
#[test]
fn a_stall_of_the_target_is_no_want_of_headroom() {
    let stall = |second: u64, index: u64| match second {
        4 => (Outcome::Ok, 1_000 * MS - index * 10 * MS),
        _ => (Outcome::Ok, 3 * MS),
    };
    let result = at_work(0.96, &[4], stall);
    assert_eq!(check(&result, "latency-p99").verdict, Fail);
}

/// Not one operation was sent: what such a phase lacks in failures of a kind, or a metric shows, is no pass.
#[test]
fn a_phase_in_which_nothing_reached_the_target_passes_nothing() {
    let scenario = format!(
        "{SHORT}  - {{ errors: 1 %, class: http }}\n  - {{ errors: 1 %, class: connect, id: reachable }}\n"
    );
    let refused = |until: u64| {
        Run::steady(&scenario, 100, move |second, _| match second < until {
            true => (REFUSED, MS),
            false => (Outcome::Ok, 3 * MS),
        })
        .judged()
    };
    let result = refused(10);
    assert_eq!(verdicts(&result), [Fail, Fail, Inconclusive, Fail]);
    let reason = &result.checks[2].reason;
    assert!(
        reason.starts_with("nothing reached the target in steady"),
        "{reason}"
    );
    assert_eq!(verdicts(&refused(9)), [Fail, Fail, Pass, Fail]);
}

/// What the target did in the given second, and firedrill late in three seconds from the other one on.
fn failed_and_late(fate: (Outcome, u64), failed: u64, late: u64) -> ResultDocument {
    let mut run = Run::steady(SHORT, 100, |second, _| match second == failed {
        true => fate,
        false => (Outcome::Ok, 3 * MS),
    });
    run = run.each(|operation| {
        let second = operation.due / SECOND;
        if (late..late + 3).contains(&second) && operation.due % SECOND < 900 * MS {
            operation.lateness = 40 * MS;
            operation.response += 40 * MS;
        }
    });
    run.judged()
}

#[test]
fn a_failure_that_was_there_before_we_were_late_is_not_hidden() {
    let slow = (Outcome::Ok, 900 * MS);
    let result = failed_and_late(slow, 3, 5);
    assert_eq!(verdicts(&result), [Fail, Invalid], "{:?}", result.checks);
    let reason = &check(&result, "latency-p99").reason;
    assert!(
        reason.contains("firedrill itself was late after that"),
        "{reason}"
    );
    let full = (Outcome::NotSent(NotSent::InFlightLimit), 0);
    assert_eq!(verdicts(&failed_and_late(full, 3, 5)), [Fail, Fail]);
    // In the second before nearly all had had their time.
    assert_eq!(verdicts(&failed_and_late(slow, 4, 5)), [Fail, Invalid]);
}

/// A burst of ours may be why a target is slow after it, and what was to be answered then is read late.
#[test]
fn a_failure_that_comes_with_our_lateness_or_after_it_may_be_ours() {
    let slow = (Outcome::Ok, 900 * MS);
    for failed in [2, 4, 6] {
        let result = failed_and_late(slow, failed, 2);
        assert_eq!(verdicts(&result), [Invalid, Invalid], "{failed}");
    }
    let timed_out = (Outcome::Timeout(TimeoutStage::Result), 2 * SECOND);
    let result = failed_and_late(timed_out, 4, 5);
    assert_eq!(check(&result, "errors").verdict, Invalid);
    // A stopped generator has not read in time either.
    let mut run = late().each(|operation| {
        if operation.due / SECOND == 2 {
            operation.response = 900 * MS;
        }
    });
    run.frozen = vec![7, 8];
    assert_eq!(verdicts(&run.judged()), [Invalid, Invalid]);
}

/// Too short to distrust the whole phase, but the failure is ours all the same.
#[test]
fn a_failure_that_is_ours_alone_is_invalid() {
    let result = Run::good(SHORT, 100)
        .each(|operation| {
            if operation.due / SECOND == 4 && operation.due % SECOND < 500 * MS {
                operation.lateness = 400 * MS;
                operation.response = 403 * MS;
            }
        })
        .judged();
    let latency = check(&result, "latency-p99");
    assert_eq!(latency.verdict, Invalid);
    assert!(
        latency
            .reason
            .starts_with("fails only with the 50 operations that firedrill itself dispatched late")
    );
    assert_eq!(check(&result, "errors").verdict, Pass);
}

/// Two operations of a hundred were under way when firedrill was frozen. Of two limits, the target may have missed one by
/// itself.
#[test]
fn what_was_under_way_while_we_were_held_fails_nothing_but_what_would_fail_anyway() {
    let scenario = SHORT.replace(
        "  - { errors: 0.5 % }",
        "  - { latency: p99, below: 20ms, id: tight }",
    );
    let frozen = |own: u64| {
        let mut run = Run::good(&scenario, 100);
        for operation in &mut run.operations {
            if operation.due % SECOND < 20 * MS {
                operation.held = 600 * MS;
                operation.response = operation.held + own;
            }
        }
        run.judged()
    };
    let result = frozen(5 * MS);
    assert_eq!(verdicts(&result), [Invalid, Invalid], "{:?}", result.checks);
    let reason = &check(&result, "tight").reason;
    assert!(
        reason.contains("20 operations") && reason.contains("under way while it did not run"),
        "{reason}"
    );
    assert_eq!(verdicts(&frozen(50 * MS)), [Invalid, Fail]);
    assert_eq!(verdicts(&frozen(500 * MS)), [Fail, Fail]);
}

/// A closed load that was frozen for six tenths of a second asked for less meanwhile.
#[test]
fn what_was_not_asked_for_while_we_were_held_is_no_want_of_throughput() {
    let judged = |frozen: &[u64], at_least: u64| {
        let scenario = format!("{CLOSED}  - {{ throughput: {at_least}/s }}\n");
        let mut run = Run::good(&scenario, 100);
        run.operations
            .retain(|operation| !(4_400 * MS..5_000 * MS).contains(&operation.due));
        run.frozen = frozen.to_vec();
        run.judged().checks[2].clone()
    };
    assert_eq!(judged(&[1], 94).verdict, Pass);
    let check = judged(&[4], 95);
    assert_eq!(check.verdict, Invalid, "{}", check.reason);
    assert!(
        check
            .reason
            .starts_with("fails only with the 600 ms in which a load thread did not run"),
        "{}",
        check.reason
    );
    assert_eq!(judged(&[4], 105).verdict, Fail);
    assert_eq!(judged(&[], 95).verdict, Fail);
}

#[test]
fn what_we_could_not_send_or_connect_is_invalid() {
    for ours in [
        Outcome::NotSent(NotSent::Generator),
        Outcome::Connect(ConnectFailure::LocalFds),
    ] {
        let fate = move |second, index| {
            if (second, index) == (3, 7) {
                (ours, MS)
            } else {
                (Outcome::Ok, 3 * MS)
            }
        };
        let result = Run::steady(SHORT, 100, fate).judged();
        assert_eq!(verdicts(&result), [Invalid, Invalid], "{ours}");
    }
    let full = |_, index: u64| {
        if index < 50 {
            (Outcome::NotSent(NotSent::InFlightLimit), 0)
        } else {
            (Outcome::Ok, 3 * MS)
        }
    };
    let result = Run::steady(SHORT, 100, full).judged();
    assert_eq!(
        verdicts(&result),
        [Fail, Fail],
        "the target filled the limit"
    );
    assert_eq!(result.load.not_sent, 500);
}

/// The busiest second of a thread is a quarter busy; 1,000 operations a second are more of this machine.
#[test]
fn what_was_left_of_the_machine_is_the_smaller_of_two_answers() {
    let headroom = |operations_per_second| {
        let mut run = Run::good(SHORT, 1000);
        run.calibration = Some(Calibration {
            operations_per_second,
            floor_p99: 100_000,
        });
        run.judged().generator.headroom
    };
    assert_eq!(headroom(1_000), Some(0.5), "two threads, half of both");
    assert_eq!(
        headroom(100_000),
        Some(0.75),
        "the busiest second of a thread"
    );
    assert_eq!(headroom(10), Some(0.0));
    let alone = Run::good(SHORT, 1000).judged().generator.headroom;
    assert_eq!(alone, Some(0.75), "without a calibration the threads tell");
}

/// A trial of a search begins its clock anew, and its first look may come before half of a second has passed.
#[test]
fn a_first_look_that_comes_at_once_is_an_interval_like_any_other() {
    let mut recording = Run::good(SHORT, 100).recording();
    let looks = recording.samples.get_mut(series::LATENESS_P99);
    looks.expect("the generator's").insert(0, (300 * MS, 0.0));
    assert_eq!(verdicts(&judge(&recording, None)), [Pass, Pass]);
}
