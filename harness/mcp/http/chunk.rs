//! The framing of chunked bodies (RFC 9112, section 7.1). Lines end with CRLF and with nothing else.

use super::BadHttp;

/// A chunk's size line with its extensions, and all trailers together, are not longer.
const LONGEST: u32 = 16 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Digits of a chunk's size.
    Size {
        size: u64,
        digits: u32,
    },
    /// Blanks after the size.
    Blank {
        size: u64,
        length: u32,
    },
    Extension {
        size: u64,
        length: u32,
    },
    /// After the CR of the size line.
    SizeEnd {
        size: u64,
    },
    /// This many bytes of data are still to come.
    Data(u64),
    DataCr,
    DataLf,
    /// Where a line of the trailers begins, or the last line.
    TrailerStart {
        length: u32,
    },
    TrailerName {
        length: u32,
    },
    TrailerValue {
        length: u32,
    },
    /// After the CR of a trailer.
    TrailerEnd {
        length: u32,
    },
    /// After the CR of the last line.
    LastLf,
    End,
}

impl Framing {
    pub const START: Framing = Framing::Size { size: 0, digits: 0 };

    /// What follows a piece of data, when `left` bytes of its chunk are missing.
    pub fn after_data(left: u64) -> Framing {
        if left == 0 {
            Framing::DataCr
        } else {
            Framing::Data(left)
        }
    }

    /// Takes framing off the front of `input`, a whole line where it stands there plainly, a byte otherwise. Data is
    /// none of its business.
    pub fn read(self, input: &mut &[u8]) -> Result<Framing, BadHttp> {
        if let Some((next, rest)) = self.line(input) {
            *input = rest;
            return Ok(next);
        }
        let Some((byte, rest)) = input.split_first() else {
            return Ok(self);
        };
        *input = rest;
        self.byte(*byte)
    }

    /// What follows a line that is whole and without extras, as nearly all are.
    fn line(self, input: &[u8]) -> Option<(Framing, &[u8])> {
        match self {
            Framing::START => {
                let digits = input
                    .iter()
                    .take(8)
                    .map_while(|byte| char::from(*byte).to_digit(16));
                let (count, size) = digits.fold((0, 0), |(count, size), digit| {
                    (count + 1, size * 16 + u64::from(digit))
                });
                let rest = input[count..].strip_prefix(b"\r\n")?;
                (count > 0).then_some((Framing::after_size(size), rest))
            }
            Framing::DataCr => Some((Framing::START, input.strip_prefix(b"\r\n")?)),
            Framing::TrailerStart { .. } => Some((Framing::End, input.strip_prefix(b"\r\n")?)),
            _ => None,
        }
    }

    fn after_size(size: u64) -> Framing {
        match size {
            0 => Framing::TrailerStart { length: 0 },
            size => Framing::Data(size),
        }
    }

    fn byte(self, byte: u8) -> Result<Framing, BadHttp> {
        match (self, byte) {
            (Framing::Size { size, digits }, _) => size_byte(size, digits, byte),
            (Framing::Blank { size, .. } | Framing::Extension { size, .. }, b'\r') => {
                Ok(Framing::SizeEnd { size })
            }
            (Framing::Blank { size, length }, b' ' | b'\t') => {
                limited(length).map(|length| Framing::Blank { size, length })
            }
            (Framing::Blank { size, length }, b';') => Ok(Framing::Extension { size, length }),
            (Framing::Extension { .. }, b'\n') => Err(BadHttp::Chunk),
            (Framing::Extension { size, length }, _) => {
                limited(length).map(|length| Framing::Extension { size, length })
            }
            (Framing::SizeEnd { size }, b'\n') => Ok(Framing::after_size(size)),
            (Framing::DataCr, b'\r') => Ok(Framing::DataLf),
            (Framing::DataLf, b'\n') => Ok(Framing::START),
            (Framing::TrailerStart { .. }, b'\r') => Ok(Framing::LastLf),
            (Framing::TrailerStart { length } | Framing::TrailerName { length }, _)
                if is_token(byte) =>
            {
                limited(length).map(|length| Framing::TrailerName { length })
            }
            (Framing::TrailerName { length }, b':') => Ok(Framing::TrailerValue { length }),
            (Framing::TrailerValue { length }, b'\r') => Ok(Framing::TrailerEnd { length }),
            (Framing::TrailerValue { length }, b'\t' | b' '..=b'~' | 0x80..) => {
                limited(length).map(|length| Framing::TrailerValue { length })
            }
            (Framing::TrailerEnd { length }, b'\n') => Ok(Framing::TrailerStart { length }),
            (Framing::LastLf, b'\n') => Ok(Framing::End),
            (
                Framing::Blank { .. }
                | Framing::SizeEnd { .. }
                | Framing::DataCr
                | Framing::DataLf
                | Framing::TrailerStart { .. }
                | Framing::TrailerName { .. }
                | Framing::TrailerValue { .. }
                | Framing::TrailerEnd { .. }
                | Framing::LastLf,
                _,
            ) => Err(BadHttp::Chunk),
            (Framing::Data(_) | Framing::End, _) => Ok(self),
        }
    }
}

fn size_byte(size: u64, digits: u32, byte: u8) -> Result<Framing, BadHttp> {
    match (byte, char::from(byte).to_digit(16)) {
        (_, Some(digit)) => {
            let size = size.checked_mul(16).ok_or(BadHttp::Chunk)?;
            limited(digits).map(|digits| Framing::Size {
                size: size + u64::from(digit),
                digits,
            })
        }
        (b'\r', None) if digits > 0 => Ok(Framing::SizeEnd { size }),
        (b' ' | b'\t', None) if digits > 0 => Ok(Framing::Blank {
            size,
            length: digits,
        }),
        (b';', None) if digits > 0 => Ok(Framing::Extension {
            size,
            length: digits,
        }),
        (_, None) => Err(BadHttp::Chunk),
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn limited(length: u32) -> Result<u32, BadHttp> {
    if length < LONGEST {
        Ok(length + 1)
    } else {
        Err(BadHttp::Chunk)
    }
}
