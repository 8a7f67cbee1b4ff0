//! Scenarios and sources that several tests use.

use firedrill_scenarios::{Given, Plan};

pub const EVERYTHING: &str = include_str!("data/everything.yaml");
pub const DRILL: &str = include_str!("data/drill.yaml");
pub const HOSTILE: &str = include_str!("data/hostile.yaml");
pub const ENDPOINT: &str = include_str!("data/endpoint.yaml");

/// Sources with the files that `everything.yaml` names.
pub fn sources(name: &str) -> Given {
    let mut given = Given::named(name);
    given.files.insert(
        "data/users.csv".to_owned(),
        b"name,age\nAda,36\n\"quote \"\" and, comma\",007\n".to_vec(),
    );
    given.files.insert(
        "data/day.txt".to_owned(),
        b"# a trace\n0\n0.25\n\n7.5 # late\n7.5\n".to_vec(),
    );
    given
}

pub fn parse(text: &str) -> Plan {
    Plan::parse(text, &sources("test.yaml")).unwrap_or_else(|problems| panic!("{problems}"))
}
