//! The way of an answer from its bytes to its message: what each operation costs the client beside system calls.
//!
//! `cargo bench --bench codec`; with `-- --test` each is run once, which is how it is kept from rotting.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use firedrill::mcp::exchange::{Event, Exchange};
use firedrill::mcp::json;

/// A usual answer to a `tools/call`.
fn body(text: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":12345678,"result":{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}}}"#
    )
}

fn small() -> String {
    body("7f3a91-2c-0-4d21 is what was sent, and it is what came back")
}

fn json_answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n{body}",
        body.len()
    )
}

fn stream_answer(body: &str) -> String {
    let event = format!("event: message\ndata: {body}\n\n");
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\
         date: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n",
        event.len()
    )
}

/// Reads one answer in pieces of this size and returns how many messages it held.
fn read(exchange: &mut Exchange, answer: &[u8], piece: usize) -> usize {
    exchange.begin(1 << 20, false);
    let mut messages = 0;
    for mut input in answer.chunks(piece) {
        let mut pending: &[u8] = &[];
        loop {
            match exchange.next(&mut input, &mut pending) {
                Event::Message(text) => {
                    messages += usize::from(json::envelope(black_box(text)).is_ok());
                }
                Event::Head(_) => {}
                Event::More | Event::Over { .. } | Event::Broken(_) => break,
            }
        }
    }
    exchange.rest();
    messages
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    let answers = [
        ("json", json_answer(&small())),
        ("stream", stream_answer(&small())),
        ("json-4k", json_answer(&body(&"x".repeat(4096)))),
    ];
    for (name, answer) in &answers {
        group.throughput(Throughput::Bytes(answer.len() as u64));
        for piece in [usize::MAX, 100, 1] {
            let cut = if piece == usize::MAX {
                "whole".to_owned()
            } else {
                format!("by-{piece}")
            };
            let mut exchange = Exchange::default();
            assert_eq!(
                read(&mut exchange, answer.as_bytes(), piece),
                1,
                "{name} {cut}"
            );
            group.bench_function(format!("{name}/{cut}"), |bencher| {
                bencher.iter(|| read(&mut exchange, black_box(answer.as_bytes()), piece));
            });
        }
    }
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    for (name, text) in [("small", small()), ("4k", body(&"x".repeat(4096)))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("envelope/{name}"), |bencher| {
            bencher.iter(|| json::envelope(black_box(text.as_bytes())).is_ok());
        });
        // Short ones are known again, long ones are read each time.
        let mut familiar = json::Familiar::default();
        group.bench_function(format!("familiar/{name}"), |bencher| {
            bencher.iter(|| familiar.envelope(black_box(text.as_bytes())).is_ok());
        });
        let Ok(json::Message::Response { result, .. }) = json::envelope(text.as_bytes()) else {
            panic!("{text} is a response");
        };
        group.bench_function(format!("find/{name}"), |bencher| {
            bencher.iter(|| json::find(black_box(result), &["content", "0", "text"]).is_some());
        });
    }
}

criterion_group!(benches, answers, messages);
criterion_main!(benches);
