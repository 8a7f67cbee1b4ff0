//! A load thread whose connections are never made: nothing but time passes.

use std::cell::RefMut;

use firedrill_scenarios::{Given, Outcome};

use super::*;
use crate::load::agenda::Task;
use crate::load::connections::{Alarm, Purpose, SPARE_IDLE};
use crate::load::sessions::Standing;
use crate::mcp::destination::Route;
use crate::mcp::session::Surface;

type Inbox = mpsc::UnboundedReceiver<FromWorker>;

/// Where nobody listens.
const NOBODY: ([u8; 4], u16) = ([127, 0, 0, 1], 9);

const PLAN: &str = "scenario: unit\n\
    about: A closed load.\n\
    target: { endpoint: \"http://127.0.0.1:9/mcp\" }\n\
    load:\n\
    \x20 closed: { think: 0s }\n\
    \x20 sessions: { count: 1 }\n\
    \x20 operations: [ { tool: echo, weight: 1, timeout: 1ms, arguments: { message: \"{{unique}}\" } } ]\n\
    \x20 flows: [ { name: pair, weight: 1, steps: [ echo, echo ] } ]\n\
    timeline: [ { phase: steady, for: 10s } ]\n\
    objectives: [ { errors: 0.5 % } ]\n";

fn job(drive: &str) -> Job {
    let text = PLAN.replace("closed: { think: 0s }", drive);
    let plan = Plan::parse(&text, &Given::named("unit.yaml")).expect("a plan");
    let surface = Surface::plain(NOBODY.into(), "/mcp");
    Job::alone(plan, &surface, 1, Clock::start())
}

/// Has the thread's timeline begin now. No task of a connection ever runs: nothing waits.
fn begun(test: impl FnOnce(RefMut<'_, Worker>)) {
    driven("closed: { think: 0s }", test);
}

fn driven(drive: &str, test: impl FnOnce(RefMut<'_, Worker>)) {
    alive(drive, async |worker, _| test(worker.borrow_mut()));
}

/// The same, for a test that has tasks run and hears what the engine is told.
fn alive(drive: &str, test: impl AsyncFnOnce(Rc<RefCell<Worker>>, Inbox)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let destination = Destination::along(&Route::plain(NOBODY.into())).expect("an address");
        let (to_engine, inbox) = mpsc::unbounded_channel();
        let worker = Worker::new(job(drive), destination, to_engine).expect("a timer");
        let segment = Segment::whole(10 * INTERVAL);
        let zero = worker.borrow().now();
        worker.borrow_mut().obey(Control::Start {
            zero,
            segments: vec![segment],
        });
        test(worker, inbox).await;
    });
}

#[test]
fn a_closed_load_goes_on_in_the_turn_in_which_its_operation_times_out() {
    begun(|mut worker| {
        while worker.slots[0].rounds < 3 {
            worker.turn();
            assert!(worker.ready.is_empty(), "nothing would wake the thread");
        }
    });
}

#[test]
fn after_a_stop_nothing_becomes_due() {
    begun(|mut worker| {
        worker.turn();
        assert_eq!(worker.operations.under_way(), 1);
        worker.obey(Control::Stop);
        assert_eq!(worker.operations.under_way(), 0);
        assert_eq!(worker.agenda.next(), None);
    });
}

#[test]
fn flows_of_different_lengths_never_say_the_same_unique_text() {
    begun(|mut worker| {
        let mut said = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let index = loop {
                worker.turn();
                if let Some(index) = worker.slots[0].waiting.pop_front() {
                    break index;
                }
            };
            assert!(said.insert(worker.operations[index].params.clone()));
            let now = worker.now();
            worker.settle(index, Outcome::Ok, now);
        }
    });
}

#[test]
fn a_rate_that_cannot_be_made_does_not_keep_the_thread_from_its_orders() {
    driven("rate: 10000000/s", |mut worker| {
        let zero = worker.course.zero().expect("it has begun");
        while worker.now() < zero + 10_000_000 {}
        worker.turn();
        let next = worker.stripes.next().expect("more to come");
        assert!(next < zero + 1_000_000, "{}", next - zero);
        worker.obey(Control::Stop);
        assert_eq!(worker.stripes.next(), None);
    });
}

#[test]
fn a_panic_in_the_task_of_a_connection_ends_the_run() {
    alive("closed: { think: 0s }", async |worker, mut inbox| {
        let alarm = Alarm(worker.clone());
        let task = tokio::task::spawn_local(async move {
            let _alarm = alarm;
            panic!("on purpose");
        });
        assert!(task.await.is_err(), "the runtime has taken the panic");
        assert!(matches!(inbox.try_recv(), Ok(FromWorker::Failed { .. })));
    });
}

#[test]
fn a_leaked_session_whose_connections_are_gone_is_forgotten() {
    begun(|mut worker| {
        worker.turn();
        let key = worker.slots[0].current.expect("a session that opens");
        worker.sessions.get_mut(key).expect("it").standing = Standing::Leaked;
        worker.close_everything();
        assert!(worker.sessions.is_empty());
    });
}

#[test]
fn connections_that_are_made_together_do_not_keep_waiting_what_is_due() {
    alive("rate: 1000/s", async |worker, _| {
        let zero = worker.borrow().course.zero().expect("it has begun");
        worker.borrow_mut().open_session(0);
        while worker.borrow().now() < zero + 10_000_000 {}
        while worker.borrow().making > 0 {
            tokio::task::yield_now().await;
        }
        let next = worker.borrow().stripes.next().expect("more to come");
        assert!(next > zero + 5_000_000, "nothing that was due was started");
    });
}

#[test]
fn spares_that_are_closed_together_do_not_keep_waiting_what_is_due() {
    // As after a stall: more connections were made than are needed any more, and all have idled for as long.
    driven("rate: 1000/s", |mut worker| {
        let zero = worker.course.zero().expect("it has begun");
        worker.open_session(0);
        let session = worker.slots[0].current.expect("a session that opens");
        for _ in 0..100 {
            let mut spare = Connection::of(session);
            spare.purpose = Purpose::Idle { since: zero };
            let connection = worker.connections.insert(spare);
            worker
                .sessions
                .get_mut(session)
                .expect("it")
                .idle
                .push(connection);
            worker
                .agenda
                .add(zero + SPARE_IDLE, Task::CloseIdle { connection });
        }
        while worker.now() < zero + 10_000_000 {}
        worker.keep_agenda(zero + SPARE_IDLE);
        assert!(
            worker.operations.under_way() > 0,
            "nothing that was due was started"
        );
        // What was answered meanwhile is read before the others are closed.
        let left = worker.connections.len();
        assert!((20..90).contains(&left), "{left} are left");
        worker.keep_agenda(zero + SPARE_IDLE);
        // One is being made, and one that is idle is no spare.
        assert_eq!(worker.connections.len(), 2);
    });
}

#[test]
fn spares_that_idle_together_are_closed_one_after_the_other() {
    driven("rate: 1/s", |mut worker| {
        worker.open_session(0);
        let session = worker.slots[0].current.expect("a session that opens");
        let now = worker.now();
        for _ in 0..50 {
            let key = worker.connections.insert(Connection::of(session));
            worker.exchange_over(key, true, now);
        }
        let mut closed = Vec::new();
        while let Some((at, task)) = worker.agenda.due(now + 2 * SPARE_IDLE) {
            closed.extend(matches!(task, Task::CloseIdle { .. }).then_some(at));
        }
        assert_eq!(closed.len(), 49);
        let apart = closed.windows(2).all(|pair| pair[1] - pair[0] >= SPARE_GAP);
        assert!(closed[0] >= now + SPARE_IDLE && apart, "{closed:?}");
    });
}

#[test]
fn connections_that_are_wanted_together_are_begun_in_several_turns() {
    driven("rate: 1/s", |mut worker| {
        worker.open_session(0);
        let session = worker.slots[0].current.expect("a session that opens");
        for _ in 0..99 {
            worker.connect(session);
        }
        for turn in 1..=10 {
            let begun = worker.making - worker.wanted.len();
            assert!(begun <= turn * 16, "{begun} in {turn} turns");
            let (next, now) = (worker.turn(), worker.now());
            assert!(
                worker.wanted.is_empty() || next <= now,
                "it goes on at once"
            );
        }
        assert_eq!((worker.making, worker.wanted.len()), (100, 0));
    });
}
