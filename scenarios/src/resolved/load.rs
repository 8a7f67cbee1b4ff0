//! Loads and phases as they are written.

use super::drill::word;
use super::template::{Names, checks, json};
use super::yaml::Yaml;
use super::{count, duration, flag};
use crate::decode::arrivals::SPACINGS;
use crate::decode::ledger::USES;
use crate::decode::load::SESSION_ENDS;
use crate::decode::timeline::UNTIL;
use crate::plan::{
    Arrivals, Drive, Expectation, Flow, Lifetime, Load, Operation, Phase, Plan, Rate, Rows,
    Sessions, Shape, Think,
};
use crate::text::unit;

impl Plan {
    /// The arrivals of all loads and phases.
    pub(super) fn all_arrivals(&self) -> impl Iterator<Item = &Arrivals> {
        let own = self.loads.iter().filter_map(|load| match &load.drive {
            Drive::Open(arrivals) => Some(arrivals),
            Drive::Closed { .. } => None,
        });
        own.chain(
            self.timeline
                .iter()
                .flat_map(|phase| phase.arrivals.iter().flatten()),
        )
    }
}

impl Rows {
    /// The file with its head line.
    pub(super) fn to_csv(&self) -> Vec<u8> {
        let mut table = csv::Writer::from_writer(Vec::new());
        let rows = self.cells.chunks(self.columns.len().max(1));
        for row in std::iter::once(self.columns.as_slice()).chain(rows) {
            // Writing to memory does not fail, and all rows have the same length.
            let _ = table.write_record(row);
        }
        table.into_inner().unwrap_or_default()
    }
}

/// `prefix` is what the names of the load's series begin with.
pub(super) fn load(load: &Load, prefix: &str) -> Yaml {
    let (arrivals, closed) = match &load.drive {
        Drive::Open(own) => (Some(arrivals(own)), None),
        Drive::Closed { think: pause } => (None, Some(Yaml::map([("think", Some(think(pause)))]))),
    };
    let lone = |flow: &&Flow| is_lone(flow, load, prefix);
    let names = Names::of(load);
    let operations = load.operations.iter().enumerate().map(|(index, own)| {
        let flow = load
            .flows
            .iter()
            .filter(lone)
            .find(|flow| flow.steps[0].operation == index);
        operation(own, flow.map(|flow| flow.weight), &names)
    });
    let flows = load
        .flows
        .iter()
        .filter(|flow| !lone(flow))
        .map(|each| flow(each, load));
    Yaml::map([
        ("arrivals", arrivals),
        ("closed", closed),
        ("max_in_flight", Some(count(load.max_in_flight))),
        ("sessions", Some(sessions(&load.sessions))),
        ("csv", load.rows.as_ref().map(|rows| kept(&rows.file))),
        ("operations", Some(Yaml::List(operations.collect()))),
        ("flows", Some(Yaml::List(flows.collect()))),
    ])
}

/// An operation that is started on its own.
fn is_lone(flow: &Flow, load: &Load, prefix: &str) -> bool {
    match flow.steps.as_slice() {
        [step] => {
            let name = &load.operations[step.operation].name;
            flow.name == *name && step.series == format!("{prefix}{name}")
        }
        _ => false,
    }
}

fn kept(file: &str) -> Yaml {
    Yaml::Text(format!("sources/{file}"))
}

fn rate(rate: Rate) -> Yaml {
    Yaml::Word(unit::rate_text(rate.0))
}

fn arrivals(arrivals: &Arrivals) -> Yaml {
    match arrivals {
        Arrivals::Trace { file, .. } => Yaml::map([("trace", Some(kept(file)))]),
        Arrivals::Shaped { shape, spacing } => {
            let (key, value) = shape_entry(shape);
            let word = SPACINGS
                .iter()
                .find(|(_, known)| known == spacing)
                .map(|(word, _)| *word);
            Yaml::map([(key, Some(value)), ("spacing", word.map(Yaml::word))])
        }
    }
}

fn shape_entry(shape: &Shape) -> (&'static str, Yaml) {
    match shape {
        Shape::Constant(own) => ("constant", rate(*own)),
        Shape::Ramp { from, to, over } => (
            "ramp",
            Yaml::map([
                ("from", Some(rate(*from))),
                ("to", Some(rate(*to))),
                ("over", over.map(duration)),
            ]),
        ),
        Shape::Steps(steps) => {
            let steps = steps.iter().map(|(own, length)| {
                Yaml::map([("rate", Some(rate(*own))), ("for", Some(duration(*length)))])
            });
            ("steps", Yaml::List(steps.collect()))
        }
        Shape::Spike {
            base,
            peak,
            at,
            length,
        } => (
            "spike",
            Yaml::map([
                ("base", Some(rate(*base))),
                ("peak", Some(rate(*peak))),
                ("at", Some(duration(*at))),
                ("for", Some(duration(*length))),
            ]),
        ),
        Shape::Burst {
            base,
            peak,
            every,
            length,
        } => (
            "burst",
            Yaml::map([
                ("base", Some(rate(*base))),
                ("peak", Some(rate(*peak))),
                ("every", Some(duration(*every))),
                ("for", Some(duration(*length))),
            ]),
        ),
        Shape::Sine {
            mean,
            amplitude,
            period,
        } => (
            "sine",
            Yaml::map([
                ("mean", Some(rate(*mean))),
                ("amplitude", Some(rate(*amplitude))),
                ("period", Some(duration(*period))),
            ]),
        ),
    }
}

fn think(think: &Think) -> Yaml {
    match think {
        Think::None => duration(std::time::Duration::ZERO),
        Think::Fixed(pause) => duration(*pause),
        Think::Exponential { mean } => Yaml::map([("exponential", Some(duration(*mean)))]),
        Think::Uniform { low, high } => Yaml::map([(
            "uniform",
            Some(Yaml::List(vec![duration(*low), duration(*high)])),
        )]),
    }
}

fn sessions(sessions: &Sessions) -> Yaml {
    let end = SESSION_ENDS
        .iter()
        .find(|(_, end)| *end == sessions.end)
        .map(|(word, _)| *word);
    Yaml::map([
        ("count", Some(count(sessions.count))),
        ("open_rate", Some(rate(sessions.open_rate))),
        (
            "lifetime",
            Some(Yaml::Word(lifetime_text(sessions.lifetime))),
        ),
        ("end", end.map(Yaml::word)),
    ])
}

pub(crate) fn lifetime_text(lifetime: Lifetime) -> String {
    match lifetime {
        Lifetime::Run => "run".to_owned(),
        Lifetime::Calls(calls) => format!("{calls} calls"),
        Lifetime::Time(time) => unit::duration_text(time),
    }
}

fn operation(operation: &Operation, weight: Option<f64>, names: &Names) -> Yaml {
    let expect = match operation.expect {
        Expectation::Result => Yaml::word("result"),
        Expectation::ToolError => Yaml::word("tool_error"),
        Expectation::RpcError(code) => {
            Yaml::map([("rpc_error", Some(Yaml::Word(code.to_string())))])
        }
    };
    let saves = operation
        .saves
        .iter()
        .map(|save| (save.name.clone(), Yaml::Text(save.pointer.to_string())));
    let has = |there: bool, value: Yaml| there.then_some(value);
    Yaml::map([
        ("name", Some(Yaml::text(&operation.name))),
        ("method", Some(Yaml::text(&operation.method))),
        (
            "ledger",
            operation.ledger.as_ref().and_then(|of| word(&USES, of)),
        ),
        (
            "params",
            operation
                .params
                .as_ref()
                .map(|params| Yaml::Json(json(params, names))),
        ),
        (
            "weight",
            weight.map(|weight| Yaml::Word(weight.to_string())),
        ),
        ("timeout", Some(duration(operation.timeout))),
        (
            "max_answer",
            Some(Yaml::Word(unit::size_text(operation.max_answer))),
        ),
        ("expect", operation.ledger.is_none().then_some(expect)),
        (
            "check",
            has(!operation.checks.is_empty(), Yaml::List(checks(operation))),
        ),
        (
            "save",
            has(!operation.saves.is_empty(), Yaml::Map(saves.collect())),
        ),
    ])
}

fn flow(flow: &Flow, load: &Load) -> Yaml {
    let steps = flow.steps.iter().map(|step| {
        let name = Yaml::text(&load.operations[step.operation].name);
        match &step.think {
            Think::None => name,
            pause => Yaml::map([("operation", Some(name)), ("think", Some(think(pause)))]),
        }
    });
    Yaml::map([
        ("name", Some(Yaml::text(&flow.name))),
        ("weight", Some(Yaml::Word(flow.weight.to_string()))),
        ("steps", Some(Yaml::List(steps.collect()))),
    ])
}

pub(super) fn phase(
    phase: &Phase,
    loads: &[Load],
    faults: Option<Yaml>,
    steps: Option<Yaml>,
) -> Yaml {
    let own = phase.arrivals.iter().zip(loads).filter_map(|(own, load)| {
        let entry = Yaml::map([("arrivals", Some(arrivals(own.as_ref()?)))]);
        Some((load.name.clone(), entry))
    });
    let own: Vec<(String, Yaml)> = own.collect();
    let single = match (loads, phase.arrivals.as_slice()) {
        ([_], [Some(own)]) => Some(arrivals(own)),
        _ => None,
    };
    let several = (single.is_none() && !own.is_empty()).then_some(Yaml::Map(own));
    Yaml::map([
        ("phase", Some(Yaml::text(&phase.name))),
        (
            "until",
            phase.until.as_ref().and_then(|until| word(&UNTIL, until)),
        ),
        (
            if phase.until.is_some() {
                "within"
            } else {
                "for"
            },
            Some(duration(phase.length)),
        ),
        ("measured", Some(flag(phase.measured))),
        ("faults", faults),
        ("steps", steps),
        ("arrivals", single),
        ("loads", several),
    ])
}
