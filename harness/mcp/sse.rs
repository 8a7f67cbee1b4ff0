//! Event streams, as the HTML standard frames them (section 9.2.6): lines end with CR, LF or CRLF, in any cut
//! of the bytes.

/// What one event said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The data is in [`Parser::data`].
    Message,
    /// An id and no data: the server opens the stream with it, so that it could be resumed.
    Priming,
}

/// The stream broke the framing, or the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadStream {
    #[error("an event is larger than the operation's limit")]
    TooLarge,
    #[error("the stream ended inside an event")]
    Cut,
}

#[derive(Debug, Default)]
pub struct Parser {
    /// A line that has not come whole.
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    has_id: bool,
    /// The last event has been told: its data goes when the next byte is looked at.
    told: bool,
    /// The last line ended with CR: an LF right after it belongs to the same end.
    after_cr: bool,
    started: bool,
}

impl Parser {
    pub fn begin(&mut self) {
        self.line.clear();
        self.data.clear();
        (self.has_data, self.has_id, self.told) = (false, false, false);
        (self.after_cr, self.started) = (false, false);
    }

    /// The data of the event that was told last.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Gives back memory that a large event took.
    pub fn shrink(&mut self, most: usize) {
        self.data.shrink_to(most);
        self.line.shrink_to(most);
    }

    /// The next event in `input`, from whose front it takes what it used; `None` when all is used up.
    ///
    /// # Errors
    /// When an event is larger than `limit` bytes.
    pub fn next(&mut self, input: &mut &[u8], limit: u64) -> Result<Option<Event>, BadStream> {
        if std::mem::take(&mut self.told) {
            self.data.clear();
        }
        while !input.is_empty() {
            if std::mem::take(&mut self.after_cr) && input[0] == b'\n' {
                *input = &input[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\r', b'\n', input) else {
                self.line.extend_from_slice(input);
                *input = &[];
                self.check(limit)?;
                return Ok(None);
            };
            self.after_cr = input[end] == b'\r';
            let piece = &input[..end];
            *input = &input[end + 1..];
            let event = if self.line.is_empty() {
                self.take_line(piece)
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(piece);
                let event = self.take_line(&line);
                line.clear();
                self.line = line;
                event
            };
            self.check(limit)?;
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn check(&self, limit: u64) -> Result<(), BadStream> {
        if (self.line.len() + self.data.len()) as u64 > limit {
            return Err(BadStream::TooLarge);
        }
        Ok(())
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// When an event had begun and not ended: the standard throws it away, and with it perhaps a result.
    pub fn end(&self) -> Result<(), BadStream> {
        if self.line.is_empty() && !self.has_data {
            Ok(())
        } else {
            Err(BadStream::Cut)
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Option<Event> {
        let line = match std::mem::replace(&mut self.started, true) {
            false => line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line),
            true => line,
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let (name, value) = match memchr::memchr(b':', line) {
            // A comment.
            Some(0) => return None,
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" => self.has_id = true,
            // `event`, `retry` and what nobody knows yet: a load client never resumes.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let (had_data, had_id) = (
            std::mem::take(&mut self.has_data),
            std::mem::take(&mut self.has_id),
        );
        if had_data && !self.data.is_empty() {
            self.told = true;
            return Some(Event::Message);
        }
        self.data.clear();
        had_id.then_some(Event::Priming)
    }
}
