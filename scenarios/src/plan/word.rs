//! What faults and steps are called in scenarios, recordings and reports, and which site they are for.

use super::{Act, FaultKind, Link, Plan, RecoveryStep, Replication, Target};

impl Act {
    /// The word of its kind.
    pub fn word(&self) -> &'static str {
        match self {
            Act::Fault(fault) => fault.kind.word(),
            Act::Step(step) => step.word(),
            Act::ReadBack { .. } => "read-back",
        }
    }
}

impl FaultKind {
    pub fn word(&self) -> &'static str {
        match self {
            FaultKind::PodKill(_) => "pod-kill",
            FaultKind::PodPause(_) => "pod-pause",
            FaultKind::PodTerminate(_) => "pod-terminate",
            FaultKind::StoreCrash { .. } => "store-crash",
            FaultKind::NodeDrain { .. } => "node-drain",
            FaultKind::NodeLoss { .. } => "node-loss",
            FaultKind::RollingRestart { .. } => "rolling-restart",
            FaultKind::Scale { .. } => "scale",
            FaultKind::SiteFailure { .. } => "site-failure",
            FaultKind::DataCorruption { .. } => "data-corruption",
            FaultKind::SystemFailure { .. } => "system-failure",
            FaultKind::NaturalDisaster { .. } => "natural-disaster",
            FaultKind::BackupLost { .. } => "backup-lost",
            FaultKind::BackupDamaged { .. } => "backup-damaged",
            FaultKind::ReplicationPause => "replication-pause",
            FaultKind::Network { .. } => "network",
            FaultKind::Command(_) => "command",
            FaultKind::SlowPod { .. } => "slow-pod",
            FaultKind::MemoryExhaustion(_) => "memory-exhaustion",
            FaultKind::QueueExhaustion(_) => "queue-exhaustion",
            FaultKind::CpuSaturation(_) => "cpu-saturation",
            FaultKind::DiskFull { .. } => "disk-full",
            FaultKind::ClockJump { .. } => "clock-jump",
            FaultKind::CertificateExpiry { .. } => "certificate-expiry",
            FaultKind::Hostile { manner, .. } => manner.word(),
        }
    }

    /// The site that it is done to; `None` for what lies between sites and for commands.
    pub fn site(&self) -> Option<usize> {
        match self {
            FaultKind::PodKill(victims)
            | FaultKind::PodPause(victims)
            | FaultKind::PodTerminate(victims)
            | FaultKind::SlowPod { victims, .. }
            | FaultKind::MemoryExhaustion(victims)
            | FaultKind::QueueExhaustion(victims)
            | FaultKind::CpuSaturation(victims) => Some(victims.site),
            FaultKind::StoreCrash { site }
            | FaultKind::NodeDrain { site, .. }
            | FaultKind::NodeLoss { site, .. }
            | FaultKind::RollingRestart { site }
            | FaultKind::Scale { site, .. }
            | FaultKind::SiteFailure { site }
            | FaultKind::DataCorruption { site, .. }
            | FaultKind::SystemFailure { site }
            | FaultKind::NaturalDisaster { site }
            | FaultKind::BackupLost { site }
            | FaultKind::BackupDamaged { site }
            | FaultKind::DiskFull { site }
            | FaultKind::CertificateExpiry { site }
            | FaultKind::Hostile { site, .. } => Some(*site),
            FaultKind::Network { link, .. } => match link {
                Link::Clients { site } | Link::Store { site } => Some(*site),
                Link::Replication => None,
            },
            FaultKind::ReplicationPause | FaultKind::Command(_) | FaultKind::ClockJump { .. } => {
                None
            }
        }
    }

    /// The whole site is down.
    pub fn takes_site(&self) -> bool {
        match self {
            FaultKind::SiteFailure { .. }
            | FaultKind::SystemFailure { .. }
            | FaultKind::NaturalDisaster { .. } => true,
            FaultKind::PodKill(_)
            | FaultKind::PodPause(_)
            | FaultKind::PodTerminate(_)
            | FaultKind::StoreCrash { .. }
            | FaultKind::NodeDrain { .. }
            | FaultKind::NodeLoss { .. }
            | FaultKind::RollingRestart { .. }
            | FaultKind::Scale { .. }
            | FaultKind::DataCorruption { .. }
            | FaultKind::BackupLost { .. }
            | FaultKind::BackupDamaged { .. }
            | FaultKind::ReplicationPause
            | FaultKind::Network { .. }
            | FaultKind::Command(_)
            | FaultKind::SlowPod { .. }
            | FaultKind::MemoryExhaustion(_)
            | FaultKind::QueueExhaustion(_)
            | FaultKind::CpuSaturation(_)
            | FaultKind::DiskFull { .. }
            | FaultKind::ClockJump { .. }
            | FaultKind::CertificateExpiry { .. }
            | FaultKind::Hostile { .. } => false,
        }
    }

    /// Whether what is served cannot be touched by it: of backups none is.
    #[must_use]
    pub fn spares_data(&self) -> bool {
        matches!(
            self,
            FaultKind::BackupLost { .. } | FaultKind::BackupDamaged { .. }
        )
    }

    /// What it took or changed does not come back by undoing it: recovery steps or a replica have to.
    pub fn takes_data(&self) -> bool {
        match self {
            FaultKind::DataCorruption { .. }
            | FaultKind::SystemFailure { .. }
            | FaultKind::NaturalDisaster { .. } => true,
            FaultKind::PodKill(_)
            | FaultKind::PodPause(_)
            | FaultKind::PodTerminate(_)
            | FaultKind::StoreCrash { .. }
            | FaultKind::NodeDrain { .. }
            | FaultKind::NodeLoss { .. }
            | FaultKind::RollingRestart { .. }
            | FaultKind::Scale { .. }
            | FaultKind::SiteFailure { .. }
            | FaultKind::BackupLost { .. }
            | FaultKind::BackupDamaged { .. }
            | FaultKind::ReplicationPause
            | FaultKind::Network { .. }
            | FaultKind::Command(_)
            | FaultKind::SlowPod { .. }
            | FaultKind::MemoryExhaustion(_)
            | FaultKind::QueueExhaustion(_)
            | FaultKind::CpuSaturation(_)
            | FaultKind::DiskFull { .. }
            | FaultKind::ClockJump { .. }
            | FaultKind::CertificateExpiry { .. }
            | FaultKind::Hostile { .. } => false,
        }
    }

    /// Held until it is undone; the others end by themselves, or stay until recovery steps bring back what they took.
    pub fn lasts(&self) -> bool {
        match self {
            FaultKind::PodPause(_)
            | FaultKind::NodeDrain { .. }
            | FaultKind::NodeLoss { .. }
            | FaultKind::Scale { .. }
            | FaultKind::SiteFailure { .. }
            | FaultKind::BackupLost { .. }
            | FaultKind::BackupDamaged { .. }
            | FaultKind::ReplicationPause
            | FaultKind::Network { .. }
            | FaultKind::Command(_)
            | FaultKind::SlowPod { .. }
            | FaultKind::MemoryExhaustion(_)
            | FaultKind::QueueExhaustion(_)
            | FaultKind::CpuSaturation(_)
            | FaultKind::DiskFull { .. }
            | FaultKind::ClockJump { .. }
            | FaultKind::CertificateExpiry { .. }
            | FaultKind::Hostile { .. } => true,
            FaultKind::PodKill(_)
            | FaultKind::PodTerminate(_)
            | FaultKind::StoreCrash { .. }
            | FaultKind::RollingRestart { .. }
            | FaultKind::DataCorruption { .. }
            | FaultKind::SystemFailure { .. }
            | FaultKind::NaturalDisaster { .. } => false,
        }
    }
}

impl RecoveryStep {
    /// Whether clients may get other data after it: what a command does, nobody knows.
    #[must_use]
    pub fn moves_data(&self) -> bool {
        match self {
            RecoveryStep::Restore { .. } => !self.is_test(),
            RecoveryStep::Promote { .. }
            | RecoveryStep::Reroute { .. }
            | RecoveryStep::Rebuild { .. }
            | RecoveryStep::FailBack { .. }
            | RecoveryStep::Command(_) => true,
            RecoveryStep::Fence { .. } | RecoveryStep::VerifyBackups { .. } => false,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            RecoveryStep::Fence { .. } => "fence",
            RecoveryStep::Promote { .. } => "promote",
            RecoveryStep::Rebuild { .. } => "rebuild",
            RecoveryStep::Restore { .. } => "restore",
            RecoveryStep::VerifyBackups { .. } => "verify-backups",
            RecoveryStep::Reroute { .. } => "reroute",
            RecoveryStep::FailBack { .. } => "fail-back",
            RecoveryStep::Command(_) => "command",
        }
    }

    /// The site that it brings back.
    pub fn site(&self) -> Option<usize> {
        match self {
            RecoveryStep::Fence { site }
            | RecoveryStep::Promote { site }
            | RecoveryStep::Rebuild { site }
            | RecoveryStep::Restore { site, .. }
            | RecoveryStep::VerifyBackups { site }
            | RecoveryStep::Reroute { site }
            | RecoveryStep::FailBack { site } => Some(*site),
            RecoveryStep::Command(_) => None,
        }
    }
}

impl RecoveryStep {
    /// A backup is put to the test: it goes into a site that it is not of.
    pub fn is_test(&self) -> bool {
        matches!(self, RecoveryStep::Restore { site, of, .. } if site != of)
    }
}

impl Plan {
    /// How one site follows another, where the stand-in does that.
    pub fn replication(&self) -> Option<Replication> {
        match &self.target {
            Target::Embedded(embedded) => embedded.replication,
            Target::Endpoint(_) => None,
        }
    }

    /// The name of a site of the stand-in; empty for a target without sites.
    pub fn site_name(&self, site: usize) -> &str {
        match &self.target {
            Target::Embedded(embedded) => embedded
                .sites
                .get(site)
                .map_or("", |site| site.name.as_str()),
            Target::Endpoint(_) => "",
        }
    }
}
