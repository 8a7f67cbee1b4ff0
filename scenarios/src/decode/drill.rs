//! What counts as recovered, how much may be broken, and everything of a drill together.

use std::path::PathBuf;
use std::time::Duration;

use super::fields::Fields;
use super::ledger;
use super::load::Loads;
use super::objective::quantile;
use super::reader::Names;
use crate::grammar::recovery as grammar;
use crate::plan::{Action, BlastRadius, Drill, Profile, Recovery};
use crate::text::unit;

pub(crate) fn drill(
    fields: &Fields<'_>,
    actions: Vec<Action>,
    loads: &Loads,
    profile: &Profile,
    bucket: Duration,
    sites: &Names,
) -> Drill {
    Drill {
        actions,
        recovery: recovery(fields, bucket),
        limits: limits(fields, sites),
        ledger: ledger::ledger(fields, loads, profile),
        incident_flag: fields.text("incident_flag").map(PathBuf::from),
    }
}

fn recovery(fields: &Fields<'_>, bucket: Duration) -> Recovery {
    let default = Recovery::default();
    let reader = fields.reader;
    let Some(item) = fields.get("recovery") else {
        return default;
    };
    let Some(own) = Fields::open(reader, item, &grammar::RECOVERY) else {
        return default;
    };
    let window = own.length("window").unwrap_or(default.window);
    if !window.as_nanos().is_multiple_of(bucket.as_nanos().max(1)) {
        reader.problem(
            own.key_place("window"),
            "a window is a whole number of buckets",
            format!("write a multiple of {}", unit::duration_text(bucket)),
        );
    }
    let errors = own.share("errors").unwrap_or(default.errors);
    if errors <= 0.0 || errors >= 1.0 {
        reader.problem(
            own.key_place("errors"),
            "this share tells a good service from no bad one",
            "write a share above 0 % and below 100 %: 0.5 %",
        );
    }
    let quantile = own.get("latency").and_then(|item| quantile(reader, item));
    Recovery {
        window,
        errors,
        quantile: quantile.unwrap_or(default.quantile),
        below: own.length("below").unwrap_or(default.below),
    }
}

fn limits(fields: &Fields<'_>, sites: &Names) -> BlastRadius {
    let default = BlastRadius::default();
    let own = fields
        .get("limits")
        .and_then(|item| Fields::open(fields.reader, item, &grammar::LIMITS));
    let Some(own) = own else {
        return default;
    };
    BlastRadius {
        sites: own.count("sites", 0).unwrap_or(default.sites),
        pods: own.share("pods").unwrap_or(default.pods),
        served_by: served_by(&own, sites),
    }
}

/// Sites that may answer clients.
fn served_by(own: &Fields<'_>, sites: &Names) -> Option<Vec<usize>> {
    let reader = own.reader;
    let items = reader.list(own.get("served_by")?, "a list of sites")?;
    let named = items.iter();
    Some(
        named
            .filter_map(|item| reader.reference(item, "site", sites))
            .collect(),
    )
}
