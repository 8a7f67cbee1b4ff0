//! What a fault did to those that were none of its business: how hostile clients were answered, and which other
//! processes of the target ended meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use firedrill_reports::recording::{Answered, Event};

use super::hands::Hands;
use crate::fault::hostile;
use crate::fault::hostile::account::{Account, Answer};
use crate::fault::pinned::{Change, Pinned, Sight};
use crate::fault::process::{Process, State};
use crate::target::world::processes;

/// By fault: the processes that it must leave alone, as they were before it.
#[derive(Clone, Debug, Default)]
pub struct Bystanders(Arc<Mutex<BTreeMap<String, Vec<Process>>>>);

impl Bystanders {
    fn keep(&self, fault: &str, all: Vec<Process>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(fault.to_owned(), all);
    }

    fn take(&self, fault: &str) -> Option<Vec<Process>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.remove(fault)
    }
}

impl Hands {
    /// Notes who runs and is no victim.
    pub(super) fn watch_bystanders(&self, pinned: &Pinned) {
        let Some(world) = &self.eyes.world else {
            return;
        };
        let Ok(view) = world.view() else { return };
        let victims = victims(pinned);
        let mut all = processes(world, &view);
        all.retain(|process| !victims.contains(process));
        self.bystanders.keep(&pinned.id, all);
    }

    /// Tells what became of them, and what a hostile client was answered.
    pub(super) fn tell_of_others(&self, fault: &str) {
        let now = self.clock.now();
        if let Some(account) = hostile::account(fault) {
            self.event(now, self.refusals(fault, &account));
        }
        let Some(all) = self.bystanders.take(fault) else {
            return;
        };
        let gone = all.iter().filter(|own| own.state() == State::Gone);
        let ended = gone.map(|own| format!("{} (pid {})", own.name, own.pid));
        let event = Event::Bystanders {
            id: fault.to_owned(),
            ended: ended.collect(),
            watched: all.len() as u64,
        };
        self.event(now, event);
    }

    fn refusals(&self, fault: &str, account: &Account) -> Event {
        let answers = account.answers.iter().map(|(answer, seen)| {
            let (status, refusal) = match answer {
                Answer::Status { status, refusal } => (Some(*status), *refusal),
                Answer::HungUp => (None, None),
            };
            Answered {
                status,
                refusal,
                count: seen.count,
                first: self.clock.since_start(seen.first_ns),
            }
        });
        let failures = account.failures.iter();
        Event::Refusals {
            id: fault.to_owned(),
            attempts: account.attempts,
            bytes: account.bytes,
            answers: answers.collect(),
            unanswered: account.unanswered,
            failures: failures.map(|(why, count)| (why.clone(), *count)).collect(),
        }
    }
}

/// Processes that the fault is for.
fn victims(pinned: &Pinned) -> Vec<Process> {
    let kicked = pinned.steps.iter().filter_map(|step| match &step.change {
        Change::Kick { process, .. } => Some(vec![process.clone()]),
        // Who is pressed hard has to live on.
        Change::Ask(_)
        | Change::Damage(_)
        | Change::Run(_)
        | Change::Limit(_)
        | Change::Attack(_) => None,
    });
    let seen = pinned.effects.iter().filter_map(|sight| match sight {
        Sight::Gone(processes) | Sight::Stopped(processes) => Some(processes.clone()),
        _ => None,
    });
    kicked.chain(seen).flatten().collect()
}
