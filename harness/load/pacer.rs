//! The one timer of a load thread: a timerfd in the thread's runtime.
//!
//! The only file with unsafe code, in one place: registering a descriptor with the runtime.
//! Tokio's own timer wakes 0.5 to 1.4 ms late at the median; a timerfd is 30 us late, without spinning.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::clock::{Clock, Nanos};

pub struct Pacer {
    timer: AsyncFd<OwnedFd>,
    clock: Clock,
    /// When the timer will fire; `Nanos::MAX` when it is not armed.
    armed: Cell<Nanos>,
}

impl Pacer {
    /// Must be called inside the runtime of the thread that will wait on it.
    pub fn new(clock: Clock) -> io::Result<Pacer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: the descriptor must stay the same and open while it is registered. An `OwnedFd` that nobody
        // else has is both, and `AsyncFd` takes it out of the selector before it drops it.
        #[allow(
            unsafe_code,
            reason = "tokio leaves the promise about the descriptor to the caller"
        )]
        let timer = unsafe { AsyncFd::register(descriptor)? };
        Ok(Pacer {
            timer,
            clock,
            armed: Cell::new(Nanos::MAX),
        })
    }

    /// Makes the timer fire at `at` or before. A later call with an earlier time wins.
    pub fn arm(&self, at: Nanos) {
        if at >= self.armed.get() {
            return;
        }
        // An all-zero time would disarm the timer; the clock's zero is long past.
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: self.clock.absolute(at.max(1)),
        };
        // The descriptor is ours and the time is valid: this cannot fail, and a timer that
        // did not fire would show as lateness, which makes the measurement untrusted.
        if timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::ABSTIME, &spec).is_ok() {
            self.armed.set(at);
        }
    }

    /// Waits until the timer fires. Arming it again is what clears the descriptor: nothing is read.
    pub async fn fired(&self) -> io::Result<()> {
        let mut ready = self.timer.readable().await?;
        ready.clear_ready();
        self.armed.set(Nanos::MAX);
        Ok(())
    }
}
