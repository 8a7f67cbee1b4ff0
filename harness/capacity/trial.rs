//! A scenario to the plan of one trial: its own load at one level, steady, held against its own objectives.

use std::time::Duration;

use firedrill_evidence::Limit;
use firedrill_reports::capacity::Form;
use firedrill_reports::numbers;
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{
    Arrivals, Drive, Load, Objective, Over, Phase, Rate, Shape, Spacing, Subject,
};

/// What comes before the measured phase: this part of it, in whole seconds, and no more than that. What is completed is
/// counted by the second, so that phases have to begin and end with one.
const WARM_UP: u32 = 5;
const WARM_UP_MOST: u64 = 5;
/// No trial's measured phase is longer.
pub const LONGEST: Duration = Duration::from_secs(3_600);
/// The measured phase of a check between trials is no longer.
pub const CHECK: Duration = Duration::from_secs(2);
/// A check has a tenth of the load, and no more than that; but enough that something is seen.
const GENTLE: f64 = 10.0;
const GENTLE_MOST: f64 = 1_000.0;
const GENTLE_LEAST: f64 = 10.0;
/// Arrivals may be random: so much more than is needed is asked for.
const TO_SPARE: f64 = 1.2;

/// Why a scenario has no capacity that could be looked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "`{scenario}` has {count} loads, and capacity turns up one: take the others out, or write a scenario with one load"
    )]
    SeveralLoads { scenario: String, count: usize },
    #[error(
        "`{scenario}` breaks and repairs things in its timeline, and trials are short steady loads without faults: name a \
         scenario without them, such as `capacity` or `baseline`"
    )]
    Drill { scenario: String },
    #[error(
        "the phase `{phase}` of `{scenario}` waits for something, and a trial has a fixed length: give it one, without `until`"
    )]
    Waits { scenario: String, phase: String },
    #[error(
        "the load of `{scenario}` follows a trace, which has no rate to turn up: give it one with --set load.rate=100/s"
    )]
    Trace { scenario: String },
    #[error(
        "`{scenario}` has no objective on latency, errors or a metric that a load could miss: add one, such as \
         {{ latency: p99, below: 100ms }}"
    )]
    NoObjective { scenario: String },
    #[error(
        "{level} is too little: a trial of {trial} then holds too few operations for the objective `{objective}`: {remedy}"
    )]
    TooFew {
        level: String,
        trial: String,
        objective: String,
        remedy: String,
    },
}

/// A scenario whose load can be turned up.
pub struct Steady {
    plan: Plan,
    pub form: Form,
    /// What of the scenario plays no part, in words.
    pub left_out: Vec<String>,
}

impl Steady {
    /// # Errors
    /// When the scenario has none, or more than one, or does more than drive it.
    pub fn of(plan: &Plan) -> Result<Steady, Unfit> {
        let scenario = || plan.name.clone();
        let [load] = plan.loads.as_slice() else {
            let count = plan.loads.len();
            return Err(Unfit::SeveralLoads {
                scenario: scenario(),
                count,
            });
        };
        if !plan.drill.actions.is_empty() {
            return Err(Unfit::Drill {
                scenario: scenario(),
            });
        }
        if let Some(phase) = plan.timeline.iter().find(|phase| phase.until.is_some()) {
            let phase = phase.name.clone();
            return Err(Unfit::Waits {
                scenario: scenario(),
                phase,
            });
        }
        let form = match &load.drive {
            Drive::Open(Arrivals::Shaped { .. }) => Form::Open,
            Drive::Open(Arrivals::Trace { .. }) => {
                return Err(Unfit::Trace {
                    scenario: scenario(),
                });
            }
            Drive::Closed { .. } => Form::Closed,
        };
        let objectives = || plan.objectives.iter();
        if !objectives().any(|own| can_be_missed(&own.subject)) {
            return Err(Unfit::NoObjective {
                scenario: scenario(),
            });
        }
        let left_out = objectives().filter(|own| !can_be_missed(&own.subject));
        let left_out = left_out.map(|own| {
            format!(
                "the objective `{}`: a floor for the whole scenario says nothing about a level (see --at-least)",
                own.id
            )
        });
        let timeline = (plan.timeline.len() > 2 || plan.timeline.iter().any(has_arrivals))
            .then(|| "the timeline: a trial is a warm-up and one steady phase".to_owned());
        let left_out = left_out.chain(timeline).collect();
        let mut plan = plan.clone();
        plan.objectives.retain(|own| can_be_missed(&own.subject));
        Ok(Steady {
            plan,
            form,
            left_out,
        })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    fn load(&self) -> &Load {
        // `of` accepts no plan without one.
        &self.plan.loads[0]
    }

    /// The scenario's own: sessions, or the mean rate over its timeline.
    pub fn own_level(&self) -> f64 {
        let length = self.plan.length().as_secs_f64();
        match &self.load().drive {
            Drive::Open(arrivals) => {
                (arrivals.between(0.0, length, length) / length.max(1e-9)).max(1.0)
            }
            Drive::Closed { .. } => f64::from(self.load().sessions.count),
        }
    }

    /// The load of a check, when so much was carried or is to be tried first.
    pub fn gentle(&self, level: f64) -> f64 {
        let gentle = (level / GENTLE).min(GENTLE_MOST);
        match self.form {
            Form::Open => gentle.max(GENTLE_LEAST).min(level),
            Form::Closed => gentle.round().max(1.0),
        }
    }

    /// The lowest rate at which a trial of this length holds enough operations for every objective. Of a closed load
    /// nobody knows before it ran.
    pub fn least(&self, length: Duration) -> f64 {
        self.neediest(length).map_or(1.0, |(least, _)| least)
    }

    /// # Errors
    /// When this level is below that: names the objective that needs the most.
    pub fn holds_enough(&self, level: f64, length: Duration) -> Result<(), Unfit> {
        let (least, own) = match self.neediest(length) {
            Some((least, own)) if level < least => (least, own),
            Some(_) | None => return Ok(()),
        };
        let mut remedy = format!("start with --from {least}/s");
        let longer = (length.as_secs_f64() * least / level).ceil() as u64;
        if longer <= LONGEST.as_secs() {
            remedy.push_str(&format!(", or lengthen trials with --trial {longer}s"));
        }
        Err(Unfit::TooFew {
            level: numbers::rate(level),
            trial: format!("{length:?}"),
            objective: own.id.clone(),
            remedy,
        })
    }

    /// The objective that needs the most operations, and the rate that brings them.
    fn neediest(&self, length: Duration) -> Option<(f64, &Objective)> {
        const ONE: f64 = 1.0;
        let trial = self.at(ONE, length);
        let measured = trial.timeline.len() - 1;
        let rate = |own| {
            let (needed, operation) = needs(own)?;
            let expected = match operation {
                Some(name) => trial.expected_series(name, measured)?,
                None => trial.expected_arrivals(measured)?,
            };
            Some((needed as f64 * TO_SPARE / expected.max(1e-9)).ceil())
        };
        let all = self.plan.objectives.iter();
        let all = all.filter_map(|own| Some((rate(&own.subject)?, own)));
        all.max_by(|(one, _), (other, _)| one.total_cmp(other))
    }

    /// The plan of a trial at this level.
    pub fn at(&self, level: f64, length: Duration) -> Plan {
        let mut plan = self.plan.clone();
        for load in &mut plan.loads {
            turn(load, level);
        }
        let warm_up = (length / WARM_UP).as_secs_f64().ceil() as u64;
        let warm_up = Duration::from_secs(warm_up.clamp(1, WARM_UP_MOST));
        plan.timeline = vec![
            phase("warm-up", warm_up, false),
            phase("steady", length, true),
        ];
        for objective in &mut plan.objectives {
            objective.phases = vec![1];
            objective.over = Over::Phase;
            // A trial that ended early would be shorter than the others, and its point in the charts another one.
            objective.abort = false;
        }
        plan
    }
}

fn turn(load: &mut Load, level: f64) {
    match &mut load.drive {
        Drive::Open(arrivals) => {
            let spacing = match arrivals {
                Arrivals::Shaped { spacing, .. } => *spacing,
                Arrivals::Trace { .. } => Spacing::Even,
            };
            *arrivals = Arrivals::Shaped {
                shape: Shape::Constant(Rate(level)),
                spacing,
            };
        }
        Drive::Closed { .. } => {
            load.sessions.count = level.round() as u32;
            // Every session may be busy at once.
            load.max_in_flight = load.max_in_flight.max(load.sessions.count);
        }
    }
}

fn phase(name: &str, length: Duration, measured: bool) -> Phase {
    Phase {
        name: name.to_owned(),
        length,
        until: None,
        measured,
        arrivals: vec![None],
    }
}

fn has_arrivals(phase: &Phase) -> bool {
    phase.arrivals.iter().any(Option::is_some)
}

/// What more load makes worse. A floor of the throughput is missed by every level below it.
fn can_be_missed(subject: &Subject) -> bool {
    match subject {
        Subject::Latency { .. } | Subject::Errors { .. } | Subject::Metric { .. } => true,
        Subject::Throughput { .. }
        | Subject::Rto { .. }
        | Subject::Rpo { .. }
        | Subject::Data { .. }
        | Subject::Refusal { .. }
        | Subject::Suite { .. } => false,
    }
}

/// Operations that a verdict needs, and of which series.
fn needs(subject: &Subject) -> Option<(u64, Option<&str>)> {
    match subject {
        Subject::Latency {
            quantile,
            operation,
            ..
        } => Some((
            Limit::Quantile(*quantile).least_operations(),
            operation.as_deref(),
        )),
        Subject::Errors {
            below, operation, ..
        } => Some((
            Limit::Below(*below).least_operations(),
            operation.as_deref(),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
