//! Which bytes of a store are changed: lines of its log, drawn from the seed.

use std::fs;
use std::path::Path;

use firedrill_erlmcp::world::{SiteView, View};
use firedrill_scenarios::plan::Corruption;
use rand::RngExt as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::damage::Damage;
use super::ResolveError;
use crate::ledger::Clients;

/// The site that the records of another one are shipped to. One that is damaged before it is shipped would be shipped
/// damaged, and nobody would take that back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    name: String,
    /// The newest position that it has.
    has: u64,
}

impl Follower {
    /// Of the site of this name, if it ships its records to anybody.
    pub fn of(view: &View, site: &str) -> Option<Follower> {
        let own = view.replication.as_ref().filter(|own| own.from == site)?;
        Some(Follower {
            name: own.to.clone(),
            has: own.shipped_position,
        })
    }
}

/// Which records may be drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Eligible<'a> {
    /// Only what this one has already.
    pub follower: Option<&'a Follower>,
    /// Only what these have written: on sites that outlive a run, nobody reads the records of an earlier one back.
    pub clients: Option<&'a Clients>,
}

/// Draws `count` records of the site's store and says how each is changed.
///
/// # Errors
/// When the log cannot be read, or holds fewer records that may be drawn.
pub fn corruptions(
    site: &SiteView,
    count: u32,
    how: Corruption,
    eligible: Eligible<'_>,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Vec<Damage>, ResolveError> {
    let path = site.log();
    damages(&path, count as usize, how, eligible, random).map_err(|why| ResolveError::Log {
        site: site.name.clone(),
        why,
    })
}

fn damages(
    path: &Path,
    count: usize,
    how: Corruption,
    Eligible { follower, clients }: Eligible<'_>,
    random: &mut Xoshiro256PlusPlus,
) -> Result<Vec<Damage>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(whole) = line.strip_suffix('\n') {
            lines.push((offset, whole));
        }
        offset += line.len() as u64;
    }
    if let Some(clients) = clients {
        lines.retain(|(_, line)| client(line).is_some_and(|name| clients.of(&name).is_some()));
    }
    let all = lines.len();
    if let Some(follower) = follower {
        lines.retain(|(_, line)| position(line).is_some_and(|at| at <= follower.has));
    }
    if lines.len() < count {
        return Err(too_few(all, lines.len(), count, follower));
    }
    // A partial shuffle (Fisher and Yates).
    for place in 0..count {
        let other = random.random_range(place..lines.len());
        lines.swap(place, other);
    }
    lines.truncate(count);
    lines.sort_unstable();
    lines
        .into_iter()
        .map(|(offset, line)| {
            Ok(Damage {
                path: path.to_owned(),
                offset,
                was: line.to_owned(),
                becomes: changed(line, how)?,
            })
        })
        .collect()
}

fn too_few(all: usize, shipped: usize, count: usize, follower: Option<&Follower>) -> String {
    match follower {
        None => format!("it has {all} records of this run, and {count} are to be changed"),
        Some(Follower { name, .. }) => format!(
            "it has {all} records of this run, of which {name} has {shipped}, and {count} are to be changed that {name} has \
             already: wait until more are shipped"
        ),
    }
}

/// One that cannot be read has no position, and is nothing that could be changed.
fn position(line: &str) -> Option<u64> {
    let record: Value = serde_json::from_str(line).ok()?;
    record.get("position")?.as_u64()
}

fn client(line: &str) -> Option<String> {
    let record: Value = serde_json::from_str(line).ok()?;
    Some(record.get("client")?.as_str()?.to_owned())
}

/// The line as it becomes, of the same length.
fn changed(line: &str, how: Corruption) -> Result<String, String> {
    if how == Corruption::Torn {
        let kept = line.len() / 2;
        let head = line.get(..kept).ok_or("a record is no plain text")?;
        return Ok(format!("{head}{}", " ".repeat(line.len() - kept)));
    }
    let record: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let text = |key: &str| record.get(key).and_then(Value::as_str);
    let value = text("value")
        .filter(|value| !value.is_empty())
        .ok_or("a record has no value")?;
    let first = if value.starts_with('0') { '1' } else { '0' };
    let other = format!(
        "{first}{}",
        &value[value.chars().next().map_or(0, char::len_utf8)..]
    );
    let replaced = line.replacen(
        &format!("\"value\":\"{value}\""),
        &format!("\"value\":\"{other}\""),
        1,
    );
    let becomes = match how {
        Corruption::Wrong | Corruption::Torn => replaced,
        Corruption::Silent => {
            let old = text("checksum").ok_or("a record has no checksum")?;
            replaced.replacen(old, &checksum(&record, &other), 1)
        }
    };
    if becomes.len() == line.len() && becomes != line {
        Ok(becomes)
    } else {
        Err("a record is not written as expected".to_owned())
    }
}

/// As the stand-in's store makes it: the first 16 hexadecimal digits of the SHA-256 of the fields, each with a zero
/// byte behind it.
fn checksum(record: &Value, value: &str) -> String {
    let number = |key: &str| record.get(key).and_then(Value::as_u64).unwrap_or(0);
    let client = record
        .get("client")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = format!(
        "{}\0{}\0{client}\0{}\0{value}\0",
        number("position"),
        number("epoch"),
        number("sequence")
    );
    let digest = Sha256::digest(text.as_bytes());
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{standing, view_of};
    use super::*;
    use firedrill_erlmcp::world::ReplicationView;
    use rand_xoshiro::rand_core::SeedableRng as _;

    // The checksum of this record is proved in the stand-in's own tests.
    const LINE: &str = r#"{"position":1,"epoch":1,"client":"a","sequence":1,"value":"v0","checksum":"4547189093b21c20"}"#;

    #[test]
    fn each_kind_of_corruption_changes_what_it_says_and_no_length() {
        let wrong = changed(LINE, Corruption::Wrong).unwrap();
        assert_eq!(wrong, LINE.replace("\"v0\"", "\"00\""));
        let torn = changed(LINE, Corruption::Torn).unwrap();
        assert!(torn.len() == LINE.len() && serde_json::from_str::<Value>(&torn).is_err());
        let silent: Value =
            serde_json::from_str(&changed(LINE, Corruption::Silent).unwrap()).unwrap();
        assert_eq!(silent["value"], "00");
        assert_eq!(silent["checksum"], checksum(&silent, "00"));
        assert_ne!(silent["checksum"], "4547189093b21c20");
    }

    #[test]
    fn the_checksum_is_the_stores() {
        let record = serde_json::json!({"position": 1, "epoch": 1, "client": "a", "sequence": 1});
        assert_eq!(checksum(&record, ""), "4547189093b21c20");
    }

    #[test]
    fn the_seed_decides_which_records_are_hit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(firedrill_erlmcp::LOG);
        let line =
            |number: u64| LINE.replace("\"sequence\":1", &format!("\"sequence\":{number}")) + "\n";
        fs::write(&path, (0..50).map(line).collect::<String>()).unwrap();
        let hit = |seed| {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let damages = damages(
                &path,
                3,
                Corruption::Wrong,
                Eligible::default(),
                &mut random,
            )
            .unwrap();
            damages
                .iter()
                .map(|damage| damage.offset)
                .collect::<Vec<_>>()
        };
        assert_eq!(hit(1), hit(1));
        assert_ne!(hit(1), hit(2));
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        assert!(
            damages(
                &path,
                51,
                Corruption::Wrong,
                Eligible::default(),
                &mut random
            )
            .is_err()
        );
    }

    /// On sites that outlive a run nobody reads them back.
    #[test]
    fn records_of_an_earlier_run_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(firedrill_erlmcp::LOG);
        let line = |number: u64| {
            let client = if number.is_multiple_of(10) {
                "own-0-1"
            } else {
                "other-0-1"
            };
            let line = LINE.replace("\"client\":\"a\"", &format!("\"client\":\"{client}\""));
            line + "\n"
        };
        fs::write(&path, (0..50).map(line).collect::<String>()).unwrap();
        let clients = Clients::new("own", 1);
        let eligible = Eligible {
            follower: None,
            clients: Some(&clients),
        };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut drawn = |count| damages(&path, count, Corruption::Wrong, eligible, &mut random);
        let hit = drawn(5).unwrap();
        assert!(
            hit.iter().all(|damage| damage.was.contains("own-0-1")),
            "{hit:?}"
        );
        assert!(drawn(6).unwrap_err().contains("5 records of this run"));
    }

    #[test]
    fn a_record_that_has_not_been_shipped_yet_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(firedrill_erlmcp::LOG);
        let line =
            |number: u64| LINE.replace("\"position\":1", &format!("\"position\":{number}")) + "\n";
        fs::write(&path, (1..=50).map(line).collect::<String>()).unwrap();
        let drawn = |count, follower: &Follower| {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
            let eligible = Eligible {
                follower: Some(follower),
                clients: None,
            };
            damages(&path, count, Corruption::Wrong, eligible, &mut random)
        };
        let follower = Follower {
            name: "dr".to_owned(),
            has: 5,
        };
        for damage in drawn(5, &follower).unwrap() {
            let record: Value = serde_json::from_str(&damage.was).unwrap();
            assert!(record["position"].as_u64().unwrap() <= 5, "{record}");
        }
        let error = drawn(6, &follower).unwrap_err();
        assert_eq!(
            error,
            "it has 50 records of this run, of which dr has 5, and 6 are to be changed that dr has already: wait until more are \
             shipped"
        );
    }

    #[test]
    fn only_a_site_that_ships_has_a_follower() {
        let mut view = view_of(vec![
            standing("a", Vec::new(), Vec::new()),
            standing("b", Vec::new(), Vec::new()),
        ]);
        assert_eq!(Follower::of(&view, "a"), None);
        view.replication = Some(ReplicationView {
            from: "a".to_owned(),
            to: "b".to_owned(),
            paused: false,
            shipped_position: 7,
            lag_ms: 0,
        });
        let follower = Follower {
            name: "b".to_owned(),
            has: 7,
        };
        assert_eq!(Follower::of(&view, "a"), Some(follower));
        assert_eq!(Follower::of(&view, "b"), None);
    }
}
