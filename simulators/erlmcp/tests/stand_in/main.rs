//! Whole sites over loopback: what clients see, and that no process is left behind.
//!
//! ```text
//! client    a blocking client, one connection a request; a site in a directory of its own
//! serving   sessions, tools, both shapes of answers, both profiles
//! ```

mod client;
mod serving;
