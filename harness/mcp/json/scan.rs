//! A validating scanner: RFC 8259 to the letter, values skipped in place. The caller has checked UTF-8.

/// Deeper nesting is refused: no answer needs it, and the kinds of all open containers have to fit into a word.
const DEEPEST: u32 = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

#[derive(Clone)]
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a [u8]) -> Scanner<'a> {
        Scanner { text, at: 0 }
    }

    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Only white space is left.
    pub fn finish(&mut self) -> Result<(), NotJson> {
        self.space();
        if self.at == self.text.len() {
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
        let start = self.at;
        read(self)?;
        Ok(&self.text[start..self.at])
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
            match self.peek() {
                Some(b'{') => {
                    open.push(true)?;
                    self.at += 1;
                    self.space();
                    if self.peek() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    open.push(false)?;
                    self.at += 1;
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
            match (self.peek(), open.is_object()) {
                (Some(b','), object) => {
                    self.at += 1;
                    self.space();
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
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
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
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
        if !self.text[self.at..].starts_with(word) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    fn string(&mut self) -> Result<(), NotJson> {
        self.expect(b'"')?;
        loop {
            self.at += plain_run(&self.text[self.at..]);
            match self.peek().ok_or(NotJson)? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err(NotJson),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6).ok_or(NotJson)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(NotJson);
                }
                self.at += 6;
            }
            _ => return Err(NotJson),
        }
        Ok(())
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
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
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

/// How many bytes go by before a quote, a backslash or a control character.
fn plain_run(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = special_bytes(u64::from_le_bytes(*word));
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
    words.len() * 8 + tail.iter().take_while(plain).count()
}

/// Marks the top bit of each byte that ends a plain run. The lowest mark is exact; a borrow may set marks above it
/// ("Bit Twiddling Hacks", S. E. Anderson: a zero byte in a word, a byte less than n in a word).
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES * 0x80;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & TOPS;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    below(word, 0x20) | equal(b'"') | equal(b'\\')
}
