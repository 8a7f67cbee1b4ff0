//! The answer in words.

use firedrill_evidence::Verdict;

use super::{lowest, missed, untrusted};
use crate::capacity::{EndedBy, Form, Outcome, Purpose};
use crate::numbers::{count, rate, share};
use crate::result::{CapacityDocument, Limit};

/// `12,400/s`, or `240 sessions`.
pub fn level(level: f64, form: Form) -> String {
    match form {
        Form::Open => rate(level),
        Form::Closed if level == 1.0 => "1 session".to_owned(),
        Form::Closed => format!("{} sessions", count(level.round() as u64)),
    }
}

pub fn outcome(outcome: Outcome, purpose: Purpose) -> &'static str {
    match (outcome, purpose) {
        (Outcome::Met, Purpose::Trial) => "met",
        (Outcome::Met, Purpose::Check) => "well",
        (Outcome::Missed, Purpose::Trial) => "missed",
        (Outcome::Missed, Purpose::Check) => "not well",
        (Outcome::Untrusted, _) => "untrusted",
        (Outcome::TooLittle, _) => "too little",
    }
}

/// `12,400/s (95 %: 12,050/s to 12,700/s), latency gave way first at 13,100/s`.
pub fn answer(found: &CapacityDocument) -> String {
    let capacity = &found.capacity;
    let told = |own: f64| level(own, found.form);
    let mut text = match (capacity.estimate, capacity.lower, capacity.upper) {
        (Some(estimate), Some(lower), Some(upper)) => format!(
            "{} ({}: {} to {})",
            told(estimate),
            share(capacity.confidence),
            told(lower),
            told(upper)
        ),
        (_, Some(lower), _) => format!(
            "at least {} ({}), and the search ends at {}",
            told(lower),
            share(capacity.confidence),
            told(found.settings.most)
        ),
        _ => match (capacity.met, capacity.missed) {
            (Some(met), _) => format!("at least {}", told(met)),
            (None, Some(missed)) => format!("below {}", told(missed)),
            (None, None) => "not known".to_owned(),
        },
    };
    if let Some(completed) = capacity
        .completed_per_second
        .filter(|_| found.form == Form::Closed)
    {
        text.push_str(&format!(", which complete {}", rate(completed)));
    }
    if let Some(own) = &found.gave_way {
        text.push_str(&format!(
            ", {} gave way first at {}",
            limit(own.what),
            told(own.level)
        ));
    }
    text
}

fn limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Latency => "latency",
        Limit::Errors => "errors",
        Limit::Queue => "the queue",
        Limit::Metric => "a metric",
        Limit::Generator => "the generator",
    }
}

/// Why the verdict is what it is.
pub fn reason(found: &CapacityDocument, detail: Option<&str>) -> String {
    let told = |own: f64| level(own, found.form);
    let settings = &found.settings;
    let first = found
        .gave_way
        .as_ref()
        .map_or(String::new(), |own| format!(": {}", own.reason));
    let ended = match found.ended_by {
        EndedBy::Precision | EndedBy::Most
            if found.capacity.lower.is_some() && found.capacity.upper.is_none() =>
        {
            format!(
                "the search reached its end at {}, and the capacity may lie beyond it: raise --most",
                told(settings.most)
            )
        }
        EndedBy::Precision => format!("known to {}", share(settings.precision)),
        EndedBy::Budget if settings.trials == 1 => {
            "the one trial is spent: raise --trials".to_owned()
        }
        EndedBy::Budget => format!(
            "the {} trials are spent: raise --trials, or --precision",
            settings.trials
        ),
        EndedBy::Most => format!(
            "nothing gave way up to {}: raise --most",
            told(settings.most)
        ),
        EndedBy::NothingMet => {
            lowest(missed(&found.trials)).map_or("the objectives are missed".to_owned(), |own| {
                let at = told(own.level);
                format!("the objectives are missed at {at} already: {}", own.reason)
            })
        }
        EndedBy::Generator => format!("the generator was the limit, and not the target{first}"),
        EndedBy::Probe => {
            let silent = untrusted(&found.trials).filter(|own| own.met_silence());
            let first = lowest(silent).map_or(String::new(), |own| format!(": {}", own.reason));
            format!(
                "a probe was silent, so that nothing says whether its objective was met{first}; see that it answers under \
                 load (its address, its time-out), or leave that objective out"
            )
        }
        EndedBy::TooLittle => {
            "a trial holds too few operations for a verdict: lengthen it with --trial".to_owned()
        }
        EndedBy::NotRecovered => "the target did not recover".to_owned(),
        EndedBy::TargetLost => "a process of the target ended".to_owned(),
        EndedBy::Interrupted => "interrupted before the answer was known".to_owned(),
    };
    let ended = match detail {
        Some(detail) if !detail.is_empty() && !ended.contains(detail) => {
            format!("{ended}: {detail}")
        }
        Some(_) | None => ended,
    };
    match found.at_least {
        None => ended,
        Some(wanted) => {
            let against = match (found.verdict, found.ended_by) {
                (Verdict::Pass, _) => "is carried",
                (Verdict::Fail, _) => "is not carried",
                (Verdict::Inconclusive, EndedBy::NothingMet) => "was not tried: lower --from",
                (Verdict::Inconclusive | Verdict::Invalid, _) => "may be carried or not",
            };
            format!("{} {against}; {ended}", told(wanted))
        }
    }
}
