//! What brings service back.

use std::time::Duration;

use super::action::{Begin, Draft, Stage, begin};
use super::fault;
use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::{recovery as grammar, timeline};
use crate::plan::{Act, BackupChoice, BackupPlace, Command, RecoveryStep, Start};
use crate::text::tree::Item;

pub(crate) static PLACES: [(&str, BackupPlace); 2] = [
    ("local", BackupPlace::Local),
    ("off-site", BackupPlace::OffSite),
];

pub(crate) static CHOICES: [(&str, BackupChoice); 2] = [
    ("newest-sound", BackupChoice::NewestSound),
    ("newest", BackupChoice::Newest),
];

/// A step of a phase; `before` is the action that it follows when it does not say.
pub(super) fn step<'a>(
    reader: &'a Reader<'a>,
    item: &'a Item,
    phase: usize,
    before: Option<usize>,
    stage: Stage<'_>,
) -> Option<Draft<'a>> {
    let fields = Fields::open(reader, item, &grammar::STEP)?;
    let start = begin(&fields, stage, before);
    let act = act(&fields, stage)?;
    Some(Draft {
        id: fields.get("id"),
        place: item.place,
        phase,
        start: start?,
        times: 1,
        every: Duration::ZERO,
        act,
    })
}

/// A read-back that stands between phases.
pub(super) fn read_back<'a>(
    reader: &'a Reader<'a>,
    item: &'a Item,
    phase: usize,
    start: Start,
    stage: Stage<'_>,
) -> Option<Draft<'a>> {
    let fields = Fields::open(reader, item, &timeline::READ_BACK)?;
    let site = serving_or(&fields, stage)?;
    Some(Draft {
        id: fields.get("id"),
        place: item.place,
        phase,
        start: Begin::Known(start),
        times: 1,
        every: Duration::ZERO,
        act: Act::ReadBack { site },
    })
}

/// The site of a read-back; the inner `None` is the one that serves.
fn serving_or(fields: &Fields<'_>, stage: Stage<'_>) -> Option<Option<usize>> {
    let item = fields.get("read-back")?;
    if fields.reader.scalar(item, "the name of a site")? == "serving" {
        return Some(None);
    }
    fields.reader.reference(item, "site", stage.sites).map(Some)
}

fn act(fields: &Fields<'_>, stage: Stage<'_>) -> Option<Act> {
    let reader = fields.reader;
    if fields.get("restore").is_none() {
        fields.refuse(
            &["from", "backup", "of"],
            "this step",
            "only `restore` takes a backup",
        );
    }
    if fields.has("read-back") {
        return serving_or(fields, stage).map(|site| Act::ReadBack { site });
    }
    if let Some(item) = fields.get("command") {
        return command(reader, item).map(|command| Act::Step(RecoveryStep::Command(command)));
    }
    let site = |word| {
        let item = fields.get(word)?;
        reader.reference(item, "site", stage.sites)
    };
    let step = if fields.has("fence") {
        RecoveryStep::Fence {
            site: site("fence")?,
        }
    } else if fields.has("promote") {
        RecoveryStep::Promote {
            site: site("promote")?,
        }
    } else if fields.has("rebuild") {
        RecoveryStep::Rebuild {
            site: site("rebuild")?,
        }
    } else if fields.has("verify-backups") {
        RecoveryStep::VerifyBackups {
            site: site("verify-backups")?,
        }
    } else if fields.has("reroute") {
        RecoveryStep::Reroute {
            site: site("reroute")?,
        }
    } else if fields.has("fail-back") {
        RecoveryStep::FailBack {
            site: site("fail-back")?,
        }
    } else {
        restore(fields, stage)?
    };
    Some(Act::Step(step))
}

fn restore(fields: &Fields<'_>, stage: Stage<'_>) -> Option<RecoveryStep> {
    let reader = fields.reader;
    let from = match fields.get("from") {
        Some(item) => reader.word(item, "places of backups", &PLACES)?,
        None => BackupPlace::Local,
    };
    let backup = match fields.get("backup") {
        Some(item) => reader.word(item, "choices of a backup", &CHOICES)?,
        None => BackupChoice::NewestSound,
    };
    let site = reader.reference(fields.get("restore")?, "site", stage.sites)?;
    let of = match fields.get("of") {
        Some(item) => reader.reference(item, "site", stage.sites)?,
        None => site,
    };
    Some(RecoveryStep::Restore {
        site,
        of,
        from,
        backup,
    })
}

fn command(reader: &Reader<'_>, item: &Item) -> Option<Command> {
    let fields = Fields::open(reader, item, &grammar::STEP_COMMAND)?;
    let check = match fields.get("check") {
        Some(_) => fault::words(&fields, "check")?,
        None => Vec::new(),
    };
    Some(Command {
        inject: fault::words(&fields, "run")?,
        heal: Vec::new(),
        check,
        timeout: fault::timeout(&fields),
    })
}
