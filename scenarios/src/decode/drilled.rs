//! Objectives of drills: recovery time, recovery point, and what the ledger counts.

use std::time::Duration;

use super::fields::Fields;
use super::objective::Known;
use super::reader::Reader;
use super::resource::is_none;
use crate::grammar::judged;
use crate::plan::{
    Act, Action, DataCounter, Drill, Ledger, Objective, Over, Profile, RecoveryStep, Refusal,
    Source, Subject,
};
use crate::text::tree::{Item, Node};

/// What an item of the list says about a drill; `None` when it is an objective of another kind.
pub(super) fn subjects(
    reader: &Reader<'_>,
    item: &Item,
    known: &Known<'_>,
) -> Option<Vec<Objective>> {
    let is = |word: &str| item.get(word).is_some();
    let counter = DataCounter::ALL
        .into_iter()
        .find(|counter| is(counter.as_str()));
    let other = ["rto", "rpo", "refusal", "suite"].into_iter().any(is);
    if counter.is_none() && !other {
        return None;
    }
    let fields = Fields::open(reader, item, &judged::OBJECTIVE)?;
    fields.refuse(
        &["below", "of", "class", "operation", "in", "over", "abort"],
        "this kind of objective",
        "it looks at the whole run, and its limit is its value",
    );
    let subjects = match counter {
        Some(counter) => data(&fields, counter),
        None if is("refusal") => refusal(&fields, known).into_iter().collect(),
        None if is("suite") => suite(&fields).into_iter().collect(),
        None => times(&fields, known),
    };
    // The id of a budget is made of the other's.
    let id = fields.get("id").and_then(|item| reader.tag(item));
    let own = |subject: Subject| Objective {
        id: id.clone().unwrap_or_default(),
        subject,
        phases: Vec::new(),
        over: Over::Phase,
        abort: false,
    };
    Some(subjects.into_iter().map(own).collect())
}

fn data(fields: &Fields<'_>, counter: DataCounter) -> Vec<Subject> {
    fields.refuse(
        &["budget", "fault", "within", "recovered"],
        "a counter of the ledger",
        "its limit is its value, over the whole run",
    );
    let at_most = fields.count(counter.as_str(), 0);
    at_most
        .map(|at_most| Subject::Data {
            counter,
            at_most: u64::from(at_most),
        })
        .into_iter()
        .collect()
}

/// The procedure's limit, and the scenario's own beside it.
fn times(fields: &Fields<'_>, known: &Known<'_>) -> Vec<Subject> {
    let reader = fields.reader;
    fields.refuse(
        &["within", "recovered"],
        "this kind of objective",
        "its limit is its value",
    );
    let fault = match fields.get("fault") {
        Some(item) => match reader.reference(item, "fault or step", known.ids) {
            Some(index) => Some(index),
            None => return Vec::new(),
        },
        None => None,
    };
    let rto = fields.get("rto");
    if let (Some(index), Some(item)) = (fault, fields.get("fault"))
        && !is_judged(&known.actions[index].act, rto.is_some())
    {
        reader.problem(
            item.place,
            format!("`{}` is no fault", known.actions[index].id),
            "name a fault (or, of an rto, a fail-back, of an rpo, a restore into another site), or leave it out: then the worst of \
             all is judged",
        );
    }
    let limit = rto.or(fields.get("rpo"));
    let none = limit.filter(|item| is_none(item));
    let below = limit
        .filter(|_| none.is_none())
        .and_then(|item| reader.length(item));
    let budget = fields.length("budget");
    if let (Some(none), false) = (none, fields.has("budget")) {
        reader.problem(
            none.place,
            "nothing would be judged",
            "write the scenario's own limit beside it: budget: 5s",
        );
    }
    if let (Some(below), Some(budget)) = (below, budget)
        && budget > below
    {
        reader.problem(
            fields.key_place("budget"),
            "the budget is more than the procedure allows",
            "write what the design of the target implies: it is tighter",
        );
    }
    let subject = |below, source| match rto {
        Some(_) => Subject::Rto {
            fault,
            below,
            source,
        },
        None => Subject::Rpo {
            fault,
            below,
            source,
        },
    };
    let procedure = below.map(|below| subject(below, Source::Procedure));
    let whose = none.map_or(Source::Budget, |_| Source::Own);
    let own = budget.map(|below| subject(below, whose));
    procedure.into_iter().chain(own).collect()
}

/// A way back moves clients as a fault does, and takes no data with it.
fn is_judged(act: &Act, by_time: bool) -> bool {
    match act {
        Act::Fault(_) => true,
        Act::Step(RecoveryStep::FailBack { .. }) => by_time,
        // What a backup lacks is its age.
        Act::Step(step) if step.is_test() => !by_time,
        Act::Step(_) | Act::ReadBack { .. } => false,
    }
}

/// What a fault does, refused in time.
fn refusal(fields: &Fields<'_>, known: &Known<'_>) -> Option<Subject> {
    let reader = fields.reader;
    fields.refuse(&["budget"], "`refusal`", "it has `within` and `recovered`");
    let item = fields.get("refusal")?;
    // The code of a queue is that of a flood.
    let all = Refusal::ALL
        .into_iter()
        .filter(|own| *own != Refusal::Queue);
    let words: Vec<_> = all.map(|own| (own.code().to_string(), own)).collect();
    let words: Vec<_> = words
        .iter()
        .map(|(word, own)| (word.as_str(), *own))
        .collect();
    let refusal = reader.word(item, "refusal codes", &words)?;
    let fault = match fields.get("fault") {
        Some(item) => reader.reference(item, "fault or step", known.ids)?,
        None => only(fields, known, refusal)?,
    };
    if !matches!(known.actions[fault].act, Act::Fault(_)) {
        let message = format!("`{}` is no fault", known.actions[fault].id);
        reader.problem(item.place, message, "name a fault");
    }
    let (within, recovered) = limits(fields);
    let own = asked(&known.actions[fault]);
    let refusal = own
        .filter(|own| own.code() == refusal.code())
        .unwrap_or(refusal);
    Some(Subject::Refusal {
        fault,
        refusal,
        within,
        recovered,
    })
}

/// What the action is to be refused with.
fn asked(action: &Action) -> Option<Refusal> {
    match &action.act {
        Act::Fault(fault) => fault.kind.refusal(),
        Act::Step(_) | Act::ReadBack { .. } => None,
    }
}

/// The only fault that asks for this code.
fn only(fields: &Fields<'_>, known: &Known<'_>, refusal: Refusal) -> Option<usize> {
    let asks = |index: &usize| {
        asked(&known.actions[*index]).is_some_and(|own| own.code() == refusal.code())
    };
    let all: Vec<usize> = (0..known.actions.len()).filter(asks).collect();
    if let [only] = all.as_slice() {
        return Some(*only);
    }
    if known.ids.complete {
        fields.reader.problem(
            fields.place,
            format!("{} faults ask for the code {}", all.len(), refusal.code()),
            "name the one that is meant: fault: ID",
        );
    }
    None
}

fn suite(fields: &Fields<'_>) -> Option<Subject> {
    fields.refuse(
        &["budget", "fault"],
        "`suite`",
        "it looks at all faults that other objectives name",
    );
    let (within, recovered) = limits(fields);
    Some(Subject::Suite {
        share: fields.share("suite")?,
        within,
        recovered,
    })
}

/// Until the first right refusal, and until service is back.
fn limits(fields: &Fields<'_>) -> (Duration, Duration) {
    let own = |key, default| fields.length(key).unwrap_or(Duration::from_secs(default));
    (own("within", 1), own("recovered", 5))
}

/// Whether answers and records say what the counter needs.
pub(super) fn can_count(counter: DataCounter, ledger: &Ledger, profile: &Profile) -> bool {
    match counter {
        DataCounter::SplitBrain | DataCounter::Behind => profile.identity.is_some(),
        DataCounter::Reordered => ledger.position.is_some(),
        DataCounter::Lost
        | DataCounter::Unexpected
        | DataCounter::Duplicated
        | DataCounter::Stale
        | DataCounter::Holes
        | DataCounter::LostAfterStop
        | DataCounter::Corrupt
        | DataCounter::Unread
        | DataCounter::Unbalanced => true,
    }
}

/// With a ledger, nothing may be wrong with the data, whether the scenario says so or not. What may be lost is
/// the matter of the recovery point, and nothing where there is no objective on that.
pub(super) fn add_defaults(
    fields: &Fields<'_>,
    drill: &Drill,
    profile: &Profile,
    objectives: &mut Vec<Objective>,
    items: &mut Vec<Item>,
) {
    let Some(ledger) = &drill.ledger else {
        return;
    };
    let has = |is: &dyn Fn(&Subject) -> bool| objectives.iter().any(|known| is(&known.subject));
    let may_lose = has(&|subject| matches!(subject, Subject::Rpo { .. }));
    let missing: Vec<DataCounter> = DataCounter::ALL
        .into_iter()
        .filter(|counter| {
            let stated = |subject: &Subject| matches!(subject, Subject::Data { counter: own, .. } if own == counter);
            let free = *counter == DataCounter::Lost && may_lose;
            !has(&stated) && !free && can_count(*counter, ledger, profile)
        })
        .collect();
    for counter in missing {
        objectives.push(Objective {
            id: String::new(),
            subject: Subject::Data {
                counter,
                at_most: 0,
            },
            phases: Vec::new(),
            over: Over::Phase,
            abort: false,
        });
        items.push(Item {
            node: Node::Map(Vec::new()),
            place: fields.key_place("timeline"),
        });
    }
}
