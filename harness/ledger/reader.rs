//! The target's records, page by page, as a client reads them: through the same front doors as everybody, in a
//! session of its own.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::plan::{Ledger, Pointer};
use firedrill_scenarios::template::{Values, WriteKey, ledger_amount, ledger_value};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;
use serde_json::Value;

use super::Clients;
use super::entry::{Entry as _, Found};
use crate::mcp::caller::{CallError, Caller};

/// A page that is not there after this time is not coming.
const PAGE_LIMIT: Duration = Duration::from_secs(10);
/// A target that always names a next page is not read for ever.
const MOST_PAGES: u64 = 10_000_000;

#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("no session for reading back: {0}")]
    Session(#[source] CallError),
    #[error("page {page} of the scan was not answered: {source}")]
    Page { page: u64, source: CallError },
    #[error("page {page} of the scan ended in {outcome}: {detail}")]
    Refused {
        page: u64,
        outcome: Outcome,
        detail: String,
    },
    #[error(
        "page {page} of the scan holds no list at {at}: see `records` of the scenario's ledger"
    )]
    Shape { page: u64, at: String },
    #[error("the scan named the page {cursor} twice")]
    Loop { cursor: String },
    #[error("what was read cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// What one pass over everything stored has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    pub records: u64,
    /// Of them, written by none of this run's clients.
    pub foreign: u64,
    /// Of them, with another value than was written.
    pub corrupt: u64,
    /// What the amounts of this run's records add up to, as they are stored.
    pub amounts: u64,
    /// Records that have no client or no number where the scenario says they are.
    pub unreadable: u64,
}

/// Reads everything once, and writes this run's records to `path`.
///
/// # Errors
/// When the target does not answer, or not with pages.
pub async fn scan(
    caller: &mut Caller<'_>,
    ledger: &Ledger,
    clients: &Clients,
    path: &Path,
) -> Result<Pass, ScanError> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut pass = Pass::default();
    let mut cursor = ledger.first_cursor.clone();
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / ledger.pace.0.max(0.1)));
    caller.open().await.map_err(ScanError::Session)?;
    for page in 1..=MOST_PAGES {
        ticks.tick().await;
        let result = read_page(caller, ledger, &cursor, page).await?;
        let records = at(&result, &ledger.records)
            .and_then(Value::as_array)
            .ok_or_else(|| ScanError::Shape {
                page,
                at: ledger.records.to_string(),
            })?;
        for record in records {
            take(record, ledger, clients, &mut pass, &mut out)?;
        }
        let next = at(&result, &ledger.next).and_then(text_of);
        match next.filter(|next| !next.is_empty()) {
            None => break,
            Some(next) if next == cursor => return Err(ScanError::Loop { cursor }),
            Some(next) => cursor = next,
        }
    }
    out.flush()?;
    out.get_ref().sync_data()?;
    Ok(pass)
}

async fn read_page(
    caller: &mut Caller<'_>,
    ledger: &Ledger,
    cursor: &str,
    page: u64,
) -> Result<Value, ScanError> {
    let mut params = Vec::new();
    let mut spans = vec![0..0; ledger.params.spans];
    let values = Values {
        seed: 0,
        stripe: 0,
        count: page,
        load: 0,
        seq: page,
        session: 0,
        row: 0,
        cells: &[],
        columns: 0,
        saved: &[],
        write: WriteKey::default(),
        cursor,
    };
    // A scan's template draws nothing: the stream only has to be there.
    let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
    ledger
        .params
        .render(&values, &mut random, &mut params, &mut spans);
    let call = caller.call(&ledger.method, &params);
    let answer = match tokio::time::timeout(PAGE_LIMIT, call).await {
        Ok(answer) => answer.map_err(|source| ScanError::Page { page, source })?,
        Err(_) => {
            let source = CallError::TooSlow(PAGE_LIMIT);
            return Err(ScanError::Page { page, source });
        }
    };
    answer.map_err(|(outcome, detail): (Outcome, String)| ScanError::Refused {
        page,
        outcome,
        detail,
    })
}

fn take(
    record: &Value,
    ledger: &Ledger,
    clients: &Clients,
    pass: &mut Pass,
    out: &mut impl Write,
) -> io::Result<()> {
    pass.records += 1;
    let name = at(record, &ledger.client).and_then(Value::as_str);
    let sequence = at(record, &ledger.sequence).and_then(number_of);
    let (Some(name), Some(sequence)) = (name, sequence) else {
        pass.unreadable += 1;
        return Ok(());
    };
    let Some(client) = clients.of(name) else {
        pass.foreign += 1;
        return Ok(());
    };
    let wanted = format!("{:016x}", ledger_value(name, sequence));
    let value = at(record, &ledger.value).and_then(text_of);
    let value_fits = value.as_ref() == Some(&wanted);
    pass.corrupt += u64::from(!value_fits);
    // What is no number pays nothing in.
    let stored = value.and_then(|value| u64::from_str_radix(&value, 16).ok());
    pass.amounts += stored.map_or(0, |value| ledger_amount(value).into());
    let number = |pointer: &Option<Pointer>| {
        pointer
            .as_ref()
            .and_then(|pointer| at(record, pointer))
            .and_then(number_of)
    };
    let mut bytes = Vec::with_capacity(Found::SIZE);
    Found {
        client,
        sequence,
        position: number(&ledger.position).unwrap_or(0),
        epoch: number(&ledger.epoch).unwrap_or(0),
        value_fits,
    }
    .write(&mut bytes);
    out.write_all(&bytes)
}

fn at<'a>(value: &'a Value, pointer: &Pointer) -> Option<&'a Value> {
    pointer.0.iter().try_fold(value, |place, step| match place {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get(step),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number, also where it stands as text.
fn number_of(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}
