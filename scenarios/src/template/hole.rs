//! What may stand between `{{` and `}}`.

use super::Source;
use crate::plan::Rows;
use crate::text::nearest::{choices, nearest};
use crate::text::unit::{self, Wrong};

/// What templates can refer to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Scope<'a> {
    /// The load's CSV file; `None` when it names none.
    pub rows: Option<&'a Rows>,
    /// Names saved by any operation of the load; the index is the slot.
    pub saved: &'a [String],
    /// The operation's key in the ledger.
    pub key: bool,
    /// Where a page of a scan begins.
    pub cursor: bool,
}

/// As they are written, for messages.
const FORMS: &str =
    "unique, seq, session, int(1,100), pick(a,b), zipf(1000), pad(1KiB), csv.COLUMN, saved.NAME";
const NAMES: [&str; 7] = ["unique", "seq", "session", "int", "pick", "zipf", "pad"];
const LARGEST_PAD: u64 = 16 << 20;
const LARGEST_ZIPF: usize = 1_000_000;

fn wrong(message: impl Into<String>, remedy: impl Into<String>) -> Wrong {
    Wrong {
        message: message.into(),
        remedy: remedy.into(),
    }
}

/// Reads the inside of a hole.
pub(crate) fn source(expression: &str, scope: Scope<'_>) -> Result<Source, Wrong> {
    let expression = expression.trim();
    if let Some(column) = expression.strip_prefix("csv.") {
        return csv(column, scope);
    }
    if let Some(name) = expression.strip_prefix("saved.") {
        return saved(name, scope);
    }
    if let Some(name) = expression.strip_prefix("ledger.") {
        return of_ledger(name, scope);
    }
    if expression == "cursor" {
        return cursor(scope);
    }
    let (name, arguments) = match expression.split_once('(') {
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(inside) => (name.trim(), Some(split(inside))),
            None => {
                let remedy = format!("write {{{{{expression})}}}}");
                return Err(wrong("the bracket is not closed", remedy));
            }
        },
        None => (expression, None),
    };
    match (name, arguments.as_deref()) {
        ("unique", None) => Ok(Source::Unique),
        ("seq", None) => Ok(Source::Seq),
        ("session", None) => Ok(Source::Session),
        ("int", Some([low, high])) => int(low, high),
        ("pick", Some(words)) if words != [""] => Ok(Source::Pick(words.to_vec())),
        ("zipf", Some([n])) => zipf(n, "1"),
        ("zipf", Some([n, exponent])) => zipf(n, exponent),
        ("pad", Some([size])) => pad(size),
        _ if NAMES.contains(&name) => Err(wrong(
            format!("`{expression}` is no form of the template `{name}`"),
            format!("templates: {FORMS}"),
        )),
        _ => {
            let meant = nearest(name, NAMES)
                .map_or_else(String::new, |name| format!("did you mean `{name}`? "));
            Err(wrong(
                format!("no template is called `{name}`"),
                format!("{meant}templates: {FORMS}"),
            ))
        }
    }
}

/// Splits at commas outside of double quotes and takes the quotes off; a doubled one inside stands for itself.
fn split(arguments: &str) -> Vec<String> {
    let mut quoted = false;
    arguments
        .split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(|part| {
            let part = part.trim();
            let inside = part
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            inside.map_or_else(|| part.to_owned(), |inside| inside.replace("\"\"", "\""))
        })
        .collect()
}

fn int(low: &str, high: &str) -> Result<Source, Wrong> {
    match (low.parse::<i64>(), high.parse::<i64>()) {
        (Ok(low), Ok(high)) if low <= high => Ok(Source::Int { low, high }),
        (Ok(low), Ok(high)) => Err(wrong(
            "the range is upside down",
            format!("write {{{{int({high},{low})}}}}"),
        )),
        _ => Err(wrong(
            format!("`int({low},{high})` needs two whole numbers"),
            "write {{int(1,100)}}",
        )),
    }
}

fn zipf(n: &str, exponent: &str) -> Result<Source, Wrong> {
    let count = n
        .parse::<usize>()
        .ok()
        .filter(|n| (1..=LARGEST_ZIPF).contains(n));
    let power = exponent
        .parse::<f64>()
        .ok()
        .filter(|s| *s > 0.0 && *s <= 10.0);
    match (count, power) {
        (Some(n), Some(exponent)) => Ok(Source::Zipf {
            exponent,
            cumulative: zipf_table(n, exponent),
        }),
        _ => Err(wrong(
            format!("`zipf({n},{exponent})` needs a number of ranks and an exponent"),
            format!(
                "write {{{{zipf(1000)}}}} or {{{{zipf(1000,1.1)}}}}; up to {LARGEST_ZIPF} ranks, exponent up to 10"
            ),
        )),
    }
}

fn zipf_table(n: usize, exponent: f64) -> Vec<f64> {
    let mut sum = 0.0;
    let mut cumulative: Vec<f64> = (1..=n)
        .map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        })
        .collect();
    for share in &mut cumulative {
        *share /= sum;
    }
    cumulative
}

fn pad(size: &str) -> Result<Source, Wrong> {
    let bytes = match size.parse::<u64>() {
        Ok(bytes) => bytes,
        Err(_) => unit::size(size)?,
    };
    match usize::try_from(bytes) {
        Ok(length) if bytes <= LARGEST_PAD => Ok(Source::Pad(length)),
        _ => Err(wrong(
            format!("`pad({size})` is too large"),
            "write {{pad(16MiB)}} or less",
        )),
    }
}

fn csv(column: &str, scope: Scope<'_>) -> Result<Source, Wrong> {
    let Some(rows) = scope.rows else {
        return Err(wrong(
            format!("`csv.{column}` has no file to read from"),
            "add `csv: FILE` to the load",
        ));
    };
    let index = rows.columns.iter().position(|name| name == column);
    index.map(|column| Source::Csv { column }).ok_or_else(|| {
        let columns = rows.columns.iter().map(String::as_str);
        wrong(
            format!("the CSV file has no column `{column}`"),
            choices(column, "columns", columns),
        )
    })
}

fn saved(name: &str, scope: Scope<'_>) -> Result<Source, Wrong> {
    let slot = scope.saved.iter().position(|known| known == name);
    slot.map(|slot| Source::Saved { slot }).ok_or_else(|| {
        let names = scope.saved.iter().map(String::as_str);
        wrong(
            format!("no operation of this load saves `{name}`"),
            choices(name, "saved values", names),
        )
    })
}

fn of_ledger(name: &str, scope: Scope<'_>) -> Result<Source, Wrong> {
    if !scope.key {
        return Err(wrong(
            format!("`ledger.{name}` has a meaning in operations of the ledger only"),
            "add `ledger: write` to the operation",
        ));
    }
    match name {
        "client" => Ok(Source::LedgerClient),
        "sequence" => Ok(Source::LedgerSequence),
        "value" => Ok(Source::LedgerValue),
        _ => Err(wrong(
            format!("the ledger has no `{name}`"),
            choices(name, "what it has", ["client", "sequence", "value"]),
        )),
    }
}

fn cursor(scope: Scope<'_>) -> Result<Source, Wrong> {
    if scope.cursor {
        Ok(Source::Cursor)
    } else {
        Err(wrong(
            "`cursor` has a meaning below `ledger:` only",
            "it says where a page of the ledger begins",
        ))
    }
}

/// The hole's inside, as [`source`] reads it back.
pub(crate) fn expression(source: &Source, columns: &[String], saved: &[String]) -> String {
    let name = |names: &[String], index: usize| names.get(index).cloned().unwrap_or_default();
    match source {
        Source::Unique => "unique".to_owned(),
        Source::Seq => "seq".to_owned(),
        Source::Session => "session".to_owned(),
        Source::Int { low, high } => format!("int({low},{high})"),
        Source::Pick(words) => {
            let words: Vec<String> = words
                .iter()
                .map(|word| format!("\"{}\"", word.replace('"', "\"\"")))
                .collect();
            format!("pick({})", words.join(","))
        }
        Source::Zipf {
            exponent,
            cumulative,
        } => format!("zipf({},{exponent})", cumulative.len()),
        Source::Pad(bytes) => format!("pad({bytes})"),
        Source::Csv { column } => format!("csv.{}", name(columns, *column)),
        Source::Saved { slot } => format!("saved.{}", name(saved, *slot)),
        Source::LedgerClient => "ledger.client".to_owned(),
        Source::LedgerSequence => "ledger.sequence".to_owned(),
        Source::LedgerValue => "ledger.value".to_owned(),
        Source::Cursor => "cursor".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_at_commas_outside_of_quotes() {
        assert_eq!(split("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(split("\"a,b\", \" c \",\"d\"\"e\""), ["a,b", " c ", "d\"e"]);
    }
}
