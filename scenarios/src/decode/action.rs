//! What is done to the target beside load: when each action starts, and the names by which they refer to
//! each other.

use std::time::Duration;

use super::fields::Fields;
use super::reader::{Names, Reader};
use crate::grammar::recovery;
use crate::plan::{Act, Action, Fault, Phase, Start, When};
use crate::text::Place;
use crate::text::tree::{Item, Node};
use crate::text::unit;

/// What actions can refer to beside each other.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub sites: &'a Names,
    pub metrics: &'a Names,
}

/// An action whose reference to another has not been looked up yet.
pub(super) struct Draft<'a> {
    pub id: Option<&'a Item>,
    pub place: Place,
    pub phase: usize,
    pub start: Begin<'a>,
    pub times: u32,
    pub every: Duration,
    pub act: Act,
}

pub(super) enum Begin<'a> {
    Known(Start),
    After { id: &'a Item, delay: Duration },
}

/// All actions, where each stands, and their ids.
pub(crate) struct Actions {
    pub all: Vec<Action>,
    pub places: Vec<Place>,
    pub names: Names,
}

impl Default for Actions {
    fn default() -> Actions {
        Actions {
            all: Vec::new(),
            places: Vec::new(),
            names: Names::new(),
        }
    }
}

/// When an action starts; `before` is the one that it follows when it does not say.
pub(super) fn begin<'a>(
    fields: &Fields<'a>,
    stage: Stage<'_>,
    before: Option<usize>,
) -> Option<Begin<'a>> {
    let reader = fields.reader;
    let delay = fields.duration("delay").unwrap_or(Duration::ZERO);
    let (at, after, when) = (fields.get("at"), fields.get("after"), fields.get("when"));
    let said: Vec<&str> = ["at", "after", "when"]
        .into_iter()
        .filter(|key| fields.has(key))
        .collect();
    if let [first, second, ..] = said.as_slice() {
        reader.problem(
            fields.key_place(second),
            format!("`{first}` and `{second}` exclude each other"),
            "keep one of: at, after, when",
        );
        return None;
    }
    if let Some(at) = at {
        fields.refuse(&["delay"], "`at`", "add it to `at`");
        return Some(Begin::Known(Start::At(reader.duration(at)?)));
    }
    if let Some(id) = after {
        return Some(Begin::After { id, delay });
    }
    if let Some(when) = when {
        let condition = condition(reader, when, stage)?;
        return Some(Begin::Known(Start::When { condition, delay }));
    }
    let start = match before {
        Some(action) => Start::After { action, delay },
        None => Start::At(delay),
    };
    Some(Begin::Known(start))
}

fn condition(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<When> {
    if !matches!(item.node, Node::Map(_)) {
        let words = [("detected", When::Detected), ("recovered", When::Recovered)];
        let known: Vec<(&str, usize)> = words
            .iter()
            .enumerate()
            .map(|(index, (word, _))| (*word, index))
            .collect();
        let index = reader.word(item, "conditions", &known)?;
        return words.into_iter().nth(index).map(|(_, when)| when);
    }
    let fields = Fields::open(reader, item, &recovery::WHEN)?;
    if let Some(site) = fields.get("route_on") {
        return reader
            .reference(site, "site", stage.sites)
            .map(When::RouteOn);
    }
    if let Some(item) = fields.get("above") {
        let (series, value) = threshold(reader, item, stage)?;
        return Some(When::Above { series, value });
    }
    let (series, value) = threshold(reader, fields.get("below")?, stage)?;
    Some(When::Below { series, value })
}

fn threshold(reader: &Reader<'_>, item: &Item, stage: Stage<'_>) -> Option<(String, f64)> {
    let fields = Fields::open(reader, item, &recovery::THRESHOLD)?;
    let value = fields.get("value").and_then(|item| reader.number(item));
    let series = reader.reference(fields.get("series")?, "series", stage.metrics)?;
    Some((stage.metrics.known.get(series)?.clone(), value?))
}

// ---- names ----

/// Gives every action its id and looks up what they follow.
pub(super) fn resolve(reader: &Reader<'_>, drafts: Vec<Draft<'_>>, complete: bool) -> Actions {
    let mut names = ids(reader, &drafts);
    names.complete &= complete;
    let places: Vec<Place> = drafts.iter().map(|draft| draft.place).collect();
    let mut all = Vec::new();
    for (draft, id) in drafts.into_iter().zip(names.known.clone()) {
        let start = match draft.start {
            Begin::Known(start) => start,
            Begin::After { id, delay } => match reader.reference(id, "fault or step", &names) {
                Some(action) => Start::After { action, delay },
                // A problem, or a name that could not be read: noted already.
                None => Start::At(Duration::ZERO),
            },
        };
        all.push(Action {
            id,
            phase: draft.phase,
            start,
            times: draft.times,
            every: draft.every,
            act: draft.act,
        });
    }
    if complete {
        in_order(reader, &all, &places);
    }
    Actions { all, places, names }
}

/// Ids that are written, and for the others the word of their kind, with a number where it is taken.
fn ids(reader: &Reader<'_>, drafts: &[Draft<'_>]) -> Names {
    let mut names = Names::new();
    let mut written: Vec<Option<String>> = Vec::new();
    for draft in drafts {
        let id = draft.id.and_then(|item| reader.tag(item));
        names.complete &= draft.id.is_none() || id.is_some();
        if let (Some(id), Some(item)) = (&id, draft.id)
            && written.iter().flatten().any(|known| known == id)
        {
            reader.problem(
                item.place,
                format!("two faults or steps are called `{id}`"),
                "give one of them another `id:`",
            );
        }
        written.push(id);
    }
    for (index, draft) in drafts.iter().enumerate() {
        let id = written[index].clone().unwrap_or_else(|| {
            let word = draft.act.word();
            let taken = |id: &String| {
                names.known.contains(id) || written.iter().flatten().any(|known| known == id)
            };
            let numbered = (2u32..).map(|number| format!("{word}-{number}"));
            let mut candidates = std::iter::once(word.to_owned()).chain(numbered);
            // The numbers do not end before the names that are taken do.
            candidates.find(|id| !taken(id)).unwrap_or_default()
        });
        names.known.push(id);
    }
    names
}

/// Nothing waits for what comes in a later phase, or for itself.
fn in_order(reader: &Reader<'_>, all: &[Action], places: &[Place]) {
    let follows = |index: usize| match all[index].start {
        Start::After { action, .. } => Some(action),
        Start::At(_) | Start::When { .. } | Start::Afterwards => None,
    };
    for (index, action) in all.iter().enumerate() {
        let Some(before) = follows(index) else {
            continue;
        };
        if all[before].phase > action.phase {
            reader.problem(
                places[index],
                format!(
                    "`{}` waits for `{}`, which comes in a later phase",
                    action.id, all[before].id
                ),
                "let it follow something of its own phase or of an earlier one",
            );
        }
        let chain = std::iter::successors(Some(before), |at| follows(*at));
        if chain.take(all.len()).any(|at| at == index) {
            reader.problem(
                places[index],
                format!("`{}` waits for itself", action.id),
                "let one of those that wait for each other start `at:` a time",
            );
            return;
        }
    }
}

/// Nothing starts when its phase is over, and no fault is given more time than its phase.
pub(super) fn within_phases(reader: &Reader<'_>, drafts: &[Draft<'_>], phases: &[Phase]) {
    for draft in drafts {
        let Some(phase) = phases.get(draft.phase) else {
            continue;
        };
        if phase.length.is_zero() {
            continue;
        }
        let begins = match draft.start {
            Begin::Known(Start::At(at)) => at + draft.every * draft.times.saturating_sub(1),
            // Nobody knows when: at the start of the phase at the earliest.
            Begin::Known(Start::After { .. } | Start::When { .. } | Start::Afterwards)
            | Begin::After { .. } => Duration::ZERO,
        };
        if begins >= phase.length {
            starts_late(reader, draft, phase, begins);
        } else {
            is_cut(reader, draft, phase, begins);
        }
    }
}

fn starts_late(reader: &Reader<'_>, draft: &Draft<'_>, phase: &Phase, begins: Duration) {
    reader.problem(
        draft.place,
        format!(
            "it would start {} after the start of `{}`, when the phase is over",
            unit::duration_text(begins),
            phase.name
        ),
        format!(
            "start it before {}, or let the phase last longer",
            unit::duration_text(phase.length)
        ),
    );
}

/// A fault is undone with its phase: it would not last as long as it says.
fn is_cut(reader: &Reader<'_>, draft: &Draft<'_>, phase: &Phase, begins: Duration) {
    let Act::Fault(Fault {
        hold: Some(hold), ..
    }) = &draft.act
    else {
        return;
    };
    let ends = begins + *hold;
    if ends <= phase.length {
        return;
    }
    reader.problem(
        draft.place,
        format!(
            "it would be undone {} after the start of `{}`, which is over after {} and ends it",
            unit::duration_text(ends),
            phase.name,
            unit::duration_text(phase.length)
        ),
        format!(
            "let the phase last {} or longer, or write for: {} or less",
            unit::duration_text(ends),
            unit::duration_text(phase.length - begins)
        ),
    );
}
