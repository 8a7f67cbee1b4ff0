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

/// The number that these digits are; nothing for a sign, a blank or a number that is too large.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
