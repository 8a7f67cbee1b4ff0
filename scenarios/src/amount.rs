//! Quantities as scenarios write them, for whoever takes them from a command line.

use std::time::Duration;

use crate::text::unit::{self, Wrong};

/// `200ms`, `30s`, `5min`.
///
/// # Errors
/// Says what is wrong, and what to write.
pub fn duration(text: &str) -> Result<Duration, String> {
    unit::duration(text).map_err(said)
}

/// `400/s`, `30/min`, as operations a second.
///
/// # Errors
/// Says what is wrong, and what to write.
pub fn rate(text: &str) -> Result<f64, String> {
    unit::rate(text).map_err(said)
}

/// `0.5 %`, as a number between 0 and 1.
///
/// # Errors
/// Says what is wrong, and what to write.
pub fn share(text: &str) -> Result<f64, String> {
    unit::share(text).map_err(said)
}

fn said(wrong: Wrong) -> String {
    format!("{}: {}", wrong.message, wrong.remedy)
}
