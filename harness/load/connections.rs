//! Connections: made when something waits for one, kept while they serve, closed when they have idled.
//!
//! A task makes it and then hands its socket to the pacer, which tells when it has something. A request is written at
//! once, from wherever it became due; what comes back is read into the thread's one buffer and fed to the exchange at
//! once, so that an idle connection costs its socket and little more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use firedrill_reports::recording::Measure;
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::ConnectFailure;
use firedrill_scenarios::plan::ProtocolVersion;
use tokio::net::TcpStream;

use super::agenda::Task;
use super::report::{FromWorker, OUR_BUG};
use super::sessions::Standing;
use super::slab::Key;
use super::worker::{Course, Worker};
use crate::clock::Nanos;
use crate::mcp::destination::{Host, connect_failure};
use crate::mcp::exchange::Exchange;
use crate::mcp::link::Link;

/// Connections that are begun in a turn: making one costs more than anything else here, and whatever was answered meanwhile
/// is to be read before the next ones.
const MOST_BEGUN: usize = 16;

/// A spare connection of a session is closed after this idle time, before common servers close it themselves.
pub const SPARE_IDLE: Nanos = 2_000_000_000;
/// And one after the other: whoever closes thousands in a row has had its share of the core for a while, and waits for it when
/// something becomes due.
pub const SPARE_GAP: Nanos = 100_000;

/// What a connection is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Connecting,
    Idle {
        since: Nanos,
    },
    Operation(u32),
    /// The operation has its outcome; the rest of the answer is read and thrown away.
    Tail,
    /// The operation with this id has timed out; an answer that still comes is counted as late.
    Abandoned {
        id: u64,
    },
    Initialize,
    Initialized,
    Side,
    Delete {
        since: Nanos,
    },
}

/// What the answer has shown so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    pub decided: Option<Outcome>,
    pub wrong_id: bool,
    pub status: u16,
    pub version: Option<ProtocolVersion>,
}

pub struct Connection {
    pub session: Key,
    pub link: Option<Link<OwnedFd>>,
    pub purpose: Purpose,
    /// An answer that has come in part; what came whole has left nothing here.
    pub exchange: Option<Box<Exchange>>,
    /// The most that the body of the answer may have.
    pub limit: u64,
    pub found: Found,
    /// Exchanges that it has carried, and when the last one ended.
    pub carried: u64,
    pub rested: Nanos,
    /// How long it had rested when the exchange under way began.
    pub rest: Nanos,
    /// Counts changes of purpose, so that an old task of the agenda does not hit a new one.
    pub serial: u64,
    spare_watched: bool,
}

impl Connection {
    /// One that is still to be made.
    pub fn of(session: Key) -> Connection {
        Connection {
            session,
            link: None,
            purpose: Purpose::Connecting,
            exchange: None,
            limit: 0,
            found: Found::default(),
            carried: 0,
            rested: 0,
            rest: 0,
            serial: 0,
            spare_watched: false,
        }
    }

    /// What is said on it now can only be taken for the answer to the next question.
    pub fn was_asked_nothing(&self) -> bool {
        matches!(self.purpose, Purpose::Idle { .. } | Purpose::Connecting)
    }

    /// The operation that waits for its answer on it.
    pub fn operation(&self) -> Option<u32> {
        match self.purpose {
            Purpose::Operation(index) => Some(index),
            Purpose::Connecting
            | Purpose::Idle { .. }
            | Purpose::Tail
            | Purpose::Abandoned { .. }
            | Purpose::Initialize
            | Purpose::Initialized
            | Purpose::Side
            | Purpose::Delete { .. } => None,
        }
    }

    /// An exchange has come to its end on it.
    pub fn carry(&mut self, now: Nanos) {
        self.carried += 1;
        self.rested = now;
    }
}

impl Worker {
    /// Closes connections that only listen, the oldest first, until there is room for another one: a target
    /// that stalls takes no more of them than were planned for.
    fn make_room(&mut self) {
        while self.connections.len() >= self.connection_limit {
            let Some((key, serial)) = self.listening.pop_front() else {
                return;
            };
            if self.is_at(key, serial) {
                self.close(key);
            }
        }
    }

    /// The connection is still there, and at the same thing.
    pub fn is_at(&self, key: Key, serial: u64) -> bool {
        self.connections
            .get(key)
            .is_some_and(|own| own.serial == serial)
    }

    /// Has a connection made for the session: in this turn, or where many are wanted at once in one of the next.
    pub fn connect(&mut self, session: Key) {
        self.make_room();
        let Some(owner) = self.sessions.get_mut(session) else {
            return;
        };
        owner.connecting += 1;
        self.making += 1;
        let key = self.connections.insert(Connection::of(session));
        owner.connections.push(key);
        self.totals.connections_opened += 1;
        self.wanted.push_back(key);
        self.begin_wanted();
    }

    /// Another turn can begin more connections.
    pub fn begin_more(&mut self) {
        self.begun = 0;
        self.begin_wanted();
    }

    /// Begins to make the connections that are wanted, as far as this turn may.
    fn begin_wanted(&mut self) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        while self.begun < MOST_BEGUN
            && let Some(key) = self.wanted.pop_front()
        {
            self.begun += 1;
            tokio::task::spawn_local(make(this.clone(), key));
        }
    }

    /// The pacer watches the socket from now on.
    fn take_over(&self, key: Key, link: Link<TcpStream>) -> Result<Link<OwnedFd>, Outcome> {
        let watched = link.detached().and_then(|link| {
            self.pacer.watch(link.socket(), key)?;
            Ok(link)
        });
        watched.map_err(|error| Outcome::Connect(connect_failure(&error)))
    }

    fn connected(&mut self, key: Key, made: Result<Link<TcpStream>, Outcome>, began: Nanos) {
        let now = self.now();
        self.moment = now;
        self.making -= 1;
        let made = made.and_then(|link| self.take_over(key, link));
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let session = connection.session;
        let Some(owner) = self.sessions.get_mut(session) else {
            return;
        };
        owner.connecting -= 1;
        let (slot, standing, agreed) = (owner.slot, owner.standing, owner.agreed);
        match made {
            Ok(link) => {
                connection.link = Some(link);
                connection.rested = now;
                let phase = self.phase_now(now);
                self.tally
                    .histograms
                    .shared(phase, Measure::Connect, now.saturating_sub(began));
                if standing == Standing::Opening && agreed {
                    self.send_initialized(key, session, now);
                } else if standing == Standing::Opening {
                    self.send_initialize(key, session, now);
                } else {
                    self.make_idle(key, now);
                }
            }
            Err(outcome) => {
                self.close(key);
                self.totals.socket_errors_since_flush += 1;
                let no_port = outcome == Outcome::Connect(ConnectFailure::LocalPorts);
                self.totals.no_ports += u64::from(no_port);
                match standing {
                    Standing::Opening => self.opening_failed(session, outcome, now),
                    Standing::Leaving => self.discard_session(session),
                    Standing::Open | Standing::Retiring | Standing::Lost | Standing::Leaked => {
                        // What waits at the slot waits for its own session, not for one that it had.
                        if self.slots[slot].current == Some(session)
                            && let Some(operation) = self.slots[slot].waiting.pop_front()
                        {
                            self.settle(operation, outcome, now);
                        }
                        self.drop_side(session);
                        self.pump_session(session, now);
                    }
                }
            }
        }
        self.run_ready();
        self.keep_up();
    }

    /// What was to be said beside operations is not said when there is no connection to say it on.
    fn drop_side(&mut self, session: Key) {
        if let Some(owner) = self.sessions.get_mut(session)
            && owner.idle.is_empty()
        {
            owner.side.clear();
        }
    }

    /// The connection can take the next request.
    fn make_idle(&mut self, key: Key, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.purpose = Purpose::Idle { since: now };
        connection.serial += 1;
        let session = connection.session;
        let Some(owner) = self.sessions.get_mut(session) else {
            self.close(key);
            return;
        };
        owner.idle.push(key);
        let (slot, standing, spare) = (owner.slot, owner.standing, owner.idle.len() > 1);
        match standing {
            Standing::Open if self.slots[slot].current == Some(session) => self.pump(slot, now),
            Standing::Open | Standing::Retiring | Standing::Leaving => self.pump_side(session, now),
            Standing::Opening | Standing::Lost | Standing::Leaked => {}
        }
        if spare {
            self.watch_spare(key, now);
        }
    }

    /// Has the connection closed when it is not needed for a while.
    fn watch_spare(&mut self, key: Key, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let idle = matches!(connection.purpose, Purpose::Idle { .. });
        if idle && !std::mem::replace(&mut connection.spare_watched, true) {
            let at = self.spares.take(now + SPARE_IDLE);
            self.agenda.add(at, Task::CloseIdle { connection: key });
        }
    }

    pub fn close_if_spare(&mut self, key: Key, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.spare_watched = false;
        let Purpose::Idle { since } = connection.purpose else {
            return;
        };
        let spare = self
            .sessions
            .get(connection.session)
            .is_some_and(|owner| owner.idle.len() > 1);
        if spare && now >= since + SPARE_IDLE {
            self.close(key);
        } else if spare {
            connection.spare_watched = true;
            let at = self.spares.take(since + SPARE_IDLE);
            self.agenda.add(at, Task::CloseIdle { connection: key });
        }
    }

    /// Closes the socket.
    pub fn close(&mut self, key: Key) {
        let Some(connection) = self.connections.remove(key) else {
            return;
        };
        if let Some(owner) = self.sessions.get_mut(connection.session) {
            owner.idle.retain(|idle| *idle != key);
            owner.connections.retain(|own| *own != key);
            self.forget_if_leaked(connection.session);
        }
    }

    pub fn close_everything(&mut self) {
        for key in self.connections.keys().collect::<Vec<_>>() {
            self.close(key);
        }
    }

    /// An exchange has come to its end on a connection that can be used again, or can not.
    pub fn exchange_over(&mut self, key: Key, reusable: bool, now: Nanos) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.carry(now);
        if reusable {
            self.totals.closes.kept(connection.carried, connection.rest);
            self.make_idle(key, now);
        } else {
            let session = connection.session;
            self.close(key);
            self.pump_session(session, now);
        }
    }

    /// Lets the session go on with its other connections.
    fn pump_session(&mut self, session: Key, now: Nanos) {
        let Some(owner) = self.sessions.get(session) else {
            return;
        };
        let slot = owner.slot;
        if self.slots[slot].current == Some(session) {
            self.pump(slot, now);
        } else {
            self.pump_side(session, now);
        }
    }

    /// The phase in which an instant lies, for times that are of no operation.
    pub fn phase_now(&self, now: Nanos) -> Option<usize> {
        match self.course {
            Course::Opening | Course::Over => None,
            Course::Running { .. } | Course::Draining { .. } | Course::Leaving { .. } => {
                self.phase_at(now)
            }
        }
    }

    /// Asks for the name once a second even when nothing connects, so that a connection that sticks to an old
    /// address is seen. An answer whose time to live is not over costs nothing.
    pub fn look_up_again(&self) {
        if let Host::Name(resolver) = &self.destination.host {
            let resolver = resolver.clone();
            tokio::task::spawn_local(async move { resolver.refresh().await });
        }
    }

    /// The addresses that the target's name has now; empty for an address.
    pub fn current_addresses(&self) -> BTreeSet<IpAddr> {
        match &self.destination.host {
            Host::Name(resolver) => resolver.current(),
            Host::Address(_) => BTreeSet::new(),
        }
    }

    /// Connections whose peer is no longer among the addresses of the target's name.
    pub fn sticky_connections(&self) -> BTreeMap<String, u64> {
        let mut sticky = BTreeMap::new();
        let current = self.current_addresses();
        if current.is_empty() {
            return sticky;
        }
        for key in self.connections.keys() {
            let Some(link) = self.connections.get(key).and_then(|own| own.link.as_ref()) else {
                continue;
            };
            let peer = link.peer().ip();
            if !current.contains(&peer) {
                *sticky.entry(peer.to_string()).or_default() += 1;
            }
        }
        sticky
    }
}

/// Makes a connection. What is due comes first: after a stall many are made, and the kernel looks long for a free port.
async fn make(worker: Rc<RefCell<Worker>>, key: Key) {
    let _alarm = Alarm(worker.clone());
    worker.borrow_mut().keep_up();
    let (destination, began) = {
        let own = worker.borrow();
        (own.destination.clone(), own.now())
    };
    let made = destination.open().await;
    worker.borrow_mut().connected(key, made, began);
}

/// Ends the run when a task panics: the runtime goes on without the task, and nobody would know.
pub struct Alarm(pub Rc<RefCell<Worker>>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        if let Ok(worker) = self.0.try_borrow() {
            worker.tell(FromWorker::Failed {
                thread: worker.job.thread,
                why: OUR_BUG.to_owned(),
            });
        }
    }
}
