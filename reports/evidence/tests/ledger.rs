//! What became of the writes: every counter seen at zero on a sound ledger, and raised by the one thing it counts.

use std::convert::Infallible;

use firedrill_evidence::ledger::{
    Anomaly, Attempt, Counts, Found, Last, Pass, Point, Promotion, ReadBack, Row, Stop, Tally,
    last_acknowledgements, point, tally,
};
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
const OLD: u16 = 0;
const NEW: u16 = 1;

/// What each write pays in: no two of them the same.
fn amount(client: u32, sequence: u64) -> u32 {
    client * 10_000 + sequence as u32
}

/// A ledger, what is stored, and what happened; changed at will before it is read back.
#[derive(Clone)]
struct Case {
    attempts: Vec<Attempt>,
    rows: [Vec<Row>; 2],
    read_back: ReadBack,
    stop: Stop,
}

/// Two clients write once in 10 ms each, for 2 s before the fault on the old site, and for 2 s after the promotion
/// at 5 s on the new one. An answer takes 2 ms. Everything is stored in the order of sending.
fn sound() -> Case {
    let times = (0..200).chain(500..700).map(|index| index * 10 * MS);
    let mut attempts = Vec::new();
    for (sequence, at) in times.enumerate() {
        for client in [3, 7] {
            let sent = at + u64::from(client) * MS;
            let new = sent > 5 * SECOND;
            attempts.push(Attempt {
                client,
                sequence: sequence as u64 + 1,
                sent,
                acknowledged: Some(sent + 2 * MS),
                failed: false,
                missed_before: false,
                amount: amount(client, sequence as u64 + 1),
                site: if new { NEW } else { OLD },
                epoch: if new { 2 } else { 1 },
            });
        }
    }
    let row = |(position, attempt): (usize, &Attempt)| Row {
        client: attempt.client,
        sequence: attempt.sequence,
        position: Some(position as u64 + 1),
        epoch: Some(attempt.epoch),
        value_fits: true,
        checksum_fits: true,
    };
    let rows: Vec<Row> = attempts.iter().enumerate().map(row).collect();
    let pass = |began| Pass {
        began,
        complete: true,
    };
    let promotion = Promotion {
        at: 5 * SECOND,
        site: NEW,
        epoch: 2,
    };
    Case {
        attempts,
        rows: [rows.clone(), rows],
        read_back: ReadBack {
            passes: [pass(8 * SECOND), pass(9 * SECOND)],
            promotions: vec![promotion],
            stored: 0,
            stop: None,
            standby: false,
        },
        stop: Stop {
            t0: 2 * SECOND,
            until: Some(5 * SECOND),
            site: Some(OLD),
        },
    }
}

struct Read {
    last: Last,
    tally: Tally,
    point: Option<Point>,
    found: Vec<Found>,
}

impl Read {
    fn anomalies(&self) -> Vec<(Anomaly, u32, u64)> {
        let told = |found: &Found| (found.anomaly, found.client, found.sequence);
        self.found.iter().map(told).collect()
    }

    fn counts(&self) -> Counts {
        self.tally.counts
    }
}

impl Case {
    fn lose(mut self, which: impl Fn(&Attempt) -> bool) -> Case {
        let lost: Vec<(u32, u64)> = self
            .attempts
            .iter()
            .filter(|attempt| which(attempt))
            .map(|attempt| (attempt.client, attempt.sequence))
            .collect();
        for rows in &mut self.rows {
            rows.retain(|row| !lost.contains(&(row.client, row.sequence)));
        }
        self
    }

    fn attempt(&mut self, client: u32, sequence: u64) -> &mut Attempt {
        let mut all = self.attempts.iter_mut();
        all.find(|attempt| (attempt.client, attempt.sequence) == (client, sequence))
            .unwrap()
    }

    fn row(&mut self, pass: usize, client: u32, sequence: u64) -> &mut Row {
        let mut all = self.rows[pass].iter_mut();
        all.find(|row| (row.client, row.sequence) == (client, sequence))
            .unwrap()
    }

    fn read(mut self) -> Read {
        self.attempts
            .sort_by_key(|attempt| (attempt.client, attempt.sequence));
        for rows in &mut self.rows {
            rows.sort_by_key(|row| (row.client, row.sequence));
        }
        let own = |row: &&Row| [3, 7].contains(&row.client) && row.value_fits;
        let paid = |row: &Row| u64::from(amount(row.client, row.sequence));
        self.read_back.stored += self.rows[1].iter().filter(own).map(paid).sum::<u64>();
        let attempts = || self.attempts.iter().copied().map(Ok::<_, Infallible>);
        let [first, second] = &self.rows;
        let rows = || [first, second].map(|rows| rows.iter().copied().map(Ok));
        let Ok(last) = last_acknowledgements(attempts(), &self.stop);
        self.read_back.stop = Some(last.stop);
        let mut found = Vec::new();
        let Ok(tally) = tally(attempts(), rows(), &self.read_back, |anomaly| {
            found.push(anomaly)
        });
        let Ok(point) = point(attempts(), rows(), &self.read_back, &tally, &last, |hole| {
            found.push(hole)
        });
        Read {
            last,
            tally,
            point,
            found,
        }
    }
}

/// The last acknowledgement of the old site: client 7, sent at 1,990 + 7 ms.
const LAST_ACK: u64 = 1999 * MS;

#[test]
fn a_sound_ledger_counts_no_anomaly() {
    let read = sound().read();
    let expected = Counts {
        attempted: 800,
        acknowledged: 800,
        ..Counts::default()
    };
    assert_eq!(read.counts(), expected);
    assert_eq!(read.found, []);
    let point = read.point.unwrap();
    assert_eq!(
        (point.t_stop, point.recovered_to),
        (2 * SECOND, Some(LAST_ACK))
    );
    assert_eq!((point.rpo, point.rpo_lower, point.holes), (MS, None, 0));
    assert_eq!(point.resolution, 6 * MS, "from client 7 to client 3");
}

/// What had not been shipped when the site was lost: the last 300 ms.
#[test]
fn a_lost_tail_is_the_recovery_point() {
    let lag = 1700 * MS;
    let read = sound()
        .lose(|attempt| (lag..2 * SECOND).contains(&attempt.sent))
        .read();
    assert_eq!(
        (
            read.counts().lost,
            read.counts().holes,
            read.counts().lost_after_stop
        ),
        (60, 0, 0)
    );
    let point = read.point.unwrap();
    assert_eq!(point.recovered_to, Some(1699 * MS));
    assert_eq!(point.oldest_lost, Some(1705 * MS));
    assert_eq!((point.rpo, point.rpo_lower), (301 * MS, Some(295 * MS)));
}

/// One old write is gone: everything after it counts, and it is a hole.
#[test]
fn a_lost_write_before_surviving_ones_is_a_hole() {
    let read = sound()
        .lose(|attempt| (attempt.client, attempt.sequence) == (3, 50))
        .read();
    assert_eq!((read.counts().lost, read.point.unwrap().holes), (1, 1));
    assert_eq!(
        read.anomalies(),
        [(Anomaly::Lost, 3, 50), (Anomaly::Hole, 3, 50)]
    );
    let acknowledged = 490 * MS + 5 * MS;
    assert_eq!(
        read.point.unwrap().rpo_lower,
        Some(2 * SECOND - acknowledged)
    );
    assert!(read.point.unwrap().rpo > 2 * SECOND - acknowledged);
}

/// What the new site acknowledged may not be lost at all, whatever the recovery point allows.
#[test]
fn losses_after_the_stop_have_no_allowance() {
    let read = sound().lose(|attempt| attempt.sent > 6980 * MS).read();
    assert_eq!((read.counts().lost, read.counts().lost_after_stop), (0, 4));
    assert_eq!(
        read.point.unwrap().rpo,
        MS,
        "they are no part of the recovery point"
    );
}

/// The old site answers on after it was replaced. One answer that was under way is no split brain.
#[test]
fn answers_of_a_replaced_site_are_split_brain() {
    let mut case = sound();
    for (sequence, kept) in [(300, true), (301, false)] {
        let attempt = case.attempt(3, sequence);
        (attempt.site, attempt.epoch) = (OLD, 1);
        if !kept {
            case = case.lose(|attempt| (attempt.client, attempt.sequence) == (3, sequence));
        }
    }
    let under_way = case.attempt(7, 200);
    under_way.acknowledged = Some(5 * SECOND + MS);
    let read = case.read();
    assert_eq!(
        (read.counts().split_brain, read.counts().lost_after_stop),
        (2, 0)
    );
    assert_eq!(
        read.anomalies(),
        [(Anomaly::SplitBrain, 3, 300), (Anomaly::SplitBrain, 3, 301)]
    );
}

/// After a failback the first site may answer again, in its new epoch.
#[test]
fn a_site_that_was_promoted_again_may_answer() {
    let mut case = sound();
    case.read_back.promotions.push(Promotion {
        at: 6 * SECOND,
        site: OLD,
        epoch: 3,
    });
    for attempt in case
        .attempts
        .iter_mut()
        .filter(|attempt| attempt.sent > 6 * SECOND)
    {
        (attempt.site, attempt.epoch) = (OLD, 3);
    }
    assert_eq!(case.read().counts().split_brain, 0);
}

#[test]
fn what_nobody_wrote_is_unexpected_and_what_others_wrote_is_not() {
    let mut case = sound();
    for rows in &mut case.rows {
        let sound = rows[0];
        rows.push(Row {
            sequence: 9_999,
            ..sound
        });
        rows.push(Row { client: 5, ..sound });
        rows.push(Row {
            client: 90,
            ..sound
        });
    }
    case.attempt(7, 20).acknowledged = None;
    case.attempt(7, 20).failed = true;
    let read = case.read();
    assert_eq!((read.counts().unexpected, read.counts().foreign), (2, 2));
    let expected = [
        (Anomaly::Unexpected, 3, 9_999),
        (Anomaly::Unexpected, 7, 20),
    ];
    assert_eq!(read.anomalies(), expected, "a refused write that is there");
}

#[test]
fn an_unknown_outcome_is_neither_lost_nor_unexpected() {
    let mut case = sound();
    for sequence in [20, 21] {
        case.attempt(3, sequence).acknowledged = None;
    }
    let read = case
        .lose(|attempt| (attempt.client, attempt.sequence) == (3, 21))
        .read();
    let counts = read.counts();
    assert_eq!((counts.attempted, counts.acknowledged), (800, 798));
    let unknown = (counts.indeterminate, counts.recovered, counts.lost);
    assert_eq!(unknown, (2, 1, 0));
    assert_eq!(read.found, []);
}

#[test]
fn duplicates_and_damage_are_counted() {
    let mut case = sound();
    for pass in 0..2 {
        let twice = *case.row(pass, 3, 10);
        case.rows[pass].push(Row {
            position: Some(5_000),
            ..twice
        });
        case.row(pass, 7, 30).value_fits = false;
    }
    case.row(1, 7, 31).checksum_fits = false;
    let read = case.read();
    let counts = read.counts();
    assert_eq!((counts.duplicated, counts.corrupt, counts.lost), (1, 2, 0));
    let expected = [
        (Anomaly::Duplicated, 3, 10),
        (Anomaly::Corrupt, 7, 30),
        (Anomaly::Corrupt, 7, 31),
    ];
    assert_eq!(read.anomalies(), expected);
}

/// Each write is there once, with its own value, or not at all: anything else is money that nobody paid in.
#[test]
fn the_books_balance_only_when_what_is_there_is_what_was_written() {
    let unbalanced = |change: &dyn Fn(&mut Case)| {
        let mut case = sound();
        change(&mut case);
        case.read().counts().unbalanced
    };
    let lost = sound().lose(|attempt| attempt.sequence % 7 == 0).read();
    assert_eq!(lost.counts().unbalanced, 0, "a loss is no forgery");
    let twice = |case: &mut Case| {
        let row = *case.row(1, 3, 10);
        case.rows[1].push(row);
    };
    assert_eq!(unbalanced(&twice), 30_010);
    let forged = |case: &mut Case| case.row(1, 7, 30).value_fits = false;
    assert_eq!(unbalanced(&forged), 70_030);
    let refuse = |one: &mut Attempt| (one.acknowledged, one.failed) = (None, true);
    assert_eq!(unbalanced(&|case| refuse(case.attempt(7, 20))), 70_020);
    let unknown = |case: &mut Case| case.attempt(7, 20).acknowledged = None;
    assert_eq!(unbalanced(&unknown), 0, "it may be there");
    // Our own mistake: a row was read, and is not among those that are counted.
    let dropped = |case: &mut Case| {
        case.read_back.stored = 30_011;
        case.rows[1].retain(|row| (row.client, row.sequence) != (3, 11));
    };
    assert_eq!(unbalanced(&dropped), 30_011);
}

#[test]
fn what_only_the_second_pass_sees_is_stale_and_what_only_the_first_saw_is_lost() {
    let mut case = sound();
    case.rows[0].retain(|row| (row.client, row.sequence) != (3, 10));
    case.rows[1].retain(|row| (row.client, row.sequence) != (7, 400));
    let read = case.read();
    assert_eq!((read.counts().stale, read.counts().lost_after_stop), (1, 1));
}

#[test]
fn a_part_that_could_not_be_read_is_not_lost() {
    let mut case = sound();
    case.read_back.passes[1].complete = false;
    case.rows[1].retain(|row| row.client == 3);
    let read = case.read();
    assert_eq!((read.counts().unread, read.counts().lost), (400, 0));
}

#[test]
fn what_is_written_during_the_scan_says_nothing() {
    let mut case = sound();
    case.read_back.passes = [6 * SECOND, 6500 * MS].map(|began| Pass {
        began,
        complete: true,
    });
    let read = case.lose(|attempt| attempt.sent >= 6 * SECOND).read();
    assert_eq!(read.found, []);
    assert!(read.counts().attempted < 800);
}

#[test]
fn order_holds_between_what_was_acknowledged_and_what_was_sent_after_it() {
    let mut case = sound();
    let (one, other) = (*case.row(1, 3, 40), *case.row(1, 3, 41));
    case.row(1, 3, 40).position = other.position;
    case.row(1, 3, 41).position = one.position;
    let read = case.clone().read();
    assert_eq!(read.anomalies(), [(Anomaly::Reordered, 3, 41)]);
    // Under way together, they may be stored in any order.
    case.attempt(3, 40).acknowledged = Some(case.attempt(3, 41).sent + MS);
    assert_eq!(case.read().counts().reordered, 0);
}

#[test]
fn without_acknowledgements_there_is_no_point() {
    let mut case = sound();
    case.attempts
        .iter_mut()
        .for_each(|attempt| attempt.acknowledged = None);
    let read = case.read();
    assert_eq!((read.point, read.counts().acknowledged), (None, 0));
}

#[test]
fn when_nothing_survived_it_reaches_back_to_the_first() {
    let read = sound().lose(|attempt| attempt.sent < 5 * SECOND).read();
    let point = read.point.unwrap();
    assert_eq!((point.recovered_to, point.rpo), (None, 2 * SECOND - 5 * MS));
}

/// Data is damaged at 1 s, the site answers until writes are stopped at 2 s, and what is restored ends at 0.8 s.
#[test]
fn good_writes_after_a_corruption_are_lost_too() {
    let mut case = sound();
    case.stop = Stop {
        t0: SECOND,
        until: Some(2 * SECOND),
        site: None,
    };
    let read = case
        .lose(|attempt| (800 * MS..5 * SECOND).contains(&attempt.sent))
        .read();
    let point = read.point.unwrap();
    assert_eq!(
        (point.t_stop, point.recovered_to),
        (LAST_ACK, Some(799 * MS))
    );
    assert_eq!(
        (point.rpo, read.counts().lost, point.holes),
        (1200 * MS, 240, 0)
    );
}

#[test]
fn an_error_of_a_stream_ends_the_reading() {
    let attempts = vec![Ok(sound().attempts[0]), Err("torn")];
    let rows = || {
        [
            Vec::new().into_iter(),
            Vec::<Result<Row, &str>>::new().into_iter(),
        ]
    };
    let read_back = sound().read_back;
    let result = tally(attempts.into_iter(), rows(), &read_back, |_| {});
    assert_eq!(result, Err("torn"));
}

proptest! {
    /// Every acknowledged write ends in exactly one place, and R has no lost write before it.
    #[test]
    fn every_write_is_counted_once(gone in prop::collection::btree_set((0_usize..800, prop::bool::ANY), 0..60)) {
        let case = sound();
        let keys: Vec<(u32, u64)> = gone
            .iter()
            .map(|(index, _)| (case.attempts[*index].client, case.attempts[*index].sequence))
            .collect();
        let stop = 2 * SECOND;
        let attempts = case.attempts.clone();
        let read = case.lose(|attempt| keys.contains(&(attempt.client, attempt.sequence))).read();
        let counts = read.counts();
        let point = read.point.unwrap();
        let lost: Vec<u64> = attempts
            .iter()
            .filter(|attempt| keys.contains(&(attempt.client, attempt.sequence)))
            .filter_map(|attempt| attempt.acknowledged.filter(|at| *at <= stop))
            .collect();
        prop_assert_eq!(counts.lost, lost.len() as u64);
        let distinct = attempts.iter().filter(|attempt| keys.contains(&(attempt.client, attempt.sequence))).count();
        prop_assert_eq!(counts.lost + counts.lost_after_stop, distinct as u64);
        prop_assert_eq!(point.oldest_lost, lost.iter().min().copied());
        if let (Some(to), Some(oldest)) = (point.recovered_to, point.oldest_lost) {
            prop_assert!(to < oldest);
            prop_assert!(point.rpo >= point.rpo_lower.unwrap());
        }
        prop_assert_eq!(read.last.stop, stop);
    }
}
