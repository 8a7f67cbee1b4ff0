//! `${NAME}` and `${NAME:-default}` in scalars. `$${` stands for `${` itself.

use super::tree::{Item, Node};

/// Why a text could not be filled in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No such variable, and no default.
    Missing(String),
    /// `${` that is no reference.
    Malformed,
}

/// The text with all references replaced.
pub(crate) fn substitute(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, Trouble> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        let end = inside.find('}').ok_or(Trouble::Malformed)?;
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        if !is_name(name) {
            return Err(Trouble::Malformed);
        }
        match (variable(name), default) {
            (Some(value), Some(default)) if value.is_empty() => out.push_str(default),
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => return Err(Trouble::Missing(name.to_owned())),
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text as it has to be written so that [`substitute`] gives it back.
pub(crate) fn escape(text: &str) -> String {
    text.replace("${", "$${")
}

/// Fills in every scalar below the item. Keys are left alone.
pub(crate) fn substitute_all(
    item: &mut Item,
    variable: &impl Fn(&str) -> Option<String>,
    report: &mut impl FnMut(&Item, Trouble),
) {
    match &mut item.node {
        Node::List(items) => {
            for item in items {
                substitute_all(item, variable, report);
            }
        }
        Node::Map(entries) => {
            for (_, item) in entries {
                substitute_all(item, variable, report);
            }
        }
        Node::Scalar(scalar) => match substitute(&scalar.text, variable) {
            Ok(text) => scalar.text = text,
            Err(trouble) => {
                scalar.broken = true;
                report(item, trouble);
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_x(text: &str) -> Result<String, Trouble> {
        substitute(text, |name| match name {
            "X" => Some("5".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        })
    }

    #[test]
    fn references_are_replaced() {
        assert_eq!(with_x("a${X}b${X}").as_deref(), Ok("a5b5"));
        assert_eq!(with_x("${Y:-10min}").as_deref(), Ok("10min"));
        assert_eq!(with_x("${EMPTY:-d}${EMPTY}").as_deref(), Ok("d"));
        assert_eq!(with_x("${Y}"), Err(Trouble::Missing("Y".to_owned())));
        assert_eq!(with_x("${X"), Err(Trouble::Malformed));
        assert_eq!(with_x("${1X}"), Err(Trouble::Malformed));
        assert_eq!(with_x("$X $$ {X}").as_deref(), Ok("$X $$ {X}"));
    }

    #[test]
    fn escapes_come_back() {
        for text in ["${X}", "$${X}", "a$$${", "$$", "${${", "{$"] {
            assert_eq!(with_x(&escape(text)).as_deref(), Ok(text), "{text}");
        }
    }
}
