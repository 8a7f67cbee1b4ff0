//! What is driven, and what survives a site, in words.

use super::Page;
use super::number::{self, duration, plural, share, size, thousands};
use crate::plan::{Bounds, Embedded, Endpoint, Plan, Rate, Secret, ServiceTime, Target};

impl Plan {
    pub(super) fn describe_target(&self, page: &mut Page) {
        page.heading("target");
        match &self.target {
            Target::Embedded(embedded) => {
                describe_sites(page, embedded);
                describe_continuity(page, embedded);
            }
            Target::Endpoint(endpoint) => describe_endpoint(page, endpoint),
        }
        let profile = &self.profile;
        let methods = match &profile.methods {
            Some(methods) => plural(methods.len() as u64, "method"),
            None => "any method".to_owned(),
        };
        page.line(&format!(
            "profile {}: {}, protocol {}, {methods}",
            profile.name,
            profile.path,
            profile.protocol.as_str()
        ));
    }
}

fn describe_sites(page: &mut Page, embedded: &Embedded) {
    let tls = if embedded.tls { ", with TLS" } else { "" };
    page.line(&format!(
        "stand-in sites on this machine, started and stopped by the run{tls}"
    ));
    for site in &embedded.sites {
        let own = &site.behaviour;
        let service = match &own.service_time {
            ServiceTime::Fixed(time) => duration(*time),
            ServiceTime::Exponential { mean } => format!("exponential, mean {}", duration(*mean)),
            ServiceTime::Uniform { low, high } => {
                format!("{} to {}", duration(*low), duration(*high))
            }
            ServiceTime::LogNormal { median, p99 } => {
                format!(
                    "log-normal, median {}, p99 {}",
                    duration(*median),
                    duration(*p99)
                )
            }
        };
        page.line(&format!(
            "site {}: {}, {}; service time {service}; {} of calls fail",
            site.name,
            plural(site.nodes.into(), "node"),
            plural(site.pods.into(), "pod"),
            share(own.error_rate)
        ));
        page.line(&format!(
            "  each pod: {} at once and {} waiting, {}, {} of {}",
            plural(own.capacity.into(), "operation"),
            thousands(own.queue.into()),
            plural(own.connections.into(), "connection"),
            plural(own.sessions.into(), "session"),
            size(own.session_memory)
        ));
        let missing = missing_bounds(&own.bounds);
        if !missing.is_empty() {
            page.line(&format!("  WITHOUT the bounds of {}", missing.join(", ")));
        }
        if let Some(bounds) = bounds(&own.bounds) {
            page.line(&format!("  refused: {bounds}"));
        }
    }
}

/// What a scenario took away, to be missed.
fn missing_bounds(own: &Bounds) -> Vec<&'static str> {
    let bounds = [
        ("memory", own.memory.is_some()),
        ("queue", own.queue),
        ("cpu", own.cpu.is_some()),
        ("disk", own.disk),
        ("health", own.health),
    ];
    let missing = bounds.into_iter().filter(|(_, there)| !there);
    missing.map(|(name, _)| name).collect()
}

/// What the site refuses beside what does not fit.
fn bounds(bounds: &Bounds) -> Option<String> {
    let mut parts = Vec::new();
    let per_second = |rate: f64| number::rate(Rate(rate));
    parts.extend(
        bounds
            .client_rate
            .map(|own| format!("more than {} of one client", per_second(own))),
    );
    parts.extend(
        bounds
            .rate
            .map(|own| format!("more than {} of all clients", per_second(own))),
    );
    parts.extend(bounds.client_connections.map(|own| {
        format!(
            "more than {} of one client",
            plural(own.into(), "connection")
        )
    }));
    parts.extend(
        bounds
            .message
            .map(|own| format!("messages above {}", size(own))),
    );
    parts.extend(
        bounds
            .write_timeout
            .map(|own| format!("clients that take nothing for {}", duration(own))),
    );
    if bounds.validation {
        parts.push("what is no message".to_owned());
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What survives a site.
fn describe_continuity(page: &mut Page, embedded: &Embedded) {
    if let Some(own) = embedded.replication {
        page.line(&format!(
            "the log of {} is shipped to {}, {} behind",
            embedded.sites[own.from].name,
            embedded.sites[own.to].name,
            duration(own.lag)
        ));
    }
    if let Some(own) = embedded.director {
        let does = if own.automatic {
            "fails over by itself"
        } else {
            "only detects"
        };
        page.line(&format!(
            "a director checks every {} for up to {}, {does} after {}, and answers for {}",
            duration(own.probe),
            duration(own.timeout),
            match own.misses {
                1 => "1 miss".to_owned(),
                misses => format!("{misses} misses"),
            },
            duration(own.route_ttl)
        ));
    }
    if let Some(own) = embedded.backups {
        page.line(&format!(
            "a backup every {}, copied elsewhere {} later, {} kept",
            duration(own.every),
            duration(own.off_site_delay),
            own.keep
        ));
    }
}

fn describe_endpoint(page: &mut Page, endpoint: &Endpoint) {
    page.line(&endpoint.url.to_string());
    let place = |secret: &Secret| match secret {
        Secret::Env(name) => format!("the environment variable {name}"),
        Secret::File(path) => format!("the file {}", path.display()),
    };
    if let Some(bearer) = &endpoint.bearer {
        page.line(&format!("bearer token from {}", place(bearer)));
    }
    let headers: Vec<&str> = endpoint
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    if !headers.is_empty() {
        page.line(&format!("with the headers {}", headers.join(", ")));
    }
    if !endpoint.allow_hosts.is_empty() {
        page.line(&format!(
            "load is allowed to {}",
            endpoint.allow_hosts.join(", ")
        ));
    }
    if let Some(resolver) = endpoint.resolver {
        page.line(&format!("names are asked of {resolver}"));
    }
}
