//! The MCP client.
//!
//! - transport: `destination` (where to), `resolver` (names), `link` (bytes, TLS), `http` and `sse` (framing)
//! - session: what is said, and when
//! - messages: `exchange` (one request's answer), `json` (scanning without allocating), `answer` (judged)
//! - `caller`: calls that are not load, one after the other
//!
//! Other transports come beside `link`, and the era without sessions beside `session`.

pub mod answer;
pub mod caller;
pub mod destination;
pub mod exchange;
pub mod http;
pub mod json;
pub mod link;
pub mod resolver;
pub mod session;
pub mod sse;
