//! Scenario text to a checked plan. No I/O, and no other crate of ours.
//!
//! - `plan`: what a scenario means; [`Plan::parse`] is the only door
//! - `shape`: rates over time, their integral and its inverse
//! - `template`: JSON with holes
//! - `outcome`: how operations end
//! - `sources`: what parsing needs from outside
//! - `text`: YAML to a tree that knows its places, units, diagnostics
//! - `grammar`: the language as data
//! - `decode`: from the tree to the plan
//! - `schema`: the language as a JSON Schema
//! - `programme`: several scenarios one after the other
//! - `catalog`: the scenarios and programmes that are shipped
//! - `sabotage`: misbehaviour that has to turn a run red
//! - `resolved`: the plan as a scenario again
//! - `describe`: the plan in words
//! - `provenance`: where each value came from
//! - `amount`: durations, rates and shares, for command lines

pub mod amount;
mod catalog;
pub(crate) mod decode;
mod describe;
pub(crate) mod grammar;
pub mod outcome;
pub mod plan;
pub mod programme;
pub mod provenance;
mod resolved;
mod sabotage;
mod schema;
mod shape;
pub mod sources;
pub mod template;
pub mod text;

pub use catalog::{about, catalog, programmes};
pub use outcome::Outcome;
pub use plan::Plan;
pub use programme::Programme;
pub use sabotage::{Sabotage, UnknownSabotage};
pub use schema::{programme_schema, schema};
pub use sources::{Given, Sources};
pub use text::diagnostic::{Diagnostic, Diagnostics};
