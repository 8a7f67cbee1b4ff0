//! Data that is damaged or gone, and what comes back from backups.

use std::fs;
use std::time::Duration;

use firedrill_erlmcp::world::{
    BackupChoice, BackupView, BackupsConfig, Instant, Place, Reply, Request, Restored,
};
use serde_json::json;

use crate::world::{Ground, positions, power, put, two_sites};

const EVERY: Duration = Duration::from_millis(300);

fn with_backups() -> Ground {
    two_sites(|config| {
        config.replication = None;
        config.director.as_mut().unwrap().automatic = false;
        config.backups = Some(BackupsConfig {
            every: EVERY,
            off_site_delay: Duration::from_millis(200),
            keep: 3,
        });
    })
}

fn newest(ground: &Ground, place: Place) -> Option<BackupView> {
    let backups = ground.site("a").backups;
    backups.into_iter().rfind(|backup| backup.place == place)
}

/// Waits for a backup in `place` that holds `last` records.
fn await_backup(ground: &Ground, place: Place, last: u64) -> BackupView {
    ground.until("a backup is there", |_| {
        newest(ground, place).is_some_and(|backup| backup.last_position == last)
    });
    newest(ground, place).unwrap()
}

fn restore(ground: &Ground, from: Place, backup: BackupChoice) -> Restored {
    match ground.ask(Request::Restore {
        site: "a".into(),
        of: "a".into(),
        from,
        backup,
    }) {
        Reply::Restored(restored) => restored,
        other => panic!("{other:?}"),
    }
}

fn promote(epoch: u64) -> Request {
    Request::Promote {
        site: "a".into(),
        epoch,
    }
}

#[test]
fn damaged_data_is_replaced_by_the_newest_sound_backup() {
    let ground = with_backups();
    let session = ground.session("a");
    (1..=3).for_each(|number| assert_eq!(put(&session, "c", number)["position"], number));
    let sound = await_backup(&ground, Place::Local, 3);
    assert!(sound.sound);
    put(&session, "c", 4);
    let log = ground.site("a").data.join("ledger.log");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("\"value\":\"2\"", "\"value\":\"9\"", 1)).unwrap();
    let scan = session
        .tool("ledger_scan", json!({ "from": 2, "limit": 1 }))
        .json();
    let record = &scan["result"]["structuredContent"]["records"][0];
    assert_eq!(
        (&record["value"], &record["sound"]),
        (&json!("9"), &json!(false))
    );
    let damaged = await_backup(&ground, Place::Local, 4);
    assert!(!damaged.sound, "{damaged:?}");
    let restored = restore(&ground, Place::Local, BackupChoice::NewestSound);
    assert_eq!(
        (restored.records, restored.sound, restored.corrupt),
        (3, true, 0)
    );
    assert_eq!(ground.site("a").store.map(|store| store.fenced), Some(true));
    assert_eq!(put(&session, "c", 4)["data"]["refused"], "fenced");
    ground.ask(promote(2));
    assert_eq!(positions(&session), [1, 2, 3]);
    assert_eq!(put(&session, "c", 5)["position"], 4);
    let lost = ground.mark(Instant::Lost).unwrap().detail;
    assert_eq!(lost["keys"], json!([["c", 4]]));
}

#[test]
fn a_restore_that_is_asked_for_twice_is_done_once() {
    let ground = with_backups();
    put(&ground.session("a"), "c", 1);
    let id = await_backup(&ground, Place::Local, 1).id;
    ground.ask(Request::Fence {
        site: "a".into(),
        epoch: 2,
    });
    let first = restore(&ground, Place::Local, BackupChoice::Id(id.clone()));
    let store = ground.site("a").process("a-store").unwrap().pid;
    assert_eq!(restore(&ground, Place::Local, BackupChoice::Id(id)), first);
    assert_eq!(ground.site("a").process("a-store").unwrap().pid, store);
}

#[test]
fn a_site_that_is_gone_with_its_backups_is_built_from_those_off_the_site() {
    let ground = with_backups();
    let session = ground.session("a");
    (1..=3).for_each(|number| assert_eq!(put(&session, "c", number)["position"], number));
    let off_site = await_backup(&ground, Place::OffSite, 3);
    let away = ground.directory.0.join("away");
    ground.ask(Request::Wipe {
        site: "a".into(),
        backups: true,
        into: away.clone(),
    });
    let gone = ground.site("a");
    assert!(!gone.powered && !gone.data.exists());
    assert!(gone.processes.iter().all(|process| process.pid.is_none()));
    assert!(
        gone.backups
            .iter()
            .all(|backup| backup.place == Place::OffSite)
    );
    let unpowered = Request::Restore {
        site: "a".into(),
        of: "a".into(),
        from: Place::OffSite,
        backup: BackupChoice::Newest,
    };
    assert!(ground.refusal(unpowered).contains("no power"));
    ground.ask(Request::Rebuild { site: "a".into() });
    ground.ask(Request::Rebuild { site: "a".into() });
    let store = ground.site("a").store.unwrap();
    assert_eq!((store.standby, store.last_position), (true, 0));
    let too_early = Request::Restore {
        site: "a".into(),
        of: "a".into(),
        from: Place::OffSite,
        backup: BackupChoice::NewestSoundBefore(1),
    };
    let words = format!(
        "`a` has no sound backup from before the damage among {}",
        off_site.id
    );
    let refusal = ground.refusal(too_early);
    assert!(refusal.contains(&words), "{refusal}");
    let before = BackupChoice::NewestSoundBefore(off_site.ended_ns + 1);
    let restored = restore(&ground, Place::OffSite, before);
    assert_eq!((restored.backup, restored.records), (off_site.id, 3));
    ground.ask(promote(2));
    ground.until("the site serves", |view| {
        view.site("a").unwrap().pods().all(|pod| pod.ready)
    });
    assert_eq!(positions(&ground.session("a")), [1, 2, 3]);
    ground.ask(Request::Unwipe {
        site: "a".into(),
        from: away,
    });
    ground.ask(power("a", true));
    ground.until("the old store is back", |view| {
        view.site("a").unwrap().store.is_some()
    });
    let store = ground.site("a").store.unwrap();
    assert_eq!((store.last_position, store.fenced), (3, false));
}

#[test]
fn damaged_and_lost_backups_are_seen_and_put_back() {
    let ground = with_backups();
    let session = ground.session("a");
    put(&session, "c", 1);
    let id = await_backup(&ground, Place::Local, 1).id;
    put(&session, "c", 2);
    // No more are taken, so that none is pruned.
    ground.ask(Request::Fence {
        site: "a".into(),
        epoch: 2,
    });
    let away = ground.directory.0.join("away");
    let (site, place) = ("a".to_owned(), Place::Local);
    let find = || {
        let backups = ground.site("a").backups;
        backups
            .into_iter()
            .find(|backup| backup.id == id && backup.place == place)
    };
    let before = find();
    ground.ask(Request::BackupDamage {
        site: site.clone(),
        place,
        id: id.clone(),
        into: away.clone(),
    });
    assert!(!find().unwrap().sound);
    let unsound = Request::Restore {
        site: site.clone(),
        of: site.clone(),
        from: place,
        backup: BackupChoice::Id(id.clone()),
    };
    assert!(ground.refusal(unsound).contains("manifest"));
    let back = Request::BackupPut {
        site: site.clone(),
        place,
        id: id.clone(),
        from: away.clone(),
    };
    ground.ask(back.clone());
    assert_eq!(find(), before);
    ground.ask(Request::BackupRemove {
        site,
        place,
        id: id.clone(),
        into: away,
    });
    assert_eq!(find(), None);
    ground.ask(back);
    assert_eq!(find(), before);
}
