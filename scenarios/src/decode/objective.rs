//! What has to hold.

use std::time::Duration;

use super::drilled;
use super::fields::Fields;
use super::reader::{Names, Reader};
use crate::grammar::judged;
use crate::outcome::Outcome;
use crate::plan::{Action, ErrorClass, MetricBase, Objective, Over, Phase, Subject};
use crate::text::nearest::choices;
use crate::text::tree::{Item, Node};
use crate::text::unit;

/// What objectives can refer to.
pub(crate) struct Known<'a> {
    pub phases: &'a [Phase],
    pub phase_names: &'a Names,
    /// Names of what is counted apart, and the operation that each belongs to.
    pub series: &'a Names,
    pub operations: &'a [String],
    pub metrics: &'a Names,
    pub bucket: Duration,
    /// What is done to the target, and the ids by which it is called.
    pub actions: &'a [Action],
    pub ids: &'a Names,
}

/// The objectives, without unique ids yet: `id` is empty where the scenario gives none.
pub(crate) fn objectives(fields: &Fields<'_>, known: &Known<'_>) -> Vec<(Objective, Item)> {
    let reader = fields.reader;
    let Some(item) = fields.get("objectives") else {
        return Vec::new();
    };
    let items = reader
        .list(item, "a list of objectives")
        .unwrap_or_default();
    let mut found = Vec::new();
    for item in items {
        let read = match drilled::subjects(reader, item, known) {
            Some(several) => several,
            None => objective(reader, item, known).into_iter().collect(),
        };
        found.extend(read.into_iter().map(|own| (own, item.clone())));
    }
    found
}

fn objective(reader: &Reader<'_>, item: &Item, known: &Known<'_>) -> Option<Objective> {
    let fields = Fields::open(reader, item, &judged::OBJECTIVE)?;
    fields.refuse(
        &["budget", "fault", "within", "recovered"],
        "this kind of objective",
        "it belongs to `rto`, `rpo` and `refusal`",
    );
    let subject = subject(&fields, known);
    let phases = phases(&fields, known);
    let over = fields.get("over").map(|item| (item, reader.length(item)));
    let over = match over {
        None => Over::Phase,
        Some((item, length)) => window(&fields, item, length?, &phases, known)?,
    };
    let id = match fields.get("id") {
        Some(item) => reader.tag(item)?,
        None => String::new(),
    };
    let abort = fields.flag("abort").unwrap_or(false);
    Some(Objective {
        id,
        subject: subject?,
        phases,
        over,
        abort,
    })
}

fn phases(fields: &Fields<'_>, known: &Known<'_>) -> Vec<usize> {
    let reader = fields.reader;
    let Some(item) = fields.get("in") else {
        let measured: Vec<usize> = (0..known.phases.len())
            .filter(|index| known.phases[*index].measured)
            .collect();
        if measured.is_empty() && known.phase_names.complete {
            reader.problem(
                fields.place,
                "no phase is measured, so that there is nothing to judge",
                format!(
                    "add in: [PHASE]; phases: {}",
                    known.phase_names.known.join(", ")
                ),
            );
        }
        return measured;
    };
    let items = match &item.node {
        Node::List(items) => items.as_slice(),
        Node::Scalar(_) | Node::Map(_) => std::slice::from_ref(item),
    };
    if items.is_empty() {
        reader.problem(
            item.place,
            "no phase is named",
            "name at least one phase, or leave `in` out",
        );
    }
    let mut phases: Vec<usize> = items
        .iter()
        .filter_map(|item| reader.reference(item, "phase", known.phase_names))
        .collect();
    phases.sort_unstable();
    phases.dedup();
    phases
}

fn window(
    fields: &Fields<'_>,
    item: &Item,
    length: Duration,
    phases: &[usize],
    known: &Known<'_>,
) -> Option<Over> {
    let reader = fields.reader;
    let bucket = known.bucket.as_nanos().max(1);
    if !length.as_nanos().is_multiple_of(bucket) {
        reader.problem(
            item.place,
            "a window is a whole number of buckets",
            format!("write a multiple of {}", unit::duration_text(known.bucket)),
        );
        return None;
    }
    for phase in phases.iter().filter_map(|index| known.phases.get(*index)) {
        if length > phase.length && !phase.length.is_zero() {
            let longest = unit::duration_text(phase.length);
            reader.problem(
                item.place,
                format!("the window is longer than the phase `{}`", phase.name),
                format!("write over: {longest} or less, or leave it out to judge the whole phase"),
            );
            return None;
        }
    }
    Some(Over::Window(length))
}

// ---- subjects ----

fn subject(fields: &Fields<'_>, known: &Known<'_>) -> Option<Subject> {
    let remedy = |keys: &str| format!("this kind of objective takes {keys}");
    if let Some(item) = fields.get("latency") {
        fields.refuse(
            &["of", "class"],
            "`latency`",
            &remedy("below, operation, in, over, abort, id"),
        );
        let quantile = quantile(fields.reader, item);
        let below = limit(fields).and_then(|item| fields.reader.length(item));
        let operation = operation(fields, known)?;
        return Some(Subject::Latency {
            quantile: quantile?,
            below: below?,
            operation,
        });
    }
    if let Some(item) = fields.get("errors") {
        fields.refuse(
            &["of", "below"],
            "`errors`",
            "the limit is the value of `errors` itself",
        );
        let below = fields.reader.share(item);
        let class = match fields.get("class") {
            Some(item) => Some(class(fields.reader, item)?),
            None => None,
        };
        let operation = operation(fields, known)?;
        return Some(Subject::Errors {
            below: above_zero(fields, item, below)?,
            class,
            operation,
        });
    }
    if let Some(item) = fields.get("throughput") {
        fields.refuse(
            &["of", "class", "below"],
            "`throughput`",
            "the limit is the value of `throughput` itself",
        );
        let at_least = fields.reader.rate(item);
        let operation = operation(fields, known)?;
        return Some(Subject::Throughput {
            at_least: at_least?,
            operation,
        });
    }
    metric(fields, known)
}

/// A share of 0 % is below no limit.
fn above_zero(fields: &Fields<'_>, item: &Item, below: Option<f64>) -> Option<f64> {
    if below == Some(0.0) {
        fields.reader.problem(
            item.place,
            "no share is below 0 %",
            "write the smallest share that is too much: 0.01 %",
        );
        return None;
    }
    below
}

/// The item of `below`, which has to be there.
fn limit<'a>(fields: &Fields<'a>) -> Option<&'a Item> {
    let item = fields.get("below");
    if item.is_none() && !fields.has_slip(&["below"]) {
        fields
            .reader
            .problem(fields.place, "the objective has no limit", "add `below:`");
    }
    item
}

/// `p99`, `p99.9`, `p999`.
pub(super) fn quantile(reader: &Reader<'_>, item: &Item) -> Option<f64> {
    let text = reader.scalar(item, "a quantile")?;
    let digits = if text == "p999" {
        Some("99.9")
    } else {
        text.strip_prefix('p')
    };
    let quantile = digits
        .filter(|digits| digits.chars().all(|c| c.is_ascii_digit() || c == '.'))
        .and_then(unit::hundredth)
        .filter(|quantile| *quantile > 0.0 && *quantile < 1.0);
    if quantile.is_none() {
        reader.problem(
            item.place,
            format!("`{text}` is no quantile"),
            "write p50, p90, p95, p99, p99.9 or any other p above 0 and below 100",
        );
    }
    quantile
}

/// A class of outcomes, or one outcome.
fn class(reader: &Reader<'_>, item: &Item) -> Option<ErrorClass> {
    let text = reader.scalar(item, "a class of outcomes")?;
    let classes = Outcome::CLASSES
        .iter()
        .copied()
        .filter(|class| *class != "ok");
    if classes.clone().any(|class| class == text) {
        return Some(ErrorClass::Class(text.to_owned()));
    }
    let outcome = text
        .parse::<Outcome>()
        .ok()
        .filter(|outcome| !outcome.is_ok());
    if outcome.is_none() {
        let class = text.split('.').next().unwrap_or(text);
        let words = Outcome::WORDED.iter().map(|(_, word)| *word);
        let inside: Vec<&str> = words
            .filter(|word| {
                word.strip_prefix(class)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
            .collect();
        let remedy = if inside.is_empty() {
            choices(class, "classes", classes)
        } else {
            choices(text, "outcomes of this class", inside)
        };
        reader.problem(
            item.place,
            format!("`{text}` is no class of outcomes"),
            remedy,
        );
    }
    outcome.map(ErrorClass::One)
}

/// The series that `operation` means: its own name, or the only one of an operation with that name.
/// The outer `None` is a problem, the inner one says that all operations are meant.
fn operation(fields: &Fields<'_>, known: &Known<'_>) -> Option<Option<String>> {
    let Some(item) = fields.get("operation") else {
        return Some(None);
    };
    let text = fields.reader.scalar(item, "the name of an operation")?;
    if known.series.known.iter().any(|series| series == text) {
        return Some(Some(text.to_owned()));
    }
    let of_operation: Vec<&String> = known
        .series
        .known
        .iter()
        .zip(known.operations)
        .filter(|(_, operation)| *operation == text)
        .map(|(series, _)| series)
        .collect();
    match of_operation.as_slice() {
        [series] => Some(Some((*series).clone())),
        [] => {
            fields.reader.reference(item, "operation", known.series);
            None
        }
        several => {
            let several: Vec<&str> = several.iter().map(|series| series.as_str()).collect();
            fields.reader.problem(
                item.place,
                format!("the operation `{text}` is counted in several places"),
                format!("name one of them: {}", several.join(", ")),
            );
            None
        }
    }
}

fn metric(fields: &Fields<'_>, known: &Known<'_>) -> Option<Subject> {
    let reader = fields.reader;
    let item = fields.get("metric")?;
    fields.refuse(
        &["operation", "class"],
        "`metric`",
        "a metric is the target's own number",
    );
    if known.metrics.known.is_empty() && known.metrics.complete {
        let remedy =
            "add probes: { NAME: { path: /metrics/prometheus, prometheus: { SERIES: METRIC } } }";
        reader.problem(item.place, "no probe reads a series", remedy);
        return None;
    }
    let series = reader.reference(item, "series", known.metrics);
    let of = fields.get("of").map(|item| base(reader, item, known));
    let limit = limit(fields);
    let below = match of {
        Some(_) => limit.and_then(|item| reader.share(item)),
        None => limit.and_then(|item| number_limit(reader, item)),
    };
    let series = known.metrics.known.get(series?)?.clone();
    let of = match of {
        Some(base) => Some(base?),
        None => None,
    };
    Some(Subject::Metric {
        series,
        below: below?,
        of,
    })
}

fn number_limit(reader: &Reader<'_>, item: &Item) -> Option<f64> {
    if item
        .scalar()
        .is_some_and(|scalar| scalar.text.trim_end().ends_with('%'))
    {
        reader.problem(
            item.place,
            "a share of what?",
            "add `of:` with a number or another series, PROBE.SERIES",
        );
        return None;
    }
    reader.number(item)
}

fn base(reader: &Reader<'_>, item: &Item, known: &Known<'_>) -> Option<MetricBase> {
    let text = reader.scalar(item, "a number or a series")?;
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        let index = reader.reference(item, "series", known.metrics)?;
        return known
            .metrics
            .known
            .get(index)
            .cloned()
            .map(MetricBase::Series);
    }
    let number = reader.number(item)?;
    if number <= 0.0 {
        reader.problem(
            item.place,
            "nothing is a share of 0",
            "write a number above 0",
        );
        return None;
    }
    Some(MetricBase::Number(number))
}
