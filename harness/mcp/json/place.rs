//! The value at a JSON pointer (RFC 6901), found in the text.

use super::scan::Scanner;
use super::text;

/// The value at `pointer`, whose steps are unescaped, in a text that is known to be JSON.
pub fn find<'a, S: AsRef<str>>(json: &'a [u8], pointer: &[S]) -> Option<&'a [u8]> {
    let mut scanner = Scanner::new(json);
    scanner.space();
    let Some((first, rest)) = pointer.split_first() else {
        return scanner.value().ok();
    };
    rest.iter()
        .try_fold(member(json, first.as_ref())?, |place, step| {
            member(place, step.as_ref())
        })
}

fn member<'a>(json: &'a [u8], step: &str) -> Option<&'a [u8]> {
    let mut scanner = Scanner::new(json);
    scanner.space();
    match scanner.peek()? {
        b'{' => named(json, |key| text::equals_plain(key, step)),
        b'[' => scanner.elements().nth(index(step)?),
        _ => None,
    }
}

/// The value of the last member whose key (with its quotes) is the wanted one.
pub fn named(json: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
    let mut scanner = Scanner::new(json);
    let mut found = None;
    scanner.space();
    scanner
        .object(|key, scanner| {
            let value = scanner.value()?;
            if wanted(key) {
                found = Some(value);
            }
            Ok(())
        })
        .ok()?;
    found
}

/// RFC 6901, section 4: digits without a leading zero. `-`, the place after the last, holds no value.
fn index(step: &str) -> Option<usize> {
    let digits = step.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = step.len() > 1 && step.starts_with('0');
    if digits && !leading_zero {
        step.parse().ok()
    } else {
        None
    }
}
