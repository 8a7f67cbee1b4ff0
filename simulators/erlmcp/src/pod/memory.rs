//! Memory that a pod holds for its clients: counted, and bounded where the pod has a bound.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Far above what the allocator keeps for later (`child.rs`): all but the last piece are given back at once.
const PIECE: u64 = 16 << 20;

pub(super) struct Memory {
    max: Option<u64>,
    held: Rc<Cell<u64>>,
    /// What was taken on command.
    growth: RefCell<Vec<Piece>>,
}

/// There is no room for more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

/// Counted for as long as it lives.
#[derive(Debug)]
pub(super) struct Share {
    bytes: u64,
    held: Rc<Cell<u64>>,
}

/// Really there, and written to, so that it shows in the memory of the process.
#[derive(Debug)]
pub(super) struct Piece {
    _bytes: Box<[u8]>,
    share: Share,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.set(self.held.get() - self.bytes);
    }
}

impl Memory {
    pub(super) fn new(max: Option<u64>) -> Memory {
        Memory {
            max,
            held: Rc::default(),
            growth: RefCell::default(),
        }
    }

    /// Room for something that is about to be held.
    pub(super) fn take(&self, bytes: u64) -> Result<Share, Exhausted> {
        let held = self.held.get().saturating_add(bytes);
        if self.max.is_some_and(|max| held > max) {
            return Err(Exhausted);
        }
        self.held.set(held);
        Ok(Share {
            bytes,
            held: self.held.clone(),
        })
    }

    /// So many bytes, held. A pod with a bound also minds one of the system's that is met earlier; one without takes
    /// what it wants, and ends when the system has no more.
    pub(super) fn hold(&self, bytes: u64) -> Result<Piece, Exhausted> {
        let share = self.take(bytes)?;
        let size = usize::try_from(bytes).map_err(|_| Exhausted)?;
        let mut memory = Vec::new();
        match self.max {
            Some(_) => memory.try_reserve_exact(size).map_err(|_| Exhausted)?,
            None => memory.reserve_exact(size),
        }
        memory.resize(size, 0xA5);
        Ok(Piece {
            _bytes: memory.into_boxed_slice(),
            share,
        })
    }

    /// Grows, as if by what clients sent, until so much was taken or the bound was met; or lets go of it. What is
    /// held of it then.
    pub(super) fn grow(&self, wanted: u64) -> u64 {
        let mut growth = self.growth.borrow_mut();
        let mut grown: u64 = growth.iter().map(|piece| piece.share.bytes).sum();
        while grown > wanted {
            grown -= growth.pop().map_or(grown, |piece| piece.share.bytes);
        }
        while grown < wanted {
            let room = self.max.map(|max| max.saturating_sub(self.held.get()));
            let piece = PIECE.min(wanted - grown).min(room.unwrap_or(PIECE));
            match self.hold(piece) {
                Ok(more) if piece > 0 => growth.push(more),
                Ok(_) | Err(Exhausted) => break,
            }
            grown += piece;
        }
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_makes_room_again() {
        let memory = Memory::new(Some(100));
        let first = memory.hold(60).unwrap();
        assert_eq!(memory.take(60).unwrap_err(), Exhausted);
        drop(first);
        assert!(memory.take(60).is_ok());
    }

    #[test]
    fn growth_ends_at_the_bound_and_goes_back() {
        let memory = Memory::new(Some(40 << 20));
        let _session = memory.hold(1 << 20).unwrap();
        assert_eq!(memory.grow(u64::MAX), 39 << 20);
        assert_eq!(memory.take(1).unwrap_err(), Exhausted);
        assert_eq!(memory.grow(u64::MAX), 39 << 20);
        assert_eq!(memory.grow(0), 0);
        assert!(memory.take(39 << 20).is_ok());
        let unbounded = Memory::new(None);
        assert_eq!(unbounded.grow(40 << 20), 40 << 20);
    }
}
