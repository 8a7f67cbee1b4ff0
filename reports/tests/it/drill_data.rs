//! Drills judged by what was read back.

use firedrill_evidence::Verdict::{Fail, Inconclusive, Pass};
use firedrill_reports::recording::{
    DataCounts, Event, FaultStage, LedgerLine, Mark, ReadBackStage, ReadPlace, StepStage,
};
use firedrill_scenarios::plan::{
    Act, Corruption, DataCounter, FaultKind, Objective, RecoveryStep, Subject,
};

use super::check;
use super::drill::{assert_check, assert_only};
use super::drilled::{T0, action, fault, good, lost, mark, read_back, sound};
use super::synthetic::{MS, SECOND};

pub const CORRUPTION: FaultKind = FaultKind::DataCorruption {
    site: 0,
    records: 20,
    how: Corruption::Silent,
};

#[test]
fn damaged_data_is_back_when_it_was_read_back() {
    let corrupt = good().kind(CORRUPTION);
    let result = corrupt.judged();
    assert_eq!(result.faults[0].rto, Some(61 * SECOND - T0));
    let unnoticed = super::drilled::failing(|_, _| false)
        .kind(CORRUPTION)
        .judged();
    let budget = super::check(&unnoticed, "rto");
    assert_eq!(
        (budget.lower, budget.upper),
        (budget.measured, budget.measured)
    );
    let unsound = good().kind(CORRUPTION).change(|event| {
        if *event == sound(true) {
            *event = sound(false);
        }
    });
    assert_check(&unsound, "rto", Fail, "was not back");
    let unread = good()
        .kind(CORRUPTION)
        .without(|event| matches!(event, Event::ReadBack { .. }));
    assert_check(
        &unread,
        "rto",
        Inconclusive,
        "nothing was read back after site-failure",
    );
    assert_eq!(unread.judged().faults[0].rto, None);
    // What was read before the harm was done says nothing of it.
    let early = good()
        .kind(CORRUPTION)
        .without(|event| *event == read_back(ReadBackStage::Started))
        .with(T0 - SECOND, read_back(ReadBackStage::Started));
    let why = "nothing was read back after site-failure";
    assert_check(&early, "rto", Inconclusive, why);
}

/// Nothing was asked of the target any more when it was read back; what it did before that is not forgotten.
#[test]
fn data_that_was_verified_after_the_load_shows_no_recovery() {
    for (until, verdict, reason) in [
        (17, Inconclusive, "too little load was left"),
        (80, Fail, "was not back"),
    ] {
        let late = super::drilled::failing(|second, _| (11..until).contains(&second))
            .kind(CORRUPTION)
            .without(|event| matches!(event, Event::ReadBack { .. }))
            .with(82 * SECOND, read_back(ReadBackStage::Started))
            .with(83 * SECOND, sound(true));
        assert_check(&late, "rto", verdict, reason);
        assert_check(&late, "rto-budget", Fail, "was not back");
    }
}

/// The damage may be served still when another site is read, unless clients were led there.
#[test]
fn damaged_data_is_not_back_when_a_site_was_read_that_serves_nobody() {
    let elsewhere = good().kind(CORRUPTION).of_a_standby();
    for id in ["rto", "rpo", "corrupt"] {
        assert_check(&elsewhere, id, Inconclusive, "nothing was read back after");
    }
    let own = good().kind(CORRUPTION);
    assert_eq!(own.judged().faults[0].rto, Some(61 * SECOND - T0));
}

/// What a promotion or a restore takes is not seen by who read before it, for whatever fault that was.
#[test]
fn what_was_read_before_clients_were_led_to_other_data_proves_nothing() {
    let early = good()
        .without(|event| *event == read_back(ReadBackStage::Started))
        .with(T0 + SECOND, read_back(ReadBackStage::Started));
    for id in ["rpo", "rpo-budget", "lost", "corrupt"] {
        let why = "was not read back after site-failure on primary";
        assert_check(&early, id, Inconclusive, why);
    }
    for later in [Mark::Promoted, Mark::Restored, Mark::RouteSwitched] {
        let moved = good().with(70 * SECOND, mark(later));
        assert_check(&moved, "lost", Inconclusive, "was not read back after");
    }
    let mut by_hand = good().with(
        70 * SECOND,
        Event::Step {
            id: "by-hand".into(),
            step: "promote".into(),
            on: "dr".into(),
            stage: StepStage::Done {
                detail: String::new(),
            },
        },
    );
    let promote = RecoveryStep::Promote { site: 1 };
    by_hand.actions.push(action("by-hand", Act::Step(promote)));
    assert_check(
        &by_hand,
        "lost",
        Inconclusive,
        "was not read back after by-hand",
    );
}

/// It may take something until it is over, or until nothing is written any more.
#[test]
fn what_was_read_while_a_fault_went_on_proves_nothing() {
    let full = || good().kind(FaultKind::DiskFull { site: 0 });
    let why = "was not read back after site-failure on primary";
    assert_check(&full(), "lost", Inconclusive, why);
    let over = full().undone(50 * SECOND);
    assert_check(&over, "lost", Pass, "");
}

#[test]
fn lost_work_beyond_the_limit_fails() {
    let far = good().point(|point| {
        point.rpo = 2500 * MS;
        point.rpo_lower = Some(2400 * MS);
    });
    assert_only(
        &far,
        "rpo-budget",
        Fail,
        "2 of 3,900 acknowledged writes are lost in read-back of dr",
    );
    assert_check(
        &far,
        "rpo-budget",
        Fail,
        "everything up to 2.5 s before the stop is there",
    );
}

/// With nothing lost the recovery point is how finely it was looked: too coarse is no failure and no pass.
#[test]
fn a_gap_above_the_limit_shows_nothing() {
    let none = good().data(|counts| counts.lost = 0);
    assert_check(
        &none,
        "rpo-budget",
        Pass,
        "none of 3,900 acknowledged writes is lost",
    );
    let gap = none.point(|point| point.rpo = 1500 * MS);
    assert_only(
        &gap,
        "rpo-budget",
        Inconclusive,
        "no shorter loss could be seen",
    );
}

#[test]
fn a_fault_after_the_last_read_back_has_taken_nobody_knows_what() {
    let named = |stage| Event::Fault {
        id: "second".into(),
        fault: "store-crash".into(),
        on: "dr".into(),
        stage,
    };
    let seen = FaultStage::EffectSeen {
        by: "health".into(),
    };
    let healed = FaultStage::Healed { by: "view".into() };
    let later = || {
        let mut drill = good()
            .with(65 * SECOND, named(FaultStage::Injecting))
            .with(65 * SECOND + 1, named(seen.clone()))
            .with(66 * SECOND, named(healed.clone()));
        let kind = FaultKind::StoreCrash { site: 0 };
        drill.actions.push(action("second", fault(kind)));
        drill
    };
    for id in ["rpo", "rpo-budget", "lost", "holes"] {
        let why = "was not read back after second on dr";
        assert_check(&later(), id, Inconclusive, why);
    }
    // What was found stands, and a later read-back tells.
    assert_check(
        &later().data(|counts| counts.holes = 1),
        "holes",
        Fail,
        "1 holes",
    );
    let again = |stage| Event::ReadBack {
        id: "again".into(),
        site: "dr".into(),
        stage,
    };
    let mut read = later().with(68 * SECOND, again(ReadBackStage::Started));
    let LedgerLine::Data {
        site,
        counts,
        point,
        fault,
        ..
    } = lost(0)
    else {
        unreachable!("it is one");
    };
    read.run.ledger.push(LedgerLine::Data {
        read_back: "again".into(),
        site,
        place: ReadPlace::Serving,
        shared_with: None,
        fault,
        counts,
        point,
    });
    let done = ReadBackStage::Done {
        sound: true,
        reason: String::new(),
    };
    let read = read.with(69 * SECOND, again(done));
    for id in ["rpo", "rpo-budget", "lost", "holes"] {
        assert_check(&read, id, Pass, "");
    }
}

#[test]
fn a_standby_says_nothing_of_what_clients_get() {
    for id in ["rpo", "rpo-budget"] {
        assert_check(&good().of_a_standby(), id, Inconclusive, "");
    }
    for id in ["lost", "holes", "corrupt"] {
        let why = "the site that serves was not read back";
        assert_check(&good().of_a_standby(), id, Inconclusive, why);
    }
}

#[test]
fn what_one_of_two_faults_took_fails_neither() {
    let both = || good().shared_with("first");
    let too_much = both().point(|point| point.rpo = 1500 * MS);
    let why = "nobody knows which of the two";
    assert_check(&too_much, "rpo-budget", Inconclusive, why);
    assert_check(&too_much, "rpo", Pass, "2 of 3,900");
    let holes = both().data(|counts| counts.holes = 3);
    assert_check(&holes, "holes", Inconclusive, why);
    let corrupt = both().data(|counts| counts.corrupt = 3);
    assert_check(&corrupt, "corrupt", Fail, "3 corrupt");
}

/// An earlier read-back missed them, before the fault that this one is about.
#[test]
fn a_fault_answers_only_for_what_it_took() {
    let before = good().data(|counts| {
        counts.lost = 5;
        counts.lost_before = 5;
    });
    assert_check(&before, "rpo-budget", Pass, "none of 3,900 acknowledged");
    assert_check(
        &before,
        "rpo-budget",
        Pass,
        "5 had been lost before the fault",
    );
    assert_check(&before, "lost", Pass, "5 lost among");
    let too_long = before.point(|point| point.rpo = 1500 * MS);
    assert_only(&too_long, "rpo-budget", Inconclusive, "no shorter loss");
}

#[test]
fn every_counter_turns_its_own_check_red() {
    for counter in DataCounter::ALL {
        let one_too_many = |counts: &mut DataCounts| {
            let field = match counter {
                DataCounter::Lost => {
                    counts.lost = 6;
                    return;
                }
                DataCounter::Unexpected => &mut counts.unexpected,
                DataCounter::Duplicated => &mut counts.duplicated,
                DataCounter::Stale => &mut counts.stale,
                DataCounter::Reordered => &mut counts.reordered,
                DataCounter::Holes => &mut counts.holes,
                DataCounter::SplitBrain => &mut counts.split_brain,
                DataCounter::LostAfterStop => &mut counts.lost_after_stop,
                DataCounter::Corrupt => &mut counts.corrupt,
                DataCounter::Unread => &mut counts.unread,
                DataCounter::Behind => &mut counts.behind,
                DataCounter::Unbalanced => &mut counts.unbalanced,
            };
            *field = 1;
        };
        let drill = good().data(one_too_many);
        let word = counter.as_str().replace('_', " ");
        match counter {
            // What could not be read may be there: nothing is proven, of any counter.
            DataCounter::Unread => {
                assert_check(&drill, "unread", Inconclusive, &word);
                assert_check(&drill, "holes", Inconclusive, "0 holes");
                assert_check(&drill, "rpo", Inconclusive, "1 could not be read back");
            }
            // It may be lost, or on its way.
            DataCounter::Behind => assert_only(&drill, "behind", Inconclusive, &word),
            _ => assert_only(&drill, counter.as_str(), Fail, &word),
        }
    }
}

#[test]
fn a_read_back_that_failed_or_never_was_is_no_pass() {
    let mut none = good().without(|event| matches!(event, Event::ReadBack { .. }));
    none.run.ledger.clear();
    for id in ["rpo", "holes", "split_brain"] {
        assert_check(
            &none,
            id,
            Inconclusive,
            "the read-back read-back did not take place",
        );
    }
    assert_eq!(none.judged().data, None);
    let failed = read_back(ReadBackStage::Failed {
        reason: "page 3 was not answered".into(),
    });
    let failed = good().with(79 * SECOND, failed);
    assert_check(&failed, "holes", Inconclusive, "page 3 was not answered");
    assert_check(
        &failed.data(|counts| counts.holes = 3),
        "holes",
        Fail,
        "3 holes",
    );
}

#[test]
fn the_worst_read_back_is_judged() {
    let mut twice = good();
    let mut second = lost(2);
    if let LedgerLine::Data { counts, point, .. } = &mut second {
        counts.duplicated = 4;
        point.as_mut().unwrap().rpo = 1200 * MS;
    }
    twice.run.ledger.push(second);
    assert_check(&twice, "duplicated", Fail, "4 duplicated");
    assert_check(&twice, "rpo-budget", Fail, "1.2 s");
    assert_eq!(twice.judged().data.unwrap().duplicated, 4);
}

/// What may be lost by one fault says nothing of what another one took.
#[test]
fn writes_that_are_gone_are_spoken_of_by_somebody() {
    let named = |fault: Option<usize>| {
        let mut drill = good();
        for own in &mut drill.objectives {
            if let Subject::Rpo { fault: own, .. } = &mut own.subject {
                *own = fault;
            }
        }
        let lost = |own: &Objective| match own.subject {
            Subject::Data { counter, .. } => counter == DataCounter::Lost,
            _ => false,
        };
        drill.objectives.retain(|own| !lost(own));
        drill.actions.push(super::drilled::action(
            "other",
            super::drilled::fault(CORRUPTION),
        ));
        drill
    };
    let losses = |drill: &super::drilled::Drill| {
        let result = drill.judged();
        let found = result.checks.iter().find(|check| check.id == "losses");
        found.map(|check| check.verdict)
    };
    assert_eq!(losses(&named(None)), None);
    assert_eq!(losses(&named(Some(0))), None);
    assert_eq!(losses(&named(Some(1))), Some(Fail));
    // Another fault has lost more before: what this one took is no less gone.
    let mut after = named(Some(1));
    let LedgerLine::Data {
        fault,
        counts,
        read_back,
        ..
    } = &mut after.run.ledger[2]
    else {
        unreachable!("it is one");
    };
    *fault = Some("other".into());
    *read_back = "earlier".into();
    counts.lost = 900;
    after.run.ledger.push(lost(2));
    assert_eq!(losses(&after), Some(Fail));
}

/// What was there before the first acknowledgement of this run, nobody knows.
#[test]
fn a_recovery_point_with_nothing_behind_it_is_more_than_was_looked_at() {
    let mut drill = good();
    for line in &mut drill.run.ledger {
        if let LedgerLine::Data {
            point: Some(point),
            counts,
            ..
        } = line
        {
            point.recovered_to = None;
            counts.lost = counts.acknowledged;
        }
    }
    for id in ["rpo", "rpo-budget"] {
        assert_check(&drill, id, Fail, "is there, so that it is more than 310 ms");
    }
    let result = drill.judged();
    let found = check(&result, "rpo");
    assert_eq!((found.measured, found.at_least), (None, Some(310 * MS)));
    assert_eq!(
        (result.faults[0].rpo, result.data.unwrap().rpo),
        (None, None)
    );
}
