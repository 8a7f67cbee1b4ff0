//! The tables of keys in docs/scenarios.md are made from the grammar, so that they are always complete.

use std::fmt::Write;
use std::path::Path;

use super::programme::PROGRAMME;
use super::{Kind, SCENARIO, What, kinds};

fn tables() -> String {
    let mut out = String::new();
    for kind in kinds(&SCENARIO).into_iter().chain(kinds(&PROGRAMME)) {
        writeln!(out, "### {}\n\n{}\n", kind.name, kind.about).unwrap();
        writeln!(
            out,
            "| key | value | default | meaning |\n|---|---|---|---|"
        )
        .unwrap();
        for key in kind.keys {
            let need = need(kind, key.name);
            let default = key.default.filter(|default| !default.is_empty());
            let default = default.map_or_else(|| need.to_owned(), |default| format!("`{default}`"));
            let cells = [
                format!("`{}`", key.name),
                what(&key.what),
                default,
                key.doc.to_owned(),
            ];
            writeln!(
                out,
                "| {} |",
                cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
            )
            .unwrap();
        }
        out.push('\n');
    }
    out
}

fn need(kind: &Kind, key: &str) -> &'static str {
    if kind.required.contains(&key) {
        "needed"
    } else if kind.one_of.contains(&key) {
        "one of these"
    } else {
        ""
    }
}

fn what(value: &What) -> String {
    match value {
        What::Text => "text".to_owned(),
        What::Name | What::OperationName => "name".to_owned(),
        What::Count(least) => format!("whole number from {least}"),
        What::Weight | What::Number => "number".to_owned(),
        What::Flag => "`true` or `false`".to_owned(),
        What::Duration => "duration".to_owned(),
        What::Rate => "rate".to_owned(),
        What::Share => "share".to_owned(),
        What::Size => "size".to_owned(),
        What::Pointer => "JSON pointer".to_owned(),
        What::Template => "any value, with templates".to_owned(),
        What::Words(words) => words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", "),
        What::Pattern(_) => "text".to_owned(),
        What::Map(kind) => format!("[{0}](#{0})", kind.name),
        What::List(item) => format!("list: {}", what(item)),
        What::Pair(item) => format!("list of two: {}", what(item)),
        What::Named(item) => format!("map by name: {}", what(item)),
        What::Pointed(item) => format!("map by JSON pointer: {}", what(item)),
        What::OneOf(all) => all.iter().map(what).collect::<Vec<_>>().join(", or "),
    }
}

const START: &str = "<!-- made from the grammar: begin -->\n";
const END: &str = "<!-- made from the grammar: end -->";

/// `UPDATE_DOCS=1 cargo test` writes the tables anew.
#[test]
fn the_documentation_has_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let tables = format!("\n{}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{START}{tables}{END}{after}")).unwrap();
    } else {
        assert!(
            shown == tables,
            "run with UPDATE_DOCS=1 and commit the file"
        );
    }
}
