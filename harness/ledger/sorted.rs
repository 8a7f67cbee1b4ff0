//! Files of entries, put in order with bounded memory: pieces that fit are sorted in memory and written out, and
//! the pieces are merged while they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use super::entry::Entry;

/// Entries that are sorted in memory at once: about 40 MB of them.
const PIECE: usize = 1 << 20;

/// The entries of a file, in the order in which they stand. A last entry that is not whole, which a crash leaves,
/// is not told.
pub struct Entries<E> {
    file: BufReader<File>,
    bytes: Vec<u8>,
    kind: PhantomData<E>,
}

impl<E: Entry> Entries<E> {
    pub fn open(path: &Path) -> io::Result<Entries<E>> {
        Ok(Entries {
            file: BufReader::with_capacity(1 << 16, File::open(path)?),
            bytes: vec![0; E::SIZE],
            kind: PhantomData,
        })
    }
}

impl<E: Entry> Iterator for Entries<E> {
    type Item = io::Result<E>;

    fn next(&mut self) -> Option<io::Result<E>> {
        match self.file.read_exact(&mut self.bytes) {
            Ok(()) => Some(Ok(E::read(&self.bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// A file's entries in the order of their keys. Its scratch files go when it is dropped.
pub struct Sorted<E: Entry> {
    pieces: Vec<Entries<E>>,
    /// The next entry of each piece, by its number.
    heads: Vec<Option<E>>,
    heap: BinaryHeap<Reverse<(E::Key, usize)>>,
    scratch: Scratch,
}

struct Scratch(Vec<PathBuf>);

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in &self.0 {
            // A scratch file that stays is no harm to what was found.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl<E: Entry> Sorted<E> {
    /// Reads `path` whole; scratch files are made beside it.
    pub fn of(path: &Path) -> io::Result<Sorted<E>> {
        Sorted::in_pieces(path, PIECE)
    }

    fn in_pieces(path: &Path, piece: usize) -> io::Result<Sorted<E>> {
        let mut source = Entries::<E>::open(path)?;
        let mut scratch = Scratch(Vec::new());
        loop {
            let mut entries = source
                .by_ref()
                .take(piece)
                .collect::<io::Result<Vec<E>>>()?;
            if entries.is_empty() {
                break;
            }
            entries.sort_by_key(Entry::key);
            let name = path.with_extension(format!("sorted-{}", scratch.0.len()));
            scratch.0.push(name.clone());
            write_all(&name, &entries)?;
        }
        let pieces = scratch
            .0
            .iter()
            .map(|path| Entries::open(path))
            .collect::<io::Result<Vec<_>>>()?;
        let mut sorted = Sorted {
            heads: pieces.iter().map(|_| None).collect(),
            pieces,
            heap: BinaryHeap::new(),
            scratch,
        };
        for number in 0..sorted.pieces.len() {
            sorted.refill(number)?;
        }
        Ok(sorted)
    }

    /// Scratch files in use.
    pub fn pieces(&self) -> usize {
        self.scratch.0.len()
    }

    fn refill(&mut self, number: usize) -> io::Result<()> {
        self.heads[number] = self.pieces[number].next().transpose()?;
        if let Some(head) = &self.heads[number] {
            self.heap.push(Reverse((head.key(), number)));
        }
        Ok(())
    }
}

fn write_all<E: Entry>(path: &Path, entries: &[E]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut bytes = Vec::with_capacity(E::SIZE);
    for entry in entries {
        bytes.clear();
        entry.write(&mut bytes);
        file.write_all(&bytes)?;
    }
    file.flush()
}

impl<E: Entry> Iterator for Sorted<E> {
    type Item = io::Result<E>;

    fn next(&mut self) -> Option<io::Result<E>> {
        let Reverse((_, number)) = self.heap.pop()?;
        let head = self.heads[number].take()?;
        match self.refill(number) {
            Ok(()) => Some(Ok(head)),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::Found;
    use proptest::prelude::*;

    fn found((client, sequence, position): (u32, u64, u64)) -> Found {
        Found {
            client,
            sequence,
            position,
            epoch: 1,
            value_fits: true,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_file_is_read_in_order_whole_and_leaves_nothing(
            keys in prop::collection::vec((0u32..4, 0u64..50, 0u64..5), 0..60), piece in 1usize..20
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("entries");
            let entries: Vec<Found> = keys.iter().copied().map(found).collect();
            write_all(&path, &entries).unwrap();
            let sorted = Sorted::<Found>::in_pieces(&path, piece).unwrap();
            prop_assert_eq!(sorted.pieces(), keys.len().div_ceil(piece));
            let read: Vec<_> = sorted.map(|entry| entry.unwrap().key()).collect();
            let mut expected = keys;
            expected.sort_unstable();
            prop_assert_eq!(read, expected);
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn an_entry_that_a_crash_cut_off_is_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entries");
        write_all(&path, &[found((1, 1, 1)), found((1, 2, 2))]).unwrap();
        let length = std::fs::metadata(&path).unwrap().len();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 3)
            .unwrap();
        assert_eq!(Entries::<Found>::open(&path).unwrap().count(), 1);
    }
}
