//! Counters of a pod or of a whole site, and how they are shown.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::site::Profile;

/// What is counted. A site's are the sums over its pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Open client connections. erlmcp shows this gauge under a counter's name.
    pub connections: u64,
    pub connections_capacity: u64,
    /// JSON-RPC requests since the start.
    pub requests: u64,
    /// Requests that were not answered with a result.
    pub errors: u64,
    /// Operations that wait for capacity.
    pub queue: u64,
    pub queue_capacity: u64,
    /// Operations that are worked on.
    pub running: u64,
    pub capacity: u64,
    pub sessions: u64,
    pub sessions_capacity: u64,
}

enum Kind {
    Counter,
    Gauge,
}

impl Counters {
    pub(crate) fn add(self, other: Counters) -> Counters {
        Counters {
            connections: self.connections + other.connections,
            connections_capacity: self.connections_capacity + other.connections_capacity,
            requests: self.requests + other.requests,
            errors: self.errors + other.errors,
            queue: self.queue + other.queue,
            queue_capacity: self.queue_capacity + other.queue_capacity,
            running: self.running + other.running,
            capacity: self.capacity + other.capacity,
            sessions: self.sessions + other.sessions,
            sessions_capacity: self.sessions_capacity + other.sessions_capacity,
        }
    }

    /// Use against capacity.
    pub(crate) fn usage(&self) -> Value {
        let share = |used: u64, capacity: u64| json!({ "used": used, "capacity": capacity });
        json!({
            "connections": share(self.connections, self.connections_capacity),
            "sessions": share(self.sessions, self.sessions_capacity),
            "queue": share(self.queue, self.queue_capacity),
            "operations": share(self.running, self.capacity),
        })
    }

    /// The Prometheus text exposition. erlmcp's own code joins its lines without newlines, so that a
    /// parser sees one comment and no sample; the profile of that name does the same.
    pub(crate) fn exposition(&self, profile: Profile) -> String {
        let end = match profile {
            Profile::Sop => "\n",
            Profile::Erlmcp => "",
        };
        let mut text = String::with_capacity(1_024);
        for (name, kind, help, value) in self.named() {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "# HELP {name} {help}{end}# TYPE {name} {kind}{end}{name} {value}{end}"
            );
        }
        text
    }

    fn named(&self) -> [(&'static str, Kind, &'static str, u64); 10] {
        use Kind::{Counter, Gauge};
        [
            (
                "erlmcp_connections_total",
                Gauge,
                "Open client connections.",
                self.connections,
            ),
            (
                "erlmcp_connections_capacity",
                Gauge,
                "Connections that fit.",
                self.connections_capacity,
            ),
            (
                "erlmcp_requests_total",
                Counter,
                "JSON-RPC requests.",
                self.requests,
            ),
            (
                "erlmcp_errors_total",
                Counter,
                "Requests without a result.",
                self.errors,
            ),
            (
                "erlmcp_queue_length",
                Gauge,
                "Operations that wait.",
                self.queue,
            ),
            (
                "erlmcp_queue_capacity",
                Gauge,
                "Operations that may wait.",
                self.queue_capacity,
            ),
            (
                "erlmcp_operations_running",
                Gauge,
                "Operations being worked on.",
                self.running,
            ),
            (
                "erlmcp_operations_capacity",
                Gauge,
                "Operations worked on at once.",
                self.capacity,
            ),
            ("erlmcp_sessions", Gauge, "Open sessions.", self.sessions),
            (
                "erlmcp_sessions_capacity",
                Gauge,
                "Sessions that fit.",
                self.sessions_capacity,
            ),
        ]
    }
}
