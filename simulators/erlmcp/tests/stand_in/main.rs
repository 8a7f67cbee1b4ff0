//! Whole sites over loopback: what clients see, and that no process is left behind.
//!
//! ```text
//! client    a blocking client, one connection a request; a site in a directory of its own
//! serving   sessions, tools, both shapes of answers, both profiles
//! limits    capacity, queue, sessions, connections, stalls, breakages, pods that go
//! bounds    what one client may do to the others: rates, connections, sizes, answers that are not taken
//! ledger    writes, reads, and a store that is killed
//! links     the network between the others, disturbed and let alone again
//! tls       a front door with TLS and client certificates
//! ends      every way in which a site ends
//! resources memory, processor, places, disk used up; certificates and clocks
//! world     several sites in a world; failover, pods, restore: what can be asked of it
//! ```

mod bounds;
mod client;
mod ends;
mod failover;
mod ledger;
mod limits;
mod links;
mod pods;
mod resources;
mod restore;
mod serving;
mod tls;
mod world;
