//! Drills in miniature: real sites that are really lost, on small clocks.

use serde_json::Value;

use crate::program::{Done, Folder, run, run_once};

/// Two sites, a director, backups; buckets of 200 ms and windows of 2 s. `faults` is the phase `outage`.
pub fn mini(name: &str, outage: &str, objectives: &str) -> String {
    format!(
        "scenario: {name}
bucket: 200ms
recovery: {{ window: 2s }}
target:
  sites:
    primary: {{ nodes: 2, pods: 2, restart_delay: 200ms, behaviour: {{ service_time: 1ms }} }}
    dr: {{ nodes: 1, pods: 1, behaviour: {{ service_time: 1ms }} }}
  replication: {{ from: primary, to: dr, lag: 200ms }}
  director: {{ probe: 200ms, timeout: 200ms, misses: 2, route_ttl: 1s }}
load:
  arrivals: {{ poisson: 300/s }}
  sessions: {{ count: 16 }}
  operations:
    - {{ tool: echo, weight: 1, timeout: 2s, arguments: {{ message: \"{{{{unique}}}}\" }} }}
    - {{ ledger: write, weight: 2, timeout: 2s }}
timeline:
  - {{ phase: steady, for: 4s }}
{outage}
objectives:
  - {{ errors: 1 %, in: [steady] }}
{objectives}"
    )
}

/// The same two sites, of which none is promoted for the other: the one that was hit has to come back.
pub fn mini_kept(name: &str, outage: &str, objectives: &str) -> String {
    let text = mini(name, outage, objectives);
    text.replace("route_ttl: 1s }", "route_ttl: 1s, automatic: false }")
}

/// One site with backups and no follower.
pub fn mini_alone(name: &str, outage: &str, objectives: &str) -> String {
    let text = mini(name, outage, objectives);
    let start = text.find("    dr:").expect("the other site");
    let end = text.find("load:").expect("the load");
    format!(
        "{}  director: {{ probe: 200ms, timeout: 200ms, misses: 2, route_ttl: 1s, automatic: false }}
  backups: {{ every: 1s, off_site_delay: 200ms, keep: 5 }}
{}",
        &text[..start],
        &text[end..]
    )
}

pub const SITE_FAILURE: &str =
    "  - { phase: outage, fault: { site-failure: primary }, until: recovered, within: 20s }
  - { phase: dr, for: 2s }
  - { read-back: dr }";

pub const DATA_CORRUPTION: &str = "  - phase: outage
    fault: { data-corruption: { site: primary, records: 5, how: silent } }
    steps:
      - { fence: primary, id: fence, delay: 500ms }
      - { restore: primary, from: local, backup: newest-sound, id: restore }
      - { promote: primary, id: promote }
      - { read-back: primary, id: verify }
    until: recovered
    within: 20s
  - { phase: after, for: 1s }
  - { read-back: primary, id: at-the-end }";

pub const STORE_CRASH: &str =
    "  - { phase: outage, fault: { store-crash: primary }, until: recovered, within: 20s }
  - { read-back: primary }";

pub const NODE_DRAIN: &str =
    "  - { phase: outage, fault: { node-drain: { site: primary } }, for: 3s }
  - { phase: after, for: 2s }
  - { read-back: primary }";

/// Ids of checks with their verdicts and reasons.
pub fn checks(folder: &Folder) -> Vec<(String, String, String)> {
    let result = folder.result();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = result["checks"].as_array().cloned().unwrap_or_default();
    checks
        .iter()
        .map(|check| {
            (
                text(check, "id"),
                text(check, "verdict"),
                text(check, "reason"),
            )
        })
        .collect()
}

pub fn passes(folder: &Folder, done: &Done) {
    assert_eq!(
        done.code,
        0,
        "{}\n{}\n{:?}",
        done.stdout,
        done.stderr,
        checks(folder)
    );
}

#[test]
fn a_lost_site_is_replaced_and_what_was_lost_is_about_the_lag() {
    let folder = Folder::new();
    let objectives = "  - { rto: 4h, budget: 6s }\n  - { rpo: 15min, budget: 1s }\n";
    let done = run(
        &folder,
        &mini("mini", SITE_FAILURE, objectives),
        &["--seed", "1"],
    );
    passes(&folder, &done);
    let result = folder.result();
    let fault = &result["faults"][0];
    let rto = fault["rto"].as_u64().expect("an rto");
    assert!((200_000_000..6_000_000_000).contains(&rto), "{fault}");
    let rpo = fault["rpo"].as_u64().expect("an rpo");
    assert!((150_000_000..1_000_000_000).contains(&rpo), "{fault}");
    assert!(
        result["data"]["lost"].as_u64() > Some(0),
        "{}",
        result["data"]
    );
    let refused = folder
        .events()
        .iter()
        .any(|event| event["event"]["step"] == "prove-fence" && event["event"]["stage"] == "done");
    assert!(refused, "writes with the old epoch were refused");
}

/// The door of a site that was replaced sends everybody away: its fence is behind it.
#[test]
fn a_site_that_was_replaced_while_its_pods_stood_still_is_fenced_too() {
    let outage = "  - { phase: outage, fault: { pod-pause: { site: primary, pods: all }, for: 3s }, for: 6s }
  - { read-back: dr }";
    let limits = "limits: { pods: 100 % }\nload:";
    let text = mini("mini", outage, "").replace("load:", limits);
    let folder = Folder::new();
    passes(&folder, &run(&folder, &text, &["--seed", "1"]));
    let proven = |event: &Value| {
        event["event"]["step"] == "prove-fence" && event["event"]["stage"] == "done"
    };
    assert!(folder.events().iter().any(proven), "writes were refused");
}

/// The pod that is slow afterwards takes nothing back, and the stop stays where the lost site's promotion put it.
#[test]
fn what_was_lost_is_owed_to_the_lost_site_though_a_harmless_fault_follows() {
    let folder = Folder::new();
    let slow = "  - { phase: dr, for: 3s }
  - { phase: slow, fault: { slow-pod: { site: dr, factor: 8 } }, for: 2s }
  - { read-back: dr }";
    let (outage, _) = SITE_FAILURE.split_once('\n').expect("its phase");
    let objectives = "  - { rpo: 15min, budget: 1s }\n";
    let text = mini("mini", &format!("{outage}\n{slow}"), objectives);
    // The only pod of the other site is one too many otherwise.
    let text = text.replacen("load:\n", "limits: { pods: 100 % }\nload:\n", 1);
    let done = run(&folder, &text, &["--seed", "1"]);
    passes(&folder, &done);
    let result = folder.result();
    let [lost, harmless] = [&result["faults"][0], &result["faults"][1]];
    assert!(lost["rpo"].as_u64() > Some(0), "{lost}");
    assert!(harmless["rpo"].is_null(), "{harmless}");
    let data = &result["data"];
    assert!(data["lost"].as_u64() > Some(0), "{data}");
    assert_eq!(data["lost_after_stop"], 0, "{data}");
}

#[test]
fn nobody_asks_for_the_fence_of_a_site_that_served_nobody() {
    let outage = "  - { phase: outage, fault: { site-failure: dr, for: 1s }, for: 4s }
  - { read-back: primary }";
    let text = mini("mini", outage, "");
    let written = "    - { ledger: write, weight: 2, timeout: 2s }\n";
    // With a ledger the fence could be proven, and must not be; without one there is nothing to write to.
    let without = text
        .replace(written, "")
        .replace("\n  - { read-back: primary }", "");
    for text in [without, text] {
        let folder = Folder::new();
        let done = run(&folder, &text, &["--seed", "1"]);
        passes(&folder, &done);
        let mut events = folder.events().into_iter();
        assert!(!events.any(|event| event["event"]["step"] == "prove-fence"));
    }
}

#[test]
fn a_damaged_store_is_restored_from_a_backup_that_is_older_than_the_damage() {
    let folder = Folder::new();
    let objectives = "  - { rto: 2h, budget: 10s }\n  - { rpo: 1h, budget: 5s }\n";
    let done = run(
        &folder,
        &mini_alone("mini", DATA_CORRUPTION, objectives),
        &["--seed", "1"],
    );
    passes(&folder, &done);
    let result = folder.result();
    assert!(
        result["data"]["lost"].as_u64() > Some(0),
        "{}",
        result["data"]
    );
}

#[test]
fn a_site_that_is_wiped_is_built_again_from_its_backups() {
    for (fault, from) in [
        ("system-failure", "local"),
        ("natural-disaster", "off-site"),
    ] {
        let outage = format!(
            "  - phase: outage
    fault: {{ {fault}: primary }}
    steps:
      - {{ rebuild: primary, id: rebuild }}
      - {{ restore: primary, from: {from}, id: restore }}
      - {{ promote: primary, id: promote }}
      - {{ read-back: primary, id: verify }}
    until: recovered
    within: 20s
  - {{ phase: after, for: 1s }}"
        );
        let folder = Folder::new();
        let objectives = "  - { rto: 24h, budget: 12s }\n  - { rpo: 4h, budget: 5s }\n";
        let done = run(
            &folder,
            &mini_alone("mini", &outage, objectives),
            &["--seed", "1"],
        );
        passes(&folder, &done);
    }
}

#[test]
fn a_store_that_is_killed_loses_nothing_that_it_acknowledged() {
    let folder = Folder::new();
    let objectives = "  - { rto: 1h, budget: 6s }\n  - { lost: 0 }\n";
    let done = run(
        &folder,
        &mini_kept("mini", STORE_CRASH, objectives),
        &["--seed", "1"],
    );
    passes(&folder, &done);
}

#[test]
fn a_drained_node_is_empty_and_takes_pods_again_afterwards() {
    let folder = Folder::new();
    let done = run(
        &folder,
        &mini("mini", NODE_DRAIN, "  - { lost: 0 }\n"),
        &["--seed", "1"],
    );
    passes(&folder, &done);
    let journal = std::fs::read_to_string(folder.run().join("journal.jsonl")).expect("a journal");
    assert!(
        journal.contains("cordon") && journal.contains("evict"),
        "{journal}"
    );
}

#[test]
fn the_seed_chooses_the_victims() {
    let outage = "  - { phase: outage, fault: { pod-kill: { site: primary, pods: 1 } }, for: 2s }
  - { read-back: primary }";
    let scenario = mini("mini", outage, "").replace("pods: 2,", "pods: 4,");
    let victim = |seed: &str| {
        let folder = Folder::new();
        run(&folder, &scenario, &["--seed", seed]);
        let hit = folder.events().into_iter().find_map(|event| {
            (event["event"]["kind"] == "fault")
                .then(|| event["event"]["on"].as_str().map(str::to_owned))
        });
        hit.flatten().expect("a victim")
    };
    let first = victim("1");
    assert_eq!(first, victim("1"));
    assert!(
        (2..8).any(|seed| victim(&seed.to_string()) != first),
        "every seed hits {first}"
    );
}

#[test]
fn nothing_is_broken_when_the_target_is_not_steady() {
    let folder = Folder::new();
    let scenario = mini("mini", SITE_FAILURE, "  - { rto: 4h }\n")
        .replace("service_time: 1ms", "service_time: 1ms, error_rate: 20 %")
        .replace("errors: 1 %", "errors: 60 %");
    let done = run_once(&folder, &scenario, &["--seed", "1"]);
    assert_eq!(done.code, 4, "{}\n{}", done.stdout, done.stderr);
    let broken = folder
        .events()
        .iter()
        .any(|event| event["event"]["stage"] == "injecting");
    assert!(
        !broken && done.stderr.contains("not steady"),
        "{}",
        done.stderr
    );
}

/// A test site beside the one that serves, and a backup of one put into the other.
pub fn backups() -> String {
    let timeline = "  - phase: verification
    steps:
      - { verify-backups: primary, id: verify }
      - { restore: apart, of: primary, from: off-site, id: restore }
      - { read-back: apart, id: copy }
    until: done
    within: 15s
  - { read-back: primary, id: untouched }";
    mini_alone("mini", timeline, "  - { rpo: 1h, budget: 2500ms }\n").replace(
        "  director:",
        "    apart: { nodes: 1, pods: 1, behaviour: { service_time: 1ms } }\n  director:",
    )
}

#[test]
fn a_backup_is_restored_beside_the_site_that_serves() {
    let folder = Folder::new();
    let done = run(&folder, &backups(), &["--seed", "1"]);
    passes(&folder, &done);
    let all = checks(&folder);
    let found = all.iter().find(|(id, ..)| id == "backups");
    let (_, verdict, reason) = found.expect("the check of the backups");
    assert!(
        verdict == "pass" && reason.contains("off the site"),
        "{reason}"
    );
    // What the primary has is what it had: nothing is missing there.
    let text = std::fs::read_to_string(folder.run().join("ledger.jsonl")).expect("a ledger");
    let counts = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lost: Vec<(String, u64)> = counts
        .filter(|line| line["kind"] == "data")
        .map(|line| {
            let lost = line["counts"]["lost"].as_u64().unwrap_or(u64::MAX);
            (
                line["read_back"].as_str().unwrap_or_default().to_owned(),
                lost,
            )
        })
        .collect();
    assert!(lost.contains(&("untouched".to_owned(), 0)), "{lost:?}");
}

#[test]
fn a_newest_backup_that_is_damaged_fails_the_verification() {
    let folder = Folder::new();
    let steps = "    steps:\n      - { verify-backups";
    let damaged = "    fault: { backup-damaged: primary }\n    steps:\n      - { verify-backups";
    let scenario = backups().replace(steps, damaged);
    let done = run(&folder, &scenario, &["--seed", "1"]);
    let all = checks(&folder);
    let found = all.iter().find(|(id, ..)| id == "backups");
    let (_, verdict, reason) = found.expect("the check of the backups");
    assert_eq!((done.code, verdict.as_str()), (1, "fail"), "{all:?}");
    assert!(reason.contains("is not sound"), "{reason}");
}
