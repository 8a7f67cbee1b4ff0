//! What a check, and a whole run, can end in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ordered by weight: of several verdicts, the greatest wins.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Pass,
    /// Too little evidence.
    Inconclusive,
    /// The measurement itself cannot be trusted.
    Invalid,
    Fail,
}

impl Verdict {
    pub const ALL: [Verdict; 4] = [
        Verdict::Pass,
        Verdict::Inconclusive,
        Verdict::Invalid,
        Verdict::Fail,
    ];

    /// The worst of all. Nothing judged is no evidence, and so no pass.
    pub fn worst(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        verdicts.into_iter().max().unwrap_or(Verdict::Inconclusive)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Invalid => "invalid",
            Verdict::Fail => "fail",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, Fail, Inconclusive, Invalid, Pass};

    #[test]
    fn the_worst_wins_and_nothing_is_no_pass() {
        assert_eq!(Verdict::worst([Pass, Inconclusive, Pass]), Inconclusive);
        assert_eq!(Verdict::worst([Inconclusive, Invalid, Pass]), Invalid);
        assert_eq!(Verdict::worst([Invalid, Fail, Inconclusive]), Fail);
        assert_eq!(Verdict::worst([Pass]), Pass);
        assert_eq!(Verdict::worst([]), Inconclusive);
    }
}
