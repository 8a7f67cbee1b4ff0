//! A validating scanner: RFC 8259 to the letter, values skipped in place. The caller has checked UTF-8.

/// Deeper nesting is refused: no answer needs it, and the kinds of all open containers have to fit into a word.
const DEEPEST: u32 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

#[derive(Clone)]
pub struct Scanner<'a> {
    /// What has not been read yet.
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a [u8]) -> Scanner<'a> {
        Scanner { rest: text }
    }

    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub fn space(&mut self) {
        // Most texts have none, which one comparison tells.
        while let [byte, rest @ ..] = self.rest
            && *byte <= b' '
            && matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
        {
            self.rest = rest;
        }
    }

    /// Only white space is left.
    pub fn finish(&mut self) -> Result<(), NotJson> {
        self.space();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    /// What `read` takes, as text.
    pub fn taken(
        &mut self,
        read: impl FnOnce(&mut Scanner<'a>) -> Result<(), NotJson>,
    ) -> Result<&'a [u8], NotJson> {
        let before = self.rest;
        read(self)?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// Skips one value and returns its text.
    pub fn value(&mut self) -> Result<&'a [u8], NotJson> {
        self.taken(|own| match own.peek() {
            Some(b'{' | b'[') => own.container(),
            _ => own.scalar(),
        })
    }

    /// Reads an object whose brace comes next: `visit` is given each key (with its quotes) and has to take the value.
    pub fn object(
        &mut self,
        mut visit: impl FnMut(&'a [u8], &mut Scanner<'a>) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.expect(b'{')?;
        self.space();
        if self.skip_if(b'}') {
            return Ok(());
        }
        loop {
            let key = self.taken(Scanner::string)?;
            self.colon()?;
            visit(key, self)?;
            self.space();
            if self.skip_if(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.space();
        }
    }

    /// The elements of the array that begins here; ends at its end, or where it stops being JSON.
    pub fn elements(mut self) -> impl Iterator<Item = &'a [u8]> {
        let mut more = self.expect(b'[').is_ok();
        self.space();
        more = more && !self.skip_if(b']');
        std::iter::from_fn(move || {
            if !more {
                return None;
            }
            let value = self.value();
            self.space();
            more = value.is_ok() && self.skip_if(b',');
            self.space();
            value.ok()
        })
    }

    /// Skips a container and all that is in it.
    fn container(&mut self) -> Result<(), NotJson> {
        let mut open = Open::default();
        loop {
            match self.rest {
                [b'{', inside @ ..] => {
                    open.push(true)?;
                    self.rest = inside;
                    self.space();
                    if self.peek() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                [b'[', inside @ ..] => {
                    open.push(false)?;
                    self.rest = inside;
                    self.space();
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            if !self.after_value(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Closes what ends here; true when another value follows.
    fn after_value(&mut self, open: &mut Open) -> Result<bool, NotJson> {
        while open.depth > 0 {
            self.space();
            match (self.rest, open.is_object()) {
                ([b',', behind @ ..], object) => {
                    self.rest = behind;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                ([b'}', behind @ ..], true) | ([b']', behind @ ..], false) => {
                    self.rest = behind;
                    open.pop();
                }
                _ => return Err(NotJson),
            }
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<(), NotJson> {
        self.string()?;
        self.colon()
    }

    fn colon(&mut self) -> Result<(), NotJson> {
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.skip_if(byte) {
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    fn skip_if(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, behind @ ..] if *first == byte => {
                self.rest = behind;
                true
            }
            _ => false,
        }
    }

    fn scalar(&mut self) -> Result<(), NotJson> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(NotJson),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        self.rest = self.rest.strip_prefix(word).ok_or(NotJson)?;
        Ok(())
    }

    fn string(&mut self) -> Result<(), NotJson> {
        self.expect(b'"')?;
        match behind_plain(self.rest) {
            [b'"', behind @ ..] => {
                self.rest = behind;
                Ok(())
            }
            marked => self.string_from(marked),
        }
    }

    /// Goes on with a string at its first backslash. Apart, so that those without one are read by less code.
    #[cold]
    fn string_from(&mut self, mut rest: &'a [u8]) -> Result<(), NotJson> {
        loop {
            rest = match rest {
                [b'"', behind @ ..] => {
                    self.rest = behind;
                    return Ok(());
                }
                [b'\\', escape @ ..] => behind_plain(behind_escape(escape)?),
                _ => return Err(NotJson),
            }
        }
    }

    fn number(&mut self) -> Result<(), NotJson> {
        self.skip_if(b'-');
        if !self.skip_if(b'0') {
            self.digits()?;
        }
        if self.skip_if(b'.') {
            self.digits()?;
        }
        if self.skip_if(b'e') || self.skip_if(b'E') {
            let _sign = self.skip_if(b'+') || self.skip_if(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let before = self.rest;
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.len() < before.len() {
            Ok(())
        } else {
            Err(NotJson)
        }
    }
}

/// The containers that are open, the innermost in the lowest bit: set for an object.
#[derive(Default)]
struct Open {
    objects: u128,
    depth: u32,
}

impl Open {
    fn push(&mut self, object: bool) -> Result<(), NotJson> {
        if self.depth == DEEPEST {
            return Err(NotJson);
        }
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn is_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// What is left when bytes have gone by up to a quote, a backslash or a control character.
fn behind_plain(mut bytes: &[u8]) -> &[u8] {
    while let Some((word, behind)) = bytes.split_first_chunk::<8>() {
        let marks = special_bytes(u64::from_le_bytes(*word));
        if marks != 0 {
            return &bytes[marks.trailing_zeros() as usize / 8..];
        }
        bytes = behind;
    }
    while let [byte, behind @ ..] = bytes
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        bytes = behind;
    }
    bytes
}

/// What is left behind an escape, which begins with its backslash taken off.
fn behind_escape(bytes: &[u8]) -> Result<&[u8], NotJson> {
    match bytes {
        [
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
            behind @ ..,
        ] => Ok(behind),
        [b'u', a, b, c, d, behind @ ..]
            if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
        {
            Ok(behind)
        }
        _ => Err(NotJson),
    }
}

/// Marks the top bit of each byte that ends a plain run. The lowest mark is exact; a borrow may set marks above it
/// ("Bit Twiddling Hacks", S. E. Anderson: a zero byte in a word, a byte less than n in a word). No byte beyond ASCII
/// is marked, whatever it is compared with, so that one mask serves all three.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES * 0x80;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit);
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | equal(b'"') | equal(b'\\')) & !word & TOPS
}
