//! Every sabotage turns a run red, for the reason that it was made for.

use crate::drills::{
    DATA_CORRUPTION, NODE_DRAIN, SITE_FAILURE, STORE_CRASH, backups, checks, mini, mini_alone,
    mini_kept,
};
use crate::program::{Folder, run};

/// A check that has to turn red, and what its reason has to say.
struct Red {
    check: &'static str,
    verdict: &'static str,
    because: &'static str,
}

const fn fails(check: &'static str, because: &'static str) -> Red {
    Red {
        check,
        verdict: "fail",
        because,
    }
}

/// Runs the drill with the sabotage: the check turns red for its reason, and the sabotage was shown in force. The
/// drills' own tests show that the check is green without it.
fn turns_red(scenario: &str, sabotage: &str, red: &Red) -> Folder {
    let folder = Folder::new();
    let done = run(&folder, scenario, &["--seed", "1", "--sabotage", sabotage]);
    let all = checks(&folder);
    let found = all.iter().find(|(id, ..)| id == red.check);
    let (_, verdict, reason) = found.unwrap_or_else(|| panic!("{all:?}\n{}", done.stderr));
    let code = if red.verdict == "fail" { 1 } else { 4 };
    assert_eq!(
        (done.code, verdict.as_str()),
        (code, red.verdict),
        "{all:?}\n{}",
        done.stderr
    );
    assert!(reason.contains(red.because), "{reason}");
    let shown: Vec<String> = folder
        .events()
        .into_iter()
        .filter(|event| event["event"]["kind"] == "sabotage" && event["event"]["name"] == sabotage)
        .map(|event| event["event"]["shown"].to_string())
        .collect();
    assert!(!shown.is_empty(), "nothing was wrong: {}", done.stderr);
    let refused = |shown: &String| shown.contains("refused") || shown.contains("NOT in force");
    assert!(!shown.iter().any(refused), "{shown:?}");
    folder
}

/// Instants of the marks of this name.
fn marks(folder: &Folder, name: &str) -> Vec<u64> {
    let events = folder.events();
    let own = events
        .iter()
        .filter(|event| event["event"]["kind"] == "mark" && event["event"]["mark"] == name);
    own.filter_map(|event| event["at"].as_u64()).collect()
}

fn failover() -> String {
    let objectives = "  - { rto: 4h, budget: 6s }\n  - { rpo: 15min, budget: 1s }\n";
    mini(
        "mini",
        &SITE_FAILURE.replace("dr, for: 2s", "dr, for: 8s"),
        objectives,
    )
}

#[test]
fn an_acknowledged_write_that_vanishes_fails_the_recovery_point() {
    let red = fails("rpo-budget", "oldest");
    let folder = turns_red(&failover(), "lose-acknowledged-write", &red);
    let rpo = folder.result()["faults"][0]["rpo"].as_u64();
    assert!(rpo > Some(2_000_000_000), "no lag explains it: {rpo:?}");
}

#[test]
fn writes_in_another_order_fail_reordered() {
    turns_red(&failover(), "reorder-writes", &fails("reordered", "order"));
}

#[test]
fn a_site_that_is_not_fenced_is_split_brain() {
    let red = fails("split_brain", "acknowledged");
    let folder = turns_red(&failover(), "no-fencing", &red);
    assert!(marks(&folder, "fenced").is_empty(), "nobody was fenced");
}

/// What another fault keeps from the store has not been refused by its fence.
#[test]
fn a_cut_link_does_not_hide_that_nobody_was_fenced() {
    let outage = "  - phase: outage
    for: 6s
    faults:
      - { network: { link: store, site: primary, reset: true }, id: cut }
      - { site-failure: primary, at: 600ms, for: 2s }
  - { phase: dr, for: 1s }
  - { read-back: dr }";
    let red = fails("split_brain", "acknowledged");
    turns_red(&mini("mini", outage, ""), "no-fencing", &red);
}

#[test]
fn a_slow_recovery_fails_its_budget() {
    let folder = turns_red(&failover(), "slow-recovery", &fails("rto-budget", "back"));
    let (begun, promoted) = (marks(&folder, "failover_begun"), marks(&folder, "promoted"));
    assert!(
        promoted[0] - begun[0] > 9_000_000_000,
        "the director took its time: {begun:?} {promoted:?}"
    );
}

#[test]
fn a_few_answers_are_no_recovery() {
    let folder = turns_red(&failover(), "partial-goodput", &fails("rto-budget", "back"));
    let fault = folder.result()["faults"][0].clone();
    let answered = fault["marks"]["t6"].as_u64();
    assert!(answered.is_some(), "some were answered: {fault}");
}

#[test]
fn a_site_that_fails_again_had_not_recovered() {
    let scenario = failover().replace("budget: 6s", "budget: 4s");
    let folder = turns_red(&scenario, "relapse", &fails("rto-budget", "back"));
    let fault = folder.result()["faults"][0].clone();
    assert!(fault["relapses"].as_u64() >= Some(1), "{fault}");
}

#[test]
fn acknowledging_too_early_loses_writes_with_the_store() {
    let objectives = "  - { rto: 1h, budget: 6s }\n  - { lost: 0 }\n";
    let scenario = mini_kept("mini", STORE_CRASH, objectives);
    let folder = turns_red(&scenario, "ack-before-fsync", &fails("lost", "lost"));
    let lost = folder.result()["data"]["lost"].as_u64();
    assert!(lost >= Some(10), "what was held in memory: {lost:?}");
}

fn restored() -> String {
    let objectives = "  - { rto: 2h, budget: 10s }\n  - { rpo: 1h, budget: 3s }\n";
    mini_alone("mini", DATA_CORRUPTION, objectives)
}

#[test]
fn a_restore_that_does_nothing_leaves_corrupt_records() {
    turns_red(&restored(), "skip-restore", &fails("corrupt", "5 corrupt"));
}

#[test]
fn an_old_backup_fails_the_recovery_point() {
    let red = fails("rpo-budget", "oldest");
    turns_red(&restored(), "restore-stale-backup", &red);
}

#[test]
fn a_test_restore_that_does_nothing_has_no_recovery_point() {
    let red = fails(
        "rpo-budget",
        "nothing that was acknowledged before the stop is there",
    );
    turns_red(&backups(), "skip-restore", &red);
}

#[test]
fn a_fault_that_is_left_makes_the_run_invalid() {
    let scenario = mini("mini", NODE_DRAIN, "  - { lost: 0 }\n");
    let red = Red {
        check: "leftovers",
        verdict: "invalid",
        because: "cordoned",
    };
    turns_red(&scenario, "leave-fault", &red);
}

#[test]
fn a_sabotage_that_cannot_show_is_refused() {
    let folder = Folder::new();
    let scenario = mini("mini", NODE_DRAIN, "  - { lost: 0 }\n");
    let done = run(&folder, &scenario, &["--sabotage", "ack-before-fsync"]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(done.stderr.contains("store-crash"), "{}", done.stderr);
    assert!(!folder.run().exists());
}
