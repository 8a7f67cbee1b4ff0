//! A recording judged and shown. Pure and offline: nothing here can reach a target, read a clock or draw a
//! random number, so that the same folder gives the same bytes on any later day.
//!
//! - `recording`: the files of a run's folder
//! - `judge`: a recording to checks and a verdict
//! - `findings`: causes that are known by how they look
//! - `result`: what `result.json` holds
//! - `render`: the outputs
//! - `programme`: the folder of several drills; `capacity`: that of a search for capacity
//! - `numbers`: numbers as people read them
pub mod capacity;
pub mod findings;
pub mod judge;
pub mod numbers;
pub mod programme;
pub mod recording;
pub mod render;
pub mod result;

pub use judge::{Judged, judge, judge_capacity, judge_programme, trial};
pub use recording::Recording;
pub use result::{CapacityDocument, ResultDocument, Verdict, capacity_schema, schema};
