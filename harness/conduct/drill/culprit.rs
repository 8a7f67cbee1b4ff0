//! Which fault a read-back is about. A harmless one that follows takes nothing back, and must not move the instant
//! up to which an earlier one may: pure, so that it can be told without breaking anything.

use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Act, FaultKind, RecoveryStep, Subject};

use crate::clock::Nanos;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// May take back what was acknowledged: a site, its data or its store is gone, nobody knows, or an objective on the
    /// recovery point names it.
    Takes,
    /// Takes nothing back by itself, but a site may be promoted because of it.
    Spares,
    /// It is done to a site that serves nobody: nothing is taken back, and nobody is promoted because of it.
    Idle,
    /// No fault: a site is promoted on purpose.
    FailBack,
}

/// A fault or a failback that was begun, by the name of its repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    pub id: String,
    pub at: Nanos,
    pub harm: Harm,
    /// It changes what is stored: what is acknowledged until writes are stopped may go with the restore.
    pub corrupts: bool,
    /// The site that acknowledged what this may take back; `None` where whoever acknowledges is meant.
    pub site: Option<usize>,
}

/// The site that the fault of this index is done to, unless it is known that another one answers clients: then it
/// acknowledges nothing.
pub fn acknowledging(plan: &Plan, action: usize, serving: Option<u16>) -> Option<usize> {
    let Act::Fault(fault) = &plan.drill.actions.get(action)?.act else {
        return None;
    };
    let answers = |site: &usize| serving.is_none_or(|serving| usize::from(serving) == *site);
    fault.kind.site().filter(answers)
}

/// Whether the action of this index changes what is stored.
pub fn corrupts(plan: &Plan, action: usize) -> bool {
    let act = plan.drill.actions.get(action).map(|action| &action.act);
    matches!(act, Some(Act::Fault(fault)) if matches!(fault.kind, FaultKind::DataCorruption { .. }))
}

/// What the action of this index may do to acknowledged writes while this site answers clients, if that is known; none
/// for steps that move nobody. Taken for too little it only moves the blame: an earlier fault is charged with what was
/// lost after its stop, which may be nothing.
pub fn harm(plan: &Plan, action: usize, serving: Option<u16>) -> Option<Harm> {
    let named = |subject: &Subject| matches!(subject, Subject::Rpo { fault: Some(own), .. } if *own == action);
    match &plan.drill.actions.get(action)?.act {
        Act::Fault(fault) => {
            let kind = &fault.kind;
            let unsure = matches!(kind, FaultKind::StoreCrash { .. } | FaultKind::Command(_));
            let idle = kind.site().is_some() && acknowledging(plan, action, serving).is_none();
            let takes = unsure || kind.takes_site() || kind.takes_data();
            Some(if idle {
                Harm::Idle
            } else if takes || plan.objectives.iter().any(|own| named(&own.subject)) {
                Harm::Takes
            } else {
                Harm::Spares
            })
        }
        Act::Step(RecoveryStep::FailBack { .. }) => Some(Harm::FailBack),
        Act::Step(_) | Act::ReadBack { .. } => None,
    }
}

/// The newest fault until `read` that may have taken something back, by its kind or because a site was promoted for it;
/// without one the newest of all. `begun` and `promotions` are in the order of time. What a later fault takes all the
/// same was acknowledged after the stop of this one, and none of that may be lost.
pub fn culprit<'a>(begun: &'a [Begun], promotions: &[Nanos], read: Nanos) -> Option<&'a Begun> {
    let faults = || {
        let until = begun.iter().filter(move |own| own.at <= read);
        until.filter(|own| own.harm != Harm::FailBack)
    };
    let by_kind = faults().rfind(|own| own.harm == Harm::Takes);
    let mut before = 0;
    let mut promoted_for = None;
    for at in promotions.iter().copied().filter(|at| *at <= read) {
        promoted_for = owner(begun, before, at).or(promoted_for);
        before = at;
    }
    let found = by_kind.into_iter().chain(promoted_for);
    found
        .max_by_key(|own| own.at)
        .or_else(|| faults().rfind(|own| own.harm != Harm::Idle))
        .or_else(|| faults().next_back())
}

/// Whom a promotion, or another step of a failover, at `at` is owed to: the newest since the one `before` that takes a
/// site or data, or else the newest of all that clients could notice; nobody, when that is a failback.
pub fn owner(begun: &[Begun], before: Nanos, at: Nanos) -> Option<&Begun> {
    let noticed = |own: &&Begun| own.at <= at && own.harm != Harm::Idle;
    let earlier = || begun.iter().filter(noticed);
    let takes = earlier().rfind(|own| own.harm == Harm::Takes && own.at > before);
    let newest = takes.or_else(|| earlier().next_back());
    newest.filter(|own| own.harm != Harm::FailBack)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_a_site_that_serves_nobody_takes_nothing_of_its_own() {
        let plan = |fault: &str, objective: &str| {
            let text = format!(
                "scenario: own\ntarget: {{ sites: {{ primary: {{}}, dr: {{}} }}, replication: {{ from: primary, to: dr }}, \
                 backups: {{}} }}\nload: {{ rate: 100/s, operations: [{{ ledger: write }}] }}\n\
                 timeline: [{{ phase: outage, for: 30s, fault: {{ {fault} }} }}, {{ read-back: dr }}]\n\
                 objectives: [{{ {objective} }}]\n"
            );
            let given = firedrill_scenarios::Given::named("own.yaml");
            Plan::parse(&text, &given).unwrap_or_else(|problems| panic!("{problems}"))
        };
        let corruption = "data-corruption: primary, id: own";
        let any = plan(corruption, "errors: 90 %");
        assert_eq!(harm(&any, 0, None), Some(Harm::Takes));
        assert_eq!(harm(&any, 0, Some(0)), Some(Harm::Takes));
        assert_eq!(harm(&any, 0, Some(1)), Some(Harm::Idle));
        let acknowledges = |serving| acknowledging(&any, 0, serving);
        assert_eq!(
            (acknowledges(None), acknowledges(Some(0))),
            (Some(0), Some(0))
        );
        assert_eq!(acknowledges(Some(1)), None);
        // Whoever names it means what it does to those who are served.
        let named = plan("pod-kill: primary, id: own", "rpo: 1h, fault: own");
        assert_eq!(harm(&named, 0, Some(0)), Some(Harm::Takes));
        assert_eq!(harm(&named, 0, Some(1)), Some(Harm::Idle));
    }

    type One = (&'static str, Nanos, Harm);

    fn begun(all: &[One]) -> Vec<Begun> {
        let one = |(id, at, harm): &One| Begun {
            id: (*id).to_owned(),
            at: *at,
            harm: *harm,
            corrupts: false,
            site: None,
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn a_read_back_is_about_what_took_something_and_not_about_what_came_last() {
        use Harm::{FailBack, Idle, Spares, Takes};
        let site = ("site", 10, Takes);
        let slow = ("slow", 20, Spares);
        let cut = ("cut", 30, Spares);
        let back = ("back", 40, FailBack);
        let idle = ("idle", 20, Idle);
        let cases: [(&[One], &[Nanos], Option<&str>); 14] = [
            (&[], &[], None),
            (&[slow], &[], Some("slow")),
            (&[slow, cut], &[], Some("cut")),
            (&[site, slow], &[15], Some("site")),
            // A promotion that comes late is still owed to the lost site.
            (&[site, slow], &[25], Some("site")),
            (&[site, slow], &[], Some("site")),
            (&[slow, cut], &[25], Some("slow")),
            (&[site, slow, cut], &[15, 35], Some("cut")),
            (&[site, slow, back], &[15, 45], Some("site")),
            (
                &[site, slow, back, ("again", 50, Takes)],
                &[15, 45],
                Some("again"),
            ),
            // Nobody noticed it: what follows is owed to the one before, and only without any is it what is read about.
            (&[site, idle], &[15, 35], Some("site")),
            (&[("cut", 10, Spares), idle], &[], Some("cut")),
            (&[idle], &[], Some("idle")),
            // After the read-back: it says nothing of it.
            (
                &[site, slow, ("again", 150, Takes)],
                &[15, 160],
                Some("site"),
            ),
        ];
        for (all, promotions, expected) in cases {
            let all = begun(all);
            let found = culprit(&all, promotions, 100).map(|own| own.id.as_str());
            assert_eq!(found, expected, "{all:?} {promotions:?}");
        }
    }
}
