//! An operation under way, from its due time to its outcome.

use std::ops::Range;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::slab::Key;
use crate::clock::Nanos;
use crate::mcp::http::AnsweredBy;

/// Reused from operation to operation together with its buffers, so that none is allocated twice.
pub struct Operation {
    pub load: usize,
    pub flow: usize,
    pub step: usize,
    /// Index of the plan's series.
    pub series: usize,
    pub phase: usize,
    /// Index of its logical session on this thread.
    pub slot: usize,
    pub due: Nanos,
    pub deadline: Nanos,
    /// How long the thread had been held when it became due.
    pub held: Nanos,
    /// When it was handed to its session.
    pub dispatched: Option<Nanos>,
    pub sent: Option<Nanos>,
    pub head: Option<Nanos>,
    /// The JSON-RPC id it was sent with.
    pub id: u64,
    pub stage: Stage,
    /// Rendered `params`, kept while checks compare with them.
    pub params: Vec<u8>,
    pub spans: Vec<Range<u32>>,
    /// The number of its arrival, and the arrival's random stream, which its later steps go on with.
    pub arrival: u64,
    pub random: Xoshiro256PlusPlus,
    /// Values saved for later steps, by slot.
    pub saved: Vec<Vec<u8>>,
    /// The key of what it writes to the ledger.
    pub write: Option<WriteNumber>,
    /// Who answered, where the target says so.
    pub by: Option<AnsweredBy>,
}

/// Client and number of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteNumber {
    pub client: u32,
    /// From 1; 0 when none could be given, and nothing may be sent.
    pub sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In its slot's queue: no session or no free connection yet.
    Waiting,
    /// Sent on this connection.
    Sent(Key),
}

impl Operation {
    fn blank() -> Operation {
        Operation {
            load: 0,
            flow: 0,
            step: 0,
            series: 0,
            phase: 0,
            slot: 0,
            due: 0,
            deadline: 0,
            held: 0,
            dispatched: None,
            sent: None,
            head: None,
            id: 0,
            stage: Stage::Waiting,
            params: Vec::new(),
            spans: Vec::new(),
            arrival: 0,
            random: Xoshiro256PlusPlus::seed_from_u64(0),
            saved: Vec::new(),
            write: None,
            by: None,
        }
    }
}

#[cfg(test)]
impl Operation {
    /// What tests compare of it.
    pub fn issued(&self, course: &super::worker::Course) -> super::report::Issued {
        let since = self.due - course.zero().unwrap_or_default();
        (since, self.series, self.params.clone())
    }
}

/// All operations of a thread. An index is free again as soon as its operation has its outcome.
#[derive(Default)]
pub struct Operations {
    all: Vec<Operation>,
    free: Vec<u32>,
}

impl Operations {
    /// An operation to fill in; what it held before is still in it, buffers included.
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.all.push(Operation::blank());
            (self.all.len() - 1) as u32
        })
    }

    pub fn give_back(&mut self, index: u32) {
        self.free.push(index);
    }

    pub fn under_way(&self) -> usize {
        self.all.len() - self.free.len()
    }
}

impl std::ops::Index<u32> for Operations {
    type Output = Operation;

    fn index(&self, index: u32) -> &Operation {
        &self.all[index as usize]
    }
}

impl std::ops::IndexMut<u32> for Operations {
    fn index_mut(&mut self, index: u32) -> &mut Operation {
        &mut self.all[index as usize]
    }
}
