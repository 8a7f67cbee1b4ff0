//! The scenarios that are shipped inside the binary.

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
    "session-churn",
    "soak",
    "site-failure"
];

/// Name and text of every shipped scenario, the shorter ones first.
pub fn catalog() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}

/// The `about:` line of a scenario's text, without reading the rest of it; empty when it has none.
pub fn about(text: &str) -> &str {
    text.lines()
        .find_map(|line| line.strip_prefix("about:"))
        .map_or("", str::trim)
}
