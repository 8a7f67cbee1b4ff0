//! Resources that are used up, in miniature: a target with its bounds passes the drill, and one without each of them
//! does not, for that reason.

use std::collections::BTreeMap;

use firedrill_erlmcp::world::{ProcessView, World, attach};
use rustix::process::Signal;
use serde_json::Value;

use crate::drills::{checks, passes};
use crate::program::{Done, Folder, Running, alone, command, firedrill, run};

/// Sites on a small clock. `bounds` are those of the primary's two pods.
fn mini(bounds: &str, more: &str, phases: &str, objectives: &str) -> String {
    format!(
        "scenario: mini
bucket: 200ms
recovery: {{ window: 1s }}
target:
  sites:
    primary: {{ pods: 2, restart_delay: 200ms, behaviour: {{ service_time: 2ms, queue: 16, bounds: {{ {bounds} }} }} }}
{more}load:
  arrivals: {{ poisson: 300/s }}
  sessions: {{ count: 16, lifetime: 40 calls }}
  operations:
    - {{ tool: echo, weight: 1, timeout: 300ms, arguments: {{ message: \"{{{{unique}}}}\" }} }}
    - {{ ledger: write, weight: 2, timeout: 300ms }}
timeline:
  - {{ phase: steady, for: 2s }}
{phases}  - {{ phase: after, for: 1s }}
  - {{ read-back: serving }}
objectives:
  - {{ errors: 5 %, in: [steady, after] }}
  - {{ lost: 0 }}
{objectives}"
    )
}

const DISK: &str = "  - { phase: disk, fault: { disk-full: primary }, for: 1500ms }\n";
const MEMORY: &str = "  - { phase: memory, fault: { memory-exhaustion: primary }, for: 1500ms }\n";
const QUEUE: &str = "  - { phase: queue, fault: { queue-exhaustion: primary }, for: 2s }\n";
const CPU: &str = "  - { phase: cpu, fault: { cpu-saturation: primary }, for: 2500ms }\n";
/// Between two of them.
const CALM: &str = "  - { phase: calm, for: 1s }\n";

const ENDED: &str = "  - { errors: 5 %, class: http.502, in: [memory], id: ended }\n";
const WAITED: &str = "  - { errors: 15 %, class: timeout, in: [queue], id: waited }\n";
const LATE: &str = "  - { errors: 20 %, class: timeout, in: [cpu], id: late }\n";

fn drill(folder: &Folder, scenario: &str) -> Done {
    run(folder, scenario, &["--seed", "1"])
}

/// The check fails, and with it the run.
fn fails(scenario: &str, check: &str) {
    let folder = Folder::new();
    let done = drill(&folder, scenario);
    let all = checks(&folder);
    let found = all.iter().find(|(id, ..)| id == check);
    assert_eq!(
        (done.code, found.map(|(_, verdict, _)| verdict.as_str())),
        (1, Some("fail")),
        "{all:?}\n{}",
        done.stderr
    );
}

/// Who saw each fault in force.
fn seen_by(folder: &Folder, fault: &str) -> String {
    let seen = folder.events().into_iter().find_map(|event| {
        let own = &event["event"];
        (own["fault"] == fault && own["stage"] == "effect_seen")
            .then(|| own["by"].as_str().map(str::to_owned))
    });
    seen.flatten().unwrap_or_default()
}

fn outcome(folder: &Folder, name: &str) -> Value {
    folder.result()["load"]["outcomes"][name].clone()
}

#[test]
fn a_target_with_its_bounds_refuses_and_goes_on() {
    let calm = |number: u32| CALM.replace("calm", &format!("calm-{number}"));
    let phases = [
        DISK,
        &calm(1),
        MEMORY,
        &calm(2),
        QUEUE,
        &calm(3),
        CPU,
        &calm(4),
    ]
    .concat();
    let objectives = [ENDED, WAITED, LATE].concat();
    let folder = Folder::new();
    let done = drill(&folder, &mini("memory: 32MiB", "", &phases, &objectives));
    passes(&folder, &done);
    assert!(outcome(&folder, "http.503").as_u64() > Some(100));
    for (fault, by) in [
        ("disk-full", "the kernel's limits of the process"),
        ("memory-exhaustion", "the kernel's accounts of the process"),
        ("queue-exhaustion", "a client of our own"),
        ("cpu-saturation", "the kernel's accounts of the process"),
    ] {
        assert!(seen_by(&folder, fault).contains(by), "{fault}");
    }
}

#[test]
fn a_store_without_its_bound_loses_what_it_acknowledged() {
    fails(&mini("disk: none", "", DISK, ""), "lost_after_stop");
}

#[test]
fn a_pod_without_its_bound_of_memory_ends() {
    fails(&mini("memory: none", "", MEMORY, ENDED), "ended");
}

#[test]
fn a_queue_without_a_bound_lets_everybody_wait() {
    fails(&mini("queue: none", "", QUEUE, WAITED), "waited");
}

#[test]
fn a_pod_that_does_not_mind_its_lateness_is_late() {
    fails(&mini("cpu: none", "", CPU, LATE), "late");
}

/// Another site that follows, and a director with this clock.
fn watched(clock: &str) -> String {
    format!(
        "    dr: {{ nodes: 1, pods: 1, behaviour: {{ service_time: 2ms }} }}
  tls: true
  replication: {{ from: primary, to: dr, lag: 200ms }}
  director: {{ probe: 200ms, timeout: 200ms, misses: 4, route_ttl: 1s, clock: {clock} }}
"
    )
}

const CLOCK: &str = "  - { phase: clock, fault: { clock-jump: { ahead: 1h } }, for: 1500ms }\n";

#[test]
fn slow_pods_expired_certificates_and_wrong_clocks_come_and_go() {
    let phases = "  - { phase: slow, fault: { slow-pod: { site: primary, factor: 10, busy: 40 % } }, for: 2s }
  - { phase: expired, fault: { certificate-expiry: primary }, for: 1500ms }\n";
    let objectives = "  - { errors: 5 %, in: [slow, clock] }\n";
    let phases = [phases, CALM, CLOCK].concat();
    let folder = Folder::new();
    let done = drill(
        &folder,
        &mini("", &watched("monotonic"), &phases, objectives),
    );
    passes(&folder, &done);
    assert!(outcome(&folder, "tls.verify").as_u64() > Some(100));
    let slow = seen_by(&folder, "slow-pod");
    assert!(
        slow.contains("a client of our own") && slow.contains("the kernel's accounts"),
        "{slow}"
    );
    assert_eq!(
        seen_by(&folder, "certificate-expiry"),
        "a handshake of our own"
    );
    assert_eq!(
        seen_by(&folder, "clock-jump"),
        "the director's answer beside our clock"
    );
}

#[test]
fn a_director_that_believes_its_clock_moves_clients_away_from_a_site_that_serves() {
    fails(&mini("", &watched("wall"), CLOCK, ""), "lost");
}

/// What the kernel lets each process of the primary have, by its name.
fn limits(world: &World) -> BTreeMap<String, String> {
    let view = world.view().expect("a view");
    let site = view.site("primary").expect("the primary");
    let rows = |pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
        let own = |line: &&str| line.contains("file size") || line.contains("address space");
        text.lines().filter(own).collect::<String>()
    };
    let of = |process: &ProcessView| (process.name.clone(), rows(process.pid.expect("a pid")));
    site.processes.iter().map(of).collect()
}

/// Each fault begins when the one before it is in force.
const ALL: &str = "  - phase: all
    for: 60s
    faults:
      - { disk-full: primary }
      - { memory-exhaustion: { site: primary, pods: [primary-0] }, after: disk-full }
      - { queue-exhaustion: { site: primary, pods: [primary-1] }, after: memory-exhaustion }
      - { slow-pod: { site: primary, pods: [primary-0], busy: 50 % }, after: queue-exhaustion }
      - { clock-jump: { behind: 1h }, after: slow-pod }
      - { certificate-expiry: primary, after: clock-jump }
";

#[test]
fn what_a_killed_run_used_up_is_given_back_by_another() {
    let _machine = alone();
    let folder = Folder::new();
    let scenario = mini("memory: 32MiB", &watched("monotonic"), ALL, "");
    // Both pods are hit at once.
    let scenario = scenario.replacen('\n', "\nlimits: { pods: 100 % }\n", 1);
    let scenario = folder.file("scenario.yaml", &scenario);
    let scenario = scenario.to_str().expect("a path");
    let (out, state) = (folder.run(), folder.run().with_file_name("state"));
    let (out, state) = (
        out.to_str().expect("a path"),
        state.to_str().expect("a path"),
    );
    let mut serving = Running::start(command(&["serve", scenario, "--state", state]));
    serving.wait_for("dr-front");
    let world = attach(state.as_ref()).expect("the sites");
    let before = limits(&world);
    let arguments = [
        "run", scenario, "--target", state, "--out", out, "--seed", "1",
    ];
    let mut running = Running::start(command(&arguments));
    running.wait_for("certificate-expiry: in force");
    let changed = limits(&world);
    let differ = |name: &str| changed[name] != before[name];
    assert!(differ("primary-store") && differ("primary-0") && !differ("primary-1"));
    running.signal(Signal::KILL);
    running.finish();
    let healed = firedrill(&["heal", out]);
    assert_eq!(healed.code, 0, "{}\n{}", healed.stdout, healed.stderr);
    assert!(healed.stdout.contains("left behind 0"), "{}", healed.stdout);
    assert_eq!(limits(&world), before);
    let again = firedrill(&["heal", out]);
    assert!(
        again.stdout.contains("healed 0, left behind 0"),
        "{}",
        again.stdout
    );
    serving.signal(Signal::TERM);
    assert_eq!(serving.finish().code, 0);
}
