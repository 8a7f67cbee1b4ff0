//! Sessions of a pod. Their ids are `<pod>-<32 hexadecimal digits>`, so that the front door can keep a session
//! with its pod.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::sync::Mutex;

use super::memory::{Exhausted, Memory, Piece};
use crate::clock;

pub(super) struct Sessions {
    pod: String,
    max: u32,
    /// Of each.
    size: u64,
    memory: Rc<Memory>,
    open: RefCell<HashMap<u128, Session>>,
    ids: RefCell<Xoshiro256PlusPlus>,
}

struct Session {
    /// A session that was opened by something else than `initialize` (profile `erlmcp`) is not, at first.
    initialized: bool,
    /// Held while a tool runs, where a session is one process that does one thing at a time.
    turn: Rc<Mutex<()>>,
    _memory: Piece,
}

/// No room for one more session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Sessions,
    Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SessionId(u128);

impl Sessions {
    pub(super) fn new(pod: &str, max: u32, size: u64, memory: Rc<Memory>) -> Sessions {
        // Not from the seed of the run: a pod that is started again must not find the sessions of its predecessor.
        let start = clock::wall().as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(40);
        Sessions {
            pod: pod.to_owned(),
            max,
            size,
            memory,
            open: RefCell::default(),
            ids: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(start)),
        }
    }

    pub(super) fn open(&self, initialized: bool) -> Result<SessionId, Full> {
        let mut open = self.open.borrow_mut();
        if open.len() >= self.max as usize {
            return Err(Full::Sessions);
        }
        let memory = self.memory.hold(self.size);
        let memory = memory.map_err(|Exhausted| Full::Memory)?;
        let id = self.ids.borrow_mut().random::<u128>();
        let session = Session {
            initialized,
            turn: Rc::default(),
            _memory: memory,
        };
        open.insert(id, session);
        Ok(SessionId(id))
    }

    /// The session with the id that a client sent.
    pub(super) fn find(&self, text: &str) -> Option<SessionId> {
        let digits = text.strip_prefix(self.pod.as_str())?.strip_prefix('-')?;
        let id = u128::from_str_radix(digits, 16)
            .ok()
            .filter(|_| digits.len() == 32)?;
        self.open
            .borrow()
            .contains_key(&id)
            .then_some(SessionId(id))
    }

    pub(super) fn text(&self, id: SessionId) -> String {
        format!("{}-{:032x}", self.pod, id.0)
    }

    /// Marks the session as initialized; false when it was before.
    pub(super) fn initialize(&self, id: SessionId) -> bool {
        match self.open.borrow_mut().get_mut(&id.0) {
            Some(session) => !std::mem::replace(&mut session.initialized, true),
            None => false,
        }
    }

    pub(super) fn is_initialized(&self, id: SessionId) -> bool {
        self.open
            .borrow()
            .get(&id.0)
            .is_some_and(|session| session.initialized)
    }

    pub(super) fn turn(&self, id: SessionId) -> Option<Rc<Mutex<()>>> {
        self.open
            .borrow()
            .get(&id.0)
            .map(|session| session.turn.clone())
    }

    pub(super) fn close(&self, id: SessionId) {
        self.open.borrow_mut().remove(&id.0);
    }

    pub(super) fn open_count(&self) -> u64 {
        self.open.borrow().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_by_its_own_text_only() {
        let sessions = Sessions::new("a-1", 2, 0, Rc::new(Memory::new(None)));
        let text = sessions.text(sessions.open(true).unwrap());
        assert!(sessions.find(&text).is_some());
        assert!(sessions.find(&text.replace("a-1", "a-11")).is_none());
        assert!(sessions.find(&text.replacen("a-1-", "a-1-0", 1)).is_none());
        assert!(sessions.find(&text[..text.len() - 1]).is_none());
        assert!(sessions.find("").is_none());
    }

    #[test]
    fn the_limit_counts_open_sessions() {
        let sessions = Sessions::new("a-0", 2, 16, Rc::new(Memory::new(Some(40))));
        let first = sessions.open(true).unwrap();
        let _second = sessions.open(true).unwrap();
        assert_eq!(sessions.open(true).unwrap_err(), Full::Sessions);
        sessions.close(first);
        assert!(sessions.open(true).is_ok());
        assert_eq!(sessions.open_count(), 2);
    }

    #[test]
    fn sessions_end_where_the_memory_does() {
        let sessions = Sessions::new("a-0", 9, 16, Rc::new(Memory::new(Some(40))));
        let first = sessions.open(true).unwrap();
        let _second = sessions.open(true).unwrap();
        assert_eq!(sessions.open(true).unwrap_err(), Full::Memory);
        sessions.close(first);
        assert!(sessions.open(true).is_ok());
    }
}
