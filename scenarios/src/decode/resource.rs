//! What is used up, and the bounds that are there against it.

use std::time::Duration;

use super::action::Stage;
use super::fields::Fields;
use super::hostile::of_clients;
use super::reader::Reader;
use super::victims::{victims, victims_of};
use crate::grammar::resource as grammar;
use crate::plan::{Bounds, DirectorClock, FaultKind, ServiceTime};
use crate::text::tree::{Item, Node};

pub(crate) static CLOCKS: [(&str, DirectorClock); 2] = [
    ("monotonic", DirectorClock::Monotonic),
    ("wall", DirectorClock::Wall),
];

pub(crate) static KEPT: [(&str, bool); 2] = [("kept", true), ("none", false)];

/// Where the scenario does not say how much slower.
const FACTOR: f64 = 10.0;
/// A smaller one is within what service times differ by.
const FACTOR_MIN: f64 = 3.0;
/// With more, nobody could tell a pod to stop it.
const BUSY_MAX: f64 = 0.95;

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            memory: Some(256 << 20),
            queue: true,
            cpu: Some(Duration::from_millis(100)),
            disk: true,
            client_rate: None,
            rate: None,
            client_connections: None,
            message: Some(16 << 20),
            write_timeout: Some(Duration::from_secs(10)),
            validation: true,
            health: true,
        }
    }
}

impl ServiceTime {
    /// The median.
    pub fn typical(&self) -> Duration {
        match self {
            ServiceTime::Fixed(time) => *time,
            ServiceTime::Exponential { mean } => mean.mul_f64(std::f64::consts::LN_2),
            ServiceTime::Uniform { low, high } => (*low + *high) / 2,
            ServiceTime::LogNormal { median, .. } => *median,
        }
    }
}

pub(super) fn slow_pod(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<FaultKind> {
    if !matches!(item.node, Node::Map(_)) {
        return Some(FaultKind::SlowPod {
            victims: victims(reader, item, stage)?,
            factor: FACTOR,
            busy: 0.0,
        });
    }
    let fields = Fields::open(reader, item, &grammar::SLOW)?;
    let busy = fields.share("busy").unwrap_or(0.0);
    let number = |key| fields.get(key).and_then(|item| reader.number(item));
    let factor = number("factor").unwrap_or(if busy > 0.0 { 1.0 } else { FACTOR });
    if factor != 1.0 && factor < FACTOR_MIN {
        reader.problem(
            fields.key_place("factor"),
            "nobody can tell it from the usual times",
            format!("write factor: {FACTOR_MIN} or more, or 1 with busy: 50 %"),
        );
    } else if factor == 1.0 && busy == 0.0 {
        reader.problem(
            fields.key_place("factor"),
            "the pods would not be slower",
            "write factor: 10, or busy: 50 %",
        );
    }
    if busy > BUSY_MAX {
        reader.problem(
            fields.key_place("busy"),
            "the pods could not even be told to stop",
            "write 95 % or less, or a cpu-saturation",
        );
    }
    let victims = victims_of(&fields, stage)?;
    Some(FaultKind::SlowPod {
        victims,
        factor,
        busy,
    })
}

pub(super) fn clock_jump(reader: &Reader<'_>, item: &Item) -> Option<FaultKind> {
    let fields = Fields::open(reader, item, &grammar::CLOCK)?;
    let (key, back) = if fields.has("behind") {
        ("behind", true)
    } else {
        ("ahead", false)
    };
    let by = fields.length(key)?;
    if by < Duration::from_secs(10) {
        reader.problem(
            fields.key_place(key),
            "so little is no jump",
            "write 10s or more",
        );
    }
    Some(FaultKind::ClockJump { by, back })
}

pub(super) fn bounds(reader: &Reader<'_>, item: &Item) -> Bounds {
    let mut bounds = Bounds::default();
    let Some(fields) = Fields::open(reader, item, &grammar::BOUNDS) else {
        return bounds;
    };
    let kept = |key| {
        let item = fields.get(key)?;
        reader.word(item, "bounds", &KEPT)
    };
    bounds.queue = kept("queue").unwrap_or(bounds.queue);
    bounds.disk = kept("disk").unwrap_or(bounds.disk);
    bounds.health = kept("health").unwrap_or(bounds.health);
    if let Some(item) = fields.get("memory") {
        bounds.memory = (!is_none(item)).then(|| reader.size(item)).flatten();
    }
    if let Some(item) = fields.get("cpu") {
        bounds.cpu = (!is_none(item)).then(|| reader.length(item)).flatten();
    }
    of_clients(&fields, bounds)
}

pub(super) fn is_none(item: &Item) -> bool {
    matches!(&item.node, Node::Scalar(scalar) if scalar.text == "none")
}
