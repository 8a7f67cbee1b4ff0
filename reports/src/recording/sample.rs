//! What is sampled once a second.

use serde::{Deserialize, Serialize};

/// A line of `series.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Nanoseconds since the run's start.
    pub at_ns: u64,
    /// See [`series`].
    pub series: String,
    pub value: f64,
}

impl Sample {
    /// The head line's fields.
    pub const HEADER: [&'static str; 3] = ["at_ns", "series", "value"];

    /// A line's fields. The error says in words what does not fit.
    pub fn parse(fields: &[&str]) -> Result<Sample, String> {
        let [at, series, value] = fields else {
            return Err(format!("{} fields where 3 belong", fields.len()));
        };
        let number: f64 = value
            .parse()
            .map_err(|_| format!("`{value}` is no number"))?;
        if !number.is_finite() {
            return Err(format!("`{value}` is no finite number"));
        }
        Ok(Sample {
            at_ns: at
                .parse()
                .map_err(|_| format!("`{at}` is no time in nanoseconds"))?,
            series: (*series).to_owned(),
            value: number,
        })
    }
}

/// Names of series that the harness samples each second.
pub mod series {
    /// p99 of lateness of what was dispatched in this second, nanoseconds; absent when nothing was.
    pub const LATENESS_P99: &str = "generator.lateness_p99_ns";
    /// Share of the second that thread N was busy: `generator.busy.N`.
    pub const BUSY: &str = "generator.busy.";
    /// Nanoseconds that thread N waited for a core: `generator.run_delay_ns.N`.
    pub const RUN_DELAY: &str = "generator.run_delay_ns.";
    /// Nanoseconds in which the load thread that was held longest did not come to run.
    pub const LOST: &str = "generator.lost_ns";
    /// Involuntary context switches of thread N: `generator.involuntary.N`.
    pub const INVOLUNTARY: &str = "generator.involuntary.";
    /// Share of the second that something waited for a core (`/proc/pressure/cpu`, some).
    pub const CPU_PRESSURE: &str = "generator.cpu_pressure";
    /// Resident memory of firedrill, bytes.
    pub const RSS: &str = "generator.rss_bytes";
    /// TCP segments sent again, whole machine.
    pub const RETRANSMITS: &str = "generator.retransmits";
    /// Connections that were not made or broke in this second.
    pub const SOCKET_ERRORS: &str = "generator.socket_errors";
    /// Open connections.
    pub const CONNECTIONS: &str = "generator.connections";
    /// Operations under way.
    pub const IN_FLIGHT: &str = "generator.in_flight";
    /// Sessions opened so far.
    pub const SESSIONS: &str = "generator.sessions_opened";
    /// Resident memory of all processes of the target, bytes; where they run on this machine.
    pub const TARGET_RSS: &str = "target.rss_bytes";
    /// Probe values: `probe.PROBE.SERIES`. A second without a sample is a silent probe.
    pub const PROBE: &str = "probe.";
}
