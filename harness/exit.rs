//! Exit codes: one enum, one table. The README shows the same table.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every check passed.
    Pass,
    /// A check failed.
    Fail,
    /// Bad usage, or a scenario with mistakes. Nothing was started.
    Usage,
    /// Too little evidence.
    Inconclusive,
    /// The measurement itself cannot be trusted.
    Invalid,
    /// The target cannot be used, or was refused for safety.
    Target,
    /// A bug of firedrill.
    Bug,
    /// SIGINT, SIGTERM or SIGHUP; the report is written.
    Interrupted,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Usage => 2,
            Exit::Inconclusive => 3,
            Exit::Invalid => 4,
            Exit::Target => 5,
            Exit::Bug => 70,
            Exit::Interrupted => 130,
        }
    }

    /// Of several runs the one that a caller must hear of: a bug first, then the order of verdicts.
    pub fn worst(self, other: Exit) -> Exit {
        const ORDER: [Exit; 8] = [
            Exit::Bug,
            Exit::Interrupted,
            Exit::Usage,
            Exit::Target,
            Exit::Fail,
            Exit::Invalid,
            Exit::Inconclusive,
            Exit::Pass,
        ];
        ORDER
            .into_iter()
            .find(|exit| *exit == self || *exit == other)
            .unwrap_or(Exit::Bug)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_two_runs_is_told() {
        assert_eq!(Exit::Pass.worst(Exit::Inconclusive), Exit::Inconclusive);
        assert_eq!(Exit::Invalid.worst(Exit::Fail), Exit::Fail);
        assert_eq!(Exit::Fail.worst(Exit::Interrupted), Exit::Interrupted);
    }
}
