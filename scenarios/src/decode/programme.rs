//! `programme:`: scenarios one after the other, and the steps of a procedure.

use super::fields::Fields;
use super::reader::{Names, Reader};
use super::{fill_in, scenario_name};
use crate::grammar::programme::{PROCEDURE_STEP, PROGRAMME};
use crate::programme::{MONTHLY_STEPS, ProcedureStep, Programme, ShownBy, is_monthly_test};
use crate::sources::Sources;
use crate::text::Texts;
use crate::text::diagnostic::Diagnostics;
use crate::text::tree::{self, Item};

impl Programme {
    /// Reads a programme. The only door; its scenarios are read by themselves.
    ///
    /// # Errors
    /// Every problem at once, with file, line, column, the line itself, and what to write instead.
    pub fn parse(text: &str, sources: &dyn Sources) -> Result<Programme, Diagnostics> {
        let texts = Texts::new(sources.name(), text, &[]);
        let fail = |problems| Diagnostics {
            name: sources.name().to_owned(),
            problems,
        };
        let mut tree = tree::parse(&texts, 0, 0).map_err(|problem| fail(vec![problem]))?;
        let reader = Reader::new(&texts, sources);
        fill_in(&reader, &mut tree);
        let found = programme(&reader, &tree);
        let (problems, _) = reader.into_findings();
        match found {
            Some(programme) if problems.is_empty() => Ok(programme),
            Some(_) | None => Err(fail(problems)),
        }
    }
}

/// `None` when it is no programme at all.
pub(crate) fn programme(reader: &Reader<'_>, tree: &Item) -> Option<Programme> {
    let fields = Fields::open(reader, tree, &PROGRAMME)?;
    let name = fields
        .get("programme")
        .and_then(|item| scenario_name(reader, item));
    let drills = drills(&fields);
    let steps = steps(&fields, &drills);
    let covers = fields.text("covers");
    if covers.as_deref().is_some_and(is_monthly_test) {
        whole(&fields, &steps, &drills);
    }
    Some(Programme {
        name: name.unwrap_or_default(),
        about: fields.text("about").unwrap_or_default(),
        covers,
        steps,
        drills: drills.known,
    })
}

/// A part of the monthly test must not be shown to anybody as the test.
fn whole(fields: &Fields<'_>, steps: &[ProcedureStep], drills: &Names) {
    for (name, shown_by) in MONTHLY_STEPS {
        let there = |own: &&ProcedureStep| own.name == name && own.shown_by == shown_by;
        let word = shown_by.as_str();
        if let Some(step) = steps.iter().find(there) {
            let left_out = |(index, _): &(usize, &String)| !step.drills.contains(index);
            let mut others = drills.known.iter().enumerate().filter(left_out);
            // Not every disaster makes another site serve.
            if let (true, Some((_, drill))) = (shown_by != ShownBy::Failover, others.next()) {
                fields.reader.problem(
                    fields.key_place("covers"),
                    format!("this covers the monthly test, whose step `{name}` says nothing of `{drill}` here"),
                    format!("leave `in` out of `{name}`, or take `covers` out"),
                );
            }
            continue;
        }
        fields.reader.problem(
            fields.key_place("covers"),
            format!(
                "this covers the monthly test, whose step `{name}` is not shown by `{word}` here"
            ),
            format!("add {{ step: {name}, shown_by: {word} }}, or take `covers` out"),
        );
    }
}

fn drills(fields: &Fields<'_>) -> Names {
    let mut names = Names::new();
    let Some(item) = fields.get("drills") else {
        names.complete = false;
        return names;
    };
    let reader = fields.reader;
    let items = reader.list(item, "a list of scenarios").unwrap_or_default();
    if items.is_empty() && reader.is_clean() {
        reader.problem(
            item.place,
            "a programme without drills shows nothing",
            "name at least one scenario: drills: [site-failure]",
        );
    }
    for item in items {
        match reader.text(item) {
            Some(name) if names.known.contains(&name) => reader.problem(
                item.place,
                format!("`{name}` stands here twice"),
                "each drill has a folder by its name: keep one of them",
            ),
            Some(name) => names.known.push(name),
            None => names.complete = false,
        }
    }
    names
}

fn steps(fields: &Fields<'_>, drills: &Names) -> Vec<ProcedureStep> {
    let reader = fields.reader;
    let items = fields
        .get("steps")
        .and_then(|item| reader.list(item, "a list of steps"));
    let mut steps: Vec<ProcedureStep> = Vec::new();
    for item in items.unwrap_or_default() {
        let Some(step) = Fields::open(reader, item, &PROCEDURE_STEP) else {
            continue;
        };
        let name = step.get("step").and_then(|item| reader.name(item));
        let words = ShownBy::ALL.map(|word| (word.as_str(), word));
        let shown_by = step
            .get("shown_by")
            .and_then(|item| reader.word(item, "kinds of evidence", &words));
        let shown_in = shown_in(&step, drills);
        let (Some(name), Some(shown_by)) = (name, shown_by) else {
            continue;
        };
        if steps.iter().any(|other| other.name == name) {
            reader.problem(
                step.key_place("step"),
                format!("`{name}` stands here twice"),
                "each step is a check by its name: give one of them another",
            );
        }
        steps.push(ProcedureStep {
            name,
            shown_by,
            drills: shown_in,
        });
    }
    steps
}

/// The drills that have to show it: all, unless they are named.
fn shown_in(step: &Fields<'_>, drills: &Names) -> Vec<usize> {
    let reader = step.reader;
    let Some(item) = step.get("in") else {
        return (0..drills.known.len()).collect();
    };
    let items = reader.list(item, "a list of drills").unwrap_or_default();
    if items.is_empty() && reader.is_clean() {
        reader.problem(
            item.place,
            "what no drill has to show is no evidence",
            "name at least one drill, or leave `in` out",
        );
    }
    let known = items
        .iter()
        .map(|item| reader.reference(item, "drill", drills));
    known.flatten().collect()
}
