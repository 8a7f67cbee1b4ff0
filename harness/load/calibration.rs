//! What this machine can do when no target is in the way: a short load of our own against a sink of our own, before
//! anything else is started.

use std::io;
use std::net::SocketAddr;

use firedrill_reports::recording::{Calibration, Group, Measure, empty_histogram};
use firedrill_scenarios::{Given, Plan};

use super::engine::{Engine, Progress};
use super::report::Openings;
use super::schedule::Segment;
use super::sink::Beside;
use super::worker::Job;
use crate::clock::{self, Clock, Nanos};
use crate::mcp::destination::Route;
use crate::mcp::session::Surface;
use crate::observe::machine;

/// As fast as it goes, over as many connections as keep a thread busy.
const FASTEST: &str = "closed: { think: 0s }, sessions: { count: 64, end: drop }";
/// Without haste: what is left is the way through this machine.
const LEISURELY: &str = "rate: 1000/s, sessions: { count: 16, end: drop }";
/// Long enough for thousands of operations.
const LENGTH: Nanos = 300_000_000;
/// From the word to begin to the beginning.
const NOTICE: Nanos = 10_000_000;

#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    #[error("no sink can be set up: {0}")]
    Sink(#[from] io::Error),
    #[error("the load against the sink failed: {0}")]
    Load(String),
}

/// Takes well under a second.
///
/// # Errors
/// When no sink or no load can be set up.
pub fn calibrate(clock: Clock) -> Result<Calibration, CalibrationError> {
    let sink = Beside::start()?;
    let fastest = drive(FASTEST, sink.address, clock)?;
    let leisurely = drive(LEISURELY, sink.address, clock)?;
    let seconds = fastest.processor.max(LENGTH / 10) as f64 / 1e9;
    Ok(Calibration {
        operations_per_second: (fastest.answered as f64 / seconds).round() as u64,
        floor_p99: leisurely.p99,
    })
}

struct Driven {
    answered: u64,
    /// Processor time of everything in this process but the sink.
    processor: Nanos,
    p99: Nanos,
}

fn drive(load: &str, address: SocketAddr, clock: Clock) -> Result<Driven, CalibrationError> {
    let job = job(load, address, clock)?;
    let mut engine = Engine::start(&job, &Route::plain(address))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let driven = runtime.block_on(follow(&mut engine, clock));
    engine.join();
    driven
}

async fn follow(engine: &mut Engine, clock: Clock) -> Result<Driven, CalibrationError> {
    let failed = |what: &str| CalibrationError::Load(what.to_owned());
    let (mut answered, mut times) = (0, empty_histogram::<u32>());
    let mut before = 0;
    loop {
        match engine.next().await {
            Progress::Opened(loads) => {
                let all = |own: &Openings| own.opened == own.asked;
                if !loads.iter().all(all) {
                    return Err(failed("not every session was opened"));
                }
                before = processor_time();
                engine.begin(clock.now() + NOTICE, &[Segment::whole(LENGTH)]);
            }
            Progress::Second(second) => {
                let cells = second.closed.iter().flat_map(|(_, _, cells)| cells);
                answered += cells.map(super::tally::Cell::ok).sum::<u64>();
                for own in second.histograms.own_of(Measure::Response, Group::Ok) {
                    // The bounds are the same, which is the only way that adding can fail.
                    let _ = times.add(own);
                }
                engine.recycle(second.histograms);
            }
            Progress::Finished(_) => {
                return Ok(Driven {
                    answered,
                    processor: processor_time().saturating_sub(before),
                    p99: times.value_at_quantile(0.99),
                });
            }
            Progress::Failed(why) => return Err(failed(&why)),
        }
    }
}

fn processor_time() -> Nanos {
    clock::processor().saturating_sub(machine::thread_time(Beside::THREAD))
}

fn job(load: &str, address: SocketAddr, clock: Clock) -> Result<Job, CalibrationError> {
    let text = format!(
        "scenario: calibration\ntarget: {{ endpoint: \"http://{address}/mcp\" }}\n\
         load: {{ {load}, operations: [ {{ tool: echo, arguments: {{ message: \"{{{{unique}}}}\" }} }} ] }}\n\
         timeline: [ {{ phase: steady, for: 1min }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    let plan = Plan::parse(&text, &Given::named("calibration"))
        .map_err(|problems| CalibrationError::Load(problems.to_string()))?;
    Ok(Job::alone(plan, &Surface::plain(address, "/mcp"), 0, clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_does_something_and_takes_some_time_for_it() {
        let found = calibrate(Clock::start()).unwrap();
        assert!(found.operations_per_second > 100, "{found:?}");
        assert!(found.floor_p99 > 1_000, "{found:?}");
    }
}
