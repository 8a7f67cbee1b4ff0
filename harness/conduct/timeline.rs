//! The timeline as a pure machine: what happens goes in, what is to be done comes out.
//!
//! It knows no socket, no process and no clock: every happening carries its instant.

use firedrill_reports::recording::{EarlyEnd, Event};
use firedrill_scenarios::Plan;

use crate::clock::Nanos;
use crate::load::schedule::Segment;

/// Between the last session's opening and the timeline's zero: time for the order to reach every thread.
const LEAD: Nanos = 200_000_000;
/// Between the decision that a phase ends and its end: time for the new division to reach every thread before it
/// matters.
const NOTICE: Nanos = 200_000_000;

/// What the shell saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// All sessions have been opened, or tried.
    Opened,
    /// Time has passed.
    Tick,
    /// What the phase that is under way waited for has come.
    Waited { phase: usize },
    /// The run is to end before its time.
    EndEarly { reason: EarlyEnd, detail: String },
    /// Every operation has its outcome.
    LoadFinished,
}

/// What the shell has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Give the threads the start of the timeline.
    Begin { zero: Nanos },
    /// Tell the threads of the new division of the time to come.
    Recut,
    /// A phase begins or ends.
    Border {
        phase: usize,
        begins: bool,
        at: Nanos,
    },
    /// Write an event with its instant.
    Record { at: Nanos, event: Box<Event> },
    /// No more arrivals.
    StopLoad,
    /// Nothing is left to do.
    Done,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    Opening,
    Running,
    /// Ended early; operations under way are waited for.
    Stopping,
    Done,
}

/// One phase with its borders, since the start of the timeline.
#[derive(Clone, Debug, PartialEq)]
struct Span {
    name: String,
    start: Nanos,
    end: Nanos,
    /// It may end before its length is over.
    waits: bool,
}

pub struct Timeline {
    spans: Vec<Span>,
    /// Width of a bucket: a phase that ends early ends with one.
    bucket: Nanos,
    state: State,
    zero: Nanos,
    /// The first border that has not been told: 2i is the start of phase i, 2i + 1 its end.
    next_border: usize,
    announced: bool,
}

impl Timeline {
    pub fn new(plan: &Plan) -> Timeline {
        let mut start = 0;
        let spans = plan
            .timeline
            .iter()
            .map(|phase| {
                let end = start + phase.length.as_nanos() as Nanos;
                let span = Span {
                    name: phase.name.clone(),
                    start,
                    end,
                    waits: phase.until.is_some(),
                };
                start = end;
                span
            })
            .collect();
        Timeline {
            spans,
            bucket: plan.bucket.as_nanos() as Nanos,
            state: State::Opening,
            zero: 0,
            next_border: 0,
            announced: false,
        }
    }

    /// The parts of the timeline as the load threads want them.
    pub fn segments(&self) -> Vec<Segment> {
        let length = self.spans.last().map_or(0, |span| span.end);
        let segment = |(phase, span): (usize, &Span)| Segment {
            phase,
            start: span.start,
            end: span.end,
            zero: 0,
            length,
        };
        self.spans.iter().enumerate().map(segment).collect()
    }

    /// The phase at an instant of the clock.
    pub fn phase_index(&self, now: Nanos) -> Option<usize> {
        let since = self.since_start(now)?;
        self.spans
            .iter()
            .position(|span| span.start <= since && since < span.end)
    }

    /// Its name.
    pub fn phase_at(&self, now: Nanos) -> Option<&str> {
        self.phase_index(now)
            .map(|index| self.spans[index].name.as_str())
    }

    /// Nanoseconds since the start of the timeline; `None` before it.
    pub fn since_start(&self, now: Nanos) -> Option<Nanos> {
        match self.state {
            State::Opening => None,
            State::Running | State::Stopping | State::Done => now.checked_sub(self.zero),
        }
    }

    /// The start of the timeline on the clock; 0 before it is known.
    pub fn zero(&self) -> Nanos {
        self.zero
    }

    /// When to come back with a tick.
    pub fn next_wake(&self) -> Option<Nanos> {
        match self.state {
            State::Running if !self.announced => Some(self.zero),
            State::Running => self.border(self.next_border).map(|(at, _)| self.zero + at),
            State::Opening | State::Stopping | State::Done => None,
        }
    }

    fn border(&self, number: usize) -> Option<(Nanos, Event)> {
        let span = self.spans.get(number / 2)?;
        let phase = span.name.clone();
        Some(match number % 2 {
            0 => (span.start, Event::PhaseStarted { phase }),
            _ => (span.end, Event::PhaseEnded { phase }),
        })
    }

    pub fn step(&mut self, now: Nanos, happening: Happening) -> Vec<Command> {
        let mut commands = Vec::new();
        match (&self.state, happening) {
            (State::Opening, Happening::Opened) => {
                self.zero = now + LEAD;
                self.state = State::Running;
                commands.push(Command::Begin { zero: self.zero });
            }
            (State::Running, Happening::Tick) => self.pass_borders(now, &mut commands),
            (State::Running, Happening::Waited { phase }) => {
                self.pass_borders(now, &mut commands);
                self.shorten(phase, now, &mut commands);
            }
            (State::Running, Happening::EndEarly { reason, detail }) => {
                self.pass_borders(now, &mut commands);
                commands.push(Command::Record {
                    at: now,
                    event: Box::new(Event::EndedEarly { reason, detail }),
                });
                self.cut_phase(now, &mut commands);
                commands.push(Command::StopLoad);
                self.state = State::Stopping;
            }
            (State::Opening, Happening::EndEarly { reason, detail }) => {
                commands.push(Command::Record {
                    at: now,
                    event: Box::new(Event::EndedEarly { reason, detail }),
                });
                commands.push(Command::StopLoad);
                self.state = State::Stopping;
            }
            (State::Running | State::Stopping, Happening::LoadFinished) => {
                if self.state == State::Running {
                    self.pass_borders(now, &mut commands);
                }
                commands.push(Command::Record {
                    at: now,
                    event: Box::new(Event::LoadEnded),
                });
                commands.push(Command::Done);
                self.state = State::Done;
            }
            // A second interruption changes nothing, and what comes too late is not missed.
            (
                State::Opening,
                Happening::Tick | Happening::LoadFinished | Happening::Waited { .. },
            )
            | (State::Running, Happening::Opened)
            | (
                State::Stopping,
                Happening::Opened
                | Happening::Tick
                | Happening::EndEarly { .. }
                | Happening::Waited { .. },
            )
            | (State::Done, _) => {}
        }
        commands
    }

    /// Tells every border that has been reached, with its own instant and not with ours.
    fn pass_borders(&mut self, now: Nanos, commands: &mut Vec<Command>) {
        if now < self.zero {
            return;
        }
        if !std::mem::replace(&mut self.announced, true) {
            commands.push(Command::Record {
                at: self.zero,
                event: Box::new(Event::TimelineStarted),
            });
        }
        while let Some((at, event)) = self.border(self.next_border) {
            let at = self.zero + at;
            if at > now {
                return;
            }
            let (phase, begins) = (self.next_border / 2, self.next_border.is_multiple_of(2));
            self.next_border += 1;
            commands.push(Command::Record {
                at,
                event: Box::new(event),
            });
            commands.push(Command::Border { phase, begins, at });
        }
    }

    /// Lets a phase that waited end with the bucket that is under way, and moves what follows.
    fn shorten(&mut self, phase: usize, now: Nanos, commands: &mut Vec<Command>) {
        let under_way = self.next_border == 2 * phase + 1;
        let Some(span) = self
            .spans
            .get_mut(phase)
            .filter(|span| span.waits && under_way)
        else {
            return;
        };
        span.waits = false;
        let event = Event::Waited {
            phase: span.name.clone(),
        };
        commands.push(Command::Record {
            at: now,
            event: Box::new(event),
        });
        let end = (now + NOTICE - self.zero).next_multiple_of(self.bucket.max(1));
        let earlier = span.end.saturating_sub(end);
        span.end -= earlier;
        for later in &mut self.spans[phase + 1..] {
            later.start -= earlier;
            later.end -= earlier;
        }
        if earlier > 0 {
            commands.push(Command::Recut);
        }
    }

    /// Ends the phase that is under way.
    fn cut_phase(&mut self, now: Nanos, commands: &mut Vec<Command>) {
        if self.next_border % 2 == 1
            && let Some((_, event)) = self.border(self.next_border)
        {
            commands.push(Command::Record {
                at: now,
                event: Box::new(event),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline() -> Timeline {
        let span = |name: &str, start, end| Span {
            name: name.to_owned(),
            start,
            end,
            waits: name == "steady",
        };
        Timeline {
            spans: vec![
                span("warm-up", 0, 50),
                span("steady", 50, 3 * NOTICE),
                span("after", 3 * NOTICE, 4 * NOTICE),
            ],
            bucket: 1_000,
            state: State::Opening,
            zero: 0,
            next_border: 0,
            announced: false,
        }
    }

    fn begun() -> (Timeline, Nanos) {
        let mut timeline = timeline();
        let commands = timeline.step(1_000, Happening::Opened);
        let zero = 1_000 + LEAD;
        assert_eq!(commands, [Command::Begin { zero }]);
        (timeline, zero)
    }

    fn names(commands: &[Command]) -> Vec<String> {
        let name = |command: &Command| match command {
            Command::Record { at, event } => match &**event {
                Event::PhaseStarted { phase } => format!("+{phase}@{at}"),
                Event::PhaseEnded { phase } => format!("-{phase}@{at}"),
                other => {
                    let text = format!("{other:?}");
                    text.split([' ', '(']).next().unwrap_or_default().to_owned()
                }
            },
            other => format!("{other:?}"),
        };
        let told = |command: &&Command| !matches!(command, Command::Border { .. });
        commands.iter().filter(told).map(name).collect()
    }

    #[test]
    fn borders_carry_their_own_instant_however_late_the_tick_comes() {
        let (mut timeline, zero) = begun();
        assert_eq!(timeline.next_wake(), Some(zero));
        let commands = timeline.step(zero + 60, Happening::Tick);
        let expected = [
            "TimelineStarted".to_owned(),
            format!("+warm-up@{zero}"),
            format!("-warm-up@{}", zero + 50),
            format!("+steady@{}", zero + 50),
        ];
        assert_eq!(names(&commands), expected);
        assert_eq!(timeline.phase_at(zero + 60), Some("steady"));
        assert_eq!(timeline.next_wake(), Some(zero + 3 * NOTICE));
    }

    #[test]
    fn a_phase_that_waited_ends_with_its_bucket_and_the_next_ones_move() {
        let (mut timeline, zero) = begun();
        timeline.step(zero + 60, Happening::Tick);
        let other = timeline.step(zero + 60, Happening::Waited { phase: 0 });
        assert!(other.is_empty(), "warm-up waits for nothing");
        let commands = timeline.step(zero + 70, Happening::Waited { phase: 1 });
        assert_eq!(names(&commands), ["Waited", "Recut"]);
        let end = NOTICE + 1_000;
        let borders: Vec<_> = timeline
            .segments()
            .iter()
            .map(|s| (s.start, s.end))
            .collect();
        assert_eq!(borders, [(0, 50), (50, end), (end, end + NOTICE)]);
        assert!(
            timeline
                .step(zero + 80, Happening::Waited { phase: 1 })
                .is_empty()
        );
        let commands = timeline.step(zero + end, Happening::Tick);
        let expected = [
            format!("-steady@{}", zero + end),
            format!("+after@{}", zero + end),
        ];
        assert_eq!(names(&commands), expected);
    }

    #[test]
    fn an_interruption_cuts_the_phase_and_a_second_one_changes_nothing() {
        let (mut timeline, zero) = begun();
        timeline.step(zero + 10, Happening::Tick);
        let early = Happening::EndEarly {
            reason: EarlyEnd::Interrupted,
            detail: String::new(),
        };
        let commands = timeline.step(zero + 20, early.clone());
        assert_eq!(
            names(&commands),
            [
                "EndedEarly".to_owned(),
                format!("-warm-up@{}", zero + 20),
                "StopLoad".to_owned()
            ]
        );
        assert!(timeline.step(zero + 21, early).is_empty());
        let commands = timeline.step(zero + 30, Happening::LoadFinished);
        assert_eq!(names(&commands), ["LoadEnded", "Done"]);
    }

    #[test]
    fn interrupted_while_sessions_open_it_never_starts() {
        let mut timeline = timeline();
        let early = Happening::EndEarly {
            reason: EarlyEnd::Interrupted,
            detail: String::new(),
        };
        timeline.step(5, early);
        assert!(timeline.step(6, Happening::Opened).is_empty());
        let commands = timeline.step(7, Happening::LoadFinished);
        assert_eq!(names(&commands), ["LoadEnded", "Done"]);
    }
}
