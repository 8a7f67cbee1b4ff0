//! The outputs of a programme: those of each drill in its own folder, and one of each kind over everything.

use super::{compliance, html, junit, outputs, result_json, summary};
use crate::judge::Judged;
use crate::programme::{Recorded, folder_of};

/// Every output, by its path in the programme's folder.
pub fn programme_outputs(recorded: &Recorded, judged: &Judged) -> Vec<(String, Vec<u8>)> {
    let drills = recorded.drills.iter().zip(&judged.drills);
    let mut all: Vec<(String, Vec<u8>)> = drills
        .filter_map(|(drill, result)| Some((drill, drill.recording()?, result.as_ref()?)))
        .flat_map(|(drill, recording, result)| {
            let folder = folder_of(&drill.name);
            let own = outputs(recording, result).into_iter();
            own.map(move |(name, bytes)| (format!("{folder}/{name}"), bytes))
        })
        .collect();
    let compliance = compliance::of_programme(recorded, judged);
    let result = &judged.result;
    all.extend([
        ("result.json".to_owned(), result_json(result)),
        (
            "report.html".to_owned(),
            html::programme_report(recorded, judged, &compliance),
        ),
        ("junit.xml".to_owned(), junit(result)),
        ("summary.md".to_owned(), summary(result).into_bytes()),
        ("compliance.json".to_owned(), compliance::json(&compliance)),
    ]);
    all
}
