//! Clients are led home to a site that was lost, in miniature.

use crate::drills::{SITE_FAILURE, checks, mini, passes};
use crate::program::{Folder, run};
use crate::sites::Sites;

/// The site is lost and comes back; `beside` is broken while clients are led home.
fn there_and_back(beside: &str) -> String {
    let outage = format!(
        "  - {{ phase: outage, fault: {{ site-failure: primary }}, until: recovered, within: 20s }}
  - {{ read-back: dr }}
  - phase: way-home
    faults: [{beside}]
    steps: [{{ fail-back: primary, at: 1s }}]
    until: recovered
    within: 30s
  - {{ phase: home, for: 1s }}
  - {{ read-back: primary, id: home }}"
    );
    let objectives = "  - { rto: 4h, budget: 6s, fault: site-failure }
  - { rto: 4h, budget: 4s, fault: fail-back, id: way-back }
  - { rpo: 15min, budget: 1s, fault: site-failure }
";
    mini("mini", &outage, objectives)
}

/// Clients were led back, by their own answers, and what it took was judged.
fn led_back(folder: &Folder) {
    let told = |event: &serde_json::Value| {
        let (mark, fault) = (&event["event"]["mark"], &event["event"]["fault"]);
        mark == "failback_answer" && fault == "fail-back"
    };
    assert!(folder.events().iter().any(told));
    let result = folder.result();
    let faults = result["faults"].as_array().expect("faults");
    let own = faults.iter().find(|own| own["id"] == "fail-back");
    let own = own.expect("the failback");
    assert_eq!(own["effect"], "clients, whom the site answered", "{own}");
    // Writes stop on the way: it is an outage that can be measured, and a short one.
    let rto = own["rto"].as_u64().expect("an rto");
    assert!((1..4_000_000_000).contains(&rto), "{own}");
    let all = checks(folder);
    let judged = all.iter().find(|(id, ..)| id == "way-back");
    assert!(
        judged.is_some_and(|(_, verdict, _)| verdict == "pass"),
        "{all:?}"
    );
    assert_eq!(result["data"]["lost_after_stop"], 0, "{}", result["data"]);
}

#[test]
fn clients_are_led_home_and_nothing_is_lost_on_the_way() {
    let folder = Folder::new();
    passes(
        &folder,
        &run(&folder, &there_and_back(""), &["--seed", "1"]),
    );
    led_back(&folder);
}

#[test]
fn a_harmless_fault_beside_it_is_no_end_of_the_way_home() {
    let beside = "{ network: { link: replication, delay: 20ms }, at: 1050ms, for: 500ms }";
    let folder = Folder::new();
    passes(
        &folder,
        &run(&folder, &there_and_back(beside), &["--seed", "1"]),
    );
    let at = |stage: &str, id: &str| {
        let events = folder.events();
        let own = events
            .iter()
            .find(|event| event["event"]["stage"] == stage && event["event"]["id"] == id);
        own.and_then(|event| event["at"].as_u64()).expect(id)
    };
    // It was really beside it.
    assert!(at("injecting", "network") > at("started", "fail-back"));
    led_back(&folder);
}

/// Sites that outlive a drill stay as it left them: the next one is refused until clients are led home, which is a run
/// of its own.
#[test]
fn a_drill_that_ends_away_from_home_is_followed_by_the_way_home() {
    let there = mini("mini", SITE_FAILURE, "  - { rto: 4h, budget: 6s }\n");
    let way = "  - { phase: way-home, steps: [{ fail-back: primary, at: 1s }], until: recovered, within: 30s }
  - { read-back: primary, id: home }";
    let limits = "  - { rto: 4h, budget: 4s, fault: fail-back, id: way-back }\n";
    let home = mini("mini", way, limits);
    let sites = Sites::start(&there);
    let drill = |scenario: &str| {
        let mut drill = sites.drill(scenario, &["--seed", "1"]);
        let done = drill.run();
        (drill, done)
    };
    let (first, done) = drill(&there);
    // What the lag had not let through is lost: nothing else is wrong.
    let wrong: Vec<_> = checks(&first.folder)
        .into_iter()
        .filter(|own| own.1 != "pass")
        .collect();
    assert!(
        wrong.iter().all(|(id, ..)| id == "lost"),
        "{wrong:?} {done:#?}"
    );
    for more in [[].as_slice(), &["--dry-run"]] {
        let mut second = sites.drill(&there, more);
        let refused = second.run();
        assert_eq!(refused.code, 5, "{refused:#?}");
        assert!(
            refused.stderr.contains("`fail-back: primary`"),
            "{refused:#?}"
        );
        assert!(!second.folder.run().exists(), "nothing was begun");
    }
    let (back, done) = drill(&home);
    passes(&back.folder, &done);
    led_back(&back.folder);
}
