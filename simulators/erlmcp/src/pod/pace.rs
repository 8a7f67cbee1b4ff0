//! How late the pod's only thread comes to its work, as it finds out by itself; and being kept busy on command.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Pod;
use crate::clock;
use crate::world::Busy;

/// Between two looks at the clock.
const TICK: Duration = Duration::from_millis(50);
/// Looks in a row that came late: one alone may have been the machine's doing.
const IN_A_ROW: u32 = 2;
/// Nothing keeps a pod busy for longer, though nobody may come to end it.
const BUSY_MAX: Duration = Duration::from_secs(3_600);

pub(super) struct Pace {
    /// Later than this, again and again, is saturated.
    bound: Option<Duration>,
    late: Cell<u32>,
    busy: watch::Sender<Option<(Busy, Instant)>>,
}

impl Pace {
    pub(super) fn new(bound: Option<Duration>) -> Pace {
        Pace {
            bound,
            late: Cell::new(0),
            busy: watch::Sender::new(None),
        }
    }

    pub(super) fn is_saturated(&self) -> bool {
        self.late.get() >= IN_A_ROW
    }

    /// Keeps the thread busy from now on; or no more.
    pub(super) fn keep_busy(&self, busy: Option<Busy>) {
        let until = clock::now() + BUSY_MAX;
        self.busy.send_replace(busy.map(|busy| (busy, until)));
    }

    fn look(&self, late_by: Duration) {
        let is_late = self.bound.is_some_and(|bound| late_by > bound);
        self.late.set(if is_late {
            self.late.get().saturating_add(1)
        } else {
            0
        });
    }
}

/// Looks at the clock for as long as the pod lives.
pub(super) async fn watch(pod: Rc<Pod>) {
    while pod.pace.bound.is_some() {
        let due = clock::now() + TICK;
        tokio::time::sleep(TICK).await;
        let late_by = clock::now().saturating_duration_since(due);
        pod.pace.look(late_by);
    }
}

/// Keeps the thread busy while that is wanted.
pub(super) async fn burn(pod: Rc<Pod>) {
    let mut wanted = pod.pace.busy.subscribe();
    loop {
        let Some((busy, until)) = *wanted.borrow_and_update() else {
            // The sender lives as long as the pod.
            let _ = wanted.changed().await;
            continue;
        };
        let now = clock::now();
        if now >= until {
            pod.pace.keep_busy(None);
            continue;
        }
        let spent = busy.slice.mul_f64(busy.share.clamp(0.0, 1.0));
        while clock::now() < now + spent {
            std::hint::spin_loop();
        }
        // Everybody else has a turn, however short.
        let rest = busy.slice.saturating_sub(spent);
        tokio::time::sleep(rest.max(Duration::from_millis(1))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_look_is_no_saturation_and_one_in_time_ends_it() {
        let pace = Pace::new(Some(Duration::from_millis(100)));
        let looks = [150, 20, 150, 150, 150, 20];
        let saturated: Vec<bool> = looks
            .iter()
            .map(|&late| {
                pace.look(Duration::from_millis(late));
                pace.is_saturated()
            })
            .collect();
        assert_eq!(saturated, [false, false, false, true, true, false]);
        let unbounded = Pace::new(None);
        (0..5).for_each(|_| unbounded.look(Duration::from_secs(9)));
        assert!(!unbounded.is_saturated());
    }
}
