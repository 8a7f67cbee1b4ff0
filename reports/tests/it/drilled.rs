//! Drills that never were: one site failure at 300 operations a second, changed at will.

use std::time::Duration;

use firedrill_reports::recording::{
    DataCounts, Event, FaultStage, LedgerLine, Mark, ReadBackStage, ReadPlace, Recording,
    RecoveryPoint,
};
use firedrill_reports::{ResultDocument, judge};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, TimeoutStage};
use firedrill_scenarios::plan::{
    Act, Action, DataCounter, Fault, FaultKind, Objective, Over, RecoveryStep, Source, Start,
    Subject,
};

use super::synthetic::{MS, Run, SECOND, ZERO};

const SCENARIO: &str = "
scenario: site-failure
about: The serving site is lost.
covers: \"Disaster recovery, RTO/RPO: site failure\"
load:
  arrivals: { constant: 100/s }
  operations: [ { tool: echo } ]
timeline:
  - { phase: steady, for: 10s }
  - { phase: outage, for: 50s }
  - { phase: dr, for: 20s }
objectives:
  - { latency: p99, below: 100ms }
";

/// When it is broken, since the timeline's start.
pub const T0: u64 = 10 * SECOND + 250 * MS;
pub const REFUSED: Outcome = Outcome::Connect(ConnectFailure::Refused);

pub struct Drill {
    pub run: Run,
    pub actions: Vec<Action>,
    pub objectives: Vec<Objective>,
}

pub fn action(id: &str, act: Act) -> Action {
    Action {
        id: id.to_owned(),
        phase: 1,
        start: Start::At(Duration::ZERO),
        times: 1,
        every: Duration::ZERO,
        act,
    }
}

pub fn fault(kind: FaultKind) -> Act {
    Act::Fault(Fault { kind, hold: None })
}

pub fn fail_back() -> Action {
    action("fail-back", Act::Step(RecoveryStep::FailBack { site: 0 }))
}

pub fn objective(id: &str, subject: Subject) -> Objective {
    Objective {
        id: id.to_owned(),
        subject,
        phases: Vec::new(),
        over: Over::Phase,
        abort: false,
    }
}

pub fn rto(id: &str, seconds: u64, source: Source) -> Objective {
    let below = Duration::from_secs(seconds);
    let subject = Subject::Rto {
        fault: None,
        below,
        source,
    };
    objective(id, subject)
}

pub fn rpo(id: &str, millis: u64, source: Source) -> Objective {
    let below = Duration::from_millis(millis);
    let subject = Subject::Rpo {
        fault: None,
        below,
        source,
    };
    objective(id, subject)
}

pub fn stage(stage: FaultStage) -> Event {
    Event::Fault {
        id: "site-failure".into(),
        fault: "site-failure".into(),
        on: "primary".into(),
        stage,
    }
}

pub fn mark(mark: Mark) -> Event {
    Event::Mark {
        mark,
        fault: None,
        source: "director".into(),
        detail: String::new(),
    }
}

pub fn read_back(stage: ReadBackStage) -> Event {
    Event::ReadBack {
        id: "read-back".into(),
        site: "dr".into(),
        stage,
    }
}

pub fn sound(sound: bool) -> Event {
    read_back(ReadBackStage::Done {
        sound,
        reason: String::new(),
    })
}

/// 300 ms of writes are lost with the site.
pub fn lost(count: u64) -> LedgerLine {
    LedgerLine::Data {
        read_back: "read-back".into(),
        fault: Some("site-failure".into()),
        site: "dr".into(),
        place: ReadPlace::Serving,
        shared_with: None,
        counts: Box::new(DataCounts {
            attempted: 4_000,
            acknowledged: 3_900,
            indeterminate: 40,
            recovered: 2,
            lost: count,
            ..DataCounts::default()
        }),
        point: Some(RecoveryPoint {
            t_stop: ZERO + T0,
            recovered_to: Some(ZERO + T0 - 310 * MS),
            oldest_lost: (count > 0).then_some(ZERO + T0 - 300 * MS),
            rpo: 310 * MS,
            rpo_lower: (count > 0).then_some(300 * MS),
            resolution: 12 * MS,
        }),
    }
}

pub fn lost_write(sequence: u64) -> LedgerLine {
    LedgerLine::Write {
        read_back: "read-back".into(),
        class: DataCounter::Lost,
        client: "7f3a-0-12".into(),
        sequence,
        acknowledged: Some(ZERO + T0 - 300 * MS + sequence * MS),
        site: Some("primary".into()),
        epoch: Some(1),
    }
}

/// Lost at 10.25 s, gone until 17 s, all objectives met.
pub fn good() -> Drill {
    failing(|second, index| (second == 10 && index >= 25) || (11..17).contains(&second))
}

/// The same with the failures named by second and operation.
pub fn failing(failed: impl Fn(u64, u64) -> bool) -> Drill {
    let mut run = Run::steady(SCENARIO, 100, |second, index| match failed(second, index) {
        true if second % 2 == 0 => (REFUSED, MS),
        true => (Outcome::Timeout(TimeoutStage::FirstByte), SECOND),
        false => (Outcome::Ok, 3 * MS),
    });
    let by = |name: &str| name.to_owned();
    run.drill = vec![
        (
            T0 - SECOND,
            Event::Steady {
                held: true,
                reason: String::new(),
            },
        ),
        (T0, stage(FaultStage::Injecting)),
        (T0 + 20 * MS, stage(FaultStage::Injected)),
        (
            T0 + 60 * MS,
            stage(FaultStage::EffectSeen { by: by("health") }),
        ),
        (T0 + 1600 * MS, mark(Mark::Detected)),
        (T0 + 1610 * MS, mark(Mark::Decided)),
        (T0 + 1700 * MS, mark(Mark::FailoverBegun)),
        (T0 + 1900 * MS, mark(Mark::Promoted)),
        (T0 + 2000 * MS, mark(Mark::RouteSwitched)),
        (T0 + 3100 * MS, mark(Mark::FirstAnswer)),
        (60 * SECOND, read_back(ReadBackStage::Started)),
        (61 * SECOND, sound(true)),
        (75 * SECOND, stage(FaultStage::Healing)),
        (76 * SECOND, stage(FaultStage::Healed { by: by("view") })),
    ];
    run.ledger = vec![lost_write(1), lost_write(2), lost(2)];
    let mut objectives = vec![
        rto("rto", 4 * 3600, Source::Procedure),
        rto("rto-budget", 8, Source::Budget),
        rpo("rpo", 15 * 60_000, Source::Procedure),
        rpo("rpo-budget", 1000, Source::Budget),
    ];
    for counter in DataCounter::ALL {
        let subject = Subject::Data {
            counter,
            at_most: if counter == DataCounter::Lost { 5 } else { 0 },
        };
        objectives.push(objective(counter.as_str(), subject));
    }
    Drill {
        run,
        actions: vec![
            action("site-failure", fault(FaultKind::SiteFailure { site: 0 })),
            action("read-back", Act::ReadBack { site: None }),
        ],
        objectives,
    }
}

impl Drill {
    pub fn recording(&self) -> Recording {
        let mut recording = self.run.recording();
        recording.plan.drill.actions = self.actions.clone();
        recording.plan.objectives = self.objectives.clone();
        recording
    }

    pub fn judged(&self) -> ResultDocument {
        judge(&self.recording(), None)
    }

    /// As another fault.
    pub fn kind(mut self, kind: FaultKind) -> Drill {
        self.actions[0].act = fault(kind);
        self
    }

    pub fn change(mut self, change: impl Fn(&mut Event)) -> Drill {
        self.run
            .drill
            .iter_mut()
            .for_each(|(_, event)| change(event));
        self
    }

    pub fn without(mut self, which: impl Fn(&Event) -> bool) -> Drill {
        self.run.drill.retain(|(_, event)| !which(event));
        self
    }

    pub fn with(mut self, at: u64, event: Event) -> Drill {
        self.run.drill.push((at, event));
        self
    }

    /// The fault is undone then.
    pub fn undone(self, at: u64) -> Drill {
        let healed = |event: &Event| match event {
            Event::Fault { stage, .. } => matches!(stage, FaultStage::Healed { .. }),
            _ => false,
        };
        self.without(healed)
            .with(at, stage(FaultStage::Healed { by: "view".into() }))
    }

    /// The counts of the only read-back.
    pub fn data(mut self, change: impl Fn(&mut DataCounts)) -> Drill {
        for line in &mut self.run.ledger {
            if let LedgerLine::Data { counts, .. } = line {
                change(counts);
            }
        }
        self
    }

    /// A read-back of a site that serves nobody, which is about no fault.
    pub fn of_a_standby(mut self) -> Drill {
        for line in &mut self.run.ledger {
            if let LedgerLine::Data {
                place,
                fault,
                point,
                ..
            } = line
            {
                (*place, *fault, *point) = (ReadPlace::Standby, None, None);
            }
        }
        self
    }

    /// Nothing was read back between another fault and this one.
    pub fn shared_with(mut self, other: &str) -> Drill {
        for line in &mut self.run.ledger {
            if let LedgerLine::Data { shared_with, .. } = line {
                *shared_with = Some(other.to_owned());
            }
        }
        self
    }

    pub fn point(mut self, change: impl Fn(&mut RecoveryPoint)) -> Drill {
        for line in &mut self.run.ledger {
            if let LedgerLine::Data {
                point: Some(point), ..
            } = line
            {
                change(point);
            }
        }
        self
    }
}
