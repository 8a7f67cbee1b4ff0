//! Every way in which a site ends, and that none of its processes is left.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use firedrill_erlmcp::{LaunchError, SiteConfig, TlsFiles, launch};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpgid, pidfd_open};
use serde_json::json;

use crate::client::{Directory, PROGRAM, start};

/// Refers to one process, also after its pid has been given to another one.
pub struct Watched(u32, OwnedFd);

pub fn watch(pid: u32) -> Watched {
    let raw = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    Watched(pid, pidfd_open(raw, PidfdFlags::empty()).unwrap())
}

/// Waits for the end of each process. The bound is for a test that would hang.
pub fn assert_all_end(processes: &[Watched]) {
    let bound = Timespec {
        tv_sec: 60,
        tv_nsec: 0,
    };
    for Watched(pid, pidfd) in processes {
        let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
        assert_eq!(
            poll(&mut fds, Some(&bound)).unwrap(),
            1,
            "process {pid} is left"
        );
    }
}

/// A site in a process of its own, whose children are watched.
fn site_elsewhere(directory: &Directory) -> (Child, Vec<Watched>) {
    let mut parent = Command::new(PROGRAM)
        .args(["site", directory.0.to_str().unwrap(), "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let pids = line
        .split_whitespace()
        .skip(1)
        .map(|pid| watch(pid.parse().unwrap()))
        .collect();
    (parent, pids)
}

#[test]
fn stop_leaves_no_process() {
    let site = start(|config| config.pods = 2);
    let pids: Vec<_> = site
        .running
        .processes()
        .iter()
        .map(|process| watch(process.pid))
        .collect();
    assert_eq!(pids.len(), 4);
    site.running.stop();
    assert_all_end(&pids);
}

#[test]
fn a_stopped_process_is_ended_as_well() {
    let site = start(|_| {});
    let pids: Vec<_> = site
        .running
        .processes()
        .iter()
        .map(|process| watch(process.pid))
        .collect();
    let pod = Pid::from_raw(i32::try_from(site.running.processes()[1].pid).unwrap()).unwrap();
    rustix::process::kill_process(pod, rustix::process::Signal::STOP).unwrap();
    site.running.stop();
    assert_all_end(&pids);
}

#[test]
fn dropping_leaves_no_process() {
    let site = start(|_| {});
    let pids: Vec<_> = site
        .running
        .processes()
        .iter()
        .map(|process| watch(process.pid))
        .collect();
    drop(site);
    assert_all_end(&pids);
}

#[test]
fn a_killed_parent_leaves_no_process() {
    let directory = Directory::new();
    let (mut parent, pids) = site_elsewhere(&directory);
    assert_eq!(pids.len(), 4);
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_all_end(&pids);
}

#[test]
fn a_parent_that_ends_by_itself_leaves_no_process() {
    let directory = Directory::new();
    let (mut parent, pids) = site_elsewhere(&directory);
    drop(parent.stdin.take());
    assert_all_end(&pids);
    assert!(parent.wait().unwrap().success());
}

/// A store with this process as its parent, or with another one in its configuration.
fn store_alone(directory: &Directory, parent: u32) -> (Child, String) {
    let part = json!({
        "site": "a",
        "address": "127.1.0.2:0",
        "directory": directory.0.join("store"),
        "epoch": 1,
    });
    let mut child = Command::new(PROGRAM)
        .arg("store")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let line = json!({ "parent": parent, "nice": 0, "part": part });
    writeln!(child.stdin.as_mut().unwrap(), "{line}").unwrap();
    let mut announcement = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut announcement)
        .unwrap();
    (child, announcement)
}

#[test]
fn the_end_of_stdin_ends_a_part() {
    let directory = Directory::new();
    let (mut child, announcement) = store_alone(&directory, std::process::id());
    assert!(announcement.contains("listening"), "{announcement}");
    let store = watch(child.id());
    drop(child.stdin.take());
    assert_all_end(&[store]);
    assert!(child.wait().unwrap().success());
}

/// The parent-death signal would never come: the parent was gone before it was asked for.
#[test]
fn a_part_whose_parent_has_gone_does_not_begin() {
    let directory = Directory::new();
    let (mut child, announcement) = store_alone(&directory, std::process::id() + 1);
    assert!(
        announcement.contains("the parent process ended"),
        "{announcement}"
    );
    assert!(!child.wait().unwrap().success());
}

#[test]
fn parts_are_out_of_reach_of_a_terminals_signals() {
    let site = start(|_| {});
    for process in site.running.processes() {
        let pid = Pid::from_raw(i32::try_from(process.pid).unwrap());
        assert_eq!(getpgid(pid).ok(), pid, "{}", process.name);
    }
}

#[test]
fn parts_are_as_polite_as_they_are_told_to_be() {
    let mine = rustix::process::getpriority_process(None).unwrap();
    let site = start(|config| config.nice = 3);
    for process in site.running.processes() {
        let pid = Pid::from_raw(i32::try_from(process.pid).unwrap());
        let theirs = rustix::process::getpriority_process(pid).unwrap();
        assert_eq!(theirs, (mine + 3).min(19), "{}", process.name);
    }
}

fn refusal(change: impl FnOnce(&mut SiteConfig, &Directory)) -> String {
    let directory = Directory::new();
    let mut config = SiteConfig::new("a", &directory.0);
    change(&mut config, &directory);
    launch(PROGRAM.as_ref(), &[], &config)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_site_that_cannot_start_says_which_process_and_why() {
    let no_pods = refusal(|config, _| config.pods = 0);
    assert_eq!(no_pods, "site `a`: 0 pods: say 1 to 200");
    let elsewhere = refusal(|config, _| config.addresses = [10, 0, 0, 0].into());
    assert!(elsewhere.contains("127.0.0.0/8"), "{elsewhere}");
    let no_directory = refusal(|config, directory| {
        config.data = directory.0.join("file");
        std::fs::write(&config.data, "").unwrap();
    });
    assert!(
        no_directory.starts_with("a-store of site `a` did not come up:"),
        "{no_directory}"
    );
    let no_certificate = refusal(|config, directory| {
        config.tls = Some(TlsFiles {
            cert_pem: directory.0.join("none.pem"),
            key_pem: directory.0.join("none.pem"),
            client_ca_pem: None,
            expired_pem: None,
        });
    });
    assert!(
        no_certificate.starts_with("a-front of site `a` did not come up:"),
        "{no_certificate}"
    );
    assert!(no_certificate.contains("none.pem"), "{no_certificate}");
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let directory = Directory::new();
    let config = SiteConfig::new("a", &directory.0);
    let error = launch("no/such/program".as_ref(), &[], &config).unwrap_err();
    assert!(matches!(error, LaunchError::Spawn { .. }), "{error}");
}

#[test]
fn only_processes_of_the_site_are_started_again() {
    let mut site = start(|_| {});
    let error = site.running.restart("b-0").unwrap_err().to_string();
    assert_eq!(
        error,
        "site `a` has no process called `b-0`; there are a-store, a-0, a-front"
    );
}

#[test]
fn two_stores_do_not_share_a_directory() {
    let directory = Directory::new();
    let config = SiteConfig::new("a", &directory.0);
    let _first = launch(PROGRAM.as_ref(), &[], &config).unwrap();
    let error = launch(PROGRAM.as_ref(), &[], &config)
        .unwrap_err()
        .to_string();
    assert!(error.contains("another store"), "{error}");
}
