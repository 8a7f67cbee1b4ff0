//! Ways in which the stand-in or the harness is made to misbehave, so that a run is seen red for exactly that reason.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::plan::{Act, Director, Embedded, FaultKind, Plan, RecoveryStep, Target};
use crate::text::nearest::choices;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sabotage {
    /// One acknowledged write, old enough that no lag explains it, vanishes.
    LoseAcknowledgedWrite,
    /// Writes are stored in another order than they were acknowledged in.
    ReorderWrites,
    /// A restore says that it is done, and has done nothing.
    SkipRestore,
    /// A restore takes an old backup in place of the newest.
    RestoreStaleBackup,
    /// The store acknowledges before a write is on its disk.
    AckBeforeFsync,
    /// The old site is not told that another serves.
    NoFencing,
    /// The harness does not undo a fault.
    LeaveFault,
    /// Service comes back later than the budget allows.
    SlowRecovery,
    /// Service comes back, and fails again.
    Relapse,
    /// A few operations are answered after the recovery, and most are not.
    PartialGoodput,
}

impl Sabotage {
    pub const ALL: [Sabotage; 10] = [
        Sabotage::LoseAcknowledgedWrite,
        Sabotage::ReorderWrites,
        Sabotage::SkipRestore,
        Sabotage::RestoreStaleBackup,
        Sabotage::AckBeforeFsync,
        Sabotage::NoFencing,
        Sabotage::LeaveFault,
        Sabotage::SlowRecovery,
        Sabotage::Relapse,
        Sabotage::PartialGoodput,
    ];

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Sabotage::LoseAcknowledgedWrite => "lose-acknowledged-write",
            Sabotage::ReorderWrites => "reorder-writes",
            Sabotage::SkipRestore => "skip-restore",
            Sabotage::RestoreStaleBackup => "restore-stale-backup",
            Sabotage::AckBeforeFsync => "ack-before-fsync",
            Sabotage::NoFencing => "no-fencing",
            Sabotage::LeaveFault => "leave-fault",
            Sabotage::SlowRecovery => "slow-recovery",
            Sabotage::Relapse => "relapse",
            Sabotage::PartialGoodput => "partial-goodput",
        }
    }

    /// Whether it can show in this plan.
    ///
    /// # Errors
    /// What the plan lacks, and the shipped drills that have it.
    pub fn fits(self, plan: &Plan) -> Result<(), String> {
        let Some(lacks) = self.lacks(plan) else {
            return Ok(());
        };
        Err(format!(
            "the sabotage `{self}` cannot show in `{}`: {lacks}; it fits {}",
            plan.name,
            self.drills().join(", ")
        ))
    }

    /// Shipped drills that it fits; a test holds them against [`Sabotage::fits`].
    pub fn drills(self) -> &'static [&'static str] {
        match self {
            Sabotage::LoseAcknowledgedWrite
            | Sabotage::ReorderWrites
            | Sabotage::NoFencing
            | Sabotage::SlowRecovery
            | Sabotage::PartialGoodput => &["site-failure", "site-failback", "replication-lag"],
            Sabotage::Relapse => &["site-failure"],
            Sabotage::SkipRestore | Sabotage::RestoreStaleBackup => &[
                "data-corruption",
                "system-failure",
                "natural-disaster",
                "backup-verification",
            ],
            Sabotage::AckBeforeFsync => &["store-crash"],
            Sabotage::LeaveFault => &["node-drain", "node-maintenance"],
        }
    }

    /// What is missing for it, if anything.
    fn lacks(self, plan: &Plan) -> Option<&'static str> {
        let Target::Embedded(embedded) = &plan.target else {
            return Some("only stand-in sites can be made to misbehave");
        };
        let fault = |is: fn(&FaultKind) -> bool| plan.has_fault(is);
        // Clients are served by the first site before anything is broken.
        let failover =
            moves(embedded) && fault(|kind| matches!(kind, FaultKind::SiteFailure { site: 0 }));
        let restore = plan.has_step(|step| matches!(step, RecoveryStep::Restore { .. }));
        let (there, lacks) = match self {
            Sabotage::LoseAcknowledgedWrite | Sabotage::ReorderWrites => (
                failover && plan.drill.ledger.is_some(),
                "it needs a ledger, and a site-failure of the first site, after which a director fails over",
            ),
            Sabotage::SlowRecovery | Sabotage::PartialGoodput => (
                failover,
                "it needs a site-failure of the first site, after which a director fails over",
            ),
            // It strikes after the recovery has been confirmed, and its own windows have to be seen.
            Sabotage::Relapse => (
                failover && plan.after_faults() > plan.drill.recovery.window * 2,
                "it needs a site-failure of the first site, after which a director fails over, and more than two \
                 windows of load behind the phase of the fault, before a failback",
            ),
            Sabotage::NoFencing => (
                failover && plan.drill.ledger.is_some(),
                "it needs a ledger, and a first site that comes back after a director has failed over",
            ),
            Sabotage::SkipRestore => (restore, "it needs a restore"),
            Sabotage::RestoreStaleBackup => (
                restore && embedded.backups.is_some_and(|backups| backups.keep > 1),
                "it needs a restore, and more than one backup that is kept",
            ),
            Sabotage::AckBeforeFsync => (
                fault(|kind| matches!(kind, FaultKind::StoreCrash { .. }))
                    && plan.drill.ledger.is_some(),
                "it needs a ledger and a store-crash: the loss of a site hides it behind the lag",
            ),
            Sabotage::LeaveFault => (
                fault(|kind| matches!(kind, FaultKind::NodeDrain { .. })),
                "it needs a node-drain, whose end is not its own",
            ),
        };
        (!there).then_some(lacks)
    }
}

/// A director moves clients to a site that follows.
fn moves(embedded: &Embedded) -> bool {
    let automatic = |director: &Director| director.automatic;
    embedded.director.as_ref().is_some_and(automatic) && embedded.replication.is_some()
}

impl Plan {
    fn has_fault(&self, is: fn(&FaultKind) -> bool) -> bool {
        self.drill.actions.iter().any(|action| match &action.act {
            Act::Fault(fault) => is(&fault.kind),
            Act::Step(_) | Act::ReadBack { .. } => false,
        })
    }

    /// How long the load goes on behind the last phase with a fault, or until clients are led back.
    fn after_faults(&self) -> Duration {
        let faults = self.drill.actions.iter().filter(|own| match own.act {
            Act::Fault(_) => true,
            Act::Step(_) | Act::ReadBack { .. } => false,
        });
        let last = faults.map(|own| own.phase).max().unwrap_or(0);
        let leads_back = |phase: &usize| {
            let mut own = self.drill.actions.iter().filter(|own| own.phase == *phase);
            own.any(|own| matches!(own.act, Act::Step(RecoveryStep::FailBack { .. })))
        };
        (last + 1..self.timeline.len())
            .take_while(|phase| !leads_back(phase))
            .map(|phase| self.timeline[phase].length)
            .sum()
    }

    fn has_step(&self, is: fn(&RecoveryStep) -> bool) -> bool {
        self.drill.actions.iter().any(|action| match &action.act {
            Act::Step(step) => is(step),
            Act::Fault(_) | Act::ReadBack { .. } => false,
        })
    }
}

impl fmt::Display for Sabotage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A word that is no sabotage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no sabotage; {remedy}")]
pub struct UnknownSabotage {
    word: String,
    remedy: String,
}

impl FromStr for Sabotage {
    type Err = UnknownSabotage;

    fn from_str(word: &str) -> Result<Sabotage, UnknownSabotage> {
        let found = Sabotage::ALL.into_iter().find(|own| own.as_str() == word);
        found.ok_or_else(|| UnknownSabotage {
            word: word.to_owned(),
            remedy: choices(word, "sabotages", Sabotage::ALL.map(Sabotage::as_str)),
        })
    }
}
