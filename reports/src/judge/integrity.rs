//! Whether the recording is whole, and its files agree with each other.

use firedrill_evidence::Verdict;

use super::view::View;
use super::{blank, words};
use crate::recording::{Event, Group, Measure};
use crate::result::Check;

/// The check `recording`; there is one only when something is wrong, and then nothing else can pass.
pub fn check(view: &View<'_>) -> Option<Check> {
    let mut problems = Vec::new();
    let ended = view
        .recording
        .events
        .iter()
        .any(|timed| matches!(timed.event, Event::Ended { .. }));
    if !ended {
        problems.push(words::NO_END.to_owned());
    } else if !view.recording.sealed {
        problems.push(words::NO_MANIFEST.to_owned());
    } else {
        problems.extend(disagreements(view));
    }
    let about = "the recording is whole, and its files agree".to_owned();
    (!problems.is_empty()).then(|| Check {
        verdict: Verdict::Invalid,
        reason: problems.join("; "),
        ..blank("recording".to_owned(), about)
    })
}

/// Issued = sum of outcomes, in both files that count them: each operation has one line of a bucket and one time.
fn disagreements(view: &View<'_>) -> Vec<String> {
    let mut problems = Vec::new();
    for (phase, ran) in view.phases.iter().enumerate() {
        for series in &view.series {
            let names = [series.name.as_str()].into();
            let (mut ok, mut failed, mut not_sent) = (0, 0, 0);
            for line in view.lines(phase, &names) {
                ok += line.ok();
                failed += line.failed();
                not_sent += line.not_sent();
            }
            let timed = |group| view.times(phase, &names, group, Measure::Response).len();
            let (timed_ok, timed_failed) = (timed(Group::Ok), timed(Group::Failed));
            // What was never sent may have a time (until it was given up), or none.
            let agree = timed_ok == ok && (failed..=failed + not_sent).contains(&timed_failed);
            if !agree {
                problems.push(words::disagreement(
                    &ran.name,
                    &series.name,
                    [ok, failed + not_sent],
                    [timed_ok, timed_failed],
                ));
            }
        }
    }
    problems
}
