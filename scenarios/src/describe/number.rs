//! Quantities as people read them.

use std::time::Duration;

use crate::plan::Rate;
use crate::text::unit;

/// `12,345`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 session`, `2 sessions`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", thousands(number))
}

/// `1500 ms`.
pub(super) fn duration(duration: Duration) -> String {
    spaced(&unit::duration_text(duration))
}

/// `64 KiB`.
pub(super) fn size(bytes: u64) -> String {
    spaced(&unit::size_text(bytes))
}

fn spaced(text: &str) -> String {
    let at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    format!("{} {}", &text[..at], &text[at..])
}

pub(super) fn rate(rate: Rate) -> String {
    unit::rate_text(rate.0)
}

pub(super) fn share(share: f64) -> String {
    unit::share_text(share)
}

/// `00:05`, `1:00:05`, with milliseconds where there are some.
pub(super) fn clock(at: Duration) -> String {
    let seconds = at.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let hours = if hours > 0 {
        format!("{hours}:")
    } else {
        String::new()
    };
    let millis = match at.subsec_millis() {
        0 => String::new(),
        millis => format!(".{millis:03}"),
    };
    format!("{hours}{minutes:02}:{seconds:02}{millis}")
}
