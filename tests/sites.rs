//! Sites that outlive the runs that break them: `firedrill serve --state`, ended with the test.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use firedrill::clock::Clock;
use firedrill_erlmcp::world::{Request, View, World, attach};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Done, Folder, Running, command, done, firedrill};

pub struct Sites {
    serving: Option<Running>,
    pub world: World,
    pub state: PathBuf,
    // Goes when the sites are gone.
    _folder: Folder,
}

/// What one run is done in.
pub struct Drill {
    pub folder: Folder,
    command: Command,
}

/// A scenario that breaks one small site for a moment, on small clocks. `top` are further lines of it.
pub fn small(name: &str, top: &str, pods: u32, outage: &str, objectives: &str) -> String {
    format!(
        "scenario: {name}
bucket: 200ms
recovery: {{ window: 600ms, errors: 20 %, below: 1s }}
{top}target:
  sites:
    primary: {{ nodes: 2, pods: {pods}, restart_delay: 50ms, behaviour: {{ service_time: 1ms }} }}
  director: {{ probe: 200ms, timeout: 200ms, misses: 9, route_ttl: 1s, automatic: false }}
load:
  arrivals: {{ constant: 200/s }}
  sessions: {{ count: 4 }}
  operations:
    - {{ tool: echo, timeout: 500ms, arguments: {{ message: \"{{{{unique}}}}\" }} }}
timeline:
  - {{ phase: steady, for: 2s }}
{outage}objectives:
  - {{ errors: 90 %, in: [steady] }}
{objectives}"
    )
}

impl Sites {
    /// Serves the sites of this scenario.
    pub fn start(scenario: &str) -> Sites {
        let folder = Folder::new();
        let path = folder.file("served.yaml", scenario);
        let state = folder.at("state");
        let words = ["serve", text(&path), "--state", text(&state)];
        let mut serving = Running::start(command(&words));
        serving.wait_for("front");
        Sites {
            serving: Some(serving),
            world: attach(&state).expect("sites that were just started"),
            state,
            _folder: folder,
        }
    }

    pub fn view(&self) -> View {
        let mut view = self.world.view().expect("the sites say how they stand");
        // The time of day goes on whatever is done to the sites.
        if let Some(director) = &mut view.director {
            director.wall_ms = 0;
        }
        view
    }

    pub fn ask(&self, request: Request) {
        let shown = format!("{request:?}");
        let reply = self.world.ask(&request);
        reply.unwrap_or_else(|error| panic!("{shown}: {error}"));
    }

    /// A run of this scenario on these sites, in a folder of its own.
    pub fn drill(&self, scenario: &str, more: &[&str]) -> Drill {
        let folder = Folder::new();
        let path = folder.file("scenario.yaml", scenario);
        let out = folder.run();
        let mut words = vec!["run", text(&path), "--out", text(&out)];
        words.extend(["--target", text(&self.state)]);
        words.extend(more);
        Drill {
            command: command(&words),
            folder,
        }
    }
}

impl Drill {
    /// With a variable in its environment.
    pub fn with(mut self, name: &str, value: &str) -> Drill {
        self.command.env(name, value);
        self
    }

    pub fn start(&mut self) -> Running {
        let command = std::mem::replace(&mut self.command, Command::new("none"));
        Running::start(command)
    }

    pub fn run(&mut self) -> Done {
        done(self.command.output().expect("the program starts"))
    }

    pub fn heal(&self) -> Done {
        firedrill(&["heal", text(&self.folder.run())])
    }

    pub fn heal_with(&self, name: &str, value: &str) -> Done {
        let mut command = command(&["heal", text(&self.folder.run())]);
        done(
            command
                .env(name, value)
                .output()
                .expect("the program starts"),
        )
    }
}

impl Drop for Sites {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            let pid = Pid::from_raw(serving.pid().cast_signed()).expect("a process id");
            // One that has ended is a zombie until it is waited for, and takes the signal.
            let _ = kill_process(pid, Signal::TERM);
            serving.finish();
        }
    }
}

pub fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("a path")
}

/// Nothing of a real deployment is met by a site of our own, whose door is found by its URL like any other.
#[test]
fn a_stand_in_behind_a_url_is_a_rehearsal() {
    let sites = Sites::start(&small("served", "", 2, "", ""));
    let front = sites.view().sites[0].front;
    let url = format!("http://{front}/mcp");
    let folder = Folder::new();
    let path = folder.file(
        "scenario.yaml",
        &small("by-url", "covers: Anything\n", 2, "", ""),
    );
    let out = folder.run();
    firedrill(&["run", text(&path), "--out", text(&out), "--target", &url]);
    assert_eq!(folder.result()["run"]["mode"], "rehearsal");
    let compliance = std::fs::read_to_string(out.join("compliance.json")).expect("compliance.json");
    assert!(!compliance.contains("\"met\""), "{compliance}");
}

/// Looks until there is nothing to be said any more; what was said last.
pub fn until_nothing<T: Default + PartialEq>(limit: Duration, mut look: impl FnMut() -> T) -> T {
    let clock = Clock::start();
    loop {
        let left = look();
        if left == T::default() || Duration::from_nanos(clock.now()) > limit {
            return left;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// State, parent and start of a process, as the kernel has them.
pub fn kernel(pid: u32) -> Option<(char, u32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let state = fields[0].chars().next()?;
    let alive = !matches!(state, 'Z' | 'X');
    let (parent, started) = (fields[1].parse().ok()?, fields[19].parse().ok()?);
    alive.then_some((state, parent, started))
}

/// The world's own children that play this role.
pub fn children(world: u32, role: &str) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("a list of processes");
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let own = |pid: &u32| {
        let words = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.trim_end_matches('\0').rsplit('\0').next() == Some(role)
            && kernel(*pid).is_some_and(|(_, parent, _)| parent == world)
    };
    pids.filter(own).collect()
}
