//! The sections of one run within the page of several: their ids carry the run's name, and their headings stand one
//! level lower. What is rewritten is our own markup, in which a quote inside a text is never a bare one.

use maud::{Markup, PreEscaped};

/// Attributes whose words are ids.
const IDS: [&str; 2] = [" id=\"", " aria-labelledby=\""];

pub fn nested(markup: Markup, name: &str) -> Markup {
    let mut text = lowered(&markup.into_string());
    for attribute in IDS {
        text = prefixed(&text, attribute, name);
    }
    PreEscaped(text)
}

/// An `h2` becomes an `h3`, and an `h3` an `h4`.
fn lowered(text: &str) -> String {
    [("h3", "h4"), ("h2", "h3")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| {
            text.replace(&format!("<{from} "), &format!("<{to} "))
                .replace(&format!("<{from}>"), &format!("<{to}>"))
                .replace(&format!("</{from}>"), &format!("</{to}>"))
        })
}

fn prefixed(text: &str, attribute: &str, name: &str) -> String {
    let mut parts = text.split(attribute);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (ids, rest) = part.split_once('"').unwrap_or((part, ""));
        let ids: Vec<String> = ids.split(' ').map(|id| format!("{name}-{id}")).collect();
        out.push_str(attribute);
        out.push_str(&ids.join(" "));
        out.push('"');
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_the_name_and_headings_sink() {
        let page = PreEscaped(
            "<section aria-labelledby=\"t d\"><h2 id=\"t\">id=&quot;x&quot;</h2><h3>a</h3></section>"
                .to_owned(),
        );
        assert_eq!(
            nested(page, "one").into_string(),
            "<section aria-labelledby=\"one-t one-d\"><h3 id=\"one-t\">id=&quot;x&quot;</h3><h4>a</h4></section>"
        );
    }
}
