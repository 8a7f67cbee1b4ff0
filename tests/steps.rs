//! Steps of a recovery that nobody went on from: whatever came to an end between two of them, clients are sent to the
//! one site that takes their writes. Nobody else brings that about here: the director is told what to do.

use std::time::Duration;

use firedrill_erlmcp::world::View;
use rustix::process::Signal;

use crate::program::{Done, Running, send};
use crate::sites::{Drill, Sites, until_nothing};

/// For what is on its way to be seen.
const LIMIT: Duration = Duration::from_secs(20);

/// Two sites, records that are damaged in the first of them, and these steps after that.
fn scenario(steps: &str) -> String {
    format!(
        "scenario: steps
bucket: 200ms
recovery: {{ window: 600ms, errors: 20 %, below: 1s }}
target:
  sites:
    primary: {{ nodes: 1, pods: 2, behaviour: {{ service_time: 1ms }} }}
    dr: {{ nodes: 1, pods: 2, behaviour: {{ service_time: 1ms }} }}
  replication: {{ from: primary, to: dr, lag: 50ms }}
  director: {{ probe: 200ms, timeout: 200ms, misses: 9, route_ttl: 1s, automatic: false }}
  backups: {{ every: 500ms, off_site_delay: 100ms, keep: 20 }}
load:
  arrivals: {{ constant: 150/s }}
  sessions: {{ count: 4 }}
  operations:
    - {{ tool: echo, timeout: 500ms, arguments: {{ message: \"{{{{unique}}}}\" }} }}
    - {{ ledger: write, timeout: 500ms }}
timeline:
  - {{ phase: steady, for: 2s }}
  - phase: outage
    for: 60s
    faults:
      - {{ data-corruption: {{ site: primary, records: 3 }}, id: rot }}
    steps:
{steps}  - {{ read-back: serving }}
objectives:
  - {{ errors: 90 %, in: [steady] }}
  - {{ rpo: 1h }}
"
    )
}

/// A run that has come as far as this.
fn come_to(sites: &Sites, scenario: &str, said: &str) -> (Drill, Running) {
    let mut drill = sites.drill(scenario, &[]);
    let mut running = drill.start();
    running.wait_for(said);
    (drill, running)
}

/// Where clients are sent, and who takes writes.
fn standing(view: &View) -> (&str, Vec<&str>) {
    let serves = |site: &&firedrill_erlmcp::world::SiteView| {
        let store = site.store.as_ref();
        store.is_some_and(|store| !store.fenced && !store.standby)
    };
    let serving = view.sites.iter().filter(serves);
    let route = view.director.as_ref().map(|director| &director.route);
    let serving = serving.map(|site| site.name.as_str()).collect();
    (route.expect("a director"), serving)
}

/// A run that ends by this signal once it has come as far as `said` is healed, by itself or by the next one: then
/// clients are sent to `site`, and no other takes writes.
fn ends(steps: &str, said: &str, signal: Signal, site: &str) {
    let scenario = scenario(steps);
    let sites = Sites::start(&scenario);
    let (drill, running) = come_to(&sites, &scenario, said);
    let before = sites.view();
    assert_ne!(standing(&before), (site, vec![site]), "{}", running.said);
    running.signal(signal);
    let done = running.finish();
    let healed = drill.heal();
    assert_eq!(healed.code, 0, "{healed:#?} {done:#?}");
    let after = sites.view();
    assert_eq!(
        standing(&after),
        (site, vec![site]),
        "{healed:#?} {done:#?}"
    );
    stays(&sites, &drill, &after);
}

/// To heal once more changes nothing.
fn stays(sites: &Sites, drill: &Drill, before: &View) {
    let again: Done = drill.heal();
    let all = "healed 0, left behind 0";
    assert!(again.stdout.contains(all), "{again:#?}");
    // A standby may learn of the newest epoch any time.
    let epoch = |view: &View| {
        let serving = view.site(standing(view).0);
        let store = serving.and_then(|site| site.store.as_ref());
        store.map(|store| store.epoch)
    };
    let after = sites.view();
    assert_eq!(
        (standing(&after), epoch(&after)),
        (standing(before), epoch(before))
    );
}

/// A store that was filled from a backup takes writes only when it is promoted.
const RESTORED: &str = "      - { restore: primary }\n      - { promote: primary, delay: 40s }\n";

#[test]
fn a_site_that_was_restored_in_its_place_takes_writes_after_sigkill() {
    ends(RESTORED, "records from backup", Signal::KILL, "primary");
}

#[test]
fn a_site_that_was_restored_in_its_place_takes_writes_after_sigint() {
    ends(RESTORED, "records from backup", Signal::INT, "primary");
}

/// Nobody was promoted, so the one whose records are the newest takes writes again.
#[test]
fn clients_who_were_sent_on_too_early_are_sent_back() {
    let steps = "      - { fence: primary }\n      - { reroute: dr }\n      - { promote: dr, delay: 40s }\n";
    for signal in [Signal::KILL, Signal::INT] {
        ends(steps, "clients are sent to dr", signal, "primary");
    }
    let unfenced = "      - { reroute: dr }\n      - { promote: dr, delay: 40s }\n";
    ends(unfenced, "clients are sent to dr", Signal::KILL, "primary");
}

/// Who went back would lose what the promoted site has taken since.
#[test]
fn clients_of_a_fenced_site_are_sent_on_to_the_one_that_was_promoted() {
    let steps = "      - { fence: primary }\n      - { promote: dr }\n      - { reroute: dr, delay: 40s }\n";
    for signal in [Signal::KILL, Signal::INT] {
        ends(steps, "dr takes writes in epoch", signal, "dr");
    }
}

/// Over, and then halfway home.
#[test]
fn the_site_that_was_promoted_last_is_the_one_to_go_back_to() {
    let steps = "      - { fence: primary }\n      - { promote: dr }\n      - { reroute: dr }
      - { fence: dr, id: home }\n      - { reroute: primary, id: back }\n      - { promote: primary, id: again, delay: 40s }\n";
    ends(steps, "clients are sent to primary", Signal::KILL, "dr");
}

#[test]
fn a_recovery_that_came_to_its_end_stays_as_it_is() {
    let steps = "      - { fence: primary }\n      - { promote: dr }\n      - { reroute: dr }
      - { command: { run: [sleep, \"40\"], timeout: 50s } }\n";
    let scenario = scenario(steps);
    let sites = Sites::start(&scenario);
    let (drill, running) = come_to(&sites, &scenario, "clients are sent to dr");
    let before = sites.view();
    assert_eq!(standing(&before), ("dr", vec!["dr"]));
    running.signal(Signal::KILL);
    running.finish_unheard();
    assert_eq!(drill.heal().code, 0);
    stays(&sites, &drill, &before);
}

/// One that waits for a site which does not come holds up nobody who heals, and leaves the log going where it went.
#[test]
fn a_way_home_that_waits_for_a_pod_is_given_up_with_the_run() {
    let steps = "      - { fence: primary }\n      - { promote: dr }\n      - { reroute: dr }
      - { fail-back: primary, delay: 1s }\n";
    let scenario = scenario(steps);
    let shipped_from = |view: View| view.replication.map(|way| way.from);
    let sites = Sites::start(&scenario);
    let (drill, running) = come_to(&sites, &scenario, "clients are sent to dr");
    let view = sites.view();
    let pod = view
        .site("primary")
        .and_then(|site| site.process("primary-0"));
    let pod = pod.and_then(|pod| pod.pid).expect("a pod that runs");
    send(pod, Signal::STOP);
    until_nothing(LIMIT, || {
        shipped_from(sites.view()).filter(|from| from == "primary")
    });
    running.signal(Signal::KILL);
    let done = running.finish_unheard();
    let healed = drill.heal();
    assert_eq!(healed.code, 0, "{healed:#?} {done:#?}");
    let after = sites.view();
    assert_eq!(
        standing(&after),
        ("dr", vec!["dr"]),
        "{healed:#?} {done:#?}"
    );
    assert_eq!(shipped_from(after).as_deref(), Some("primary"));
    send(pod, Signal::CONT);
}

/// Each of these steps is written down before it is done. The damage before them has six lines of the journal, and each
/// line two positions.
#[test]
#[ignore = "minutes: a lane of its own"]
fn walk_over_the_steps_of_a_recovery() {
    let steps = "      - { fence: primary }\n      - { promote: dr }\n      - { reroute: dr }
      - { command: { run: [sleep, \"40\"], timeout: 50s } }\n";
    let scenario = scenario(steps);
    for position in 12..18 {
        let sites = Sites::start(&scenario);
        let drill = sites.drill(&scenario, &[]);
        let mut drill = drill.with("FIREDRILL_DIE_AT", &position.to_string());
        let died = drill.run();
        assert_eq!(died.code, 128 + 9, "{position}: {died:#?}");
        let healed = drill.heal();
        assert_eq!(healed.code, 0, "{position}: {healed:#?}");
        let after = sites.view();
        // The promotion is what comes after the fourth of these positions.
        let site = if position < 16 { "primary" } else { "dr" };
        let all = standing(&after);
        assert_eq!(all, (site, vec![site]), "{position}: {healed:#?}");
        stays(&sites, &drill, &after);
    }
}
