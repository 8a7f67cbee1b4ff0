//! From text to a tree of values that know where they stand.
//!
//! - `tree`: YAML to nodes
//! - `substitute`: `${NAME}` in scalars
//! - `overrides`: `--set path=value`
//! - `unit`: durations, rates, shares, sizes, both ways
//! - `nearest`: the word that was meant
//! - `diagnostic`: what is wrong, where, and what to do

pub mod diagnostic;
pub(crate) mod nearest;
pub(crate) mod overrides;
pub(crate) mod substitute;
pub(crate) mod tree;
pub(crate) mod unit;

/// A range of bytes in one of the [`Texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 is the scenario, `i + 1` the i-th `--set` argument.
    pub text: usize,
    pub start: usize,
    pub end: usize,
}

/// The scenario and the `--set` arguments, with their names.
pub(crate) struct Texts {
    all: Vec<(String, String)>,
}

impl Texts {
    pub fn new(name: &str, scenario: &str, overrides: &[String]) -> Texts {
        let mut all = vec![(name.to_owned(), scenario.to_owned())];
        all.extend(
            overrides
                .iter()
                .map(|set| ("--set".to_owned(), set.clone())),
        );
        Texts { all }
    }

    pub fn name(&self, place: Place) -> &str {
        self.all.get(place.text).map_or("", |(name, _)| name)
    }

    pub fn text(&self, place: Place) -> &str {
        self.all.get(place.text).map_or("", |(_, text)| text)
    }

    /// The bytes of the place itself; empty for a place that does not lie on character boundaries.
    pub fn slice(&self, place: Place) -> &str {
        self.text(place)
            .get(place.start..place.end)
            .unwrap_or_default()
    }

    /// Line and column of the place's start, from 1, in characters.
    pub fn position(&self, place: Place) -> (usize, usize) {
        let text = self.text(place);
        let before = text.get(..place.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[line_start..].chars().count() + 1)
    }

    /// The whole line on which the place starts.
    pub fn line(&self, place: Place) -> &str {
        let (line, _) = self.position(place);
        self.text(place).lines().nth(line - 1).unwrap_or_default()
    }
}
