//! A stall on command: the pod takes in everything and answers nothing until it is over.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;

pub(super) struct Stall {
    until: Cell<Option<Instant>>,
    /// Wakes those who wait when the end has been moved.
    moved: watch::Sender<()>,
}

impl Default for Stall {
    fn default() -> Stall {
        Stall {
            until: Cell::new(None),
            moved: watch::Sender::new(()),
        }
    }
}

impl Stall {
    /// Replaces an earlier stall; a duration of zero ends it.
    pub(super) fn set(&self, duration: Duration) {
        self.until.set(
            clock::now()
                .checked_add(duration)
                .filter(|_| !duration.is_zero()),
        );
        self.moved.send_replace(());
    }

    /// Returns when there is no stall.
    pub(super) async fn over(&self) {
        while let Some(until) = self.until.get() {
            let left = until.saturating_duration_since(clock::now());
            if left.is_zero() {
                self.until.set(None);
                return;
            }
            let mut moved = self.moved.subscribe();
            // Whichever comes first, the loop looks again.
            let _ = tokio::time::timeout(left, moved.changed()).await;
        }
    }
}
