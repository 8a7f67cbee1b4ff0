//! Whether a load thread comes to run. A process that is frozen, a thread that is held, a machine whose cores somebody
//! else has: the kernel counts little of it as waiting, and a load that waits for its answers just asks for less
//! meanwhile. So a thread never rests for long, and what it wakes late by, or leaves between two looks at the clock while
//! it is busy, is time in which it was held.
//!
//! Pure: it is told when the clock was looked at, and when the timer will fire.

use super::worker::Worker;
use crate::clock::Nanos;

/// The longest rest, which is also how much of a freeze may go unseen.
pub const BEAT: Nanos = 5_000_000;
/// What a wake may be late by, and what may be done between two looks.
const SLACK: Nanos = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// When the clock was looked at last.
    looked: Nanos,
    /// When the thread wakes by itself at the latest; long past while it does not rest.
    wakes: Nanos,
    /// How long it was held so far, all in all, and how much of it was told.
    held: Nanos,
    told: Nanos,
    newest: Hold,
    /// What had come before this instant is read.
    read: Nanos,
    /// How often in a row the agenda was put off.
    put_off: usize,
}

/// The last time that the thread was held.
#[derive(Clone, Copy, Debug)]
struct Hold {
    /// When it had looked at the clock before.
    looked: Nanos,
    from: Nanos,
    until: Nanos,
}

impl Heartbeat {
    pub fn new(now: Nanos) -> Heartbeat {
        Heartbeat {
            looked: now,
            wakes: now + BEAT,
            held: 0,
            told: 0,
            newest: Hold {
                looked: now,
                from: now,
                until: now,
            },
            read: now,
            put_off: 0,
        }
    }

    /// The clock was looked at.
    pub fn look(&mut self, now: Nanos) {
        let from = self.looked.max(self.wakes).saturating_add(SLACK);
        if now > from {
            self.held += now - from;
            self.newest = Hold {
                looked: self.looked,
                from,
                until: now,
            };
        }
        self.looked = now;
    }

    /// The thread woke, and is busy until it rests again. What else runs while it rests only looks.
    pub fn wake(&mut self, now: Nanos) {
        self.look(now);
        self.wakes = 0;
    }

    /// The thread rests until something happens, or until this instant.
    pub fn rest(&mut self, until: Nanos) {
        self.wakes = until;
    }

    /// When it has to be awake again.
    pub fn next(&self) -> Nanos {
        self.looked + BEAT
    }

    /// How long it had been held at an instant that lies behind the last hold but one.
    pub fn held_at(&self, at: Nanos) -> Nanos {
        let later = self.newest.until.saturating_sub(at.max(self.newest.from));
        self.held - later
    }

    /// How much of the time from `due`, when it had been `held` for so long, to an end that was just seen may be the
    /// thread's. What is read first after a hold may have come at any time since the look before.
    pub fn held_within(&self, held: Nanos, due: Nanos, end: Nanos) -> Nanos {
        let Hold {
            looked,
            from,
            until,
        } = self.newest;
        let blind = match self.has_unread() && end >= until {
            true => from.saturating_sub(due.max(looked)),
            false => 0,
        };
        self.held_at(end).saturating_sub(held) + blind
    }

    /// How long it was held since the last call.
    pub fn tell(&mut self) -> Nanos {
        let untold = self.held - self.told;
        self.told = self.held;
        untold
    }

    /// All that had come before this instant is read.
    pub fn has_read(&mut self, before: Nanos) {
        self.read = before;
    }

    /// Whether something may be unread that came while the thread was held.
    fn has_unread(&self) -> bool {
        self.newest.until > self.read
    }

    /// Whether what came while the thread was held is read, as it is after so many looks at the sockets.
    pub fn has_caught_up(&mut self, looks: usize) -> bool {
        if self.has_unread() && self.put_off < looks {
            self.put_off += 1;
            return false;
        }
        // Others may follow all the time: what was looked for so often counts as read.
        self.put_off = 0;
        self.read = self.read.max(self.newest.until);
        true
    }
}

impl Worker {
    /// Looks at the clock.
    pub fn look(&mut self) -> Nanos {
        let now = self.now();
        self.beat.look(now);
        self.moment = now;
        now
    }

    /// The same, as soon as the thread wakes.
    pub fn wake(&mut self) -> Nanos {
        let now = self.now();
        self.beat.wake(now);
        self.moment = now;
        now
    }

    /// Has the thread wake at this instant, or before.
    pub fn rest(&mut self, until: Nanos) {
        self.pacer.arm(until.min(self.beat.next()));
        self.beat.rest(self.pacer.armed());
    }
}

#[cfg(test)]
mod tests;
