//! What a load thread does for each operation beside the codec: due times, templates, requests, counting; and what the
//! main thread does once a second.
//!
//! `cargo bench --bench load`; with `-- --test` each is run once, which is how it is kept from rotting.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firedrill::load::schedule::{Purpose, Segment, StripeKey, StripeSchedule};
use firedrill::load::tally::{Histograms, Layout, Settled, Tally};
use firedrill::mcp::session::{Dialect, Surface};
use firedrill_reports::recording::Measure;
use firedrill_scenarios::plan::Drive;
use firedrill_scenarios::template::{Values, WriteKey};
use firedrill_scenarios::{Given, Outcome, Plan};

const SECOND: u64 = 1_000_000_000;

fn plan(drive: &str) -> Plan {
    let text = format!(
        "scenario: bench\nabout: What is measured.\ntarget: {{ endpoint: \"http://127.0.0.1:9/mcp\" }}\n\
         load:\n\x20 {drive}\n\x20 sessions: {{ count: 64 }}\n\x20 operations:\n\
         \x20 - {{ tool: echo, weight: 1, arguments: {{ message: \"{{{{unique}}}}: a text\" }} }}\n\
         \x20 - {{ tool: add, weight: 1, arguments: {{ a: \"{{{{int(1,100)}}}}\", of: \"{{{{zipf(1000,1.1)}}}}\" }} }}\n\
         timeline: [ {{ phase: steady, for: 10s }} ]\nobjectives: [ {{ errors: 0.5 % }} ]\n"
    );
    Plan::parse(&text, &Given::named("bench.yaml")).expect("a plan")
}

fn key() -> StripeKey {
    StripeKey::new(1, 0, 3, 64)
}

/// A second of one stripe of 64 sessions, which is 1,000 arrivals.
fn schedule(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("schedule");
    group.throughput(Throughput::Elements(1_000));
    for (name, drive) in [
        ("constant", "rate: 64000/s"),
        ("poisson", "arrivals: { poisson: 64000/s }"),
        (
            "sine",
            "arrivals: { sine: { mean: 64000/s, amplitude: 32000/s, period: 4s } }",
        ),
    ] {
        let plan = plan(drive);
        let Drive::Open(arrivals) = &plan.loads[0].drive else {
            panic!("{drive} is open");
        };
        let segment = Segment::whole(10 * SECOND);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let due = StripeSchedule::new(key(), segment.clone(), arrivals);
                due.take(1_000).fold(0, |sum, at| sum ^ at)
            });
        });
    }
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("request");
    let plan = plan("rate: 1/s");
    for operation in &plan.loads[0].operations {
        let template = operation.params.as_ref().expect("a tool has parameters");
        let (mut out, mut spans) = (Vec::new(), vec![0..0; template.spans]);
        let mut count = 0;
        group.bench_function(format!("render/{}", operation.name), |bencher| {
            bencher.iter(|| {
                count += 1;
                let values = Values {
                    seed: 1,
                    stripe: 3,
                    count,
                    load: 0,
                    seq: count,
                    session: 3,
                    row: 0,
                    cells: &[],
                    columns: 0,
                    saved: &[],
                    write: WriteKey::default(),
                    cursor: "",
                };
                let mut random = key().stream(Purpose::Content, count);
                out.clear();
                template.render(black_box(&values), &mut random, &mut out, &mut spans);
                out.len()
            });
        });
    }
    let surface = Surface {
        authority: "127.0.0.1:9".to_owned(),
        path: "/mcp".to_owned(),
        headers: Vec::new(),
    };
    let dialect = Dialect::new(&plan, &surface);
    let heads = dialect.heads_before_session();
    let (mut out, mut id) = (Vec::new(), 0);
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            id += 1;
            out.clear();
            let params = br#"{"name":"echo","arguments":{"message":"1-03-00000001: a text"}}"#;
            dialect
                .operation(0)
                .write(&heads, id, black_box(params), &mut out);
            out.len()
        });
    });
}

fn counting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tally");
    let layout = Layout::of(&plan("rate: 1/s"));
    let mut histograms = Histograms::new(&layout);
    let mut time = 50_000;
    let mut next = || {
        // The times of a busy service: all over two orders of magnitude.
        time = time * 31 % 9_999_991 + 20_000;
        time
    };
    group.bench_function("record", |bencher| {
        bencher.iter(|| histograms.own(Some(0), 0, true, Measure::Response, next()));
    });
    let mut tally = Tally::new(&layout);
    group.bench_function("settle", |bencher| {
        bencher.iter(|| {
            tally.buckets.expect(0, 0);
            let service = next();
            tally.settle(&Settled {
                phase: 0,
                series: 0,
                outcome: Outcome::Ok,
                due: 0,
                dispatched: Some(20_000),
                sent: Some(20_000),
                head: Some(20_000 + service),
                end: 20_000 + service,
                held: 0,
                completed_in: Some(0),
            });
        });
    });
    let mut all = Histograms::new(&layout);
    group.bench_function("merge", |bencher| {
        bencher.iter(|| {
            // An empty histogram is passed over: each round has one value in every histogram of an operation.
            let response = next();
            tally
                .histograms
                .own(Some(0), 0, true, Measure::Response, response);
            tally
                .histograms
                .own(Some(0), 0, true, Measure::Service, response);
            tally.histograms.shared(Some(0), Measure::Lateness, 20_000);
            all.absorb(&mut tally.histograms);
        });
    });
}

criterion_group!(benches, schedule, requests, counting);
criterion_main!(benches);
