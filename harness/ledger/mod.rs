//! The ledger: which writes were attempted and acknowledged, on disk outside every site, and what is found of
//! them afterwards.
//!
//! ```text
//! entry     an attempt, a record read back, a reservation: fixed sizes on disk
//! pen       a load thread's side: gives numbers to writes, keeps what became of them until they are handed over
//! keeper    the thread that writes: intents ahead of the load, attempts behind it
//! sorted    files of entries put in order with bounded memory
//! reader    the target's records, page by page
//! missed    what a read-back missed, for those that follow it
//! account   attempts against what was read, told as lines of `ledger.jsonl`
//! ```

pub mod account;
pub mod entry;
pub mod keeper;
mod missed;
pub mod pen;
pub mod reader;
pub mod sorted;

use crate::load::schedule::STRIPES;

/// The folder of the ledger's own files in a run's folder.
pub const FOLDER: &str = "ledger";

/// Names of the clients that write: one for each stripe of each load, told apart from those of other runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// What all names of this run begin with.
    tag: String,
    loads: u32,
}

impl Clients {
    pub fn new(tag: impl Into<String>, loads: usize) -> Clients {
        Clients {
            tag: tag.into(),
            loads: loads as u32,
        }
    }

    pub fn count(&self) -> u32 {
        self.loads * STRIPES
    }

    pub fn number(load: usize, stripe: u32) -> u32 {
        load as u32 * STRIPES + stripe
    }

    pub fn name(&self, client: u32) -> String {
        format!("{}-{}-{}", self.tag, client / STRIPES, client % STRIPES)
    }

    /// The client of this name; `None` when another run, or nobody of ours, wrote under it.
    pub fn of(&self, name: &str) -> Option<u32> {
        let (load, stripe) = name
            .strip_prefix(&self.tag)?
            .strip_prefix('-')?
            .split_once('-')?;
        let (load, stripe): (u32, u32) = (load.parse().ok()?, stripe.parse().ok()?);
        let client = load.checked_mul(STRIPES)?.checked_add(stripe)?;
        (load < self.loads && stripe < STRIPES && self.name(client) == name).then_some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_as_its_client_and_no_other_name_is() {
        let clients = Clients::new("7f3a", 2);
        for client in [0, 1, 255, 256, 511] {
            assert_eq!(clients.of(&clients.name(client)), Some(client));
        }
        for other in [
            "7f3a-2-0",
            "7f3a-0-256",
            "7f3b-0-1",
            "7f3a-0-01",
            "7f3a-1",
            "",
        ] {
            assert_eq!(clients.of(other), None, "{other}");
        }
    }
}
