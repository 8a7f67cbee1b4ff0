//! Who connects, how much each asks for, and what is refused of it. A client is an address.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::clock;
use crate::control::ClientView;
use crate::site::Bounds;

/// Clients that are remembered; those that have gone are forgotten first.
const REMEMBERED: usize = 1_024;
/// So much of a second's messages may come at once.
const BURST: f64 = 0.25;

/// What a bound refuses, with erlmcp's codes (`erlmcp_refusal.hrl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Rate,
    Connections,
    Size,
    /// The client does not take its answer.
    Slow,
}

impl Refusal {
    pub(super) fn code(self) -> u32 {
        match self {
            Refusal::Rate => 1056,
            Refusal::Connections => 1060,
            Refusal::Size => 1068,
            Refusal::Slow => 1069,
        }
    }
}

pub(super) struct Clients {
    bounds: Bounds,
    all: RefCell<BTreeMap<IpAddr, Client>>,
    together: RefCell<Bucket>,
    seen: Cell<u64>,
}

struct Client {
    account: ClientView,
    bucket: Bucket,
    /// When it was last seen, in the order of all that was seen.
    last: u64,
}

impl Clients {
    pub(super) fn new(bounds: Bounds) -> Clients {
        let now = clock::now();
        Clients {
            together: RefCell::new(Bucket::full(bounds.rate, now)),
            bounds,
            all: RefCell::default(),
            seen: Cell::new(0),
        }
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// One more connection; an error when the client has as many as it may have.
    pub(super) fn connect(&self, from: IpAddr) -> Result<(), Refusal> {
        let most = self.bounds.client_connections;
        self.with(from, |client| {
            client.account.connections += 1;
            match most {
                Some(most) if client.account.open >= u64::from(most) => {
                    Err(client.refuse(Refusal::Connections))
                }
                Some(_) | None => {
                    client.account.open += 1;
                    Ok(())
                }
            }
        })
    }

    pub(super) fn disconnect(&self, from: IpAddr) {
        self.with(from, |client| {
            client.account.open = client.account.open.saturating_sub(1);
        });
    }

    /// One more message; an error when there have been too many.
    pub(super) fn message(&self, from: IpAddr) -> Result<(), Refusal> {
        let now = clock::now();
        self.with(from, |client| {
            client.account.messages += 1;
            // A message that is refused for its client's sake takes nothing from the others.
            if client.bucket.take(now) && self.together.borrow_mut().take(now) {
                Ok(())
            } else {
                Err(client.refuse(Refusal::Rate))
            }
        })
    }

    pub(super) fn refuse(&self, from: IpAddr, refusal: Refusal) {
        self.with(from, |client| {
            client.refuse(refusal);
        });
    }

    pub(super) fn accounts(&self) -> Vec<ClientView> {
        let all = self.all.borrow();
        all.values().map(|client| client.account.clone()).collect()
    }

    fn with<T>(&self, from: IpAddr, act: impl FnOnce(&mut Client) -> T) -> T {
        let seen = self.seen.get() + 1;
        self.seen.set(seen);
        let mut all = self.all.borrow_mut();
        if !all.contains_key(&from) && all.len() >= REMEMBERED {
            forget(&mut all);
        }
        let client = all.entry(from).or_insert_with(|| Client {
            account: ClientView {
                address: from.to_string(),
                ..ClientView::default()
            },
            bucket: Bucket::full(self.bounds.client_rate, clock::now()),
            last: 0,
        });
        client.last = seen;
        act(client)
    }
}

impl Client {
    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        *self.account.refused.entry(refusal.code()).or_default() += 1;
        refusal
    }
}

/// The one that has been away the longest goes. Who is connected stays.
fn forget(all: &mut BTreeMap<IpAddr, Client>) {
    let away = all.iter().filter(|(_, client)| client.account.open == 0);
    let oldest = away
        .min_by_key(|(_, client)| client.last)
        .map(|(at, _)| *at);
    if let Some(oldest) = oldest {
        all.remove(&oldest);
    }
}

/// A token bucket: it fills by `rate` a second, and holds what may come at once.
struct Bucket {
    rate: Option<f64>,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn full(rate: Option<f64>, now: Instant) -> Bucket {
        Bucket {
            rate,
            tokens: rate.map_or(0.0, capacity),
            filled: now,
        }
    }

    /// True when there was a token.
    fn take(&mut self, now: Instant) -> bool {
        let Some(rate) = self.rate else {
            return true;
        };
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + since * rate).min(capacity(rate));
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }
}

/// Never less than one message.
fn capacity(rate: f64) -> f64 {
    (rate * BURST).max(1.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = clock::now();
        let mut bucket = Bucket::full(Some(100.0), start);
        let taken = (0..100).filter(|_| bucket.take(start)).count();
        assert_eq!(taken, 25);
        let later = start + Duration::from_millis(100);
        let taken = (0..100).filter(|_| bucket.take(later)).count();
        assert_eq!(taken, 10);
        let much_later = start + Duration::from_secs(60);
        let taken = (0..100).filter(|_| bucket.take(much_later)).count();
        assert_eq!(taken, 25);
        let mut open = Bucket::full(None, start);
        assert!((0..1_000).all(|_| open.take(start)));
    }

    #[test]
    fn a_client_that_floods_takes_nothing_from_the_others() {
        let bounds = Bounds {
            client_rate: Some(4.0),
            rate: Some(40.0),
            client_connections: Some(1),
            ..Bounds::default()
        };
        let clients = Clients::new(bounds);
        let [hostile, other] = [[127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        assert!(clients.message(hostile).is_ok());
        for _ in 0..100 {
            assert_eq!(clients.message(hostile), Err(Refusal::Rate));
        }
        assert!(clients.message(other).is_ok());
        assert!(clients.connect(hostile).is_ok());
        assert_eq!(clients.connect(hostile), Err(Refusal::Connections));
        clients.disconnect(hostile);
        assert!(clients.connect(hostile).is_ok());
        let account = &clients.accounts()[0];
        assert_eq!(account.refused, BTreeMap::from([(1056, 100), (1060, 1)]));
        assert_eq!((account.messages, account.connections), (101, 3));
    }

    #[test]
    fn who_has_gone_is_forgotten_and_who_is_connected_is_not() {
        let clients = Clients::new(Bounds::default());
        let address = |number: u32| IpAddr::from((0x7f00_0000 + number).to_be_bytes());
        clients.connect(address(1)).unwrap();
        for number in 2..5_000 {
            clients.message(address(number)).unwrap();
        }
        let all = clients.accounts();
        assert_eq!(all.len(), REMEMBERED);
        assert_eq!(all[0].address, "127.0.0.1");
    }
}
