//! What the conductor does about the drill: heeds its words, feeds it with buckets, and draws up its accounts.

use std::path::Path;

use firedrill_evidence::recovery::Slot;
use firedrill_reports::recording::{
    EarlyEnd, Event, FaultStage, ReadBackStage, Sample, StepStage, file,
};
use firedrill_scenarios::plan::{Drive, Target};

use super::drill::{Drill, Word};
use super::hands::Told;
use super::script::Seen;
use super::timeline::Happening;
use super::{Conductor, RunError};
use crate::clock::Nanos;
use crate::ledger::account::Accounts;
use crate::ledger::keeper::Keeper;
use crate::load::engine::Second;
use crate::observe::progress::note;

impl Conductor {
    /// Lets the drill see something, and does what it wants.
    pub(super) fn drill_sees(&mut self, seen: Seen) -> Result<(), RunError> {
        let now = self.clock.now();
        self.with_drill(|drill| drill.see(now, seen))
    }

    pub(super) fn drill_told(&mut self, told: Told) -> Result<(), RunError> {
        let now = self.clock.now();
        self.with_drill(|drill| drill.told(now, told))
    }

    fn with_drill(&mut self, act: impl FnOnce(&mut Drill) -> Vec<Word>) -> Result<(), RunError> {
        let words = self.drill.as_mut().map(act).unwrap_or_default();
        for word in words {
            match word {
                Word::Event(at, event) => {
                    self.say(at, &event);
                    self.event(at, *event)?;
                }
                Word::Waited(phase) => self.happen(Happening::Waited { phase })?,
                Word::Broken(id) => {
                    return Err(RunError::Broken(format!("the action `{id}` panicked")));
                }
                Word::NotSteady(reason) => {
                    self.warn(format!("not steady, nothing was broken: {reason}"))?;
                    self.end_early(EarlyEnd::NotSteady, reason)?;
                }
            }
        }
        Ok(())
    }

    /// Time has passed for the drill: what is due is begun, and the target is asked for its marks.
    pub(super) fn drill_ticks(&mut self) -> Result<(), RunError> {
        if let Some(drill) = &mut self.drill {
            drill.ask_marks();
        }
        self.drill_sees(Seen::Tick)?;
        let flag = self.plan.drill.incident_flag.as_deref();
        if self.early.is_none() && flag.is_some_and(Path::exists) {
            let text = "somebody has an incident of their own: their flag is up".to_owned();
            self.warn(text.clone())?;
            self.end_early(EarlyEnd::Incident, text)?;
        }
        Ok(())
    }

    /// What probes have seen: an action may wait for it.
    pub(super) fn drill_probed(&mut self, samples: &[Sample]) -> Result<(), RunError> {
        let now = self.clock.now();
        self.with_drill(|drill| drill.probed(now, samples))
    }

    /// Buckets that are complete, and answers from another site.
    pub(super) fn drill_counts(&mut self, second: &Second) -> Result<(), RunError> {
        if self.drill.is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        for (slot, measured) in self.slots(second) {
            self.with_drill(|drill| drill.bucket(slot, measured, now))?;
        }
        for (at, site) in second.answered.clone() {
            self.with_drill(|drill| drill.answered_by(at, site))?;
            self.look_who_serves(site)?;
        }
        Ok(())
    }

    /// Ends the run when a site answers that may not.
    fn look_who_serves(&mut self, site: u16) -> Result<(), RunError> {
        let site = usize::from(site);
        let may = self.plan.drill.limits.served_by.as_ref();
        if self.early.is_some() || may.is_none_or(|may| may.contains(&site)) {
            return Ok(());
        }
        let name = self.plan.site_name(site);
        let text = format!("clients are answered by {name}, which may not serve them");
        self.warn(text.clone())?;
        self.end_early(EarlyEnd::Aborted, text)
    }

    /// One slot a bucket, over the scheduled operations of all open loads.
    fn slots(&self, second: &Second) -> Vec<(Slot, bool)> {
        let below = self.plan.drill.recovery.below.as_nanos() as Nanos;
        let limit = self.layout.limits.iter().position(|own| *own == below);
        let counted = self.plan.series();
        let is_open = |load: usize| matches!(self.plan.loads[load].drive, Drive::Open(_));
        let zero = self.timeline.zero();
        let mut slots: Vec<(u64, Slot, bool)> = Vec::new();
        for (bucket, phase, cells) in &second.closed {
            let start = zero + bucket * self.layout.bucket;
            let measured = self.plan.timeline[*phase].measured;
            if slots.last().is_none_or(|(last, ..)| last != bucket) {
                let empty = Slot {
                    start,
                    end: start + self.layout.bucket,
                    due: 0,
                    failed: 0,
                    late: 0,
                };
                slots.push((*bucket, empty, measured));
            }
            let Some((_, slot, all_measured)) = slots.last_mut() else {
                continue;
            };
            *all_measured &= measured;
            for (series, cell) in counted.iter().zip(cells) {
                if series.scheduled && is_open(series.load) {
                    let (due, ok) = (cell.due(), cell.ok());
                    slot.due += due;
                    slot.failed += due - ok;
                    slot.late += limit.and_then(|at| cell.over.get(at)).copied().unwrap_or(0);
                }
            }
        }
        slots
            .into_iter()
            .map(|(_, slot, measured)| (slot, measured))
            .collect()
    }

    /// Writes what became of the writes. The keeper has to be closed first.
    pub(super) fn account(&mut self, keeper: Keeper) -> Result<(), RunError> {
        let folder = keeper.folder().to_owned();
        keeper.close().map_err(RunError::Ledger)?;
        let (Some(drill), Some(reading)) = (&self.drill, &self.reading) else {
            return Ok(());
        };
        let (reads, promotions) = drill.accounts();
        let sites = match &self.plan.target {
            Target::Embedded(embedded) => embedded
                .sites
                .iter()
                .map(|site| site.name.clone())
                .collect(),
            Target::Endpoint(_) => Vec::new(),
        };
        let accounts = Accounts {
            folder: &folder,
            clients: &reading.clients,
            sites,
            promotions: promotions.to_vec(),
        };
        let path = self.run_folder.join(file::LEDGER);
        accounts.write(&reads, &path).map_err(RunError::Ledger)
    }

    /// A line for whoever watches.
    fn say(&mut self, at: Nanos, event: &Event) {
        let Some(text) = in_words(event) else {
            return;
        };
        self.progress.clear();
        let since = self.timeline.since_start(at).unwrap_or(0) / 1_000_000_000;
        note(&format!(" {:02}:{:02} {text}", since / 60, since % 60));
    }
}

fn in_words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Fault {
            id,
            fault,
            on,
            stage,
        } => match stage {
            FaultStage::Injecting => format!("fault {id}: {fault} on {on}"),
            FaultStage::EffectSeen { by } => format!("fault {id}: in force, seen by {by}"),
            FaultStage::EffectNotSeen { reason } => format!("fault {id}: NOT in force: {reason}"),
            FaultStage::Healed { .. } => format!("fault {id}: healed"),
            FaultStage::Leftover { what } => format!("fault {id}: LEFT BEHIND: {what}"),
            FaultStage::Injected | FaultStage::Healing => return None,
        },
        Event::Step {
            id,
            step,
            on,
            stage,
        } => match stage {
            StepStage::Started => format!("step {id}: {step} {on}"),
            StepStage::Done { detail } => format!("step {id}: {detail}"),
            StepStage::Failed { reason } => format!("step {id}: FAILED: {reason}"),
        },
        Event::Mark {
            mark,
            source,
            detail,
            ..
        } => {
            let name = format!("{mark:?}");
            format!("{source}: {} {detail}", spaced(&name))
        }
        Event::ReadBack { id, site, stage } => match stage {
            ReadBackStage::Started => format!("read-back {id}: reading {site}"),
            ReadBackStage::Pass { number, records } => {
                format!("read-back {id}: pass {number}, {records} records")
            }
            ReadBackStage::Failed { reason } => format!("read-back {id}: FAILED: {reason}"),
            ReadBackStage::Done {
                sound: false,
                reason,
            } => {
                format!("read-back {id}: NOT SOUND: {reason}")
            }
            ReadBackStage::Done { sound: true, .. } => return None,
        },
        _ => return None,
    })
}

/// `RouteSwitched` as `route switched`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
