//! The parts of a stand-in site as a program of their own, for this crate's tests: `firedrill-stand-in ROLE`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let role = std::env::args().nth(1).unwrap_or_default();
    match firedrill_erlmcp::run_role(&role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firedrill-stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}
