//! What the ledger's files hold: entries of a fixed size, little-endian, with an order.

/// An entry of a file.
pub trait Entry: Sized {
    /// Bytes of one entry.
    const SIZE: usize;
    /// What a sorted file is sorted by.
    type Key: Ord;

    fn key(&self) -> Self::Key;
    fn write(&self, out: &mut Vec<u8>);
    /// `bytes` has [`Entry::SIZE`] of them.
    fn read(bytes: &[u8]) -> Self;
}

/// What became of a write that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Acknowledged,
    /// Refused by a fence: it may be nowhere.
    Refused,
    /// Timed out, cut off or answered with an error: kept or not, nobody can know.
    Unknown,
}

/// A write that was sent. Instants are nanoseconds since the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub client: u32,
    pub sequence: u64,
    pub sent: u64,
    pub ended: u64,
    pub fate: Fate,
    /// Who answered: index of the site; [`NOBODY`] when it was not said.
    pub site: u16,
    pub epoch: u64,
}

/// The site of an answer that did not say where it came from.
pub const NOBODY: u16 = u16::MAX;

/// A record that was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub client: u32,
    pub sequence: u64,
    /// Its place in the target's own order; 0 where the target names none.
    pub position: u64,
    pub epoch: u64,
    /// It holds what was written under its key.
    pub value_fits: bool,
}

/// A write that a read-back missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    pub client: u32,
    pub sequence: u64,
}

/// Takes numbers off the front of an entry's bytes.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (own, rest) = self.0.split_at(N.min(self.0.len()));
        self.0 = rest;
        let mut bytes = [0; N];
        bytes[..own.len()].copy_from_slice(own);
        bytes
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

impl Entry for Attempt {
    const SIZE: usize = 39;
    type Key = (u32, u64);

    fn key(&self) -> (u32, u64) {
        (self.client, self.sequence)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.client.to_le_bytes());
        for number in [self.sequence, self.sent, self.ended, self.epoch] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.site.to_le_bytes());
        out.push(match self.fate {
            Fate::Unknown => 0,
            Fate::Acknowledged => 1,
            Fate::Refused => 2,
        });
    }

    fn read(bytes: &[u8]) -> Attempt {
        let mut numbers = Numbers(bytes);
        Attempt {
            client: u32::from_le_bytes(numbers.take()),
            sequence: numbers.u64(),
            sent: numbers.u64(),
            ended: numbers.u64(),
            epoch: numbers.u64(),
            site: u16::from_le_bytes(numbers.take()),
            fate: match numbers.take::<1>() {
                [1] => Fate::Acknowledged,
                [2] => Fate::Refused,
                _ => Fate::Unknown,
            },
        }
    }
}

impl Entry for Found {
    const SIZE: usize = 29;
    type Key = (u32, u64, u64);

    fn key(&self) -> (u32, u64, u64) {
        (self.client, self.sequence, self.position)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.client.to_le_bytes());
        for number in [self.sequence, self.position, self.epoch] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(u8::from(self.value_fits));
    }

    fn read(bytes: &[u8]) -> Found {
        let mut numbers = Numbers(bytes);
        Found {
            client: u32::from_le_bytes(numbers.take()),
            sequence: numbers.u64(),
            position: numbers.u64(),
            epoch: numbers.u64(),
            value_fits: numbers.take::<1>() != [0],
        }
    }
}

impl Entry for Miss {
    const SIZE: usize = 12;
    type Key = (u32, u64);

    fn key(&self) -> (u32, u64) {
        (self.client, self.sequence)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.client.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Miss {
        let mut numbers = Numbers(bytes);
        Miss {
            client: u32::from_le_bytes(numbers.take()),
            sequence: numbers.u64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_as_they_were_written() {
        let attempt = Attempt {
            client: 7,
            sequence: u64::MAX,
            sent: 1,
            ended: 2,
            fate: Fate::Unknown,
            site: NOBODY,
            epoch: 9,
        };
        let found = Found {
            client: 3,
            sequence: 4,
            position: 5,
            epoch: 6,
            value_fits: true,
        };
        let mut out = Vec::new();
        attempt.write(&mut out);
        assert_eq!((out.len(), Attempt::read(&out)), (Attempt::SIZE, attempt));
        out.clear();
        let miss = Miss {
            client: 5,
            sequence: 6,
        };
        miss.write(&mut out);
        assert_eq!((out.len(), Miss::read(&out)), (Miss::SIZE, miss));
        out.clear();
        found.write(&mut out);
        assert_eq!((out.len(), Found::read(&out)), (Found::SIZE, found));
    }
}
