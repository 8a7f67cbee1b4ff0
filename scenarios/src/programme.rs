//! A programme: several scenarios that run one after the other, and the steps of a procedure that they show together.

use crate::plan::{Act, Plan};

/// What a programme means once it is checked. It comes from [`Programme::parse`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Programme {
    /// `programme:`, a word of letters, digits and dashes; part of the run folder's name.
    pub name: String,
    pub about: String,
    /// The row of the operating procedure that this programme covers.
    pub covers: Option<String>,
    /// Names of shipped scenarios, or paths; at least one, all different.
    pub drills: Vec<String>,
    /// With distinct names.
    pub steps: Vec<ProcedureStep>,
}

/// A step of the procedure, and what has to be seen for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcedureStep {
    pub name: String,
    pub shown_by: ShownBy,
    /// The drills that have to show it, by index; at least one.
    pub drills: Vec<usize>,
}

/// What is evidence of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownBy {
    /// The sites were up, every session open, and the load steady before the first fault.
    SetUp,
    /// Another site, or a new one, was promoted, and the route led to it.
    Failover,
    /// Every restore was done, every read-back sound, and every check of the ledger holds.
    DataRecovery,
    /// Every check of the recovery time holds, and every step was done.
    Restoration,
    /// Latency and errors were within their limits after the recovery.
    Performance,
    /// Every recording is sealed, and its outputs were written.
    Documents,
    /// Every fault was undone, and neither a process nor a folder of the sites is left.
    CleanUp,
}

/// Does somebody say that the monthly test is covered, as the operating procedure calls it? Then all of it has to be
/// there: its steps, and its disasters.
pub fn is_monthly_test(covers: &str) -> bool {
    let covers = covers.to_lowercase();
    // A point within a number is a part of it: 1.5 is another row.
    let parts = covers.split(|letter: char| !(letter.is_alphanumeric() || letter == '.'));
    let words = parts.flat_map(|part| match part.trim_matches('.') {
        number if number.starts_with(|first: char| first.is_ascii_digit()) => vec![number],
        other => other.split('.').collect(),
    });
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.windows(3).enumerate().any(|(index, three)| {
        let row = match three {
            ["monthly", "operations", "no" | "number" | "nr"] => words.get(index + 3).copied(),
            ["monthly", "operations", row] => Some(*row),
            _ => None,
        };
        row.is_some_and(|row| row.parse() == Ok(1))
    })
}

/// The words of the disasters that the monthly test is about.
pub const DISASTERS: [&str; 4] = [
    "site-failure",
    "data-corruption",
    "system-failure",
    "natural-disaster",
];
pub const MONTHLY_STEPS: [(&str, ShownBy); 7] = [
    ("setup_test_environment", ShownBy::SetUp),
    ("execute_failover_procedures", ShownBy::Failover),
    ("test_data_recovery", ShownBy::DataRecovery),
    ("verify_service_restoration", ShownBy::Restoration),
    ("performance_validation", ShownBy::Performance),
    ("document_dr_test_results", ShownBy::Documents),
    ("cleanup_test_environment", ShownBy::CleanUp),
];

impl ShownBy {
    pub const ALL: [ShownBy; 7] = [
        ShownBy::SetUp,
        ShownBy::Failover,
        ShownBy::DataRecovery,
        ShownBy::Restoration,
        ShownBy::Performance,
        ShownBy::Documents,
        ShownBy::CleanUp,
    ];

    /// The word of the language.
    pub const fn as_str(self) -> &'static str {
        match self {
            ShownBy::SetUp => "set-up",
            ShownBy::Failover => "failover",
            ShownBy::DataRecovery => "data-recovery",
            ShownBy::Restoration => "restoration",
            ShownBy::Performance => "performance",
            ShownBy::Documents => "documents",
            ShownBy::CleanUp => "clean-up",
        }
    }

    /// What has to be seen, in words.
    pub const fn words(self) -> &'static str {
        match self {
            ShownBy::SetUp => "sites up, sessions open, steady before the fault",
            ShownBy::Failover => "a site promoted and the route changed to it",
            ShownBy::DataRecovery => "restores done, data read back and verified, recovery points",
            ShownBy::Restoration => "service back within its limits",
            ShownBy::Performance => "latency and errors within their limits after the recovery",
            ShownBy::Documents => "every recording sealed, and its reports written",
            ShownBy::CleanUp => "faults undone, no process and no folder of the sites left",
        }
    }
}

impl Programme {
    /// Disasters that none of the drills, whose plans these are, has; empty where that is not promised.
    pub fn missing_disasters(&self, drills: &[&Plan]) -> Vec<&'static str> {
        if !self.covers.as_deref().is_some_and(is_monthly_test) {
            return Vec::new();
        }
        let actions = drills.iter().flat_map(|plan| &plan.drill.actions);
        let broken: Vec<&str> = actions
            .filter_map(|action| match &action.act {
                Act::Fault(fault) => Some(fault.kind.word()),
                Act::Step(_) | Act::ReadBack { .. } => None,
            })
            .collect();
        let mut missing = DISASTERS.to_vec();
        missing.retain(|word| !broken.contains(word));
        missing
    }

    /// The same with these names for its drills, in their order: those of the scenarios, where paths stood.
    pub fn named(mut self, drills: Vec<String>) -> Programme {
        debug_assert_eq!(self.drills.len(), drills.len());
        self.drills = drills;
        self
    }

    /// The programme as a file again; parsed, it is the same.
    pub fn to_yaml(&self) -> String {
        let mut text = format!("programme: {}\n", quoted(&self.name));
        if !self.about.is_empty() {
            text.push_str(&format!("about: {}\n", quoted(&self.about)));
        }
        if let Some(covers) = &self.covers {
            text.push_str(&format!("covers: {}\n", quoted(covers)));
        }
        let list = |names: &[String]| {
            let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            format!("[{}]", names.join(", "))
        };
        text.push_str(&format!("drills: {}\n", list(&self.drills)));
        if !self.steps.is_empty() {
            text.push_str("steps:\n");
        }
        for step in &self.steps {
            let drills: Vec<String> = self.shown_in(step).map(str::to_owned).collect();
            text.push_str(&format!(
                "  - {{ step: {}, shown_by: {}, in: {} }}\n",
                quoted(&step.name),
                step.shown_by.as_str(),
                list(&drills)
            ));
        }
        text
    }

    /// Names of the drills that have to show this step.
    pub fn shown_in<'a>(&'a self, step: &'a ProcedureStep) -> impl Iterator<Item = &'a str> {
        let drills = step.drills.iter();
        drills.filter_map(|drill| self.drills.get(*drill).map(String::as_str))
    }

    /// The programme in words, for `firedrill check`. Its scenarios are described by themselves.
    pub fn describe(&self) -> String {
        let about: Vec<&str> = self.about.split_whitespace().collect();
        let mut text = format!("programme   {}", self.name);
        if !about.is_empty() {
            text.push_str(&format!(": {}", about.join(" ")));
        }
        text.push('\n');
        if let Some(covers) = &self.covers {
            text.push_str(&format!("            covers {covers}\n"));
        }
        let numbered = self.drills.iter().enumerate();
        for (index, drill) in numbered {
            let heading = if index == 0 {
                "\ndrills      "
            } else {
                "            "
            };
            text.push_str(&format!("{heading}{} {drill}\n", index + 1));
        }
        let width = self.steps.iter().map(|step| step.name.len()).max();
        for (index, step) in self.steps.iter().enumerate() {
            let heading = if index == 0 {
                "\nsteps       "
            } else {
                "            "
            };
            let drills: Vec<&str> = self.shown_in(step).collect();
            text.push_str(&format!(
                "{heading}{:width$}  {} (in {})\n",
                step.name,
                step.shown_by.words(),
                drills.join(", "),
                width = width.unwrap_or(0)
            ));
        }
        text
    }
}

/// Whether a text is a programme's, without reading the rest of it.
pub fn is_programme(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("programme:"))
}

/// As a double-quoted text, which YAML and JSON read alike, and in which no variable is replaced.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace("${", "$${")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monthly_test_is_known_however_it_is_written() {
        for covers in [
            "Monthly Operations 1, Disaster Recovery Test",
            "monthly  operations 1",
            "Monthly Operations 1: the drill",
            "SOP Monthly Operations 1",
            "Monthly Operations, 1",
            "Monthly Operations No. 1",
            "monthly_operations number 01.",
            "Monthly Operations No.1",
        ] {
            assert!(is_monthly_test(covers), "{covers}");
        }
        for covers in [
            "Monthly Operations 12",
            "Monthly Operations 1.5",
            "Monthly Operations No. 1.5",
            "Monthly Operations",
            "Monthly Operations No.",
            "Monthly Operations 3",
            "",
            "Weekly",
        ] {
            assert!(!is_monthly_test(covers), "{covers}");
        }
    }
}
