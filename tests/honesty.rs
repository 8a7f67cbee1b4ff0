//! The generator as a suspect: a run that did not have the processor that it needed never says pass, and every run says
//! what the machine could have done.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::Signal;

use crate::program::{
    Done, Folder, Running, Sink, alone, bare, command, done, pause, send, stopped_meanwhile,
};

/// A load with a limit that being late does not break by itself.
fn scenario(target: &str, load: &str, length: &str) -> String {
    format!(
        "scenario: honest\nabout: Is it us?\ntarget: {{ {target} }}\n\
         load: {{ {load}, sessions: {{ count: 16 }}, operations: [ {{ tool: echo, arguments: {{ message: \"{{{{unique}}}}\" }} }} ] }}\n\
         timeline: [ {{ phase: steady, for: {length} }} ]\n\
         objectives: [ {{ latency: p50, below: 100ms }}, {{ errors: 90 % }} ]\n"
    )
}

const SITES: &str = "sites: { primary: { pods: 1 } }";

fn words(folder: &(String, String)) -> Vec<&str> {
    vec!["run", &folder.0, "--out", &folder.1, "--no-calibration"]
}

/// A child that ends with the test.
struct Beside(Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As a freezer or the host of a virtual machine may do it: so long at a time, 30 times, and running for a while between.
/// None of it counts as anything that we waited for.
fn stopped_again_and_again(load: &str, stop: Duration, between: Duration, because: &str) {
    let folder = Folder::new();
    let placed = folder.placed(&scenario(SITES, load, "9s"));
    let mut running = Running::start(bare(&words(&placed)));
    running.wait_for("/s ok");
    let times = Duration::from_secs(3).as_micros() / (stop + between).as_micros();
    for _ in 0..times {
        running.signal(Signal::STOP);
        pause(stop);
        running.signal(Signal::CONT);
        pause(between);
    }
    let done = running.finish();
    assert_eq!(done.code, 4, "{done:#?}");
    assert!(done.stdout.contains(because), "{done:#?}");
}

const OURS: Duration = Duration::from_millis(30);
const FROZEN: Duration = Duration::from_millis(70);

#[test]
fn an_open_load_that_is_stopped_again_and_again_makes_no_pass() {
    stopped_again_and_again("rate: 300/s", FROZEN, OURS, "dispatched late");
}

#[test]
fn a_closed_load_that_is_stopped_again_and_again_makes_no_pass() {
    stopped_again_and_again(
        "closed: { think: 10ms }",
        FROZEN,
        OURS,
        "did not come to run",
    );
}

/// No freeze is long, and together they are most of the time.
#[test]
fn a_closed_load_that_is_stopped_for_moments_makes_no_pass() {
    let (stop, between) = (Duration::from_millis(15), Duration::from_millis(3));
    stopped_again_and_again(
        "closed: { think: 0s }",
        stop,
        between,
        "did not come to run",
    );
}

/// Thirty sessions of which each waits for an answer nearly all the time: a stop catches thirty operations, and a hundredth
/// of all may be slow. Whose stop it was decides.
#[test]
fn what_is_under_way_when_firedrill_is_stopped_is_no_failure_of_the_target() {
    const SLOW: &str = "scenario: under-way\nabout: A load that waits.\ntarget: { sites: { primary: { pods: 1 } } }\n\
         load: { closed: { think: 0s }, sessions: { count: 30 }, operations: [ { tool: slow, arguments: { ms: 100 } } ] }\n\
         timeline: [ { phase: steady, for: 7s } ]\n\
         objectives: [ { latency: p99, below: 400ms }, { errors: 0.5 % } ]\n";
    for (stop_target, verdicts) in [(true, [1].as_slice()), (false, [0, 4].as_slice())] {
        let folder = Folder::new();
        let done = stopped_meanwhile(&folder, SLOW, stop_target, Duration::from_millis(600));
        assert!(
            verdicts.contains(&done.code),
            "stop_target {stop_target}: {done:#?}"
        );
    }
}

/// More answers than are read at once lie in sockets, and all of their deadlines pass.
#[test]
fn what_came_while_firedrill_was_stopped_is_not_given_up() {
    let _machine = alone();
    let sink = Sink::start(bare(&["sink"]));
    let text = format!(
        "scenario: unread\nabout: A load of which much is under way.\ntarget: {{ endpoint: \"{}\" }}\n\
         load: {{ closed: {{ think: 0s }}, sessions: {{ count: 400 }}, \
         operations: [ {{ tool: echo, timeout: 1s, arguments: {{ message: \"{{{{unique}}}}\" }} }} ] }}\n\
         timeline: [ {{ phase: steady, for: 7s }} ]\nobjectives: [ {{ errors: 1 % }} ]\n",
        sink.url
    );
    let folder = Folder::new();
    let (path, out) = folder.placed(&text);
    let mut running = Running::start(command(&["run", &path, "--out", &out, "--threads", "1"]));
    running.wait_for("/s ok");
    running.signal(Signal::STOP);
    pause(Duration::from_millis(1300));
    running.signal(Signal::CONT);
    let done = running.finish();
    let outcomes = &folder.result()["load"]["outcomes"];
    assert!(outcomes["ok"].as_u64() > Some(400), "{done:#?}");
    // What the thread was about to send is sent too late to be answered in its time.
    let given_up = outcomes["timeout.first_byte"].as_u64();
    assert!(given_up <= Some(64), "{outcomes}");
}

/// A load while others want the only core that we may use, so that less is left of it than the load needs. `None`
/// where the sink has no core of its own.
fn beside_hogs(folder: &Folder, load: &str, hogs: usize) -> Option<Done> {
    let on = |core: &str, words: &[&str]| {
        let mut command = Command::new("taskset");
        command.args(["-c", core]).args(words);
        command
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        println!("SKIPPED: the sink needs a core of its own");
        return None;
    }
    let _machine = alone();
    let sink = Sink::start(on("1", &[env!("CARGO_BIN_EXE_firedrill"), "sink"]));
    let target = format!("endpoint: \"{}\"", sink.url);
    let hog = ["sh", "-c", "ulimit -t 20; while :; do :; done"];
    let hogs: Vec<Beside> = (0..hogs)
        .map(|_| Beside(on("0", &hog).spawn().expect("taskset")))
        .collect();
    let placed = folder.placed(&scenario(&target, load, "4s"));
    let program = [
        &[env!("CARGO_BIN_EXE_firedrill")],
        words(&placed).as_slice(),
    ]
    .concat();
    let done = done(on("0", &program).output().expect("taskset"));
    drop(hogs);
    Some(done)
}

#[test]
fn hogs_on_our_core_make_no_pass() {
    let folder = Folder::new();
    let Some(done) = beside_hogs(&folder, "rate: 15000/s", 16) else {
        return;
    };
    assert_eq!(done.code, 4, "{done:#?}");
}

/// A closed load is never late: it asks for less, and what it asks for is answered as well as ever.
#[test]
fn hogs_make_no_pass_of_a_closed_load_either() {
    let folder = Folder::new();
    let Some(done) = beside_hogs(&folder, "closed: { think: 0s }", 4) else {
        return;
    };
    assert_eq!(done.code, 4, "{done:#?}");
    assert!(done.stdout.contains("waited for a core"), "{done:#?}");
    // What each second was like stands in the recording: a fifth of a core was ours, and others wanted it always.
    assert!(most(&folder, "generator.run_delay_ns.") > 0.5e9);
    assert!(most(&folder, "generator.involuntary.") >= 1.0);
    let busy = most(&folder, "generator.busy.");
    assert!((0.01..0.6).contains(&busy), "{busy}");
    if Path::new("/proc/pressure/cpu").exists() {
        assert!(most(&folder, "generator.cpu_pressure") > 0.5);
    }
}

/// The largest of what a series and those of each thread sampled.
fn most(folder: &Folder, name: &str) -> f64 {
    let series = std::fs::read_to_string(folder.run().join("series.csv")).expect("series.csv");
    let rows = series
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row.iter().any(|field| field.starts_with(name)))
        .filter_map(|row| row.last().and_then(|value| value.parse().ok()))
        .fold(0.0, f64::max)
}

/// A group of processes that the kernel gives so much of every 100 ms.
struct Quota(PathBuf);

impl Quota {
    /// `None` where we may not make one.
    fn of(own: Duration) -> Option<Quota> {
        let name = format!("firedrill-test-{}", std::process::id());
        let own = own.as_micros();
        let first = ("/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", own.to_string());
        let second = ("/sys/fs/cgroup", "cpu.max", format!("{own} 100000"));
        for (root, limit, value) in [first, second] {
            let group = Path::new(root).join(&name);
            if std::fs::create_dir(&group).is_err() {
                continue;
            }
            let quota = Quota(group);
            if std::fs::write(quota.0.join(limit), value).is_ok() {
                return Some(quota);
            }
        }
        println!("SKIPPED: no group of processes with a quota can be made here");
        None
    }

    fn run(&self, words: &[&str]) -> Done {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]);
        command.arg(self.0.join("cgroup.procs")).args(words);
        done(command.output().expect("a shell"))
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The kernel's own quota, for an open and for a closed load, of which neither can do with a tenth of a core.
#[test]
fn a_quota_of_the_kernel_makes_no_pass() {
    let Some(quota) = Quota::of(Duration::from_millis(10)) else {
        return;
    };
    let _machine = alone();
    let sink = Sink::start(bare(&["sink"]));
    let target = format!("endpoint: \"{}\"", sink.url);
    for (load, because) in [
        ("rate: 15000/s", "dispatched late"),
        ("closed: { think: 0s }", "waited for a core"),
    ] {
        let folder = Folder::new();
        let placed = folder.placed(&scenario(&target, load, "4s"));
        let program = [
            &[env!("CARGO_BIN_EXE_firedrill")],
            words(&placed).as_slice(),
        ]
        .concat();
        let done = quota.run(&program);
        assert_eq!(done.code, 4, "{done:#?}");
        assert!(done.stdout.contains(because), "{load}: {done:#?}");
        assert!(most(&folder, "generator.run_delay_ns.") > 0.5e9, "{load}");
    }
}

/// Each stall has connections made up to all that may be under way, and nearly all of them closed two seconds later.
#[test]
fn a_target_that_stalls_again_and_again_fails_and_is_not_hidden_by_what_that_costs_us() {
    let _machine = alone();
    let (folder, sink) = (Folder::new(), Sink::start(bare(&["sink"])));
    let load = "rate: 2000/s, max_in_flight: 2500";
    let target = format!("endpoint: \"{}\"", sink.url);
    let placed = folder.placed(&scenario(&target, load, "9s").replace("p50", "p99"));
    let mut running = Running::start(bare(&words(&placed)));
    running.wait_for("/s ok");
    for _ in 0..3 {
        send(sink.child.id(), Signal::STOP);
        // The stall is the stimulus, not a proof: the verdict proves.
        pause(Duration::from_secs(1));
        send(sink.child.id(), Signal::CONT);
        pause(Duration::from_secs(1));
    }
    let done = running.finish();
    assert_eq!(done.code, 1, "{done:#?}");
    let most = most(&folder, "generator.connections");
    assert!(most > 1_000.0, "{most} connections: it was no stall");
}

#[test]
fn a_run_says_what_the_machine_can_do_and_what_was_left_of_it() {
    let folder = Folder::new();
    let placed = folder.placed(&scenario(SITES, "rate: 50/s", "2s"));
    let done = done(bare(&words(&placed)[..4]).output().expect("the program"));
    assert!(done.stderr.contains("this machine: "), "{done:#?}");
    let generator = folder.result()["generator"].clone();
    let number = |name: &str| generator["calibration"][name].as_u64();
    assert!(number("operations_per_second") > Some(500), "{generator}");
    assert!(number("floor_p99") > Some(1_000), "{generator}");
    let headroom = generator["headroom"].as_f64();
    assert!(
        headroom.is_some_and(|left| (0.0..1.0).contains(&left)),
        "{generator}"
    );
    let report = std::fs::read_to_string(folder.run().join("report.html")).expect("a report");
    assert!(report.contains("headroom at least") && report.contains("operations/s a core"));
}
