//! Faults: what is done to a target, how that is seen, and how it is undone.
//!
//! ```text
//! resolve   a fault of the plan and the target as it is now -> a pinned fault: whom it hits, step by step
//! pinned    a pinned fault: messages that can be written down; each change beside what undoes it
//! claim     what a fault holds until it is undone, so that no other takes it
//! change    changes and undos carried out
//! seen      effects and ends, seen from outside by somebody else than who made them
//! process   a process by its identity
//! program   programs of the user's own
//! damage    bytes of a file changed, and put back
//! limit     what the kernel lets a process have
//! gauge     resources that are used up, seen: the kernel's accounts, and knock: a client of our own
//! radius    what all faults in force hit together
//! hostile   clients of our own that do harm
//! sockets   the kernel's table of them
//! journal   what is in force, on disk before it acts
//! inject    a pinned fault carried out, journalled step by step
//! heal      what the journal holds undone, by this run or by another process on a later day
//! step      recovery steps
//! settle    who takes writes, and gets the clients, once steps are over
//! whereabouts  where the target was, for whoever heals it later
//! ```

pub mod change;
pub mod claim;
pub mod damage;
pub mod gauge;
pub mod heal;
pub mod hostile;
pub mod inject;
pub mod journal;
pub mod knock;
pub mod limit;
pub mod pinned;
pub mod process;
pub mod program;
pub mod radius;
pub mod resolve;
pub mod seen;
pub mod settle;
pub mod sockets;
pub mod step;
pub mod whereabouts;
