//! What wakes a load thread: its one timer and its sockets, together in an epoll of their own that the thread's runtime
//! watches.
//!
//! The only file with unsafe code, in one place: registering a descriptor with the runtime.
//! Tokio's own timer wakes 0.5 to 1.4 ms late at the median; a timerfd is 30 us late, without spinning. A socket of its
//! own epoll costs no task: its event names the connection.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
pub use rustix::event::epoll::Event;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::retry_on_intr;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::slab::Key;
use crate::clock::{Clock, Nanos};

/// Sockets that are looked at before time is looked at again.
pub const MOST_AT_ONCE: usize = 64;
/// So many are followed by others soon: then asking again costs less than having the runtime wait for them.
const MANY: usize = 8;
/// What is told of a socket: once each time that it happens.
const WATCHED: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::ET);
/// What the timer is called among the sockets: no key is that large.
const TIMER: u64 = u64::MAX;

pub struct Pacer {
    epoll: AsyncFd<OwnedFd>,
    timer: OwnedFd,
    clock: Clock,
    /// When the timer will fire; `Nanos::MAX` when it is not armed.
    armed: Cell<Nanos>,
}

/// Something has happened at a connection's socket.
#[derive(Clone, Copy, Debug)]
pub struct Stir {
    pub key: Key,
    /// The peer has ended its side, or the connection is broken.
    pub ends: bool,
}

impl Pacer {
    /// Must be called inside the runtime of the thread that will wait on it.
    pub fn new(clock: Clock) -> io::Result<Pacer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let when = EventFlags::IN | EventFlags::ET;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), when)?;
        // SAFETY: the descriptor must stay the same and open while it is registered. An `OwnedFd` that nobody
        // else has is both, and `AsyncFd` takes it out of the selector before it drops it.
        #[allow(
            unsafe_code,
            reason = "tokio leaves the promise about the descriptor to the caller"
        )]
        let epoll = unsafe { AsyncFd::register(epoll)? };
        Ok(Pacer {
            epoll,
            timer,
            clock,
            armed: Cell::new(Nanos::MAX),
        })
    }

    /// Makes the timer fire at `at` or before. A later call with an earlier time wins.
    pub fn arm(&self, at: Nanos) {
        if at >= self.armed.get() {
            return;
        }
        // An all-zero time would disarm the timer; the clock's zero is long past.
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: self.clock.absolute(at.max(1)),
        };
        // The descriptor is ours and the time is valid: this cannot fail, and a timer that
        // did not fire would show as lateness, which makes the measurement untrusted.
        if timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec).is_ok() {
            self.armed.set(at);
        }
    }

    /// When the timer will fire.
    pub fn armed(&self) -> Nanos {
        self.armed.get()
    }

    /// Has whatever happens at the socket told under this key, once each time that it happens. It ends with the
    /// socket.
    pub fn watch(&self, socket: impl AsFd, key: Key) -> io::Result<()> {
        let data = EventData::new_u64(key.to_word());
        Ok(epoll::add(self.epoll.get_ref(), socket, data, WATCHED)?)
    }

    /// Has told once more what there is at the socket, which was not all taken.
    pub fn watch_again(&self, socket: impl AsFd, key: Key) -> io::Result<()> {
        let data = EventData::new_u64(key.to_word());
        Ok(epoll::modify(self.epoll.get_ref(), socket, data, WATCHED)?)
    }

    /// Waits until the timer fires or something happens at a socket, and takes what happened. More may have happened
    /// than is told at once: then the next call does not wait.
    ///
    /// Arming the timer again is what clears it: nothing is read.
    pub async fn stirred(&self, stirs: &mut Stirs) -> io::Result<()> {
        let mut ready = self.epoll.readable().await?;
        stirs.events.clear();
        stirs.asked = self.clock.now();
        let now = Timespec::default();
        let taken = retry_on_intr(|| {
            let room = spare_capacity(&mut stirs.events);
            epoll::wait(self.epoll.get_ref(), room, Some(&now))
        });
        taken?;
        if !stirs.are_many() {
            // Everything has been told, and the runtime is woken by the next thing.
            ready.clear_ready();
        }
        if stirs.events.iter().any(|event| event.data.u64() == TIMER) {
            self.armed.set(Nanos::MAX);
        }
        Ok(())
    }
}

/// Room for what happened.
pub struct Stirs {
    events: Vec<Event>,
    /// When it was asked for: what happened later is not told.
    pub asked: Nanos,
}

impl Default for Stirs {
    fn default() -> Stirs {
        Stirs {
            events: Vec::with_capacity(MOST_AT_ONCE),
            asked: 0,
        }
    }
}

impl Stirs {
    /// More has happened than is told here, or will have when these have been attended to.
    pub fn are_many(&self) -> bool {
        self.events.len() >= MANY
    }

    /// Nothing more had happened than is told here.
    pub fn are_all(&self) -> bool {
        self.events.len() < MOST_AT_ONCE
    }

    /// What happened, in groups of at most this many.
    pub fn by(&self, most: usize) -> impl Iterator<Item = &[Event]> {
        self.events.chunks(most)
    }
}

impl Stir {
    /// What an event says of a connection; nothing when it is the timer's.
    pub fn of(event: &Event) -> Option<Stir> {
        let ends = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        let (word, flags) = (event.data.u64(), event.flags);
        (word != TIMER).then(|| Stir {
            key: Key::from_word(word),
            ends: flags.intersects(ends),
        })
    }
}
