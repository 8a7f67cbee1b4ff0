//! Values compared by what they mean, without making trees of them.

use super::place::named;
use super::scan::Scanner;
use super::text;

/// The number that the text is. A number too large for the type is infinite, and never NaN.
pub fn number(json: &[u8]) -> Option<f64> {
    if !matches!(json.first()?, b'-' | b'0'..=b'9') {
        return None;
    }
    std::str::from_utf8(json).ok()?.parse().ok()
}

/// True when two JSON texts mean the same: objects whatever their order, numbers by value, strings with their
/// escapes undone. Takes time in proportion to the product of the members of two objects.
pub fn values_equal(left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    match (left.first(), right.first()) {
        (Some(b'"'), Some(b'"')) => text::equal(left, right),
        (Some(b'['), Some(b'[')) => arrays_equal(left, right),
        (Some(b'{'), Some(b'{')) => objects_equal(left, right),
        _ => numbers_equal(left, right),
    }
}

fn arrays_equal(left: &[u8], right: &[u8]) -> bool {
    let mut others = Scanner::new(right).elements();
    let each = Scanner::new(left)
        .elements()
        .all(|own| others.next().is_some_and(|other| values_equal(own, other)));
    each && others.next().is_none()
}

/// Every member of the left is in the right with an equal value, and the right has no other key.
fn objects_equal(left: &[u8], right: &[u8]) -> bool {
    let twin = |json, key| named(json, |other| text::equal(key, other));
    let mut same = true;
    let left_read = Scanner::new(left).object(|key, scanner| {
        let value = scanner.value()?;
        same = same && twin(right, key).is_some_and(|other| values_equal(value, other));
        Ok(())
    });
    let right_read = Scanner::new(right).object(|key, scanner| {
        same = same && twin(left, key).is_some();
        scanner.value().map(drop)
    });
    same && left_read.is_ok() && right_read.is_ok()
}

/// Whole numbers exactly, others as the nearest number of 64 bits.
fn numbers_equal(left: &[u8], right: &[u8]) -> bool {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return left == right;
    }
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left == right && left.is_finite(),
        _ => false,
    }
}

fn whole(json: &[u8]) -> Option<i128> {
    std::str::from_utf8(json).ok()?.parse().ok()
}
