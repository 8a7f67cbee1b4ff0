//! When service is back: seen on runs whose truth is known.

use std::time::Duration;

use firedrill_evidence::recovery::{
    Limits, Live, Quality, Recovery, Slot, judge_slots, judge_together, recover,
};
use proptest::prelude::*;

const S: u64 = 1_000_000_000;
const LIMITS: Limits = Limits {
    errors: 0.005,
    quantile: 0.99,
    below: Duration::from_millis(100),
    window: Duration::from_secs(10),
};

/// One slot a second: due, failed, late.
fn slots(counts: impl IntoIterator<Item = (u64, u64, u64)>) -> Vec<Slot> {
    let slot = |(index, (due, failed, late))| Slot {
        start: index as u64 * S,
        end: (index as u64 + 1) * S,
        due,
        failed,
        late,
    };
    counts.into_iter().enumerate().map(slot).collect()
}

/// `length` seconds at 300/s, all failed in the seconds named.
fn outages(length: u64, failed: impl Fn(u64) -> bool) -> Vec<Slot> {
    slots((0..length).map(|second| (300, if failed(second) { 300 } else { 0 }, 0)))
}

fn all(slots: &[Slot], t0: u64) -> Recovery {
    recover(slots, t0, u64::MAX, &LIMITS, None)
}

/// A small generator of our own: the tests of a crate without randomness need none from outside.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 >> 33) ^ self.0;
        (mixed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn binomial(&mut self, of: u64, share: f64) -> u64 {
        (0..of).filter(|_| self.next() < share).count() as u64
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut sum, mut count) = (0.0, 0);
        loop {
            sum -= (1.0 - self.next()).ln();
            if sum > mean {
                return count;
            }
            count += 1;
        }
    }

    fn service(&mut self, seconds: u64, rate: f64, errors: f64) -> Vec<Slot> {
        let counts: Vec<_> = (0..seconds)
            .map(|_| {
                let due = self.poisson(rate);
                (due, self.binomial(due, errors), self.binomial(due, 0.001))
            })
            .collect();
        slots(counts)
    }
}

#[test]
fn a_healthy_service_is_never_bad() {
    for seed in 1..=40 {
        let slots = Random(seed).service(600, 300.0, 0.004);
        assert!(
            !judge_slots(&slots, &LIMITS).contains(&Quality::Bad),
            "seed {seed}"
        );
        let found = all(&slots, 5 * S + 1);
        assert_eq!(
            (found.rto_at_least, found.relapses),
            (None, 0),
            "seed {seed}: {found:?}"
        );
        let mut live = Live::new(LIMITS);
        slots.iter().for_each(|slot| live.push(*slot));
        assert!(live.recovered_since(5 * S).is_some(), "seed {seed}");
    }
}

#[test]
fn five_in_a_hundred_failing_is_never_back() {
    for seed in 1..=40 {
        let mut slots = outages(20, |second| second >= 10);
        let failing = Random(seed).service(120, 300.0, 0.05);
        slots.extend(failing.into_iter().map(|slot| Slot {
            start: slot.start + 20 * S,
            end: slot.end + 20 * S,
            ..slot
        }));
        let found = all(&slots, 10 * S + 1);
        assert_eq!(found.rto, None, "seed {seed}: {found:?}");
        assert!(found.rto_at_least.unwrap() > 110 * S, "{found:?}");
        let mut live = Live::new(LIMITS);
        for slot in &slots {
            live.push(*slot);
            let since = live.recovered_since(10 * S + 1);
            assert_eq!(since, None, "seed {seed}, at {}", slot.end);
        }
    }
}

/// Goodput of 5 % is no service either, though every answer is quick.
#[test]
fn five_in_a_hundred_answered_is_never_back() {
    let slots = slots((0..60).map(|second| (300, if second < 10 { 0 } else { 285 }, 0)));
    let found = all(&slots, 10 * S);
    assert_eq!((found.rto, found.rto_at_least), (None, Some(50 * S)));
    assert_eq!(found.t6, Some(11 * S), "something succeeded");
}

#[test]
fn an_outage_has_its_length() {
    let slots = outages(60, |second| (10..17).contains(&second));
    let t0 = 10 * S + S / 4;
    let found = all(&slots, t0);
    let expected = Recovery {
        t1: Some(t0),
        t6: Some(17 * S),
        t7: Some(17 * S),
        t8: Some(27 * S),
        rto: Some(17 * S - t0),
        rto_at_least: None,
        unjudged: false,
        outage: Some(17 * S - t0),
        relapses: 0,
        unnoticed: false,
        resolution: S,
    };
    assert_eq!(found, expected);
    let later = all(&slots, 8 * S);
    assert_eq!(
        (later.t1, later.rto, later.outage),
        (Some(10 * S), Some(9 * S), Some(7 * S))
    );
}

#[test]
fn late_answers_are_an_outage_too() {
    let slow =
        slots((0..40).map(|second| (300, 0, if (10..15).contains(&second) { 60 } else { 0 })));
    let found = all(&slow, 9 * S);
    assert_eq!((found.t1, found.t7), (Some(10 * S), Some(15 * S)));
    assert_eq!(found.t6, Some(11 * S), "late, but answered");
}

#[test]
fn a_relapse_puts_recovery_off_and_is_counted() {
    let slots = outages(90, |second| {
        (10..15).contains(&second) || (40..43).contains(&second)
    });
    let found = all(&slots, 10 * S);
    assert_eq!(
        (found.t6, found.t7, found.relapses),
        (Some(15 * S), Some(43 * S), 1)
    );
    let before_it = recover(&slots, 10 * S, 40 * S, &LIMITS, None);
    assert_eq!((before_it.t7, before_it.relapses), (Some(15 * S), 0));
}

#[test]
fn what_is_not_back_at_the_end_took_longer() {
    let down = outages(30, |second| second >= 10);
    let found = all(&down, 10 * S);
    assert_eq!(
        (found.t7, found.rto, found.rto_at_least),
        (None, None, Some(20 * S))
    );
    // Back, but not for a whole window: nobody knows.
    let short = outages(30, |second| (10..25).contains(&second));
    let found = all(&short, 10 * S);
    assert_eq!((found.rto, found.rto_at_least), (None, Some(15 * S)));
    // A failback ends what is looked at, in the middle of a slot.
    let found = recover(
        &outages(60, |second| (10..15).contains(&second)),
        10 * S,
        24 * S + 1,
        &LIMITS,
        None,
    );
    assert_eq!((found.rto, found.rto_at_least), (None, Some(5 * S)));
}

#[test]
fn what_nobody_noticed_takes_a_slot_at_most() {
    let found = all(&outages(40, |_| false), 10 * S + 5);
    assert!(found.unnoticed);
    assert_eq!(
        (found.rto, found.t1, found.t7),
        (Some(S), None, Some(10 * S + 5))
    );
}

#[test]
fn no_evidence_is_no_recovery() {
    let idle = slots((0..40).map(|_| (0, 0, 0)));
    let found = all(&idle, 10 * S);
    assert_eq!(
        (found.rto, found.rto_at_least, found.unnoticed),
        (None, None, false)
    );
    assert_eq!(all(&[], 0), Recovery::default());
    let few = slots((0..40).map(|_| (2, 0, 0)));
    assert_eq!(
        all(&few, 10 * S).rto,
        None,
        "20 operations a window show nothing"
    );
}

/// Forty operations a window: an outage is many windows of them, and what came after it nobody can tell.
#[test]
fn what_a_thin_load_does_not_show_is_not_held_against_it() {
    let thin = |failed: fn(u64) -> bool, length| {
        let slot = |second| (4, if failed(second) { 4 } else { 0 }, 0);
        all(&slots((0..length).map(slot)), 10 * S)
    };
    let found = thin(|second| (10..40).contains(&second), 90);
    assert_eq!((found.rto, found.unjudged), (None, true), "{found:?}");
    assert!(
        !thin(|second| second >= 10, 90).unjudged,
        "it was never back"
    );
    // No window follows: whoever ends so early has not looked.
    assert!(!thin(|second| (10..40).contains(&second), 45).unjudged);
    let failing = slots((0..90).map(|second| (300, if second >= 10 { 6 } else { 0 }, 0)));
    assert!(!all(&failing, 10 * S).unjudged, "2 % of many fail");
}

#[test]
fn small_slots_are_pooled() {
    let seldom =
        slots((0..60).map(|second| (10, if (20..30).contains(&second) { 10 } else { 0 }, 0)));
    let qualities = judge_slots(&seldom, &LIMITS);
    assert!(
        qualities[..20]
            .iter()
            .all(|quality| *quality == Quality::Good)
    );
    assert!(
        qualities[20..30]
            .iter()
            .all(|quality| *quality == Quality::Bad)
    );
    let found = all(&seldom, 20 * S);
    assert_eq!(
        (found.t1, found.t7, found.resolution),
        (Some(20 * S), Some(30 * S), 5 * S)
    );
    let last = slots([(30, 0, 0), (0, 0, 0), (30, 0, 0), (30, 30, 0)]);
    let [good, none, alike, open] = judge_slots(&last, &LIMITS)[..] else {
        panic!()
    };
    assert_eq!(
        [good, none, alike],
        [Quality::Good, Quality::NoEvidence, Quality::Good]
    );
    assert_eq!(open, Quality::NoEvidence, "too few are left to judge");
}

/// Service is back somewhere in the slots that are judged together with the last bad one.
#[test]
fn the_end_is_seen_as_finely_as_the_last_bad_slots_are_judged() {
    let busy = |second: u64| if (12..16).contains(&second) { 30 } else { 300 };
    let failed = |second: u64| match second {
        10..12 => 300,
        12 => 30,
        _ => 0,
    };
    let found = all(
        &slots((0..40).map(|second| (busy(second), failed(second), 0))),
        10 * S,
    );
    assert_eq!(
        (found.t1, found.t7, found.resolution),
        (Some(10 * S), Some(14 * S), 2 * S)
    );
}

/// A slot shows where it was bad. That it was back is shown by no slot here, unless by one that was read back.
#[test]
fn an_end_that_windows_show_is_seen_as_finely_as_they_are_long() {
    let failed = |second: u64| match second {
        10 => 300,
        11..40 => 3,
        _ => 0,
    };
    let dim = slots((0..80).map(|second| (300, failed(second), 0)));
    let found = all(&dim, 10 * S);
    assert!(found.t7 > Some(20 * S), "{found:?}");
    assert_eq!((found.t1, found.resolution), (Some(10 * S), 10 * S));
    let verified = recover(
        &outages(80, |second| second == 10),
        10 * S,
        u64::MAX,
        &LIMITS,
        Some(40 * S),
    );
    assert_eq!((verified.t7, verified.resolution), (Some(40 * S), S));
}

/// Six failures in 300 a second: no single slot is bad beyond doubt, and no window is good.
#[test]
fn windows_see_what_no_slot_shows() {
    let dim = slots((0..80).map(|second| (300, if (20..50).contains(&second) { 6 } else { 0 }, 0)));
    assert!(!judge_slots(&dim, &LIMITS).contains(&Quality::Bad));
    let found = all(&dim, 20 * S);
    assert_eq!(found.t1, Some(20 * S));
    assert_eq!(found.resolution, 10 * S);
    let t7 = found.t7.unwrap();
    assert!((43 * S..=50 * S).contains(&t7), "{found:?}");
    assert!(!found.unnoticed);
}

/// Between the two tails a window neither ends service nor brings it back.
#[test]
fn a_doubtful_window_changes_nothing() {
    // 30 of 3,000 against 0.5 %: a tail of about 4e-4.
    let failed = |second: u64| match second {
        10..15 => 300,
        15..35 => 3,
        _ => 0,
    };
    let slots = slots((0..80).map(|second| (300, failed(second), 0)));
    let found = all(&slots, 10 * S);
    let t7 = found.t7.unwrap();
    assert!(
        (26 * S..=35 * S).contains(&t7),
        "not while windows are doubtful: {found:?}"
    );
    assert_eq!(found.relapses, 0);
    // The same share later on does not end it.
    let late = |second: u64| match second {
        10..15 => 300,
        200..215 => 3,
        _ => 0,
    };
    let slots = failing(300, late);
    assert_eq!(all(&slots, 10 * S).t7, Some(15 * S));
}

fn failing(length: u64, failed: impl Fn(u64) -> u64) -> Vec<Slot> {
    slots((0..length).map(|second| (300, failed(second), 0)))
}

#[test]
fn damaged_data_is_not_back_before_it_was_verified() {
    let slots = outages(60, |second| (10..17).contains(&second));
    let verified = 25 * S + S / 2;
    let found = recover(&slots, 10 * S, u64::MAX, &LIMITS, Some(verified));
    assert_eq!(
        (found.t7, found.rto),
        (Some(verified), Some(15 * S + S / 2))
    );
    let unseen = recover(
        &outages(60, |_| false),
        10 * S,
        u64::MAX,
        &LIMITS,
        Some(verified),
    );
    assert_eq!(unseen.rto, Some(15 * S + S / 2));
    assert!(unseen.unnoticed);
    let never = recover(&slots, 10 * S, u64::MAX, &LIMITS, Some(55 * S));
    assert_eq!((never.rto, never.rto_at_least), (None, Some(45 * S)));
}

#[test]
fn live_says_so_a_window_later_and_takes_it_back() {
    let slots = outages(90, |second| (10..15).contains(&second) || second == 40);
    let mut live = Live::new(LIMITS);
    let mut said = Vec::new();
    for slot in &slots {
        live.push(*slot);
        let since = live.recovered_since(10 * S);
        if said.last().map(|(_, last)| *last) != Some(since) {
            said.push((slot.end, since));
        }
    }
    let expected = [
        (S, None),
        (25 * S, Some(15 * S)),
        (41 * S, None),
        (51 * S, Some(41 * S)),
    ];
    assert_eq!(said, expected);
    assert_eq!(
        live.recovered_since(85 * S),
        None,
        "a window since then is not over"
    );
    assert_eq!(live.recovered_since(60 * S), Some(60 * S));
}

proptest! {
    /// What live says at the end is what judging says.
    #[test]
    fn live_and_judging_agree(down in prop::collection::vec(0_u64..120, 0..6), t0 in 0_u64..100) {
        let slots = outages(130, |second| down.contains(&second));
        let mut live = Live::new(LIMITS);
        slots.iter().for_each(|slot| live.push(*slot));
        let judged = all(&slots, t0 * S);
        prop_assert_eq!(live.recovered_since(t0 * S).is_some(), judged.t7.is_some());
        if let (Some(said), Some(t7)) = (live.recovered_since(t0 * S), judged.t7) {
            prop_assert!(said <= t7.max(t0 * S), "{} {}", said, t7);
        }
    }

    /// Nothing panics, and what is said is consistent, whatever was counted.
    #[test]
    fn whatever_was_counted_is_consistent(
        counts in prop::collection::vec((0_u64..400, 0_u64..400, 0_u64..50), 0..60),
        t0 in 0_u64..70,
        end in 0_u64..80,
    ) {
        let slots = slots(counts.into_iter().map(|(due, failed, late)| (due, failed.min(due), late.min(due - failed.min(due)))));
        let found = recover(&slots, t0 * S, end * S, &LIMITS, None);
        prop_assert!(found.rto.is_none() || found.rto_at_least.is_none());
        prop_assert!(found.t7.is_none_or(|t7| t7 >= t0 * S && found.t1.is_none_or(|t1| t1 <= t7)));
        prop_assert_eq!(found.rto.is_some(), found.t7.is_some());
    }
}

/// A few failures in each slot, none of them too many for it.
#[test]
fn what_is_spread_thinly_shows_in_all_slots_together() {
    let thin = slots((0..12).map(|_| (100, 2, 0)));
    assert!(!judge_slots(&thin, &LIMITS).contains(&Quality::Bad));
    assert_eq!(judge_together(&thin, &LIMITS), Quality::Bad);
    let sound = slots((0..12).map(|second| (100, u64::from(second % 4 == 0), 0)));
    assert_eq!(judge_together(&sound, &LIMITS), Quality::Good);
    assert_eq!(judge_together(&[], &LIMITS), Quality::NoEvidence);
}
