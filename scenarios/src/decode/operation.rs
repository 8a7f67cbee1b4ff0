//! Operations: what is sent, what has to come back, what is kept.

use std::time::Duration;

use super::answer;
use super::check;
use super::fields::Fields;
use super::ledger;
use super::reader::Reader;
use crate::grammar::operation as grammar;
use crate::plan::{Expectation, LedgerUse, Operation, Profile};
use crate::template::Template;
use crate::template::compile::{self, Compiler};
use crate::template::hole::Scope;
use crate::text::Place;
use crate::text::nearest::choices;
use crate::text::tree::{Item, Key, Node};

/// Parameters that a method of MCP cannot do without.
const REQUIRED: [(&str, &[&str]); 7] = [
    ("tools/call", &["name"]),
    ("resources/read", &["uri"]),
    ("resources/subscribe", &["uri"]),
    ("resources/unsubscribe", &["uri"]),
    ("prompts/get", &["name"]),
    ("completion/complete", &["ref", "argument"]),
    ("logging/setLevel", &["level"]),
];

/// An operation, and how often it is started on its own if that was said.
pub(crate) struct Read {
    pub operation: Operation,
    pub weight: Option<f64>,
    pub item: Item,
}

/// What is sent: the method, and its parameters as they are written.
struct Request<'a> {
    method: String,
    /// The name that the operation has if it is given none.
    name: String,
    params: Params<'a>,
}

enum Params<'a> {
    None,
    /// What the stand-in's tools for the ledger take.
    Ledger(LedgerUse),
    /// All of them.
    Given(&'a Item),
    /// One that firedrill writes (`"name":"echo"`), and `arguments`.
    Sugar {
        key: &'static str,
        value: &'a Item,
        arguments: Option<&'a Item>,
    },
}

pub(crate) fn operation(
    reader: &Reader<'_>,
    item: &Item,
    profile: &Profile,
    scope: Scope<'_>,
) -> Option<Read> {
    let fields = Fields::open(reader, item, &grammar::OPERATION)?;
    let weight = fields.get("weight").and_then(|item| weight(reader, item));
    let timeout = fields.length("timeout").unwrap_or(Duration::from_secs(5));
    let max_answer = fields.size("max_answer").unwrap_or(1 << 20);
    if max_answer == 0 {
        reader.problem(
            fields.key_place("max_answer"),
            "no answer is that small",
            "write 64KiB or more",
        );
    }
    let expect = fields
        .get("expect")
        .and_then(|item| answer::expectation(reader, item));
    let ledger = match fields.get("ledger") {
        Some(item) => Some(ledger::use_of(&fields, item)?),
        None => None,
    };
    let scope = Scope {
        key: ledger.is_some(),
        ..scope
    };
    let request = request(&fields, ledger, profile)?;
    method_exists(&fields, &request.method, profile);
    let name = match fields.get("name") {
        Some(item) => reader.tag(item)?,
        None => default_name(&fields, &request.name)?,
    };
    let names = argument_names(&request.params);
    let (checks, watched) = match fields.get("check") {
        Some(item) => check::checks(reader, item, &names),
        None => (Vec::new(), Vec::new()),
    };
    let params = params(&fields, &request, scope, watched);
    if let Some(of) = ledger {
        ledger::names_its_key(&fields, of, params.as_ref());
    }
    let operation = Operation {
        name,
        params,
        method: request.method,
        timeout,
        max_answer,
        expect: expect.unwrap_or(Expectation::Result),
        checks,
        saves: fields
            .get("save")
            .map_or_else(Vec::new, |item| answer::saves(reader, item, scope.saved)),
        ledger,
    };
    Some(Read {
        operation,
        weight,
        item: item.clone(),
    })
}

/// The tool's name or the method, if it can be a name.
fn default_name(fields: &Fields<'_>, name: &str) -> Option<String> {
    let key = Key {
        text: name.to_owned(),
        place: request_place(fields),
    };
    fields.reader.tag(&Item {
        node: Node::Scalar(key.scalar()),
        place: key.place,
    })
}

/// Where the operation says what is sent.
fn request_place(fields: &Fields<'_>) -> Place {
    let keys = ["method", "tool", "resource", "prompt", "ledger"];
    let item = keys.into_iter().find_map(|key| fields.get(key));
    item.map_or(fields.place, |item| item.place)
}

/// A weight is a number that is not below zero.
pub(crate) fn weight(reader: &Reader<'_>, item: &Item) -> Option<f64> {
    let weight = reader.number(item)?;
    if weight < 0.0 {
        reader.problem(item.place, "a weight is not below zero", "write 0 or more");
        return None;
    }
    Some(weight)
}

fn request<'a>(
    fields: &Fields<'a>,
    ledger: Option<LedgerUse>,
    profile: &Profile,
) -> Option<Request<'a>> {
    let arguments = fields.get("arguments");
    let params = fields.get("params");
    let sugar = |key, method: &str, value, name: String, arguments| Request {
        method: method.to_owned(),
        name,
        params: Params::Sugar {
            key,
            value,
            arguments,
        },
    };
    if let Some(tool) = fields.get("tool") {
        fields.refuse(&["params"], "`tool`", "write `arguments:`");
        let name = fields.reader.text(tool)?;
        return Some(sugar("name", "tools/call", tool, name, arguments));
    }
    if let Some(resource) = fields.get("resource") {
        let remedy = "a resource is read by its URI alone";
        fields.refuse(&["params", "arguments"], "`resource`", remedy);
        fields.reader.text(resource)?;
        let name = "resources/read".to_owned();
        return Some(sugar("uri", "resources/read", resource, name, None));
    }
    if let Some(prompt) = fields.get("prompt") {
        fields.refuse(&["params"], "`prompt`", "write `arguments:`");
        let name = fields.reader.text(prompt)?;
        return Some(sugar("name", "prompts/get", prompt, name, arguments));
    }
    if let (Some(of), false) = (ledger, fields.has("method")) {
        return ledger_request(fields, of, profile);
    }
    let method = fields.reader.tag(fields.get("method")?)?;
    fields.refuse(
        &["arguments"],
        "`method`",
        "write `params:`, or name a `tool` or `prompt`",
    );
    let params = params.map_or(Params::None, Params::Given);
    Some(Request {
        name: method.clone(),
        method,
        params,
    })
}

/// A use of the ledger that does not say how: by the stand-in's own tools.
fn ledger_request<'a>(
    fields: &Fields<'a>,
    of: LedgerUse,
    profile: &Profile,
) -> Option<Request<'a>> {
    fields.refuse(
        &["arguments", "params"],
        "`ledger` alone",
        "add the `tool` or `method` that they are for, or take them out",
    );
    if !profile.is_erlmcp() {
        fields.reader.problem(
            fields.key_place("ledger"),
            format!("the profile `{}` has no ledger of its own", profile.name),
            "add the tool that writes, with {{ledger.client}}, {{ledger.sequence}} and {{ledger.value}} in its arguments",
        );
        return None;
    }
    Some(Request {
        method: "tools/call".to_owned(),
        name: ledger::tool(of).to_owned(),
        params: Params::Ledger(of),
    })
}

/// Whether an operation can be made of the method, and the profile has it.
fn method_exists(fields: &Fields<'_>, method: &str, profile: &Profile) {
    let place = request_place(fields);
    if method == "initialize" {
        let remedy = "every session does it by itself; see `sessions: { lifetime: 1 calls }` for many of them";
        fields
            .reader
            .problem(place, "`initialize` is no operation", remedy);
    } else if method.starts_with("notifications/") {
        let remedy = "an operation is a request that has a result";
        fields.reader.problem(
            place,
            format!("`{method}` has no answer to wait for"),
            remedy,
        );
    } else if let Some(methods) = &profile.methods
        && !methods.iter().any(|known| known == method)
    {
        let known = methods.iter().map(String::as_str);
        fields.reader.problem(
            place,
            format!("the profile `{}` has no method `{method}`", profile.name),
            choices(method, "its methods", known),
        );
    }
}

/// Names that checks can refer to: the arguments, or the parameters where there are no `arguments`.
fn argument_names(params: &Params<'_>) -> Vec<String> {
    let keys = |item: &Item| match &item.node {
        Node::Map(entries) => entries
            .iter()
            .filter_map(|(key, _)| compile::plain_key(&key.text))
            .collect(),
        Node::Scalar(_) | Node::List(_) => Vec::new(),
    };
    match params {
        Params::None | Params::Ledger(_) => Vec::new(),
        Params::Given(item) => keys(item.get("arguments").unwrap_or(item)),
        Params::Sugar { key, arguments, .. } => match arguments {
            Some(item) => keys(item),
            None if *key == "uri" => vec!["uri".to_owned()],
            None => Vec::new(),
        },
    }
}

fn params(
    fields: &Fields<'_>,
    request: &Request<'_>,
    scope: Scope<'_>,
    watched: Vec<String>,
) -> Option<Template> {
    let reader = fields.reader;
    let mut compiler = Compiler::new(reader, scope);
    match &request.params {
        Params::None => required_params(fields, &request.method, &[]),
        Params::Ledger(of) => ledger::arguments(&mut compiler, *of),
        Params::Given(item) => {
            let entries = reader.named(item, "a map of parameters")?;
            required_params(fields, &request.method, entries);
            given(&mut compiler, reader, entries, &watched);
        }
        Params::Sugar {
            key,
            value,
            arguments,
        } => {
            compiler.raw(&format!("{{\"{key}\":"));
            let watched_here: &[String] = if arguments.is_none() { &watched } else { &[] };
            compiler.watched_text(key, value, watched_here);
            if let Some(item) = arguments {
                let entries = reader.named(item, "a map of arguments").unwrap_or_default();
                compiler.raw(",\"arguments\":");
                compiler.object(entries, &watched);
            }
            compiler.raw("}");
        }
    }
    let template = compiler.finish(watched);
    (!template.pieces.is_empty()).then_some(template)
}

/// Parameters as they are written; what is watched are the members of `arguments`, where there are any.
fn given(
    compiler: &mut Compiler<'_>,
    reader: &Reader<'_>,
    entries: &[(Key, Item)],
    watched: &[String],
) {
    let inner = entries
        .iter()
        .position(|(key, item)| key.text == "arguments" && matches!(item.node, Node::Map(_)));
    let Some(inner) = inner else {
        return compiler.object(entries, watched);
    };
    compiler.raw("{");
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            compiler.raw(",");
        }
        if index == inner {
            compiler.raw("\"arguments\":");
            let members = reader
                .named(&entry.1, "a map of arguments")
                .unwrap_or_default();
            compiler.object(members, watched);
        } else {
            compiler.member(entry);
        }
    }
    compiler.raw("}");
}

pub(super) fn required_params(fields: &Fields<'_>, method: &str, entries: &[(Key, Item)]) {
    let Some((_, required)) = REQUIRED.iter().find(|(known, _)| *known == method) else {
        return;
    };
    for key in *required {
        if !entries.iter().any(|(found, _)| found.text == *key) {
            fields.reader.problem(
                fields.key_place("params"),
                format!("`{method}` needs the parameter `{key}`"),
                format!("write params: {{ {key}: ... }}"),
            );
        }
    }
}
