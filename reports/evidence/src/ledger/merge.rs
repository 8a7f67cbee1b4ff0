//! Three sorted streams side by side.

use std::iter::Peekable;

use super::{Attempt, Row};

/// All that is known of one (client, sequence).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub client: u32,
    pub sequence: u64,
    pub attempt: Option<Attempt>,
    /// In the first pass and in the second: the first row, and how many there are.
    pub rows: [Option<(Row, u64)>; 2],
    /// Whether the client has any attempt: without, another run wrote it.
    pub ours: bool,
}

/// The keys of all streams in order. A stream that is not sorted gives keys twice; nothing else depends on it.
pub struct Merge<A: Iterator, R: Iterator> {
    attempts: Peekable<A>,
    rows: [Peekable<R>; 2],
    /// The client of the last attempt.
    client: Option<u32>,
}

type Sorted = (u32, u64);

impl<A, R, E> Merge<A, R>
where
    A: Iterator<Item = Result<Attempt, E>>,
    R: Iterator<Item = Result<Row, E>>,
{
    pub fn new(attempts: A, rows: [R; 2]) -> Merge<A, R> {
        Merge {
            attempts: attempts.peekable(),
            rows: rows.map(Iterator::peekable),
            client: None,
        }
    }

    /// The smallest key that any stream is at.
    fn smallest(&mut self) -> Result<Option<Sorted>, E> {
        let attempt = peeked(&mut self.attempts, |attempt| {
            (attempt.client, attempt.sequence)
        })?;
        let [first, second] = &mut self.rows;
        let first = peeked(first, |row| (row.client, row.sequence))?;
        let second = peeked(second, |row| (row.client, row.sequence))?;
        Ok([attempt, first, second].into_iter().flatten().min())
    }

    fn key(&mut self) -> Result<Option<Key>, E> {
        let Some((client, sequence)) = self.smallest()? else {
            return Ok(None);
        };
        let next = peeked(&mut self.attempts, |attempt| {
            (attempt.client, attempt.sequence)
        })?;
        let attempt = match next == Some((client, sequence)) {
            true => self.attempts.next().transpose()?,
            false => None,
        };
        if attempt.is_some() {
            self.client = Some(client);
        }
        let ours = self.client == Some(client) || next.is_some_and(|(next, _)| next == client);
        let [first, second] = &mut self.rows;
        let rows = [
            taken(first, (client, sequence))?,
            taken(second, (client, sequence))?,
        ];
        Ok(Some(Key {
            client,
            sequence,
            attempt,
            rows,
            ours,
        }))
    }
}

impl<A, R, E> Iterator for Merge<A, R>
where
    A: Iterator<Item = Result<Attempt, E>>,
    R: Iterator<Item = Result<Row, E>>,
{
    type Item = Result<Key, E>;

    fn next(&mut self) -> Option<Result<Key, E>> {
        self.key().transpose()
    }
}

/// The key that a stream is at; an error is taken out of it.
fn peeked<T, E>(
    stream: &mut Peekable<impl Iterator<Item = Result<T, E>>>,
    key: impl Fn(&T) -> Sorted,
) -> Result<Option<Sorted>, E> {
    match stream.peek() {
        Some(Ok(item)) => Ok(Some(key(item))),
        Some(Err(_)) => stream.next().transpose().map(|_| None),
        None => Ok(None),
    }
}

/// All rows of one key: the first, and their number.
fn taken<E>(
    rows: &mut Peekable<impl Iterator<Item = Result<Row, E>>>,
    key: Sorted,
) -> Result<Option<(Row, u64)>, E> {
    let mut found: Option<(Row, u64)> = None;
    while peeked(rows, |row| (row.client, row.sequence))? == Some(key) {
        let Some(row) = rows.next().transpose()? else {
            break;
        };
        let (mut kept, count) = found.unwrap_or((row, 0));
        // Of several the worst is kept: a sound copy does not hide a damaged one.
        kept.value_fits &= row.value_fits;
        kept.checksum_fits &= row.checksum_fits;
        found = Some((kept, count + 1));
    }
    Ok(found)
}
