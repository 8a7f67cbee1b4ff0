//! A run, the sites that it breaks and who heals it need not stand in the same place, and folders are moved: what was
//! taken is given back all the same, or named.

use std::fs;
use std::path::{Path, PathBuf};

use firedrill_erlmcp::world::Kept;
use rustix::process::Signal;

use crate::drills::mini_alone;
use crate::program::{Done, Folder, Running, command, firedrill};
use crate::sites::{Sites, small, text};

/// A run on these sites that stands in its own folder and is told of it by a relative path.
fn started(sites: &Sites, folder: &Folder, scenario: &str) -> Running {
    folder.file("scenario.yaml", scenario);
    let words = ["run", "scenario.yaml", "--out", "run", "--seed", "1"];
    let mut command = command(&words);
    command.args(["--target", text(&sites.state)]);
    command.current_dir(folder.at(""));
    Running::start(command)
}

fn records(log: &Path) -> usize {
    fs::read_to_string(log).map_or(0, |text| text.lines().count())
}

/// A site that loses everything for a while.
fn taken() -> String {
    let outage = "  - { phase: outage, fault: { system-failure: primary }, for: 60s }\n  - { read-back: primary }";
    mini_alone("taken", outage, "  - { rpo: 4h }\n")
}

/// The site loses everything, and its store holds it again afterwards.
fn loses_and_has_again(sites: &Sites, end: impl Fn(&Folder, Running) -> Done) -> Done {
    let folder = Folder::new();
    let mut running = started(sites, &folder, &taken());
    running.wait_for("system-failure: in force");
    let kept = folder
        .run()
        .join("quarantine/system-failure/store/ledger.log");
    let taken = records(&kept);
    assert!(taken > 100, "{} holds {taken}", kept.display());
    let own = || sites.view().site("primary").expect("a site").clone();
    let log = own().data.join("ledger.log");
    assert_eq!(records(&log), 0);
    let done = end(&folder, running);
    let (site, has) = (own(), records(&log));
    assert_eq!((site.kept, site.away), (Kept::Records, None), "{done:#?}");
    assert!(has >= taken, "{has} of {taken}: {done:#?}");
    done
}

fn killed(running: Running) {
    running.signal(Signal::KILL);
    running.finish();
}

fn heal(run: &Path) -> Done {
    firedrill(&["heal", text(run)])
}

#[test]
fn what_was_taken_from_a_site_is_given_back_wherever_who_took_it_stood() {
    let sites = Sites::start(&taken());
    // By the run itself, which ends.
    let done = loses_and_has_again(&sites, |_, running| {
        running.signal(Signal::INT);
        running.finish()
    });
    assert_eq!(done.code, 130, "{done:#?}");
    // By somebody who stands elsewhere.
    let done = loses_and_has_again(&sites, |folder, running| {
        killed(running);
        heal(&folder.run())
    });
    assert_eq!(done.code, 0, "{done:#?}");
    // After the run's folder was moved.
    let done = loses_and_has_again(&sites, |folder, running| {
        killed(running);
        let moved: PathBuf = folder.at("moved");
        fs::rename(folder.run(), &moved).expect("the run's folder");
        heal(&moved)
    });
    assert_eq!(done.code, 0, "{done:#?}");
    // What is not there any more cannot be given back, and nobody says that it was.
    let done = loses_and_has_again(&sites, |folder, running| {
        killed(running);
        let (kept, lost) = (folder.run().join("quarantine"), folder.at("lost"));
        fs::rename(&kept, &lost).expect("what was taken");
        let left = heal(&folder.run());
        assert!(left.stdout.contains("LEFT"), "{left:#?}");
        assert!(left.stdout.contains("is not at `"), "{left:#?}");
        fs::rename(lost, kept).expect("what was taken");
        let healed = heal(&folder.run());
        assert_eq!(healed.code, 0, "{healed:#?}");
        left
    });
    assert_eq!(done.code, 4, "{done:#?}");
}

/// What a command names is found from where the run stood.
#[test]
fn a_command_is_healed_where_it_was_run() {
    let words = "inject: [touch, broken], heal: [rm, broken], check: [test, -e, broken]";
    let outage =
        format!("  - {{ phase: outage, for: 60s, fault: {{ command: {{ {words} }} }} }}\n");
    let scenario = small("relative", "", 2, &outage, "");
    let sites = Sites::start(&scenario);
    let folder = Folder::new();
    let mut running = started(&sites, &folder, &scenario);
    running.wait_for("command: in force");
    assert!(folder.at("broken").exists());
    killed(running);
    let healed = heal(&folder.run());
    assert_eq!(healed.code, 0, "{healed:#?}");
    assert!(!folder.at("broken").exists(), "{healed:#?}");
}
