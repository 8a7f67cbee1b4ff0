//! The highest load that still meets a scenario's objectives: what is asked, and where to look next. Pure; the command
//! `capacity` drives it.
//!
//! - `search`: which level is tried next, and when enough is known
//! - `trial`: a scenario to the plan of one trial

pub mod search;
pub mod trial;
