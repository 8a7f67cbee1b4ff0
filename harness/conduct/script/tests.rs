use std::time::Duration;

use firedrill_scenarios::plan::{Fault, Labels, Pick, RecoveryStep, Victims};

use super::*;

const SECOND: Nanos = 1_000_000_000;

fn action(id: &str, phase: usize, start: Start, act: Act) -> Action {
    Action {
        id: id.to_owned(),
        phase,
        start,
        times: 1,
        every: Duration::ZERO,
        act,
    }
}

fn fault(kind: FaultKind, hold: Option<u64>) -> Act {
    Act::Fault(Fault {
        kind,
        hold: hold.map(Duration::from_secs),
    })
}

fn kill() -> FaultKind {
    FaultKind::PodKill(Victims {
        site: 0,
        labels: Labels::new(),
        pick: Pick::Random(1),
    })
}

fn script(actions: Vec<Action>, until: Vec<Option<Until>>) -> Script {
    let text = "scenario: t\nload: { rate: 100/s, operations: [{ tool: echo }] }\ntimeline: [{ phase: a, for: 10s }]\n\
                objectives: [{ errors: 1 % }]\n";
    let given = firedrill_scenarios::Given::named("t.yaml");
    let mut plan = Plan::parse(text, &given).unwrap();
    plan.drill.actions = actions;
    let mut script = Script::new(&plan);
    script.until = until;
    script
}

fn take(action: usize, number: u32) -> Take {
    Take { action, number }
}

fn at(seconds: u64) -> Start {
    Start::At(Duration::from_secs(seconds))
}

#[test]
fn repetitions_come_at_their_times_and_are_over_at_once() {
    let mut repeated = action("kill", 0, at(2), fault(kill(), None));
    repeated.times = 2;
    repeated.every = Duration::from_secs(5);
    let mut script = script(vec![repeated], vec![None]);
    assert!(script.step(0, Seen::Begins { phase: 0, at: 0 }).is_empty());
    assert_eq!(script.next_wake(), Some(2 * SECOND));
    assert_eq!(
        script.step(2 * SECOND, Seen::Tick),
        [Order::Take(take(0, 0))]
    );
    let orders = script.step(
        3 * SECOND,
        Seen::Taken {
            take: take(0, 0),
            ok: true,
        },
    );
    assert_eq!(orders, [Order::Undo(take(0, 0))]);
    script.step(3 * SECOND, Seen::Undone(take(0, 0)));
    assert_eq!(
        script.step(7 * SECOND, Seen::Tick),
        [Order::Take(take(0, 1))]
    );
}

#[test]
fn a_step_follows_the_fault_that_it_names_and_the_site_stays_down_until_the_end() {
    let site = fault(FaultKind::SystemFailure { site: 0 }, None);
    let after = Start::After {
        action: 0,
        delay: Duration::from_secs(1),
    };
    let step = Act::Step(RecoveryStep::Promote { site: 1 });
    let actions = vec![action("down", 0, at(0), site), action("up", 0, after, step)];
    let mut script = script(actions, vec![Some(Until::Recovered)]);
    assert_eq!(
        script.step(0, Seen::Begins { phase: 0, at: 0 }),
        [Order::Take(take(0, 0))]
    );
    script.step(
        SECOND,
        Seen::Taken {
            take: take(0, 0),
            ok: true,
        },
    );
    assert_eq!(script.waited(), None);
    assert_eq!(
        script.step(2 * SECOND, Seen::Tick),
        [Order::Take(take(1, 0))]
    );
    script.step(
        3 * SECOND,
        Seen::Taken {
            take: take(1, 0),
            ok: true,
        },
    );
    assert_eq!(script.waited(), None, "it has not recovered");
    script.step(4 * SECOND, Seen::Holds(When::Recovered));
    assert_eq!(script.waited(), Some(0));
    assert!(
        script
            .step(
                9 * SECOND,
                Seen::Ends {
                    phase: 0,
                    at: 9 * SECOND
                }
            )
            .is_empty()
    );
    assert!(!script.is_over());
    assert_eq!(
        script.step(10 * SECOND, Seen::LoadOver),
        [Order::Undo(take(0, 0))]
    );
    script.step(11 * SECOND, Seen::Undone(take(0, 0)));
    assert!(script.is_over());
}

#[test]
fn the_end_before_its_time_undoes_all_together_the_newest_first_and_begins_nothing() {
    let pause = || fault(FaultKind::ReplicationPause, None);
    let actions = vec![
        action("first", 0, at(0), pause()),
        action("second", 0, at(1), pause()),
        action("later", 0, at(5), pause()),
    ];
    let mut script = script(actions, vec![None]);
    script.step(0, Seen::Begins { phase: 0, at: 0 });
    script.step(
        0,
        Seen::Taken {
            take: take(0, 0),
            ok: true,
        },
    );
    script.step(SECOND, Seen::Tick);
    let ending = script.step(2 * SECOND, Seen::EndEarly);
    assert!(ending.is_empty(), "the second is still being taken");
    let orders = script.step(
        3 * SECOND,
        Seen::Taken {
            take: take(1, 0),
            ok: false,
        },
    );
    assert_eq!(orders, [Order::Undo(take(1, 0)), Order::Undo(take(0, 0))]);
    assert!(script.step(6 * SECOND, Seen::Undone(take(1, 0))).is_empty());
    assert!(!script.is_over());
    script.step(7 * SECOND, Seen::Undone(take(0, 0)));
    assert!(script.is_over());
}

#[test]
fn a_read_back_after_the_load_is_made_before_the_faults_are_undone() {
    let site = fault(FaultKind::SystemFailure { site: 0 }, None);
    let actions = vec![
        action("down", 0, at(0), site),
        action("read", 0, Start::Afterwards, Act::ReadBack { site: None }),
    ];
    let mut script = script(actions, vec![Some(Until::Done)]);
    script.step(0, Seen::Begins { phase: 0, at: 0 });
    assert_eq!(script.waited(), None);
    script.step(
        0,
        Seen::Taken {
            take: take(0, 0),
            ok: true,
        },
    );
    assert_eq!(script.waited(), Some(0), "the read-back is no part of it");
    let orders = script.step(10 * SECOND, Seen::LoadOver);
    assert_eq!(orders, [Order::Take(take(1, 0))]);
    let orders = script.step(
        11 * SECOND,
        Seen::Taken {
            take: take(1, 0),
            ok: true,
        },
    );
    assert_eq!(orders, [Order::Undo(take(0, 0))]);
}

#[test]
fn a_step_whose_fault_failed_is_not_waited_for() {
    let after = Start::After {
        action: 0,
        delay: Duration::ZERO,
    };
    let step = Act::Step(RecoveryStep::Promote { site: 1 });
    let actions = vec![
        action("down", 0, at(0), fault(kill(), None)),
        action("up", 0, after, step),
    ];
    let mut script = script(actions, vec![None]);
    script.step(0, Seen::Begins { phase: 0, at: 0 });
    script.step(
        1,
        Seen::Taken {
            take: take(0, 0),
            ok: false,
        },
    );
    script.step(2, Seen::Undone(take(0, 0)));
    script.step(3, Seen::LoadOver);
    assert!(script.is_over());
}

#[test]
fn a_fault_of_a_phase_ends_with_it() {
    let actions = vec![action(
        "pause",
        0,
        at(0),
        fault(FaultKind::ReplicationPause, Some(60)),
    )];
    let mut script = script(actions, vec![None, None]);
    script.step(0, Seen::Begins { phase: 0, at: 0 });
    script.step(
        0,
        Seen::Taken {
            take: take(0, 0),
            ok: true,
        },
    );
    let orders = script.step(
        5 * SECOND,
        Seen::Ends {
            phase: 0,
            at: 5 * SECOND,
        },
    );
    assert_eq!(orders, [Order::Undo(take(0, 0))]);
}

#[test]
fn a_phase_does_not_wait_for_an_end_that_it_hides_itself() {
    let down = fault(FaultKind::SiteFailure { site: 0 }, None);
    let both = [Until::Recovered, Until::Done];
    for (until, beside) in both.into_iter().flat_map(|own| [(own, true), (own, false)]) {
        let mut actions = vec![action("kill", 0, at(0), fault(kill(), None))];
        if beside {
            actions.push(action("down", 0, at(0), down.clone()));
        }
        let mut script = script(actions, vec![Some(until)]);
        let begun = script.step(0, Seen::Begins { phase: 0, at: 0 });
        for order in begun {
            let Order::Take(take) = order else {
                panic!("nothing is undone yet");
            };
            script.step(SECOND, Seen::Taken { take, ok: true });
        }
        script.step(2 * SECOND, Seen::Holds(When::Recovered));
        // The pod comes back when its site does, and that is at the end of the phase.
        assert_eq!(script.waited(), beside.then_some(0));
        script.step(3 * SECOND, Seen::Undone(take(0, 0)));
        assert_eq!(script.waited(), Some(0));
    }
}

fn taken(action: usize) -> Seen {
    Seen::Taken {
        take: take(action, 0),
        ok: true,
    }
}

#[test]
fn a_fault_whose_effect_is_seen_after_its_phase_is_undone_at_once() {
    let pause = fault(FaultKind::ReplicationPause, Some(60));
    let mut script = script(vec![action("pause", 0, at(9), pause)], vec![None, None]);
    script.step(0, Seen::Begins { phase: 0, at: 0 });
    assert_eq!(
        script.step(9 * SECOND, Seen::Tick),
        [Order::Take(take(0, 0))]
    );
    let end = 10 * SECOND;
    script.step(end, Seen::Ends { phase: 0, at: end });
    script.step(end, Seen::Begins { phase: 1, at: end });
    assert_eq!(
        script.step(11 * SECOND, taken(0)),
        [Order::Undo(take(0, 0))]
    );
}

#[test]
fn a_fault_that_would_begin_after_its_phase_is_not_begun() {
    let after = Start::After {
        action: 0,
        delay: Duration::from_secs(5),
    };
    let pause = || fault(FaultKind::ReplicationPause, None);
    let step = Act::Step(RecoveryStep::Promote { site: 0 });
    let actions = vec![
        action("kill", 0, at(8), fault(kill(), None)),
        action("late", 0, after.clone(), pause()),
        action("step", 0, after, step),
    ];
    let mut script = script(actions, vec![None, None]);
    script.step(0, Seen::Begins { phase: 0, at: 0 });
    script.step(8 * SECOND, Seen::Tick);
    script.step(8 * SECOND, taken(0));
    let end = 10 * SECOND;
    script.step(end, Seen::Ends { phase: 0, at: end });
    // Recovery goes on for as long as it takes.
    assert_eq!(
        script.step(13 * SECOND, Seen::Tick),
        [Order::Take(take(2, 0))]
    );
}

#[test]
fn faults_wait_for_the_read_back_that_their_phase_begins_with() {
    let read = Act::ReadBack { site: None };
    let actions = vec![
        action("read", 0, at(0), read),
        action("kill", 0, at(0), fault(kill(), None)),
    ];
    let mut script = script(actions, vec![None]);
    let orders = script.step(0, Seen::Begins { phase: 0, at: 0 });
    assert_eq!(orders, [Order::Take(take(0, 0))]);
    assert_eq!(script.next_wake(), None, "nobody is woken in vain");
    assert_eq!(script.step(SECOND, taken(0)), [Order::Take(take(1, 0))]);
}
