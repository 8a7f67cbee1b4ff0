use firedrill_scenarios::plan::DataCounter;

use super::*;
use crate::ledger::entry::Entry as _;

const MS: u64 = 1_000_000;

fn write_entries<E: crate::ledger::entry::Entry>(path: &Path, entries: &[E]) {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| entry.write(&mut bytes));
    std::fs::write(path, bytes).unwrap();
}

/// What these records add up to, as the reader would have it.
fn paid_in(clients: &Clients, records: impl Iterator<Item = (u32, u64)>) -> u64 {
    let amount = |(client, sequence): (u32, u64)| {
        u64::from(ledger_amount(ledger_value(&clients.name(client), sequence)))
    };
    records.map(amount).sum()
}

/// Ten writes of one client, one each 10 ms; the last three are not there any more.
#[test]
fn what_was_lost_is_listed_and_the_recovery_point_is_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let attempts: Vec<Attempt> = (1..=10)
        .map(|sequence| Attempt {
            client: 4,
            sequence,
            sent: sequence * 10 * MS - MS,
            ended: sequence * 10 * MS,
            fate: Fate::Acknowledged,
            site: 0,
            epoch: 1,
        })
        .collect();
    write_entries(&folder.path().join(ATTEMPTS), &attempts);
    let found: Vec<Found> = (1..=7)
        .map(|sequence| Found {
            client: 4,
            sequence,
            position: sequence,
            epoch: 1,
            value_fits: true,
        })
        .collect();
    for number in 1..=2 {
        write_entries(&folder.path().join(format!("after-{number}.bin")), &found);
    }
    let clients = Clients::new("t", 1);
    let accounts = Accounts {
        folder: folder.path(),
        clients: &clients,
        sites: vec!["primary".to_owned(), "dr".to_owned()],
        promotions: vec![Promotion {
            at: 150 * MS,
            site: 1,
            epoch: 2,
        }],
    };
    let pass = |began| Pass {
        began,
        complete: true,
    };
    let read = Read {
        id: "after".to_owned(),
        site: "dr".to_owned(),
        passes: [pass(500 * MS), pass(510 * MS)],
        stored: paid_in(&clients, (1..=7).map(|sequence| (4, sequence))),
        foreign: 3,
        place: ReadPlace::Serving,
        fault: Some(Broken {
            id: "down".to_owned(),
            stop: Stop {
                t0: 95 * MS,
                until: Some(150 * MS),
                site: Some(0),
            },
            shared_with: None,
        }),
    };
    let path = folder.path().join("ledger.jsonl");
    accounts.write(&[read], &path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<LedgerLine> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let lost: Vec<u64> = lines
        .iter()
        .filter_map(|line| match line {
            LedgerLine::Write {
                class: DataCounter::Lost,
                sequence,
                ..
            } => Some(*sequence),
            _ => None,
        })
        .collect();
    assert_eq!(lost, [8, 9, 10]);
    let Some(LedgerLine::Data {
        counts,
        point: Some(point),
        ..
    }) = lines.last()
    else {
        panic!("{text}");
    };
    assert_eq!((counts.attempted, counts.lost, counts.holes), (10, 3, 0));
    assert_eq!((counts.unbalanced, counts.foreign), (0, 3));
    assert_eq!(
        (point.t_stop, point.recovered_to),
        (100 * MS, Some(70 * MS))
    );
    assert_eq!((point.rpo, point.rpo_lower), (30 * MS, Some(20 * MS)));
}

/// What a read-back counted, and the recovery point of the fault that it is about.
type Told = (DataCounts, Option<RecoveryPoint>);

/// One client's writes, acknowledged at these instants, and read-backs that each found the writes of these numbers.
fn told_of(acknowledged: &[u64], reads: &[(Read, &[u64])]) -> Vec<Told> {
    let folder = tempfile::tempdir().unwrap();
    let attempts = acknowledged.iter().zip(1..).map(|(at, sequence)| Attempt {
        client: 4,
        sequence,
        sent: at - MS,
        ended: *at,
        fate: Fate::Acknowledged,
        site: 0,
        epoch: 1,
    });
    let attempts: Vec<Attempt> = attempts.collect();
    write_entries(&folder.path().join(ATTEMPTS), &attempts);
    let clients = Clients::new("t", 1);
    for (read, numbers) in reads {
        let found = numbers.iter().map(|sequence| Found {
            client: 4,
            sequence: *sequence,
            position: *sequence,
            epoch: 1,
            value_fits: true,
        });
        let found: Vec<Found> = found.collect();
        for number in 1..=2 {
            let path = folder.path().join(format!("{}-{number}.bin", read.id));
            write_entries(&path, &found);
        }
    }
    let accounts = Accounts {
        folder: folder.path(),
        clients: &clients,
        sites: vec!["primary".to_owned(), "dr".to_owned()],
        promotions: Vec::new(),
    };
    let path = folder.path().join("ledger.jsonl");
    let reads: Vec<Read> = reads.iter().map(|(read, _)| read.clone()).collect();
    accounts.write(&reads, &path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter_map(|line| match line {
            LedgerLine::Data { counts, point, .. } => Some((*counts, point)),
            LedgerLine::Write { .. } => None,
        })
        .collect()
}

/// A read-back at `began` about a fault at `t0`.
fn read(id: &str, began: u64, fault: Option<(&str, u64)>, place: ReadPlace) -> Read {
    let pass = Pass {
        began,
        complete: true,
    };
    Read {
        id: id.to_owned(),
        site: "dr".to_owned(),
        passes: [pass; 2],
        stored: 0,
        foreign: 0,
        place,
        fault: fault.map(|(id, t0)| Broken {
            id: id.to_owned(),
            stop: Stop {
                t0,
                until: None,
                site: None,
            },
            shared_with: None,
        }),
    }
}

/// Six writes, 10 ms apart, and a fault after each three: the first takes 3, the second takes 6.
#[test]
fn a_fault_is_not_charged_with_what_was_gone_before_it() {
    let at = [10, 20, 30, 110, 120, 130].map(|at| at * MS);
    let point = |first: Option<(&str, u64)>, place: ReadPlace, then: &[u64]| {
        let reads: [(Read, &[u64]); 2] = [
            (read("one", 70 * MS, first, place), &[1, 2]),
            (
                read(
                    "two",
                    200 * MS,
                    Some(("second", 135 * MS)),
                    ReadPlace::Serving,
                ),
                then,
            ),
        ];
        let told = told_of(&at, &reads);
        let (counts, point) = &told[1];
        let point = point.clone().unwrap();
        (
            counts.lost,
            counts.lost_before,
            counts.holes,
            point.rpo / MS,
        )
    };
    let first = Some(("first", 35 * MS));
    let kept = [1, 2, 4, 5];
    assert_eq!(point(first, ReadPlace::Serving, &kept), (2, 1, 0, 15));
    // What the first read-back had found is missed now, by the second fault.
    assert_eq!(point(first, ReadPlace::Serving, &[1, 4, 5]), (3, 1, 1, 125));
    // What no fault answered for, the same fault missed, or a standby lacked, has to be found again.
    assert_eq!(point(None, ReadPlace::Serving, &kept), (2, 0, 1, 115));
    let same = Some(("second", 135 * MS));
    assert_eq!(point(same, ReadPlace::Serving, &kept), (2, 0, 1, 115));
    assert_eq!(point(first, ReadPlace::Standby, &kept), (2, 0, 1, 115));
}

#[test]
fn what_a_standby_lacks_is_behind_and_not_lost() {
    let at = [10, 20, 30, 40].map(|at| at * MS);
    let counted = |fault: Option<(&str, u64)>, place: ReadPlace| {
        let told = told_of(&at, &[(read("own", 100 * MS, fault, place), &[1])]);
        let counts = &told[0].0;
        (counts.lost, counts.lost_after_stop, counts.behind)
    };
    assert_eq!(counted(None, ReadPlace::Serving), (3, 0, 0));
    assert_eq!(counted(None, ReadPlace::Standby), (0, 0, 3));
    // What a fault may have taken back is lost there, too.
    let fault = Some(("down", 25 * MS));
    assert_eq!(counted(fault, ReadPlace::Serving), (1, 2, 0));
    assert_eq!(counted(fault, ReadPlace::Standby), (1, 0, 2));
}

/// Sixteen clients that write in turn; the newest hundred writes are gone.
fn write_ledger(folder: &Path, writes: u64) {
    let mut attempts = BufWriter::new(File::create(folder.join(ATTEMPTS)).unwrap());
    let pass = |number| File::create(folder.join(format!("after-{number}.bin"))).unwrap();
    let mut passes = [1, 2].map(|number| BufWriter::new(pass(number)));
    let mut bytes = Vec::new();
    for number in 1..=writes {
        let (client, sequence) = ((number % 16) as u32, number / 16);
        bytes.clear();
        let attempt = Attempt {
            client,
            sequence,
            sent: number * MS - MS / 2,
            ended: number * MS,
            fate: Fate::Acknowledged,
            site: 0,
            epoch: 1,
        };
        attempt.write(&mut bytes);
        attempts.write_all(&bytes).unwrap();
        if number + 100 > writes {
            continue;
        }
        bytes.clear();
        let found = Found {
            client,
            sequence,
            position: number,
            epoch: 1,
            value_fits: true,
        };
        found.write(&mut bytes);
        for pass in &mut passes {
            pass.write_all(&bytes).unwrap();
        }
    }
}

/// The most resident memory that the accounts of so many writes needed, in KiB.
fn peak_of(writes: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    write_ledger(folder.path(), writes);
    let clients = Clients::new("t", 1);
    let accounts = Accounts {
        folder: folder.path(),
        clients: &clients,
        sites: vec!["primary".to_owned()],
        promotions: Vec::new(),
    };
    let began = (writes + 1000) * MS;
    let read = Read {
        id: "after".to_owned(),
        site: "primary".to_owned(),
        passes: [Pass {
            began,
            complete: true,
        }; 2],
        stored: paid_in(
            &clients,
            (1..=writes - 100).map(|number| ((number % 16) as u32, number / 16)),
        ),
        foreign: 0,
        place: ReadPlace::Serving,
        fault: Some(Broken {
            id: "down".to_owned(),
            stop: Stop {
                t0: writes * MS,
                until: None,
                site: None,
            },
            shared_with: None,
        }),
    };
    // From here on the kernel notes a new peak.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let path = folder.path().join("ledger.jsonl");
    accounts.write(&[read], &path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let last: LedgerLine = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let LedgerLine::Data { counts, .. } = last else {
        panic!("{last:?}");
    };
    assert_eq!((counts.attempted, counts.lost), (writes, 100));
    assert_eq!(counts.unbalanced, 0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim().trim_end_matches(" kB");
    peak.parse().unwrap()
}

#[test]
#[ignore = "a minute, and alone in its process: a lane of its own"]
fn ten_million_writes_need_no_more_memory_than_four_million() {
    let few = peak_of(4_000_000);
    let many = peak_of(10_000_000);
    println!("peak of 4 million writes: {few} KiB, of 10 million: {many} KiB");
    assert!(many < few + 16 * 1024, "{few} KiB grew to {many} KiB");
}
