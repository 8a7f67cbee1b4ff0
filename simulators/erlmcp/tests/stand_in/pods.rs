//! What a world does with pods: started again, drained, scaled, restarted one after the other.

use std::collections::BTreeSet;

use firedrill_erlmcp::world::{Instant, Misbehaviour, ProcessState, Request, SiteView, attach};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::ends::{assert_all_end, watch};
use crate::world::{Ground, positions, power, put, two_sites};

pub fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

pub fn all_ready(site: &SiteView) -> bool {
    site.pods().all(|pod| pod.ready)
}

fn on_node<'a>(site: &'a SiteView, node: &str) -> BTreeSet<&'a str> {
    let there = site.pods().filter(|pod| pod.node.as_deref() == Some(node));
    there.map(|pod| pod.name.as_str()).collect()
}

#[test]
fn a_pod_that_is_killed_comes_back_where_it_was() {
    let ground = two_sites(|_| {});
    let before = ground.site("a").process("a-1").unwrap().clone();
    let old = watch(before.pid.unwrap());
    kill(before.pid.unwrap(), Signal::KILL);
    assert_all_end(&[old]);
    ground.until("the pod is back", |view| {
        let pod = view.site("a").unwrap().process("a-1").unwrap();
        pod.ready && pod.pid.is_some() && pod.pid != before.pid
    });
    let after = ground.site("a").process("a-1").unwrap().clone();
    assert_eq!(after.address, before.address);
}

#[test]
fn a_store_that_is_killed_comes_back_with_everything_acknowledged() {
    let ground = two_sites(|_| {});
    let session = ground.session("a");
    (1..=5).for_each(|number| assert_eq!(put(&session, "c", number)["position"], number));
    let store = ground.site("a").process("a-store").unwrap().pid;
    kill(store.unwrap(), Signal::KILL);
    ground.until("the store is back", |view| {
        let site = view.site("a").unwrap();
        site.store.is_some() && site.process("a-store").unwrap().pid != store
    });
    assert_eq!(positions(&session), [1, 2, 3, 4, 5]);
    assert_eq!(put(&session, "c", 6)["position"], 6);
}

#[test]
fn a_stopped_process_is_shown_as_stopped() {
    let ground = two_sites(|_| {});
    let pid = ground.site("a").process("a-0").unwrap().pid.unwrap();
    kill(pid, Signal::STOP);
    ground.until("the pod is stopped and missed", |view| {
        let pod = view.site("a").unwrap().process("a-0").unwrap();
        pod.state == ProcessState::Stopped && !pod.ready
    });
    kill(pid, Signal::CONT);
    ground.until("the pod is ready", |view| {
        all_ready(view.site("a").unwrap())
    });
}

#[test]
fn a_drained_node_is_empty_and_its_pods_run_elsewhere() {
    let ground = two_sites(|_| {});
    let (site, node) = ("a".to_owned(), "a-node-0".to_owned());
    let cordon = |on| Request::Cordon {
        site: site.clone(),
        node: node.clone(),
        on,
    };
    ground.ask(cordon(true));
    assert!(all_ready(&ground.site("a")), "those that run stay");
    ground.ask(Request::Evict {
        site: site.clone(),
        pod: "a-0".into(),
    });
    ground.until("the pod runs elsewhere", |view| {
        all_ready(view.site("a").unwrap())
    });
    let after = ground.site("a");
    assert!(on_node(&after, &node).is_empty());
    assert_eq!(on_node(&after, "a-node-1"), BTreeSet::from(["a-0", "a-1"]));
    ground.ask(cordon(false));
    assert!(!ground.site("a").nodes[0].cordoned);
}

#[test]
fn a_node_without_power_runs_nothing_until_it_has_some() {
    let ground = two_sites(|_| {});
    let node = |on| Request::NodePower {
        site: "a".into(),
        node: "a-node-1".into(),
        on,
    };
    ground.ask(node(false));
    ground.ask(node(false));
    let site = ground.site("a");
    assert_eq!(site.process("a-1").unwrap().pid, None);
    assert!(site.process("a-0").unwrap().pid.is_some());
    ground.ask(node(true));
    ground.until("the pod is back", |view| all_ready(view.site("a").unwrap()));
}

#[test]
fn pods_are_added_and_taken_from_the_end() {
    let ground = two_sites(|_| {});
    let scale = |pods| Request::Scale {
        site: "a".into(),
        pods,
    };
    ground.ask(scale(4));
    ground.until("four pods are ready", |view| {
        let site = view.site("a").unwrap();
        site.pods().count() == 4 && all_ready(site)
    });
    let opened: BTreeSet<_> = (0..8)
        .map(|_| ground.session("a").pod().to_owned())
        .collect();
    assert_eq!(opened.len(), 4, "{opened:?}");
    ground.ask(scale(1));
    ground.ask(scale(1));
    let site = ground.site("a");
    assert_eq!(site.wanted_pods, 1);
    assert_eq!(
        site.pods().map(|pod| pod.name.as_str()).collect::<Vec<_>>(),
        ["a-0"]
    );
    assert_eq!(ground.session("a").pod(), "a-0");
}

#[test]
fn a_site_that_is_just_starting_is_told_of_pods_that_are_added() {
    let ground = two_sites(|_| {});
    let scale = |pods| Request::Scale {
        site: "a".into(),
        pods,
    };
    for _ in 0..5 {
        ground.ask(power("a", false));
        ground.ask(scale(1));
        ground.ask(power("a", true));
        ground.ask(scale(3));
        ground.until("three pods are ready", |view| {
            let site = view.site("a").unwrap();
            site.pods().count() == 3 && all_ready(site)
        });
    }
}

#[test]
fn a_restarted_pod_is_ready_when_the_answer_comes() {
    let ground = two_sites(|_| {});
    let before = ground.site("a").process("a-0").unwrap().pid;
    ground.ask(Request::RestartPod {
        site: "a".into(),
        pod: "a-0".into(),
    });
    let after = ground.site("a").process("a-0").unwrap().clone();
    assert!(after.ready && after.pid != before);
    let unknown = Request::RestartPod {
        site: "a".into(),
        pod: "b-0".into(),
    };
    assert!(ground.refusal(unknown).contains("a-0, a-1"));
}

/// Every process of the world, the world's own first.
fn pids(ground: &Ground) -> Vec<u32> {
    let view = ground.view();
    let director = view.director.unwrap().process.pid;
    let sites = view.sites.iter().flat_map(|site| &site.processes);
    let all = sites.filter_map(|process| process.pid).chain(director);
    std::iter::once(ground.world().pid()).chain(all).collect()
}

#[test]
fn a_killed_world_leaves_no_process() {
    let ground = two_sites(|_| {});
    let pids = pids(&ground);
    assert_eq!(pids.len(), 1 + 1 + 2 * 4);
    let watched: Vec<_> = pids.iter().map(|&pid| watch(pid)).collect();
    kill(pids[0], Signal::KILL);
    assert_all_end(&watched);
}

#[test]
fn a_world_that_is_dropped_leaves_no_process_and_is_not_found_any_more() {
    let ground = two_sites(|_| {});
    let watched: Vec<_> = pids(&ground).into_iter().map(watch).collect();
    let state = ground.directory.0.clone();
    let other = attach(&state).unwrap();
    assert_eq!(other.view().unwrap().sites.len(), 2);
    let Ground { running, directory } = ground;
    drop(running);
    assert_all_end(&watched);
    let gone = attach(&state).unwrap_err().to_string();
    assert!(gone.contains("not running any more"), "{gone}");
    assert!(other.view().is_err());
    drop(directory);
}

#[test]
fn acknowledging_too_early_loses_writes_with_the_store() {
    let ground = two_sites(|_| {});
    ground.ask(Request::Misbehave(Misbehaviour::AckBeforeFsync));
    let session = ground.session("a");
    (1..=5).for_each(|number| assert_eq!(put(&session, "c", number)["position"], number));
    assert_eq!(positions(&session), [1, 2, 3, 4, 5]);
    ground.ask(power("a", false));
    ground.ask(power("a", true));
    ground.until("the store is back", |view| {
        view.site("a").unwrap().store.is_some()
    });
    assert!(ground.site("a").store.unwrap().last_position < 5);
}

#[test]
fn a_lost_write_is_lost_from_both_sites_and_two_change_places() {
    let ground = two_sites(|_| {});
    let session = ground.session("a");
    (1..=8).for_each(|number| assert_eq!(put(&session, "c", number)["position"], number));
    ground.until("all is shipped", |view| {
        view.replication.as_ref().unwrap().shipped_position == 8
    });
    ground.ask(Request::Misbehave(Misbehaviour::LoseAcknowledgedWrite));
    ground.ask(Request::Misbehave(Misbehaviour::ReorderWrites));
    for site in ["a", "b"] {
        let session = ground.session(site);
        let scan = session
            .tool("ledger_scan", json!({ "from": 1, "limit": 100 }))
            .json();
        let records = scan["result"]["structuredContent"]["records"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(records.len(), 7, "{records:?}");
        let sequences: Vec<_> = records
            .iter()
            .map(|r| r["sequence"].as_u64().unwrap())
            .collect();
        assert!(!sequences.is_sorted(), "{sequences:?}");
        let sound = records.iter().all(|record| record.get("sound").is_none());
        assert!(sound && positions(&session).is_sorted());
    }
}

#[test]
fn without_fencing_both_sites_take_writes() {
    let ground = two_sites(|_| {});
    ground.ask(Request::Misbehave(Misbehaviour::NoFencing));
    ground.ask(power("a", false));
    ground.until("the route is switched", |view| {
        view.director.as_ref().unwrap().route == "b"
    });
    ground.ask(power("a", true));
    ground.until("the old site is back", |view| {
        let site = view.site("a").unwrap();
        site.store.is_some() && all_ready(site)
    });
    assert_eq!(put(&ground.session("a"), "c", 1)["epoch"], 1);
    assert_eq!(put(&ground.session("b"), "c", 1)["epoch"], 2);
    assert_eq!(ground.mark(Instant::Fenced), None);
}
