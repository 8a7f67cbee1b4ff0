//! What is wrong with a scenario: every problem with its place and its remedy, on one page.

use std::fmt;

use super::{Place, Texts};

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in lower case.
    pub message: String,
    /// The file's name, or `--set`.
    pub source: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line as it stands in the text.
    pub excerpt: String,
    /// How many characters of it are meant, from the column on; at least 1.
    pub width: usize,
    /// What to write instead.
    pub remedy: String,
}

impl Diagnostic {
    pub(crate) fn at(texts: &Texts, place: Place, message: String, remedy: String) -> Diagnostic {
        let (line, column) = texts.position(place);
        let excerpt = texts.line(place).trim_end().to_owned();
        let marked = texts.slice(place).lines().next().unwrap_or_default();
        Diagnostic {
            message,
            source: texts.name(place).to_owned(),
            line,
            column,
            width: marked.trim_end().chars().count().max(1),
            excerpt,
            remedy,
        }
    }
}

/// Longest part of a line that is shown.
const EXCERPT: usize = 96;

impl fmt::Display for Diagnostic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic {
            message,
            source,
            line,
            column,
            ..
        } = self;
        writeln!(out, "  x {source}:{line}:{column}: {message}")?;
        // A long line is cut so that the place stays in view.
        let first = self.column.saturating_sub(1);
        let skipped = if first + self.width > EXCERPT {
            first.saturating_sub(EXCERPT / 2)
        } else {
            0
        };
        let shown: String = self
            .excerpt
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .skip(skipped)
            .take(EXCERPT)
            .collect();
        let more = self.excerpt.chars().count() > skipped + EXCERPT;
        let before = if skipped > 0 { "..." } else { "" };
        let after = if more { "..." } else { "" };
        let start = first - skipped;
        let width = self.width.min(EXCERPT.saturating_sub(start)).max(1);
        let indent = " ".repeat(start + before.len());
        writeln!(out, "{line:>7} | {before}{shown}{after}")?;
        writeln!(out, "{:>7} | {indent}{}", "", "^".repeat(width))?;
        write!(out, "{:>7} = {}", "", self.remedy)
    }
}

/// All problems of a scenario, in the order of their places. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostics {
    /// The scenario's file name.
    pub name: String,
    pub problems: Vec<Diagnostic>,
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let problems = if count == 1 { "problem" } else { "problems" };
        write!(out, "error: {count} {problems} in {}", self.name)?;
        for problem in &self.problems {
            write!(out, "\n\n{problem}")?;
        }
        Ok(())
    }
}
