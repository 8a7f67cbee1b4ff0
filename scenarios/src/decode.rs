//! From the tree to the plan: everything is looked at, and every problem is noted with its place.
//!
//! - `reader`, `fields`: values of every kind, and maps, out of the tree
//! - `target`, `endpoint`, `profile`: what is driven
//! - `load`, `arrivals`, `operation`, `answer`, `check`, `flow`: what is sent, and when
//! - `programme`: several scenarios one after the other
//! - `timeline`, `probe`, `objective`: phases, observations, limits
//! - `action`, `fault`, `victims`, `step`: what is broken, what brings it back, and when
//! - `continuity`, `ledger`, `drill`, `drilled`: what survives a site, how it is read back, what counts as recovered
//! - `identity`: the names of checks
//! - `prospect`, `feasible`, `radius`, `overlap`, `recoverable`, `measurable`: will there be something to judge? can
//!   the target be broken like this, and may it, does something bring it back, and is that measured?

pub(crate) mod action;
pub(crate) mod answer;
pub(crate) mod arrivals;
pub(crate) mod check;
pub(crate) mod continuity;
pub(crate) mod drill;
pub(crate) mod drilled;
pub(crate) mod endpoint;
pub(crate) mod fault;
pub(crate) mod feasible;
pub(crate) mod fields;
pub(crate) mod flow;
pub(crate) mod hostile;
pub(crate) mod identity;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod measurable;
pub(crate) mod objective;
pub(crate) mod operation;
pub(crate) mod overlap;
pub(crate) mod probe;
pub(crate) mod profile;
pub(crate) mod programme;
pub(crate) mod prospect;
mod radius;
pub(crate) mod reader;
pub(crate) mod recoverable;
pub(crate) mod resource;
pub(crate) mod step;
pub(crate) mod target;
pub(crate) mod timeline;
mod victims;

use std::time::Duration;

use crate::grammar::SCENARIO;
use crate::plan::Plan;
use crate::programme::is_monthly_test;
use crate::provenance::Notes;
use crate::sources::Sources;
use crate::text::diagnostic::Diagnostics;
use crate::text::substitute::{Trouble, substitute_all};
use crate::text::tree::{self, Item};
use crate::text::{Texts, overrides};
use action::Stage;
use fields::Fields;
use load::Loads;
use objective::Known;
use reader::{Names, Reader};
use timeline::Timeline;

impl Plan {
    /// Reads a scenario. The only door: everything that a plan promises is checked here.
    ///
    /// # Errors
    /// Every problem at once, with file, line, column, the line itself, and what to write instead. Only
    /// what is no YAML at all comes singly.
    pub fn parse(text: &str, sources: &dyn Sources) -> Result<Plan, Diagnostics> {
        let texts = Texts::new(sources.name(), text, sources.overrides());
        let fail = |problems| Diagnostics {
            name: sources.name().to_owned(),
            problems,
        };
        let mut tree = tree::parse(&texts, 0, 0).map_err(|problem| fail(vec![problem]))?;
        let reader = Reader::new(&texts, sources);
        overrides::apply(&reader, &mut tree, sources.overrides());
        let origins = crate::provenance::origins(&texts, &tree);
        fill_in(&reader, &mut tree);
        let plan = scenario(&reader, &tree);
        let (problems, warnings) = reader.into_findings();
        match plan {
            Some(mut plan) if problems.is_empty() => {
                plan.notes = Notes { origins, warnings };
                Ok(plan)
            }
            Some(_) | None => Err(fail(problems)),
        }
    }
}

/// Replaces `${NAME}` in every scalar.
fn fill_in(reader: &Reader<'_>, tree: &mut Item) {
    let variable = |name: &str| reader.sources.variable(name);
    substitute_all(tree, &variable, &mut |item, trouble| match trouble {
        Trouble::Missing(name) => reader.problem(
            item.place,
            format!("the environment has no variable `{name}`"),
            format!("export {name}=..., or give a default: ${{{name}:-default}}"),
        ),
        Trouble::Malformed => reader.problem(
            item.place,
            "this is no reference to a variable",
            "write ${NAME} or ${NAME:-default}; $${ stands for the characters themselves",
        ),
    });
}

/// `None` when it is no scenario at all.
pub(crate) fn scenario(reader: &Reader<'_>, tree: &Item) -> Option<Plan> {
    let fields = Fields::open(reader, tree, &SCENARIO)?;
    let name = fields
        .get("scenario")
        .and_then(|item| scenario_name(reader, item));
    let about = fields
        .get("about")
        .and_then(|item| reader.text(item))
        .unwrap_or_default();
    let covers = fields.text("covers");
    if covers.as_deref().is_some_and(is_monthly_test) {
        reader.problem(
            fields.key_place("covers"),
            "the monthly test is more than one scenario: four disasters, and the steps from set-up to clean-up",
            "run dr-night, or write a programme that covers it; take `covers` out here",
        );
    }
    let (target, profile) = target::target(reader, fields.get("target"));
    let loads = load::loads(&fields, &profile);
    let (probes, metrics) = probe::probes(&fields);
    let sites = continuity::site_names(&target);
    let stage = Stage {
        sites: &sites,
        metrics: &metrics,
    };
    let Timeline {
        phases: timeline,
        names: phase_names,
        actions,
    } = timeline::timeline(&fields, &loads, stage);
    let bucket = bucket(&fields);
    let (series, operations) = series(reader, &loads);
    let known = Known {
        phases: &timeline,
        phase_names: &phase_names,
        series: &series,
        operations: &operations,
        metrics: &metrics,
        bucket,
        actions: &actions.all,
        ids: &actions.names,
    };
    let (mut objectives, mut items): (Vec<_>, Vec<_>) =
        objective::objectives(&fields, &known).into_iter().unzip();
    let drill = drill::drill(&fields, actions.all, &loads, &profile, bucket, &sites);
    drilled::add_defaults(&fields, &drill, &profile, &mut objectives, &mut items);
    let mut plan = Plan {
        name: name.unwrap_or_default(),
        about,
        covers,
        target,
        profile,
        loads: loads.all,
        timeline,
        probes,
        objectives,
        drill,
        bucket,
        notes: Notes::default(),
    };
    identity::name_all(reader, &mut plan, &items);
    // What follows would only repeat what is wrong already.
    if reader.is_clean() {
        prospect::idle_loads(reader, &plan, &loads.places);
        feasible::faults(reader, &plan, &actions.places);
        recoverable::actions(reader, &plan, &actions.places);
        recoverable::phases(&fields, &plan);
        measurable::objectives(&fields, &plan, &items);
    }
    if reader.is_clean() {
        prospect::nothing_to_judge(reader, &plan, &items);
        prospect::warnings(&fields, &plan, &loads.places, &items);
    }
    Some(plan)
}

fn scenario_name(reader: &Reader<'_>, item: &Item) -> Option<String> {
    let text = reader.scalar(item, "a name")?;
    let fine = text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !fine {
        reader.problem(
            item.place,
            format!("`{text}` cannot be the name of a scenario"),
            "it has up to 64 letters, digits and dashes, and begins with a letter or digit",
        );
    }
    fine.then(|| text.to_owned())
}

fn bucket(fields: &Fields<'_>) -> Duration {
    let Some(item) = fields.get("bucket") else {
        return Duration::from_secs(1);
    };
    let range = Duration::from_millis(100)..=Duration::from_secs(60);
    match fields.reader.length(item) {
        Some(length) if range.contains(&length) => length,
        Some(_) => {
            fields.reader.problem(
                item.place,
                "a bucket of this width is of no use",
                "write 100ms to 60s",
            );
            Duration::from_secs(1)
        }
        None => Duration::from_secs(1),
    }
}

/// Names of everything that is counted apart, which differ over all loads, and for each its operation's name.
fn series(reader: &Reader<'_>, loads: &Loads) -> (Names, Vec<String>) {
    let mut names = Names::new();
    names.complete = loads.complete;
    let mut operations = Vec::new();
    for (load, place) in loads.all.iter().zip(&loads.places) {
        for step in load.flows.iter().flat_map(|flow| &flow.steps) {
            if names.known.contains(&step.series) && loads.complete && reader.is_clean() {
                reader.problem(
                    *place,
                    format!("two operations would both be counted as `{}`", step.series),
                    "give one of them, or its flow, another `name:`",
                );
            }
            names.known.push(step.series.clone());
            operations.push(load.operations[step.operation].name.clone());
        }
    }
    (names, operations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar;
    use crate::sources::Given;

    /// The decoder takes its keys from the grammar; this shows that it reads every one of them.
    #[test]
    fn every_key_of_the_grammar_is_read() {
        let mut asked = std::collections::BTreeSet::new();
        for text in [
            include_str!("../tests/all/data/everything.yaml"),
            include_str!("../tests/all/data/endpoint.yaml"),
            include_str!("../tests/all/data/drill.yaml"),
            include_str!("../tests/all/data/hostile.yaml"),
        ] {
            let texts = Texts::new("test.yaml", text, &[]);
            let tree = tree::parse(&texts, 0, 0).unwrap();
            let given = Given::named("test.yaml");
            let reader = Reader::new(&texts, &given);
            scenario(&reader, &tree);
            asked.append(&mut reader.asked.borrow_mut());
        }
        let programme = include_str!("../catalog/dr-night.yaml");
        let texts = Texts::new("test.yaml", programme, &[]);
        let tree = tree::parse(&texts, 0, 0).unwrap();
        let given = Given::named("test.yaml");
        let reader = Reader::new(&texts, &given);
        programme::programme(&reader, &tree);
        asked.append(&mut reader.asked.borrow_mut());
        let known = grammar::kinds(&grammar::SCENARIO)
            .into_iter()
            .chain(grammar::kinds(&grammar::programme::PROGRAMME))
            .flat_map(|kind| kind.keys.iter().map(|key| (kind.name, key.name)))
            .collect();
        assert_eq!(asked, known);
    }
}
