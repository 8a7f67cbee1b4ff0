//! What is watched beside the load.
//!
//! - `machine`: the generator itself and the machine it runs on, from `/proc`
//! - `probes`: pages of the target, read on their own connections
//! - `progress`: the line that a person reads while the run goes on

pub mod machine;
pub mod probes;
pub mod progress;
