//! The way into a process of a stand-in site: `firedrill stand-in ROLE`, which no person types.

use std::process::ExitCode;

use crate::exit::Exit;
use crate::observe::progress::note;

/// The hidden word before the role.
pub const WORD: &str = "stand-in";

/// The role that the arguments ask for, when they do.
pub fn role(mut arguments: impl Iterator<Item = String>) -> Option<String> {
    arguments.next();
    (arguments.next()? == WORD).then(|| arguments.next().unwrap_or_default())
}

/// Runs the role until its end.
pub fn run(role: &str) -> ExitCode {
    match firedrill_erlmcp::run_role(role) {
        Ok(()) => Exit::Pass.into(),
        Err(error) => {
            note(&format!("error: {error}"));
            Exit::Target.into()
        }
    }
}
