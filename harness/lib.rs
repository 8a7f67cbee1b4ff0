//! Runs a plan against a target: the only part that knows tokio, sockets and processes.

pub mod mcp;
