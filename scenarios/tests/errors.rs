//! Ten mistakes show ten diagnostics.
use firedrill_scenarios::{Given, Plan};
#[test]
fn ten() {
    let text = include_str!("ten-mistakes.yaml");
    let e = Plan::parse(text, &Given::named("ten-mistakes.yaml")).unwrap_err();
    println!("{e}");
}
