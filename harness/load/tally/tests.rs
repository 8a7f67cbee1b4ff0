//! Whose an operation is that was under way when we were held.

use firedrill_scenarios::outcome::TimeoutStage;

use super::*;

const MS: Nanos = 1_000_000;
const SLOW: Outcome = Outcome::Timeout(TimeoutStage::FirstByte);

/// The counts of one operation with limits of 20 and 100 ms, dispatched at once.
fn counted(outcome: Outcome, response: Nanos, held: Nanos) -> Cell {
    let layout = Layout {
        phases: vec!["steady".to_owned()],
        series: vec!["echo".to_owned()],
        limits: vec![20 * MS, 100 * MS],
        lateness_limit: 2 * MS,
        bucket: 1_000 * MS,
    };
    let mut buckets = Buckets::new(&layout);
    buckets.expect(0, 0);
    buckets.settle(&Settled {
        phase: 0,
        series: 0,
        outcome,
        due: 0,
        dispatched: Some(0),
        sent: Some(0),
        head: None,
        end: response,
        held,
        completed_in: None,
    });
    let mut closed = Vec::new();
    buckets.close(Nanos::MAX, &mut closed);
    closed.remove(0).cells.remove(0)
}

#[test]
fn an_answer_that_lay_there_while_we_were_held_is_ours() {
    let cell = counted(Outcome::Ok, 605 * MS, 598 * MS);
    assert_eq!((cell.ours, cell.ours_failed), (1, 0));
    assert_eq!((cell.over, cell.ours_over), (vec![1, 1], vec![1, 1]));
}

#[test]
fn an_answer_that_is_too_slow_anyway_is_the_targets() {
    let cell = counted(Outcome::Ok, 5_000 * MS, 1_200 * MS);
    assert_eq!(cell.ours, 0);
    assert_eq!((cell.over, cell.ours_over), (vec![1, 1], vec![0, 0]));
    // For the tight limit; what it is to the other one is ours.
    let cell = counted(Outcome::Ok, 650 * MS, 600 * MS);
    assert_eq!(cell.ours, 0, "it says that the target took 20 ms or more");
    assert_eq!((cell.over, cell.ours_over), (vec![1, 1], vec![0, 1]));
}

#[test]
fn an_answer_within_the_limits_is_good_evidence() {
    let cell = counted(Outcome::Ok, 19 * MS, 15 * MS);
    assert_eq!(cell.ours, 0);
    assert_eq!((cell.over, cell.ours_over), (vec![0, 0], vec![0, 0]));
}

#[test]
fn an_operation_is_given_up_by_us_when_we_were_held_for_the_most_of_its_time() {
    assert_eq!(counted(SLOW, 1_000 * MS, 501 * MS).ours_failed, 1);
    assert_eq!(counted(SLOW, 1_000 * MS, 499 * MS).ours_failed, 0);
    // What the target said, it said.
    assert_eq!(counted(Outcome::Http(503), 1_000 * MS, 900 * MS).ours, 0);
}
