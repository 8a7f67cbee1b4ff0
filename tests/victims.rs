//! Victims are pinned before anything is broken: a dry run says whom, and what must not be hit is refused.

use std::time::Duration;

use firedrill_erlmcp::world::Request;

use crate::program::{Done, Folder, firedrill, run};
use crate::sites::{Sites, small, text, until_nothing};

fn scenario(fault: &str, pods: u32) -> String {
    let outage = format!("  - {{ phase: outage, for: 1s, fault: {{ {fault} }} }}\n");
    small("victims", "", pods, &outage, "")
}

const PAUSE: &str = "pod-pause: { site: primary, pods: 2 }, id: pause";

/// What a dry run says, which changes nothing.
fn dry(sites: &Sites, scenario: &str, seed: &str) -> Done {
    let before = sites.view();
    let mut drill = sites.drill(scenario, &["--seed", seed, "--dry-run"]);
    let done = drill.run();
    assert_eq!(sites.view(), before, "a dry run changes nothing");
    assert!(!drill.folder.run().exists(), "nor leaves a folder");
    done
}

/// The pods after `on` in the line of the fault.
fn on<'a>(said: &'a str, line: &str) -> &'a str {
    let line = said
        .lines()
        .find(|own| own.contains(line))
        .unwrap_or_else(|| panic!("{said}"));
    line.rsplit(" on ").next().expect("whom it hits")
}

#[test]
fn a_dry_run_pins_whom_the_run_hits() {
    let scenario = scenario(PAUSE, 4);
    let sites = Sites::start(&scenario);
    let first = dry(&sites, &scenario, "1");
    assert_eq!(first.code, 0, "{first:#?}");
    let said = on(&first.stdout, "pause: pod-pause").to_owned();
    let view = sites.view();
    let site = view.site("primary").expect("a site");
    for name in said.split(", ") {
        let pid = site.process(name).and_then(|pod| pod.pid).expect("a pod");
        assert!(
            first.stdout.contains(&format!("stop {name} (pid {pid})")),
            "{first:#?}"
        );
        assert!(
            first
                .stdout
                .contains(&format!("undone: continue {name} (pid {pid})")),
            "{first:#?}"
        );
    }
    let hit = |seed: &str| {
        let mut drill = sites.drill(&scenario, &["--seed", seed]);
        let done = drill.run();
        on(&done.stderr, "fault pause: pod-pause").to_owned()
    };
    assert_eq!(hit("1"), said, "the same seed hits the same");
    assert_eq!(
        on(&dry(&sites, &scenario, "1").stdout, "pause: pod-pause"),
        said
    );
    let others = (2..8).map(|seed| dry(&sites, &scenario, &seed.to_string()).stdout);
    let other = others
        .into_iter()
        .find(|other| on(other, "pause: pod-pause") != said);
    assert!(other.is_some(), "every seed hits {said}");

    let drain = scenario.replace(
        PAUSE,
        "node-drain: { site: primary, node: primary-node-1 }, id: drain",
    );
    let done = dry(&sites, &drain, "1");
    assert!(
        done.stdout
            .contains("drain: node-drain on primary-node-1 of primary"),
        "{done:#?}"
    );
    assert!(
        done.stdout
            .contains("undone: cordon (node primary-node-1, on false, site primary)"),
        "{done:#?}"
    );
    assert!(
        done.stdout.contains("evict primary-3") && done.stdout.contains("undone: by itself"),
        "{done:#?}"
    );

    // Who takes the power of a whole site away ends all of its processes.
    let outage = scenario.replace(PAUSE, "site-failure: primary, id: outage");
    let done = dry(&sites, &outage, "1");
    let view = sites.view();
    let site = view.site("primary").expect("a site");
    assert!(site.processes.len() > 5, "{site:#?}");
    for own in &site.processes {
        let pid = own.pid.expect("it runs");
        let ends = format!("ends {} (pid {pid})", own.name);
        assert!(done.stdout.contains(&ends), "{ends}: {done:#?}");
    }
}

#[test]
fn victims_are_chosen_by_the_labels_that_the_sites_give_their_pods() {
    let plain = scenario(
        "pod-pause: { site: primary, pods: [primary-2] }, id: pause",
        4,
    );
    let labelled = scenario(
        "pod-pause: { site: primary, labels: { role: canary } }, id: pause",
        4,
    )
    .replace(
        "pods: 4,",
        "pods: 4, labels: { primary-2: { role: canary } },",
    );
    let sites = Sites::start(&labelled);
    for seed in ["1", "2", "3"] {
        let said = dry(&sites, &labelled, seed);
        assert_eq!(on(&said.stdout, "pause: pod-pause"), "primary-2");
    }
    let done = dry(&sites, &plain, "1");
    assert_eq!(done.code, 5, "{done:#?}");
    let why = "primary (2 nodes, 4 pods), of which primary-2 has role=canary";
    assert!(done.stderr.contains(why), "{done:#?}");
}

#[test]
fn a_dry_run_without_sites_says_when_victims_are_drawn() {
    let folder = Folder::new();
    let done = run(&folder, &scenario(PAUSE, 4), &["--seed", "3", "--dry-run"]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(
        done.stdout
            .contains("victims (seed 3): the sites are not there yet"),
        "{done:#?}"
    );
}

#[test]
fn a_fault_does_not_take_what_another_will_give_back() {
    // When the second one begins, only the run knows.
    let drain = "node-drain: { site: primary, node: primary-node-0 }";
    let outage = format!(
        "  - phase: outage\n    for: 4s\n    faults:\n      - {{ {drain}, id: first }}\n      \
         - {{ {drain}, id: second, after: first }}\n"
    );
    let scenario = small("overlap", "", 4, &outage, "");
    let sites = Sites::start(&scenario);
    let before = sites.view();
    let mut drill = sites.drill(&scenario, &[]);
    let done = drill.run();
    assert_eq!(done.code, 4, "{done:#?}");
    let why = "the cordon of primary-node-0 is held by `first`, which is still in force";
    assert!(done.stdout.contains(why), "{done:#?}");
    let result = drill.folder.result();
    let faults = result["faults"].as_array().expect("faults");
    let first = faults.iter().find(|fault| fault["id"] == "first");
    let first = first.expect("the first one was done");
    assert!(first["healed"].is_u64(), "{first}");
    assert_eq!(first["leftovers"].as_array().map(Vec::len), Some(0));
    let nodes = |view: firedrill_erlmcp::world::View| view.sites[0].nodes.clone();
    assert_eq!(nodes(sites.view()), nodes(before), "no cordon is left");
}

#[test]
fn sites_that_are_not_the_scenarios_and_too_large_a_hit_are_refused() {
    let pause = scenario(PAUSE, 4);
    let sites = Sites::start(&pause);
    let refused = |scenario: &str, why: &str| {
        for more in [&["--dry-run"][..], &[]] {
            let mut drill = sites.drill(scenario, more);
            let done = drill.run();
            assert_eq!(done.code, 5, "{done:#?}");
            assert!(done.stderr.contains(why), "{done:#?}");
            assert!(!drill.folder.run().exists(), "nothing was begun");
        }
    };
    refused(&scenario(PAUSE, 6), "primary (2 nodes, 4 pods)");
    refused(
        &pause.replace("nodes: 2", "nodes: 3"),
        "the scenario wants primary (3 nodes, 4 pods)",
    );
    let director = pause
        .lines()
        .find(|line| line.contains("director:"))
        .expect("a director");
    refused(
        &pause.replace(director, ""),
        "4 pods), nothing replicated, no director",
    );

    // Half of the pods by the scenario, and all of them as the sites are now.
    for pod in ["primary-1", "primary-3"] {
        let cordon = |on| Request::Cordon {
            site: "primary".to_owned(),
            node: "primary-node-1".to_owned(),
            on,
        };
        sites.ask(cordon(true));
        sites.ask(Request::Evict {
            site: "primary".to_owned(),
            pod: pod.to_owned(),
        });
        sites.ask(cordon(false));
    }
    let unready = until_nothing(Duration::from_secs(10), || {
        let view = sites.view();
        let site = view.site("primary").expect("a site");
        site.pods().filter(|pod| !pod.ready).count()
    });
    assert_eq!(unready, 0);
    let before = sites.view();
    let kill = scenario(
        "pod-kill: { site: primary, node: primary-node-0 }, id: kill",
        4,
    );
    refused(
        &kill,
        "it would hit 4 of 4 pods of site `primary`, and `limits: { pods: }` allows 50 %",
    );
    let pids = |view: &firedrill_erlmcp::world::View| {
        let site = view.site("primary").expect("a site").clone();
        site.processes
            .iter()
            .map(|process| process.pid)
            .collect::<Vec<_>>()
    };
    assert_eq!(pids(&sites.view()), pids(&before), "nobody was hit");

    // By the scenario alone it is refused before anybody is asked.
    let all = scenario("pod-kill: { site: primary, pods: all }, id: kill", 4);
    let mut drill = sites.drill(&all, &[]);
    assert_eq!(drill.run().code, 2);
    let missing = firedrill(&[
        "run",
        "smoke",
        "--target",
        text(&sites.state.join("nowhere")),
    ]);
    assert_eq!(missing.code, 2, "{missing:#?}");
}
