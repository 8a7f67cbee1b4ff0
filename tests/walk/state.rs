//! How everything stands: what the sites say, what the kernel says of their processes, and what is on their disks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use firedrill_erlmcp::world::{NodeView, ProcessView, SiteView, StoreView, View};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::sites::{Sites, children, kernel};

/// In the sites' folder.
pub const BROKEN: &str = "broken";

#[derive(Debug)]
pub struct State {
    /// What has to be the same before and after, by what it is.
    facts: BTreeMap<String, String>,
    /// The log of each site's store: a longer one may follow it.
    logs: BTreeMap<String, Vec<u8>>,
    /// The checksum of each backup's log: others may come.
    backups: BTreeMap<PathBuf, String>,
    pub view: View,
}

impl State {
    pub fn of(sites: &Sites) -> State {
        let view = sites.view();
        let mut facts = BTreeMap::new();
        for site in &view.sites {
            facts.extend(site_facts(site));
        }
        for role in ["pod", "store", "front", "director"] {
            let count = children(sites.world.pid(), role).len();
            facts.insert(format!("processes that are a {role}"), count.to_string());
        }
        if let Some(director) = &view.director {
            let said = (&director.route, director.epoch, &director.owner);
            facts.insert("the director".to_owned(), format!("{said:?}"));
            let right = is_right(sites).to_string();
            facts.insert("the director's clock is right".to_owned(), right);
        }
        if let Some(own) = &view.replication {
            let said = (&own.from, &own.to, own.paused);
            facts.insert("replication".to_owned(), format!("{said:?}"));
        }
        let broken = sites.state.join(BROKEN).exists();
        facts.insert("what a command breaks".to_owned(), broken.to_string());
        let backups = backups(&sites.state);
        let unsound = backups.iter().filter(|(path, sum)| !fits(path, sum));
        let unsound: Vec<_> = unsound.map(|(path, _)| path).collect();
        facts.insert(
            "backups that are not sound".to_owned(),
            format!("{unsound:?}"),
        );
        for link in &view.links {
            facts.insert(format!("link {}", link.name), format!("{:?}", link.shape));
        }
        State {
            facts,
            logs: view.sites.iter().map(log).collect(),
            backups,
            view,
        }
    }

    /// What is not as it was.
    pub fn differences(&self, now: &State) -> Vec<String> {
        let mut all = Vec::new();
        for key in self.facts.keys().chain(now.facts.keys()) {
            let (was, is) = (self.facts.get(key), now.facts.get(key));
            if was != is {
                all.push(format!("{key}: {was:?} is {is:?}"));
            }
        }
        for (site, was) in &self.logs {
            let is = &now.logs[site];
            if !is.starts_with(was) {
                all.push(format!("the log of {site} lacks what it held"));
            }
            let sound = |line: &[u8]| serde_json::from_slice::<Value>(line).is_ok();
            if !is
                .split(|byte| *byte == b'\n')
                .all(|line| line.is_empty() || sound(line))
            {
                all.push(format!("the log of {site} is torn"));
            }
        }
        for (path, was) in &self.backups {
            if now.backups.get(path) != Some(was) {
                all.push(format!("the backup {} is not what it was", path.display()));
            }
        }
        all.dedup();
        all
    }

    pub fn site(&self, name: &str) -> &SiteView {
        self.view.site(name).expect("a site of the scenario")
    }
}

fn site_facts(site: &SiteView) -> BTreeMap<String, String> {
    let name = &site.name;
    let mut facts = BTreeMap::new();
    let mut add = |what: String, value: String| facts.insert(what, value);
    add(format!("power of {name}"), site.powered.to_string());
    add(format!("pods of {name}"), site.wanted_pods.to_string());
    add(format!("data of {name}"), site.data.exists().to_string());
    for NodeView {
        name,
        powered,
        cordoned,
    } in &site.nodes
    {
        add(
            format!("node {name}"),
            format!("power {powered}, cordoned {cordoned}"),
        );
    }
    let store = site.store.as_ref();
    let duty = store.map(
        |StoreView {
             epoch,
             fenced,
             standby,
             ..
         }| (epoch, fenced, standby),
    );
    add(format!("store of {name}"), format!("{duty:?}"));
    for process in &site.processes {
        // Where a pod was moved to is where it stays: nobody moves it back when a node is uncordoned.
        add(format!("process {}", process.name), how_it_is(process));
    }
    facts
}

fn how_it_is(process: &ProcessView) -> String {
    let known = process.pid.and_then(kernel);
    match known.filter(|(_, _, started)| *started == process.started) {
        None => "gone".to_owned(),
        Some(('T', ..)) => "stopped".to_owned(),
        Some(_) if process.ready => format!("ready, {:?}", limits(process.pid)),
        Some(_) => "not ready".to_owned(),
    }
}

/// What the kernel lets the process have of disk and memory.
pub fn limits(pid: Option<u32>) -> Vec<String> {
    let path = format!("/proc/{}/limits", pid.unwrap_or_default());
    let text = fs::read_to_string(path).unwrap_or_default();
    let own = |line: &&str| line.contains("file size") || line.contains("address space");
    text.lines().filter(own).map(str::to_owned).collect()
}

/// Whether the director's time of day is the machine's.
pub fn is_right(sites: &Sites) -> bool {
    let director = sites.world.view().expect("a view").director;
    let now = firedrill::clock::wall().as_millis();
    director.is_some_and(|own| now.abs_diff(u128::from(own.wall_ms)) < 60_000)
}

fn log(site: &SiteView) -> (String, Vec<u8>) {
    let log = fs::read(site.data.join("ledger.log")).unwrap_or_default();
    // A line that is being written is none yet.
    let end = log
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    (site.name.clone(), log[..end].to_vec())
}

/// Every complete backup, kept at a site or off it.
fn backups(state: &Path) -> BTreeMap<PathBuf, String> {
    let folders = |path: PathBuf| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let at_sites = folders(state.join("sites"))
        .into_iter()
        .map(|site| site.join("backups"));
    let all = at_sites
        .chain(folders(state.join("offsite")))
        .flat_map(folders);
    let complete = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        !name.starts_with('.')
    };
    all.filter(complete)
        .map(|path| (path.clone(), checksum(&path)))
        .collect()
}

/// The sum is the one that the backup's manifest names.
pub fn fits(backup: &Path, sum: &str) -> bool {
    let manifest = fs::read(backup.join("manifest.json")).unwrap_or_default();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap_or_default();
    manifest["sha256"] == sum
}

pub fn checksum(backup: &Path) -> String {
    let log = fs::read(backup.join("ledger.log")).unwrap_or_default();
    Sha256::digest(log)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
