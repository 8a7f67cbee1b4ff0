//! The numbers of all drills together. Names carry their drill, instants count from the programme's start, and of the
//! data the worst is kept.

use std::collections::BTreeMap;

use firedrill_evidence::{Quantiles, Verdict};
use hdrhistogram::Histogram;

use super::Shown;
use crate::findings::Finding;
use crate::judge::view::View;
use crate::judge::{blank, sums};
use crate::recording::{Measure, SessionTotals, empty_histogram};
use crate::result::{
    Check, Data, Drive, Fault, Flow, Generator, Latency, Load, Phase, ResultDocument, Span,
};

fn placed(shown: Shown<'_>, name: &str) -> String {
    format!("{}/{name}", shown.drill.name)
}

fn results<'a>(shown: &'a [Shown<'a>]) -> impl Iterator<Item = (Shown<'a>, &'a ResultDocument)> {
    shown
        .iter()
        .filter_map(|shown| Some((*shown, shown.result?)))
}

/// The drill's checks; that it ran is one when it did not.
pub fn checks(shown: Shown<'_>) -> Vec<Check> {
    let Some(result) = shown.result else {
        let (verdict, reason) = shown.drill.found.missing();
        let about = "the drill is run".to_owned();
        return vec![Check {
            verdict,
            reason,
            ..blank(placed(shown, "run"), about)
        }];
    };
    let own = result.checks.iter().map(|check| Check {
        id: placed(shown, &check.id),
        phase: check.phase.as_ref().map(|phase| placed(shown, phase)),
        fault: check.fault.as_ref().map(|fault| placed(shown, fault)),
        window: check.window.map(|window| Span {
            start: window.start + shown.drill.offset,
            end: window.end + shown.drill.offset,
        }),
        ..check.clone()
    });
    let mut checks: Vec<Check> = own.collect();
    // A drill without an objective proves nothing, whatever else it passes.
    if result.verdict != Verdict::worst(checks.iter().map(|check| check.verdict)) {
        checks.push(Check {
            verdict: result.verdict,
            reason: "the scenario has no objective".to_owned(),
            ..blank(
                placed(shown, "objectives"),
                "the drill as a whole".to_owned(),
            )
        });
    }
    checks
}

pub fn load(shown: &[Shown<'_>]) -> Load {
    let all: Vec<&ResultDocument> = results(shown).map(|(_, result)| result).collect();
    let sum = |of: fn(&Load) -> u64| all.iter().map(|result| of(&result.load)).sum();
    let mut outcomes = BTreeMap::from([("ok".to_owned(), 0)]);
    for (outcome, count) in all.iter().flat_map(|result| &result.load.outcomes) {
        *outcomes.entry(outcome.clone()).or_default() += count;
    }
    let drives = all.iter().map(|result| result.load.drive);
    let drive = drives.reduce(|one, other| if one == other { one } else { Drive::Mixed });
    Load {
        intended: sum(|load| load.intended),
        sent: sum(|load| load.sent),
        completed: sum(|load| load.completed),
        not_sent: sum(|load| load.not_sent),
        outcomes,
        asked_per_second: rate(&all, |load| load.asked_per_second),
        sent_per_second: rate(&all, |load| load.sent_per_second),
        completed_per_second: rate(&all, |load| load.completed_per_second),
        drive: drive.unwrap_or(Drive::Open),
        flow: all
            .iter()
            .filter_map(|result| result.load.flow)
            .reduce(Flow::and),
    }
}

/// What was found in each drill.
pub fn findings(shown: &[Shown<'_>]) -> Vec<Finding> {
    let found = results(shown).flat_map(|(shown, result)| {
        let own = result.findings.iter();
        own.map(move |finding| Finding {
            evidence: format!("{}: {}", shown.drill.name, finding.evidence),
            ..finding.clone()
        })
    });
    found.collect()
}

/// Each drill's rate counts for as long as its measured phases ran.
fn rate(all: &[&ResultDocument], of: fn(&Load) -> Option<f64>) -> Option<f64> {
    let (mut count, mut seconds) = (0.0, 0.0);
    for result in all {
        let measured = result.phases.iter().filter(|phase| phase.measured);
        let ran = measured.filter_map(|phase| Some((phase.end? - phase.start?) as f64 / 1e9));
        let ran: f64 = ran.sum();
        if let Some(rate) = of(&result.load) {
            count += rate * ran;
            seconds += ran;
        }
    }
    (seconds > 0.0).then(|| (count / seconds * 1000.0).round() / 1000.0)
}

pub fn latency(shown: &[Shown<'_>], views: &[View<'_>]) -> BTreeMap<String, Latency> {
    let mut times: Histogram<u64> = empty_histogram();
    let mut misses = 0;
    for (own, missed) in views.iter().map(sums::scheduled) {
        // Both have the bounds of a recording, so that adding cannot fail.
        let _ = times.add(own);
        misses += missed;
    }
    let all = Latency {
        response: Some(Quantiles::of(&times, misses)),
        ..Latency::default()
    };
    let mut latency = BTreeMap::from([("all".to_owned(), all)]);
    for (shown, result) in results(shown) {
        let own = result.latency.iter();
        latency.extend(own.map(|(name, times)| (placed(shown, name), times.clone())));
    }
    latency
}

pub fn generator(shown: &[Shown<'_>], views: &[View<'_>]) -> Generator {
    let all: Vec<(Shown<'_>, &ResultDocument)> = results(shown).collect();
    let of = |measure| {
        let mut times: Histogram<u64> = empty_histogram();
        for view in views {
            let _ = times.add(sums::of_timeline(view, measure));
        }
        Quantiles::of(&times, 0)
    };
    let operations: u64 = all.iter().map(|(_, result)| result.load.intended).sum();
    let cpu = all.iter().map(|(_, result)| {
        Some(result.generator.cpu_us_per_operation? * result.load.intended as f64)
    });
    let cpu = cpu.sum::<Option<f64>>().filter(|_| operations > 0);
    let most = |of: fn(&Generator) -> Option<u64>| {
        all.iter()
            .filter_map(|(_, result)| of(&result.generator))
            .max()
    };
    let limits = all
        .iter()
        .map(|(_, result)| result.generator.lateness_limit);
    let distrust = all.iter().flat_map(|(shown, result)| {
        let reasons = result.generator.distrust.iter();
        reasons.map(|reason| format!("{}: {reason}", shown.drill.name))
    });
    Generator {
        lateness: of(Measure::Lateness),
        waiting: of(Measure::Waiting),
        cpu_us_per_operation: cpu.map(|cpu| (cpu / operations as f64 * 1000.0).round() / 1000.0),
        rss_max_bytes: most(|own| own.rss_max_bytes),
        connections_max: most(|own| own.connections_max),
        lateness_limit: limits.min().unwrap_or(0),
        calibration: all
            .iter()
            .filter_map(|(_, result)| result.generator.calibration)
            .min_by_key(|own| own.operations_per_second),
        headroom: all
            .iter()
            .filter_map(|(_, result)| result.generator.headroom)
            .min_by(f64::total_cmp),
        distrust: distrust.collect(),
    }
}

pub fn phases(shown: &[Shown<'_>]) -> Vec<Phase> {
    let all = results(shown).flat_map(|(shown, result)| {
        let later = move |at: u64| at + shown.drill.offset;
        result.phases.iter().map(move |phase| Phase {
            name: placed(shown, &phase.name),
            start: phase.start.map(later),
            end: phase.end.map(later),
            ..phase.clone()
        })
    });
    all.collect()
}

pub fn faults(shown: &[Shown<'_>]) -> Vec<Fault> {
    let all = results(shown).flat_map(|(shown, result)| {
        let later = move |at: u64| at + shown.drill.offset;
        result.faults.iter().map(move |fault| Fault {
            id: placed(shown, &fault.id),
            injected: fault.injected.map(later),
            healed: fault.healed.map(later),
            marks: fault
                .marks
                .iter()
                .map(|(mark, at)| (mark.clone(), later(*at)))
                .collect(),
            ..fault.clone()
        })
    });
    all.collect()
}

/// The worst of each counter, whichever drill had it.
pub fn data(shown: &[Shown<'_>]) -> Option<Data> {
    let all = results(shown).filter_map(|(_, result)| result.data.clone());
    all.reduce(|one, other| Data {
        attempted: one.attempted.max(other.attempted),
        acknowledged: one.acknowledged.max(other.acknowledged),
        lost: one.lost.max(other.lost),
        recovered: one.recovered.max(other.recovered),
        unexpected: one.unexpected.max(other.unexpected),
        duplicated: one.duplicated.max(other.duplicated),
        stale: one.stale.max(other.stale),
        reordered: one.reordered.max(other.reordered),
        indeterminate: one.indeterminate.max(other.indeterminate),
        unread: one.unread.max(other.unread),
        behind: one.behind.max(other.behind),
        holes: one.holes.max(other.holes),
        split_brain: one.split_brain.max(other.split_brain),
        lost_after_stop: one.lost_after_stop.max(other.lost_after_stop),
        corrupt: one.corrupt.max(other.corrupt),
        unbalanced: one.unbalanced.max(other.unbalanced),
        foreign: one.foreign.max(other.foreign),
        rpo: one.rpo.max(other.rpo),
        rpo_lower: one.rpo_lower.max(other.rpo_lower),
    })
}

pub fn sessions(shown: &[Shown<'_>]) -> Option<SessionTotals> {
    let all = results(shown).filter_map(|(_, result)| result.sessions.clone());
    all.reduce(|one, other| SessionTotals {
        opened: one.opened + other.opened,
        open_failed: one.open_failed + other.open_failed,
        lost: one.lost + other.lost,
        reopened: one.reopened + other.reopened,
        deleted: one.deleted + other.deleted,
        dropped: one.dropped + other.dropped,
        leaked: one.leaked + other.leaked,
    })
}

pub fn warnings(shown: &[Shown<'_>]) -> Vec<String> {
    let all = results(shown).flat_map(|(shown, result)| {
        let warnings = result.warnings.iter();
        warnings.map(move |warning| format!("{}: {warning}", shown.drill.name))
    });
    all.collect()
}
