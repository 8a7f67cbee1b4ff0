//! A client that means no harm: a session, a call and a write, again and again, so that it is there when the target
//! begins to refuse.

use std::io;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::account::Answer;
use super::wire::Client;

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(50);
/// More than what a target without room lets pass for the sake of those that are there.
const MESSAGE: usize = 128 << 10;
/// No witness stays for more.
const ROUNDS_MAX: u64 = 10_000;

pub(super) async fn listen(client: &Client) {
    for round in 0..ROUNDS_MAX {
        if let Some(mut stream) = client.connection(false).await {
            match ask(client, &mut stream, round).await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    client.note(|account| account.unanswered += 1);
                }
                Err(_) => client.note(|account| account.answered(Answer::HungUp)),
            }
        }
        sleep(PAUSE).await;
    }
}

/// A session of its own each time, so that every pod is asked in turn.
async fn ask(client: &Client, stream: &mut TcpStream, round: u64) -> io::Result<()> {
    client.attempted(1, 0);
    let session = match client.open(stream).await? {
        Ok(session) => session,
        Err(refused) => {
            client.note(|account| account.answered(refused));
            return Ok(());
        }
    };
    // No client of the load has this name: what it writes is nobody's.
    let write = json!({
        "client": format!("witness-{}", client.attack.fault),
        "sequence": round,
        "value": "seen",
    });
    let calls = [
        json!({ "name": "echo", "arguments": { "message": "s".repeat(MESSAGE) } }),
        json!({ "name": "ledger_put", "arguments": write }),
    ];
    for call in &calls {
        client.attempted(1, 0);
        let body = client.call("tools/call", call);
        let heard = client.ask(stream, Some(&session), &body).await?;
        client.note(|account| account.answered(heard.answer));
    }
    client.close(stream, &session).await
}
