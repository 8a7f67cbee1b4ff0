//! Every way out of a run heals what it broke; what cannot be healed is named; and nobody heals a run that goes on.

use std::time::Duration;

use rustix::process::Signal;

use crate::program::{Done, Folder, Running, bare, command, done, is_alive, site_pids, start};
use crate::sites::{Drill, Sites, kernel, small, text, until_nothing};

const PAUSED: &str = "      - { pod-pause: { site: primary, pods: [primary-1] }, id: pause }
      - { scale: { site: primary, pods: 3 }, id: scale, after: pause }";
const DRAINED: &str = "      - { node-drain: { site: primary, node: primary-node-1 }, id: drain }";

/// A pod that is stopped, and then one more pod, until somebody undoes it. `top` are further lines of the scenario.
fn scenario(top: &str, objectives: &str) -> String {
    let top = format!("limits: {{ pods: 100 % }}\n{top}");
    let outage = format!("  - phase: outage\n    for: 40s\n    faults:\n{PAUSED}\n");
    small("ways-out", &top, 2, &outage, objectives)
}

/// The pod that is stopped while the fault is in force, by the kernel.
fn victim(sites: &Sites) -> u32 {
    let view = sites.view();
    let pod = view
        .site("primary")
        .and_then(|site| site.process("primary-1"));
    pod.and_then(|pod| pod.pid).expect("a pod")
}

fn is_stopped(pid: u32) -> bool {
    kernel(pid).is_some_and(|(state, ..)| state == 'T')
}

/// Two pods that are ready, and none that is stopped.
fn stands(sites: &Sites, victim: u32) {
    let left = until_nothing(Duration::from_secs(10), || {
        let view = sites.view();
        let site = view.site("primary").expect("a site");
        let ready = site.pods().filter(|pod| pod.ready).count();
        let same = !is_stopped(victim) && (ready, site.wanted_pods) == (2, 2);
        (!same).then(|| format!("{ready} ready of {}", site.wanted_pods))
    });
    assert_eq!(left, None);
}

/// Starts the run, waits until both faults are in force by others than firedrill, ends it, and looks at what is left.
fn ends(sites: &Sites, drill: &mut Drill, end: impl FnOnce(&mut Running)) -> Done {
    let victim = victim(sites);
    let mut running = drill.start();
    running.wait_for("fault scale: in force");
    assert!(is_stopped(victim), "{}", running.said);
    assert_eq!(
        sites.view().site("primary").map(|site| site.wanted_pods),
        Some(3)
    );
    end(&mut running);
    let done = running.finish();
    stands(sites, victim);
    // There is nothing left to be healed.
    let healed = drill.heal();
    assert!(
        healed.stdout.contains("healed 0, left behind 0"),
        "{healed:#?} {done:#?}"
    );
    assert_eq!(healed.code, 0);
    done
}

fn is_reported(drill: &Drill) -> bool {
    drill.folder.run().join("report.html").exists()
}

#[test]
fn a_signal_heals_and_a_second_one_does_not_cut_it_short() {
    let scenario = scenario("", "");
    let sites = Sites::start(&scenario);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut drill = sites.drill(&scenario, &[]);
        let done = ends(&sites, &mut drill, |running| {
            running.signal(signal);
            running.wait_for("ending early");
            // Impatience.
            running.signal(Signal::INT);
            running.signal(signal);
        });
        assert_eq!(done.code, 130, "{done:#?}");
        assert!(is_reported(&drill), "{done:#?}");
    }
}

#[test]
fn a_panic_an_abort_and_an_incident_heal() {
    let plain = scenario("", "");
    let sites = Sites::start(&plain);
    // Before the line is written that says that the second fault is applied.
    let mut drill = sites.drill(&plain, &[]).with("FIREDRILL_PANIC_AT", "6");
    let pid = victim(&sites);
    let mut running = drill.start();
    running.wait_for("fault pause: in force");
    assert!(is_stopped(pid));
    let done = running.finish();
    assert_eq!(done.code, 70, "{done:#?}");
    assert!(done.stderr.contains("healed   pause"), "{done:#?}");
    stands(&sites, pid);

    let aborting = scenario("", "  - { errors: 1 %, in: [outage], abort: true }\n");
    let mut drill = sites.drill(&aborting, &[]);
    let done = ends(&sites, &mut drill, |_| ());
    assert_eq!(done.code, 1, "{done:#?}");
    assert!(
        done.stderr.contains("cannot be met any more") && is_reported(&drill),
        "{done:#?}"
    );

    let flags = Folder::new();
    let flag = flags.at("incident");
    let watching = scenario(&format!("incident_flag: {}\n", flag.display()), "");
    let mut drill = sites.drill(&watching, &[]);
    let done = ends(&sites, &mut drill, |_| {
        flags.file("incident", "");
    });
    assert!(
        done.stderr.contains("incident") && is_reported(&drill),
        "{done:#?}"
    );
    // What was cut short proves nothing.
    assert_eq!(done.code, 3, "{done:#?}");
}

#[test]
fn a_run_that_goes_on_is_left_alone_and_what_it_left_is_named_and_healed_later() {
    let plain = scenario("", "");
    let mut sites = Some(Sites::start(&plain));
    let now = sites.as_ref().expect("sites");
    let mut drill = now.drill(&plain, &[]);
    ends(now, &mut drill, |running| {
        let early = heal(running);
        assert_eq!(early.code, 5, "{early:#?}");
        let who = format!("process {} works on this run", running.pid());
        assert!(early.stderr.contains(&who), "{early:#?}");
        // Nor does a second run break what the first one measures.
        let second = now.drill(&plain, &[]).run();
        assert_eq!(second.code, 5, "{second:#?}");
        let who = format!("process {} is at work at the sites", running.pid());
        assert!(second.stderr.contains(&who), "{second:#?}");
        assert_eq!(
            now.view().site("primary").map(|site| site.wanted_pods),
            Some(3)
        );
        running.signal(Signal::INT);
    });

    let short = plain
        .replace("for: 40s", "for: 2s")
        .replace(PAUSED, DRAINED);
    let mut drill = now.drill(&short, &["--sabotage", "leave-fault"]);
    let done = drill.run();
    assert_eq!(done.code, 4, "{done:#?}");
    let named = "node primary-node-1 of primary is still cordoned";
    let result = drill.folder.result();
    let page = std::fs::read_to_string(drill.folder.run().join("report.html")).expect("a report");
    let cordoned = || {
        let view = now.view();
        let site = view.site("primary").expect("a site");
        site.nodes.iter().filter(|node| node.cordoned).count()
    };
    assert_eq!(cordoned(), 1);
    assert!(
        done.stderr.contains("LEFT BEHIND") && done.stderr.contains(named),
        "{done:#?}"
    );
    let faults = result["faults"].to_string();
    assert!(faults.contains(named) && page.contains(named), "{faults}");
    // Nobody measures what is broken already.
    let next = now.drill(&short, &[]).run();
    assert_eq!(next.code, 5, "{next:#?}");
    let remedy = format!("`firedrill heal {}` first", drill.folder.run().display());
    assert!(next.stderr.contains(&remedy), "{next:#?}");
    let healed = drill.heal();
    assert_eq!(healed.code, 0, "{healed:#?}");
    assert!(
        healed.stdout.contains("healed 2, left behind 0"),
        "{healed:#?}"
    );
    assert_eq!(cordoned(), 0);

    let mut drill = now.drill(&plain, &[]).with("FIREDRILL_DIE_AT", "3");
    assert_eq!(drill.run().code, 128 + 9);
    drop(sites.take());
    let gone = drill.heal();
    assert_eq!(gone.code, 5, "{gone:#?}");
    assert!(
        gone.stderr.contains("not running any more") || gone.stderr.contains("cannot be read"),
        "{gone:#?}"
    );
}

/// A folder that was copied before it was healed still says that everything is broken.
#[test]
fn a_copy_of_a_run_that_was_healed_meanwhile_undoes_nothing_of_the_run_that_goes_on() {
    let scenario = scenario("", "");
    let sites = Sites::start(&scenario);
    let mut killed = sites.drill(&scenario, &[]);
    let mut running = killed.start();
    running.wait_for("fault scale: in force");
    running.signal(Signal::KILL);
    running.finish_unheard();
    let copy = Folder::new();
    copy_folder(&killed.folder.run(), &copy.run());
    assert_eq!(killed.heal().code, 0);
    stands(&sites, victim(&sites));

    let mut drill = sites.drill(&scenario, &[]);
    let pid = victim(&sites);
    ends(&sites, &mut drill, |running| {
        let refused = heal_alone(&copy);
        assert_eq!(refused.code, 5, "{refused:#?}");
        let who = format!("process {} is at work at the sites", running.pid());
        assert!(refused.stderr.contains(&who), "{refused:#?}");
        let view = sites.view();
        let pods = view.site("primary").map(|site| site.wanted_pods);
        assert!(is_stopped(pid) && pods == Some(3), "{refused:#?}");
        running.signal(Signal::INT);
    });
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a kind").is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

/// Heals the run that is under way.
fn heal(running: &Running) -> Done {
    let line = running
        .said
        .lines()
        .find(|line| line.contains("seed"))
        .expect("the first line");
    let folder = line.rsplit("   ").next().expect("the run's folder");
    done(
        command(&["heal", folder])
            .output()
            .expect("the program starts"),
    )
}

/// By somebody who comes after the run.
fn heal_alone(folder: &Folder) -> Done {
    let run = folder.run();
    let healed = command(&["heal", text(&run)]).output();
    done(healed.expect("the program starts"))
}

/// Its program goes on when firedrill is killed, and would break again what was healed meanwhile.
#[test]
fn a_command_that_was_still_at_work_is_ended_before_it_is_healed() {
    let folder = Folder::new();
    let (broken, worker) = (folder.at("broken"), folder.at("worker"));
    let (path, pid) = (text(&broken), text(&worker));
    // The shell is written away before it becomes the program that works for ten minutes.
    let work = format!("echo $$ > {pid}.new; mv {pid}.new {pid}; touch {path}; exec sleep 600");
    let outage = format!(
        "  - phase: outage
    for: 40s
    fault: {{ command: {{ inject: [sh, -c, \"{work}\"], heal: [rm, \"{path}\"], check: [test, -e, \"{path}\"], \
         timeout: 10min }} }}
"
    );
    let scenario = small("ways-out", "", 2, &outage, "");
    let mut running = start(&folder, &scenario);
    running.wait_for("fault command: command");
    let begun = until_nothing(Duration::from_secs(10), || {
        (!broken.exists()).then(|| "it has broken nothing yet".to_owned())
    });
    assert_eq!(begun, None);
    running.signal(Signal::KILL);
    // Its program holds stderr, too.
    running.finish_unheard();
    let worker = std::fs::read_to_string(&worker).expect("who works");
    let worker = worker.trim().parse().expect("a process id");
    assert!(is_alive(worker), "it does not end with firedrill");
    let healed = heal_alone(&folder);
    assert!(!is_alive(worker) && !broken.exists(), "{healed:#?}");
    assert!(
        healed.stdout.contains("healed 1, left behind 0"),
        "{healed:#?}"
    );
    assert_eq!(healed.code, 0, "{healed:#?}");
}

/// What the user's own command broke does not end with the sites.
#[test]
fn what_a_command_broke_is_healed_though_the_sites_ended_with_their_run() {
    let folder = Folder::new();
    let broken = folder.at("broken");
    let path = text(&broken);
    let outage = format!(
        "  - phase: outage
    for: 40s
    fault: {{ command: {{ inject: [touch, \"{path}\"], heal: [rm, \"{path}\"], check: [test, -e, \"{path}\"] }} }}
"
    );
    let scenario = small("ways-out", "", 2, &outage, "");
    let mut running = start(&folder, &scenario);
    running.wait_for("fault command: in force");
    running.signal(Signal::KILL);
    running.finish();
    assert!(broken.exists(), "nobody is left that could heal it");
    let heal = || heal_alone(&folder);
    let healed = heal();
    assert!(!broken.exists(), "{healed:#?}");
    assert!(
        healed.stdout.contains("healed 1, left behind 0"),
        "{healed:#?}"
    );
    assert_eq!((healed.code, heal().code), (0, 0), "{healed:#?}");
}

#[test]
fn of_sites_that_end_with_their_run_nothing_is_left_after_sigkill() {
    let folder = Folder::new();
    let mut running = start(&folder, &scenario("", ""));
    running.wait_for("fault scale: in force");
    let run = folder.run();
    let early = done(
        command(&["heal", text(&run)])
            .output()
            .expect("the program starts"),
    );
    assert_eq!(early.code, 5, "{early:#?}");
    let target = std::fs::read_to_string(run.join("target.json")).expect("where the sites are");
    let target: serde_json::Value = serde_json::from_str(&target).expect("JSON");
    let state = std::path::PathBuf::from(target["state"].as_str().expect("a folder"));
    let pids = site_pids(&folder);
    assert!(pids.len() > 3 && pids.iter().all(|pid| is_alive(*pid)) && state.exists());
    running.signal(Signal::KILL);
    assert_eq!(running.finish().code, 128 + 9);
    let healed = done(
        command(&["heal", text(&run)])
            .output()
            .expect("the program starts"),
    );
    assert_eq!(healed.code, 0, "{healed:#?}");
    assert!(
        healed.stdout.contains("nothing of them is left"),
        "{healed:#?}"
    );
    assert!(!pids.iter().any(|pid| is_alive(*pid)) && !state.exists());
    let mark = format!("FIREDRILL_WORLD={}", state.display());
    let all = std::fs::read_dir("/proc")
        .expect("a list of processes")
        .flatten();
    let marked = |entry: &std::fs::DirEntry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|own| own == mark.as_bytes())
    };
    assert_eq!(
        all.filter(marked).count(),
        0,
        "processes that the run started later"
    );
}

/// Sites are up and the machine is being measured: there is no load yet that could be ended.
#[test]
fn a_signal_before_the_load_leaves_neither_sites_nor_a_folder() {
    for word in ["run", "capacity"] {
        let folder = Folder::new();
        let steady = "scenario: early\ntarget: { sites: { primary: { pods: 1 } } }
load: { rate: 200/s, operations: [{ method: ping }] }\ntimeline: [{ phase: steady, for: 2s }]
objectives: [{ errors: 1 % }]\n";
        let path = folder.file("early.yaml", steady);
        let temporary = folder.at("temporary");
        std::fs::create_dir(&temporary).expect("a folder");
        let run = folder.run();
        let mut command = bare(&[word, text(&path), "--out", text(&run)]);
        command.env("TMPDIR", &temporary);
        let mut running = Running::start(command);
        running.wait_for("seed");
        running.signal(Signal::INT);
        let done = running.finish();
        assert_eq!(done.code, 130, "{done:#?}");
        assert!(done.stderr.contains("before the load began"), "{done:#?}");
        assert!(!run.exists(), "a folder without a run");
        let left = std::fs::read_dir(&temporary).expect("a folder").count();
        assert_eq!(left, 0, "what the sites had is left");
    }
}

/// A site that was fenced as a step of recovery refuses every write, and nobody would ever promote it again.
#[test]
fn a_fence_that_nobody_went_on_from_is_taken_back() {
    let outage = "  - phase: outage\n    for: 40s\n    faults:\n      - { pod-pause: { site: primary, pods: [primary-1] } }\n    \
                  steps:\n      - { fence: primary, id: wall }\n";
    let scenario = small("fenced", "", 2, outage, "");
    let sites = Sites::start(&scenario);
    let is_fenced = || {
        let view = sites.view();
        let store = view.site("primary").and_then(|site| site.store.as_ref());
        store.map(|store| store.fenced)
    };
    for signal in [Signal::KILL, Signal::INT] {
        let mut drill = sites.drill(&scenario, &[]);
        let mut running = drill.start();
        running.wait_for("primary refuses writes below");
        assert_eq!(is_fenced(), Some(true));
        running.signal(signal);
        let done = running.finish();
        let healed = drill.heal();
        assert_eq!(healed.code, 0, "{healed:#?} {done:#?}");
        assert_eq!(is_fenced(), Some(false), "{healed:#?} {done:#?}");
        // It stays as it is when it is healed again.
        let again = drill.heal();
        assert!(
            again.stdout.contains("healed 0, left behind 0"),
            "{again:#?}"
        );
    }
}
