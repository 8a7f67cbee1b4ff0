//! Log shipping: the lines of this store to another one, behind the acknowledgements.
//!
//! The other store says how far it has come, and takes lines by their positions, so that sending twice does no harm.
//! When its last line is not this store's line of that position, it holds another history: it forgets all, and is
//! caught up from the beginning.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Store;
use super::standing::Duty;
use crate::ask;
use crate::clock;

/// Lines in one message.
const BATCH: u64 = 500;
/// Between two looks at what is due.
const LOOK: Duration = Duration::from_millis(10);
/// For an answer: a slow link takes its time there and back, and all that is on it has arrived then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where lines go, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shipping {
    pub to: SocketAddr,
    /// A line is not sent before this time has passed since its acknowledgement.
    pub lag: Duration,
    pub paused: bool,
}

#[derive(Default)]
pub(super) struct Shipper {
    order: RefCell<Option<Shipping>>,
    confirmed: Cell<u64>,
    /// The newest position whose lag is over.
    due: Cell<u64>,
    /// Whether the other store's history is known to be this one's.
    agreed: Cell<bool>,
}

/// What a store says of its end, for whoever wants to ship to it.
#[derive(Serialize, Deserialize)]
pub(super) struct Tail {
    pub duty: Duty,
    pub last: u64,
    pub line: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Last {
    pub last: u64,
}

impl Shipper {
    pub(super) fn new(order: Option<Shipping>, last: u64) -> Shipper {
        Shipper {
            order: RefCell::new(order),
            // What an earlier life has acknowledged is old enough.
            due: Cell::new(last),
            ..Shipper::default()
        }
    }

    pub(super) fn order(&self, order: Option<Shipping>) {
        if self.order.borrow().map(|old| old.to) != order.map(|new| new.to) {
            self.agreed.set(false);
            self.confirmed.set(0);
        }
        *self.order.borrow_mut() = order;
    }

    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed.get()
    }

    /// Whether the other store holds the same history, as far as it goes.
    pub(super) fn agrees(&self) -> bool {
        self.agreed.get()
    }

    fn current(&self) -> Option<Shipping> {
        *self.order.borrow()
    }
}

pub(super) async fn run(store: Rc<Store>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(order) = store.shipper.current() else {
            continue;
        };
        // A store that was fenced still hands over what it has.
        if order.paused || store.committer.standing().duty == Duty::Standby {
            store.shipper.agreed.set(false);
            continue;
        }
        if ship(&store, order).await.is_none() {
            store.shipper.agreed.set(false);
            tokio::time::sleep(LOOK * 10).await;
        }
    }
}

/// Sends everything that is due; `None` when the other store does not go along.
async fn ship(store: &Store, order: Shipping) -> Option<()> {
    let shipper = &store.shipper;
    if !shipper.agreed.get() {
        shipper.confirmed.set(agree(store, order).await?);
        shipper.agreed.set(true);
    }
    let until = clock::monotonic_ns().saturating_sub(order.lag.as_nanos() as u64);
    let due = store.committer.committed_by(until, shipper.due.get());
    shipper.due.set(due);
    while shipper.confirmed.get() < due && shipper.current() == Some(order) {
        let from = shipper.confirmed.get() + 1;
        let lines = store
            .committer
            .lines(from, due.min(from + BATCH - 1))
            .ok()?;
        let path = format!(
            "/replicate?from={from}&epoch={}",
            store.committer.standing().epoch
        );
        let answer = ask::post(order.to, &path, Bytes::from(lines), PATIENCE)
            .await
            .ok()?;
        let last = serde_json::from_slice::<Last>(&answer).ok()?.last;
        if last < from {
            return None;
        }
        shipper.confirmed.set(last);
    }
    Some(())
}

/// The position up to which both stores hold the same.
async fn agree(store: &Store, order: Shipping) -> Option<u64> {
    let answer = ask::get(order.to, "/tail", PATIENCE).await.ok()?;
    let tail: Tail = serde_json::from_slice(&answer).ok()?;
    if tail.duty != Duty::Standby {
        return None;
    }
    let own = match tail.last {
        0 => Vec::new(),
        last => store.committer.lines(last, last).ok()?,
    };
    if String::from_utf8_lossy(&own) == tail.line {
        return Some(tail.last);
    }
    let epoch = json!({ "epoch": store.committer.standing().epoch }).to_string();
    ask::post(order.to, "/empty", epoch.into(), PATIENCE)
        .await
        .ok()?;
    Some(0)
}
