//! JSON with holes: compiled once, rendered for each operation into a reused buffer.
//!
//! Rendering allocates nothing and is a pure function of the values that it is given.
//!
//! - `compile`: YAML values to templates
//! - `hole`: what may stand between `{{` and `}}`

pub(crate) mod compile;
pub(crate) mod hole;

use std::ops::Range;

use rand::{Rng, RngExt};

/// A JSON text with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub pieces: Vec<Piece>,
    /// How many spans rendering reports: one for each argument that a check compares with.
    pub spans: usize,
    /// The names of these arguments.
    pub arguments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Bytes that stand as they are, already JSON.
    Literal(Vec<u8>),
    /// A value inside a JSON string: escaped, without quotes.
    InString(Source),
    /// A whole scalar: a number stays a number, anything else becomes a quoted string.
    Whole(Source),
    /// From here to the matching end is the argument with this index: its rendered JSON text is reported.
    SpanStart(usize),
    SpanEnd(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `seed-stripe-count` in hexadecimal: never the same twice in a run.
    Unique,
    /// Number of this operation in its session, from 0.
    Seq,
    /// Number of the session in its load, from 0.
    Session,
    /// Uniform in `[low, high]`.
    Int { low: i64, high: i64 },
    /// One of these, with equal chance.
    Pick(Vec<String>),
    /// 1..=n, where k has weight `k^-exponent`: the cumulative distribution, ascending to 1.
    Zipf { exponent: f64, cumulative: Vec<f64> },
    /// This many bytes of filling.
    Pad(usize),
    /// Cell of the load's CSV file; the row follows the arrivals.
    Csv { column: usize },
    /// A value saved by an earlier step of the flow.
    Saved { slot: usize },
    /// Who writes: the same for all writes of a stripe.
    LedgerClient,
    /// Number of this write among those of its client, from 1.
    LedgerSequence,
    /// [`ledger_value`] of the two.
    LedgerValue,
    /// Where a page of a scan begins.
    Cursor,
}

/// What a check compares with.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// JSON text.
    Literal(Vec<u8>),
    /// The whole argument, as it was sent: the index of a span.
    Argument(usize),
    /// A string made of texts and of arguments.
    Text(Vec<TextPiece>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum TextPiece {
    Text(String),
    Argument(usize),
}

/// What fills the holes of one operation.
pub struct Values<'a> {
    pub seed: u64,
    pub stripe: u16,
    /// Counts the operations of the stripe in this load.
    pub count: u64,
    pub load: u16,
    pub seq: u64,
    pub session: u64,
    /// The row of the CSV file, already reduced by its length.
    pub row: usize,
    /// The load's cells, see [`crate::plan::Rows`]; empty without a file.
    pub cells: &'a [String],
    pub columns: usize,
    /// JSON texts saved by earlier steps; an empty one renders as `null`.
    pub saved: &'a [Vec<u8>],
    /// Of an operation that writes to the ledger.
    pub write: WriteKey<'a>,
    /// Of a page of a scan.
    pub cursor: &'a str,
}

/// The key of a write: new for each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteKey<'a> {
    pub client: &'a str,
    pub sequence: u64,
}

/// What the write with this key holds, so that a value that was changed is seen without keeping what was sent:
/// FNV-1a over the client's name, then the finaliser of SplitMix64 over its sum with the sequence.
pub fn ledger_value(client: &str, sequence: u64) -> u64 {
    let name = client
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let mut mixed = name.wrapping_add(sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a write with this value pays in. Sums of as many as there can be do not overflow.
pub fn ledger_amount(value: u64) -> u32 {
    value as u32
}

impl Template {
    /// Appends the rendered text to `out`, and puts the place of argument i, counted from the start of
    /// `out`, into `spans[i]`. `spans` has at least `self.spans` elements.
    pub fn render<R: Rng + ?Sized>(
        &self,
        values: &Values<'_>,
        random: &mut R,
        out: &mut Vec<u8>,
        spans: &mut [Range<u32>],
    ) {
        for piece in &self.pieces {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::InString(source) => source.write_inside(values, random, out),
                Piece::Whole(source) => source.write_whole(values, random, out),
                Piece::SpanStart(index) => {
                    if let Some(span) = spans.get_mut(*index) {
                        span.start = place(out);
                    }
                }
                Piece::SpanEnd(index) => {
                    if let Some(span) = spans.get_mut(*index) {
                        span.end = place(out);
                    }
                }
            }
        }
    }
}

/// A request is never 4 GiB long: sizes of fillings are limited where templates are compiled.
fn place(out: &[u8]) -> u32 {
    u32::try_from(out.len()).unwrap_or(u32::MAX)
}

impl Source {
    /// The value as part of a JSON string.
    fn write_inside<R: Rng + ?Sized>(
        &self,
        values: &Values<'_>,
        random: &mut R,
        out: &mut Vec<u8>,
    ) {
        match self {
            Source::Unique => write_unique(values, out),
            Source::Seq => write_number(values.seq, out),
            Source::Session => write_number(values.session, out),
            Source::Int { low, high } => {
                let number = random.random_range(*low..=(*high).max(*low));
                write_number(number, out);
            }
            Source::Pick(words) => {
                if !words.is_empty() {
                    escape(&words[random.random_range(0..words.len())], out);
                }
            }
            Source::Zipf { cumulative, .. } => {
                let rank = zipf_rank(cumulative, random.random::<f64>());
                write_number(rank, out);
            }
            Source::Pad(bytes) => out.resize(out.len() + bytes, b'x'),
            Source::Csv { column } => escape(values.cell(*column), out),
            Source::Saved { slot } => {
                let json = values.saved_text(*slot);
                match json
                    .strip_prefix(b"\"")
                    .and_then(|rest| rest.strip_suffix(b"\""))
                {
                    Some(content) => out.extend_from_slice(content),
                    None => escape_bytes(json, out),
                }
            }
            Source::LedgerClient => escape(values.write.client, out),
            Source::LedgerSequence => write_number(values.write.sequence, out),
            Source::LedgerValue => {
                let value = ledger_value(values.write.client, values.write.sequence);
                write_hex(value, 16, out);
            }
            Source::Cursor => escape(values.cursor, out),
        }
    }

    /// The value as a whole JSON value.
    fn write_whole<R: Rng + ?Sized>(&self, values: &Values<'_>, random: &mut R, out: &mut Vec<u8>) {
        let bare = match self {
            Source::Seq
            | Source::Session
            | Source::Int { .. }
            | Source::Zipf { .. }
            | Source::LedgerSequence => true,
            Source::Unique
            | Source::Pick(_)
            | Source::Pad(_)
            | Source::LedgerClient
            | Source::LedgerValue => false,
            Source::Cursor => is_json_number(values.cursor),
            Source::Csv { column } => is_json_number(values.cell(*column)),
            Source::Saved { slot } => {
                out.extend_from_slice(values.saved_text(*slot));
                return;
            }
        };
        if bare {
            self.write_inside(values, random, out);
        } else {
            out.push(b'"');
            self.write_inside(values, random, out);
            out.push(b'"');
        }
    }
}

impl Values<'_> {
    fn cell(&self, column: usize) -> &str {
        self.cells
            .get(self.row * self.columns + column)
            .map_or("", String::as_str)
    }

    fn saved_text(&self, slot: usize) -> &[u8] {
        match self.saved.get(slot) {
            Some(text) if !text.is_empty() => text,
            Some(_) | None => b"null",
        }
    }
}

/// The smallest k whose cumulative share is above `at`, from 1.
fn zipf_rank(cumulative: &[f64], at: f64) -> usize {
    let below = cumulative.partition_point(|share| *share <= at);
    (below + 1).min(cumulative.len().max(1))
}

// Formatting takes several times as long as these, and they are done for every operation.

fn write_number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn write_unique(values: &Values<'_>, out: &mut Vec<u8>) {
    write_hex(values.seed, 1, out);
    for part in [
        u64::from(values.stripe),
        u64::from(values.load),
        values.count,
    ] {
        out.push(b'-');
        write_hex(part, 1, out);
    }
}

/// With this many digits at least.
fn write_hex(number: u64, least: u32, out: &mut Vec<u8>) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(least);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(number >> (4 * digit) & 0xf) as usize]);
    }
}

/// Appends `text` as the inside of a JSON string (RFC 8259, section 7).
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    escape_bytes(text.as_bytes(), out);
}

fn escape_bytes(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                out.extend_from_slice(b"\\u");
                write_hex(u64::from(*byte), 4, out);
            }
            _ => out.push(*byte),
        }
    }
}

/// True for what RFC 8259, section 6, calls a number: `007` and `+1` are none.
pub(crate) fn is_json_number(text: &str) -> bool {
    let digits = |text: &mut &[u8]| {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        *text = &text[count..];
        count
    };
    let mut rest = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let leading_zero = rest.first() == Some(&b'0');
    let whole = digits(&mut rest);
    if whole == 0 || (leading_zero && whole > 1) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = fraction;
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or(rest.strip_prefix(b"E")) {
        rest = exponent
            .strip_prefix(b"+")
            .or(exponent.strip_prefix(b"-"))
            .unwrap_or(exponent);
        if digits(&mut rest) == 0 {
            return false;
        }
    }
    rest.is_empty()
}
