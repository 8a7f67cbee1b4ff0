//! A tree of values on its way back to YAML text.

use crate::template::escape;
use crate::text::substitute;

pub(crate) enum Yaml {
    /// Written as it is: a number, a quantity, a word of the language.
    Word(String),
    /// Any text.
    Text(String),
    /// JSON text, which is YAML as well.
    Json(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    pub fn word(word: impl Into<String>) -> Yaml {
        Yaml::Word(word.into())
    }

    pub fn text(text: impl Into<String>) -> Yaml {
        Yaml::Text(text.into())
    }

    /// A map of these entries, without those that have no value.
    pub fn map<const N: usize>(entries: [(&str, Option<Yaml>); N]) -> Yaml {
        let entries = entries.into_iter();
        Yaml::Map(
            entries
                .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                .collect(),
        )
    }

    /// The whole document.
    pub fn document(&self) -> String {
        let mut out = String::new();
        if let Yaml::Map(entries) = self {
            for (key, value) in entries {
                entry(key, value, 0, &mut out);
            }
        }
        out
    }

    /// Everything on one line.
    pub fn flow(&self) -> String {
        match self {
            Yaml::Word(word) => word.clone(),
            Yaml::Text(text) => scalar(text),
            Yaml::Json(json) => printable(&substitute::escape(json)),
            Yaml::List(items) => {
                let items: Vec<String> = items.iter().map(Yaml::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Yaml::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Yaml::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", key_text(key), value.flow()))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    /// Every value with its path: `load.sessions.count`, `timeline[0].for`.
    pub fn flatten(&self, path: &str, out: &mut Vec<(String, String)>) {
        match self {
            Yaml::Word(_) | Yaml::Text(_) | Yaml::Json(_) => {
                out.push((path.to_owned(), self.flow()))
            }
            Yaml::List(items) if items.iter().all(Yaml::is_scalar) => {
                out.push((path.to_owned(), self.flow()));
            }
            Yaml::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.flatten(&format!("{path}[{index}]"), out);
                }
            }
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    let below = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    value.flatten(&below, out);
                }
            }
        }
    }

    fn is_scalar(&self) -> bool {
        matches!(self, Yaml::Word(_) | Yaml::Text(_) | Yaml::Json(_))
    }
}

const WIDTH: usize = 110;

/// A key with its value, on one line where that is short enough.
fn entry(key: &str, value: &Yaml, indent: usize, out: &mut String) {
    let start = format!("{}{}:", " ".repeat(indent), key_text(key));
    let flow = value.flow();
    let short = start.len() + 1 + flow.len() <= WIDTH && indent > 0;
    out.push_str(&start);
    match value {
        Yaml::Map(entries) if !entries.is_empty() && !short => {
            out.push('\n');
            for (key, value) in entries {
                entry(key, value, indent + 2, out);
            }
        }
        Yaml::List(items) if !items.is_empty() && !short => {
            out.push('\n');
            for value in items {
                item(value, indent + 2, out);
            }
        }
        Yaml::Word(_) | Yaml::Text(_) | Yaml::Json(_) | Yaml::List(_) | Yaml::Map(_) => {
            out.push(' ');
            out.push_str(&flow);
            out.push('\n');
        }
    }
}

/// An item of a list: on one line, or as a map whose first key stands beside the dash.
fn item(value: &Yaml, indent: usize, out: &mut String) {
    let flow = value.flow();
    match value {
        Yaml::Map(entries) if indent + 2 + flow.len() > WIDTH => {
            let mut inner = String::new();
            for (key, value) in entries {
                entry(key, value, indent + 2, &mut inner);
            }
            out.push_str(&" ".repeat(indent));
            out.push_str("- ");
            out.push_str(inner.get(indent + 2..).unwrap_or_default());
        }
        Yaml::Word(_) | Yaml::Text(_) | Yaml::Json(_) | Yaml::List(_) | Yaml::Map(_) => {
            out.push_str(&format!("{}- {flow}\n", " ".repeat(indent)));
        }
    }
}

fn key_text(key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/' || c == '_')
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c));
    if plain { key.to_owned() } else { quoted(key) }
}

/// A text, without quotes where it cannot be taken for anything else.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false"
        );
    if plain {
        text.to_owned()
    } else {
        quoted(&substitute::escape(text))
    }
}

fn quoted(text: &str) -> String {
    let mut inside = Vec::new();
    escape(text, &mut inside);
    printable(&format!("\"{}\"", String::from_utf8_lossy(&inside)))
}

/// Characters that YAML does not allow or takes for line breaks, as escapes. They stand in quotes only.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}
