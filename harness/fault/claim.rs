//! What a fault holds until it is undone. Two that would give back the same thing may not be in force together: the
//! later one would have pinned what the earlier one made of it, and whichever is undone last decides what is left.

use std::collections::{BTreeMap, BTreeSet};

use firedrill_erlmcp::world::{Press, Request, View};
use firedrill_scenarios::Plan;

use super::pinned::{Change, Pinned, Reversal};
use super::process::Kick;
use super::radius::{Hits, TooMuch};

/// One thing that is given back: whose, and what of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    /// `primary`, `primary-node-0`, `primary-2`, a link, a file.
    whose: String,
    what: String,
}

/// The faults that were begun and are not undone yet, with what each of them holds.
#[derive(Debug, Default)]
pub struct Claims {
    held: BTreeMap<String, BTreeSet<Claim>>,
    hits: BTreeMap<String, Hits>,
    /// Those whose undoing has begun.
    ending: BTreeSet<String>,
}

/// Another fault stands in the way of this one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Held {
    #[error(
        "{what} of {whose} is held by `{by}`, which is still in force: give that one an end before this one begins, or \
         choose another victim"
    )]
    Claimed {
        whose: String,
        what: String,
        by: String,
    },
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

impl Held {
    /// The fault that stands in the way.
    pub fn by(&self) -> &str {
        match self {
            Held::Claimed { by, .. } => by,
            Held::TooMuch(much) => much.by(),
        }
    }
}

impl Claims {
    /// The fault holds what it will give back from now on, and nothing that it held before.
    ///
    /// # Errors
    /// When another fault holds any of it, or the two together hit too much: then nothing is held for this one.
    pub fn claim(&mut self, fault: &Pinned, plan: &Plan, view: Option<&View>) -> Result<(), Held> {
        let own: BTreeSet<Claim> = fault
            .steps
            .iter()
            .filter_map(|step| held_until(&step.undo.change))
            .collect();
        self.release(&BTreeSet::from([fault.id.clone()]));
        let ended = ended(fault, view);
        for (by, others) in &self.held {
            let undone_by_it = |claim: &&Claim| ended.contains(claim.whose.as_str());
            let taken = own.intersection(others).next();
            if let Some(claim) = taken.or_else(|| others.iter().find(undone_by_it)).cloned() {
                let Claim { whose, what } = claim;
                let by = by.clone();
                return Err(Held::Claimed { whose, what, by });
            }
        }
        if let Some(view) = view {
            let hits = Hits::of(fault, plan, view);
            hits.within(self.hits.iter(), plan, view)?;
            self.hits.insert(fault.id.clone(), hits);
        }
        self.held.insert(fault.id.clone(), own);
        Ok(())
    }

    /// Their undoing has begun.
    pub fn end(&mut self, faults: &BTreeSet<String>) {
        self.ending.extend(faults.iter().cloned());
    }

    /// Their undoing is over, and was seen to be or not.
    pub fn ended(&mut self, faults: &BTreeSet<String>) {
        self.ending.retain(|fault| !faults.contains(fault));
    }

    /// Something is being undone.
    pub fn any_ending(&self) -> bool {
        !self.ending.is_empty()
    }

    /// Of whom another fault than this one holds something.
    pub fn held_by_others(&self, fault: &str) -> BTreeSet<String> {
        let others = self.held.iter().filter(|(other, _)| *other != fault);
        let claims = others.flat_map(|(_, claims)| claims);
        claims.map(|claim| claim.whose.clone()).collect()
    }

    pub fn is_ending(&self, fault: &str) -> bool {
        self.ending.contains(fault)
    }

    pub fn release(&mut self, faults: &BTreeSet<String>) {
        self.held.retain(|fault, _| !faults.contains(fault));
        self.hits.retain(|fault, _| !faults.contains(fault));
    }

    /// The site was built anew and serves: what undoes its loss gives nothing back any more.
    pub fn stands_again(&mut self, site: &str) {
        for claims in self.held.values_mut() {
            claims.retain(|claim| claim.whose != site || claim.what != POWER);
        }
        for hits in self.hits.values_mut() {
            hits.stands_again(site);
        }
    }

    pub fn release_all(&mut self) {
        self.held.clear();
        self.hits.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

/// The processes that a fault ends: with each goes what another fault did to it, and the one that follows it is as new.
fn ended<'a>(fault: &'a Pinned, view: Option<&'a View>) -> BTreeSet<&'a str> {
    let of_site = |name: &str| {
        let site = view.and_then(|view| view.site(name));
        site.into_iter().flat_map(|site| &site.processes)
    };
    let mut ended = BTreeSet::new();
    for step in &fault.steps {
        match &step.change {
            Change::Kick {
                process,
                kick: Kick::Kill | Kick::Terminate,
            } => {
                ended.insert(process.name.as_str());
            }
            Change::Ask(Request::Power { site, on: false } | Request::Wipe { site, .. }) => {
                ended.extend(of_site(site).map(|process| process.name.as_str()));
            }
            Change::Ask(Request::NodePower {
                site,
                node,
                on: false,
            }) => {
                let there = of_site(site).filter(|own| own.node.as_ref() == Some(node));
                ended.extend(there.map(|process| process.name.as_str()));
            }
            Change::Ask(Request::Evict { pod, .. } | Request::RestartPod { pod, .. }) => {
                ended.insert(pod);
            }
            Change::Kick { .. }
            | Change::Ask(_)
            | Change::Limit(_)
            | Change::Damage(_)
            | Change::Run(_)
            | Change::Attack(_) => {}
        }
    }
    ended
}

/// What this gives back; `None` for what comes back by itself, and for what is the user's own.
fn held_until(reversal: &Reversal) -> Option<Claim> {
    let claim = |whose: &str, what: &str| {
        Some(Claim {
            whose: whose.to_owned(),
            what: what.to_owned(),
        })
    };
    match reversal {
        Reversal::Ask(request) => {
            let (whose, what) = asked_back(request)?;
            claim(&whose, what)
        }
        Reversal::Kick { process, .. } => claim(&process.name, "the running"),
        Reversal::Repair(damage) => claim(
            &damage.path.display().to_string(),
            &format!("byte {}", damage.offset),
        ),
        Reversal::Return { site, .. } => claim(site, POWER),
        Reversal::Limit(limit) => claim(&limit.process.name, limit.resource.words()),
        // A step holds nothing.
        Reversal::Settle { .. }
        | Reversal::ByItself
        | Reversal::Run(_)
        | Reversal::EndAttack { .. } => None,
    }
}

const POWER: &str = "the power";

/// Whose, and what; of the requests that undo something.
fn asked_back(request: &Request) -> Option<(String, &'static str)> {
    let of = |whose: &str, what| Some((whose.to_owned(), what));
    match request {
        Request::Power { site, .. } => of(site, POWER),
        Request::NodePower { node, .. } => of(node, POWER),
        Request::Cordon { node, .. } => of(node, "the cordon"),
        Request::Scale { site, .. } => of(site, "the number of pods"),
        Request::ReplicationPause(_) => of("replication", "the flow"),
        Request::BackupPut { site, id, .. } => of(&format!("{site}/{id}"), "the sound backup"),
        Request::Link { name, .. } => of(name, "the shape"),
        Request::Behave { pod, .. } => of(pod, "the service time"),
        Request::Press { pod, press, .. } => of(
            pod,
            match press {
                Press::Thread(_) => "the time of the thread",
                Press::Memory(_) => "the memory",
                Press::Work(_) => "the places at work",
            },
        ),
        Request::Certificate { site, .. } => of(site, "the certificate"),
        Request::Clock { .. } => of("director", "the clock"),
        Request::View
        | Request::Evict { .. }
        | Request::RestartPod { .. }
        | Request::Fence { .. }
        | Request::Promote { .. }
        | Request::Route { .. }
        | Request::Reverse { .. }
        | Request::FailBack { .. }
        | Request::GiveUpFailBack
        | Request::Wipe { .. }
        | Request::Unwipe { .. }
        | Request::Rebuild { .. }
        | Request::Restore { .. }
        | Request::BackupRemove { .. }
        | Request::BackupDamage { .. }
        | Request::Misbehave(_)
        | Request::Marks { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pinned::{Step, Undo};
    use super::super::process::Process;
    use super::*;

    fn plan() -> Plan {
        let text = "scenario: own\nload: { rate: 100/s, operations: [{ tool: echo }] }\n\
                    timeline: [{ phase: steady, for: 30s }]\nobjectives: [{ errors: 1 % }]\n";
        let given = firedrill_scenarios::Given::named("own.yaml");
        Plan::parse(text, &given).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn cordon(id: &str, node: &str) -> Pinned {
        let request = Request::Cordon {
            site: "primary".to_owned(),
            node: node.to_owned(),
            on: false,
        };
        Pinned {
            id: id.to_owned(),
            fault: "node-drain",
            on: node.to_owned(),
            steps: vec![Step {
                what: format!("cordon {node}"),
                change: Change::Ask(request.clone()),
                undo: Undo {
                    change: Reversal::Ask(request),
                    ends: Vec::new(),
                },
            }],
            effects: Vec::new(),
        }
    }

    #[test]
    fn nobody_takes_what_another_fault_will_give_back() {
        let (mut claims, plan) = (Claims::default(), plan());
        claims.claim(&cordon("a", "node-0"), &plan, None).unwrap();
        claims.claim(&cordon("b", "node-1"), &plan, None).unwrap();
        let held = claims
            .claim(&cordon("c", "node-0"), &plan, None)
            .unwrap_err();
        assert!(
            held.to_string()
                .starts_with("the cordon of node-0 is held by `a`"),
            "{held}"
        );
        // Its own it may take again, as it finds it now.
        claims.claim(&cordon("b", "node-1"), &plan, None).unwrap();
        // What was refused holds nothing, and what is undone is free.
        claims.release(&BTreeSet::from(["a".to_owned()]));
        claims.claim(&cordon("c", "node-0"), &plan, None).unwrap();
        claims.release_all();
        assert!(claims.is_empty());
    }

    #[test]
    fn nobody_ends_a_process_that_another_fault_gives_something_back_to() {
        let (mut claims, plan) = (Claims::default(), plan());
        let process = |name: &str| Process {
            name: name.to_owned(),
            pid: 7,
            started: 9,
        };
        let kick = |id: &str, name: &str, kick, undo| {
            let mut fault = cordon(id, name);
            fault.steps[0].change = Change::Kick {
                process: process(name),
                kick,
            };
            fault.steps[0].undo.change = undo;
            fault
        };
        let goes_on = Reversal::Kick {
            process: process("primary-1"),
            kick: Kick::Continue,
        };
        let pause = kick("pause", "primary-1", Kick::Stop, goes_on);
        claims.claim(&pause, &plan, None).unwrap();
        let kill = |name| kick("kill", name, Kick::Kill, Reversal::ByItself);
        let held = claims.claim(&kill("primary-1"), &plan, None).unwrap_err();
        let text = held.to_string();
        assert!(
            text.starts_with("the running of primary-1 is held by `pause`"),
            "{text}"
        );
        claims.claim(&kill("primary-2"), &plan, None).unwrap();
    }

    #[test]
    fn a_fault_that_holds_nothing_is_in_force_all_the_same() {
        let (mut claims, plan) = (Claims::default(), plan());
        let mut kill = cordon("kill", "node-3");
        kill.steps.clear();
        claims.claim(&kill, &plan, None).unwrap();
        assert!(!claims.is_empty());
        claims
            .claim(&cordon("drain", "node-3"), &plan, None)
            .unwrap();
    }
}
