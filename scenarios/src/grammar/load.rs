//! The maps below `load:`.

use super::operation::OPERATION;
use super::{Kind, What, key};

pub(crate) static LOAD: Kind = Kind {
    name: "load",
    about: "Load: when operations are due, in which sessions, and which they are.",
    keys: &[
        key(
            "rate",
            What::Rate,
            None,
            "Open load at a constant rate; short for `arrivals: {constant: ...}`.",
        ),
        key(
            "spacing",
            What::Words(&SPACINGS),
            Some("even"),
            "How arrivals lie around `rate`.",
        ),
        key(
            "arrivals",
            What::Map(&ARRIVALS),
            None,
            "Open load: arrivals come when they come, whatever the target does.",
        ),
        key(
            "closed",
            What::Map(&CLOSED),
            None,
            "Closed load: each session sends its next flow after the last one ended.",
        ),
        key(
            "max_in_flight",
            What::Count(1),
            Some("2000"),
            "Operations under way at once; one more is not sent and counts as `not_sent.in_flight_limit`. \
             Default for closed loads: the number of sessions.",
        ),
        key(
            "sessions",
            What::Map(&SESSIONS),
            None,
            "The MCP sessions that carry the load.",
        ),
        key(
            "operations",
            What::List(&What::Map(&OPERATION)),
            None,
            "What can be sent. An operation that no flow uses is started on its own, by its weight.",
        ),
        key(
            "flows",
            What::List(&What::Map(&FLOW)),
            None,
            "Operations in a fixed order, one after the other in one session.",
        ),
        key(
            "csv",
            What::Text,
            None,
            "CSV file with a head line, for `{{csv.COLUMN}}`.",
        ),
    ],
    required: &["operations"],
    instead: &[],
    one_of: &[],
};

pub(crate) static SPACINGS: [&str; 3] = ["even", "poisson", "uniform"];

pub(crate) static ARRIVALS: Kind = Kind {
    name: "arrivals",
    about: "The rate over time, and how arrivals lie around it.",
    keys: &[
        key("constant", What::Rate, None, "Always the same rate."),
        key(
            "poisson",
            What::Rate,
            None,
            "A constant rate with Poisson spacing: what independent clients do.",
        ),
        key(
            "uniform",
            What::Rate,
            None,
            "A constant rate, each arrival anywhere in its slot.",
        ),
        key(
            "ramp",
            What::Map(&RAMP),
            None,
            "Straight from one rate to another, then constant.",
        ),
        key(
            "steps",
            What::List(&What::Map(&RATE_STEP)),
            None,
            "Each rate for its time; the last one stays.",
        ),
        key("spike", What::Map(&SPIKE), None, "One peak."),
        key(
            "burst",
            What::Map(&BURST),
            None,
            "A peak at the start of each period.",
        ),
        key(
            "sine",
            What::Map(&SINE),
            None,
            "A wave around a mean, like day and night.",
        ),
        key(
            "trace",
            What::Text,
            None,
            "File with one due time a line, in seconds without a unit, ascending; `#` begins a comment.",
        ),
        key(
            "spacing",
            What::Words(&SPACINGS),
            Some("even"),
            "How arrivals lie around the rate: `even`, `poisson` (independent clients) or `uniform` \
             (anywhere in their slot).",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[
        "constant", "poisson", "uniform", "ramp", "steps", "spike", "burst", "sine", "trace",
    ],
};

pub(crate) static RAMP: Kind = Kind {
    name: "ramp",
    about: "A straight change of the rate.",
    keys: &[
        key("from", What::Rate, None, "Rate at the start."),
        key(
            "to",
            What::Rate,
            None,
            "Rate at the end, kept from then on.",
        ),
        key(
            "over",
            What::Duration,
            None,
            "How long the change takes. Default: the whole phase or timeline.",
        ),
    ],
    required: &["from", "to"],
    instead: &[],
    one_of: &[],
};

pub(crate) static RATE_STEP: Kind = Kind {
    name: "rate_step",
    about: "A rate for a time.",
    keys: &[
        key("rate", What::Rate, None, "The rate."),
        key(
            "for",
            What::Duration,
            None,
            "How long; the last step stays.",
        ),
    ],
    required: &["rate", "for"],
    instead: &[],
    one_of: &[],
};

pub(crate) static SPIKE: Kind = Kind {
    name: "spike",
    about: "One peak over a base.",
    keys: &[
        key("base", What::Rate, None, "Rate before and after."),
        key("peak", What::Rate, None, "Rate of the peak."),
        key("at", What::Duration, None, "When the peak begins."),
        key("for", What::Duration, None, "How long it lasts."),
    ],
    required: &["base", "peak", "at", "for"],
    instead: &[],
    one_of: &[],
};

pub(crate) static BURST: Kind = Kind {
    name: "burst",
    about: "A peak at the start of each period.",
    keys: &[
        key("base", What::Rate, None, "Rate between the peaks."),
        key("peak", What::Rate, None, "Rate of the peaks."),
        key("every", What::Duration, None, "Length of a period."),
        key("for", What::Duration, None, "How long each peak lasts."),
    ],
    required: &["base", "peak", "every", "for"],
    instead: &[],
    one_of: &[],
};

pub(crate) static SINE: Kind = Kind {
    name: "sine",
    about: "mean + amplitude * sin(2 pi t / period).",
    keys: &[
        key(
            "mean",
            What::Rate,
            None,
            "Rate at the start, and on average.",
        ),
        key(
            "amplitude",
            What::Rate,
            None,
            "How far the rate goes up and down; at most the mean.",
        ),
        key("period", What::Duration, None, "Time of one wave."),
    ],
    required: &["mean", "amplitude", "period"],
    instead: &[],
    one_of: &[],
};

pub(crate) static CLOSED: Kind = Kind {
    name: "closed",
    about: "Closed load. Its latency hides how long clients would have waited: prefer open load.",
    keys: &[key(
        "think",
        THINK_TIME,
        Some("0s"),
        "Pause of a session between its flows.",
    )],
    required: &[],
    instead: &[],
    one_of: &[],
};

const THINK_TIME: What = What::OneOf(&[What::Duration, What::Map(&THINK)]);

pub(crate) static THINK: Kind = Kind {
    name: "think",
    about: "A pause that is drawn each time.",
    keys: &[
        key(
            "exponential",
            What::Duration,
            None,
            "Exponential with this mean.",
        ),
        key(
            "uniform",
            What::Pair(&What::Duration),
            None,
            "Anywhere between two durations: [100ms, 300ms].",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &["exponential", "uniform"],
};

pub(crate) static SESSIONS: Kind = Kind {
    name: "sessions",
    about: "The MCP sessions that carry a load. Operation k uses session k modulo their number.",
    keys: &[
        key("count", What::Count(1), Some("10"), "How many sessions."),
        key(
            "open_rate",
            What::Rate,
            Some("1000/s"),
            "Sessions that begin a second, before the timeline starts and when others have ended. An operation \
             without a session waits for it.",
        ),
        key(
            "lifetime",
            What::Pattern("^(run|[0-9]+ calls|[0-9.]+ ?(ns|us|ms|s|min|h|d))$"),
            Some("run"),
            "When a session is ended and opened again: `run` (never), `100 calls`, or a duration.",
        ),
        key(
            "end",
            What::Words(&SESSION_ENDS),
            Some("delete"),
            "How a session ends: `delete` (DELETE, then the connection is closed), `drop` (the connection is \
             closed, the server is not told), `leak` (nothing is done).",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

pub(crate) static SESSION_ENDS: [&str; 3] = ["delete", "drop", "leak"];

pub(crate) static FLOW: Kind = Kind {
    name: "flow",
    about: "Operations in a fixed order. The first is due by the load's schedule, each other one after the result before it.",
    keys: &[
        key("name", What::OperationName, None, "Unique in the load."),
        key(
            "weight",
            What::Weight,
            Some("1"),
            "How often it is started, relative to other weights.",
        ),
        key(
            "steps",
            What::List(&What::OneOf(&[What::OperationName, What::Map(&FLOW_STEP)])),
            None,
            "Names of operations, in their order.",
        ),
    ],
    required: &["name", "steps"],
    instead: &[],
    one_of: &[],
};

pub(crate) static FLOW_STEP: Kind = Kind {
    name: "flow_step",
    about: "A step with a pause before it.",
    keys: &[
        key(
            "operation",
            What::OperationName,
            None,
            "Name of the operation.",
        ),
        key(
            "think",
            THINK_TIME,
            Some("0s"),
            "Pause between the result before and this step.",
        ),
    ],
    required: &["operation"],
    instead: &[],
    one_of: &[],
};
