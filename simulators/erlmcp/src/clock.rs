//! The only file of this crate that reads the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What this process's wall clock is ahead of the machine's, in milliseconds.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// The wall clock of this process jumps: it is so much ahead of the machine's from now on, or behind.
pub(crate) fn jump(ahead_ms: i64) {
    AHEAD_MS.store(ahead_ms, Ordering::Relaxed);
}

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
    let machine = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ahead = AHEAD_MS.load(Ordering::Relaxed);
    let by = Duration::from_millis(ahead.unsigned_abs());
    if ahead < 0 {
        machine.saturating_sub(by)
    } else {
        machine.saturating_add(by)
    }
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
