//! Capacity and queue: how many operations are worked on, how many wait, and that one more is refused.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) struct Admission {
    capacity: u32,
    queue: u32,
    // The semaphore is fair: whoever waits longest is next.
    free: Arc<Semaphore>,
    waiting: Rc<Cell<u32>>,
}

/// The queue is full.
#[derive(Debug)]
pub(super) struct Refused;

/// A place among the operations: at work, or in the queue.
pub(super) enum Place {
    Work(OwnedSemaphorePermit),
    Queue(Waiting),
}

/// Counted as waiting for as long as it lives.
pub(super) struct Waiting {
    free: Arc<Semaphore>,
    waiting: Rc<Cell<u32>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.waiting.set(self.waiting.get() - 1);
    }
}

impl Admission {
    pub(super) fn new(capacity: u32, queue: u32) -> Admission {
        Admission {
            capacity,
            queue,
            free: Arc::new(Semaphore::new(capacity as usize)),
            waiting: Rc::default(),
        }
    }

    pub(super) fn enter(&self) -> Result<Place, Refused> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Ok(Place::Work(permit));
        }
        if self.waiting.get() >= self.queue {
            return Err(Refused);
        }
        self.waiting.set(self.waiting.get() + 1);
        Ok(Place::Queue(Waiting {
            free: self.free.clone(),
            waiting: self.waiting.clone(),
        }))
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.get().into()
    }

    pub(super) fn running(&self) -> u64 {
        u64::from(self.capacity).saturating_sub(self.free.available_permits() as u64)
    }
}

impl Place {
    /// Waits for work to begin. `None` when the pod is ending.
    pub(super) async fn begin(self) -> Option<OwnedSemaphorePermit> {
        match self {
            Place::Work(permit) => Some(permit),
            Place::Queue(waiting) => waiting.free.clone().acquire_owned().await.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_capacity_and_queue_is_refused() {
        let admission = Admission::new(2, 1);
        let first = admission.enter().unwrap();
        let _second = admission.enter().unwrap();
        let third = admission.enter().unwrap();
        assert_eq!((admission.running(), admission.waiting()), (2, 1));
        assert!(admission.enter().is_err());
        // One that gives up leaves room in the queue.
        drop(third);
        let third = admission.enter().unwrap();
        assert!(admission.enter().is_err());
        drop(first);
        let permit = std::pin::pin!(third.begin());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(permit, &mut context).is_ready());
        assert_eq!(admission.waiting(), 0);
    }
}
