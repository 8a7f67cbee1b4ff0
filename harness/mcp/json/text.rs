//! JSON strings compared with their escapes undone, without making the strings.

use super::unquote;

/// The characters of a JSON string (with its quotes), escapes undone. A lone surrogate becomes U+FFFD.
#[derive(Clone)]
pub struct Characters<'a> {
    rest: &'a str,
}

/// The characters of a JSON string; `None` when the text is no string.
pub fn characters(text: &[u8]) -> Option<Characters<'_>> {
    Some(Characters {
        rest: std::str::from_utf8(unquote(text)?).ok()?,
    })
}

impl Characters<'_> {
    fn unit(&mut self) -> Option<u16> {
        let digits = self.rest.get(..4)?;
        let unit = u16::from_str_radix(digits, 16).ok()?;
        self.rest = &self.rest[4..];
        Some(unit)
    }

    fn escaped_unit(&mut self) -> char {
        let Some(first) = self.unit() else {
            return char::REPLACEMENT_CHARACTER;
        };
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        // A high surrogate: the low one has to follow.
        let before = self.rest;
        if let Some(rest) = self.rest.strip_prefix("\\u") {
            self.rest = rest;
            if let Some(second) = self.unit()
                && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
            {
                return character;
            }
            self.rest = before;
        }
        char::REPLACEMENT_CHARACTER
    }
}

impl Iterator for Characters<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let first = characters.next()?;
        self.rest = characters.as_str();
        if first != '\\' {
            return Some(first);
        }
        let escape = characters.next()?;
        self.rest = characters.as_str();
        Some(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => self.escaped_unit(),
            other => other,
        })
    }
}

/// Two JSON strings say the same.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    match (characters(left), characters(right)) {
        (Some(left), Some(right)) => left.eq(right),
        _ => false,
    }
}

/// A JSON string says this text.
pub fn equals_plain(text: &[u8], plain: &str) -> bool {
    if unquote(text) == Some(plain.as_bytes()) && !plain.contains('\\') {
        return true;
    }
    characters(text).is_some_and(|own| own.eq(plain.chars()))
}

/// A JSON string holds another one.
pub fn contains(text: &[u8], wanted: &[u8]) -> bool {
    let plain = |json: &[u8]| memchr::memchr(b'\\', json).is_none();
    match (unquote(text), unquote(wanted)) {
        (Some(own), Some(wanted)) if plain(own) && plain(wanted) => {
            memchr::memmem::find(own, wanted).is_some()
        }
        _ => characters(wanted).is_some_and(|wanted| contains_characters(text, || wanted.clone())),
    }
}

/// A JSON string holds these characters one after another; `wanted` begins anew at each call.
pub fn contains_characters<I>(text: &[u8], wanted: impl Fn() -> I) -> bool
where
    I: Iterator<Item = char>,
{
    let Some(mut place) = characters(text) else {
        return false;
    };
    let Some(first) = wanted().next() else {
        return true;
    };
    loop {
        let mut from_here = place.clone();
        match place.next() {
            None => return false,
            Some(character) if character == first => {
                if wanted().all(|character| from_here.next() == Some(character)) {
                    return true;
                }
            }
            Some(_) => {}
        }
    }
}
