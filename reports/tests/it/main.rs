//! Recordings that were never run, written with the crate's own writers, read back, judged and shown.

mod judging;
mod recording;
mod rendering;
mod synthetic;
