//! What ends a drill early, heals it, and still reports; and what its actions can wait for.

use crate::drills::{SITE_FAILURE, checks, mini, mini_alone};
use crate::program::{Done, Folder, run};

fn early(folder: &Folder) -> Option<String> {
    let mut events = folder.events().into_iter();
    let found = events.find(|event| event["event"]["kind"] == "ended_early");
    found.and_then(|event| event["event"]["detail"].as_str().map(str::to_owned))
}

fn stages(folder: &Folder, id: &str) -> Vec<String> {
    let of_it = |event: &serde_json::Value| {
        let own = &event["event"];
        (own["kind"] == "fault" && own["id"] == id)
            .then(|| own["stage"].as_str().unwrap_or_default().to_owned())
    };
    folder.events().iter().filter_map(of_it).collect()
}

/// The run ended early for this reason, what was in force was healed, and the report is there.
fn ended_healed_and_reported(folder: &Folder, done: &Done, fault: &str, why: &str) {
    let detail = early(folder).unwrap_or_default();
    assert!(detail.contains(why), "{detail}\n{}", done.stderr);
    let stages = stages(folder, fault);
    assert!(
        stages.iter().any(|stage| stage == "healed"),
        "{stages:?}\n{}",
        done.stderr
    );
    let all = checks(folder);
    let leftovers = all.iter().find(|(id, ..)| id == "leftovers");
    assert_eq!(
        leftovers.map(|(_, verdict, _)| verdict.as_str()),
        Some("pass"),
        "{all:?}"
    );
    assert!(folder.run().join("report.html").exists());
    assert_ne!(done.code, 0, "{}", done.stdout);
}

#[test]
fn an_error_budget_that_is_spent_ends_the_drill() {
    let outage = "  - { phase: outage, fault: { pod-pause: { site: primary, pods: 1 } }, for: 20s }
  - { read-back: primary }";
    let folder = Folder::new();
    let objectives = "  - { errors: 2 %, in: [outage], abort: true, id: budget }\n";
    let done = run(
        &folder,
        &mini_alone("mini", outage, objectives),
        &["--seed", "1"],
    );
    ended_healed_and_reported(&folder, &done, "pod-pause", "budget");
    assert_eq!(done.code, 1, "{}", done.stdout);
}

#[test]
fn an_answer_of_a_site_that_may_not_serve_ends_the_drill() {
    let folder = Folder::new();
    let scenario = mini("mini", SITE_FAILURE, "  - { rto: 4h }\n")
        .replace("load:\n", "limits: { served_by: [primary] }\nload:\n");
    let done = run(&folder, &scenario, &["--seed", "1"]);
    ended_healed_and_reported(&folder, &done, "site-failure", "answered by dr");
    assert_eq!(done.code, 3, "{done:#?}");
    assert!(done.stdout.contains("answered by dr"), "{}", done.stdout);
}

#[test]
fn the_flag_of_somebody_elses_incident_ends_the_drill() {
    let folder = Folder::new();
    let flag = folder.file("unused", "").with_file_name("incident");
    let flag = flag.display();
    let outage = format!(
        "  - phase: outage
    faults:
      - {{ node-drain: primary }}
      - {{ command: {{ inject: [touch, \"{flag}\"], heal: [rm, -f, \"{flag}\"], check: [test, -e, \"{flag}\"] }}, at: 1s }}
    for: 20s
  - {{ read-back: primary }}"
    );
    let scenario = mini_alone("mini", &outage, "")
        .replace("load:\n", &format!("incident_flag: \"{flag}\"\nload:\n"));
    let done = run(&folder, &scenario, &["--seed", "1"]);
    ended_healed_and_reported(&folder, &done, "node-drain", "flag is up");
}

#[test]
fn actions_wait_for_a_series_and_are_repeated_and_run_side_by_side() {
    let outage = "  - phase: outage
    faults:
      - { pod-kill: { site: primary, pods: [primary-0] }, times: 2, every: 2s, id: twice }
      - { replication-pause: primary, when: { above: { series: site.requests, value: 10 } }, for: 1s, id: above }
      - { pod-pause: { site: primary, pods: [primary-1] }, when: { below: { series: site.requests, value: 1 } }, id: never }
    for: 5s
  - { phase: after, for: 1s }
  - { read-back: primary }";
    let folder = Folder::new();
    let scenario = mini("mini", outage, "").replace(
        "load:\n",
        "probes: { site: { path: /metrics/prometheus, every: 500ms, prometheus: { requests: erlmcp_requests_total } } }\nload:\n",
    );
    let done = run(&folder, &scenario, &["--seed", "1"]);
    let seen = |id: &str| {
        stages(&folder, id)
            .iter()
            .any(|stage| stage == "effect_seen")
    };
    assert!(seen("twice") && seen("twice#2"), "{}", done.stderr);
    assert!(seen("above"), "{}", done.stderr);
    assert!(stages(&folder, "never").is_empty(), "{}", done.stderr);
}
