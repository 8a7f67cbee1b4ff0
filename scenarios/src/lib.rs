//! Scenario text to a checked plan. No I/O, and no other crate of ours.
//!
//! - `plan`: what a scenario means
//! - `template`: JSON with holes
//! - `shape`: rates over time, their integral and its inverse
//! - `outcome`: how operations end

pub mod outcome;
pub mod plan;
mod shape;
pub mod template;

pub use outcome::Outcome;
pub use plan::Plan;
