//! Every sabotage turns a run red, for the reason that it was made for.

use crate::drills::{DATA_CORRUPTION, NODE_DRAIN, SITE_FAILURE, checks, mini, mini_alone};
use crate::program::{Folder, run};

/// Runs the drill with and without the sabotage: only with it the check fails.
fn turns_red(scenario: &str, sabotage: &str, check: &str, verdict: &str) {
    let folder = Folder::new();
    let done = run(&folder, scenario, &["--seed", "1", "--sabotage", sabotage]);
    let all = checks(&folder);
    let found = all.iter().find(|(id, ..)| id == check);
    let code = if verdict == "fail" { 1 } else { 4 };
    assert_eq!(
        (done.code, found.map(|(_, verdict, _)| verdict.as_str())),
        (code, Some(verdict)),
        "{all:?}\n{}",
        done.stderr
    );
    let shown = folder
        .events()
        .into_iter()
        .any(|event| event["event"]["kind"] == "sabotage" && event["event"]["name"] == sabotage);
    assert!(shown, "the misbehaviour was shown: {}", done.stderr);
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
    turns_red(&failover(), "lose-acknowledged-write", "rpo-budget", "fail");
}

#[test]
fn writes_in_another_order_fail_reordered() {
    turns_red(&failover(), "reorder-writes", "reordered", "fail");
}

#[test]
fn a_site_that_is_not_fenced_is_split_brain() {
    turns_red(&failover(), "no-fencing", "split_brain", "fail");
}

#[test]
fn a_slow_recovery_fails_its_budget() {
    turns_red(&failover(), "slow-recovery", "rto-budget", "fail");
}

#[test]
fn a_few_answers_are_no_recovery() {
    turns_red(&failover(), "partial-goodput", "rto-budget", "fail");
}

fn restored() -> String {
    let objectives = "  - { rto: 2h, budget: 10s }\n  - { rpo: 1h, budget: 3s }\n";
    mini_alone("mini", DATA_CORRUPTION, objectives)
}

#[test]
fn a_restore_that_does_nothing_leaves_corrupt_records() {
    turns_red(&restored(), "skip-restore", "corrupt", "fail");
}

#[test]
fn an_old_backup_fails_the_recovery_point() {
    turns_red(&restored(), "restore-stale-backup", "rpo-budget", "fail");
}

#[test]
fn a_fault_that_is_left_makes_the_run_invalid() {
    let scenario = mini("mini", NODE_DRAIN, "  - { lost: 0 }\n");
    turns_red(&scenario, "leave-fault", "leftovers", "invalid");
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
