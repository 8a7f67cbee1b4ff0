//! What each kind of hostile client does. Each ends by itself when it has done all that it may.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use firedrill_scenarios::plan::Manner;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::account::Answer;
use super::wire::{Client, PATIENCE, Reader, write_on};
use super::{Errand, witness};

/// Connections of a flood.
const LANES: u32 = 8;
/// Between two writes of a lane.
const TICK: Duration = Duration::from_millis(10);
/// No client sends more messages than this.
const MESSAGES_MAX: u64 = 5_000_000;
/// No client sends more large bodies than this, or is silent more often.
const BODIES_MAX: u32 = 200;
/// Between two of them.
const AGAIN: Duration = Duration::from_millis(200);
/// Between two connections that are leaked.
const LEAK_EVERY: Duration = Duration::from_millis(2);
/// What a client that does not read asks to have sent to it, and how often.
const ANSWER: usize = 512 << 10;
const ANSWERS: u32 = 64;

pub(super) async fn act(client: Rc<Client>) {
    let manner = match client.attack.errand {
        Errand::Harm(manner) => manner,
        Errand::Witness => return witness::listen(&client).await,
    };
    match manner {
        Manner::MessageFlood(_) => flood(client).await,
        Manner::InvalidPayload { rate } => invalid(&client, rate).await,
        Manner::LargePayload { size } => large(&client, size).await,
        Manner::ConnectionLeak { connections } => leak(client, connections).await,
        Manner::SlowConsumer { readers, silent } => slow(client, readers, silent).await,
    }
}

async fn all_of(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        // One that broke has told what it knew.
        let _ = task.await;
    }
}

// ---- far too many messages ----

async fn flood(client: Rc<Client>) {
    let rate = client.attack.rate / f64::from(LANES);
    let lanes = (0..LANES).map(|_| {
        let client = client.clone();
        tokio::task::spawn_local(async move {
            let mut left = MESSAGES_MAX / u64::from(LANES);
            while left > 0 {
                if let Some(stream) = client.connection(false).await {
                    lane(&client, stream, rate, &mut left).await;
                }
                // Whoever is refused does not spin.
                sleep(TICK).await;
            }
        })
    });
    all_of(lanes.collect()).await;
}

/// Sends by the clock on one connection, whatever is answered, until it breaks.
async fn lane(client: &Rc<Client>, mut stream: TcpStream, rate: f64, left: &mut u64) {
    client.attempted(1, 0);
    let session = match client.open(&mut stream).await {
        Ok(Ok(session)) => Some(session),
        Ok(Err(refused)) => {
            client.note(|account| account.answered(refused));
            None
        }
        Err(_) => return,
    };
    let (reading, mut writing) = stream.into_split();
    let reader = tokio::task::spawn_local(read_all(client.clone(), reading));
    let echo = json!({ "name": "echo", "arguments": { "message": "flood" } });
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut owed = 0.0;
    while *left > 0 && !reader.is_finished() {
        ticks.tick().await;
        owed += rate * TICK.as_secs_f64();
        let count = (owed as u64).min(*left);
        owed -= count as f64;
        let mut bytes = Vec::new();
        for _ in 0..count {
            let body = client.call("tools/call", &echo);
            bytes.extend(client.post(session.as_deref(), &body));
        }
        let (sent, written) = write_on(&mut writing, &bytes).await;
        client.attempted(count, sent);
        *left -= count;
        if written.is_err() {
            break;
        }
    }
    reader.abort();
}

/// Notes every answer until the connection ends.
async fn read_all(client: Rc<Client>, mut reading: OwnedReadHalf) {
    let mut reader = Reader::default();
    while let Ok(heard) = reader.next(&mut reading).await {
        client.note(|account| account.answered(heard.answer));
    }
}

// ---- what is no message ----

const INVALID: [&[u8]; 5] = [
    br#"{"jsonrpc":"2.0","id":1,"method":"#,
    br#"{"jsonrpc":"2.0","id":{},"method":7,"params":"none"}"#,
    br#"{"id":1,"method":"ping"}"#,
    b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}",
    br#"["2.0",1,"ping"]"#,
];

async fn invalid(client: &Client, rate: f64) {
    let pause = Duration::from_secs_f64(1.0 / rate);
    let mut connection: Option<TcpStream> = None;
    let mut reader = Reader::default();
    for number in 0..MESSAGES_MAX {
        sleep(pause).await;
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => match client.connection(false).await {
                Some(stream) => stream,
                None => continue,
            },
        };
        let body = INVALID[number as usize % INVALID.len()];
        let request = client.post(None, body);
        client.attempted(1, request.len());
        let exchange = async {
            write_on(&mut stream, &request).await.1?;
            reader.next(&mut stream).await
        };
        match timeout(PATIENCE, exchange).await {
            Ok(Ok(heard)) => {
                client.note(|account| account.answered(heard.answer));
                connection = Some(stream);
            }
            Ok(Err(_)) => {
                client.note(|account| account.answered(Answer::HungUp));
                reader = Reader::default();
            }
            Err(_) => {
                client.note(|account| account.unanswered += 1);
                reader = Reader::default();
            }
        }
    }
}

// ---- bodies that are too large ----

async fn large(client: &Client, size: u64) {
    for number in 0..BODIES_MAX {
        let Some(stream) = client.connection(false).await else {
            sleep(PATIENCE).await;
            continue;
        };
        client.attempted(1, 0);
        let (mut reading, writing) = stream.into_split();
        let mut reader = Reader::default();
        let chunked = number % 2 == 1;
        let both = async {
            let heard = reader.next(&mut reading);
            tokio::pin!(heard);
            tokio::select! {
                biased;
                heard = &mut heard => heard,
                // Whoever refuses may stop reading: what it said is there all the same.
                kept = pour(client, writing, size, chunked) => {
                    let heard = heard.await;
                    drop(kept);
                    heard
                }
            }
        };
        match timeout(PATIENCE * 10, both).await {
            Ok(Ok(heard)) => client.note(|account| account.answered(heard.answer)),
            Ok(Err(_)) => client.note(|account| account.answered(Answer::HungUp)),
            Err(_) => client.note(|account| account.unanswered += 1),
        }
        sleep(AGAIN).await;
    }
}

/// Writes a message of this size, announced or in chunks. Returns the writing half, so that the connection stays.
async fn pour(
    client: &Client,
    mut writing: OwnedWriteHalf,
    size: u64,
    chunked: bool,
) -> OwnedWriteHalf {
    const PIECE: u64 = 64 << 10;
    let start: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"padding":""#;
    let end: &[u8] = br#""}}"#;
    let length = if chunked {
        "transfer-encoding: chunked\r\n".to_owned()
    } else {
        format!("content-length: {size}\r\n")
    };
    let piece = |bytes: &[u8]| -> Vec<u8> {
        if chunked {
            let mut whole = format!("{:x}\r\n", bytes.len()).into_bytes();
            whole.extend_from_slice(bytes);
            whole.extend_from_slice(b"\r\n");
            return whole;
        }
        bytes.to_vec()
    };
    let padding = vec![b'a'; PIECE as usize];
    let mut left = size.saturating_sub((start.len() + end.len()) as u64);
    let mut next = client.head("POST", None, &length);
    next.extend(piece(start));
    loop {
        let (sent, written) = write_on(&mut writing, &next).await;
        client.attempted(0, sent);
        if written.is_err() {
            return writing;
        }
        if left == 0 {
            break;
        }
        let count = left.min(PIECE);
        next = piece(&padding[..count as usize]);
        left -= count;
    }
    let mut last = piece(end);
    if chunked {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    let (sent, _) = write_on(&mut writing, &last).await;
    client.attempted(0, sent);
    writing
}

// ---- connections that are never closed ----

async fn leak(client: Rc<Client>, connections: u32) {
    let mut held = Vec::new();
    for _ in 0..connections {
        let client = client.clone();
        held.push(tokio::task::spawn_local(async move {
            let Some(mut stream) = client.connection(false).await else {
                return;
            };
            client.attempted(1, 0);
            let opened = client.open(&mut stream).await;
            let answer = match &opened {
                Ok(Ok(_)) => Answer::Status {
                    status: 200,
                    refusal: None,
                },
                Ok(Err(refused)) => *refused,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    client.note(|account| account.unanswered += 1);
                    return;
                }
                Err(_) => Answer::HungUp,
            };
            client.note(|account| account.answered(answer));
            // A connection that was let in is held for as long as the client lives.
            if let Ok(Ok(_)) = opened {
                std::future::pending::<()>().await;
            }
        }));
        sleep(LEAK_EVERY).await;
    }
    all_of(held).await;
}

// ---- answers that nobody reads ----

async fn slow(client: Rc<Client>, readers: u32, silent: Duration) {
    let all = (0..readers).map(|_| {
        let client = client.clone();
        tokio::task::spawn_local(async move {
            for _ in 0..BODIES_MAX {
                if let Some(stream) = client.connection(true).await {
                    be_silent(&client, stream, silent).await;
                }
                // Whoever was hung up on comes again.
                sleep(AGAIN).await;
            }
        })
    });
    all_of(all.collect()).await;
}

async fn be_silent(client: &Rc<Client>, mut stream: TcpStream, silent: Duration) {
    let session = match client.open(&mut stream).await {
        Ok(Ok(session)) => session,
        Ok(Err(refused)) => {
            client.note(|account| account.answered(refused));
            return;
        }
        Err(error) => {
            client.note(|account| account.fail(&error.to_string()));
            return;
        }
    };
    let (reading, writing) = stream.into_split();
    let over = async {
        tokio::select! {
            biased;
            () = reset(&reading) => {}
            _ = ask_much(client, writing, session) => {}
        }
    };
    if timeout(silent, over).await.is_ok() {
        client.note(|account| account.answered(Answer::HungUp));
        return;
    }
    client.note(|account| account.unanswered += 1);
    // It reads again, as somebody who was only slow would.
    let _ = timeout(PATIENCE, read_all(client.clone(), reading)).await;
}

/// Asks for large answers for as long as the target takes requests in. Returns only when the connection is broken.
async fn ask_much(client: &Client, mut writing: OwnedWriteHalf, session: String) -> OwnedWriteHalf {
    let message = "s".repeat(ANSWER);
    let echo = json!({ "name": "echo", "arguments": { "message": message } });
    for _ in 0..ANSWERS {
        let request = client.post(Some(&session), &client.call("tools/call", &echo));
        client.attempted(1, request.len());
        if write_on(&mut writing, &request).await.1.is_err() {
            return writing;
        }
    }
    std::future::pending().await
}

/// Returns when the target has reset the connection. Nothing is read, not even its end.
async fn reset(reading: &OwnedReadHalf) {
    let stream: &TcpStream = reading.as_ref();
    while let Ok(None) = stream.take_error() {
        sleep(TICK).await;
    }
}
