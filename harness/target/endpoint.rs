//! A URL as a target.

use std::net::IpAddr;

use firedrill_reports::recording::Mode;
use firedrill_scenarios::Plan;
use firedrill_scenarios::plan::{Endpoint, HeaderValue, ProbeAt, Secret, Target};

use super::{Ready, TargetError, authority, trust};
use crate::mcp::destination::Route;
use crate::mcp::session::Surface;

/// Checks that load may go there, and resolves secrets and files.
///
/// # Errors
/// When the host is not allowed, or a secret or a TLS file cannot be used.
pub fn prepare(plan: &Plan, endpoint: &Endpoint, allowed: &[String]) -> Result<Ready, TargetError> {
    let url = &endpoint.url;
    allow(&url.host, &endpoint.allow_hosts, allowed)?;
    let tls = if url.tls {
        Some(trust::client(&endpoint.tls, &url.host)?)
    } else {
        None
    };
    let path = if url.path.is_empty() {
        plan.profile.path.clone()
    } else {
        url.path.clone()
    };
    let scheme = if url.tls { "https" } else { "http" };
    let description = format!("{scheme}://{}{path}", authority(url));
    Ok(Ready {
        route: Route {
            host: url.host.clone(),
            port: url.port,
            tls,
            resolver: endpoint.resolver,
        },
        surface: Surface {
            authority: authority(url),
            path,
            headers: headers(endpoint)?,
        },
        mode: Mode::Live,
        description,
        events: Vec::new(),
        sites: None,
        ground: None,
    })
}

/// Refuses probes that could not be read, and those of a host to which nobody allowed anything: what is asked each
/// second is load, too.
///
/// # Errors
/// When a host is not allowed, or TLS to it cannot be set up.
pub fn allow_probes(plan: &Plan, allowed: &[String]) -> Result<(), TargetError> {
    let in_scenario = match &plan.target {
        Target::Endpoint(endpoint) => endpoint.allow_hosts.as_slice(),
        Target::Embedded(_) => &[],
    };
    plan.probes.iter().try_for_each(|probe| match &probe.at {
        ProbeAt::Path(_) => Ok(()),
        ProbeAt::Url(url) => {
            allow(&url.host, in_scenario, allowed)?;
            if url.tls {
                trust::beside(plan, &url.host)?;
            }
            Ok(())
        }
    })
}

fn allow(host: &str, in_scenario: &[String], allowed: &[String]) -> Result<(), TargetError> {
    let mut named = in_scenario.iter().chain(allowed);
    if is_loopback(&host.to_ascii_lowercase()) || named.any(|name| name.eq_ignore_ascii_case(host))
    {
        return Ok(());
    }
    Err(TargetError::HostNotAllowed {
        host: host.to_owned(),
    })
}

/// `localhost` is loopback by RFC 6761; any other name could be anywhere.
fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn headers(endpoint: &Endpoint) -> Result<Vec<(String, String)>, TargetError> {
    let mut headers = Vec::new();
    for (name, value) in &endpoint.headers {
        let value = match value {
            HeaderValue::Text(text) => text.clone(),
            HeaderValue::Secret(secret) => reveal(secret)?,
        };
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) || !is_line(&value) {
            return Err(TargetError::BadHeader { name: name.clone() });
        }
        headers.push((name.clone(), value));
    }
    if let Some(secret) = &endpoint.bearer {
        headers.push((
            "authorization".to_owned(),
            format!("Bearer {}", reveal(secret)?),
        ));
    }
    Ok(headers)
}

fn is_line(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b'\t' || (0x20..0x7f).contains(&byte))
}

/// Reads a secret. It goes into the headers that are sent, and nowhere else.
fn reveal(secret: &Secret) -> Result<String, TargetError> {
    let (text, place) = match secret {
        Secret::Env(name) => (
            std::env::var(name).map_err(|_| TargetError::SecretNotSet { name: name.clone() })?,
            format!("in the environment variable `{name}`"),
        ),
        Secret::File(path) => (
            std::fs::read_to_string(path).map_err(|source| TargetError::SecretUnreadable {
                path: path.clone(),
                source,
            })?,
            format!("in the file `{}`", path.display()),
        ),
    };
    let text = text.trim();
    if text.is_empty() || !is_line(text) {
        return Err(TargetError::SecretNotALine { place });
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_cannot_leave_the_machine_are_loopback() {
        for host in ["127.0.0.1", "127.8.9.1", "::1", "localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "10.0.0.1",
            "localhost.example.com",
            "::ffff:10.0.0.1",
            "0.0.0.0",
            "example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_header_cannot_smuggle_another_line() {
        assert!(is_line("Bearer abc"));
        assert!(!is_line("a\r\nx: y"));
    }
}
