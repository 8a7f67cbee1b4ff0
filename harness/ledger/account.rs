//! What became of the writes: attempts against what was read back, told as lines of `ledger.jsonl`. The
//! definitions are `firedrill_evidence::ledger`'s; here the files are put in order and the lines written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use firedrill_evidence::ledger::{
    self, Found as Finding, Pass, Promotion, ReadBack, Row, Stop, Tally,
};
use firedrill_reports::recording::{DataCounts, LedgerLine, ReadPlace, RecoveryPoint, counter_of};
use firedrill_scenarios::template::{ledger_amount, ledger_value};

use super::Clients;
use super::entry::{Attempt, Fate, Found, NOBODY};
use super::keeper::ATTEMPTS;
use super::missed::{Judged, Missed};
use super::sorted::{Entries, Sorted};

/// One read-back that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub id: String,
    /// The site that was read, by name.
    pub site: String,
    pub passes: [Pass; 2],
    /// What the amounts that the last pass read add up to.
    pub stored: u64,
    /// Records of others that it met.
    pub foreign: u64,
    pub place: ReadPlace,
    /// The newest fault before it.
    pub fault: Option<Broken>,
}

/// The fault that a read-back is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    pub id: String,
    pub stop: Stop,
    /// An earlier one after which nothing was read back, and which may have taken something too.
    pub shared_with: Option<String>,
}

/// What all read-backs of a run share.
pub struct Accounts<'a> {
    /// The ledger's folder.
    pub folder: &'a Path,
    pub clients: &'a Clients,
    /// Names of sites, as attempts count them.
    pub sites: Vec<String>,
    pub promotions: Vec<Promotion>,
}

impl Read {
    /// The newest of the `earlier` ones that says what was gone when the fault of this one began. Only what it charged
    /// another fault with counts: losses that no fault answered for have to be found again.
    fn before_its_fault<'a>(&self, earlier: &'a [Read]) -> Option<&'a Read> {
        let own = self.fault.as_ref()?;
        let counts = |read: &&Read| {
            let other = read.fault.as_ref().is_some_and(|fault| fault.id != own.id);
            other && read.place == ReadPlace::Serving && read.passes[1].began < own.stop.t0
        };
        earlier.iter().rfind(counts)
    }
}

impl Accounts<'_> {
    /// Writes the lines of every read-back to `path`.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write(&self, reads: &[Read], path: &Path) -> io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for (number, read) in reads.iter().enumerate() {
            let before = read.before_its_fault(&reads[..number]);
            self.account(read, before, &mut out)?;
        }
        out.flush()?;
        out.get_ref().sync_data()
    }

    fn account(&self, read: &Read, before: Option<&Read>, out: &mut impl Write) -> io::Result<()> {
        let last = match &read.fault {
            None => None,
            Some(fault) => {
                let attempts = Entries::<Attempt>::open(&self.attempts())?;
                Some(ledger::last_acknowledgements(
                    attempts.map(|attempt| self.known(attempt)),
                    &fault.stop,
                )?)
            }
        };
        let read_back = ReadBack {
            passes: read.passes,
            promotions: self.promotions.clone(),
            stored: read.stored,
            stop: last.map(|last| last.stop),
            standby: read.place == ReadPlace::Standby,
        };
        let mut missed = Missed::create(&self.missed(read))?;
        let mut written = Ok(());
        let mut tell = |finding: Finding| {
            if written.is_ok() {
                let noted = missed.note(&finding);
                written = noted.and_then(|()| self.line(read, finding, out));
            }
        };
        let tally: Tally = ledger::tally(
            self.judged(before)?,
            self.rows(read)?,
            &read_back,
            &mut tell,
        )?;
        let mut counts = DataCounts::from(tally.counts);
        // They are nobody's here, and were not kept.
        counts.foreign = read.foreign;
        let mut point = None;
        if let Some(last) = &last {
            let attempts = self.judged(before)?;
            let rows = self.rows(read)?;
            let found = ledger::point(attempts, rows, &read_back, &tally, last, &mut tell)?;
            if let Some(found) = found {
                counts.holes = found.holes;
                point = Some(RecoveryPoint::from(found));
            }
        }
        written?;
        missed.finish()?;
        let line = LedgerLine::Data {
            read_back: read.id.clone(),
            fault: read.fault.as_ref().map(|fault| fault.id.clone()),
            site: read.site.clone(),
            place: read.place,
            shared_with: read
                .fault
                .as_ref()
                .and_then(|fault| fault.shared_with.clone()),
            counts: Box::new(counts),
            point,
        };
        write_line(out, &line)
    }

    fn known(&self, attempt: io::Result<Attempt>) -> io::Result<ledger::Attempt> {
        let attempt = attempt?;
        let value = ledger_value(&self.clients.name(attempt.client), attempt.sequence);
        Ok(ledger::Attempt {
            client: attempt.client,
            sequence: attempt.sequence,
            sent: attempt.sent,
            acknowledged: (attempt.fate == Fate::Acknowledged).then_some(attempt.ended),
            // What was not sent is not in the file, and of what was sent only a fence's refusal is sure.
            failed: attempt.fate == Fate::Refused,
            missed_before: false,
            amount: ledger_amount(value),
            site: attempt.site,
            epoch: attempt.epoch,
        })
    }

    fn attempts(&self) -> PathBuf {
        self.folder.join(ATTEMPTS)
    }

    fn sorted(&self) -> io::Result<Sorted<Attempt>> {
        Sorted::of(&self.attempts())
    }

    /// All attempts in order, held against what `before` missed.
    fn judged(
        &self,
        before: Option<&Read>,
    ) -> io::Result<impl Iterator<Item = io::Result<ledger::Attempt>>> {
        let attempts = self.sorted()?.map(|attempt| self.known(attempt));
        let missed = before.map(|read| self.missed(read));
        Judged::new(attempts, missed.as_deref())
    }

    fn missed(&self, read: &Read) -> PathBuf {
        self.folder.join(format!("{}-missed.bin", read.id))
    }

    /// The records of both passes.
    fn rows(&self, read: &Read) -> io::Result<[impl Iterator<Item = io::Result<Row>> + use<>; 2]> {
        let pass = |number| -> io::Result<_> {
            let path = self.folder.join(format!("{}-{number}.bin", read.id));
            Ok(Sorted::<Found>::of(&path)?.map(stored))
        };
        Ok([pass(1)?, pass(2)?])
    }

    fn line(&self, read: &Read, finding: Finding, out: &mut impl Write) -> io::Result<()> {
        let attempt = finding.attempt;
        let site = attempt.and_then(|attempt| self.sites.get(usize::from(attempt.site)));
        let line = LedgerLine::Write {
            read_back: read.id.clone(),
            class: counter_of(finding.anomaly),
            client: self.clients.name(finding.client),
            sequence: finding.sequence,
            acknowledged: attempt.and_then(|attempt| attempt.acknowledged),
            site: site.cloned(),
            epoch: attempt
                .map(|attempt| attempt.epoch)
                .filter(|epoch| *epoch != 0),
        };
        write_line(out, &line)
    }
}

fn write_line(out: &mut impl Write, line: &LedgerLine) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn stored(found: io::Result<Found>) -> io::Result<Row> {
    let found = found?;
    Ok(Row {
        client: found.client,
        sequence: found.sequence,
        position: (found.position != 0).then_some(found.position),
        epoch: (found.epoch != 0).then_some(found.epoch),
        value_fits: found.value_fits,
        // The value says more than the checksum beside it: we know what it has to be.
        checksum_fits: found.value_fits,
    })
}

/// The site of an attempt that nobody put his name to is no site of the plan.
const _: () = assert!(NOBODY as usize > firedrill_erlmcp::world::SITES_MAX);

#[cfg(test)]
mod tests;
