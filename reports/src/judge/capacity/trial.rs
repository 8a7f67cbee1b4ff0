//! One trial's result to what it says about its level.

use firedrill_evidence::{NO_HEADROOM, Verdict};
use firedrill_scenarios::Outcome as Ended;
use firedrill_scenarios::outcome::NotSent;

use super::queue::Seen;
use crate::capacity::{Attempt, Form, Outcome, Purpose};
use crate::numbers::{count, rate, share};
use crate::recording::{Measure, Recording, series};
use crate::result::{Check, LatencyLimit, Limit, Method, ResultDocument, Times, Trial, Unit};

/// Fewer failures than this share say nothing of why a level was missed.
const TELLS: f64 = 0.005;

/// What came of an attempt, from its recording and what that was judged to be.
pub fn trial(
    attempt: &Attempt,
    recording: &Recording,
    result: &ResultDocument,
    form: Form,
) -> Trial {
    let load = &result.load;
    let limited = Ended::NotSent(NotSent::InFlightLimit).to_string();
    let all = result.latency.get("all").and_then(|all| all.response);
    let measured = Measured::of(result);
    let mut own = Trial {
        number: attempt.number,
        purpose: attempt.purpose,
        level: attempt.level,
        folder: attempt.folder.clone(),
        outcome: Outcome::Met,
        limit: None,
        reason: String::new(),
        asked_per_second: load.asked_per_second,
        sent_per_second: load.sent_per_second,
        completed_per_second: load.completed_per_second,
        p50: all.and_then(|all| all.p50),
        p99: all.and_then(|all| all.p99),
        failed: measured.failed(),
        over_in_flight_limit: load.outcomes.get(&limited).copied().unwrap_or(0),
        concurrency: match form {
            Form::Open => measured.in_flight(result),
            Form::Closed => Some(attempt.level),
        },
        lateness_p99: result.generator.lateness.p99,
        headroom: result.generator.headroom,
        limits: limits(result),
    };
    // A closed load waits for its answers, and a gentle one between trials is too short to show a queue.
    let queued = form == Form::Open && attempt.purpose == Purpose::Trial;
    let behind = queued.then(|| falls_behind(&own, recording, result));
    (own.outcome, own.limit, own.reason) = outcome(&own, result, behind.flatten());
    let may_be_ours = match own.limit {
        Some(Limit::Latency | Limit::Queue) => true,
        Some(Limit::Errors) => mostly_timed_out(result),
        Some(Limit::Metric | Limit::Generator) | None => false,
    };
    if let Some(why) = generator_was_slow(&own, result).filter(|_| may_be_ours) {
        own.outcome = Outcome::Untrusted;
        own.limit = Some(Limit::Generator);
        own.reason = format!("{why} ({})", own.reason);
    }
    own
}

/// Whether most of what failed did so by our own time-outs, and not by what the target answered.
fn mostly_timed_out(result: &ResultDocument) -> bool {
    let outcomes = result.load.outcomes.iter();
    let outcomes = outcomes.filter_map(|(name, count)| Some((name.parse::<Ended>().ok()?, *count)));
    let failed: Vec<(Ended, u64)> = outcomes.filter(|(outcome, _)| !outcome.is_ok()).collect();
    let sum = |counts: &mut dyn Iterator<Item = &(Ended, u64)>| -> u64 {
        counts.map(|(_, count)| count).sum()
    };
    let is_time_out = |(outcome, _): &&(Ended, u64)| matches!(outcome, Ended::Timeout(_));
    sum(&mut failed.iter().filter(is_time_out)) * 2 > sum(&mut failed.iter())
}

/// Why what was slow may have been firedrill itself, though it was not late.
fn generator_was_slow(own: &Trial, result: &ResultDocument) -> Option<String> {
    if let Some(left) = own.headroom.filter(|left| *left < NO_HEADROOM) {
        return Some(format!(
            "firedrill itself had {} of its capacity left",
            share(left.max(0.0))
        ));
    }
    let each = result.generator.calibration?.operations_per_second as f64;
    let most = each * f64::from(result.environment.cores);
    (own.asked_per_second? > most).then(|| format!("this machine issues {} at most", rate(most)))
}

/// The measured part of a trial.
#[derive(Default)]
struct Measured {
    /// Nanoseconds.
    length: u64,
    due: u64,
    completed: u64,
}

impl Measured {
    fn of(result: &ResultDocument) -> Measured {
        let phases = result.phases.iter().filter(|phase| phase.measured);
        phases.fold(Measured::default(), |sum, phase| Measured {
            length: sum.length
                + phase
                    .end
                    .zip(phase.start)
                    .map_or(0, |(end, start)| end - start),
            due: sum.due + phase.intended,
            completed: sum.completed + phase.completed,
        })
    }

    fn failed(&self) -> Option<f64> {
        let share = 1.0 - self.completed as f64 / self.due as f64;
        (self.due > 0).then(|| (share * 1e6).round() / 1e6)
    }

    /// Little's law: completed a second, times what each took.
    fn in_flight(&self, result: &ResultDocument) -> Option<f64> {
        let busy =
            |times: &Times| times.service.mean.unwrap_or(0) as f64 * times.service.count as f64;
        // `all` has no service times: it is the sum of the others.
        let of_all = result
            .latency
            .values()
            .flat_map(|own| own.ok.iter().chain(&own.failed));
        let busy: f64 = of_all.map(busy).sum();
        (self.length > 0).then(|| (busy / self.length as f64 * 1e6).round() / 1e6)
    }
}

fn limits(result: &ResultDocument) -> Vec<LatencyLimit> {
    let of_latency = |check: &Check| {
        let below = check.target.filter(|_| check.unit == Unit::Ns)?;
        Some(LatencyLimit {
            check: check.id.clone(),
            below: below.value() as u64,
        })
    };
    result.checks.iter().filter_map(of_latency).collect()
}

type Decided = (Outcome, Option<Limit>, String);

/// `behind`: why a queue grows, where one does.
fn outcome(own: &Trial, result: &ResultDocument, behind: Option<String>) -> Decided {
    let worst = |verdict: Verdict| result.checks.iter().find(|check| check.verdict == verdict);
    let failed = most_failed(own, result).unwrap_or_default();
    let told = |check: &Check| format!("{}: {}{failed}", check.id, check.reason);
    let missed: Vec<&Check> = result
        .checks
        .iter()
        .filter(|check| is_missed(own.purpose, check))
        .collect();
    if let Some(first) = missed.first() {
        return (
            Outcome::Missed,
            Some(limit(own, behind.is_some(), &missed)),
            told(first),
        );
    }
    if let Some((check, limit)) = untrusted(result) {
        return (Outcome::Untrusted, Some(limit), told(check));
    }
    if let Some(early) = &result.run.ended_early {
        return (Outcome::TooLittle, None, early.clone());
    }
    // Objectives need not be about answers.
    if own.failed == Some(1.0) {
        let reason = format!("nothing ended ok{failed}");
        return (Outcome::Missed, Some(Limit::Errors), reason);
    }
    if let Some(reason) = behind {
        return (Outcome::Missed, Some(Limit::Queue), reason);
    }
    match worst(Verdict::Inconclusive).filter(|_| own.purpose == Purpose::Trial) {
        Some(check) => (Outcome::TooLittle, None, told(check)),
        None => (Outcome::Met, None, String::new()),
    }
}

/// The check that cannot be trusted, and what is to blame: a probe that was silent, or else firedrill itself.
fn untrusted(result: &ResultDocument) -> Option<(&Check, Limit)> {
    let invalid = || {
        result
            .checks
            .iter()
            .filter(|own| own.verdict == Verdict::Invalid)
    };
    let silent = |own: &&Check| own.method == Method::Sample;
    let ours = if result.generator.distrust.is_empty() {
        invalid().find(|own| !silent(own))
    } else {
        invalid().next()
    };
    let of_probe = || Some((invalid().find(silent)?, Limit::Metric));
    ours.map(|own| (own, Limit::Generator)).or_else(of_probe)
}

/// How operations failed, where that is worth a word: a check says how many, and not as what.
fn most_failed(own: &Trial, result: &ResultDocument) -> Option<String> {
    let part = own.failed.filter(|part| *part >= TELLS)?;
    let failed = result.load.outcomes.iter();
    let failed = failed.filter(|(name, _)| **name != Ended::Ok.to_string());
    let (name, _) = failed.max_by_key(|(_, count)| **count)?;
    Some(format!("; {} failed, mostly {name}", share(part)))
}

/// A check between trials holds too few operations for proof: there the share itself decides.
fn is_missed(purpose: Purpose, check: &Check) -> bool {
    let beyond = |check: &Check| {
        let share = check.share.as_ref();
        share.is_some_and(|own| own.bad as f64 > own.limit * own.of as f64)
    };
    match (purpose, check.verdict) {
        (_, Verdict::Fail) => true,
        (Purpose::Check, Verdict::Inconclusive) => beyond(check),
        (_, Verdict::Pass | Verdict::Inconclusive | Verdict::Invalid) => false,
    }
}

/// The first cause: what could not be sent for the backlog is late and failed as well, and so on.
fn limit(own: &Trial, behind: bool, failed: &[&Check]) -> Limit {
    let any = |is: fn(&Check) -> bool| failed.iter().any(|check| is(check));
    if own.over_in_flight_limit > 0 {
        return Limit::Queue;
    }
    if any(|check| check.method != Method::Sample && check.unit == Unit::Share) {
        return Limit::Errors;
    }
    if behind {
        return Limit::Queue;
    }
    // What fails is beyond every limit of latency: where it is more than the quantile leaves, nothing has to be slow.
    let slow = |check: &&&Check| check.unit == Unit::Ns;
    let leaves = |check: &&Check| check.share.as_ref().map(|share| share.limit);
    if let Some(check) = failed.iter().find(slow) {
        let by_failures = own.failed > leaves(check);
        return if by_failures {
            Limit::Errors
        } else {
            Limit::Latency
        };
    }
    Limit::Metric
}

/// Why the queue of an open load grows; `None` when it does not.
fn falls_behind(own: &Trial, recording: &Recording, result: &ResultDocument) -> Option<String> {
    let asked = own.asked_per_second?;
    let measured = result.phases.iter().find(|phase| phase.measured)?;
    let responses = recording
        .latency
        .sum(|tag| tag.measure == Measure::Response);
    let took = responses.iter_recorded();
    let seen = Seen {
        asked_per_second: asked,
        under_way: recording.sampled(series::IN_FLIGHT),
        since: recording.zero()?,
        ran: measured.start?..measured.end?,
        took: took
            .map(|one| (one.value_iterated_to(), one.count_since_last_iteration()))
            .collect(),
    };
    let growth = seen.falls_behind()?;
    Some(format!(
        "the queue grew by {}, which is {} of what was asked for: {} operations were under way, and then {}",
        rate(growth.per_second),
        share(growth.per_second / asked),
        count(growth.from as u64),
        count(growth.to as u64)
    ))
}
