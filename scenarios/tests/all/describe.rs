//! The plan in words.

use crate::common;

use firedrill_scenarios::catalog;

#[test]
fn the_baseline_in_words() {
    let (_, text) = catalog()
        .iter()
        .find(|(name, _)| *name == "baseline")
        .unwrap();
    insta::assert_snapshot!(common::parse(text).describe());
}

#[test]
fn every_kind_of_thing_in_words() {
    let text = common::parse(common::EVERYTHING).describe();
    let (words, rest) = text.split_once("\nvalues").unwrap();
    let (_, warnings) = rest.split_once("\nwarning").unwrap();
    insta::assert_snapshot!(format!("{words}\n...\n\nwarning{warnings}"));
}

#[test]
fn an_endpoint_in_words() {
    insta::assert_snapshot!(common::parse(common::ENDPOINT).describe());
}
