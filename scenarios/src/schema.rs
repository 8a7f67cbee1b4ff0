//! The scenario language as a JSON Schema, made from the grammar: for editors, and for `firedrill schema`.
//!
//! It knows keys, units and words. What depends on other places of the file (references, sums of weights,
//! windows and phases) only the decoder knows.

use serde_json::{Map, Value, json};

use crate::grammar::{self, Key, Kind, What};

/// The JSON Schema (draft 2020-12) of a scenario.
pub fn schema() -> Value {
    of_root(&grammar::SCENARIO)
}

/// The JSON Schema of a programme.
pub fn programme_schema() -> Value {
    of_root(&grammar::programme::PROGRAMME)
}

fn of_root(root: &'static Kind) -> Value {
    let definitions: Map<String, Value> = grammar::kinds(root)
        .into_iter()
        .filter(|kind| kind.name != root.name)
        .map(|kind| (kind.name.to_owned(), of_kind(kind)))
        .collect();
    let mut schema = of_kind(root);
    if let Value::Object(members) = &mut schema {
        members.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        members.insert(
            "title".to_owned(),
            json!(format!("firedrill {}", root.name)),
        );
        members.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema
}

fn of_kind(kind: &Kind) -> Value {
    let properties: Map<String, Value> = kind
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), of_key(key)))
        .collect();
    let mut schema = json!({
        "description": kind.about,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !kind.required.is_empty() {
        schema["required"] = json!(kind.required);
    }
    if !kind.one_of.is_empty() {
        let has = |key: &&str| json!({ "required": [key] });
        let one_of: Vec<Value> = kind.one_of.iter().map(has).collect();
        let mut choices = one_of.clone();
        for key in kind.instead {
            choices.push(json!({ "required": [key], "not": { "anyOf": one_of.clone() } }));
        }
        schema["oneOf"] = json!(choices);
    }
    schema
}

fn of_key(key: &Key) -> Value {
    let mut schema = of_what(&key.what);
    let doc = match key.default {
        Some(default) if !default.is_empty() => format!("{} Default: {default}", key.doc),
        Some(_) | None => key.doc.to_owned(),
    };
    schema["description"] = json!(doc);
    schema
}

/// A text of this form, or one with a variable in it, which may become anything.
fn form(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}|\\$\\{{") })
}

fn quantity(units: &str) -> Value {
    form(&format!("^[0-9]+(\\.[0-9]+)? *({units})$"))
}

/// A number, or a text that is one: variables in braces and brackets have to be quoted.
fn numeric(kind: &str, pattern: &str, least: Option<u64>) -> Value {
    let mut number = json!({ "type": kind });
    if let Some(least) = least {
        number["minimum"] = json!(least);
    }
    json!({ "anyOf": [number, form(pattern)] })
}

fn of_what(what: &What) -> Value {
    match what {
        What::Text => json!({ "type": ["string", "number", "boolean"] }),
        What::Name => {
            json!({ "anyOf": [form("^[A-Za-z0-9][A-Za-z0-9_-]*$"), { "type": "integer" }] })
        }
        What::OperationName => json!({ "anyOf": [form("^[^\\s,:\"'`]+$"), { "type": "integer" }] }),
        What::Count(least) => numeric("integer", "^[0-9]+$", Some(*least)),
        What::Weight => numeric("number", "^[0-9.]+$", Some(0)),
        What::Number => numeric("number", "^-?[0-9.]+([eE][-+]?[0-9]+)?$", None),
        What::Flag => json!({ "anyOf": [{ "type": "boolean" }, form("^(true|false)$")] }),
        What::Duration => quantity("ns|us|ms|s|min|h|d"),
        What::Rate => quantity("/ *(s|min|h)"),
        What::Share => quantity("%"),
        What::Size => quantity("B|kB|MB|GB|KiB|MiB|GiB"),
        What::Pointer => form("^(/|$)"),
        What::Template => json!({}),
        What::Words(words) => json!({ "anyOf": [{ "enum": words }, form("^$.")] }),
        What::Pattern(pattern) => form(pattern),
        What::Map(kind) => json!({ "$ref": format!("#/$defs/{}", kind.name) }),
        What::List(item) => json!({ "type": "array", "items": of_what(item) }),
        What::Pair(item) => {
            json!({ "type": "array", "items": of_what(item), "minItems": 2, "maxItems": 2 })
        }
        What::Named(value) => json!({ "type": "object", "additionalProperties": of_what(value) }),
        What::Pointed(value) => json!({
            "type": "object",
            "propertyNames": { "pattern": "^(/.*|size)?$" },
            "additionalProperties": of_what(value),
        }),
        What::OneOf(all) => Value::Object(Map::from_iter([(
            "anyOf".to_owned(),
            all.iter().map(of_what).collect::<Value>(),
        )])),
    }
}
