//! What is driven. Each adapter turns the plan's target into the same three things: where connections go,
//! what requests look like, and what has to be stopped afterwards.
//!
//! - `alone`: one run at a time at sites that stay, none behind one that left something broken, and nobody who heals
//!   beside it
//! - `embedded`: stand-in sites that the run starts and stops
//! - `world`: stand-in sites that can be lost, started by the run or by somebody else
//! - `endpoint`: a URL
//! - `trust`: TLS files to a client configuration

pub mod alone;
pub mod embedded;
pub mod endpoint;
pub mod trust;
pub mod world;

use std::io;
use std::path::PathBuf;

use firedrill_reports::recording::{Event, Mode};
use firedrill_scenarios::plan::Url;
use serde_json::Value;

use crate::mcp::destination::Route;
use crate::mcp::session::Surface;

/// A target that can be driven.
pub struct Ready {
    pub route: Route,
    pub surface: Surface,
    pub mode: Mode,
    /// In words, without secrets.
    pub description: String,
    /// What was started, for the record.
    pub events: Vec<Event>,
    /// Stops what was started when it is dropped.
    pub sites: Option<embedded::Sites>,
    /// Where faults act, when the target is a stand-in that can be broken.
    pub ground: Option<world::Ground>,
}

impl Ready {
    /// The same target for one of several runs. Whoever holds this value keeps what was started for all of them.
    pub fn shared(&self) -> Ready {
        Ready {
            route: self.route.clone(),
            surface: self.surface.clone(),
            mode: self.mode,
            description: self.description.clone(),
            events: self.events.clone(),
            sites: None,
            ground: None,
        }
    }
}

/// What the stand-in says, for readers: `site dr, epoch 2`.
pub fn in_words(said: &Value) -> String {
    let plain = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    match said {
        Value::Object(fields) => {
            let word = |(key, value): (&String, &Value)| format!("{key} {}", plain(value));
            fields.iter().map(word).collect::<Vec<_>>().join(", ")
        }
        Value::Null => String::new(),
        other => plain(other),
    }
}

/// Why a target cannot be used. Nothing has been sent to it.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error(
        "`{host}` is not loopback, and nobody allowed load to it: add `--allow-host {host}`, \
         or `allow_host: [{host}]` to the scenario's target"
    )]
    HostNotAllowed { host: String },
    #[error(
        "the environment variable `{name}` that the scenario names as a secret is not set: export {name}=..."
    )]
    SecretNotSet { name: String },
    #[error("the file `{}` that the scenario names as a secret cannot be read: {source}", path.display())]
    SecretUnreadable { path: PathBuf, source: io::Error },
    #[error(
        "the secret {place} holds more than one line of visible text: it cannot be sent in a header"
    )]
    SecretNotALine { place: String },
    #[error(
        "the header `{name}` cannot be sent: names are letters, digits and dashes, values one line of text"
    )]
    BadHeader { name: String },
    #[error("the TLS file `{}` cannot be used: {why}", path.display())]
    TlsFile { path: PathBuf, why: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    #[error("{0}")]
    NotAttached(String),
    #[error("nothing was broken, since the fault `{fault}` is refused: {reason}")]
    Refused { fault: String, reason: String },
    #[error(
        "clients are served by {site} already: lead them back first, with a scenario of its own that has no fault and \
         whose first and only step is `fail-back: {home}`, or serve new sites"
    )]
    ServedElsewhere { site: String, home: String },
    #[error(
        "{keeper} works on this run: it still goes on, or is healed already; wait for its end, or end it, and heal then"
    )]
    StillKept { keeper: String },
    #[error("{who} is at work at the sites of `{}` just now: wait for its end, or end it", state.display())]
    InUse { state: PathBuf, who: String },
    #[error(
        "an earlier run left something broken at the sites of `{}`: `firedrill heal {}` first",
        state.display(),
        run.display()
    )]
    Unhealed { state: PathBuf, run: PathBuf },
    #[error(
        "the last run at the sites of `{}` did not come to its end, and its folder `{}` is gone: heal it where it is now \
         with `firedrill heal`, or end these sites and serve new ones with `firedrill serve --state`",
        state.display(),
        run.display()
    )]
    RunGone { state: PathBuf, run: PathBuf },
    #[error("the sites of `{}` are not the scenario's: {why}; serve this scenario with `firedrill serve --state`", state.display())]
    NotThese { state: PathBuf, why: String },
    #[error("the sites do not say how they stand: {0}")]
    NoView(#[source] firedrill_erlmcp::world::WorldError),
    #[error("{0}")]
    NotStarted(#[from] firedrill_erlmcp::LaunchError),
    #[error("the folder for the stand-in's data cannot be made at `{}`: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("firedrill cannot find its own program, which is also the stand-in's: {0}")]
    NoProgram(io::Error),
}

/// Host and port as they stand in a `host` header: the port only where it is not the scheme's own.
pub fn authority(url: &Url) -> String {
    let host = if url.host.contains(':') {
        format!("[{}]", url.host)
    } else {
        url.host.clone()
    };
    let usual = if url.tls { 443 } else { 80 };
    if url.port == usual {
        host
    } else {
        format!("{host}:{}", url.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_has_brackets_and_a_port_where_they_are_needed() {
        let url = |tls, host: &str, port| Url {
            tls,
            host: host.to_owned(),
            port,
            path: String::new(),
        };
        assert_eq!(authority(&url(false, "localhost", 80)), "localhost");
        assert_eq!(authority(&url(true, "localhost", 80)), "localhost:80");
        assert_eq!(authority(&url(true, "::1", 443)), "[::1]");
        assert_eq!(authority(&url(false, "::1", 8080)), "[::1]:8080");
    }
}
