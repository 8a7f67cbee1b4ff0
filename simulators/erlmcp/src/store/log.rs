//! The log file `ledger.log`: one record a line, in the order of their positions.
//!
//! At the start a torn tail (an end without newline, or last lines that are no records) is cut off: none of it was
//! ever acknowledged. A damaged line before a whole one stays where it is and is shown as it is, since whoever
//! reads the ledger back has to see the damage.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek};
use std::path::Path;

use rustix::fs::FlockOperation;
use serde::Serialize;

use super::held::Text;
use super::record::Record;
use crate::backup::LOG;
use crate::role::RoleError;

pub(super) struct Log {
    pub file: File,
    pub index: Index,
}

/// What was found at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Recovered {
    pub records: u64,
    /// Lines in the middle that are no sound records.
    pub damaged: u64,
    /// Bytes of the torn tail.
    pub cut: u64,
}

/// Where each record stands in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Offset of the line of position `i + 1`.
    lines: Vec<u64>,
    /// End of the last line.
    end: u64,
    /// The newest position of each (client, sequence).
    keys: BTreeMap<String, BTreeMap<u64, u64>>,
}

impl Index {
    /// The position of the newest record; 0 when there is none.
    pub(super) fn last(&self) -> u64 {
        self.lines.len() as u64
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn position(&self, client: &str, sequence: u64) -> Option<u64> {
        self.keys.get(client)?.get(&sequence).copied()
    }

    /// Where in the file the line of `position` is, without its newline.
    pub(super) fn line(&self, position: u64) -> Option<(u64, usize)> {
        let at = usize::try_from(position).ok()?.checked_sub(1)?;
        let start = *self.lines.get(at)?;
        let end = self.lines.get(at + 1).copied().unwrap_or(self.end);
        Some((start, (end - start).saturating_sub(1) as usize))
    }

    /// Takes in lines up to `position` that are no records any more. There may be more or fewer of them than
    /// there were records.
    fn push_damaged(&mut self, position: u64, lines: Vec<u64>) {
        let missing = position - 1 - self.last();
        if lines.len() as u64 == missing {
            lines.into_iter().for_each(|length| self.push(length, None));
            return;
        }
        let mut length = lines.iter().sum();
        for _ in 0..missing {
            self.push(length, None);
            length = 0;
        }
        // Without a record to give them to, they belong to the line before.
        self.end += length;
    }

    /// Takes in the next line; `length` counts its newline.
    pub(super) fn push(&mut self, length: u64, record: Option<&Record>) {
        self.lines.push(self.end);
        self.end += length;
        let position = self.last();
        if let Some(record) = record {
            self.keys
                .entry(record.client.clone())
                .or_default()
                .insert(record.sequence, position);
        }
    }
}

impl Log {
    pub(super) fn open(directory: &Path) -> Result<(Log, Recovered), RoleError> {
        let path = directory.join(LOG);
        Log::open_file(directory, &path).map_err(|error| RoleError::File {
            file: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    fn open_file(directory: &Path, path: &Path) -> io::Result<(Log, Recovered)> {
        fs::create_dir_all(directory)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::other("another store has it open: end that one first"))?;
        file.rewind()?;
        let length = file.metadata()?.len();
        let (index, recovered) = recover(BufReader::new(&file), length)?;
        file.set_len(index.end())?;
        file.sync_all()?;
        // The file's own name has to survive as well.
        File::open(directory)?.sync_all()?;
        Ok((Log { file, index }, recovered))
    }
}

/// Reads a log of `length` bytes from its beginning.
fn recover(mut text: impl BufRead, length: u64) -> io::Result<(Index, Recovered)> {
    let mut index = Index::default();
    let mut recovered = Recovered::default();
    // Lines since the last whole record that are none: damage if a whole one follows, else the torn tail.
    let mut doubtful: Vec<u64> = Vec::new();
    let mut line = Vec::new();
    while text.read_until(b'\n', &mut line)? > 0 {
        let size = line.len() as u64;
        let whole = record(&line)
            .filter(|record| line.ends_with(b"\n") && belongs(record, index.last(), &doubtful));
        match whole {
            Some(record) => {
                recovered.damaged += record.position - index.last() - 1;
                recovered.damaged += u64::from(!record.is_sound());
                index.push_damaged(record.position, std::mem::take(&mut doubtful));
                index.push(size, Some(&record));
            }
            None => doubtful.push(size),
        }
        line.clear();
    }
    recovered.records = index.last();
    recovered.cut = length - index.end();
    Ok((index, recovered))
}

/// Whether a record may come next after the position `last` and some doubtful lines. A record that was torn may have
/// become several lines or a part of one, so a sound record's own word counts, within what those lines can hold.
fn belongs(record: &Record, last: u64, doubtful: &[u64]) -> bool {
    let next = last + 1;
    let room = next + doubtful.iter().sum::<u64>();
    record.position == next + doubtful.len() as u64
        || (record.is_sound() && (next..=room).contains(&record.position))
}

/// The record in a line, sound or not.
pub(super) fn record(line: &[u8]) -> Option<Record> {
    serde_json::from_slice(line).ok()
}

/// The record of `position` as JSON: as it stands in the file, and marked where its checksum does not fit. What is
/// not even a record is shown as damage.
pub(super) fn read_line(
    text: &Text<'_>,
    index: &Index,
    position: u64,
) -> io::Result<Option<String>> {
    let Some((start, length)) = index.line(position) else {
        return Ok(None);
    };
    let mut line = vec![0; length];
    text.read(&mut line, start)?;
    Ok(Some(match record(&line) {
        Some(record) if record.is_sound() => String::from_utf8_lossy(&line).into_owned(),
        Some(record) => match serde_json::to_value(&record) {
            Ok(mut shown) => {
                shown["sound"] = false.into();
                shown.to_string()
            }
            Err(_) => damaged(position),
        },
        None => damaged(position),
    }))
}

fn damaged(position: u64) -> String {
    format!(r#"{{"position":{position},"damaged":true,"sound":false}}"#)
}

/// The lines of the positions `from` to `to`, each with its newline: as they stand in the file, and a line that says
/// so for what is no line any more.
pub(super) fn read_lines(
    text: &Text<'_>,
    index: &Index,
    from: u64,
    to: u64,
) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for position in from..=to {
        let Some((start, length)) = index.line(position) else {
            break;
        };
        let at = lines.len();
        lines.resize(at + length, 0);
        text.read(&mut lines[at..], start)?;
        if length == 0 || lines[at..].contains(&b'\n') {
            lines.truncate(at);
            lines.extend_from_slice(damaged(position).as_bytes());
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::Write;
    use super::*;

    fn line(position: u64) -> String {
        let write = Write {
            client: "c".into(),
            sequence: position * 10,
            value: "v".repeat(position as usize),
            epoch: None,
        };
        let record = Record::new(position, 1, write, 0);
        format!("{}\n", serde_json::to_string(&record).unwrap())
    }

    fn recovered(text: &str) -> (Index, Recovered) {
        recover(text.as_bytes(), text.len() as u64).unwrap()
    }

    proptest! {
        /// However a crash tears the log, exactly the whole lines are kept.
        #[test]
        fn a_torn_tail_is_cut_at_the_last_whole_record(records in 0_u64..8, cut in 0_usize..200) {
            let whole: String = (1..=records).map(line).collect();
            let next = line(records + 1);
            let torn = &next[..cut.min(next.len() - 1)];
            let (index, found) = recovered(&format!("{whole}{torn}"));
            prop_assert_eq!(index.last(), records);
            prop_assert_eq!(index.end(), whole.len() as u64);
            prop_assert_eq!(found, Recovered { records, damaged: 0, cut: torn.len() as u64 });
        }
    }

    #[test]
    fn damage_in_the_middle_keeps_its_place() {
        let text = format!("{}garbage\n{}", line(1), line(3));
        let (index, found) = recovered(&text);
        assert_eq!(
            found,
            Recovered {
                records: 3,
                damaged: 1,
                cut: 0
            }
        );
        assert_eq!(index.position("c", 30), Some(3));
        assert_eq!(
            index.line(3),
            Some((line(1).len() as u64 + 8, line(3).len() - 1))
        );
    }

    /// A torn record may have become many lines, or none of its own.
    #[test]
    fn records_after_a_torn_one_keep_their_positions() {
        let blank = format!("{}{{\"posi\n\n\n{}", line(1), line(3));
        let joined = format!("{}{{\"posi{}{}", line(1), line(3), line(4));
        for (text, last, key) in [(blank, 3, 30), (joined, 4, 40)] {
            let (index, found) = recovered(&text);
            assert_eq!((found.records, found.cut), (last, 0), "{text}");
            assert_eq!(index.position("c", key), Some(last), "{text}");
            assert_eq!(index.position("c", 10), Some(1), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_damage_even_at_the_end() {
        let text = format!("{}{}", line(1), line(2).replace("vv", "vx"));
        let (index, found) = recovered(&text);
        assert_eq!(index.last(), 2);
        assert_eq!(
            found,
            Recovered {
                records: 2,
                damaged: 1,
                cut: 0
            }
        );
    }

    #[test]
    fn a_key_points_to_its_newest_record() {
        let again = Record::new(
            2,
            1,
            Write {
                client: "c".into(),
                sequence: 10,
                value: "w".into(),
                epoch: None,
            },
            0,
        );
        let text = format!("{}{}\n", line(1), serde_json::to_string(&again).unwrap());
        assert_eq!(recovered(&text).0.position("c", 10), Some(2));
    }
}
