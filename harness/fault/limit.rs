//! Limits that the kernel keeps for a process: set from outside, by its identity, and read back from the kernel.

use std::fs;
use std::io;

use rustix::process::{Pid, Rlimit, prlimit};
use serde::{Deserialize, Serialize};

use super::process::{Process, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Memory that it may have a claim to.
    AddressSpace,
    /// How long a file may become by its writing.
    FileSize,
}

impl Resource {
    /// As `/proc/PID/limits` calls it.
    fn row(self) -> &'static str {
        match self {
            Resource::AddressSpace => "Max address space",
            Resource::FileSize => "Max file size",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Resource::AddressSpace => "the limit of memory",
            Resource::FileSize => "the limit of a file's size",
        }
    }

    fn name(self) -> rustix::process::Resource {
        match self {
            Resource::AddressSpace => rustix::process::Resource::As,
            Resource::FileSize => rustix::process::Resource::Fsize,
        }
    }
}

/// What one process may have; a process that takes its place has its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub process: Process,
    pub resource: Resource,
    /// In bytes; `None` for as much as it likes.
    pub most: Option<u64>,
}

impl Limit {
    /// The limit as it is now; `None` when there is no such process.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn of(process: &Process, resource: Resource) -> io::Result<Option<Limit>> {
        Ok(read(process, resource)?.map(|(most, _)| Limit {
            process: process.clone(),
            resource,
            most,
        }))
    }

    /// Sets it. What only the system's owner could set higher again stays as it is. False when the process is gone.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn set(&self) -> io::Result<bool> {
        let Some((_, maximum)) = read(&self.process, self.resource)? else {
            return Ok(false);
        };
        let pid = i32::try_from(self.process.pid).ok().and_then(Pid::from_raw);
        let limit = Rlimit {
            current: self.most,
            maximum,
        };
        match prlimit(pid, self.resource.name(), limit) {
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The kernel keeps it for the process; `None` when there is no such process.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn is_kept(&self) -> io::Result<Option<bool>> {
        Ok(read(&self.process, self.resource)?.map(|(most, _)| most == self.most))
    }
}

/// The limit in force and the one up to which it may be raised.
fn read(process: &Process, resource: Resource) -> io::Result<Option<(Option<u64>, Option<u64>)>> {
    let text = fs::read_to_string(format!("/proc/{}/limits", process.pid));
    // Looked at afterwards: then it was this process whose limits these are.
    if process.state() == State::Gone {
        return Ok(None);
    }
    let text = text?;
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix(resource.row()));
    let mut numbers = row.unwrap_or_default().split_ascii_whitespace().map(number);
    let (Some(Some(soft)), Some(Some(hard))) = (numbers.next(), numbers.next()) else {
        let what = format!("the kernel's limits of {} cannot be read", process.name);
        return Err(io::Error::other(what));
    };
    Ok(Some((soft, hard)))
}

/// `Some(None)` is no limit.
fn number(word: &str) -> Option<Option<u64>> {
    match word {
        "unlimited" => Some(None),
        digits => digits.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::process::identify;
    use super::*;

    #[test]
    fn a_limit_is_set_for_one_process_and_taken_back() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = identify("sleep", child.id()).unwrap();
        let before = Limit::of(&process, Resource::FileSize).unwrap().unwrap();
        let limit = Limit {
            most: Some(4_096),
            ..before.clone()
        };
        assert_eq!(limit.is_kept().unwrap(), Some(false));
        assert!(limit.set().unwrap() && limit.set().unwrap());
        assert_eq!(limit.is_kept().unwrap(), Some(true));
        let own = identify("test", std::process::id()).unwrap();
        let own = Limit::of(&own, Resource::FileSize).unwrap().unwrap();
        assert_eq!(own.most, before.most);
        assert!(before.set().unwrap());
        assert_eq!(before.is_kept().unwrap(), Some(true));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(limit.is_kept().unwrap(), None);
        assert!(!limit.set().unwrap());
    }
}
