//! Runs a plan against a target: the only part that knows tokio, sockets and processes.

pub mod capacity;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod conduct;
pub mod exit;
pub mod fault;
pub mod hold;
pub mod ledger;
pub mod load;
pub mod mcp;
pub mod observe;
pub mod preflight;
pub mod record;
pub mod scenario;
pub mod signals;
pub mod stand_in;
pub mod target;
