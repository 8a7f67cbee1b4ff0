//! A recording judged and shown again, from its folder alone.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use firedrill_reports::result::Trial;
use firedrill_reports::{
    CapacityDocument, Recording, ResultDocument, capacity, programme, recording, render,
};

use super::{exit_of_verdict, say};
use crate::cli::RecordingOptions;
use crate::exit::Exit;
use crate::observe::progress::note;

/// Judges the recording and writes every output.
pub fn judge(options: &RecordingOptions) -> anyhow::Result<Exit> {
    if capacity::is_capacity(&options.run) {
        let found = conclude_capacity(&options.run)?;
        say(&render::capacity_lines(&found));
        return Ok(exit_of_verdict(found.verdict));
    }
    let result = conclude(&options.run, options.strict)?;
    tell(&result);
    say_verdict(&result);
    Ok(exit_of_verdict(result.verdict))
}

/// Writes the outputs again and says where the report is.
pub fn report(options: &RecordingOptions) -> anyhow::Result<Exit> {
    match capacity::is_capacity(&options.run) {
        true => drop(conclude_capacity(&options.run)?),
        false => drop(conclude(&options.run, options.strict)?),
    }
    say(&format!("{}\n", options.run.join("report.html").display()));
    Ok(Exit::Pass)
}

/// Reads a run's folder, judges it and writes the outputs into it. The same folder gives the same bytes.
pub fn conclude(folder: &Path, strict: bool) -> anyhow::Result<ResultDocument> {
    if programme::is_programme(folder) {
        return conclude_programme(folder, strict);
    }
    conclude_run(folder, strict).map(|(_, result)| result)
}

fn conclude_run(folder: &Path, strict: bool) -> anyhow::Result<(Recording, ResultDocument)> {
    let recording = recording::read(folder)
        .with_context(|| format!("`{}` cannot be judged", folder.display()))?;
    let result = firedrill_reports::judge(&recording, strict.then_some(true));
    for (name, bytes) in render::outputs(&recording, &result) {
        write(&folder.join(name), bytes)?;
    }
    Ok((recording, result))
}

/// The same for the folder of a search for capacity: every trial's outputs, and those over all of them. One recording
/// at a time is in memory.
pub fn conclude_capacity(folder: &Path) -> anyhow::Result<CapacityDocument> {
    let unfit = || format!("`{}` cannot be judged", folder.display());
    let recorded = capacity::read(folder).with_context(unfit)?;
    let of = |attempt: &capacity::Attempt| {
        let (recording, result) = conclude_run(&folder.join(&attempt.folder), false)?;
        let form = recorded.begun.form;
        Ok(firedrill_reports::trial(attempt, &recording, &result, form))
    };
    let trials: anyhow::Result<Vec<Trial>> = recorded.attempts.iter().map(of).collect();
    let found = firedrill_reports::judge_capacity(&recorded, trials?);
    for (name, bytes) in render::capacity_outputs(&recorded.begun.about, &found) {
        write(&folder.join(name), bytes)?;
    }
    Ok(found)
}

/// The same for the folder of several drills: each one's outputs too.
fn conclude_programme(folder: &Path, strict: bool) -> anyhow::Result<ResultDocument> {
    let recorded = programme::read(folder)
        .with_context(|| format!("`{}` cannot be judged", folder.display()))?;
    let judged = firedrill_reports::judge_programme(&recorded, strict.then_some(true));
    for (name, bytes) in render::programme_outputs(&recorded, &judged) {
        write(&folder.join(name), bytes)?;
    }
    Ok(judged.result)
}

fn write(path: &Path, bytes: Vec<u8>) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("`{}` cannot be written", path.display()))
}

/// What became of the load, and what was found: beside the verdict, for people.
pub fn tell(result: &ResultDocument) {
    render::notes(result).iter().for_each(|line| note(line));
}

/// One line a check, and the verdict as the last word.
pub fn say_verdict(result: &ResultDocument) {
    say(&format!(
        "{}verdict: {}\n",
        render::lines(result),
        result.verdict
    ));
}
