//! What the catalog's drills break and no other test does, in miniature: each was seen by somebody else than who broke
//! it, was undone, and shows in a number.

use serde_json::Value;

use crate::drills::{mini, mini_kept, passes};
use crate::program::{Folder, run};

/// Runs the drill, which passes with everything undone; what saw the effect of the fault of this id has these words.
fn seen(text: &str, fault: &str, by: &str) -> Folder {
    let folder = Folder::new();
    let done = run(&folder, text, &["--seed", "1"]);
    passes(&folder, &done);
    let result = folder.result();
    let own = named(&result["faults"], "id", fault);
    assert!(
        own["effect"].as_str().is_some_and(|own| own.contains(by)),
        "{own}"
    );
    let left = named(&result["checks"], "id", "leftovers");
    assert_eq!(
        (&left["verdict"], &left["measured"]),
        (&"pass".into(), &0.into()),
        "{left}"
    );
    folder
}

fn named(list: &Value, key: &str, name: &str) -> Value {
    let all = list.as_array().expect("a list");
    let own = all.iter().find(|own| own[key] == name);
    own.unwrap_or_else(|| panic!("no {name} in {list}")).clone()
}

/// A number of the phase.
fn phase(folder: &Folder, name: &str, number: &str) -> u64 {
    let own = named(&folder.result()["phases"], "name", name);
    own[number].as_u64().expect(number)
}

/// What a check found, in milliseconds.
fn measured_ms(folder: &Folder, check: &str) -> f64 {
    let own = named(&folder.result()["checks"], "id", check);
    own["measured"].as_f64().expect("a measured time") / 1e6
}

/// Two pods end one after the other: half of the calls fail in turn, and never all of them.
#[test]
fn a_rolling_restart_ends_every_pod_and_never_all_at_once() {
    let outage =
        "  - { phase: restart, fault: { rolling-restart: primary }, until: done, within: 20s }
  - { phase: after, for: 2s }
  - { read-back: primary }";
    let objectives = "  - { rto: none, budget: 10s }\n  - { lost: 0 }\n";
    let text = mini_kept("mini", outage, objectives);
    let folder = seen(&text, "rolling-restart", "the kernel's list of processes");
    let journal = std::fs::read_to_string(folder.run().join("journal.jsonl")).expect("a journal");
    for pod in ["primary-0", "primary-1"] {
        assert!(journal.contains(pod), "{journal}");
    }
    assert!(phase(&folder, "restart", "failed") > 0);
    assert!(phase(&folder, "restart", "completed") > 0);
    assert_eq!(phase(&folder, "after", "failed"), 0);
}

/// Half of the sessions were on its pods.
#[test]
fn a_lost_node_takes_its_pods_and_the_other_one_goes_on() {
    let outage =
        "  - { phase: loss, fault: { node-loss: primary, for: 2s }, until: done, within: 20s }
  - { phase: after, for: 2s }
  - { read-back: primary }";
    let objectives = "  - { rto: none, budget: 10s }\n  - { lost: 0 }\n";
    let text = mini_kept("mini", outage, objectives);
    let folder = seen(&text, "node-loss", "the kernel's list of processes");
    let failed = phase(&folder, "loss", "failed");
    let completed = phase(&folder, "loss", "completed");
    assert!(failed > 0 && completed > failed, "{failed} {completed}");
}

/// Two pods that take 10 ms for one call at a time answer 200 of them a second at most. Clients stay with their pod as
/// long as their session: new pods get those that come.
#[test]
fn more_pods_answer_more_than_those_before_could() {
    let outage = "  - phase: growth
    arrivals: { poisson: 250/s }
    fault: { scale: { site: primary, pods: 6 } }
    for: 4s
  - { phase: after, for: 2s }
  - { read-back: primary }";
    let text = mini_kept("mini", outage, "  - { lost: 0 }\n")
        .replacen("service_time: 1ms", "service_time: 10ms, capacity: 1", 1)
        .replacen("count: 16", "count: 32, lifetime: 5 calls", 1)
        .replacen("poisson: 300/s", "poisson: 60/s", 1)
        // So few calls say no more.
        .replacen("errors: 1 %", "errors: 5 %", 1);
    let folder = seen(&text, "scale", "the kernel's list of processes");
    let answered = phase(&folder, "growth", "completed");
    assert!(answered > 4 * 220, "{answered}");
}

/// What was written since the pause is gone with the site: two seconds, and no more than the lag beside them.
#[test]
fn what_a_pause_of_replication_held_back_is_lost_with_the_site() {
    let outage = "  - phase: outage
    faults:
      - { replication-pause: primary, id: pause }
      - { site-failure: primary, at: 2s }
    until: recovered
    within: 20s
  - { phase: dr, for: 1s }
  - { read-back: dr }";
    let objectives = "  - { rto: 4h, budget: 6s, fault: site-failure }
  - { rpo: 15min, budget: 3500ms, fault: site-failure }
";
    let folder = seen(
        &mini("mini", outage, objectives),
        "pause",
        "the logs of both stores",
    );
    let result = folder.result();
    let lost = named(&result["faults"], "id", "site-failure")["rpo"].as_u64();
    assert!(lost.is_some_and(|rpo| rpo > 1_800_000_000), "{lost:?}");
    assert!(
        result["data"]["lost"].as_u64() > Some(200),
        "{}",
        result["data"]
    );
}

/// A third of the calls carries 4 kB, so that 400 kB a second would have to pass.
#[test]
fn a_narrow_link_lets_no_more_pass_than_its_bandwidth() {
    const BANDWIDTH: u64 = 100_000;
    let outage = format!(
        "  - {{ phase: narrow, fault: {{ network: {{ link: clients, site: primary, bandwidth: {BANDWIDTH}B }} }}, for: 3s }}
  - {{ phase: settling, for: 2s }}
  - {{ phase: after, for: 2s }}
  - {{ read-back: primary }}"
    );
    let text = mini_kept("mini", &outage, "  - { lost: 0 }\n");
    let large = format!("{{{{unique}}}}{}", "-".repeat(4_000));
    let text = text.replacen("{{unique}}", &large, 1);
    let folder = seen(&text, "network", "a connection of our own");
    let rate = |name: &str, seconds: u64| phase(&folder, name, "completed") / seconds;
    // One and a third kilobytes of each call are the message's.
    let most = BANDWIDTH / (4_000 / 3);
    assert!(rate("narrow", 3) < most * 3 / 2, "{}", rate("narrow", 3));
    assert!(rate("steady", 4) > 250 && rate("after", 2) > 250);
}

/// Each way takes 20 ms and up to 60 ms more, by the seed: without the jitter all calls would take the same.
#[test]
fn jitter_spreads_what_calls_take() {
    let outage = "  - { phase: uneven, fault: { network: { link: clients, site: primary, delay: 20ms, jitter: 60ms } }, for: 3s }
  - { phase: after, for: 2s }
  - { read-back: primary }";
    let objectives = "  - { lost: 0 }
  - { latency: p20, below: 2s, in: uneven, id: quick }
  - { latency: p80, below: 2s, in: uneven, id: slow }
  - { latency: p50, below: 20ms, in: steady, id: before }
";
    let text = mini_kept("mini", outage, objectives);
    let folder = seen(&text, "network", "a connection of our own");
    let [quick, slow] = ["quick", "slow"].map(|check| measured_ms(&folder, check));
    assert!(quick > 40.0 && slow - quick > 25.0, "{quick} {slow}");
}

/// A node that is given back takes the pods of the other one.
#[test]
fn nodes_are_emptied_one_after_the_other_and_no_write_is_missed() {
    let outage = "  - phase: maintenance
    faults:
      - { node-drain: { site: primary, node: primary-node-0 }, id: first-node, for: 1s }
      - { node-drain: { site: primary, node: primary-node-1 }, id: second-node, at: 4s, for: 1s }
    until: done
    within: 20s
  - { phase: after, for: 2s }
  - { read-back: primary }";
    let objectives = "  - { rto: none, budget: 10s }\n  - { lost: 0 }\n";
    let text = mini_kept("mini", outage, objectives);
    let folder = seen(&text, "first-node", "the target's own view");
    let result = folder.result();
    let [first, second] =
        ["first-node", "second-node"].map(|id| named(&result["faults"], "id", id));
    assert!(second["effect"].is_string(), "{second}");
    let at = |fault: &Value, when: &str| fault[when].as_u64().expect("an instant");
    assert!(
        at(&first, "healed") < at(&second, "injected"),
        "{first} {second}"
    );
    assert_eq!(phase(&folder, "after", "failed"), 0);
}

/// The director stands on the clients' side, and sees that the site serves.
#[test]
fn sites_that_lose_sight_of_each_other_stay_what_they_are() {
    let outage =
        "  - { phase: apart, fault: { network: { link: replication, blocked: both } }, for: 3s }
  - { phase: together, for: 2s }
  - { read-back: primary }";
    let objectives = "  - { errors: 1 %, in: [apart, together], id: unnoticed }
  - { lost: 0 }
  - { split_brain: 0 }
";
    let folder = seen(
        &mini("mini", outage, objectives),
        "network",
        "a connection of our own",
    );
    let own = named(&folder.result()["faults"], "id", "network");
    assert_eq!(own["unnoticed"], true, "{own}");
    let moved = ["t2", "t3", "t4", "t5"].map(|mark| &own["marks"][mark]);
    assert!(moved.iter().all(|mark| mark.is_null()), "{own}");
}
