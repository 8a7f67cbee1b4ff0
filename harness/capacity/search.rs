//! Which level is tried next: doubling until the objectives are missed, then on both sides of where the capacity most
//! probably lies, until that is known as finely as was asked.
//!
//! Everything follows from the trials so far and nothing else: a [`Search`] is fed what each trial came to, and says
//! what is next. It knows neither time nor target.

use firedrill_evidence::Belief;
use firedrill_reports::capacity::{EndedBy, Outcome, Settings};

/// A level is given up when the measurement could not be trusted so often in a row.
const DISTRUSTED: usize = 3;
/// Where the search looks: so much of the probability lies below. Answers on both sides of the capacity narrow it down
/// faster than tosses in its middle.
const SIDES: [f64; 2] = [0.3, 0.7];

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Try(f64),
    End(EndedBy),
}

#[derive(Clone, Debug)]
pub struct Search {
    settings: Settings,
    belief: Belief,
    tried: Vec<(f64, Outcome)>,
    /// Levels at which it was a silent probe that could not be trusted, and not the generator; one entry a trial.
    silent: Vec<f64>,
}

impl Search {
    pub fn new(settings: Settings) -> Search {
        Search {
            belief: settings.belief(),
            settings,
            tried: Vec::new(),
            silent: Vec::new(),
        }
    }

    /// Takes in what a trial came to.
    pub fn see(&mut self, level: f64, outcome: Outcome) {
        match outcome {
            Outcome::Met => self.belief.see(level, true),
            Outcome::Missed => self.belief.see(level, false),
            // No evidence moves nothing.
            Outcome::Untrusted | Outcome::TooLittle => {}
        }
        self.tried.push((level, outcome));
    }

    /// Takes in a trial in which a probe that an objective needs was silent.
    pub fn see_silence(&mut self, level: f64) {
        self.silent.push(level);
        self.see(level, Outcome::Untrusted);
    }

    /// The highest level that was met.
    pub fn met(&self) -> Option<f64> {
        self.levels(Outcome::Met).reduce(f64::max)
    }

    fn missed(&self) -> Option<f64> {
        self.levels(Outcome::Missed).reduce(f64::min)
    }

    fn levels(&self, outcome: Outcome) -> impl Iterator<Item = f64> {
        let of = self.tried.iter().filter(move |(_, own)| *own == outcome);
        of.map(|(level, _)| *level)
    }

    /// What is next, as it follows from all trials so far.
    pub fn next(&self) -> Next {
        let Some(&(last, outcome)) = self.tried.last() else {
            return Next::Try(self.settings.from);
        };
        let wanted = if self.tried.len() >= self.settings.trials as usize {
            Next::End(EndedBy::Budget)
        } else if self.is_to_be_repeated(last, outcome) {
            return Next::Try(last);
        } else {
            self.level_after(last, outcome)
        };
        match wanted {
            // An answer that came with the last trial is one.
            Next::End(EndedBy::Budget) if self.is_found() => Next::End(self.found()),
            // Nor is it the trials that were too few when the target was never seen to give way.
            Next::End(EndedBy::Budget) if self.measuring_ended_first() => {
                Next::End(self.end_of_measuring())
            }
            Next::Try(level) => Next::Try(self.settings.settled(level)),
            end @ Next::End(_) => end,
        }
    }

    /// Levels that decide are tried several times. As long as nothing was missed nothing is decided; and a measurement
    /// that cannot be trusted may have been a moment of the machine.
    fn is_to_be_repeated(&self, last: f64, outcome: Outcome) -> bool {
        let repeats = self.settings.repeats as usize;
        let decides = self.missed().is_some() || last >= self.settings.most;
        match outcome {
            Outcome::Untrusted => !self.is_given_up(last),
            Outcome::Met | Outcome::Missed if decides => self.decided_at(last) < repeats,
            Outcome::Met | Outcome::Missed | Outcome::TooLittle => false,
        }
    }

    /// Trials in a row, up to now, that decided at this level.
    fn decided_at(&self, level: f64) -> usize {
        let row = self.tried.iter().rev().take_while(|(own, _)| *own == level);
        row.filter(|(_, own)| matches!(own, Outcome::Met | Outcome::Missed))
            .count()
    }

    fn is_given_up(&self, level: f64) -> bool {
        let row = self
            .tried
            .iter()
            .rev()
            .take_while(|own| **own == (level, Outcome::Untrusted));
        row.count() >= DISTRUSTED
    }

    /// The lowest level at which the measurement could not be trusted whenever it was tried.
    fn beyond_measuring(&self) -> Option<f64> {
        let decided = |level: f64| {
            let of = self.tried.iter().filter(|(own, _)| *own == level);
            of.clone().any(|(_, own)| *own != Outcome::Untrusted) || of.count() < DISTRUSTED
        };
        self.levels(Outcome::Untrusted)
            .filter(|level| !decided(*level))
            .reduce(f64::min)
    }

    fn level_after(&self, last: f64, outcome: Outcome) -> Next {
        let Settings {
            from, least, most, ..
        } = self.settings;
        let ceiling = self.beyond_measuring();
        match (self.met(), self.missed()) {
            (Some(met), Some(_)) => self.bisect(met, ceiling),
            (None, Some(missed)) if missed <= least => Next::End(EndedBy::NothingMet),
            (None, Some(missed)) => Next::Try((missed / 2.0).max(least)),
            (met, None) => match ceiling {
                // Between what was met and what cannot be measured the target may still give way.
                Some(ceiling) => self.below(ceiling, met.unwrap_or(least)),
                None if outcome == Outcome::TooLittle && last >= most => {
                    Next::End(EndedBy::TooLittle)
                }
                None if last >= most => Next::End(EndedBy::Most),
                // What holds too few operations for a verdict holds more when the load is higher.
                None => Next::Try((2.0 * met.unwrap_or(from).max(last)).min(most)),
            },
        }
    }

    fn bisect(&self, met: f64, ceiling: Option<f64>) -> Next {
        if self.is_found() {
            return Next::End(self.found());
        }
        if self
            .tried
            .last()
            .is_some_and(|(_, own)| *own == Outcome::TooLittle)
        {
            return Next::End(EndedBy::TooLittle);
        }
        let turn = self.tried.len() / self.settings.repeats.max(1) as usize;
        let level = self.belief.quantile(SIDES[turn % SIDES.len()]);
        // One answer too many must not send a target ten times what it ever carried.
        let level = level.min(2.0 * met).min(self.settings.most);
        match ceiling {
            Some(ceiling) if self.settings.settled(level) >= ceiling => self.below(ceiling, met),
            Some(_) | None => Next::Try(level),
        }
    }

    /// Halfway to what cannot be measured, while there is a way to go.
    fn below(&self, ceiling: f64, met: f64) -> Next {
        let middle = self.settings.settled((met * ceiling).sqrt());
        let near = ceiling <= met * (1.0 + self.settings.precision);
        if near || middle <= met || middle >= ceiling {
            return Next::End(self.end_of_measuring());
        }
        Next::Try(middle)
    }

    fn measuring_ended_first(&self) -> bool {
        self.missed().is_none() && self.beyond_measuring().is_some()
    }

    /// What could not be trusted at the lowest level that cannot be measured: the generator, unless its trials show
    /// nothing but a silent probe.
    fn end_of_measuring(&self) -> EndedBy {
        let Some(level) = self.beyond_measuring() else {
            return EndedBy::Generator;
        };
        let at = |own: &f64| *own == level;
        let silent = self.silent.iter().copied().filter(|own| at(own)).count();
        match self.levels(Outcome::Untrusted).filter(at).count() == silent {
            true => EndedBy::Probe,
            false => EndedBy::Generator,
        }
    }

    /// An interval that ends where the search does is no answer, however narrow.
    fn found(&self) -> EndedBy {
        match self.belief.reaches_most() {
            true => EndedBy::Most,
            false => EndedBy::Precision,
        }
    }

    fn is_found(&self) -> bool {
        let (lower, upper) = self.belief.interval();
        self.met().is_some() && self.missed().is_some() && self.settings.is_fine(lower, upper)
    }
}

#[cfg(test)]
mod tests;
