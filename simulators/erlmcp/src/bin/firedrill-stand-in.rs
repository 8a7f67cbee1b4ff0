//! The stand-in site as a program of its own, for this crate's tests and for trying it out.
//!
//! `firedrill-stand-in ROLE` is one part of a site. `firedrill-stand-in site DIRECTORY PODS` is a whole one: it prints
//! the URL and the pids on one line, and ends the site when its stdin ends.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use firedrill_erlmcp::{SiteConfig, launch, run_role};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [role] => run_role(role).map_err(Into::into),
        ["site", directory, pods] => site(directory.as_ref(), pods),
        _ => Err("say ROLE, or site DIRECTORY PODS".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firedrill-stand-in: {error}");
            ExitCode::FAILURE
        }
    }
}

fn site(directory: &Path, pods: &str) -> Result<(), Box<dyn Error>> {
    let mut config = SiteConfig::new("a", directory);
    config.pods = pods.parse()?;
    let site = launch(&std::env::current_exe()?, &[], &config)?;
    let pids: Vec<_> = site
        .processes()
        .iter()
        .map(|process| process.pid.to_string())
        .collect();
    println!("{} {}", site.url(), pids.join(" "));
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    site.stop();
    Ok(())
}
