//! A recording judged and shown. Pure and offline: nothing here can reach a target.
//!
//! - `recording`: the files of a run's folder
pub mod recording;
