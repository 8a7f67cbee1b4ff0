//! Deadlines of operations under way: a hashed wheel of intrusive lists, coarse on purpose.
//!
//! Nearly every deadline is taken out again before it passes, so insert and remove must cost nothing;
//! a deadline is noticed at most one tick late. Keys are slab indices, below 2^32.

use crate::clock::Nanos;

/// Width of a slot.
pub const TICK: Nanos = 10_000_000;
const SLOTS: usize = 1024;
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Link {
    next: u32,
    previous: u32,
    slot: u32,
    deadline: Nanos,
}

const UNLINKED: Link = Link {
    next: NONE,
    previous: NONE,
    slot: NONE,
    deadline: 0,
};

pub struct Wheel {
    heads: Vec<u32>,
    links: Vec<Link>,
    /// The first tick that has not been looked at.
    cursor: u64,
    len: usize,
}

impl Wheel {
    pub fn new(now: Nanos) -> Wheel {
        Wheel {
            heads: vec![NONE; SLOTS],
            links: Vec::new(),
            cursor: now / TICK,
            len: 0,
        }
    }

    /// Watches `key`, which must not be watched already.
    pub fn insert(&mut self, key: u32, deadline: Nanos) {
        let index = key as usize;
        if self.links.len() <= index {
            self.links.resize(index + 1, UNLINKED);
        }
        debug_assert_eq!(self.links[index].slot, NONE, "a key has one deadline");
        // The slot after the deadline's own, so that a deadline is never called early.
        let tick = (deadline / TICK + 1).max(self.cursor);
        let slot = (tick % SLOTS as u64) as usize;
        let head = self.heads[slot];
        self.links[index] = Link {
            next: head,
            previous: NONE,
            slot: slot as u32,
            deadline,
        };
        if head != NONE {
            self.links[head as usize].previous = key;
        }
        self.heads[slot] = key;
        self.len += 1;
    }

    /// Forgets `key`; nothing happens when it is not watched.
    pub fn remove(&mut self, key: u32) {
        let Some(link) = self.links.get(key as usize).copied() else {
            return;
        };
        if link.slot == NONE {
            return;
        }
        if link.previous == NONE {
            self.heads[link.slot as usize] = link.next;
        } else {
            self.links[link.previous as usize].next = link.next;
        }
        if link.next != NONE {
            self.links[link.next as usize].previous = link.previous;
        }
        self.links[key as usize] = UNLINKED;
        self.len -= 1;
    }

    /// Appends every key whose deadline has passed to `passed`.
    pub fn passed(&self, now: Nanos, passed: &mut Vec<u32>) {
        if self.len == 0 {
            return;
        }
        let current = now / TICK;
        // One round of the wheel looks at every slot; a longer gap has nothing more to show.
        let first = self.cursor.max((current + 1).saturating_sub(SLOTS as u64));
        for tick in first..=current {
            let mut key = self.heads[(tick % SLOTS as u64) as usize];
            while key != NONE {
                let link = self.links[key as usize];
                if link.deadline <= now {
                    passed.push(key);
                }
                key = link.next;
            }
        }
    }

    /// The key is watched, and its deadline has passed.
    pub fn has_passed(&self, key: u32, now: Nanos) -> bool {
        let link = self.links.get(key as usize);
        link.is_some_and(|link| link.slot != NONE && link.deadline <= now)
    }

    /// Takes out every key whose deadline has passed and appends it to `expired`.
    pub fn advance(&mut self, now: Nanos, expired: &mut Vec<u32>) {
        let before = expired.len();
        self.passed(now, expired);
        for key in &expired[before..] {
            self.remove(*key);
        }
        self.cursor = self.cursor.max(now / TICK + 1);
    }

    /// When `advance` should be called next; `None` while nothing is watched.
    pub fn next_tick(&self) -> Option<Nanos> {
        (self.len > 0).then(|| self.cursor * TICK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_deadline_is_called_after_it_and_within_a_tick() {
        let mut wheel = Wheel::new(0);
        let mut expired = Vec::new();
        wheel.insert(3, 25_000_000);
        wheel.advance(24_999_999, &mut expired);
        assert!(expired.is_empty());
        wheel.advance(35_000_000, &mut expired);
        assert_eq!(expired, [3]);
        assert_eq!(wheel.next_tick(), None);
    }

    #[test]
    fn a_jump_over_more_than_a_round_calls_everything() {
        let mut wheel = Wheel::new(0);
        let mut expired = Vec::new();
        wheel.insert(0, TICK);
        wheel.insert(1, TICK * (SLOTS as u64 + 7));
        wheel.advance(TICK * (3 * SLOTS as u64), &mut expired);
        expired.sort_unstable();
        assert_eq!(expired, [0, 1]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_map(
            steps in prop::collection::vec((0u32..40, 0u64..40_000_000_000, any::<bool>()), 1..200)
        ) {
            let mut wheel = Wheel::new(0);
            let mut model = BTreeMap::new();
            let mut now = 0u64;
            for (key, ahead, removes) in steps {
                if removes {
                    wheel.remove(key);
                    model.remove(&key);
                } else if let std::collections::btree_map::Entry::Vacant(free) = model.entry(key) {
                    wheel.insert(key, now + ahead);
                    free.insert(now + ahead);
                }
                now += ahead / 7;
                let (mut passed, mut expired) = (Vec::new(), Vec::new());
                wheel.passed(now, &mut passed);
                prop_assert!(passed.iter().all(|key| wheel.has_passed(*key, now)));
                wheel.advance(now, &mut expired);
                prop_assert_eq!(&passed, &expired);
                for key in expired {
                    prop_assert!(!wheel.has_passed(key, now));
                    let deadline = model.remove(&key).expect("only what is watched is called");
                    prop_assert!(deadline <= now);
                }
                for deadline in model.values() {
                    prop_assert!(*deadline + 2 * TICK > now, "nothing is forgotten");
                }
            }
        }
    }
}
