//! Whether firedrill comes to run at all. A process that is frozen again and again, or a machine whose cores somebody
//! else takes, loses time that the kernel does not count as waiting, and a closed load just asks for less meanwhile. So
//! a thread that has nothing else to do wakes all the time, and counts what its wakes are late by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::{Clock, Nanos};

/// Between two wakes.
const PERIOD: Duration = Duration::from_millis(10);
/// What a wake may be late by on a machine that has work to do: a few turns of others on the same core.
const SLACK: Duration = Duration::from_millis(10);

/// Beats until it is dropped.
pub struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    lost: AtomicU64,
}

impl Pulse {
    /// `None` where the machine has no thread left for it.
    pub fn start(clock: Clock) -> Option<Pulse> {
        let shared = Arc::<Shared>::default();
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("pulse".to_owned());
        let thread = thread.spawn(move || beat(&own, clock)).ok()?;
        Some(Pulse {
            shared,
            thread: Some(thread),
        })
    }

    /// Nanoseconds in which nothing ran, so far.
    pub fn lost(&self) -> Nanos {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn beat(shared: &Shared, clock: Clock) {
    let mut before = clock.now();
    while !shared.ended.load(Ordering::Relaxed) {
        std::thread::park_timeout(PERIOD);
        let now = clock.now();
        shared.lost.fetch_add(lost(before, now), Ordering::Relaxed);
        before = now;
    }
}

/// What two wakes in a row are too far apart.
fn lost(before: Nanos, now: Nanos) -> Nanos {
    let due = (PERIOD + SLACK).as_nanos() as u64;
    now.saturating_sub(before).saturating_sub(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_a_wake_is_late_by_is_lost_but_for_a_few_turns_of_others() {
        assert_eq!(lost(0, 10 * MS), 0);
        assert_eq!(lost(0, 20 * MS), 0);
        assert_eq!(lost(0, 80 * MS), 60 * MS);
        assert_eq!(lost(5 * MS, 4 * MS), 0);
    }
}
