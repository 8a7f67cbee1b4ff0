//! A site is lost: another takes over, and what was behind the lag is gone.

use std::net::UdpSocket;

use firedrill_erlmcp::world::{Instant, Request, View};
use rustix::process::Signal;
use serde_json::json;

use crate::pods::{all_ready, kill};
use crate::world::{Ground, positions, power, put, two_sites};

/// The last byte of the address that the director's DNS names, with the time to live.
fn route(ground: &Ground) -> ([u8; 4], u32) {
    let dns = ground.view().director.unwrap().dns;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 6];
    query.extend_from_slice(b"erlmcp\x04test\0\0\x01\0\x01");
    socket.send_to(&query, dns).unwrap();
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).unwrap();
    let record = &answer[query.len()..length];
    let ttl = u32::from_be_bytes(record[6..10].try_into().unwrap());
    (record[12..16].try_into().unwrap(), ttl)
}

/// The director has noticed that the other site is lost.
fn until_led_to_b(ground: &Ground) {
    ground.until("the route is switched", |view| {
        view.director.as_ref().unwrap().route == "b"
    });
}

#[test]
fn a_lost_site_is_replaced_and_loses_what_was_not_shipped() {
    let ground = two_sites(|_| {});
    let before = ground.view();
    assert_eq!(before.sites[0].front.port(), before.sites[1].front.port());
    assert_eq!(route(&ground), ([127, 10, 1, 1], 1));
    let session = ground.session("a");
    for number in 1..=5 {
        assert_eq!(put(&session, "c", number)["position"], number);
    }
    ground.until("five records are shipped", |view| {
        view.site("b")
            .unwrap()
            .store
            .as_ref()
            .unwrap()
            .last_position
            == 5
    });
    // These are younger than the lag when the site goes.
    for number in 6..=8 {
        assert_eq!(put(&session, "c", number)["epoch"], 1);
    }
    ground.ask(power("a", false));
    assert!(session.request("ping", json!({})).is_err());
    until_led_to_b(&ground);
    assert_eq!(route(&ground).0, [127, 10, 2, 1]);
    let there = ground.session("b");
    assert_eq!(positions(&there), [1, 2, 3, 4, 5]);
    let placed = put(&there, "c", 9);
    assert_eq!(
        (&placed["position"], &placed["epoch"]),
        (&json!(6), &json!(2))
    );
    assert_marks_of_a_failover(&ground);
}

fn assert_marks_of_a_failover(ground: &Ground) {
    let order = [
        Instant::Detected,
        Instant::Decided,
        Instant::FailoverBegun,
        Instant::Fenced,
        Instant::Promoted,
        Instant::Lost,
        Instant::RouteSwitched,
    ];
    let marks = ground.marks();
    let kinds: Vec<_> = marks
        .iter()
        .map(|mark| mark.mark)
        .take(order.len())
        .collect();
    assert_eq!(kinds, order);
    assert!(marks.is_sorted_by_key(|mark| mark.at_ns));
    let lost = ground.mark(Instant::Lost).unwrap().detail;
    assert_eq!(lost["keys"], json!([["c", 6], ["c", 7], ["c", 8]]));
}

/// Why a failover came to nothing.
fn why_it_failed(ground: &Ground) -> String {
    crate::limits::until("a failover failed", || {
        ground.mark(Instant::FailoverFailed).is_some()
    });
    let failed = ground.mark(Instant::FailoverFailed).unwrap();
    assert_eq!(failed.detail["site"], "a");
    failed.detail["why"].as_str().unwrap().to_owned()
}

#[test]
fn a_failover_that_finds_no_other_store_is_tried_again() {
    let ground = two_sites(|_| {});
    ground.ask(power("b", false));
    ground.ask(power("a", false));
    let why = why_it_failed(&ground);
    assert!(why.contains("no other site has a store"), "{why}");
    ground.ask(power("b", true));
    until_led_to_b(&ground);
    // Its store was there before its pods.
    ground.until("its pods get requests", |view| {
        all_ready(view.site("b").unwrap())
    });
    assert_eq!(put(&ground.session("b"), "c", 1)["epoch"], 2);
    let told = ground.marks();
    let detected = told.iter().filter(|mark| mark.mark == Instant::Detected);
    assert_eq!(detected.count(), 1, "{told:?}");
}

/// The store of `b` answers, and cannot write down that it serves, until the folder that this makes is gone.
fn promotion_fails(ground: &Ground) -> std::path::PathBuf {
    let in_the_way = ground.site("b").data.join("standing.new");
    std::fs::create_dir(&in_the_way).unwrap();
    in_the_way
}

#[test]
fn a_promotion_that_failed_is_tried_again_with_an_epoch_of_its_own() {
    let ground = two_sites(|_| {});
    let in_the_way = promotion_fails(&ground);
    ground.ask(power("a", false));
    let why = why_it_failed(&ground);
    assert!(why.contains("/control/promote"), "{why}");
    std::fs::remove_dir(in_the_way).unwrap();
    until_led_to_b(&ground);
    let director = ground.view().director.unwrap();
    assert_eq!(director.owner, "b");
    assert!(director.epoch > 2, "{director:?}");
    let placed = put(&ground.session("b"), "c", 1);
    assert_eq!(placed["epoch"], director.epoch);
}

/// Clients would be sent to a site that is fenced for good.
#[test]
fn a_site_that_answers_again_before_another_took_over_gets_the_epoch_back() {
    let ground = two_sites(|_| {});
    put(&ground.session("a"), "c", 1);
    promotion_fails(&ground);
    ground.ask(power("a", false));
    why_it_failed(&ground);
    ground.ask(power("a", true));
    ground.until("the epoch is given back", |view| {
        view.director.as_ref().unwrap().owner == "a" && all_ready(view.site("a").unwrap())
    });
    crate::limits::until("it serves again", || {
        put(&ground.session("a"), "c", 2)["position"] == 2
    });
    let director = ground.view().director.unwrap();
    assert_eq!(
        (director.route.as_str(), director.owner.as_str()),
        ("a", "a")
    );
    let store = ground.site("a").store.unwrap();
    assert_eq!((store.epoch, store.fenced), (director.epoch, false));
}

#[test]
fn a_site_that_comes_back_is_fenced_and_says_both_epochs() {
    let ground = two_sites(|_| {});
    assert_eq!(put(&ground.session("a"), "c", 1)["position"], 1);
    ground.ask(power("a", false));
    until_led_to_b(&ground);
    ground.ask(power("a", true));
    ground.until("the old site is back", |view| {
        let site = view.site("a").unwrap();
        site.store.is_some() && site.pods().all(|pod| pod.ready)
    });
    let store = ground.site("a").store.unwrap();
    assert_eq!((store.epoch, store.fenced), (2, true));
    let old = ground.session("a").tool(
        "ledger_put",
        json!({ "client": "c", "sequence": 2, "value": "v", "epoch": 1 }),
    );
    assert_eq!(old.code(), -32014);
    let error = &old.json()["error"];
    assert_eq!(
        error["data"],
        json!({ "refused": "fenced", "epoch": 2, "sent": 1 })
    );
    assert_eq!(positions(&ground.session("a")), [1]);
}

#[test]
fn a_write_of_an_older_epoch_is_refused_by_the_site_that_serves() {
    let ground = two_sites(|_| {});
    ground.ask(power("a", false));
    until_led_to_b(&ground);
    let session = ground.session("b");
    let old = json!({ "client": "c", "sequence": 1, "value": "v", "epoch": 1 });
    let refused = session.tool("ledger_put", old);
    assert_eq!(refused.code(), -32014);
    assert_eq!(refused.json()["error"]["data"]["refused"], "other_epoch");
    assert_eq!(put(&session, "c", 1)["epoch"], 2);
    assert_eq!(put(&session, "c", 2)["epoch"], 2);
}

#[test]
fn a_director_that_is_not_automatic_only_detects() {
    let ground = two_sites(|config| {
        config.director.as_mut().unwrap().automatic = false;
    });
    ground.ask(power("a", false));
    crate::limits::until("it is detected", || {
        ground.mark(Instant::Detected).is_some()
    });
    // It is not there: the director tells it when it comes back.
    ground.ask(Request::Fence {
        site: "a".into(),
        epoch: 2,
    });
    assert_eq!(
        ground.mark(Instant::Fenced).unwrap().detail["reached"],
        false
    );
    ground.ask(Request::Promote {
        site: "b".into(),
        epoch: 2,
    });
    ground.ask(Request::Promote {
        site: "b".into(),
        epoch: 2,
    });
    assert_eq!(ground.view().director.unwrap().route, "a");
    ground.ask(Request::Route { site: "b".into() });
    let director = ground.view().director.unwrap();
    assert_eq!(
        (
            director.route.as_str(),
            director.epoch,
            director.owner.as_str()
        ),
        ("b", 2, "b")
    );
    assert_eq!(put(&ground.session("b"), "c", 1)["epoch"], 2);
    for epoch in [1, 2] {
        let taken = Request::Promote {
            site: "a".into(),
            epoch,
        };
        assert!(ground.refusal(taken).contains("2 already"));
    }
}

#[test]
fn a_paused_replication_ships_nothing_and_catches_up() {
    let ground = two_sites(|_| {});
    ground.ask(Request::ReplicationPause(true));
    let session = ground.session("a");
    for number in 1..=3 {
        put(&session, "c", number);
    }
    ground.until("the lag grows", |view| {
        view.replication.as_ref().unwrap().lag_ms > 1_000
    });
    assert_eq!(ground.site("b").store.unwrap().last_position, 0);
    ground.ask(Request::ReplicationPause(false));
    ground.until("it has caught up", |view| {
        let replication = view.replication.as_ref().unwrap();
        replication.shipped_position == 3 && replication.lag_ms == 0
    });
}

/// What it has to ship are records that it got itself.
#[test]
fn a_site_that_took_no_write_since_its_promotion_hands_over_as_well() {
    let ground = two_sites(|_| {});
    let session = ground.session("a");
    (1..=9).for_each(|number| assert_eq!(put(&session, "c", number)["epoch"], 1));
    ground.until("all is shipped", |view| {
        view.site("b")
            .unwrap()
            .store
            .as_ref()
            .unwrap()
            .last_position
            == 9
    });
    ground.ask(power("a", false));
    until_led_to_b(&ground);
    // What it was ahead by when it was lost is gone.
    std::fs::remove_file(ground.site("a").data.join("ledger.log")).unwrap();
    ground.ask(power("a", true));
    ground.until("the old store is back", |view| {
        view.site("a").unwrap().store.is_some()
    });
    ground.ask(Request::FailBack { to: "a".into() });
    assert_eq!(ground.view().director.unwrap().route, "a");
    assert_eq!(positions(&ground.session("a")).len(), 9);
}

#[test]
fn a_site_that_is_caught_up_takes_over_again_without_a_loss() {
    let ground = two_sites(|_| {});
    put(&ground.session("a"), "c", 1);
    ground.ask(power("a", false));
    until_led_to_b(&ground);
    let there = ground.session("b");
    (2..=9).for_each(|number| assert_eq!(put(&there, "c", number)["epoch"], 2));
    ground.ask(power("a", true));
    // Its pods may still start: nobody is led home before they are ready.
    ground.until("the old store is back", |view| {
        view.site("a").unwrap().store.is_some()
    });
    // One after the other until it is refused: whatever was acknowledged has to be there.
    let mut acknowledged: u64 = positions(&there).len() as u64;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let written = (10..).take_while(|&number| put(&there, "d", number)["epoch"] == 2);
            written.count() as u64
        });
        ground.ask(Request::FailBack { to: "a".into() });
        acknowledged += writer.join().unwrap();
    });
    ground.ask(Request::FailBack { to: "a".into() });
    let view = ground.view();
    assert_eq!(view.director.as_ref().unwrap().route, "a");
    assert!(view.site("a").unwrap().pods().all(|pod| pod.ready));
    let replication = view.replication.unwrap();
    assert_eq!(
        (replication.from.as_str(), replication.to.as_str()),
        ("a", "b")
    );
    let session = ground.session("a");
    let found = positions(&session);
    assert!(
        found.len() as u64 >= acknowledged,
        "{found:?} {acknowledged}"
    );
    assert_eq!(put(&session, "e", 1)["epoch"], 3);
    ground.until("the log is shipped as before", |view| {
        let last = |name: &str| {
            view.site(name)
                .unwrap()
                .store
                .as_ref()
                .unwrap()
                .last_position
        };
        last("a") == last("b")
    });
    for mark in [
        Instant::FailbackBegun,
        Instant::WritesStopped,
        Instant::CaughtUp,
    ] {
        assert!(ground.mark(mark).is_some(), "{mark:?}");
    }
}

/// Whoever heals must not wait for it.
#[test]
fn a_failback_that_is_given_up_leaves_the_log_going_where_it_went_and_lets_others_go_on() {
    let ground = two_sites(|_| {});
    let way = |view: &View| {
        let own = view.replication.as_ref().unwrap();
        (own.from.clone(), own.to.clone())
    };
    let before = way(&ground.view());
    ground.ask(power("a", false));
    until_led_to_b(&ground);
    ground.ask(power("a", true));
    ground.until("the old site is back", |view| {
        all_ready(view.site("a").unwrap())
    });
    // What is not ready is waited for, and nobody is led home.
    let pod = ground.site("a").process("a-0").unwrap().pid.unwrap();
    kill(pod, Signal::STOP);
    ground.until("a pod is missed", |view| {
        !all_ready(view.site("a").unwrap())
    });
    let back = || Request::FailBack { to: "a".into() };
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ground.refusal(back()));
        ground.until("the log is turned round", |view| {
            assert!(!asked.is_finished(), "it was refused, or done, at once");
            way(view) != before
        });
        // Whoever asks for anything else has to wait for its turn.
        let other = scope.spawn(|| ground.ask(Request::ReplicationPause(false)));
        ground.ask(Request::GiveUpFailBack);
        let why = asked.join().unwrap();
        assert!(why.contains("given up"), "{why}");
        other.join().unwrap();
    });
    assert_eq!(way(&ground.view()), before);
    assert_eq!(put(&ground.session("b"), "c", 1)["epoch"], 2);
    assert_eq!(ground.view().director.unwrap().route, "b");
    // One that is asked for later is none of those that were given up.
    kill(pod, Signal::CONT);
    ground.ask(back());
    let view = ground.view();
    assert_eq!(
        (view.director.as_ref().unwrap().route.as_str(), way(&view)),
        ("a", before)
    );
}
