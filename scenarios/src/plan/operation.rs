//! One operation: what is sent, what has to come back, and what is kept of it.

use std::time::Duration;

use crate::template::{Expected, Template};

#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Unique in its load. By default the tool's name or the method.
    pub name: String,
    pub method: String,
    /// The JSON object after `"params":`; `None` leaves `params` out.
    pub params: Option<Template>,
    /// From the due time.
    pub timeout: Duration,
    /// An answer larger than this is `protocol.oversize`. Bytes of the body.
    pub max_answer: u64,
    pub expect: Expectation,
    /// In the order of the file; the index is the N of `check_failed.N`.
    pub checks: Vec<Check>,
    /// Values that later steps of the flow use as `{{saved.NAME}}`: slot i of the flow's memory is `saves[i].slot`.
    pub saves: Vec<Save>,
    /// What the operation means to the ledger, if anything.
    pub ledger: Option<LedgerUse>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerUse {
    /// Writes a record whose key is new. An ok outcome is its acknowledgement.
    Write,
    /// Reads a record that this stripe had acknowledged.
    Read,
}

/// What the answer has to be before the checks are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// A result whose `isError` is not true.
    Result,
    /// A result with `isError: true`.
    ToolError,
    /// A JSON-RPC error with this code.
    RpcError(i64),
}

/// A condition on the `result` member (on the `error` member, when an error is expected).
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// The value at the JSON pointer.
    At {
        pointer: Pointer,
        condition: Condition,
    },
    /// Bytes of the whole answer body.
    Size(Comparison),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Equals(Expected),
    /// A string that holds this one.
    Contains(Expected),
    /// A number.
    Number(Comparison),
    /// `exists: true` or `exists: false`.
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Comparison {
    Below(f64),
    Above(f64),
    AtMost(f64),
    AtLeast(f64),
}

/// RFC 6901, unescaped and split: `/content/0/text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(pub Vec<String>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Save {
    pub name: String,
    pub pointer: Pointer,
    pub slot: usize,
}
