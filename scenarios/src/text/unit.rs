//! Quantities and their units, both ways. What is written reads back as the very same value.

use std::time::Duration;

use super::nearest::choices;

/// Why a text is no quantity of this kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub message: String,
    pub remedy: String,
}

fn wrong(message: impl Into<String>, remedy: impl Into<String>) -> Wrong {
    Wrong {
        message: message.into(),
        remedy: remedy.into(),
    }
}

const TIMES: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

const PER: [(&str, f64); 3] = [("/s", 1.0), ("/min", 60.0), ("/h", 3600.0)];

/// More than any machine sends.
const FASTEST: f64 = 1e7;

/// A decimal number and what stands behind it; `None` when the text does not begin with a number.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fine = !whole.is_empty() && !fraction.is_empty() && !fraction.contains('.');
    fine.then(|| (number, unit.trim()))
}

/// `number * unit` without rounding; `None` when it is no whole number or too large.
fn exactly(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let mantissa: u128 = format!("{whole}{fraction}").parse().ok()?;
    let product = mantissa.checked_mul(u128::from(unit))?;
    if product % scale != 0 {
        return None;
    }
    u64::try_from(product / scale).ok()
}

pub(crate) fn duration(text: &str) -> Result<Duration, Wrong> {
    let Some((number, unit)) = split(text) else {
        return Err(wrong(
            format!("`{text}` is no duration"),
            "write a number with its unit: 200ms, 30s, 5min",
        ));
    };
    if unit.is_empty() {
        return Err(wrong(
            "a duration needs a unit",
            format!("write {number}s, {number}ms or {number}min"),
        ));
    }
    let Some((_, nanos)) = TIMES.iter().find(|(name, _)| *name == unit) else {
        let remedy = match unit {
            "m" => format!("write {number}min for minutes or {number}ms for milliseconds"),
            _ => choices(unit, "units of time", TIMES.iter().map(|(name, _)| *name)),
        };
        return Err(wrong(format!("`{unit}` is no unit of time"), remedy));
    };
    let longest = 1000 * TIMES[6].1;
    exactly(number, *nanos)
        .filter(|nanos| *nanos <= longest)
        .map(Duration::from_nanos)
        .ok_or_else(|| {
            wrong(
                format!("`{text}` is no whole number of nanoseconds, or too long"),
                "durations go from 1ns to 1000d",
            )
        })
}

/// Operations a second.
pub(crate) fn rate(text: &str) -> Result<f64, Wrong> {
    let Some((number, unit)) = split(text) else {
        return Err(wrong(
            format!("`{text}` is no rate"),
            "write a number with its unit: 400/s, 30/min",
        ));
    };
    if unit.is_empty() {
        return Err(wrong(
            "a rate needs a unit",
            format!("write {number}/s or {number}/min"),
        ));
    }
    let per = unit.replace(' ', "");
    let Some((_, seconds)) = PER.iter().find(|(name, _)| *name == per) else {
        let remedy = choices(&per, "units of a rate", PER.iter().map(|(name, _)| *name));
        return Err(wrong(format!("`{unit}` is no unit of a rate"), remedy));
    };
    let rate = number.parse::<f64>().unwrap_or(f64::INFINITY) / seconds;
    if rate > FASTEST {
        return Err(wrong(
            format!("`{text}` is more than any machine sends"),
            "the highest rate is 10000000/s",
        ));
    }
    Ok(rate)
}

/// A percentage, as a number between 0 and 1.
pub(crate) fn share(text: &str) -> Result<f64, Wrong> {
    let Some((number, unit)) = split(text) else {
        return Err(wrong(
            format!("`{text}` is no share"),
            "write a percentage: 0.5 %",
        ));
    };
    if unit != "%" {
        return Err(wrong(
            "a share is a percentage with its sign",
            format!("write {number} %"),
        ));
    }
    hundredth(number)
        .filter(|share| *share <= 1.0)
        .ok_or_else(|| {
            wrong(
                format!("`{text}` is more than everything"),
                "shares go from 0 % to 100 %",
            )
        })
}

/// A decimal divided by a hundred, rounded once.
pub(crate) fn hundredth(number: &str) -> Option<f64> {
    format!("{number}e-2").parse().ok()
}

/// Bytes.
pub(crate) fn size(text: &str) -> Result<u64, Wrong> {
    let Some((number, unit)) = split(text) else {
        return Err(wrong(
            format!("`{text}` is no size"),
            "write a number with its unit: 512B, 64KiB, 1MiB",
        ));
    };
    if unit.is_empty() {
        return Err(wrong(
            "a size needs a unit",
            format!("write {number}B, {number}KiB or {number}MiB"),
        ));
    }
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        let remedy = choices(unit, "units of size", SIZES.iter().map(|(name, _)| *name));
        return Err(wrong(format!("`{unit}` is no unit of size"), remedy));
    };
    exactly(number, *bytes).ok_or_else(|| {
        wrong(
            format!("`{text}` is no whole number of bytes, or too large"),
            "write a whole number of bytes: 1536B",
        )
    })
}

/// Seconds without a unit, as they stand in a trace file.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    if !unit.is_empty() {
        return None;
    }
    exactly(number, TIMES[3].1).map(Duration::from_nanos)
}

// ---- back to text ----

fn in_largest(units: &[(&str, u64)], value: u64) -> String {
    units
        .iter()
        .filter(|(_, unit)| value.is_multiple_of(*unit))
        .max_by_key(|(_, unit)| *unit)
        .map_or_else(
            || value.to_string(),
            |(name, unit)| format!("{}{name}", value / unit),
        )
}

pub(crate) fn duration_text(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    if nanos == 0 {
        return "0s".to_owned();
    }
    in_largest(&TIMES, nanos)
}

pub(crate) fn size_text(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    in_largest(&SIZES, bytes)
}

pub(crate) fn rate_text(rate: f64) -> String {
    // A rate that was given a minute or an hour is shown so, where that reads back as the same number.
    let nice = PER
        .iter()
        .map(|(unit, per)| (unit, per, (rate * per).round()))
        .find(|(_, per, number)| *number / *per == rate);
    match nice {
        Some((unit, _, number)) => format!("{number}{unit}"),
        None => format!("{rate}/s"),
    }
}

pub(crate) fn share_text(share: f64) -> String {
    format!("{} %", times_hundred(share))
}

/// The decimal of `share * 100`, made by moving the point, so that [`hundredth`] gives the same number back.
pub(crate) fn times_hundred(share: f64) -> String {
    let text = format!("{share}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let padded = format!("{fraction:0<2}");
    let (moved, rest) = padded.split_at(2);
    let digits = format!("{whole}{moved}");
    let whole = digits.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    match rest {
        "" => whole.to_owned(),
        rest => format!("{whole}.{rest}"),
    }
}

/// A number that [`seconds`] reads back.
pub(crate) fn seconds_text(duration: Duration) -> String {
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(duration("0.3 s"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("1.5min"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(rate("400 / min"), Ok(400.0 / 60.0));
        assert_eq!(share("0.5%"), Ok(0.005));
        assert_eq!(size("1.5KiB"), Ok(1536));
        assert_eq!(seconds("12.250"), Some(Duration::from_millis(12_250)));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "", "5", "s", ".5s", "5.s", "1.2.3s", "0.1ns", "1001d", "-1s", "1e3s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "5", "5/", "5/day", "1e9/s", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["5", "100.01 %", "% 5", "5 %%"] {
            assert!(share(text).is_err(), "{text}");
        }
        for text in ["5", "0.5B", "5 KB", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(seconds("5s"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back(nanos in 0u64..86_400_000_000_000_000, number in 0.0..1e7, part in 0.0..=1.0) {
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(duration(&duration_text(time)), Ok(time));
            prop_assert_eq!(seconds(&seconds_text(time)), Some(time));
            prop_assert_eq!(size(&size_text(nanos)), Ok(nanos));
            prop_assert_eq!(rate(&rate_text(number)), Ok(number));
            prop_assert_eq!(rate(&rate_text(nanos as f64 % 1e6 / 60.0)), Ok(nanos as f64 % 1e6 / 60.0));
            prop_assert_eq!(share(&share_text(part)), Ok(part));
        }
    }
}
