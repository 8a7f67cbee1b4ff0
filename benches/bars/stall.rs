//! A server that stands still for a second, and what a load generator says of it, beside the truth.
//!
//! The truth is computed from the schedule and from the instants at which the server was stopped and continued: what was
//! due meanwhile is answered when it goes on, everything else at once.

use std::process::Command;

use firedrill::clock::{Clock, Nanos};
use firedrill::load::schedule::{STRIPES, Segment, StripeKey, StripeSchedule};
use firedrill_reports::recording::{Group, Measure};
use firedrill_scenarios::plan::{Drive, Plan};
use rustix::process::Signal;

use crate::driven::{Sink, Then, drive, plan};
use crate::{SECOND, bar, sum};

const LENGTH: Nanos = 10 * SECOND;
const SESSIONS: u32 = 64;
const SEED: u64 = 7;
const QUANTILES: [(&str, f64); 3] = [("p95", 0.95), ("p99", 0.99), ("max", 1.0)];
/// How far from the truth a quantile may be.
const TOLERANCE: f64 = 5.0;

pub fn stall() -> bool {
    let mut reached = true;
    for (name, arrivals) in [
        ("constant", "rate: 2000/s"),
        ("poisson", "arrivals: { poisson: 2000/s }"),
    ] {
        reached &= stall_of(name, arrivals);
    }
    ask_oha(&[]);
    ask_oha(&["--latency-correction"]);
    reached
}

fn stall_of(name: &str, arrivals: &str) -> bool {
    let sink = Sink::start();
    let load = format!("{arrivals}, sessions: {{ count: {SESSIONS} }}, max_in_flight: 100000");
    let plan = plan(&load, sink.port);
    let due = schedule(&plan);
    let mut stood = (0, 0);
    let stop = async |clock: Clock, zero: Nanos| stood = stand_still(&sink, clock, zero).await;
    let counted = drive(plan, SEED, LENGTH, stop, |_| Then::GoOn);
    assert_eq!(
        (counted.issued, counted.ok),
        (due.len() as u64, due.len() as u64)
    );
    let (from, to) = (stood.0 - counted.zero, stood.1 - counted.zero);
    let mut truth: Vec<Nanos> = due
        .iter()
        .map(|due| {
            if (from..to).contains(due) {
                to - due
            } else {
                0
            }
        })
        .collect();
    truth.sort_unstable();
    let response = sum(counted.times.own_of(Measure::Response, Group::Ok));
    let mut reached = true;
    for (word, quantile) in QUANTILES {
        let rank = ((quantile * truth.len() as f64).ceil() as usize).max(1) - 1;
        let true_ms = truth[rank] as f64 / 1e6;
        let told_ms = response.value_at_quantile(quantile) as f64 / 1e6;
        let off = (told_ms / true_ms - 1.0).abs() * 100.0;
        let name =
            format!("stall, {name}, {word} is {true_ms:.1} ms and told as {told_ms:.1} ms, off by");
        reached &= bar(&name, off, TOLERANCE, "%");
    }
    reached
}

/// Stops the sink for a second, four seconds into the load; when it was stopped, and when it went on.
async fn stand_still(sink: &Sink, clock: Clock, zero: Nanos) -> (Nanos, Nanos) {
    let until = |at: Nanos| std::time::Duration::from_nanos(at.saturating_sub(clock.now()));
    tokio::time::sleep(until(zero + 4 * SECOND)).await;
    sink.signal(Signal::STOP);
    let stopped = clock.now();
    tokio::time::sleep(until(stopped + SECOND)).await;
    sink.signal(Signal::CONT);
    (stopped, clock.now())
}

/// When everything is due, since the start of the timeline.
fn schedule(plan: &Plan) -> Vec<Nanos> {
    let Drive::Open(arrivals) = &plan.loads[0].drive else {
        panic!("the load is open");
    };
    let stripe = |stripe| {
        let key = StripeKey::new(SEED, 0, stripe, SESSIONS);
        StripeSchedule::new(key, Segment::whole(LENGTH), arrivals)
    };
    (0..STRIPES).flat_map(stripe).collect()
}

/// The same stall as oha sees it.
fn ask_oha(correction: &[&str]) {
    let sink = Sink::start();
    let url = format!("http://127.0.0.1:{}/mcp", sink.port);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    let child = Command::new("oha")
        .args([
            "--no-tui",
            "--output-format",
            "json",
            "-z",
            "10s",
            "-c",
            "64",
            "-q",
            "2000",
        ])
        .args(correction)
        .args(["-m", "POST", "-d", body, &url])
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(child) = child else {
        println!("!! LEFT OUT: oha is not on the path. Nothing was shown about it.");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let clock = Clock::start();
    runtime.block_on(stand_still(&sink, clock, clock.now()));
    let output = child.wait_with_output().expect("oha ends");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let ms = |pointer: &str| {
        told.pointer(pointer)
            .and_then(|own| own.as_f64())
            .unwrap_or(f64::NAN)
            * 1e3
    };
    println!(
        "stall, oha {}: p95 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        if correction.is_empty() {
            "as it is"
        } else {
            correction[0]
        },
        ms("/latencyPercentiles/p95"),
        ms("/latencyPercentiles/p99"),
        ms("/summary/slowest")
    );
}
