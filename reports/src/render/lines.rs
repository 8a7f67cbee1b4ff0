//! One line a check, for the terminal.

use crate::numbers;
use crate::recording::{Calibration, Mode};
use crate::result::{Amount, Check, LimitSource, Method, Relation, ResultDocument, Unit};

/// The lines of all checks, columns aligned:
/// `check latency-p99   pass   3.1 ms  < 100 ms   (n 4,012, method point)`. The verdict's own line is not among them.
pub fn lines(result: &ResultDocument) -> String {
    let width = |column: fn(&Check) -> String| {
        result
            .checks
            .iter()
            .map(|check| column(check).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (ids, values, targets) = (
        width(|check| check.id.clone()),
        width(measured),
        width(target),
    );
    let rehearsal = result.run.mode == Mode::Rehearsal;
    let mut text = String::new();
    for check in &result.checks {
        let line = format!(
            "check {:ids$}   {:12}   {:>values$}  {:targets$}   {}",
            check.id,
            check.verdict,
            measured(check),
            target(check),
            remark(check, rehearsal)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What a reader should see beside the checks, a line each: what became of the load, and what was found.
pub fn notes(result: &ResultDocument) -> Vec<String> {
    let flow = result.load.flow.as_ref();
    let flow = flow.map(|flow| format!("load: {}", super::flow::words(flow)));
    let findings = result.findings.iter();
    let findings =
        findings.map(|own| format!("finding: {}: {}; {}", own.title(), own.evidence, own.remedy));
    flow.into_iter().chain(findings).collect()
}

/// `this machine: 150,000 operations/s a core, floor p99 110 us`.
pub fn machine(calibration: Calibration) -> String {
    format!(
        "this machine: {} operations/s a core, floor p99 {}",
        numbers::count(two_digits(calibration.operations_per_second)),
        numbers::duration(two_digits(calibration.floor_p99))
    )
}

/// More would claim more than a third of a second can know.
fn two_digits(number: u64) -> u64 {
    let scale = 10_u64.pow(number.max(1).ilog10().saturating_sub(1));
    (number + scale / 2) / scale * scale
}

/// How much evidence there was, and why it was not enough where it was not.
fn remark(check: &Check, rehearsal: bool) -> String {
    let method = match check.method {
        Method::Block => ", method block",
        Method::Point => ", method point",
        Method::Count | Method::Sample | Method::Window | Method::Ledger => "",
    };
    let of_procedure = check.source == Some(LimitSource::Procedure);
    let rehearsed = if rehearsal && of_procedure {
        ", rehearsed"
    } else {
        ""
    };
    let evidence = format!("n {}{method}{rehearsed}", numbers::count(check.samples));
    match check.verdict {
        firedrill_evidence::Verdict::Pass => format!("({evidence})"),
        _ if check.samples == 0 => format!("({})", check.reason),
        _ => format!("({evidence}; {})", check.reason),
    }
}

/// What was measured, or at least how much where it lies among misses.
pub fn measured(check: &Check) -> String {
    match (check.measured, check.at_least) {
        (Some(amount), _) => self::amount(amount, check.unit),
        (None, Some(least)) => format!(">= {}", numbers::duration(least)),
        (None, None) => "-".to_owned(),
    }
}

/// The target with its relation: `< 100 ms`.
pub fn target(check: &Check) -> String {
    let Some(target) = check.target else {
        return String::new();
    };
    let relation = match check.relation {
        Relation::Below => "<",
        Relation::AtMost => "<=",
        Relation::AtLeast => ">=",
    };
    format!("{relation} {}", amount(target, check.unit))
}

/// The bounds: `[37 ms, 52 ms]`. A bound may lie among the misses.
pub fn bounds(check: &Check) -> String {
    let bound = |bound: Option<Amount>, open: &str| {
        bound.map_or(open.to_owned(), |bound| amount(bound, check.unit))
    };
    match (check.lower, check.upper) {
        (None, None) if check.share.is_some_and(|found| found.bad > 0) => "a miss".to_owned(),
        (None, None) => String::new(),
        (lower, upper) => format!("[{}, {}]", bound(lower, "-"), bound(upper, "a miss")),
    }
}

pub fn amount(amount: Amount, unit: Unit) -> String {
    match (unit, amount) {
        (Unit::Ns, Amount::Whole(ns)) => numbers::span(ns),
        (Unit::Ns, Amount::Real(ns)) => numbers::duration(ns.max(0.0) as u64),
        (Unit::Share, amount) => numbers::share(amount.value()),
        (Unit::PerSecond, amount) => numbers::rate(amount.value()),
        (Unit::Number, amount) => numbers::significant(amount.value(), 4),
    }
}
