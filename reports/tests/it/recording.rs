//! What is written is read back as it was; what does not fit is refused with its file and line.

use std::collections::BTreeMap;

use firedrill_evidence::ledger::Counts;
use firedrill_reports::Recording;
use firedrill_reports::recording::{
    Bucket, Event, FaultStage, Group, JournalEntry, JournalLine, JournalWriter, LedgerLine,
    LedgerWriter, MANIFEST, MOST_WRITES, Manifest, Mark, Measure, Memory, ReadBackStage, ReadPlace,
    RecordingError, StepStage, Tag, Timed, file,
};
use firedrill_scenarios::Outcome;
use firedrill_scenarios::outcome::{ConnectFailure, NotSent};
use firedrill_scenarios::plan::DataCounter;
use proptest::prelude::*;

use super::synthetic::{Run, SECOND, SHORT};

fn refused(files: &Memory) -> String {
    match Recording::read(files) {
        Ok(_) => panic!("it was read"),
        Err(error) => error.to_string(),
    }
}

fn changed(change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Memory {
    let mut files = Run::good(SHORT, 10).files();
    change(&mut files.0);
    files
}

/// Without the manifest a change is not seen by its sum, and the parsers have to see it.
fn unsealed(name: &str, change: impl FnOnce(String) -> String) -> Memory {
    changed(|files| {
        files.remove(MANIFEST);
        let text = String::from_utf8(files.remove(name).unwrap()).unwrap();
        files.insert(name.to_owned(), change(text).into_bytes());
    })
}

#[test]
fn counts_and_times_are_read_back() {
    let recording = Run::good(SHORT, 50).recording();
    assert!(recording.sealed);
    assert_eq!(recording.buckets.iter().map(Bucket::due).sum::<u64>(), 500);
    let times = recording
        .latency
        .sum(|tag| tag.measure == Measure::Response);
    assert_eq!(times.len(), 500);
    assert_eq!(recording.latency.intervals.len(), 10);
    let first = &recording.latency.intervals[0];
    assert_eq!(
        (first.start, first.length, first.ok_of_all()),
        (1_500_000_000, 1_000_000_000, 50)
    );
    assert!(first.response.p99.unwrap().abs_diff(3_000_000) < 3_000);
    assert!(recording.totals().is_some());
}

#[test]
fn a_changed_file_is_named() {
    let files = changed(|files| files.get_mut(file::BUCKETS).unwrap().push(b'\n'));
    assert_eq!(
        refused(&files),
        "`buckets.csv` was changed after the run was recorded: restore it, or run again"
    );
    let files = changed(|files| {
        files.remove(file::LATENCY);
    });
    assert!(refused(&files).starts_with("`latency.hlog` was removed"));
    let files = changed(|files| {
        files.insert("sources/rows.csv".into(), b"a\n1\n".to_vec());
    });
    assert!(refused(&files).starts_with("`sources/rows.csv` was added"));
}

#[test]
fn outputs_are_no_part_of_what_was_recorded() {
    let files = changed(|files| {
        files.insert("result.json".into(), b"{}".to_vec());
    });
    assert!(Recording::read(&files).is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let files = changed(|files| {
        files.remove(MANIFEST);
        files.remove(file::EVENTS);
    });
    assert_eq!(
        refused(&files),
        "`events.jsonl` is missing: this is no run's folder, or not all of one"
    );
}

#[test]
fn a_newer_layout_is_refused_before_its_events_are_looked_at() {
    let files = unsealed(file::EVENTS, |text| {
        text.replace(
            "\"recording_version\":1",
            "\"recording_version\":2,\"new\":1",
        )
        .replace("timeline_started", "something_new")
    });
    assert!(
        refused(&files).starts_with("the recording has layout 2, and this firedrill reads up to 1")
    );
}

#[test]
fn a_line_that_does_not_fit_is_named() {
    let second_line = |text: String, from: &str, to: &str| {
        let (head, rest) = text.split_once('\n').unwrap();
        format!("{head}\n{}", rest.replacen(from, to, 1))
    };
    let cases = [
        (
            unsealed(file::BUCKETS, |text| second_line(text, "ok=10", "okay=10")),
            "`buckets.csv` line 2: `okay` is no outcome",
        ),
        (
            unsealed(file::BUCKETS, |text| second_line(text, "ok=10", "ok=9")),
            "`buckets.csv` line 2: due, ok, failed",
        ),
        (
            unsealed(file::BUCKETS, |text| second_line(text, "steady", "stedy")),
            "`buckets.csv` line 2: the plan has no phase `stedy`",
        ),
        (
            unsealed(file::BUCKETS, |text| text.replacen("due", "do", 1)),
            "`buckets.csv` line 1: the head line is not",
        ),
        (
            unsealed(file::SAMPLES, |text| second_line(text, "0.02", "none")),
            "`series.csv` line",
        ),
        (
            unsealed(file::EVENTS, |text| second_line(text, "{", "[")),
            "`events.jsonl` line 2",
        ),
        (
            unsealed(file::LATENCY, |text| {
                text.replacen(":response,", ":respnse,", 1)
            }),
            "`latency.hlog` line",
        ),
        (
            unsealed(file::LATENCY, |text| text.replacen("HISTF", "HIST!", 1)),
            "`latency.hlog` line",
        ),
        (
            unsealed(file::PLAN, |text| text.replace("scenario:", "scenari:")),
            "`plan.yaml` is no valid plan",
        ),
    ];
    for (files, expected) in cases {
        let error = refused(&files);
        assert!(error.starts_with(expected), "{error}");
    }
}

/// firedrill was killed while it wrote: what it wrote last is cut off, the rest is read.
#[test]
fn a_torn_line_at_the_end_of_a_killed_run_is_left_out() {
    for name in [file::EVENTS, file::BUCKETS, file::LATENCY, file::SAMPLES] {
        let files = unsealed(name, |mut text| {
            text.truncate(text.len() - 5);
            text
        });
        let recording = Recording::read(&files).unwrap();
        assert!(!recording.sealed, "{name}");
    }
}

#[test]
fn an_error_tells_what_kind_it_is() {
    let files = changed(|files| files.get_mut(file::PLAN).unwrap().push(b'#'));
    assert!(matches!(
        Recording::read(&files),
        Err(RecordingError::Changed { .. })
    ));
}

#[test]
fn other_readers_find_a_log_that_they_know() {
    let files = Run::good(SHORT, 10).files();
    let text = String::from_utf8(files.0[file::LATENCY].clone()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("#[Histogram log format version 1.3]"));
    assert!(text.contains("#[StartTime: 1795418100.000 (seconds since epoch)]"));
    assert!(text.contains("\nTag=steady:echo:ok:response,1.500,1.000,"));
    // The cookie of a V2 histogram, deflated, in base64.
    assert!(text.lines().last().unwrap().contains(",HISTF"));
}

fn name() -> impl Strategy<Value = String> {
    "[a-z%:, /.\\-\u{e9}\u{2003}\t]{1,12}"
}

proptest! {
    #[test]
    fn a_tag_reads_back_as_itself(phase in name(), series in name(), group in 0..3_usize, measure in 0..8_usize) {
        let tag = Tag { phase, series, group: Group::ALL[group], measure: Measure::ALL[measure] };
        let text = tag.to_string();
        prop_assert!(!text.contains([',', ' ', '\n', '\r', '\t']));
        prop_assert_eq!(text.parse::<Tag>(), Ok(tag));
    }

    #[test]
    fn a_bucket_reads_back_as_itself(
        bucket in 0_u64..100_000, phase in name(), series in name(),
        ok in 1_u64..1000, refused in 0_u64..100, unsent in 0_u64..100, ours in 0_u64..50, over in 0_u64..1000,
    ) {
        let outcomes = BTreeMap::from([
            (Outcome::Ok, ok),
            (Outcome::Connect(ConnectFailure::Refused), refused),
            (Outcome::NotSent(NotSent::InFlightLimit), unsent),
            (Outcome::RpcError(-32601), 1),
        ]);
        let all = ok + refused + unsent + 1;
        let bucket = Bucket {
            bucket, phase, series, outcomes, ours: ours.min(all), ours_failed: ours.min(all) / 2,
            over: vec![over.min(ok), 0], ours_over: vec![over.min(ok) / 3, 0],
        };
        let row = bucket.row(2);
        let fields: Vec<&str> = row.iter().map(String::as_str).collect();
        prop_assert_eq!(Bucket::parse(&fields, 2), Ok(bucket));
    }
}

// ---- drills ----

fn ledger_and_journal() -> (Vec<LedgerLine>, Vec<JournalLine>) {
    let lost = |sequence| LedgerLine::Write {
        read_back: "read-back".into(),
        class: DataCounter::Lost,
        client: "7f3a-0-1".into(),
        sequence,
        acknowledged: Some(3 * SECOND),
        site: Some("primary".into()),
        epoch: Some(1),
    };
    let counts = Counts {
        lost: 1_500,
        foreign: 3,
        ..Counts::default()
    };
    let mut ledger: Vec<LedgerLine> = (0..1_500).map(lost).collect();
    ledger.push(LedgerLine::Data {
        read_back: "read-back".into(),
        fault: Some("site-failure".into()),
        site: "dr".into(),
        place: ReadPlace::Serving,
        shared_with: None,
        counts: Box::new(counts.into()),
        point: None,
    });
    let entries = [
        JournalEntry::Intent {
            what: "power off primary".into(),
            undo: serde_json::json!({ "power": "primary" }),
        },
        JournalEntry::Applied,
        JournalEntry::Healed { by: "view".into() },
    ];
    let journal = entries.into_iter().map(|entry| JournalLine {
        at: Some(SECOND),
        fault: "site-failure".into(),
        step: 1,
        entry,
    });
    (ledger, journal.collect())
}

fn with_ledger_and_journal() -> Memory {
    let (ledger, journal) = ledger_and_journal();
    let mut files = Run::good(SHORT, 100).files();
    let mut writer = LedgerWriter::new(Vec::new());
    ledger.iter().for_each(|line| writer.write(line).unwrap());
    files.0.insert(file::LEDGER.into(), writer.into_inner());
    let mut writer = JournalWriter::new(Vec::new());
    journal.iter().for_each(|line| writer.write(line).unwrap());
    files.0.insert(file::JOURNAL.into(), writer.into_inner());
    files.0.remove(MANIFEST);
    files
}

#[test]
fn the_ledger_and_the_journal_are_read_where_they_are() {
    let mut files = with_ledger_and_journal();
    let manifest = Manifest::of(&files).unwrap();
    assert!(
        manifest.files.contains_key(file::LEDGER) && manifest.files.contains_key(file::JOURNAL)
    );
    files.0.insert(MANIFEST.into(), manifest.to_json());
    let recording = Recording::read(&files).unwrap();
    assert_eq!(recording.journal, ledger_and_journal().1);
    assert_eq!(
        (recording.ledger.data.len(), recording.ledger.writes.len()),
        (1, MOST_WRITES)
    );
    assert_eq!(
        (
            recording.ledger.data[0].counts.lost,
            recording.ledger.data[0].counts.foreign
        ),
        (1_500, 3)
    );
    let none = Run::good(SHORT, 100).recording();
    assert!(none.ledger.data.is_empty() && none.journal.is_empty());
}

#[test]
fn a_line_of_the_journal_that_a_crash_cut_off_is_no_line() {
    let mut files = with_ledger_and_journal();
    let journal = files.0.get_mut(file::JOURNAL).unwrap();
    journal.truncate(journal.len() - 9);
    journal.extend_from_slice(b"\n");
    let recording = Recording::read(&files).unwrap();
    assert_eq!(recording.journal, ledger_and_journal().1[..2]);
    let manifest = Manifest::of(&files).unwrap().to_json();
    files.0.insert(MANIFEST.into(), manifest);
    let refused = Recording::read(&files).unwrap_err().to_string();
    assert!(refused.starts_with("`journal.jsonl` line 3: "), "{refused}");
}

#[test]
fn events_of_drills_come_back_as_they_were_written() {
    let events = [
        Event::Fault {
            id: "kill#2".into(),
            fault: "pod-kill".into(),
            on: "primary".into(),
            stage: FaultStage::EffectSeen {
                by: "health".into(),
            },
        },
        Event::Step {
            id: "restore".into(),
            step: "restore".into(),
            on: "dr".into(),
            stage: StepStage::Failed {
                reason: "no backup".into(),
            },
        },
        Event::ReadBack {
            id: "read-back".into(),
            site: "dr".into(),
            stage: ReadBackStage::Pass {
                number: 2,
                records: 7,
            },
        },
        Event::Mark {
            mark: Mark::RouteSwitched,
            fault: None,
            source: "director".into(),
            detail: String::new(),
        },
    ];
    for event in events {
        let timed = Timed { at: 7, event };
        let text = serde_json::to_string(&timed).unwrap();
        assert_eq!(
            serde_json::from_str::<Timed>(&text).unwrap(),
            timed,
            "{text}"
        );
    }
}
