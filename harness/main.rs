//! Arguments to plan, run, verdict, report, exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use firedrill::cli::{Arguments, Command};
use firedrill::exit::Exit;
use firedrill::{commands, observe::progress::note, stand_in};

fn main() -> ExitCode {
    // A process of a stand-in site is this program too; it has no use for anything else here.
    if let Some(role) = stand_in::role(std::env::args()) {
        return stand_in::run(&role);
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are what was asked for; anything else is bad usage.
            let asked = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            let _ = error.print();
            return if asked { Exit::Pass } else { Exit::Usage }.into();
        }
    };
    start_logging(arguments.verbose);
    let done = std::panic::catch_unwind(|| match arguments.command {
        Command::Run(options) => commands::run(&options),
        Command::Check(options) => commands::check(&options),
        Command::List => commands::list(),
        Command::Schema { of } => commands::schema(of),
        Command::Judge(options) => commands::judge(&options),
        Command::Report(options) => commands::report(&options),
        Command::Capacity(options) => commands::capacity(&options),
        Command::Heal { run } => commands::heal(&run),
        Command::Serve(options) => commands::serve(&options),
        Command::Sink { address, tls } => commands::sink(address, tls.as_deref()),
    });
    match done {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(failure)) => {
            note(&commands::explain(&failure));
            commands::exit_of(&failure).into()
        }
        Err(_) => {
            note("error: this is a bug of firedrill; the lines above say where");
            Exit::Bug.into()
        }
    }
}

fn start_logging(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = EnvFilter::try_from_env("FIREDRILL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false) // saying so on a closed stderr would panic
        .init();
}
