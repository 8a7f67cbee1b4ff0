//! The only file of this crate that reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since 1970 in UTC, for time stamps that people read; never for measuring.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
pub(crate) fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
