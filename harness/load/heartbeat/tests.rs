use super::*;

const MS: Nanos = 1_000_000;

/// Wakes on time until `now`.
fn awake(now: Nanos) -> Heartbeat {
    let mut beat = Heartbeat::new(0);
    while beat.next() < now {
        beat.rest(beat.next());
        beat.wake(beat.next() + MS / 10);
    }
    beat.rest(beat.next());
    beat.wake(now);
    beat
}

/// Rests for a beat, and is held from its middle for so long.
fn held(beat: &mut Heartbeat, long: Nanos) -> Nanos {
    let now = beat.looked + BEAT / 2 + long;
    beat.rest(beat.next());
    beat.wake(now);
    now
}

#[test]
fn a_thread_that_wakes_in_time_is_not_held() {
    let mut beat = awake(1_000 * MS);
    assert_eq!(beat.tell(), 0);
    // By a socket, and while it is busy.
    for step in 1..100 {
        beat.look(1_000 * MS + step * MS);
    }
    assert_eq!(beat.tell(), 0);
}

/// A connection that was made, for instance.
#[test]
fn what_runs_while_the_thread_rests_does_not_end_the_rest() {
    let mut beat = awake(1_000 * MS);
    let wakes = beat.next();
    beat.rest(wakes);
    beat.look(wakes - 3 * MS);
    beat.wake(wakes);
    assert_eq!(beat.tell(), 0);
}

#[test]
fn a_freeze_is_seen_to_the_length_of_a_rest() {
    let mut beat = awake(1_000 * MS);
    held(&mut beat, 600 * MS);
    let seen = beat.tell();
    assert!(
        (600 * MS - BEAT - SLACK..=600 * MS).contains(&seen),
        "{seen}"
    );
    assert_eq!(beat.tell(), 0, "it was told");
    // While it is busy, to the slack.
    let now = beat.looked + 15 * MS;
    beat.look(now);
    assert_eq!(beat.tell(), 14 * MS);
}

/// 15 ms held, 3 ms left, at rest or busy: more than half of the time is seen.
#[test]
fn short_freezes_add_up() {
    for busy in [true, false] {
        let mut beat = awake(1_000 * MS);
        for _ in 0..100 {
            let now = beat.looked;
            for step in 1..=30 {
                beat.wake(now + step * MS / 10);
                if !busy {
                    beat.rest(beat.next());
                }
            }
            let thawed = beat.looked + 15 * MS;
            beat.wake(thawed);
        }
        let seen = beat.tell() as f64 / (1_800 * MS) as f64;
        assert!(seen >= 0.5, "busy {busy}: {seen}");
    }
}

#[test]
fn what_waited_for_us_may_have_come_at_once() {
    let mut beat = awake(1_000 * MS);
    let due = 1_000 * MS;
    let before = beat.held_at(due);
    let now = held(&mut beat, 600 * MS);
    assert_eq!(beat.held_within(before, due, now), now - due);
    // What is read when all that had come was read came later.
    beat.has_read(now);
    let later = beat.held_within(before, due, now);
    assert!(
        (600 * MS - BEAT - SLACK..now - due).contains(&later),
        "{later}"
    );
}

#[test]
fn a_hold_counts_from_the_due_time_and_to_the_end() {
    let mut beat = awake(1_000 * MS);
    let now = held(&mut beat, 600 * MS);
    beat.has_read(now);
    // It became due in the middle, and ended later.
    let due = now - 100 * MS;
    let before = beat.held_at(due);
    beat.look(now + MS / 2);
    assert_eq!(beat.held_within(before, due, now + MS / 2), 100 * MS);
    // It had ended before the hold, and is counted now.
    let (due, end) = (990 * MS, 999 * MS);
    assert_eq!(beat.held_within(0, due, end), 0);
    // It began after it.
    assert_eq!(beat.held_within(beat.held_at(now), now, now + MS), 0);
}

/// Wakes are late all the time: of an answer after 5 s it is not known for long whether it was there.
#[test]
fn gaps_of_a_busy_machine_do_not_add_up_to_a_slow_target() {
    let mut beat = awake(1_000 * MS);
    let due = 1_000 * MS;
    let before = beat.held_at(due);
    while beat.looked < due + 5_000 * MS {
        beat.rest(beat.next());
        beat.wake(beat.next() + 2 * MS);
        if beat.looked < due + 5_000 * MS {
            beat.has_read(beat.looked);
        }
    }
    let own = beat.looked - due - beat.held_within(before, due, beat.looked);
    assert!(own > 4_000 * MS, "{own}");
}

#[test]
fn a_thread_that_was_held_has_caught_up_when_it_has_read_what_came_meanwhile() {
    let mut beat = awake(1_000 * MS);
    assert!(beat.has_caught_up(2));
    let now = held(&mut beat, 600 * MS);
    assert!(!beat.has_caught_up(2));
    beat.has_read(now);
    assert!(beat.has_caught_up(2));
    // Held again and again while it reads.
    beat.look(now + 600 * MS);
    beat.has_read(now);
    assert!(!beat.has_caught_up(2));
    beat.look(now + 1_200 * MS);
    assert!(!beat.has_caught_up(2));
    beat.look(now + 1_800 * MS);
    assert!(beat.has_caught_up(2), "it does not wait for ever");
    assert!(beat.has_caught_up(2), "for what it has waited for");
}
