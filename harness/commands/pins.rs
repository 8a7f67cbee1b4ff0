//! What a run would hit, pinned as the target is now: for a dry run, and to refuse a run that would hit too much
//! before anything is broken.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use firedrill_erlmcp::world::View;
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Act, FaultKind, RecoveryStep};

use crate::fault::pinned::Pinned;
use crate::fault::process::Process;
use crate::fault::resolve::{ResolveError, Scene, resolve, stream};
use crate::ledger::Clients;
use crate::target::{Ready, TargetError};

/// One fault of the plan, as it is pinned now.
pub struct Aim {
    id: String,
    word: &'static str,
    pinned: Result<Pinned, ResolveError>,
}

/// Every fault of the plan with its repetitions, in the order of the plan, as it is pinned now. `None` for sites that a
/// run starts itself: they are not there yet.
///
/// # Errors
/// When the sites do not say how they stand, or clients are served elsewhere.
pub fn aims(
    plan: &Plan,
    ready: Option<&Ready>,
    seed: u64,
) -> Result<Option<Vec<Aim>>, TargetError> {
    let ground = ready.and_then(|ready| ready.ground.as_ref());
    let view = ground.map(|ground| ground.world().view()).transpose();
    let view = view.map_err(TargetError::NoView)?;
    let by_command = |act: &Act| match act {
        Act::Fault(fault) => matches!(fault.kind, FaultKind::Command(_)),
        Act::Step(_) | Act::ReadBack { .. } => true,
    };
    if view.is_none() && !plan.drill.actions.iter().all(|own| by_command(&own.act)) {
        return Ok(None);
    }
    if let Some(elsewhere) = view.as_ref().and_then(|view| served_elsewhere(plan, view)) {
        return Err(elsewhere);
    }
    // Nothing is written by a run that is not made.
    let nobody = Clients::new("", 0);
    let scene = Scene {
        plan,
        view: view.as_ref(),
        quarantine: PathBuf::from("quarantine"),
        held: BTreeSet::new(),
        clients: plan.drill.ledger.as_ref().map(|_| &nobody),
    };
    let mut aims = Vec::new();
    for (action, own) in plan.drill.actions.iter().enumerate() {
        let Act::Fault(fault) = &own.act else {
            continue;
        };
        for number in 0..own.times.max(1) {
            let id = own.name(number);
            let mut random = stream(seed, action, number);
            aims.push(Aim {
                word: fault.kind.word(),
                pinned: resolve(&scene, &id, &fault.kind, &mut random),
                id,
            });
        }
    }
    Ok(Some(aims))
}

/// No drill begins where clients are served by another site than the first, unless it leads them back itself.
fn served_elsewhere(plan: &Plan, view: &View) -> Option<TargetError> {
    let any = |wanted: fn(&Act) -> bool| plan.drill.actions.iter().any(|own| wanted(&own.act));
    let leads_back = |act: &Act| matches!(act, Act::Step(RecoveryStep::FailBack { .. }));
    let site = view.director.as_ref()?.route.clone();
    let home = plan.site_name(0).to_owned();
    let begins = any(|act| matches!(act, Act::Fault(_))) && !any(leads_back);
    (begins && site != home).then_some(TargetError::ServedElsewhere { site, home })
}

/// What would be hit, step by step, and how each step is undone. Nothing is changed by saying it.
pub fn describe(aims: Option<&[Aim]>, seed: u64) -> String {
    let Some(aims) = aims else {
        return format!(
            "\nvictims (seed {seed}): the sites are not there yet; what is drawn is drawn from the seed and pinned by \
             pid and start time when a fault is injected: the same seed hits the same pods, nodes and records\n"
        );
    };
    if aims.is_empty() {
        return String::new();
    }
    let mut text = format!("\nvictims (seed {seed}), pinned as the target is now\n");
    for aim in aims {
        tell(&mut text, aim);
    }
    text
}

fn tell(text: &mut String, aim: &Aim) {
    // Writing to a text does not fail.
    let _ = match &aim.pinned {
        Ok(pinned) => {
            let mut told = writeln!(text, "  {}: {} on {}", aim.id, aim.word, pinned.on);
            for step in &pinned.steps {
                told = told.and(writeln!(text, "    {}", step.what));
                told = told.and(writeln!(text, "      undone: {}", step.undo.change));
            }
            for process in pinned.ended() {
                let Process { name, pid, .. } = process;
                told = told.and(writeln!(text, "    ends {name} (pid {pid})"));
            }
            told
        }
        Err(reason) => writeln!(
            text,
            "  {}: {} cannot be done now: {reason}",
            aim.id, aim.word
        ),
    };
}

/// Refuses what must not be done to the target as it is. A fault that only has to wait for something is none of it.
///
/// # Errors
/// When more would be hit than the plan allows, or something is named that is not there.
pub fn refuse(aims: Option<&[Aim]>) -> Result<(), TargetError> {
    for aim in aims.unwrap_or_default() {
        match &aim.pinned {
            Err(
                reason @ (ResolveError::NoSite { .. }
                | ResolveError::NoVictim { .. }
                | ResolveError::TooMany { .. }),
            ) => {
                return Err(TargetError::Refused {
                    fault: aim.id.clone(),
                    reason: reason.to_string(),
                });
            }
            Ok(_)
            | Err(
                ResolveError::NonePicked { .. }
                | ResolveError::TooFew { .. }
                | ResolveError::AsManyAlready { .. }
                | ResolveError::PausedAlready
                | ResolveError::DisturbedAlready { .. }
                | ResolveError::Ended { .. }
                | ResolveError::NoStore { .. }
                | ResolveError::NoBackup { .. }
                | ResolveError::NoWorld
                | ResolveError::Log { .. },
            ) => {}
        }
    }
    Ok(())
}
