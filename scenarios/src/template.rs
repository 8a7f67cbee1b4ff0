//! JSON with holes: compiled once, rendered for each operation into a reused buffer.
//!
//! Rendering allocates nothing and is a pure function of the values that it is given.

use std::ops::Range;

use rand::Rng;

/// A JSON text with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub pieces: Vec<Piece>,
    /// How many spans rendering reports: one for each argument that a check compares with.
    pub spans: usize,
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
    Zipf { cumulative: Vec<f64> },
    /// This many bytes of filling.
    Pad(usize),
    /// Cell of the load's CSV file; the row follows the arrivals.
    Csv { column: usize },
    /// A value saved by an earlier step of the flow.
    Saved { slot: usize },
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
        let _ = (values, random, out, spans);
        unimplemented!("issue 3")
    }
}
