//! The tools, and what `tools/call` does with each.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Pod;
use super::ledger::LedgerError;
use super::message::{Call, INTERNAL_ERROR, RpcError};
use super::methods::params;
use super::operation::{Breakage, Outcome};
use super::refusal::Limit;
use crate::site::Profile;

/// A write that was certainly not kept: its store is fenced or a standby, or of another epoch.
/// The write was certainly not kept: the store takes none, or none of this epoch.
pub const WRITE_REFUSED: i64 = -32014;
const SLOW_MS_MAX: u64 = 600_000;
/// About a second of one core.
const COMPUTE_N_MAX: u64 = 500_000_000;
const COMPUTE_MODULUS: u64 = 1_000_000_007;

#[derive(Deserialize)]
struct ToolCall {
    name: String,
    arguments: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Echo {
    message: String,
}

#[derive(Deserialize)]
struct Compute {
    n: u64,
}

#[derive(Deserialize)]
struct Slow {
    ms: u64,
}

#[derive(Deserialize)]
struct Fail {
    mode: FailMode,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FailMode {
    ToolError,
    RpcError,
    #[serde(rename = "http_500")]
    Http500,
    #[serde(rename = "http_503")]
    Http503,
    Html,
    BadJson,
    WrongId,
    Empty,
    Cut,
    Close,
    Hang,
}

pub(super) async fn call(pod: &Pod, call: &Call) -> Outcome {
    match params(call) {
        Ok(tool) => run(pod, tool).await.unwrap_or_else(Outcome::Error),
        Err(error) => Outcome::Error(error),
    }
}

async fn run(pod: &Pod, tool: ToolCall) -> Result<Outcome, RpcError> {
    Ok(match tool.name.as_str() {
        "echo" => text(&arguments::<Echo>(&tool)?.message, false),
        "compute" => compute(&arguments(&tool)?),
        "slow" => slow(&arguments(&tool)?).await,
        "fail" => fail(arguments::<Fail>(&tool)?.mode),
        "ledger_put" => ledger(pod, "/put", &tool).await?,
        "ledger_get" => ledger(pod, "/get", &tool).await?,
        "ledger_scan" => ledger(pod, "/scan", &tool).await?,
        name => return Err(RpcError::invalid_params(format!("unknown tool: {name}"))),
    })
}

fn arguments<T: DeserializeOwned>(tool: &ToolCall) -> Result<T, RpcError> {
    let text = tool
        .arguments
        .as_ref()
        .map_or("{}", |arguments| arguments.get());
    serde_json::from_str(text)
        .map_err(|error| RpcError::invalid_params(format!("{}: {error}", tool.name)))
}

fn text(text: &str, is_error: bool) -> Outcome {
    let text = Value::from(text);
    Outcome::Result(format!(
        r#"{{"content":[{{"type":"text","text":{text}}}],"isError":{is_error}}}"#
    ))
}

/// The `n`-th Fibonacci number modulo 1,000,000,007, step by step: work that grows with `n` and that anyone can
/// check. It keeps the pod's only thread busy.
fn compute(asked: &Compute) -> Outcome {
    if asked.n > COMPUTE_N_MAX {
        return text(&format!("n is at most {COMPUTE_N_MAX}"), true);
    }
    let step = |(a, b): (u64, u64), _| (b, (a + b) % COMPUTE_MODULUS);
    let (value, _) = (0..asked.n).fold((0, 1), step);
    text(&value.to_string(), false)
}

async fn slow(asked: &Slow) -> Outcome {
    if asked.ms > SLOW_MS_MAX {
        return text(&format!("ms is at most {SLOW_MS_MAX}"), true);
    }
    tokio::time::sleep(Duration::from_millis(asked.ms)).await;
    text(&format!("{} ms", asked.ms), false)
}

fn fail(mode: FailMode) -> Outcome {
    Outcome::Broken(match mode {
        FailMode::ToolError => return text("failed, as asked", true),
        FailMode::RpcError => {
            return Outcome::Error(RpcError::new(INTERNAL_ERROR, "failed, as asked"));
        }
        FailMode::Http500 => Breakage::Status(StatusCode::INTERNAL_SERVER_ERROR),
        FailMode::Http503 => Breakage::Status(StatusCode::SERVICE_UNAVAILABLE),
        FailMode::Html => Breakage::Html,
        FailMode::BadJson => Breakage::BadJson,
        FailMode::WrongId => Breakage::WrongId,
        FailMode::Empty => Breakage::Empty,
        FailMode::Cut => Breakage::Cut,
        FailMode::Close => Breakage::Close,
        FailMode::Hang => Breakage::Hang,
    })
}

/// The store's answer is the structured content of the result, and its text too.
async fn ledger(pod: &Pod, path: &str, tool: &ToolCall) -> Result<Outcome, RpcError> {
    let body = tool
        .arguments
        .as_ref()
        .map_or("{}", |arguments| arguments.get());
    let answer = match pod.ledger.ask(Method::POST, path, body.to_owned()).await {
        Ok(answer) => answer,
        Err(LedgerError::NoRoom(_)) => return Ok(Outcome::Refused(Limit::Disk)),
        Err(error) => return Err(unanswered(&error)),
    };
    let text = Value::from(answer.as_str());
    Ok(Outcome::Result(format!(
        r#"{{"content":[{{"type":"text","text":{text}}}],"structuredContent":{answer},"isError":false}}"#
    )))
}

fn unanswered(error: &LedgerError) -> RpcError {
    match error {
        LedgerError::Unknown(reason) | LedgerError::NoRoom(reason) => {
            RpcError::new(INTERNAL_ERROR, reason.clone())
        }
        LedgerError::Refused(refusal) => RpcError {
            data: Some(json!(refusal)),
            ..RpcError::new(WRITE_REFUSED, error.to_string())
        },
    }
}

/// erlmcp's own list has no schemas of arguments.
pub(super) fn list(profile: Profile) -> Value {
    let tools = [
        (
            "echo",
            "Answers with the message.",
            json!({ "message": { "type": "string" } }),
            &["message"][..],
        ),
        (
            "compute",
            "The n-th Fibonacci number modulo 1000000007.",
            json!({ "n": { "type": "integer" } }),
            &["n"],
        ),
        (
            "slow",
            "Answers after so many milliseconds.",
            json!({ "ms": { "type": "integer" } }),
            &["ms"],
        ),
        (
            "fail",
            "Fails in the way that is asked for.",
            json!({ "mode": { "type": "string" } }),
            &["mode"],
        ),
        (
            "ledger_put",
            "Writes to the ledger.",
            json!({
                "client": { "type": "string" },
                "sequence": { "type": "integer" },
                "value": { "type": "string" },
                "epoch": { "type": "integer" },
            }),
            &["client", "sequence"],
        ),
        (
            "ledger_get",
            "Reads a record of the ledger.",
            json!({ "client": { "type": "string" }, "sequence": { "type": "integer" } }),
            &["client", "sequence"],
        ),
        (
            "ledger_scan",
            "Reads the ledger in pages.",
            json!({ "from": { "type": "integer" }, "limit": { "type": "integer" } }),
            &[],
        ),
    ];
    let tools: Vec<_> = tools
        .into_iter()
        .map(|(name, description, properties, required)| {
            let mut tool = json!({ "name": name, "description": description });
            if profile == Profile::Sop {
                tool["inputSchema"] =
                    json!({ "type": "object", "properties": properties, "required": required });
            }
            tool
        })
        .collect();
    json!({ "tools": tools })
}
