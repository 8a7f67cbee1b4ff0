//! The ledger: what was acknowledged is there, also after the store was killed.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::{Session, start};
use crate::limits::until;

fn put(session: &Session, client: &str, sequence: u64) -> Value {
    let arguments =
        json!({ "client": client, "sequence": sequence, "value": format!("{client}/{sequence}") });
    session.tool("ledger_put", arguments).json()
}

/// Every record, page by page.
fn scan(session: &Session, limit: u64) -> Vec<Value> {
    let mut records = Vec::new();
    let mut from = json!(1);
    while !from.is_null() {
        let page = session
            .tool("ledger_scan", json!({ "from": from, "limit": limit }))
            .json();
        let page = &page["result"]["structuredContent"];
        records.extend(page["records"].as_array().unwrap().iter().cloned());
        from = page["next"].clone();
    }
    records
}

#[test]
fn writes_can_be_read_back_from_any_pod() {
    let site = start(|config| {
        config.pods = 2;
        config.epoch = 7;
    });
    let sessions = [site.session(), site.session()];
    for sequence in 1..=5 {
        let placed = put(&sessions[0], "c", sequence);
        let placed = &placed["result"]["structuredContent"];
        assert_eq!(
            (&placed["position"], &placed["epoch"]),
            (&json!(sequence), &json!(7))
        );
    }
    let got = sessions[1]
        .tool("ledger_get", json!({ "client": "c", "sequence": 3 }))
        .json();
    let got = &got["result"]["structuredContent"];
    assert_eq!(
        (&got["found"], &got["record"]["value"]),
        (&json!(true), &json!("c/3"))
    );
    let missing = sessions[1]
        .tool("ledger_get", json!({ "client": "c", "sequence": 6 }))
        .json();
    assert_eq!(
        missing["result"]["structuredContent"],
        json!({ "found": false })
    );
    for limit in [1, 2, 5, 100] {
        let positions: Vec<_> = scan(&sessions[1], limit)
            .iter()
            .map(|r| r["position"].clone())
            .collect();
        assert_eq!(positions, [1, 2, 3, 4, 5], "pages of {limit}");
    }
    assert_eq!(
        sessions[0]
            .tool("ledger_put", json!({ "client": "c" }))
            .code(),
        -32603
    );
}

/// Writes until a write is refused, and says where the others were put.
fn write_until_refused(
    session: &Session,
    client: &str,
    acknowledge: &Sender<()>,
) -> Vec<((String, u64), u64)> {
    let mut acknowledged = Vec::new();
    for sequence in 1.. {
        let answer = put(session, client, sequence);
        let Some(position) = answer["result"]["structuredContent"]["position"].as_u64() else {
            assert_eq!(answer["error"]["code"], -32603);
            break;
        };
        acknowledged.push(((client.to_owned(), sequence), position));
        // Nobody counts any more after the first hundred.
        let _ = acknowledge.send(());
    }
    acknowledged
}

#[test]
fn a_killed_store_loses_nothing_that_was_acknowledged() {
    let mut site = start(|_| {});
    let session = site.session();
    let store = site.running.processes()[0].clone();
    let (acknowledge, acknowledgements) = channel();
    // Writers go on until the store does not answer any more.
    let acknowledged: BTreeMap<(String, u64), u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (session, acknowledge) = (&session, acknowledge.clone());
                scope.spawn(move || {
                    write_until_refused(session, &format!("w{writer}"), &acknowledge)
                })
            })
            .collect();
        assert_eq!(acknowledgements.iter().take(100).count(), 100);
        let pid = Pid::from_raw(i32::try_from(store.pid).unwrap()).unwrap();
        kill_process(pid, Signal::KILL).unwrap();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    assert!(acknowledged.len() >= 100);
    let again = site.running.restart("a-store").unwrap();
    assert_eq!(again.address, store.address);
    assert_ne!(again.pid, store.pid);
    let found: BTreeMap<_, _> = scan(&session, 1_000)
        .iter()
        .map(|record| {
            let key = (
                record["client"].as_str().unwrap().to_owned(),
                record["sequence"].as_u64().unwrap(),
            );
            (key, record["position"].as_u64().unwrap())
        })
        .collect();
    for (key, position) in &acknowledged {
        assert_eq!(found.get(key), Some(position), "{key:?} was acknowledged");
    }
    // At most the one write of each writer that was under way may be there beside them.
    assert!(found.len() <= acknowledged.len() + 4);
    let next = put(&session, "after", 1);
    assert_eq!(
        next["result"]["structuredContent"]["position"],
        found.len() as u64 + 1
    );
}

#[test]
fn without_a_store_the_site_is_unhealthy_and_still_serves() {
    let site = start(|_| {});
    let session = site.session();
    let store = Pid::from_raw(i32::try_from(site.running.processes()[0].pid).unwrap()).unwrap();
    kill_process(store, Signal::KILL).unwrap();
    until("the store is missed", || {
        crate::client::get(site.front(), "/health").status == 503
    });
    assert_eq!(put(&session, "c", 1)["error"]["code"], -32603);
    assert_eq!(session.tool("echo", json!({ "message": "m" })).text(), "m");
}
