//! JUnit XML: one test case a check, in one suite named after the scenario.

use std::collections::BTreeMap;

use firedrill_evidence::Verdict;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::lines::{bounds, measured, target};
use crate::result::{Check, ResultDocument};

/// `junit.xml`. A failed check is a failure; one that is inconclusive or invalid is an error, since it is no pass
/// and says nothing about the target.
pub fn junit(result: &ResultDocument) -> Vec<u8> {
    let mut suite = TestSuite::new(&result.run.scenario);
    for (name, value) in properties(result) {
        suite.add_property(Property::new(name, value));
    }
    if result.checks.is_empty() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type("inconclusive")
            .set_message("the scenario has no objective");
        suite.add_test_case(TestCase::new("objectives", status));
    }
    for check in &result.checks {
        suite.add_test_case(case(result, check));
    }
    let mut report = Report::new("firedrill");
    report.add_test_suite(suite);
    // Writing to memory cannot fail, and the text is made of strings.
    let mut text = report.to_string().unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.into_bytes()
}

fn properties(result: &ResultDocument) -> BTreeMap<&'static str, String> {
    // A scenario's and a target's text may hold characters that XML has no form for; the library leaves those out.
    BTreeMap::from([
        ("command", result.run.command.clone()),
        ("firedrill_version", result.run.firedrill_version.clone()),
        ("mode", super::mode(result.run.mode).to_owned()),
        ("run", result.run.id.clone()),
        ("seed", result.run.seed.to_string()),
        ("target", result.run.target.clone()),
        ("verdict", result.verdict.to_string()),
    ])
}

fn case(result: &ResultDocument, check: &Check) -> TestCase {
    let status = match check.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive | Verdict::Invalid => {
            TestCaseStatus::non_success(NonSuccessKind::Error)
        }
    };
    let mut case = TestCase::new(&check.id, status);
    case.set_classname(format!("firedrill.{}", result.run.scenario));
    if check.verdict != Verdict::Pass {
        let asked = Some(target(check)).filter(|target| !target.is_empty());
        let message = match asked {
            Some(asked) => format!("{}: {}, and {asked} is asked", check.about, measured(check)),
            None => check.about.clone(),
        };
        case.status.set_type(check.verdict.to_string());
        case.status.set_message(message);
        case.status.set_description(&check.reason);
    }
    for (name, value) in [
        ("measured", measured(check)),
        ("target", target(check)),
        ("bounds", bounds(check)),
        ("samples", check.samples.to_string()),
        ("reason", check.reason.clone()),
    ] {
        case.add_property(Property::new(name, value));
    }
    case
}
