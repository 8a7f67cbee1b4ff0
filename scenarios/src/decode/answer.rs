//! What has to come back for an operation, and what is kept of it.

use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::operation as grammar;
use crate::plan::{Expectation, Save};
use crate::text::tree::{Item, Node};

pub(super) fn expectation(reader: &Reader<'_>, item: &Item) -> Option<Expectation> {
    if !matches!(item.node, Node::Map(_)) {
        let words = [
            ("result", Expectation::Result),
            ("tool_error", Expectation::ToolError),
        ];
        return reader.word(item, "expectations", &words);
    }
    let fields = Fields::open(reader, item, &grammar::EXPECT)?;
    let code = fields.get("rpc_error")?;
    let text = reader.scalar(code, "the code of a JSON-RPC error")?;
    let parsed = text.parse::<i64>().ok();
    if parsed.is_none() {
        reader.problem(
            code.place,
            format!("`{text}` is no code of a JSON-RPC error"),
            "write -32602",
        );
    }
    parsed.map(Expectation::RpcError)
}

/// Names of the values that an operation saves, before anything else of it is read.
pub(crate) fn saved_names(item: &Item) -> impl Iterator<Item = &str> {
    let entries = match item.get("save").map(|item| &item.node) {
        Some(Node::Map(entries)) => entries.as_slice(),
        Some(Node::Scalar(_) | Node::List(_)) | None => &[],
    };
    entries.iter().map(|(key, _)| key.text.as_str())
}

pub(super) fn saves(reader: &Reader<'_>, item: &Item, names: &[String]) -> Vec<Save> {
    let mut saves = Vec::new();
    for (key, item) in reader
        .named(item, "a map of names and JSON pointers")
        .unwrap_or_default()
    {
        reader.check_name(&key.text, key.place);
        let slot = names.iter().position(|name| *name == key.text);
        if let (Some(slot), Some(pointer)) = (slot, reader.pointer(item)) {
            saves.push(Save {
                name: key.text.clone(),
                pointer,
                slot,
            });
        }
    }
    saves
}
