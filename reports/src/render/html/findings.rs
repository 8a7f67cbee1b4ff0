//! Causes that are known by how they look, where they were seen.

use maud::{Markup, html};

use crate::result::ResultDocument;

pub fn section(result: &ResultDocument) -> Markup {
    html! {
        @if !result.findings.is_empty() {
            section aria-labelledby="findings" {
                h2 id="findings" { "Findings" }
                p .note { "Causes that are known by how they look. They change no verdict." }
                @for found in &result.findings {
                    h3 { (found.title()) }
                    dl .facts {
                        dt { "Seen" } dd { (found.evidence) }
                        dt { "Means" } dd { (found.meaning) }
                        dt { "Do" } dd { (found.remedy) }
                    }
                }
            }
        }
    }
}
