//! What is judged of a drill, and why, in words that stand alone.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_evidence::Distrust;
use firedrill_evidence::recovery::Recovery;
use firedrill_scenarios::plan::{Action, DataCounter, Phase, Refusal, Until};

use super::faults::{Broken, Nature};
use crate::judge::view::nanoseconds;
use crate::judge::words::distrusted;
use crate::numbers::{count, duration, span};
use crate::recording::{Answered, Data, RecoveryPoint};

pub const REHEARSED: &str = "; rehearsed on a stand-in, which shows that the procedure works and nothing about a deployment";
pub const SIMULATED: &str = "; simulated, which shows nothing about a deployment";
pub const NEVER_HEALED: &str = "that it was undone was never seen";
pub const NOT_LOOKED_FOR: &str = "nobody looked";
pub const NO_FAULT: &str = "the plan has no fault";
pub const NO_OPEN_LOAD: &str =
    "no load is open: a closed load asks less of a target that is down, and shows no outage";
pub const NO_READ_BACK: &str = "nothing was read back after the fault";
pub const NO_ACKNOWLEDGEMENT: &str = "no write was acknowledged before the fault";

pub const ABOUT_STEADY: &str = "the target is steady before the first fault";
pub const ABOUT_ENDED: &str = "nothing ended the run before its time";
pub const ABOUT_FAULTS: &str = "every fault was injected, and seen in force from outside";
pub const ABOUT_STEPS: &str = "every recovery step was done";
pub const ABOUT_WAITS: &str = "every phase that waits has what it waits for within its time";
pub const ABOUT_LOSSES: &str = "no write is gone of which no objective speaks";
pub const ABOUT_SABOTAGE: &str = "a run that misbehaves on purpose fails a check";
pub const ABOUT_BACKUPS: &str = "the newest backups, at the site and off it, are there and sound";
pub const ABOUT_LEFTOVERS: &str = "faults that were not undone, or not seen to be undone";

// ---- what is judged ----

pub fn about_rto(actions: &[Action], which: Option<usize>) -> String {
    let of = named(actions, which, "the slowest of all faults");
    format!("time from the fault until service is back (RTO): {of}")
}

pub fn about_rpo(actions: &[Action], which: Option<usize>) -> String {
    let of = named(actions, which, "the worst of all faults");
    format!("acknowledged work that is gone, as time (RPO): {of}")
}

fn named(actions: &[Action], which: Option<usize>, all: &str) -> String {
    let action = which.and_then(|which| actions.get(which));
    action.map_or(all.to_owned(), |action| action.id.clone())
}

pub fn about_counter(counter: DataCounter) -> &'static str {
    match counter {
        DataCounter::Lost => "acknowledged writes that are gone",
        DataCounter::Unexpected => "records that nobody wrote, or that were refused",
        DataCounter::Duplicated => "writes that are stored more than once",
        DataCounter::Stale => "acknowledged writes that only a later read saw",
        DataCounter::Reordered => "writes that stand before one acknowledged before they were sent",
        DataCounter::Holes => "lost writes that are older than a surviving one",
        DataCounter::SplitBrain => "writes acknowledged by a site that had been replaced",
        DataCounter::LostAfterStop => {
            "lost writes that were acknowledged after everything was stopped"
        }
        DataCounter::Corrupt => "records with another value than was written",
        DataCounter::Unread => "acknowledged writes that could not be read back",
        DataCounter::Behind => {
            "acknowledged writes that a site which serves nobody lacks when it is read"
        }
        DataCounter::Unbalanced => {
            "difference between the sums of what is stored and of what was written"
        }
    }
}

pub fn unnoticed(name: &str, shown: &str) -> String {
    format!(
        "the run misbehaved on purpose ({name}: {shown}), and every other check passed: its objectives are too wide to \
         notice it"
    )
}

/// `site-failure on primary`; some things are done to nothing that has a name.
fn at(id: &str, on: &str) -> String {
    match on.is_empty() {
        true => id.to_owned(),
        false => format!("{id} on {on}"),
    }
}

fn placed(fault: &Broken) -> String {
    at(&fault.id, &fault.on)
}

// ---- recovery ----

pub fn never_begun(id: &str) -> String {
    format!("{id} was never begun")
}

/// Said once for a whole run: there are a dozen checks of what was read back.
pub const TOLD_BY_FAULTS: &str = "the check `faults` says why";

pub fn not_seen(fault: &Broken, why: &str) -> String {
    match fault.nature {
        Nature::FailBack => format!("{} was not done: {why}", placed(fault)),
        Nature::Service | Nature::Data => format!(
            "the effect of {} was not seen from outside: {why}",
            placed(fault)
        ),
    }
}

/// Nobody but the injector told of it.
pub fn not_looked_for(fault: &Broken) -> String {
    match (fault.nature, fault.injected) {
        (Nature::FailBack, Some(_)) => format!(
            "{} was done, and no client was seen to be led back by it: the site may have served already",
            placed(fault)
        ),
        (Nature::FailBack, None) => format!("{} was not seen to come to its end", placed(fault)),
        (Nature::Service | Nature::Data, _) => not_seen(fault, NOT_LOOKED_FOR),
    }
}

pub fn not_read_back(fault: &Broken) -> String {
    format!(
        "nothing was read back after {}, so that its data may still be damaged",
        fault.id
    )
}

pub fn verified_too_late(fault: &Broken) -> String {
    format!(
        "the data was verified after {}, when too little load was left before the end, or before the failback, to show \
         that service was back: read back earlier, or add a phase",
        fault.id
    )
}

pub fn unjudged(reason: &str, window: Duration) -> String {
    format!(
        "{reason}; no window of {} after that held enough operations to tell: raise the rate of the load, or lengthen \
         `recovery.window`",
        span(nanoseconds(window))
    )
}

pub fn rto(fault: &Broken, recovery: &Recovery, limit: u64) -> String {
    let about = placed(fault);
    let asked = format!("less than {} is asked", span(limit));
    let seen = match (recovery.rto, recovery.rto_at_least) {
        (Some(rto), _) if recovery.unnoticed && rto <= recovery.resolution => {
            format!("no client noticed {about}: at most {}", duration(rto))
        }
        (Some(rto), _) if recovery.unnoticed => {
            format!(
                "the data was verified {} after {about}, and no client noticed more",
                duration(rto)
            )
        }
        (Some(rto), _) => format!(
            "service was back {} after {about} (\u{b1} {})",
            duration(rto),
            duration(recovery.resolution)
        ),
        (None, Some(least)) => format!(
            "service was not back {} after {about}, when it was last looked at",
            duration(least)
        ),
        (None, None) => {
            return format!(
                "too few operations were due after {about} to tell when service was back"
            );
        }
    };
    let outage = recovery.outage.filter(|outage| *outage > 0);
    let outage = outage.map_or(String::new(), |outage| {
        format!("; clients were without it for {}", duration(outage))
    });
    let relapses = match recovery.relapses {
        0 => String::new(),
        1 => "; it was lost again once on the way".to_owned(),
        times => format!("; it was lost again {times} times on the way"),
    };
    format!("{seen}{outage}{relapses}; {asked}")
}

pub fn cut_short(reason: &str) -> String {
    format!("{reason}; the run was ended before it could be back")
}

pub fn untrusted(distrust: &[Distrust], reason: &str) -> String {
    let reasons: Vec<String> = distrust.iter().map(distrusted).collect();
    format!(
        "the measurement from the fault to the recovery cannot be trusted: {}; what was seen: {reason}",
        reasons.join("; ")
    )
}

pub fn ours(reason: &str) -> String {
    format!(
        "fails only with the operations that firedrill itself dispatched late, or that were under way while it did not \
         run: {reason}"
    )
}

// ---- data ----

fn place(data: &Data) -> String {
    format!("in {} of {}", data.read_back, data.site)
}

pub fn rpo(data: &Data, point: &RecoveryPoint) -> String {
    let place = place(data);
    let unread = match data.counts.unread {
        0 => String::new(),
        unread => format!("; {} could not be read back", count(unread)),
    };
    let before = match data.counts.lost_before {
        0 => String::new(),
        before => format!("; {} had been lost before the fault", count(before)),
    };
    let lost = data.counts.taken();
    if lost == 0 {
        return format!(
            "none of {} acknowledged writes is lost {place}; the last one before the stop was {} old, so that no shorter loss could be seen{before}{unread}",
            count(data.counts.acknowledged),
            duration(point.rpo)
        );
    }
    let reach = match point.recovered_to {
        Some(_) => format!(
            "everything up to {} before the stop is there",
            duration(point.rpo)
        ),
        None => format!(
            "nothing that was acknowledged before the stop is there, so that it is more than {}",
            duration(point.rpo)
        ),
    };
    let oldest = point.rpo_lower.map_or(String::new(), |oldest| {
        format!(
            "; the oldest lost one was acknowledged {} before it",
            duration(oldest)
        )
    });
    format!(
        "{} of {} acknowledged writes are lost {place}; {reach}{oldest}{before}{unread}",
        count(lost),
        count(data.counts.acknowledged)
    )
}

pub fn counted(data: &Data, counter: DataCounter) -> String {
    format!(
        "{} {} among {} acknowledged writes {}",
        count(data.counts.get(counter)),
        counter.as_str().replace('_', " "),
        count(data.counts.acknowledged),
        place(data)
    )
}

pub fn shared(data: &Data, other: &str, reason: &str) -> String {
    let own = data.fault.as_deref().unwrap_or_default();
    format!(
        "between {other} and {own} nothing was read back, so that nobody knows which of the two took what is lost: read \
         back between them; {reason}"
    )
}

pub fn serving_not_read(fault: &Broken) -> String {
    serving_not_read_since(&placed(fault))
}

pub fn serving_not_read_since(what: &str) -> String {
    format!(
        "the site that serves was not read back after {what}: what that took, nobody knows; add {{ read-back: \
         serving }} behind it"
    )
}

pub fn read_back_failed(id: &str, site: &str, reason: &str) -> String {
    format!("{id} of {site} failed: {reason}")
}

pub fn read_back_missing(id: &str) -> String {
    format!("the read-back {id} did not take place")
}

// ---- bounded refusal ----

pub const NO_BYSTANDERS: &str =
    "nobody looked whether other processes of the target ended meanwhile";
pub const ABOUT_SUITE: &str = "patterns that were refused, recovered from and harmed nobody else";

/// `1056 (HTTP 429)`.
pub fn code(refusal: Refusal) -> String {
    format!("{} (HTTP {})", refusal.code(), refusal.status())
}

/// The same, or that nobody could be told who does not listen.
pub fn answered_with(refusal: Refusal, right: &[&Answered]) -> String {
    match right.iter().all(|own| own.status.is_none()) {
        true => format!("{} (its connection was ended)", refusal.code()),
        false => code(refusal),
    }
}

pub fn about_refusal(id: &str, refusal: Refusal) -> String {
    format!(
        "time from the fault until it is refused with {}: {id}",
        code(refusal)
    )
}

pub fn no_answers(id: &str) -> String {
    format!("nothing says how {id} was answered")
}

pub fn could_not_act(id: &str, failures: &BTreeMap<String, u64>) -> String {
    let why: Vec<String> = failures
        .iter()
        .map(|(why, times)| format!("{why} ({times} times)"))
        .collect();
    match why.is_empty() {
        true => format!("{id} did nothing that could have been refused"),
        false => format!("{id} could not act: {}", why.join("; ")),
    }
}

/// What else came than the right refusal; empty when nothing did.
pub fn other_answers(
    answers: &[Answered],
    unanswered: u64,
    is_right: impl Fn(&Answered) -> bool,
) -> String {
    let others = answers.iter().filter(|answer| !is_right(answer));
    let mut all: Vec<String> = others
        .map(|answer| match (answer.status, answer.refusal) {
            (None, _) => format!("{} were hung up on", count(answer.count)),
            (Some(status), None) => {
                format!("{} were answered with HTTP {status}", count(answer.count))
            }
            (Some(status), Some(code)) => {
                format!(
                    "{} were refused with {code} (HTTP {status})",
                    count(answer.count)
                )
            }
        })
        .collect();
    if unanswered > 0 {
        all.push(format!("{} were not answered", count(unanswered)));
    }
    all.join(", ")
}

pub fn not_refused(id: &str, refusal: Refusal, attempts: u64, others: &str) -> String {
    let others = match others.is_empty() {
        true => "nothing was answered",
        false => others,
    };
    format!(
        "{id} was never refused with {} in {} attempts: {others}",
        code(refusal),
        count(attempts)
    )
}

pub fn not_every(id: &str, others: &str) -> String {
    format!("each attempt of {id} has to be refused, and {others}")
}

pub fn no_cascade(watched: u64) -> String {
    format!(
        "none of {} processes ended that had to live on",
        count(watched)
    )
}

pub fn cascade(ended: &[String]) -> String {
    format!("processes ended that had to live on: {}", ended.join(", "))
}

pub fn suite(passed: usize, all: usize, detection: Option<u64>, recovery: Option<u64>) -> String {
    let or_none = |mean: Option<u64>| mean.map_or("never".to_owned(), duration);
    format!(
        "{passed} of {all} patterns pass; on the average the first refusal came after {}, and service was back after {}",
        or_none(detection),
        or_none(recovery)
    )
}

// ---- the run ----

pub fn not_steady(reason: &str) -> String {
    format!("no fault was injected, since the target was not steady before: {reason}")
}

pub fn ran_out(phase: &Phase, until: Until) -> String {
    let waited_for = match until {
        Until::Recovered => "the target had not recovered",
        Until::Done => "what was to be done in it was not done",
    };
    format!(
        "`{}` was over after {}, and {waited_for}",
        phase.name,
        span(nanoseconds(phase.length))
    )
}

pub fn step_failed(id: &str, on: &str, reason: &str) -> String {
    format!("{} failed: {reason}", at(id, on))
}

pub fn step_unfinished(id: &str, on: &str) -> String {
    format!("{} was begun and not finished", at(id, on))
}

pub fn leftover(fault: &Broken, what: &str) -> String {
    format!("{}: {what}", placed(fault))
}

pub fn all_healed(faults: usize) -> String {
    match faults {
        1 => "the fault was undone, and seen to be undone".to_owned(),
        faults => format!("all {faults} faults were undone, and seen to be undone"),
    }
}
