//! Capacity and queue: how many operations are worked on, how many wait, and that one more is refused.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

pub(super) struct Admission {
    capacity: u32,
    /// `None`: whoever comes may wait.
    queue: Option<u32>,
    // The semaphore is fair: whoever waits longest is next.
    free: Arc<Semaphore>,
    waiting: Rc<Cell<u32>>,
    /// Work on command that does not end by itself.
    occupied: RefCell<Option<JoinHandle<()>>>,
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
    pub(super) fn new(capacity: u32, queue: Option<u32>) -> Admission {
        Admission {
            capacity,
            queue,
            free: Arc::new(Semaphore::new(capacity as usize)),
            waiting: Rc::default(),
            occupied: RefCell::default(),
        }
    }

    pub(super) fn enter(&self) -> Result<Place, Refused> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Ok(Place::Work(permit));
        }
        if self.queue.is_some_and(|queue| self.waiting.get() >= queue) {
            return Err(Refused);
        }
        self.waiting.set(self.waiting.get() + 1);
        Ok(Place::Queue(Waiting {
            free: self.free.clone(),
            waiting: self.waiting.clone(),
        }))
    }

    /// Takes every place at work, each as it becomes free, and keeps it; or gives all of them back.
    pub(super) fn occupy(&self, on: bool) {
        let mut occupied = self.occupied.borrow_mut();
        match (on, occupied.take()) {
            (true, None) => {
                let (free, all) = (self.free.clone(), self.capacity);
                *occupied = Some(tokio::task::spawn_local(async move {
                    let mut places = Vec::new();
                    for _ in 0..all {
                        places.extend(free.clone().acquire_owned().await);
                    }
                    std::future::pending::<()>().await;
                }));
            }
            (true, there) => *occupied = there,
            (false, there) => {
                if let Some(there) = there {
                    there.abort();
                }
            }
        }
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
        let admission = Admission::new(2, Some(1));
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

    #[test]
    fn without_a_bound_whoever_comes_waits() {
        let admission = Admission::new(1, None);
        let places: Vec<_> = (0..1_000).map(|_| admission.enter()).collect();
        assert!(places.iter().all(Result::is_ok));
        assert_eq!(admission.waiting(), 999);
    }
}
