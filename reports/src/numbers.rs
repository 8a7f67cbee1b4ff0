//! Numbers as people read them. The same number always has the same text.

/// Nanoseconds as milliseconds, or as seconds from one second on: `0.412 ms`, `41.2 ms`, `3.1 s`.
pub fn duration(ns: u64) -> String {
    if ns >= 1_000_000_000 {
        format!("{} s", significant(ns as f64 / 1e9, 3))
    } else {
        format!("{} ms", significant(ns as f64 / 1e6, 3))
    }
}

/// Nanoseconds as a bare number of milliseconds, for columns that name the unit.
pub fn milliseconds(ns: u64) -> String {
    significant(ns as f64 / 1e6, 3)
}

/// A length of time in the units that a person would use: `30 s`, `10 min`, `1 h 5 min`.
pub fn span(ns: u64) -> String {
    let seconds = ns / 1_000_000_000;
    if seconds < 120 {
        return duration(ns);
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (seconds, "s")];
    let texts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    texts.join(" ")
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A share as a percentage: `0.31 %`, `100 %`.
pub fn share(share: f64) -> String {
    format!("{} %", significant(share * 100.0, 3))
}

/// `998.4/s`.
pub fn rate(per_second: f64) -> String {
    format!("{}/s", significant(per_second, 4))
}

/// `1.21 GiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match UNITS.iter().find(|(size, _)| number >= *size) {
        Some((size, unit)) => format!("{} {unit}", significant(number as f64 / *size as f64, 3)),
        None => format!("{number} B"),
    }
}

/// A number with so many significant digits, whole digits never cut, zeros at the end left out, thousands apart.
/// What is no finite number is a dash.
pub fn significant(number: f64, digits: i32) -> String {
    if !number.is_finite() {
        return "-".to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    // Rounding may carry into a new digit (9.996 to 10.00), so the size is taken of the rounded number.
    let rounded: f64 = format!("{:.*e}", (digits - 1).max(0) as usize, number)
        .parse()
        .unwrap_or(number);
    let size = rounded.abs().log10().floor() as i32 + 1;
    let value = if size >= digits {
        number.round()
    } else {
        rounded
    };
    let text = format!("{value:.*}", (digits - size).clamp(0, 12) as usize);
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    };
    grouped(&text)
}

/// Commas between the thousands of the whole part.
fn grouped(text: &str) -> String {
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, rest) = text
        .find('.')
        .map_or((text, ""), |point| text.split_at(point));
    let mut grouped = String::with_capacity(text.len() + text.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_no_more_than_they_need() {
        let texts = [
            (0, "0 ms"),
            (412_345, "0.412 ms"),
            (3_100_000, "3.1 ms"),
            (41_249_000, "41.2 ms"),
            (99_960_000, "100 ms"),
            (100_000_000, "100 ms"),
            (999_600_000, "1,000 ms"),
            (1_500_000_000, "1.5 s"),
            (3_600_000_000_000, "3,600 s"),
        ];
        for (ns, text) in texts {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn spans_shares_counts_and_sizes() {
        assert_eq!(span(30_000_000_000), "30 s");
        assert_eq!(span(600_000_000_000), "10 min");
        assert_eq!(span(3_905_000_000_000), "1 h 5 min 5 s");
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(123), "123");
        assert_eq!(share(0.005), "0.5 %");
        assert_eq!(share(0.003_149), "0.315 %");
        assert_eq!(share(1.0), "100 %");
        assert_eq!(share(0.000_000_041), "0.0000041 %");
        assert_eq!(rate(1000.0), "1,000/s");
        assert_eq!(rate(998.44), "998.4/s");
        assert_eq!(rate(12345.6), "12,346/s");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1 << 16), "64 KiB");
        assert_eq!(bytes(1_300_000_000), "1.21 GiB");
        assert_eq!(significant(f64::NAN, 3), "-");
        assert_eq!(significant(-1234.5, 3), "-1,235");
    }
}
