//! The methods of MCP beside `initialize` and `ping`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::message::{Call, INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError};
use super::operation::Outcome;
use super::{Pod, tools};
use crate::site::Profile;

const STATUS_URI: &str = "erlmcp://status";
const NUMBER_URI: &str = "erlmcp://numbers/";
/// MCP's code for a resource that does not exist, and erlmcp's.
const RESOURCE_NOT_FOUND: i64 = -32002;
const ERLMCP_RESOURCE_NOT_FOUND: i64 = -32001;
const LEVELS: [&str; 8] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
];

#[derive(Deserialize)]
struct Uri {
    uri: String,
}

#[derive(Deserialize)]
struct Prompt {
    name: String,
    arguments: Option<PromptArguments>,
}

#[derive(Default, Deserialize)]
struct PromptArguments {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Completion {
    argument: CompletionArgument,
}

#[derive(Deserialize)]
struct CompletionArgument {
    value: String,
}

#[derive(Deserialize)]
struct Level {
    level: String,
}

pub(super) async fn call(pod: &Pod, call: &Call) -> Outcome {
    let profile = pod.config.profile;
    let result = match (call.method.as_str(), profile) {
        ("tools/list", _) => Ok(tools::list(profile)),
        ("tools/call", _) => return tools::call(pod, call).await,
        ("resources/list", _) => Ok(json!({ "resources": resources() })),
        ("resources/templates/list", _) => Ok(templates()),
        ("resources/read", Profile::Sop) => params(call).and_then(|uri| read(pod, &uri)),
        // It does not find what it lists.
        ("resources/read", Profile::Erlmcp) => Err(RpcError::new(
            ERLMCP_RESOURCE_NOT_FOUND,
            "resource not found",
        )),
        ("prompts/list", _) => Ok(prompts()),
        ("prompts/get", Profile::Sop) => params(call).and_then(greeting),
        ("prompts/get" | "roots/list", Profile::Erlmcp) => return Outcome::Died,
        ("completion/complete", _) => params(call).map(|completion| complete(&completion)),
        ("logging/setLevel", Profile::Sop) => params(call).and_then(|level| set_level(&level)),
        ("logging/setLevel" | "tasks/list" | "sampling/createMessage", Profile::Erlmcp) => {
            Err(RpcError::new(INTERNAL_ERROR, "internal error"))
        }
        (method, _) => Err(RpcError::new(
            METHOD_NOT_FOUND,
            format!("method not found: {method}"),
        )),
    };
    match result {
        Ok(result) => Outcome::Result(result.to_string()),
        Err(error) => Outcome::Error(error),
    }
}

pub(super) fn params<T: DeserializeOwned>(call: &Call) -> Result<T, RpcError> {
    let text = call.params.as_ref().map_or("{}", |params| params.get());
    serde_json::from_str(text).map_err(|error| RpcError::invalid_params(error.to_string()))
}

pub(crate) fn resources() -> Value {
    json!([
        { "uri": STATUS_URI, "name": "status", "mimeType": "application/json" },
        { "uri": "erlmcp://numbers/1", "name": "number 1", "mimeType": "text/plain" },
        { "uri": "erlmcp://numbers/2", "name": "number 2", "mimeType": "text/plain" },
    ])
}

fn templates() -> Value {
    json!({ "resourceTemplates": [
        { "uriTemplate": "erlmcp://numbers/{n}", "name": "number", "mimeType": "text/plain" },
    ] })
}

fn read(pod: &Pod, asked: &Uri) -> Result<Value, RpcError> {
    let uri = asked.uri.as_str();
    let (mime, text) = if uri == STATUS_URI {
        let status =
            json!({ "site": pod.config.site, "pod": pod.config.name, "node": pod.config.node });
        ("application/json", status.to_string())
    } else if let Some(number) = uri
        .strip_prefix(NUMBER_URI)
        .and_then(|n| n.parse::<u64>().ok())
    {
        ("text/plain", number.to_string())
    } else {
        return Err(RpcError {
            data: Some(json!({ "uri": uri })),
            ..RpcError::new(RESOURCE_NOT_FOUND, "resource not found")
        });
    };
    Ok(json!({ "contents": [{ "uri": uri, "mimeType": mime, "text": text }] }))
}

fn prompts() -> Value {
    json!({ "prompts": [{
        "name": "greeting",
        "description": "Greets somebody.",
        "arguments": [{ "name": "name", "required": true }],
    }] })
}

fn greeting(prompt: Prompt) -> Result<Value, RpcError> {
    if prompt.name != "greeting" {
        return Err(RpcError::invalid_params(format!(
            "unknown prompt: {}",
            prompt.name
        )));
    }
    let Some(name) = prompt.arguments.unwrap_or_default().name else {
        return Err(RpcError::invalid_params("the argument `name` is missing"));
    };
    let content = json!({ "type": "text", "text": format!("Say hello to {name}.") });
    Ok(json!({ "messages": [{ "role": "user", "content": content }] }))
}

fn complete(completion: &Completion) -> Value {
    let begin = completion.argument.value.as_str();
    let values: Vec<_> = ["alice", "bob", "carol"]
        .into_iter()
        .filter(|name| name.starts_with(begin))
        .collect();
    json!({ "completion": { "total": values.len(), "hasMore": false, "values": values } })
}

fn set_level(asked: &Level) -> Result<Value, RpcError> {
    if LEVELS.contains(&asked.level.as_str()) {
        Ok(json!({}))
    } else {
        Err(RpcError::invalid_params(format!(
            "unknown level: {}",
            asked.level
        )))
    }
}
