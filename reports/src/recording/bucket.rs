//! Exact counts by due time, and the line that holds them.

use std::collections::BTreeMap;
use std::time::Duration;

use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::NotSent;

/// What the end of the run leaves without an answer.
pub const ENDED: Outcome = Outcome::NotSent(NotSent::Shutdown);

/// A line of `buckets.csv`: the operations of one series that were *due* in one bucket and in one phase.
///
/// The head line is
/// `bucket,phase,series,due,ok,failed,not_sent,outcomes,ours,ours_failed` and then, for each latency limit of the plan
/// in nanoseconds, `over_<ns>` and `ours_over_<ns>`. `due` is the sum of `ok`, `failed` and `not_sent`.
/// `outcomes` is `class=count` joined by `;` in the order of [`Outcome`], for example `ok=997;timeout.result=3`.
/// A bucket that crosses the border of two phases has a line for each. Lines are ordered by bucket, phase, series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bucket {
    /// Counts from the start of the timeline: due time / width.
    pub bucket: u64,
    pub phase: String,
    pub series: String,
    /// The sum of all outcomes.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Operations that say nothing of the target, of all outcomes: we dispatched them late (above the lateness limit), or
    /// were held while they were under way, for as long as explains all limits that they did not meet, or for the most of
    /// the time after which they were given up.
    pub ours: u64,
    /// Those of them that did not end ok.
    pub ours_failed: u64,
    /// Parallel to `Plan::latency_limits`: operations that ended ok with a response time at or above the limit.
    pub over: Vec<u64>,
    /// Those of them that we dispatched late, or that would have met the limit had we not been held.
    pub ours_over: Vec<u64>,
}

/// Columns before those of the latency limits.
const FIXED: [&str; 10] = [
    "bucket",
    "phase",
    "series",
    "due",
    "ok",
    "failed",
    "not_sent",
    "outcomes",
    "ours",
    "ours_failed",
];

impl Bucket {
    /// The head line's fields. `limits` is `Plan::latency_limits`.
    pub fn header(limits: &[Duration]) -> Vec<String> {
        let mut fields: Vec<String> = FIXED.iter().map(|name| (*name).to_owned()).collect();
        for limit in limits {
            fields.push(format!("over_{}", limit.as_nanos()));
            fields.push(format!("ours_over_{}", limit.as_nanos()));
        }
        fields
    }

    /// The line's fields, unquoted. `limits` is how many latency limits the plan has.
    pub fn row(&self, limits: usize) -> Vec<String> {
        let outcomes: Vec<String> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| format!("{outcome}={count}"))
            .collect();
        let mut fields = vec![
            self.bucket.to_string(),
            self.phase.clone(),
            self.series.clone(),
            self.due().to_string(),
            self.ok().to_string(),
            self.failed().to_string(),
            self.not_sent().to_string(),
            outcomes.join(";"),
            self.ours.to_string(),
            self.ours_failed.to_string(),
        ];
        for limit in 0..limits {
            for counts in [&self.over, &self.ours_over] {
                fields.push(counts.get(limit).copied().unwrap_or(0).to_string());
            }
        }
        fields
    }

    /// The inverse of [`Bucket::row`]. The error says in words what does not fit.
    pub fn parse(fields: &[&str], limits: usize) -> Result<Bucket, String> {
        let [
            bucket,
            phase,
            series,
            due,
            ok,
            failed,
            not_sent,
            outcomes,
            ours,
            ours_failed,
            over @ ..,
        ] = fields
        else {
            return Err(format!(
                "{} fields where at least {} belong",
                fields.len(),
                FIXED.len()
            ));
        };
        if over.len() != 2 * limits {
            let wanted = FIXED.len() + 2 * limits;
            return Err(format!("{} fields where {wanted} belong", fields.len()));
        }
        let over: Vec<u64> = over
            .iter()
            .map(|text| count(text))
            .collect::<Result<_, _>>()?;
        let parsed = Bucket {
            bucket: count(bucket)?,
            phase: (*phase).to_owned(),
            series: (*series).to_owned(),
            outcomes: parse_outcomes(outcomes)?,
            ours: count(ours)?,
            ours_failed: count(ours_failed)?,
            over: over.iter().step_by(2).copied().collect(),
            ours_over: over.iter().skip(1).step_by(2).copied().collect(),
        };
        let sums = [
            parsed.due(),
            parsed.ok(),
            parsed.failed(),
            parsed.not_sent(),
        ];
        let stated = [count(due)?, count(ok)?, count(failed)?, count(not_sent)?];
        if sums != stated {
            return Err(format!(
                "due, ok, failed, not_sent are {stated:?}, and the outcomes add up to {sums:?}"
            ));
        }
        parsed.consistent()
    }

    /// Parts may not exceed what they are part of.
    fn consistent(self) -> Result<Bucket, String> {
        let parts_fit = self.ours <= self.due()
            && self.ours_failed <= self.ours
            && self.over.iter().all(|over| *over <= self.ok())
            && self
                .ours_over
                .iter()
                .zip(&self.over)
                .all(|(ours, over)| ours <= over);
        if parts_fit {
            Ok(self)
        } else {
            Err("a part is larger than its whole".to_owned())
        }
    }

    pub fn due(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Those that the target had its time to answer. What was due when the run was ended early says nothing of the target:
    /// it was not sent, or not answered yet.
    pub fn asked(&self) -> u64 {
        self.due() - self.outcomes.get(&ENDED).copied().unwrap_or(0)
    }

    pub fn ok(&self) -> u64 {
        self.outcomes.get(&Outcome::Ok).copied().unwrap_or(0)
    }

    pub fn not_sent(&self) -> u64 {
        self.sum(Outcome::is_not_sent)
    }

    /// Sent, and ended in anything but ok.
    pub fn failed(&self) -> u64 {
        self.sum(|outcome| !outcome.is_ok() && !outcome.is_not_sent())
    }

    fn sum(&self, which: impl Fn(Outcome) -> bool) -> u64 {
        let counted = self.outcomes.iter().filter(|(outcome, _)| which(**outcome));
        counted.map(|(_, count)| count).sum()
    }
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no count"))
}

fn parse_outcomes(text: &str) -> Result<BTreeMap<Outcome, u64>, String> {
    let mut outcomes = BTreeMap::new();
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (name, number) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not `outcome=count`"))?;
        let outcome: Outcome = name
            .parse()
            .map_err(|_| format!("`{name}` is no outcome"))?;
        if outcomes.insert(outcome, count(number)?).is_some() {
            return Err(format!("`{name}` stands twice"));
        }
    }
    Ok(outcomes)
}
