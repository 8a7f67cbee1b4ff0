//! The target's memory against the number of sessions that it has opened, as far as it is seen: the resident memory of
//! processes on this machine, or a metric that a probe reads. Sessions end as fast as they are opened, so that memory
//! which follows their number was not given back.
//!
//! It rests on a correlation. What grows with operations, or with time, grows with sessions as well where they are opened
//! at a steady pace: see docs/reports.md.

use firedrill_scenarios::plan::{Probe, ProbeFormat};

use super::Signature;
use crate::judge::view::View;
use crate::recording::series;

/// Fewer readings, or sessions, show nothing.
const ENOUGH_READINGS: usize = 12;
const ENOUGH_SESSIONS: f64 = 100.0;
/// Less is noise of an allocator.
const LEAST_BYTES: f64 = 1_048_576.0;
const LEAST_SHARE: f64 = 0.1;
/// A session that has ended and costs less has left an entry in a table.
const LEAST_A_SESSION: f64 = 1024.0;
/// Of the variance of memory, as far as the number of sessions explains it.
const EXPLAINED: f64 = 0.8;

/// A run that broke something is not looked at: processes that end and begin change their memory for other reasons.
pub fn of_run(view: &View<'_>) -> Option<Signature> {
    if !view.recording.plan.drill.actions.is_empty() {
        return None;
    }
    let sessions = view.recording.sampled(series::SESSIONS);
    let measured = |at: u64| {
        let phases = view.phases.iter().filter(|phase| phase.measured);
        phases
            .filter_map(|phase| phase.ran.as_ref())
            .any(|ran| ran.contains(&at))
    };
    let probes = &view.recording.plan.probes;
    let names = view.recording.samples.keys();
    let shows = names.filter(|name| is_memory(name, probes));
    shows
        .filter_map(|name| {
            let readings = view
                .recording
                .sampled(name)
                .iter()
                .filter(|(at, _)| measured(*at));
            let points: Vec<Point> = readings
                .filter_map(|(at, bytes)| {
                    let newest = sessions
                        .partition_point(|(seen, _)| seen <= at)
                        .checked_sub(1)?;
                    Some(Point {
                        sessions: sessions[newest].1,
                        bytes: *bytes,
                    })
                })
                .collect();
            seen(name, &points)
        })
        .next_back()
}

/// A series that holds the memory that the target uses, by its name: what processes have, or a metric that is called so
/// by the target or by the scenario.
fn is_memory(name: &str, probes: &[Probe]) -> bool {
    if name == series::TARGET_RSS {
        return true;
    }
    let Some(name) = name.strip_prefix(series::PROBE) else {
        return false;
    };
    let metric = probes.iter().find_map(|probe| {
        let own = name.strip_prefix(&probe.name)?.strip_prefix('.')?;
        let ProbeFormat::Prometheus(metrics) = &probe.format else {
            return None;
        };
        let (_, metric) = metrics.iter().find(|(word, _)| word == own)?;
        Some(metric.as_str())
    });
    // Labels say whose it is, and not what.
    let word = |name: &str| {
        name.split('{')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let name = format!("{} {}", word(name), word(metric.unwrap_or_default()));
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    has(&["memory", "resident", "rss"])
        && has(&["bytes"])
        && !has(&["limit", "max", "free", "available", "virtual", "peak"])
}

#[derive(Clone, Copy, Debug)]
struct Point {
    sessions: f64,
    bytes: f64,
}

/// A straight line through points, by least squares.
struct Line {
    slope: f64,
    /// From 0 to 1.
    explained: f64,
}

impl Line {
    fn through(points: &[Point]) -> Option<Line> {
        let count = points.len() as f64;
        let mean = |value: fn(&Point) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (across, up) = (mean(|own| own.sessions), mean(|own| own.bytes));
        let sum = |value: &dyn Fn(&Point) -> f64| points.iter().map(value).sum::<f64>();
        let xx = sum(&|own| (own.sessions - across).powi(2));
        let yy = sum(&|own| (own.bytes - up).powi(2));
        let xy = sum(&|own| (own.sessions - across) * (own.bytes - up));
        (xx > 0.0 && yy > 0.0).then(|| Line {
            slope: xy / xx,
            explained: xy * xy / (xx * yy),
        })
    }
}

/// `points` in the order of time.
fn seen(name: &str, points: &[Point]) -> Option<Signature> {
    if points.len() < ENOUGH_READINGS {
        return None;
    }
    let (first, last) = (points.first()?, points.last()?);
    let sessions = last.sessions - first.sessions;
    let line = Line::through(points)?;
    let growth = line.slope * sessions;
    let (early, late) = points.split_at(points.len() / 2);
    let goes_on = Line::through(late)?.slope >= Line::through(early)?.slope / 2.0;
    let large =
        growth >= LEAST_BYTES.max(first.bytes * LEAST_SHARE) && line.slope >= LEAST_A_SESSION;
    (sessions >= ENOUGH_SESSIONS && large && line.explained >= EXPLAINED && goes_on).then(|| {
        Signature::MemoryGrowth {
            series: name.to_owned(),
            sessions: sessions as u64,
            bytes_before: first.bytes as u64,
            bytes_after: last.bytes as u64,
            bytes_per_session: line.slope as u64,
            explained: (line.explained * 1000.0).round() / 1000.0,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use firedrill_scenarios::plan::ProbeAt;

    use super::*;

    /// So many readings, twenty sessions between two of them.
    fn points(count: u32, bytes: impl Fn(f64) -> f64) -> Vec<Point> {
        let at = |index: u32| Point {
            sessions: 50.0 + f64::from(index) * 20.0,
            bytes: bytes(f64::from(index)),
        };
        (0..count).map(at).collect()
    }

    /// What a metric is, its own name says or the one that the scenario gave it.
    #[test]
    fn memory_is_known_by_either_of_its_names() {
        let named = |own: &str, metric: &str| {
            let probe = Probe {
                name: "site".to_owned(),
                at: ProbeAt::Path("/metrics".to_owned()),
                every: Duration::from_secs(1),
                format: ProbeFormat::Prometheus(vec![(own.to_owned(), metric.to_owned())]),
            };
            is_memory(&format!("probe.site.{own}"), &[probe])
        };
        assert!(named(
            "memory",
            "process_resident_memory_bytes{job=\"erlmcp\"}"
        ));
        assert!(named("memory_bytes", "total"));
        assert!(!named("memory", "process_virtual_memory_bytes"));
        assert!(!named("memory", "pages{unit=\"bytes\"}"));
        assert!(!is_memory("probe.other.queue", &[]));
    }

    const MIB: f64 = 1_048_576.0;

    #[test]
    fn memory_that_follows_the_number_of_sessions_is_named() {
        let noisy = |index: f64| 10.0 * MIB + index * 0.5 * MIB + (index % 3.0) * 0.2 * MIB;
        let found = seen("target.rss_bytes", &points(20, noisy));
        let Some(Signature::MemoryGrowth {
            sessions,
            bytes_per_session,
            explained,
            ..
        }) = found
        else {
            panic!("{found:?}");
        };
        assert_eq!(sessions, 380);
        assert!(
            (25_000..28_000).contains(&bytes_per_session),
            "{bytes_per_session}"
        );
        assert!(explained > 0.9);
    }

    #[test]
    fn memory_that_grows_otherwise_is_not() {
        // A warm-up: it grows to a size and stays there.
        let warm = |index: f64| 10.0 * MIB + (index * 2.0 * MIB).min(12.0 * MIB);
        assert_eq!(seen("m", &points(20, warm)), None);
        // A saw: what is collected was garbage.
        let saw = |index: f64| 10.0 * MIB + (index % 5.0) * 2.0 * MIB;
        assert_eq!(seen("m", &points(20, saw)), None);
        // Large, and hardly growing.
        assert_eq!(
            seen("m", &points(20, |index| 1000.0 * MIB + index * MIB)),
            None
        );
        assert_eq!(seen("m", &points(20, |_| 10.0 * MIB)), None);
        // Too few readings, or too few sessions.
        let grows = |index: f64| 10.0 * MIB + index * 0.5 * MIB;
        assert!(seen("m", &points(12, grows)).is_some());
        assert_eq!(seen("m", &points(11, grows)), None);
        let few: Vec<Point> = points(20, grows)
            .into_iter()
            .map(|own| Point {
                sessions: own.sessions / 4.0,
                ..own
            })
            .collect();
        assert_eq!(seen("m", &few), None);
    }

    #[test]
    fn a_metric_of_memory_is_known_by_its_name() {
        for name in [
            "target.rss_bytes",
            "probe.metrics.process_resident_memory_bytes",
            "probe.m.erlmcp_memory_bytes{node=\"a\"}",
        ] {
            assert!(is_memory(name, &[]), "{name}");
        }
        for name in [
            "generator.rss_bytes",
            "probe.m.memory_limit_bytes",
            "probe.m.bytes_sent",
            "probe.m.free_memory_bytes",
        ] {
            assert!(!is_memory(name, &[]), "{name}");
        }
    }
}
