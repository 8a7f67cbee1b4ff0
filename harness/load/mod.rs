//! The load engine: a thread a core, nothing shared, merged once a second.
//!
//! - `schedule`: seed and plan to due times, stripe by stripe; `think`: the pauses between flows, and before the first
//! - `pacer`, `wheel`, `agenda`: when to wake, and what for; `heartbeat`: whether the thread came to run
//! - `worker`: one thread's state, in nine rooms: `arrivals` makes operations due, `opening` says when sessions begin,
//!   `sessions` opens and ends them, `connections` makes what they talk over, `requests` says what is said, `outbox`
//!   sends it, `reading` reads, `outcomes` says what an answer means, `settling` ends operations
//! - `operation`, `slab`: things that come and go without allocating
//! - `tally`: what is counted; `closes`: connections that the target closed
//! - `engine`, `report`: all threads together
//! - `calibration`: what this machine can do
//! - `sink`: a server that costs nothing, to see what the load itself costs

pub mod agenda;
pub mod arrivals;
pub mod calibration;
pub mod closes;
pub mod connections;
pub mod engine;
pub mod heartbeat;
pub mod opening;
pub mod operation;
pub mod outbox;
pub mod outcomes;
pub mod pacer;
pub mod reading;
pub mod report;
pub mod requests;
pub mod schedule;
pub mod sessions;
pub mod settling;
pub mod sink;
pub mod slab;
pub mod tally;
pub mod think;
pub mod wheel;
pub mod worker;
