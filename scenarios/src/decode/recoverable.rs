//! Does something bring back what is broken?

use std::cmp::Ordering;

use super::fields::Fields;
use super::reader::Reader;
use crate::plan::{
    Act, Action, BackupPlace, Drive, FaultKind, LedgerUse, Plan, RecoveryStep, Start, Target,
    Until, When,
};
use crate::text::Place;
use crate::text::tree::Item;
use crate::text::unit;

pub(super) fn kind(action: &Action) -> Option<&FaultKind> {
    match &action.act {
        Act::Fault(fault) => Some(&fault.kind),
        Act::Step(_) | Act::ReadBack { .. } => None,
    }
}

/// Faults of this phase and of those before it.
fn faults_until(plan: &Plan, phase: usize) -> impl Iterator<Item = &FaultKind> {
    plan.drill
        .actions
        .iter()
        .filter(move |action| action.phase <= phase)
        .filter_map(kind)
}

pub(super) fn is_open(plan: &Plan) -> bool {
    plan.loads.iter().any(|load| match load.drive {
        Drive::Open(_) => true,
        Drive::Closed { .. } => false,
    })
}

// ---- actions ----

/// Conditions that can come true, and steps that have something to bring back.
pub(crate) fn actions(reader: &Reader<'_>, plan: &Plan, places: &[Place]) {
    for (action, place) in plan.drill.actions.iter().zip(places) {
        if let Start::When { condition, .. } = &action.start {
            when(reader, plan, action, condition, *place);
        }
        match &action.act {
            Act::Step(step) => has_its_fault(reader, plan, action.phase, step, *place),
            Act::ReadBack { .. } if plan.drill.ledger.is_none() => reader.problem(
                *place,
                "there is nothing to read back, since no operation writes to the ledger",
                "add { ledger: write } to the operations",
            ),
            Act::Fault(_) | Act::ReadBack { .. } => {}
        }
        told(reader, plan, action, *place);
    }
}

/// What a fault took, and what clients get after a step, is known from what is read after it.
fn told(reader: &Reader<'_>, plan: &Plan, action: &Action, place: Place) {
    let asks = match &action.act {
        Act::Fault(fault) => !fault.kind.spares_data(),
        Act::Step(step) => step.is_test() || step.moves_data(),
        Act::ReadBack { .. } => false,
    };
    let reads = || plan.drill.actions.iter().filter_map(read_back);
    // Writes that are never read back at all are a problem of the timeline.
    let never = plan.drill.ledger.is_none() || reads().next().is_none();
    let tells = |(own, site): (&Action, Option<usize>)| {
        follows(own, action) && tested(action).is_none_or(|tested| site == Some(tested))
    };
    if asks && !never && !reads().any(tells) {
        let site = tested(action).map_or("serving", |site| plan.site_name(site));
        reader.problem(
            place,
            format!("nothing is read back after `{}`", action.id),
            format!("add {{ read-back: {site} }} behind its phase"),
        );
    }
}

/// The site in which a backup is put to the test: what is there says whether it holds.
pub(super) fn tested(action: &Action) -> Option<usize> {
    match &action.act {
        Act::Step(step) if step.is_test() => step.site(),
        Act::Step(_) | Act::Fault(_) | Act::ReadBack { .. } => None,
    }
}

fn read_back(action: &Action) -> Option<(&Action, Option<usize>)> {
    match action.act {
        Act::ReadBack { site } => Some((action, site)),
        Act::Fault(_) | Act::Step(_) => None,
    }
}

fn follows(later: &Action, earlier: &Action) -> bool {
    let at = |action: &Action| match action.start {
        Start::At(at) => Some(at),
        Start::After { .. } | Start::When { .. } | Start::Afterwards => None,
    };
    match later.phase.cmp(&earlier.phase) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => match (at(later), at(earlier)) {
            (Some(later), Some(earlier)) => later > earlier,
            // When one of them begins, the run decides.
            (None, _) | (_, None) => true,
        },
    }
}

fn when(reader: &Reader<'_>, plan: &Plan, action: &Action, condition: &When, place: Place) {
    let other = plan.drill.actions.iter().filter(|own| *own != action);
    let broken = other
        .filter(|own| own.phase <= action.phase)
        .any(|own| kind(own).is_some());
    let watched = match &plan.target {
        Target::Embedded(embedded) => embedded.director.is_some(),
        Target::Endpoint(_) => false,
    };
    match condition {
        When::Detected if !watched => reader.problem(
            place,
            "nobody would detect anything: the target has no director",
            "add director: {} to the target, or start `at:` a time",
        ),
        When::Detected | When::Recovered if !broken => reader.problem(
            place,
            "there is no fault before it to be detected or to recover from",
            "add a fault, or start `at:` a time",
        ),
        When::Recovered if !is_open(plan) => reader.problem(
            place,
            "recovery cannot be seen without open load",
            "give a load its own pace: arrivals: { poisson: 400/s }",
        ),
        When::Detected
        | When::Recovered
        | When::RouteOn(_)
        | When::Above { .. }
        | When::Below { .. } => {}
    }
}

fn has_its_fault(
    reader: &Reader<'_>,
    plan: &Plan,
    phase: usize,
    step: &RecoveryStep,
    place: Place,
) {
    let faults = || faults_until(plan, phase);
    let lost = |site: usize| {
        move |kind: &FaultKind| kind.takes_site() && kind.takes_data() && kind.site() == Some(site)
    };
    match step {
        RecoveryStep::Rebuild { site } if !faults().any(lost(*site)) => {
            let name = plan.site_name(*site);
            reader.problem(
                place,
                format!("`{name}` has not been lost before it is rebuilt"),
                format!("add {{ system-failure: {name} }} or {{ natural-disaster: {name} }}"),
            );
        }
        RecoveryStep::Restore { site, of, .. } if step.is_test() => {
            apart(reader, plan, *site, *of, place);
        }
        RecoveryStep::Restore { site, .. }
            if !faults().any(|kind| kind.takes_data() && kind.site() == Some(*site)) =>
        {
            let name = plan.site_name(*site);
            reader.problem(
                place,
                format!("nothing has happened to the data of `{name}` before it is restored"),
                format!("add a fault that takes it: {{ data-corruption: {name} }}"),
            );
        }
        RecoveryStep::Restore {
            site,
            from: BackupPlace::Local,
            ..
        } if faults().any(|kind| *kind == FaultKind::NaturalDisaster { site: *site }) => {
            let name = plan.site_name(*site);
            reader.problem(
                place,
                format!("the backups that `{name}` kept are gone with it"),
                "write from: off-site",
            );
        }
        RecoveryStep::Command(_) if faults().next().is_none() => reader.problem(
            place,
            "there is no fault before it that it could bring back from",
            "add a fault, or take the step out",
        ),
        RecoveryStep::Rebuild { .. }
        | RecoveryStep::Restore { .. }
        | RecoveryStep::VerifyBackups { .. }
        | RecoveryStep::Command(_)
        | RecoveryStep::Fence { .. }
        | RecoveryStep::Promote { .. }
        | RecoveryStep::Reroute { .. }
        | RecoveryStep::FailBack { .. } => {}
    }
}

/// A backup is put to the test where nobody is served: in a site that follows no other, and is not the one of clients.
fn apart(reader: &Reader<'_>, plan: &Plan, site: usize, of: usize, place: Place) {
    let follows = |own: crate::plan::Replication| own.from == site || own.to == site;
    if site == 0 || plan.replication().is_some_and(follows) {
        let (name, of) = (plan.site_name(site), plan.site_name(of));
        reader.problem(
            place,
            format!("`{name}` serves clients or follows a site, and would lose its data for the backup of `{of}`"),
            "add a site that stands apart: test: { nodes: 1, pods: 1 }",
        );
    }
}

// ---- phases ----

/// Phases that wait for something that can come, and writes that are read back.
pub(crate) fn phases(fields: &Fields<'_>, plan: &Plan) {
    let reader = fields.reader;
    let items = fields.get("timeline");
    for (index, phase) in plan.timeline.iter().enumerate() {
        let place = items
            .and_then(|items| phase_place(items, &phase.name))
            .unwrap_or(fields.place);
        match phase.until {
            Some(Until::Recovered) => until_recovered(reader, plan, index, place),
            Some(Until::Done) if !plan.drill.actions.iter().any(|own| own.phase == index) => {
                reader.problem(
                    place,
                    format!(
                        "nothing is done in `{}` that could be waited for",
                        phase.name
                    ),
                    "add faults or steps, or write `for:`",
                );
            }
            Some(Until::Done) | None => {}
        }
    }
    window(fields, plan);
    if writes(plan) && plan.drill.actions.iter().find_map(read_back).is_none() {
        reader.problem(
            fields.key_place("timeline"),
            "writes are acknowledged, and never read back",
            "add { read-back: serving } behind the last phase",
        );
    }
}

/// Where the end of a phase is written.
fn phase_place(items: &Item, name: &str) -> Option<Place> {
    use crate::text::tree::Node;
    let Node::List(items) = &items.node else {
        return None;
    };
    let named = |item: &&Item| {
        item.get("phase")
            .and_then(Item::scalar)
            .is_some_and(|own| own.text == name)
    };
    let item = items.iter().find(named)?;
    Some(item.get("until").map_or(item.place, |until| until.place))
}

fn until_recovered(reader: &Reader<'_>, plan: &Plan, phase: usize, place: Place) {
    let name = &plan.timeline[phase].name;
    if !is_open(plan) {
        reader.problem(
            place,
            "recovery cannot be seen without open load",
            "give a load its own pace: arrivals: { poisson: 400/s }",
        );
        return;
    }
    let is_led_back = |action: &Action| {
        action.phase <= phase && matches!(action.act, Act::Step(RecoveryStep::FailBack { .. }))
    };
    if faults_until(plan, phase).next().is_none() && !plan.drill.actions.iter().any(is_led_back) {
        reader.problem(
            place,
            format!("there is no fault that `{name}` could recover from"),
            "add a fault or a fail-back, or write `for:`",
        );
        return;
    }
    let window = plan.drill.recovery.window;
    if plan.timeline[phase].length < window {
        reader.problem(
            place,
            format!(
                "`{name}` is over before a window of {} can be",
                unit::duration_text(window)
            ),
            "raise `within`, or write recovery: { window: ... }",
        );
    }
    let own = plan.drill.actions.iter().filter(|own| own.phase == phase);
    for kind in own.filter_map(kind) {
        if !comes_back(plan, phase, kind) {
            reader.problem(
                place,
                format!("nothing brings service back after `{}`", kind.word()),
                remedy(kind),
            );
        }
    }
}

/// Whether something of the plan brings service back in this phase, while the fault is still in force.
fn comes_back(plan: &Plan, phase: usize, kind: &FaultKind) -> bool {
    let Some(site) = kind
        .site()
        .filter(|_| kind.takes_site() || kind.takes_data())
    else {
        return true;
    };
    let Target::Embedded(embedded) = &plan.target else {
        return true;
    };
    let steps = || {
        let own = plan.drill.actions.iter().filter(|own| own.phase <= phase);
        own.filter_map(|own| match &own.act {
            Act::Step(step) => Some(step),
            Act::Fault(_) | Act::ReadBack { .. } => None,
        })
    };
    let elsewhere = steps().any(|step| match step {
        RecoveryStep::Reroute { site: to } | RecoveryStep::FailBack { site: to } => *to != site,
        RecoveryStep::Command(_) => true,
        RecoveryStep::Fence { .. }
        | RecoveryStep::Promote { .. }
        | RecoveryStep::Rebuild { .. }
        | RecoveryStep::VerifyBackups { .. }
        | RecoveryStep::Restore { .. } => false,
    });
    let restored =
        steps().any(|step| matches!(step, RecoveryStep::Restore { site: own, of, .. } if *own == site && *of == site));
    // A director follows the health of a site, and corrupt data is served in the best of health.
    let automatic = kind.takes_site()
        && embedded.director.is_some_and(|director| director.automatic)
        && embedded.replication.is_some();
    let undone = plan.drill.actions.iter().any(|own| match &own.act {
        Act::Fault(fault) => fault.kind == *kind && fault.hold.is_some(),
        Act::Step(_) | Act::ReadBack { .. } => false,
    });
    elsewhere || restored || automatic || undone
}

fn remedy(kind: &FaultKind) -> &'static str {
    if kind.takes_data() {
        "add steps: [{ restore: SITE }, { promote: SITE }, { reroute: SITE }]"
    } else {
        "add a director and replication to the target, or steps that promote and reroute to another site"
    }
}

/// A window shorter than what the director needs would call service recovered before anybody has noticed.
fn window(fields: &Fields<'_>, plan: &Plan) {
    let Target::Embedded(embedded) = &plan.target else {
        return;
    };
    if let Some(director) = embedded.director
        && !plan.drill.actions.is_empty()
        && plan.drill.recovery.window < director.probe * 3
    {
        let place = if fields.has("recovery") {
            fields.key_place("recovery")
        } else {
            fields.key_place("target")
        };
        fields.reader.problem(
            place,
            format!(
                "the window of {} is shorter than three health checks of the director",
                unit::duration_text(plan.drill.recovery.window)
            ),
            format!(
                "write recovery: {{ window: {} }} or more, or check more often",
                unit::duration_text(director.probe * 3)
            ),
        );
    }
}

fn writes(plan: &Plan) -> bool {
    let mut operations = plan.loads.iter().flat_map(|load| &load.operations);
    operations.any(|operation| operation.ledger == Some(LedgerUse::Write))
}
