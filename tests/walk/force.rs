//! Whether a step of the journal is in force, seen by nobody who injects: in the kernel's list of processes, over
//! connections of the test's own, on the disks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill::clock::Clock;
use serde_json::{Value, json};

use super::state::{BROKEN, State, checksum, fits, is_right, limits};
use crate::sites::{Sites, children, kernel};

/// A step that was applied and not undone.
#[derive(Clone, Debug)]
pub struct Step {
    pub fault: String,
    pub number: u64,
    /// How it is undone, as the journal has it.
    pub undo: Value,
    /// The run's folder.
    pub run: PathBuf,
}

/// The journal of a run: how many lines it has, and what is applied and open by them.
pub fn journal(run: &Path) -> (usize, Vec<Step>) {
    let text = fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
    let mut open: Vec<(Step, bool)> = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line of the journal");
        let (fault, number) = (
            line["fault"].as_str().unwrap_or_default(),
            line["step"].as_u64(),
        );
        let own = |step: &Step| step.fault == fault && Some(step.number) == number;
        match line["entry"].as_str() {
            Some("intent") => open.push((
                Step {
                    fault: fault.to_owned(),
                    number: number.expect("a step"),
                    undo: line["undo"].clone(),
                    run: run.to_owned(),
                },
                false,
            )),
            Some("applied") => open
                .iter_mut()
                .filter(|(step, _)| own(step))
                .for_each(|(_, applied)| *applied = true),
            Some("healed") => open.retain(|(step, _)| !own(step)),
            other => panic!("{other:?}: {line}"),
        }
    }
    let applied = open.into_iter().filter(|(_, applied)| *applied);
    (
        text.lines().count(),
        applied.map(|(step, _)| step).collect(),
    )
}

/// `before` is how everything stood before the run. The faults are those of the walk's scenarios, by their ids.
pub fn is_in_force(step: &Step, sites: &Sites, before: &State) -> bool {
    let change = &step.undo["change"];
    match (step.fault.as_str(), step.number) {
        // Only the site itself knows which of its nodes take pods.
        ("drain", 0) => sites
            .view()
            .sites
            .iter()
            .flat_map(|site| &site.nodes)
            .any(|node| node.cordoned),
        ("drain", _) => is_gone(&step.undo["ends"][0]["replaced"]["process"]),
        ("pause", _) => {
            let process = &change["kick"]["process"];
            kernel(pid(process)).is_some_and(|(state, ..)| state == 'T')
        }
        ("scale", _) => children(sites.world.pid(), "pod").len() > before_pods(before),
        ("hold", _) => stands_still(sites),
        ("link", _) => is_late(sites),
        ("damage", _) => {
            let folder = backup(before, change);
            folder.exists() && !fits(&folder, &checksum(&folder))
        }
        ("lose", _) => !backup(before, change).exists(),
        ("corrupt", _) => {
            let repair = &change["repair"];
            // A disaster may have taken the damaged log away since.
            let taken = step.run.join("quarantine/disaster/store/ledger.log");
            let log = fs::read(repair["path"].as_str().unwrap_or_default());
            let log = log.or_else(|_| fs::read(taken)).unwrap_or_default();
            let at = repair["offset"].as_u64().unwrap_or_default() as usize;
            let becomes = repair["becomes"].as_str().unwrap_or_default().as_bytes();
            log.get(at..at + becomes.len()) == Some(becomes)
        }
        ("node", _) => {
            before
                .site("dr")
                .pods()
                .all(|pod| pod.pid.and_then(kernel).is_none())
                && children(sites.world.pid(), "pod").len() < before_pods(before)
        }
        ("full", _) => is_limited(before, "third", "third-store"),
        ("full-dr", _) => is_limited(before, "dr", "dr-store"),
        ("memory", _) => is_limited(before, "third", "third-0"),
        ("memory-dr", _) => is_limited(before, "dr", "dr-0"),
        ("clock", _) => !is_right(sites),
        ("command", _) => sites.state.join(BROKEN).exists(),
        ("command-too", _) => sites.state.join(BROKEN).with_extension("too").exists(),
        ("site", _) => is_refused(before, "dr"),
        ("gone", _) => is_refused(before, "third") && !before.site("third").data.exists(),
        ("disaster", _) => is_refused(before, "primary") && !before.site("primary").data.exists(),
        other => panic!("no reader for {other:?}"),
    }
}

fn pid(process: &Value) -> u32 {
    process["pid"].as_u64().expect("a pid") as u32
}

fn is_gone(process: &Value) -> bool {
    kernel(pid(process)).is_none_or(|(_, _, started)| Some(started) != process["started"].as_u64())
}

fn before_pods(before: &State) -> usize {
    before
        .view
        .sites
        .iter()
        .map(|site| site.pods().count())
        .sum()
}

/// The kernel lets the process have something else than the other ones of its kind.
fn is_limited(before: &State, site: &str, name: &str) -> bool {
    let process = before.site(site).process(name).expect("a process");
    let primary = before.site("primary");
    let other = match name.ends_with("store") {
        true => primary.process("primary-store"),
        false => primary.process("primary-0"),
    };
    limits(process.pid) != limits(other.and_then(|own| own.pid))
}

fn is_refused(before: &State, site: &str) -> bool {
    // The door itself: the link to it lives longer.
    let front = before
        .site(site)
        .process(&format!("{site}-front"))
        .expect("a door");
    TcpStream::connect_timeout(&front.address, Duration::from_millis(500)).is_err()
}

/// The folder that the backup belongs in.
fn backup(before: &State, change: &Value) -> PathBuf {
    let id = change["ask"]["backup_put"]["id"].as_str().expect("an id");
    let store = &before.site("primary").data;
    store.with_file_name("backups").join(id)
}

/// A record that the test itself writes at the serving store does not come to the other one.
fn stands_still(sites: &Sites) -> bool {
    let view = sites.view();
    let (primary, dr) = (
        view.site("primary").expect("primary"),
        view.site("dr").expect("dr"),
    );
    let log = |data: &Path| fs::read(data.join("ledger.log")).unwrap_or_default();
    let store = primary.process("primary-store").expect("a store").address;
    let clock = Clock::start();
    let client = format!("walk-{}-{}", std::process::id(), clock.absolute_ns(0));
    let record = json!({ "client": client, "sequence": 1, "value": "own" });
    assert!(
        post(store, "/put", &record).contains("200 OK"),
        "the serving store takes a record"
    );
    let holds = |data: &Path| String::from_utf8_lossy(&log(data)).contains(&client);
    assert!(
        holds(&primary.data),
        "an acknowledged record is on the disk"
    );
    // Several times the lag.
    while Duration::from_nanos(clock.now()) < Duration::from_millis(400) {
        if holds(&dr.data) {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    true
}

/// What is asked over the link takes longer than the link's delay there and back.
fn is_late(sites: &Sites) -> bool {
    let view = sites.view();
    let link = view
        .links
        .iter()
        .find(|link| link.name == "replication")
        .expect("the link");
    let clock = Clock::start();
    get(link.address, "/health");
    Duration::from_nanos(clock.now()) >= super::DELAY * 2
}

fn get(address: SocketAddr, path: &str) -> String {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"),
    )
}

fn post(address: SocketAddr, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    exchange(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ),
    )
}

fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection of the test's own");
    let limit = Some(Duration::from_secs(10));
    stream.set_read_timeout(limit).expect("a limit");
    stream
        .write_all(request.as_bytes())
        .expect("a request is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
