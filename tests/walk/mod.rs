//! kill -9 at every position of the journal, on sites that outlive it: `firedrill heal RUN` restores what was.
//!
//! ```text
//! state   how everything stands, and what is not as it was
//! force   whether a step of the journal is in force, seen by nobody who injects
//! ```

mod force;
mod state;

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use firedrill_erlmcp::world::Request;

use self::force::{Step, is_in_force, journal};
use self::state::{BROKEN, State};
use crate::program::Done;
use crate::sites::{Drill, Sites, until_nothing};

/// The link's, in each direction.
const DELAY: Duration = Duration::from_millis(100);
/// For what was healed to be ready again, and for what is in force to be seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Next to nothing: for the sites alone, and for the records that a run leaves.
const A_POD_MORE: &str = "      - { scale: { site: third, pods: 3 }, id: more }";
/// Has the sites served with links that can be disturbed.
const LINKS: &str = "      - { network: { link: replication, delay: 100ms }, id: link }";

/// Three sites: one that serves, one that follows it, one on its own. Nobody fails over by himself.
fn scenario(outage: &str) -> String {
    format!(
        "scenario: walk
bucket: 200ms
recovery: {{ window: 600ms, errors: 20 %, below: 1s }}
limits: {{ sites: 3, pods: 100 % }}
target:
  sites:
    primary: {{ nodes: 2, pods: 2, restart_delay: 50ms, behaviour: {{ service_time: 1ms }} }}
    dr: {{ nodes: 1, pods: 2, restart_delay: 50ms, behaviour: {{ service_time: 1ms }} }}
    third: {{ nodes: 2, pods: 2, restart_delay: 50ms, behaviour: {{ service_time: 1ms }} }}
  replication: {{ from: primary, to: dr, lag: 50ms }}
  director: {{ probe: 200ms, timeout: 200ms, misses: 5, route_ttl: 1s, automatic: false }}
  backups: {{ every: 8s, off_site_delay: 100ms, keep: 200 }}
load:
  arrivals: {{ constant: 150/s }}
  sessions: {{ count: 4 }}
  operations:
    - {{ tool: echo, weight: 1, timeout: 1s, arguments: {{ message: \"{{{{unique}}}}\" }} }}
    - {{ ledger: write, weight: 1, timeout: 1s }}
timeline:
  - {{ phase: steady, for: 1600ms }}
  - phase: outage
    until: done
    within: 30s
    faults:
{outage}
  - {{ read-back: serving }}
objectives:
  - {{ errors: 90 %, in: [steady] }}
"
    )
}

/// Faults that leave every site where it is, one after the other. The node is the one that has the pods.
fn within_sites(sites: &Sites) -> String {
    let node = gather(sites);
    scenario(&format!(
        "      - {{ pod-pause: {{ site: dr, pods: [dr-0] }}, id: pause }}
      - {{ scale: {{ site: dr, pods: 3 }}, id: scale, after: pause }}
      - {{ replication-pause: primary, id: hold, after: scale }}
      - {{ network: {{ link: replication, delay: 100ms }}, id: link, after: hold }}
      - {{ backup-damaged: primary, id: damage, after: link }}
      - {{ node-drain: {{ site: third, node: {node} }}, id: drain, after: damage }}"
    ))
}

/// Faults that take data, nodes and whole sites.
fn whole_sites(_: &Sites) -> String {
    scenario(
        "      - { backup-lost: primary, id: lose }
      - { data-corruption: { site: primary, records: 2, how: silent }, id: corrupt, after: lose }
      - { node-loss: { site: dr, node: dr-node-0 }, id: node, after: corrupt }
      - { site-failure: dr, id: site, after: node }
      - { system-failure: third, id: gone, after: site }
      - { natural-disaster: primary, id: disaster, after: gone }",
    )
}

/// Faults that take a bound, a clock, or what a command of the user's own breaks.
fn used_up(sites: &Sites) -> String {
    let broken = sites.state.join(BROKEN);
    let (path, more) = (broken.display(), broken.with_extension("too"));
    let more = more.display();
    scenario(&format!(
        "      - {{ disk-full: third, id: full }}
      - {{ disk-full: dr, id: full-dr, after: full }}
      - {{ memory-exhaustion: {{ site: third, pods: [third-0] }}, id: memory, after: full-dr }}
      - {{ memory-exhaustion: {{ site: dr, pods: [dr-0] }}, id: memory-dr, after: memory }}
      - {{ clock-jump: {{ behind: 1h }}, id: clock, after: memory-dr }}
      - {{ command: {{ inject: [touch, \"{path}\"], heal: [rm, -f, \"{path}\"], check: [test, -e, \"{path}\"] }}, id: command,
           after: clock }}
      - {{ command: {{ inject: [touch, \"{more}\"], heal: [rm, -f, \"{more}\"], check: [test, -e, \"{more}\"] }}, id: command-too,
           after: command }}"
    ))
}

/// Moves the pods of `third` together, so that each drain has the same steps; the node that they are on.
fn gather(sites: &Sites) -> String {
    let view = sites.view();
    let third = view.site("third").expect("a site of the scenario");
    let nodes: Vec<&str> = third.pods().filter_map(|pod| pod.node.as_deref()).collect();
    let here = nodes[0];
    for pod in third.pods().filter(|pod| pod.node.as_deref() != Some(here)) {
        let node = pod.node.clone().expect("a pod has a node");
        let cordon = |on| Request::Cordon {
            site: "third".to_owned(),
            node: node.clone(),
            on,
        };
        sites.ask(cordon(true));
        sites.ask(Request::Evict {
            site: "third".to_owned(),
            pod: pod.name.clone(),
        });
        sites.ask(cordon(false));
    }
    here.to_owned()
}

/// What became of one position.
#[derive(Debug, PartialEq)]
enum Ended {
    /// The run was killed there.
    Killed { in_force: usize },
    /// The run came to its end before it; what it said.
    ByItself { told: String },
}

struct Walk<'a> {
    sites: &'a Sites,
    scenario: fn(&Sites) -> String,
    /// False: nobody heals, and every comparison that follows a fault has to be red.
    heals: bool,
}

impl Walk<'_> {
    /// Kills a run at this position, heals it, and says what is not as it was before.
    fn position(&self, at: u64) -> Result<Ended, String> {
        let scenario = (self.scenario)(self.sites);
        let before = self.settled()?;
        let (drill, done) = self.killed_at(&scenario, at)?;
        let (lines, open) = journal(&drill.folder.run());
        if done.code != 128 + 9 {
            if lines as u64 * 2 > at || !nothing_is_left(&drill) {
                return Err(format!("it was not killed: {done:#?}"));
            }
            let told = done.stdout;
            return self
                .compare(&before, &drill)
                .map(|()| Ended::ByItself { told });
        }
        if lines as u64 != at.div_ceil(2) {
            return Err(format!("{lines} lines at position {at}"));
        }
        // What is being undone is undone before the journal says so.
        let undone = being_undone(&drill);
        let in_force: Vec<Step> = open
            .into_iter()
            .filter(|step| !undone.contains(&step.fault))
            .collect();
        all_in_force(&in_force, self.sites, &before)?;
        if !in_force.is_empty() && self.left(&before, &drill).is_empty() {
            return Err("a fault is in force, and the comparison does not see it".to_owned());
        }
        if self.heals {
            heals(&drill, &drill.heal())?;
        }
        let compared = self.compare(&before, &drill);
        if !self.heals {
            // What the test itself left must not stay for the next one.
            heals(&drill, &drill.heal())?;
        }
        compared?;
        none_in_force(&in_force, self.sites, &before)?;
        again(&drill)?;
        self.compare(&before, &drill)?;
        Ok(Ended::Killed {
            in_force: in_force.len(),
        })
    }

    /// A run that was killed there, or came to its end before. A busy machine may not have been steady.
    fn killed_at(&self, scenario: &str, at: u64) -> Result<(Drill, Done), String> {
        for _ in 0..3 {
            let drill = self.sites.drill(scenario, &["--seed", "1"]);
            let mut drill = drill.with("FIREDRILL_DIE_AT", &at.to_string());
            let done = drill.run();
            if !done.stderr.contains("not steady") {
                return Ok((drill, done));
            }
        }
        Err("the sites were not steady three times".to_owned())
    }

    /// How everything stands, once it stands still.
    fn settled(&self) -> Result<State, String> {
        let restless = || {
            let state = State::of(self.sites);
            let pods = state.view.sites.iter().flat_map(|site| site.pods());
            let mut names: Vec<String> = pods
                .filter(|pod| !pod.ready)
                .map(|pod| pod.name.clone())
                .collect();
            let mute = state.view.sites.iter().filter(|site| site.store.is_none());
            names.extend(mute.map(|site| format!("the store of {}", site.name)));
            names
        };
        match until_nothing(PATIENCE, restless) {
            unready if unready.is_empty() => Ok(State::of(self.sites)),
            unready => Err(format!("not ready: {unready:?}")),
        }
    }

    fn compare(&self, before: &State, drill: &Drill) -> Result<(), String> {
        let patience = if self.heals { PATIENCE } else { Duration::ZERO };
        let left = until_nothing(patience, || self.left(before, drill));
        match left.is_empty() {
            true => Ok(()),
            false => Err(left.join("; ")),
        }
    }

    /// What is not as it was, and what of the sites is still in the run's folder.
    fn left(&self, before: &State, drill: &Drill) -> Vec<String> {
        let mut left = before.differences(&State::of(self.sites));
        let kept = files(&drill.folder.run().join("quarantine"));
        left.extend((kept > 0).then(|| format!("{kept} files are kept away")));
        left
    }

    /// Kills the healing itself, again and again: what one has noted the next does not do again.
    fn heal_that_is_killed(&self, at: u64) -> Result<(), String> {
        let scenario = (self.scenario)(self.sites);
        let before = self.settled()?;
        let (drill, _) = self.killed_at(&scenario, at)?;
        let (_, open) = journal(&drill.folder.run());
        // Before the first line is written, and then after each.
        let killed = drill.heal_with("FIREDRILL_DIE_AT", "0");
        let mut left = open.len();
        if killed.code != 128 + 9 || journal(&drill.folder.run()).1.len() != left {
            return Err(format!("not killed before it noted anything: {killed:#?}"));
        }
        while left > 0 {
            let killed = drill.heal_with("FIREDRILL_DIE_AT", "1");
            let (_, now) = journal(&drill.folder.run());
            if killed.code != 128 + 9 || now.len() != left - 1 {
                return Err(format!("{left} steps, then {}: {killed:#?}", now.len()));
            }
            left = now.len();
        }
        again(&drill)?;
        self.compare(&before, &drill)?;
        none_in_force(&open, self.sites, &before)
    }

    fn walked(&self, at: u64) -> Ended {
        self.position(at)
            .unwrap_or_else(|why| panic!("position {at}: {why}"))
    }

    /// Each position that nobody else has taken, to the last; how many there were, and the most steps that were in
    /// force at once.
    fn all(&self, next: &AtomicU64) -> (u64, usize) {
        let mut most = 0;
        loop {
            let at = next.fetch_add(1, Relaxed);
            let ended = match self.walked(at) {
                // On a busy machine a drill may break off before its last fault: an end is believed when it comes twice.
                Ended::ByItself { told } => {
                    let again = self.walked(at);
                    if matches!(again, Ended::Killed { .. }) {
                        eprintln!("a drill broke off before position {at}: {told}");
                    }
                    again
                }
                killed @ Ended::Killed { .. } => killed,
            };
            match ended {
                Ended::Killed { in_force } => {
                    eprintln!("killed at position {at}, {in_force} steps in force: healed");
                    most = most.max(in_force);
                }
                Ended::ByItself { .. } => return (at, most),
            }
        }
    }
}

fn all_in_force(open: &[Step], sites: &Sites, before: &State) -> Result<(), String> {
    for step in open {
        let unseen = until_nothing(PATIENCE, || !is_in_force(step, sites, before));
        if unseen {
            return Err(format!("not seen in force: {step:?}"));
        }
    }
    Ok(())
}

/// Faults that the run had begun to undo.
fn being_undone(drill: &Drill) -> Vec<String> {
    let events = drill.folder.events();
    let healing = events
        .iter()
        .filter(|line| line["event"]["stage"] == "healing");
    let id = |line: &serde_json::Value| line["event"]["id"].as_str().map(str::to_owned);
    healing.filter_map(id).collect()
}

/// The readers tell both: what they saw in force they do not see any more.
fn none_in_force(open: &[Step], sites: &Sites, before: &State) -> Result<(), String> {
    for step in open {
        // A pod that was evicted is gone for good, whatever took its place.
        let evicted = step.fault == "drain" && step.number > 0;
        if !evicted && until_nothing(PATIENCE, || is_in_force(step, sites, before)) {
            return Err(format!("still seen in force: {step:?}"));
        }
    }
    Ok(())
}

/// The run says so itself.
fn nothing_is_left(drill: &Drill) -> bool {
    let result = drill.folder.result();
    let checks = result["checks"].as_array().cloned().unwrap_or_default();
    let mut left = checks.iter().filter(|check| check["id"] == "leftovers");
    left.any(|check| check["verdict"] == "pass")
}

fn heals(drill: &Drill, done: &Done) -> Result<(), String> {
    let (_, open) = journal(&drill.folder.run());
    let whole = done.code == 0 && done.stdout.contains("left behind 0") && open.is_empty();
    match whole {
        true => Ok(()),
        false => Err(format!("heal: {done:#?}, open {open:?}")),
    }
}

/// Healing what is healed changes nothing.
fn again(drill: &Drill) -> Result<(), String> {
    let text = || fs::read(drill.folder.run().join("journal.jsonl")).unwrap_or_default();
    let before = text();
    let done = drill.heal();
    match done.code == 0 && done.stdout.contains("healed 0, left behind 0") && text() == before {
        true => Ok(()),
        false => Err(format!("heal again: {done:#?}")),
    }
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            _ => 1,
        })
        .sum()
}

/// The first backup, and records that can be damaged.
fn wait_for_a_backup(sites: &Sites) {
    sites.drill(&scenario(A_POD_MORE), &[]).run();
    let none = until_nothing(Duration::from_secs(20), || {
        let view = sites.view();
        view.site("primary")
            .is_none_or(|site| site.backups.is_empty())
    });
    assert!(!none, "no backup was made");
}

#[test]
fn a_run_that_is_killed_is_healed_and_without_healing_it_shows() {
    fn one_site(_: &Sites) -> String {
        scenario("      - { site-failure: dr, id: site }")
    }
    let sites = Sites::start(&scenario(A_POD_MORE));
    let mut walk = Walk {
        sites: &sites,
        scenario: one_site,
        heals: true,
    };
    // The intent is on disk; the power is cut, and nobody has noted it; it is noted.
    let in_force = [(1, 0), (2, 0), (3, 1)];
    for (at, in_force) in in_force {
        assert_eq!(walk.position(at), Ok(Ended::Killed { in_force }), "{at}");
    }
    walk.heals = false;
    let red = walk.position(3).expect_err("nobody has healed");
    assert!(red.contains("power of dr"), "{red}");
}

/// Every position of the scenario's journal, on two worlds at once; then the healing is killed; then nobody heals,
/// which has to show.
fn walk_over(scenario: fn(&Sites) -> String) {
    let next = AtomicU64::new(0);
    let walked = || {
        let sites = Sites::start(&self::scenario(LINKS));
        wait_for_a_backup(&sites);
        let walk = Walk {
            sites: &sites,
            scenario,
            heals: true,
        };
        let walked = walk.all(&next);
        (sites, walked)
    };
    let (sites, (positions, most)) = std::thread::scope(|scope| {
        let other = scope.spawn(|| walked().1);
        let (sites, (positions, most)) = walked();
        let other = other.join().expect("the other world's positions");
        (sites, (positions.min(other.0), most.max(other.1)))
    });
    eprintln!("{positions} positions, up to {most} steps in force");
    let mut walk = Walk {
        sites: &sites,
        scenario,
        heals: true,
    };
    // Each step has three lines, and each line two positions.
    assert_eq!(positions, 6 * most as u64);
    assert!(most >= 7, "{most} steps");
    let all_in_force = positions / 3 * 2 - 1;
    let killed = walk.heal_that_is_killed(all_in_force);
    assert_eq!(killed, Ok(()));
    walk.heals = false;
    let left = walk.position(all_in_force);
    assert!(left.is_err(), "nobody has healed: {left:?}");
}

#[test]
#[ignore = "minutes: a lane of its own"]
fn walk_over_faults_within_sites() {
    walk_over(within_sites);
}

#[test]
#[ignore = "minutes: a lane of its own"]
fn walk_over_what_is_used_up() {
    walk_over(used_up);
}

#[test]
#[ignore = "minutes: a lane of its own"]
fn walk_over_faults_of_whole_sites() {
    walk_over(whole_sites);
}
