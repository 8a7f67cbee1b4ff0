//! How many requests are answered: all, unless the front door was told to recover badly.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::world::Misbehaviour;

/// For this long or for good, one request in `one_in` is answered; with 0 none is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub one_in: u64,
    pub lasts: Option<Duration>,
}

/// Long enough for nobody to overlook it.
const RELAPSE: Duration = Duration::from_secs(3);
/// Of requests, where only one in so many is answered.
const PARTIAL: u64 = 20;

impl Order {
    /// How a site recovers that was told to be wrong in this way.
    pub(crate) fn after_promotion(how: &[Misbehaviour]) -> Option<Order> {
        how.contains(&Misbehaviour::PartialGoodput)
            .then_some(Order {
                one_in: PARTIAL,
                lasts: None,
            })
    }

    pub(crate) fn relapse() -> Order {
        Order {
            one_in: 0,
            lasts: Some(RELAPSE),
        }
    }
}

#[derive(Default)]
pub(super) struct Answers {
    order: Cell<Option<(Order, Instant)>>,
    asked: Cell<u64>,
}

impl Answers {
    pub(super) fn set(&self, order: Order) {
        self.order.set(Some((order, clock::now())));
    }

    /// Whether the request that has just come is answered. Where some are, every session may be opened: else there
    /// would be nobody whose requests could be answered in part.
    pub(super) fn are_given(&self, opens_session: bool) -> bool {
        let Some((order, since)) = self.order.get() else {
            return true;
        };
        let age = clock::now().duration_since(since);
        if order.lasts.is_some_and(|lasts| age >= lasts) {
            self.order.set(None);
            return true;
        }
        if opens_session && order.one_in > 0 {
            return true;
        }
        self.asked.set(self.asked.get() + 1);
        order.one_in > 0 && self.asked.get().is_multiple_of(order.one_in)
    }
}
