//! The MCP client.

pub mod answer;
pub mod http;
pub mod json;
pub mod sse;
