//! Why a verdict is what it is, in words that stand alone.

use firedrill_evidence::{
    ALPHA, Distrust, Finding, LEAST_BLOCKS, Limit, NO_HEADROOM, Share, Verdict, Why,
};
use firedrill_scenarios::plan::{ErrorClass, MetricBase, Over, Subject};

use super::Scope;
use super::view::{Ran, nanoseconds};
use crate::numbers::{count, duration, rate, share, significant, span};
use crate::recording::EarlyEnd;
use crate::result::{Check, Span, Unit};

pub const NO_END: &str = "the recording has no end: firedrill was killed, or could not write";
pub const NO_MANIFEST: &str =
    "the recording was never sealed: it has no manifest, so that changes to it cannot be seen";

// ---- what is judged ----

pub fn about(scope: &Scope<'_>, limit: Limit) -> String {
    let what = match &scope.objective.subject {
        Subject::Latency {
            quantile,
            below,
            operation,
        } => match scope.objective.over {
            Over::Phase => format!(
                "{} of the response time{}",
                quantile_name(*quantile),
                timed(scope, operation.as_deref())
            ),
            Over::Window(_) => format!(
                "operations{} that take {} or longer or miss, at most {}",
                timed(scope, operation.as_deref()),
                duration(nanoseconds(*below)),
                share(limit.share())
            ),
        },
        Subject::Errors {
            class, operation, ..
        } => {
            let class = class.as_ref().map_or(String::new(), |class| {
                format!(" with {}", class_name(class))
            });
            format!(
                "operations{} that do not end ok{class}",
                of(operation.as_deref())
            )
        }
        Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => String::new(),
    };
    placed(scope, &what)
}

pub fn throughput(scope: &Scope<'_>, operation: Option<&str>) -> String {
    placed(
        scope,
        &format!("operations{} that end ok, a second", of(operation)),
    )
}

pub fn metric(scope: &Scope<'_>, name: &str, base: Option<&MetricBase>) -> String {
    let what = match base {
        None => name.to_owned(),
        Some(MetricBase::Number(base)) => format!("{name} as a share of {}", significant(*base, 6)),
        Some(MetricBase::Series(base)) => format!("{name} as a share of {base}"),
    };
    placed(scope, &what)
}

fn placed(scope: &Scope<'_>, what: &str) -> String {
    let phase = &scope.ran().name;
    match scope.objective.over {
        Over::Phase => format!("{what}, in {phase}"),
        Over::Window(length) => {
            format!("{what}, in every {} of {phase}", span(nanoseconds(length)))
        }
    }
}

fn of(operation: Option<&str>) -> String {
    operation.map_or(String::new(), |operation| format!(" of {operation}"))
}

/// Later steps of flows have times of their own, and no part in those of all operations.
fn timed(scope: &Scope<'_>, operation: Option<&str>) -> String {
    match operation {
        None if scope.view.series.iter().any(|series| !series.scheduled) => {
            " of all but later steps of flows".to_owned()
        }
        operation => of(operation),
    }
}

/// `p99`, `p99.9`.
pub fn quantile_name(q: f64) -> String {
    format!("p{}", significant(q * 100.0, 8))
}

fn class_name(class: &ErrorClass) -> String {
    match class {
        ErrorClass::Class(name) => name.clone(),
        ErrorClass::One(outcome) => outcome.to_string(),
    }
}

// ---- why ----

pub fn never_ran(phase: &Ran) -> String {
    format!("the phase {} never ran", phase.name)
}

pub fn nothing_due(phase: &Ran) -> String {
    format!("no operation was due in {}", phase.name)
}

pub fn nothing_reached(phase: &Ran, check: &Check) -> String {
    format!(
        "nothing reached the target in {}, where no operation could be sent; what was seen: {}",
        phase.name, check.reason
    )
}

pub fn no_window(scope: &Scope<'_>) -> String {
    format!(
        "{} ran for {}, which holds no whole window",
        scope.ran().name,
        span(scope.ran().length())
    )
}

/// The finding in words.
pub fn finding(scope: &Scope<'_>, finding: &Finding, limit: Limit, window: Option<Span>) -> String {
    if finding.why == Why::NothingDue {
        return nothing_due(scope.ran());
    }
    let mut reason = format!(
        "{} {}",
        seen(scope, finding, window),
        verdict_of(finding, limit)
    );
    if !scope.ran().complete && finding.verdict == Verdict::Inconclusive {
        reason.push_str(&format!("; {}", cut(scope)));
    }
    reason
}

/// What was counted: `12 of 4,012 operations (0.299 %) took 100 ms or longer or missed`.
fn seen(scope: &Scope<'_>, finding: &Finding, window: Option<Span>) -> String {
    let Share { bad, of } = finding.share;
    let value = finding.share.value().map_or("-".to_owned(), share);
    let what = match &scope.objective.subject {
        Subject::Latency { below, .. } => {
            format!("took {} or longer or missed", duration(nanoseconds(*below)))
        }
        Subject::Errors {
            class: Some(class), ..
        } => format!("ended in {}", class_name(class)),
        Subject::Errors { class: None, .. }
        | Subject::Throughput { .. }
        | Subject::Metric { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => "did not end ok".to_owned(),
    };
    let place = window.map_or(String::new(), |window| format!(" {}", at(scope, window)));
    format!(
        "{} of {} operations ({value}) {what}{place};",
        count(bad),
        count(of)
    )
}

/// `in the window from 12 s to 42 s`, on the timeline.
fn at(scope: &Scope<'_>, window: Span) -> String {
    let zero = scope.view.recording.zero().unwrap_or(0);
    let instant = |at: u64| span(at.saturating_sub(zero));
    format!(
        "in the window from {} to {}",
        instant(window.start),
        instant(window.end)
    )
}

fn verdict_of(finding: &Finding, limit: Limit) -> String {
    let allowed = match limit {
        Limit::Below(share) if share <= 0.0 => "none may".to_owned(),
        Limit::Below(limit) => format!("fewer than {} may", share(limit)),
        Limit::Quantile(_) => format!("at most {} may", share(limit.share())),
    };
    let bound = |bound: Option<f64>| bound.map_or("-".to_owned(), share);
    let level = share(1.0 - ALPHA);
    match finding.why {
        Why::NothingDue => String::new(),
        Why::TooFew { needed } => {
            format!(
                "{allowed}, which takes at least {} operations to tell",
                count(needed)
            )
        }
        Why::BoundsBelow => format!("{level} upper bound {}; {allowed}", bound(finding.upper)),
        Why::BoundsAbove => format!("{level} lower bound {}; {allowed}", bound(finding.lower)),
        Why::BoundsAround => format!(
            "the limit ({allowed}) lies between the bounds {} and {}: run longer",
            bound(finding.lower),
            bound(finding.upper)
        ),
        Why::Met | Why::Missed => allowed,
        Why::Strict => format!(
            "{allowed}, and strict judging wants at least {LEAST_BLOCKS} blocks of {} to tell",
            span(nanoseconds(firedrill_evidence::BLOCK))
        ),
    }
}

/// Why a phase was cut short.
fn cut(scope: &Scope<'_>) -> String {
    let ran = scope.ran();
    let planned = span(ran.planned.end - ran.planned.start);
    let why = match scope.view.recording.ended_early() {
        Some((_, reason, detail)) => format!(" ({})", early(reason, detail)),
        None => " (its end was not recorded)".to_owned(),
    };
    format!(
        "the phase was cut short after {} of {planned}{why}",
        span(ran.length())
    )
}

pub fn early(reason: EarlyEnd, detail: &str) -> String {
    let reason = match reason {
        EarlyEnd::Interrupted => "interrupted",
        EarlyEnd::Aborted => "aborted",
        EarlyEnd::Incident => "ended for another incident",
        EarlyEnd::TargetLost => "the target was lost",
        EarlyEnd::NotSteady => "the target was not steady before the first fault",
    };
    if detail.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {detail}")
    }
}

pub fn ours(reason: &str, ours: Share) -> String {
    format!(
        "fails only with the {} operations that firedrill itself dispatched late, or that were under way while it did not \
         run: {reason}",
        count(ours.bad)
    )
}

pub fn held(held: u64, reason: &str) -> String {
    format!(
        "fails only with the {} in which a load thread did not run: {reason}",
        duration(held)
    )
}

pub fn rate_found(scope: &Scope<'_>, found: f64, at_least: f64, window: Option<Span>) -> String {
    let place = window.map_or(String::new(), |window| format!(" {}", at(scope, window)));
    let mut reason = format!(
        "{} ended ok{place}; at least {} is asked",
        rate(found),
        rate(at_least)
    );
    if !scope.ran().complete {
        reason.push_str(&format!("; {}", cut(scope)));
    }
    reason
}

/// A metric's worst reading, and its silence.
pub fn readings(
    scope: &Scope<'_>,
    name: &str,
    worst: Option<(u64, f64)>,
    below: f64,
    silent: Option<(Span, &str)>,
    unit: Unit,
) -> String {
    let number = |value: f64| {
        if unit == Unit::Share {
            share(value)
        } else {
            significant(value, 4)
        }
    };
    let zero = scope.view.recording.zero().unwrap_or(0);
    let instant = |at: u64| span(at.saturating_sub(zero));
    let mut parts = vec![match worst {
        Some((at, value)) => format!(
            "the highest was {} at {}; below {} is asked",
            number(value),
            instant(at),
            number(below)
        ),
        None => format!("{name} was never read in {}", scope.ran().name),
    }];
    if let Some((silence, series)) = silent {
        let (from, to) = (instant(silence.start), instant(silence.end));
        parts.push(format!(
            "the probe of {series} was silent from {from} to {to}"
        ));
    }
    if !scope.ran().complete {
        parts.push(cut(scope));
    }
    parts.join("; ")
}

// ---- trust ----

pub fn distrust(reasons: &[Distrust], check: &Check) -> String {
    let reasons: Vec<String> = reasons.iter().map(distrusted).collect();
    format!(
        "the measurement cannot be trusted: {}; what was seen: {}",
        reasons.join("; "),
        check.reason
    )
}

/// A failure in a phase in which firedrill was late, but only afterwards.
pub fn before_late(check: &Check) -> String {
    format!(
        "{}; firedrill itself was late after that, and this fails though all since then counts as good",
        check.reason
    )
}

/// A failure where the busiest load thread had nothing left.
pub fn no_headroom(busy: f64, check: &Check) -> String {
    format!(
        "firedrill itself may be why: a load thread was busy for {} of the phase, and with less than {} left it cannot tell \
         the target's slowness from its own: give it more load threads (`--threads`) and a core for each, fewer checks, or \
         another machine; what was seen: {}",
        share(busy),
        share(NO_HEADROOM),
        check.reason
    )
}

pub fn distrusted(reason: &Distrust) -> String {
    match reason {
        Distrust::Late { seconds, of, limit } => format!(
            "firedrill dispatched late (p99 above {}) in {} of {} seconds, so the load was not the one asked for",
            duration(nanoseconds(*limit)),
            count(*seconds),
            count(*of)
        ),
        Distrust::Kept { seconds, of, limit } => format!(
            "a load thread waited for a core for more than {} of the time in {} of {} seconds, so less was asked of the \
             target than could have been: give firedrill a core of its own, and no quota",
            share(*limit),
            count(*seconds),
            count(*of)
        ),
        Distrust::Lost { seconds, of, limit } => format!(
            "a load thread did not come to run for more than {} of the time in {} of {} seconds, since it was frozen or its \
             machine had no core for it, so less was asked of the target than could have been: let it run without \
             pause, on a machine that has its cores",
            share(*limit),
            count(*seconds),
            count(*of)
        ),
        Distrust::Stopped { seconds, of } => format!(
            "firedrill was stopped, or its machine was, and saw nothing in {} of {} seconds: let it run without pause, \
             and on a machine that is not suspended",
            count(*seconds),
            count(*of)
        ),
        Distrust::NotSent(operations) => {
            format!(
                "firedrill was too late to send {} operations",
                count(*operations)
            )
        }
        Distrust::Local(connections) => format!(
            "this machine could not make {} connections (no local port or no file descriptor was free)",
            count(*connections)
        ),
    }
}

pub fn disagreement(phase: &str, series: &str, counted: [u64; 2], timed: [u64; 2]) -> String {
    format!(
        "{series} in {phase}: the buckets count {} ok and {} not ok, the latency log {} and {}",
        count(counted[0]),
        count(counted[1]),
        count(timed[0]),
        count(timed[1])
    )
}
