//! Load: when operations are due, in which sessions and in which order.

use std::time::Duration;

use super::Operation;

#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub name: String,
    pub drive: Drive,
    /// Operations under way at once, over all sessions of the load; one more is `not_sent.in_flight_limit`.
    pub max_in_flight: u32,
    pub sessions: Sessions,
    /// What can be sent. Referred to by index from flow steps.
    pub operations: Vec<Operation>,
    /// What an arrival starts: drawn by weight. A lone operation with a weight is a flow of one step.
    pub flows: Vec<Flow>,
    /// Rows of a CSV file for `{{csv.COLUMN}}`, shared by the operations of this load.
    pub rows: Option<Rows>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Drive {
    /// Arrivals come when they come, whatever the target does.
    Open(Arrivals),
    /// Each session sends its next flow after the last one ended and a think time.
    Closed { think: Think },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    Shaped {
        shape: Shape,
        spacing: Spacing,
    },
    /// Due times since the start of the timeline (of the phase, where a phase has its own), ascending.
    Trace {
        /// Its name below `sources/` of a recording, see [`Plan::source_files`](super::Plan::source_files).
        file: String,
        due: Vec<Duration>,
    },
}

/// Operations a second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

/// The rate over time, from the start of the timeline or of the phase whose own it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Constant(Rate),
    /// Straight from one rate to another, then constant. `over: None` is the whole phase or timeline.
    Ramp {
        from: Rate,
        to: Rate,
        over: Option<Duration>,
    },
    /// Each rate for its time; the last one stays.
    Steps(Vec<(Rate, Duration)>),
    /// `peak` for `length`, beginning at `at`; `base` else.
    Spike {
        base: Rate,
        peak: Rate,
        at: Duration,
        length: Duration,
    },
    /// `peak` for `length` at the start of each period `every`; `base` else.
    Burst {
        base: Rate,
        peak: Rate,
        every: Duration,
        length: Duration,
    },
    /// `mean + amplitude * sin(2 pi t / period)`; the amplitude is at most the mean.
    Sine {
        mean: Rate,
        amplitude: Rate,
        period: Duration,
    },
}

/// How arrivals lie around the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Evenly: the k-th arrival is due when the rate's integral reaches k.
    Even,
    /// A Poisson process whose intensity is the shape.
    Poisson,
    /// One arrival a slot of the even spacing, anywhere in it with equal chance.
    Uniform,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Think {
    None,
    Fixed(Duration),
    Exponential { mean: Duration },
    Uniform { low: Duration, high: Duration },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    pub count: u32,
    /// Sessions opened a second before the timeline starts, and again when they end.
    pub open_rate: Rate,
    pub lifetime: Lifetime,
    pub end: SessionEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the run.
    Run,
    /// Ended, and opened again, after this many operations.
    Calls(u64),
    /// Ended, and opened again, after this time.
    Time(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// DELETE, then the connection is closed.
    Delete,
    /// The connection is closed; the server is not told.
    Drop,
    /// Nothing is done; the connection stays open until the run ends.
    Leak,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// Unique in its load. A flow of one lone operation has that operation's name.
    pub name: String,
    pub weight: f64,
    pub steps: Vec<Step>,
    /// Slots that the steps save values into.
    pub slots: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Index into the load's operations.
    pub operation: usize,
    /// Before this step, from the result of the one before. `Think::None` for the first.
    pub think: Think,
    /// The name under which this step is counted, unique in the plan; see [`Plan::series`](super::Plan::series).
    pub series: String,
}

/// A CSV file with a head line; cell `c` of row `r` is `cells[r * columns.len() + c]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Its name below `sources/` of a recording, see [`Plan::source_files`](super::Plan::source_files).
    pub file: String,
    pub columns: Vec<String>,
    pub cells: Vec<String>,
}
