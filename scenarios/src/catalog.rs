//! The scenarios and programmes that are shipped inside the binary.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../catalog/", $name, ".yaml")))),*]
    };
}

const SHIPPED: &[(&str, &str)] = shipped![
    "smoke",
    "baseline",
    "spike",
    "ramp-to-limit",
    "capacity",
    "capacity-sessions",
    "session-churn",
    "soak",
    "site-failure",
    "data-corruption",
    "system-failure",
    "natural-disaster",
    "site-failback",
    "pod-kill",
    "store-crash",
    "node-drain",
    "node-loss",
    "rolling-restart",
    "partition",
    "replication-lag",
    "node-maintenance",
    "scale-out-under-load",
    "backup-verification",
    "chaos-patterns"
];

const PROGRAMMES: &[(&str, &str)] = shipped!["dr-night"];

/// Name and text of every shipped programme.
pub fn programmes() -> &'static [(&'static str, &'static str)] {
    PROGRAMMES
}

/// Name and text of every shipped scenario: benchmarks, the shorter ones first, then disasters, then other drills.
pub fn catalog() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}

/// The `about:` line of a scenario's text, without reading the rest of it; empty when it has none.
pub fn about(text: &str) -> &str {
    text.lines()
        .find_map(|line| line.strip_prefix("about:"))
        .map_or("", str::trim)
}
