//! Single trials of a search: what each comes to.

use firedrill_reports::capacity::{Attempt, Form, Outcome, Purpose};
use firedrill_reports::result::{Limit, Trial};
use firedrill_reports::{judge, trial};
use firedrill_scenarios::Outcome as Ended;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent, TimeoutStage};

use super::judging::probed;
use super::synthetic::{MS, Run, SECOND, SHORT};
use super::trust::late;

fn attempt(purpose: Purpose) -> Attempt {
    Attempt {
        number: 3,
        purpose,
        level: 100.0,
        folder: "trials/003-trial-100".to_owned(),
    }
}

fn tried(run: &Run, purpose: Purpose, form: Form) -> Trial {
    let recording = run.recording();
    trial(
        &attempt(purpose),
        &recording,
        &judge(&recording, None),
        form,
    )
}

fn came_of(run: &Run, purpose: Purpose) -> (Outcome, Option<Limit>) {
    let own = tried(run, purpose, Form::Open);
    (own.outcome, own.limit)
}

#[test]
fn a_trial_is_missed_by_what_gave_way_in_it() {
    let of = |fate: fn(u64, u64) -> (Ended, u64)| {
        came_of(&Run::steady(SHORT, 100, fate), Purpose::Trial)
    };
    let refused = Ended::Connect(ConnectFailure::Refused);
    assert_eq!(of(|_, _| (Ended::Ok, MS)), (Outcome::Met, None));
    assert_eq!(
        of(|_, _| (Ended::Ok, 120 * MS)),
        (Outcome::Missed, Some(Limit::Latency))
    );
    let failing = Run::steady(SHORT, 100, |_, index| {
        if index % 10 == 0 {
            (refused, MS)
        } else {
            (Ended::Ok, MS)
        }
    });
    let failed = tried(&failing, Purpose::Trial, Form::Open);
    assert_eq!(
        (failed.outcome, failed.limit),
        (Outcome::Missed, Some(Limit::Errors))
    );
    assert!(
        failed
            .reason
            .ends_with("; 10 % failed, mostly connect.refused"),
        "{}",
        failed.reason
    );
    let full = |_, index| match index % 10 {
        0 => (Ended::NotSent(NotSent::InFlightLimit), 0),
        _ => (Ended::Ok, MS),
    };
    assert_eq!(of(full), (Outcome::Missed, Some(Limit::Queue)));
    // Each answer takes a tenth of a second longer than the one a second before it.
    let behind = |second, _| (Ended::Ok, 90 * MS + second * 300 * MS);
    assert_eq!(of(behind), (Outcome::Missed, Some(Limit::Queue)));
}

/// 100 a second that take three seconds each: 300 under way from the third second on, and no more.
#[test]
fn a_slow_target_that_keeps_up_has_no_queue() {
    let slow = SHORT.replace("below: 100ms", "below: 4s").replace(
        "  - { phase: steady, for: 10s }",
        "  - { phase: warm-up, for: 2s, measured: false }\n  - { phase: steady, for: 10s }",
    );
    let takes = |time: fn(u64) -> u64| {
        let run = Run::steady(&slow, 100, |second, _| (Ended::Ok, time(second)));
        came_of(&run, Purpose::Trial)
    };
    assert_eq!(takes(|_| 3 * SECOND), (Outcome::Met, None));
    // Each second's operations take 200 ms longer than those of the second before.
    let behind = |second| SECOND + second * 200 * MS;
    assert_eq!(takes(behind), (Outcome::Missed, Some(Limit::Queue)));
}

/// 120 a second where 100 are carried, for three seconds behind one of warm-up: no answer takes as long as it may.
#[test]
fn a_short_trial_under_loose_limits_shows_that_fewer_completed_than_were_asked_for() {
    let loose = [
        ("p99, below: 100ms", "p90, below: 4s"),
        ("0.5 %", "5 %"),
        (
            "  - { phase: steady, for: 10s }",
            "  - { phase: warm-up, for: 1s, measured: false }\n  - { phase: steady, for: 3s }",
        ),
    ];
    let loose = loose.iter().fold(SHORT.to_owned(), |text, (one, other)| {
        text.replace(one, other)
    });
    let behind = |second, index| {
        (
            Ended::Ok,
            20 * MS + second * 200 * MS + index * 200 * MS / 120,
        )
    };
    let run = Run::steady(&loose, 120, behind);
    assert_eq!(
        came_of(&run, Purpose::Trial),
        (Outcome::Missed, Some(Limit::Queue))
    );
    for takes in [20 * MS, 900 * MS, 1_300 * MS, 2 * SECOND, 3 * SECOND] {
        let run = Run::steady(&loose, 120, |_, _| (Ended::Ok, takes));
        let found = came_of(&run, Purpose::Trial);
        assert_eq!(found, (Outcome::Met, None), "{takes}");
    }
}

#[test]
fn a_late_generator_makes_a_trial_untrusted_and_few_operations_decide_a_check_alone() {
    assert_eq!(
        came_of(&late(), Purpose::Trial),
        (Outcome::Untrusted, Some(Limit::Generator))
    );
    let few = Run::good(SHORT, 5);
    assert_eq!(came_of(&few, Purpose::Trial), (Outcome::TooLittle, None));
    assert_eq!(came_of(&few, Purpose::Check), (Outcome::Met, None));
    let one_of_fifty = |second, index| match (second, index) {
        (0, 0) => (Ended::Ok, 500 * MS),
        _ => (Ended::Ok, MS),
    };
    let unwell = Run::steady(SHORT, 5, one_of_fifty);
    assert_eq!(
        came_of(&unwell, Purpose::Check),
        (Outcome::Missed, Some(Limit::Latency))
    );
}

/// A target that answers nothing may have the finest metrics.
#[test]
fn what_answers_nothing_carries_nothing() {
    let refused = Ended::Connect(ConnectFailure::Refused);
    let run = probed(|_| Some(40.0));
    assert_eq!(came_of(&run, Purpose::Trial), (Outcome::Met, None));
    let run = run.each(|operation| operation.outcome = refused);
    for purpose in [Purpose::Trial, Purpose::Check] {
        let own = tried(&run, purpose, Form::Open);
        assert_eq!(
            (own.outcome, own.limit),
            (Outcome::Missed, Some(Limit::Errors))
        );
        assert_eq!(
            own.reason,
            "nothing ended ok; 100 % failed, mostly connect.refused"
        );
    }
}

/// A generator at its limit need not be late, and nobody has to have looked before what this machine can do.
#[test]
fn slow_answers_to_a_generator_without_headroom_say_nothing_of_the_target() {
    let mut run = Run::steady(SHORT, 100, |_, _| (Ended::Ok, 120 * MS));
    run.busy = 0.92;
    let own = tried(&run, Purpose::Trial, Form::Open);
    assert_eq!(
        (own.outcome, own.limit),
        (Outcome::Untrusted, Some(Limit::Generator))
    );
    assert!(
        own.reason
            .starts_with("firedrill itself had 4 % of its capacity left (latency-p99"),
        "{}",
        own.reason
    );
    run.busy = 0.5;
    assert_eq!(
        came_of(&run, Purpose::Trial),
        (Outcome::Missed, Some(Limit::Latency))
    );
}

/// Our own clock ends an operation, and at our own limit; what the target answered it answered.
#[test]
fn time_outs_of_a_generator_without_headroom_say_nothing_of_the_target() {
    let of = |busy: f64, failure: Ended| {
        let mut run = Run::steady(SHORT, 100, move |_, index| match index % 10 {
            0 => (failure, MS),
            _ => (Ended::Ok, MS),
        });
        run.busy = busy;
        came_of(&run, Purpose::Trial)
    };
    let timed_out = Ended::Timeout(TimeoutStage::Result);
    let ours = (Outcome::Untrusted, Some(Limit::Generator));
    let missed = (Outcome::Missed, Some(Limit::Errors));
    assert_eq!(of(0.92, timed_out), ours);
    assert_eq!(of(0.5, timed_out), missed);
    assert_eq!(of(0.92, Ended::Http(503)), missed);
    assert_eq!(of(0.92, Ended::RpcError(-32_603)), missed);
}

/// One in fifty fails, which is more than a p99 leaves and less than the limit of errors: nothing was slow.
#[test]
fn failures_that_the_target_answered_are_no_slowness_of_anybody() {
    let text = SHORT.replace("0.5 %", "5 %");
    let mut run = Run::steady(&text, 100, |_, index| match index % 50 {
        0 => (Ended::Http(503), MS),
        _ => (Ended::Ok, MS),
    });
    run.busy = 0.96;
    assert_eq!(
        came_of(&run, Purpose::Trial),
        (Outcome::Missed, Some(Limit::Errors))
    );
}

#[test]
fn a_silent_probe_is_told_from_a_generator_that_was_the_limit() {
    let silent = probed(|second| (second < 2).then_some(40.0));
    let metric = (Outcome::Untrusted, Some(Limit::Metric));
    assert_eq!(came_of(&silent, Purpose::Trial), metric);
    let own = tried(&silent, Purpose::Trial, Form::Open);
    assert!(
        own.reason
            .contains("the probe of service.queue was silent from 1.4 s"),
        "{}",
        own.reason
    );
}

#[test]
fn concurrency_is_completed_times_what_each_took() {
    let run = Run::steady(SHORT, 100, |_, _| (Ended::Ok, 50 * MS));
    let own = tried(&run, Purpose::Trial, Form::Open);
    let under_way = own.concurrency.unwrap();
    assert!(
        (under_way - 5.0).abs() < 0.1,
        "100/s of 50 ms each: {under_way}"
    );
    let closed = tried(&Run::good(SHORT, 100), Purpose::Trial, Form::Closed);
    assert_eq!(closed.concurrency, Some(100.0));
}
