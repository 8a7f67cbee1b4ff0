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
    #[error("the stream held lines that are no fields of an event, and no event")]
    Junk,
}

#[derive(Debug, Default)]
pub struct Parser {
    /// A line that has not come whole.
    line: Vec<u8>,
    data: Vec<u8>,
    event: Fields,
    /// The last event has been told: its data goes when the next byte is looked at.
    told: bool,
    /// The last line ended with CR: an LF right after it belongs to the same end.
    after_cr: bool,
    /// The first line, which may begin with a byte order mark, has been read.
    started: bool,
    /// Some line was no field of an event, and no comment.
    junk: bool,
    /// Some event had data.
    spoken: bool,
}

/// What the event that is being read has said so far, beside its data.
#[derive(Debug, Default)]
struct Fields {
    data: bool,
    id: bool,
    /// Of another type than `message`: such events are not part of MCP.
    foreign: bool,
}

impl Parser {
    /// Makes ready for another stream; memory is kept.
    pub fn begin(&mut self) {
        let (mut line, mut data) = (
            std::mem::take(&mut self.line),
            std::mem::take(&mut self.data),
        );
        line.clear();
        data.clear();
        *self = Parser {
            line,
            data,
            ..Parser::default()
        };
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
    /// When an event had begun and not ended: the standard throws it away, and with it perhaps a result. And when
    /// nothing in the stream was an event: lines that the standard ignores were then meant to be something.
    pub fn end(&self) -> Result<(), BadStream> {
        if !self.line.is_empty() || self.event.data {
            Err(BadStream::Cut)
        } else if self.junk && !self.spoken {
            Err(BadStream::Junk)
        } else {
            Ok(())
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
                if std::mem::replace(&mut self.event.data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" => self.event.id = true,
            b"event" => self.event.foreign = !matches!(value, b"" | b"message"),
            // A load client never comes back to a stream.
            b"retry" => {}
            _ => self.junk = true,
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let event = std::mem::take(&mut self.event);
        if event.data && !event.foreign && !self.data.is_empty() {
            (self.told, self.spoken) = (true, true);
            return Some(Event::Message);
        }
        self.data.clear();
        event.id.then_some(Event::Priming)
    }
}

#[cfg(test)]
mod tests;
