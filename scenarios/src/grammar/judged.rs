//! The maps below `probes:` and `objectives:`.

use super::resource::NONE;
use super::{Kind, What, key};

pub(crate) static PROBE: Kind = Kind {
    name: "probe",
    about: "A page of the target that is read beside the load.",
    keys: &[
        key(
            "path",
            What::Pattern("^/\\S*$"),
            None,
            "Path on the target: /metrics/prometheus.",
        ),
        key(
            "url",
            What::Pattern("^https?://\\S+$"),
            None,
            "A whole URL.",
        ),
        key("every", What::Duration, Some("1s"), "How often it is read."),
        key(
            "prometheus",
            What::Named(&What::Text),
            None,
            "The page is Prometheus text. Our name of a series, and the metric: name or name{label=\"value\"}; \
             samples that match are added up.",
        ),
        key(
            "json",
            What::Named(&What::Pointer),
            None,
            "The page is JSON. Our name of a series, and where its number stands: /pointer.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &["prometheus", "json"],
};

pub(crate) static OBJECTIVE: Kind = Kind {
    name: "objective",
    about: "One limit that has to hold.",
    keys: &[
        key(
            "latency",
            What::Pattern("^p[0-9]{1,2}(\\.[0-9]+)?$|^p999$"),
            None,
            "A quantile of the response time (p50, p99, p99.9), below `below`. Every operation that was due \
             counts; one that failed is over every limit.",
        ),
        key(
            "errors",
            What::Share,
            None,
            "The share of operations that do not end well is below this one.",
        ),
        key(
            "throughput",
            What::Rate,
            None,
            "At least so many operations a second end well.",
        ),
        key(
            "metric",
            What::OperationName,
            None,
            "Each sample of a probe's series, PROBE.SERIES, is below `below`.",
        ),
        key(
            "rto",
            What::OneOf(&[What::Duration, What::Words(&NONE)]),
            None,
            "Recovery time, as the operating procedure demands it: from the fault until service is back for good \
             is below this. `budget` adds a tighter check; with `none`, where the procedure names no limit, it is the only one.",
        ),
        key(
            "rpo",
            What::OneOf(&[What::Duration, What::Words(&NONE)]),
            None,
            "Recovery point, as the operating procedure demands it: acknowledged work that is gone, as time, is below \
             this. `budget` adds a tighter check.",
        ),
        key(
            "budget",
            What::Duration,
            None,
            "The scenario's own limit beside `rto` or `rpo`: what the design of the target implies. A check of its own, \
             ID-budget.",
        ),
        key(
            "fault",
            What::OperationName,
            None,
            "Id of the fault that `rto`, `rpo` or `refusal` looks at. Default: every fault, of which the worst is judged; \
             for `refusal` the only one that asks for this code.",
        ),
        key(
            "refusal",
            What::Count(1000),
            None,
            "What the fault does is refused with this code of erlmcp `within` a time of its start, service is back \
             `recovered` after it, no acknowledged write is lost, and no process of the target ends that was no victim.",
        ),
        key(
            "suite",
            What::Share,
            None,
            "At least this share of the faults that `refusal` and `rto` name pass, their refusals come `within` a time on \
             the average, and so do their recoveries (`recovered`).",
        ),
        key(
            "within",
            What::Duration,
            Some("1s"),
            "From the fault until the first right refusal.",
        ),
        key(
            "recovered",
            What::Duration,
            Some("5s"),
            "From the fault until service is back.",
        ),
        key(
            "lost",
            What::Count(0),
            None,
            "At most so many acknowledged writes are gone.",
        ),
        key(
            "unexpected",
            What::Count(0),
            None,
            "At most so many records that nobody wrote.",
        ),
        key(
            "duplicated",
            What::Count(0),
            None,
            "At most so many writes that are stored twice.",
        ),
        key(
            "stale",
            What::Count(0),
            None,
            "At most so many records with the value of an older write.",
        ),
        key(
            "reordered",
            What::Count(0),
            None,
            "At most so many records that lie before one that was acknowledged earlier.",
        ),
        key(
            "holes",
            What::Count(0),
            None,
            "At most so many lost writes that are older than a surviving one.",
        ),
        key(
            "split_brain",
            What::Count(0),
            None,
            "At most so many writes that the old site acknowledged after another was promoted.",
        ),
        key(
            "lost_after_stop",
            What::Count(0),
            None,
            "At most so many lost writes that were acknowledged after the failed site's last one.",
        ),
        key(
            "corrupt",
            What::Count(0),
            None,
            "At most so many records with another value than was written.",
        ),
        key(
            "unread",
            What::Count(0),
            None,
            "At most so many records that could not be read back.",
        ),
        key(
            "behind",
            What::Count(0),
            None,
            "At most so many acknowledged writes that a standby lacks when it is read: lost, or still on their way to it.",
        ),
        key(
            "unbalanced",
            What::Count(0),
            None,
            "Every write pays an amount in: by so much at most what is stored may add up to something else.",
        ),
        key(
            "below",
            What::OneOf(&[What::Duration, What::Share, What::Number]),
            None,
            "The limit: a duration for `latency`; for `metric` a number, or a share with `of`.",
        ),
        key(
            "of",
            What::OneOf(&[What::Number, What::OperationName]),
            None,
            "What the share of a metric is taken of: a number, or another series.",
        ),
        key(
            "class",
            What::OperationName,
            None,
            "Count only these failures: a class (`connect`) or one outcome (`http.503`).",
        ),
        key(
            "operation",
            What::OperationName,
            None,
            "Look only at this operation. Default: all of them.",
        ),
        key(
            "in",
            What::OneOf(&[What::Name, What::List(&What::Name)]),
            None,
            "Phases to look at. Default: those that are measured.",
        ),
        key(
            "over",
            What::Duration,
            None,
            "Judge every window of this length. Default: once over the whole phase.",
        ),
        key(
            "abort",
            What::Flag,
            Some("false"),
            "End the run as soon as it cannot be met any more.",
        ),
        key(
            "id",
            What::OperationName,
            None,
            "The check's name in results. Default: made of the other keys.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[
        "latency",
        "errors",
        "throughput",
        "metric",
        "rto",
        "rpo",
        "lost",
        "unexpected",
        "duplicated",
        "stale",
        "reordered",
        "holes",
        "split_brain",
        "lost_after_stop",
        "corrupt",
        "unread",
        "behind",
        "unbalanced",
        "refusal",
        "suite",
    ],
};
