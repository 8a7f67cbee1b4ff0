//! When operations are due.

use std::time::Duration;

use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::load;
use crate::plan::{Arrivals, Rate, Shape, Spacing, Think};
use crate::text::tree::{Item, Node};
use crate::text::unit;

pub(crate) static SPACINGS: [(&str, Spacing); 3] = [
    ("even", Spacing::Even),
    ("poisson", Spacing::Poisson),
    ("uniform", Spacing::Uniform),
];

/// What a load or a phase says with `rate`, `spacing` and `arrivals`; `None` when it says nothing.
pub(crate) fn stated(fields: &Fields<'_>) -> Option<Arrivals> {
    let spacing = spacing(fields);
    match (fields.get("rate"), fields.get("arrivals")) {
        (Some(rate), None) => Some(Arrivals::Shaped {
            shape: Shape::Constant(fields.reader.rate(rate)?),
            spacing: spacing.unwrap_or(Spacing::Even),
        }),
        (None, Some(item)) => {
            fields.refuse(
                &["spacing"],
                "`arrivals`",
                "write it inside: arrivals: { ..., spacing: poisson }",
            );
            arrivals(fields.reader, item)
        }
        (Some(_), Some(_)) => {
            // A phase's own loads are told by the grammar.
            if !fields.kind.one_of.contains(&"rate") {
                fields.reader.problem(
                    fields.key_place("rate"),
                    "`rate` and `arrivals` exclude each other",
                    "`rate` is short for `arrivals: {constant: ...}`: keep one of them",
                );
            }
            None
        }
        (None, None) => {
            if spacing.is_some() {
                fields.reader.problem(
                    fields.key_place("spacing"),
                    "`spacing` needs a `rate` beside it",
                    "add `rate:`, or write it inside `arrivals`",
                );
            }
            None
        }
    }
}

fn spacing(fields: &Fields<'_>) -> Option<Spacing> {
    let item = fields.get("spacing")?;
    fields.reader.word(item, "spacings", &SPACINGS)
}

fn arrivals(reader: &Reader<'_>, item: &Item) -> Option<Arrivals> {
    let fields = Fields::open(reader, item, &load::ARRIVALS)?;
    let spacing = spacing(&fields);
    let shaped =
        |shape: Option<Shape>, spacing| shape.map(|shape| Arrivals::Shaped { shape, spacing });
    for (key, own) in [("poisson", Spacing::Poisson), ("uniform", Spacing::Uniform)] {
        if let Some(rate) = fields.get(key) {
            fields.refuse(
                &["spacing"],
                &format!("`{key}`"),
                "write constant: RATE, spacing: WORD",
            );
            return shaped(reader.rate(rate).map(Shape::Constant), own);
        }
    }
    if let Some(file) = fields.get("trace") {
        fields.refuse(
            &["spacing"],
            "`trace`",
            "the file says when each operation is due",
        );
        return trace(reader, file);
    }
    shaped(shape(&fields), spacing.unwrap_or(Spacing::Even))
}

fn shape(fields: &Fields<'_>) -> Option<Shape> {
    let reader = fields.reader;
    if let Some(rate) = fields.get("constant") {
        return reader.rate(rate).map(Shape::Constant);
    }
    if let Some(item) = fields.get("ramp") {
        let ramp = Fields::open(reader, item, &load::RAMP)?;
        let (from, to) = (ramp.rate("from"), ramp.rate("to"));
        let over = ramp.get("over").map(|over| reader.length(over));
        let over = match over {
            Some(over) => Some(over?),
            None => None,
        };
        return Some(Shape::Ramp {
            from: from?,
            to: to?,
            over,
        });
    }
    if let Some(item) = fields.get("steps") {
        return steps(reader, item);
    }
    if let Some(item) = fields.get("spike") {
        let spike = Fields::open(reader, item, &load::SPIKE)?;
        let (base, peak) = (spike.rate("base"), spike.rate("peak"));
        let (at, length) = (spike.duration("at"), spike.length("for"));
        return Some(Shape::Spike {
            base: base?,
            peak: peak?,
            at: at?,
            length: length?,
        });
    }
    if let Some(item) = fields.get("burst") {
        return burst(reader, item);
    }
    sine(reader, fields.get("sine")?)
}

fn steps(reader: &Reader<'_>, item: &Item) -> Option<Shape> {
    let items = reader.list(item, "a list of steps")?;
    if items.is_empty() {
        reader.problem(
            item.place,
            "there is no step",
            "write steps: [{ rate: 100/s, for: 1min }]",
        );
        return None;
    }
    let steps: Vec<Option<(Rate, Duration)>> = items
        .iter()
        .map(|item| {
            let step = Fields::open(reader, item, &load::RATE_STEP)?;
            let (rate, length) = (step.rate("rate"), step.length("for"));
            Some((rate?, length?))
        })
        .collect();
    steps
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(Shape::Steps)
}

fn burst(reader: &Reader<'_>, item: &Item) -> Option<Shape> {
    let burst = Fields::open(reader, item, &load::BURST)?;
    let (base, peak) = (burst.rate("base"), burst.rate("peak"));
    let (every, length) = (burst.length("every"), burst.length("for"));
    let (every, length) = (every?, length?);
    if length > every {
        reader.problem(
            burst.key_place("for"),
            "the bursts overlap: each lasts longer than a period",
            format!("write for: {} or less", unit::duration_text(every)),
        );
        return None;
    }
    Some(Shape::Burst {
        base: base?,
        peak: peak?,
        every,
        length,
    })
}

fn sine(reader: &Reader<'_>, item: &Item) -> Option<Shape> {
    let sine = Fields::open(reader, item, &load::SINE)?;
    let (mean, amplitude) = (sine.rate("mean"), sine.rate("amplitude"));
    let period = sine.length("period");
    let (mean, amplitude) = (mean?, amplitude?);
    if amplitude.0 > mean.0 {
        reader.problem(
            sine.key_place("amplitude"),
            "the rate would fall below zero: the amplitude is larger than the mean",
            format!("write amplitude: {} or less", unit::rate_text(mean.0)),
        );
        return None;
    }
    Some(Shape::Sine {
        mean,
        amplitude,
        period: period?,
    })
}

/// One due time a line, in seconds; `#` begins a comment.
fn trace(reader: &Reader<'_>, item: &Item) -> Option<Arrivals> {
    let path = reader.scalar(item, "a file name")?;
    let text = read_text(reader, item, path)?;
    let mut due: Vec<Duration> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let number = index + 1;
        let Some(at) = unit::seconds(line) else {
            reader.problem(
                item.place,
                format!("line {number} of {path} is no time: `{line}`"),
                "each line is a number of seconds without a unit, such as 12.250",
            );
            return None;
        };
        if due.last().is_some_and(|last| *last > at) {
            reader.problem(
                item.place,
                format!("line {number} of {path} is earlier than the line before"),
                "sort the file: due times ascend",
            );
            return None;
        }
        due.push(at);
    }
    if due.is_empty() {
        reader.problem(
            item.place,
            format!("{path} holds no due time"),
            "write one time a line, in seconds",
        );
        return None;
    }
    Some(Arrivals::Trace {
        file: reader.keep_file(path),
        due,
    })
}

/// A text file that the scenario names.
pub(crate) fn read_text(reader: &Reader<'_>, item: &Item, path: &str) -> Option<String> {
    let bytes = match reader.sources.file(path) {
        Ok(bytes) => bytes,
        Err(why) => {
            reader.problem(
                item.place,
                format!("{path} cannot be read: {why}"),
                "a relative path starts at the scenario's folder",
            );
            return None;
        }
    };
    let text = String::from_utf8(bytes);
    if text.is_err() {
        reader.problem(
            item.place,
            format!("{path} is not UTF-8 text"),
            "save the file as UTF-8",
        );
    }
    text.ok()
}

/// A duration, or a distribution.
pub(crate) fn think(reader: &Reader<'_>, item: &Item) -> Option<Think> {
    if !matches!(item.node, Node::Map(_)) {
        return reader.duration(item).map(|pause| {
            if pause.is_zero() {
                Think::None
            } else {
                Think::Fixed(pause)
            }
        });
    }
    let fields = Fields::open(reader, item, &load::THINK)?;
    if fields.get("exponential").is_some() {
        return fields
            .length("exponential")
            .map(|mean| Think::Exponential { mean });
    }
    fields
        .range("uniform")
        .map(|(low, high)| Think::Uniform { low, high })
}
