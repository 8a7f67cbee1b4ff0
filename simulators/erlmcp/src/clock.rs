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

/// Nanoseconds of CLOCK_MONOTONIC, which every process of this machine reads alike.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
pub(crate) fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
