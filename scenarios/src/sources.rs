//! What a scenario needs from outside. The crate reads nothing itself: the caller hands it in.

use std::collections::BTreeMap;

/// Everything beside the scenario's own text.
pub trait Sources {
    /// The scenario's file name, as diagnostics show it.
    fn name(&self) -> &str;

    /// The environment variable of this name.
    fn variable(&self, name: &str) -> Option<String>;

    /// The bytes of a file that the scenario names; a relative path starts at the scenario's folder.
    ///
    /// # Errors
    /// Says in lower case why it cannot be read: `no such file`.
    fn file(&self, path: &str) -> Result<Vec<u8>, String>;

    /// The `path=value` arguments of `--set`, in their order.
    fn overrides(&self) -> &[String] {
        &[]
    }
}

/// Sources that are held in memory: for shipped scenarios, recordings and tests.
#[derive(Clone, Debug, Default)]
pub struct Given {
    pub name: String,
    pub variables: BTreeMap<String, String>,
    pub files: BTreeMap<String, Vec<u8>>,
    pub overrides: Vec<String>,
}

impl Given {
    /// A scenario of this name that needs nothing from outside.
    pub fn named(name: impl Into<String>) -> Given {
        Given {
            name: name.into(),
            ..Given::default()
        }
    }
}

impl Sources for Given {
    fn name(&self) -> &str {
        &self.name
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| "no such file".to_owned())
    }

    fn overrides(&self) -> &[String] {
        &self.overrides
    }
}
