//! Writes that are acknowledged before they are on the disk, by a store that is told to be wrong in this way. They are
//! in the memory of the process alone: the kernel would keep what was written to a file when the process is killed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// Nothing is held for longer, nor much shorter while writes come.
pub(super) const HELD_FOR: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct Held {
    pub on: bool,
    /// When the oldest of it was acknowledged.
    pub since: Option<Instant>,
    /// Where it belongs in the file.
    start: u64,
    text: Vec<u8>,
}

impl Held {
    /// Whether `text`, which belongs at `end`, is held.
    pub(super) fn keep(&mut self, text: &[u8], end: u64) -> bool {
        // What is held has to be one piece.
        if !self.on && self.text.is_empty() {
            return false;
        }
        if self.text.is_empty() {
            self.start = end;
            self.since = Some(clock::now());
        }
        self.text.extend_from_slice(text);
        true
    }

    pub(super) fn take(&mut self) -> Option<(u64, Vec<u8>)> {
        self.since = None;
        let text = std::mem::take(&mut self.text);
        (!text.is_empty()).then_some((self.start, text))
    }
}

/// The text of the log, in the file and in what is held.
pub(super) struct Text<'a> {
    pub file: &'a File,
    pub held: &'a Mutex<Held>,
}

impl Text<'_> {
    pub(super) fn read(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = at.checked_sub(held.start).map(|offset| offset as usize);
        match offset.and_then(|offset| held.text.get(offset..offset + into.len())) {
            Some(text) => into.copy_from_slice(text),
            None => self.file.read_exact_at(into, at)?,
        }
        Ok(())
    }
}
